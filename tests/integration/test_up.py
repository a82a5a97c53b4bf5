"""`andon up` as a user runs it: one plant, brought up once for this module, without the board."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from andon.processes import PROCESSES
from andon.records import read_all
from andon.stack.process import Child, Command, spawn, start_ticks
from benchmarks.running import free_port_base

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(240)]

SERVICES = ("kafka", "timescale", "mosquitto")
REPOSITORY = Path(__file__).resolve().parents[2]


class Plant:
    """A home, and the `andon up` that runs in it."""

    def __init__(self, home: Path, base: int) -> None:
        self.home, self.base = home, base
        self.output = home / "up.out"
        self.process: Child | None = None

    def andon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "andon", *arguments, "--home", str(self.home)]
        return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)

    def up(self, *options: str) -> None:
        argv = [sys.executable, "-m", "andon", "up", "--home", str(self.home), "--headless", "--no-board", *options]
        environment = {"ANDON_RUNTIME": str(REPOSITORY / ".andon" / "runtime"), **os.environ}
        command = Command(name="up", argv=tuple(argv), cwd=REPOSITORY, log=self.output, env=environment)
        self.process = spawn(command)  # so that it ends with us

    def status(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.andon("status", "--json").stdout)
        return said

    def until(self, what: Callable[[], object], limit_s: float = 120.0) -> Any:
        deadline = time.monotonic() + limit_s
        while not (answer := what()):
            assert time.monotonic() < deadline, f"it did not happen in time; `up` said:\n{self.output.read_text()}"
            assert self.process is None or self.process.exit_code() is None, self.output.read_text()
            time.sleep(0.3)
        return answer

    def pids(self) -> list[tuple[int, str]]:
        return [(record.pid, record.ticks) for record in read_all(self.home).values() if record.pid]


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    if any(name in os.environ for name in ("ANDON_KAFKA", "ANDON_DATABASE_URL", "ANDON_MQTT_URL")):
        pytest.skip("this test starts and kills services of its own; the environment names others")
    folder = Path(tempfile.mkdtemp(prefix="andon-"))
    folder.chmod(0o755)
    made = Plant(folder, free_port_base())
    made.up("--port-base", str(made.base))
    try:
        made.until((folder / "run" / "mosquitto.json").exists)
        yield made
    finally:
        if made.process is not None:
            made.process.stop(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_the_plant_becomes_ready_with_every_process(plant: Plant) -> None:
    status = plant.until(lambda: (now := plant.status())["ready"] and now)
    assert set(status["processes"]) == PROCESSES.keys() - {"board"}
    assert all(service["ok"] for service in status["services"].values())
    assert plant.until(lambda: plant.output.read_text().endswith("  ready\n"))
    assert plant.andon("status").returncode == 0


def test_a_second_up_is_refused_and_the_first_stays(plant: Plant) -> None:
    before = {name: read_all(plant.home)[name].pid for name in SERVICES}
    second = plant.andon("up")
    assert second.returncode == 1
    assert "already up" in second.stderr
    assert {name: read_all(plant.home)[name].pid for name in SERVICES} == before


def test_every_service_killed_at_once_comes_back_with_its_processes(plant: Plant) -> None:
    plant.until(lambda: plant.status()["ready"])
    records = read_all(plant.home)
    for name in SERVICES:
        pid = records[name].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    plant.until(lambda: all(read_all(plant.home)[n].restarts == 1 for n in SERVICES))
    plant.until(lambda: plant.status()["ready"])


def test_no_password_is_in_any_log_or_command_line(plant: Plant) -> None:
    credentials = json.loads((plant.home / "credentials.json").read_text())
    secrets = [credentials["database"], *credentials["mqtt"].values()]
    texts = [file.read_text(errors="replace") for file in (plant.home / "logs").iterdir()]
    texts += [Path(f"/proc/{pid}/cmdline").read_text(errors="replace") for pid, _ in plant.pids()]
    assert not [secret for secret in secrets if any(secret in text for text in texts)]


def test_a_supervisor_killed_with_9_leaves_nothing_running_and_the_next_up_keeps_all(plant: Plant) -> None:
    left = plant.pids()
    assert plant.process is not None
    plant.process.kill()
    plant.process = None
    plant.until(lambda: all(start_ticks(pid) != ticks for pid, ticks in left), limit_s=20)
    credentials = (plant.home / "credentials.json").read_bytes()

    plant.up()
    plant.until(lambda: plant.status()["ready"])
    assert (plant.home / "credentials.json").read_bytes() == credentials
    assert f":{plant.base}" in plant.status()["services"]["kafka"]["address"]


def test_sigterm_stops_everything_within_fifteen_seconds(plant: Plant) -> None:
    plant.until(lambda: plant.status()["ready"])
    left = plant.pids()
    assert plant.process is not None
    began = time.monotonic()
    assert plant.process.stop(30) == 0
    assert time.monotonic() - began < 15
    assert all(start_ticks(pid) != ticks for pid, ticks in left)
    plant.process = None
    assert plant.status()["up"] is False
    log = (plant.home / "logs" / "up.log").read_text()
    assert re.search(r"killed|SIGKILL", log) is None, log[-2000:]
