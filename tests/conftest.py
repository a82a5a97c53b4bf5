"""Fixtures of the real services. They are fetched once, and started once per test session, on free ports.

Where ANDON_KAFKA, ANDON_DATABASE_URL or ANDON_MQTT_URL is set, that service is used instead of our own.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from andon import instance as instances
from andon.settings import read_environment
from andon.stack.process import Child, stop_all
from andon.stack.services import Service, build_all, services_of, start, start_all
from andon.stack.timescale import Timescale
from benchmarks.running import free_port_base
from config.instance import Instance

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass
class Stack:
    """The running services, for tests that kill them."""

    instance: Instance
    services: dict[str, Service]
    children: dict[str, Child] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        self.children[name].kill()

    def restart(self, name: str) -> None:
        """Start it again after `kill`, on the same port with the same data, and wait until it answers."""
        self.children[name] = start(self.services[name])

    def pause(self, name: str) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        self.children[name].send(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.children[name].send(signal.SIGCONT)


@pytest.fixture
def port_base() -> int:
    """Ports of its own for one test."""
    return free_port_base()


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A fresh folder with a short path that every account may enter, as the services need it when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="andon-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka, TimescaleDB and mosquitto, fresh and empty; stopped at the end of the session."""
    environment = read_environment()
    runtime = environment.runtime or REPOSITORY / ".andon" / "runtime"
    home = Path(tempfile.mkdtemp(prefix="andon-"))
    home.chmod(0o755)
    edges = ("edge-1", "edge-2", "edge-3")
    made = instances.create(home, free_port_base(), edges=edges, environment=environment)
    services = services_of(made, instances.service_passwords(home), runtime)
    build_all(services, print)
    running = Stack(made, {service.name: service for service in services})
    running.children = start_all(services, print)
    yield running
    stop_all(running.children.values())
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def services(stack: Stack) -> Instance:
    """The instance whose three services are up."""
    return stack.instance


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test module's own, with TimescaleDB, without migrations."""
    server = stack.services.get("timescale")
    if not isinstance(server, Timescale):
        pytest.skip("ANDON_DATABASE_URL is set: a fresh database per module needs the server that the tests start")
    name = f"t_{uuid.uuid4().hex[:10]}"
    server.create_database(name)
    yield make_url(stack.instance.database_url).set(database=name).render_as_string(hide_password=False)
    server.drop_database(name)


@pytest.fixture
def topics() -> Callable[[str], str]:
    """Names of this test's own: `topics("readings")` → "t3f9a1c.readings", the same within the test."""
    prefix = f"t{uuid.uuid4().hex[:6]}"
    return lambda name: f"{prefix}.{name}"
