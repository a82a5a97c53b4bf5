"""The services of an instance, and starting them together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from andon.stack.debian import Say
from andon.stack.errors import NotReadyError, ServiceDiedError
from andon.stack.kafka import Kafka
from andon.stack.mosquitto import Mosquitto
from andon.stack.process import Child, Command, require_free, spawn, stop_all, tail
from andon.stack.timescale import Timescale
from config.instance import Instance

START_TIMEOUT_S = 60.0
"""A broker that holds hundreds of partitions and was killed recovers for up to 10 s; a slow disk takes longer."""
ATTEMPTS, AGAIN_AFTER_S = 3, 1.0
"""PostgreSQL refuses to start while workers of one that was killed hold its memory: for some tenths of a second."""


class Service(Protocol):
    """One program that we can fetch, start and ask."""

    name: str
    ports: tuple[int, ...]
    log: Path

    def build(self, say: Say) -> None:
        """Make its programs available; quick when they are."""

    def prepare(self) -> None:
        """Write its configuration, make its data folder once. Not while it runs."""

    def command(self) -> Command: ...

    def answers(self) -> bool:
        """Whether it does its work at this moment."""

    def settle(self) -> None:
        """What can only be set up while it runs; safe to repeat."""


def services_of(instance: Instance, passwords: dict[str, str], runtime: Path) -> list[Service]:
    """The services that this instance runs itself: those that the environment does not place elsewhere.

    Args:
        passwords: "database" for the database user; MQTT's are in the instance.
    """
    home, logs = instance.home, instance.home / "logs"
    every: list[Service] = [
        Kafka(runtime=runtime, folder=home / "kafka", log=logs / "kafka.log", port=instance.kafka_port),
        Timescale(
            runtime=runtime,
            folder=home / "timescale",
            log=logs / "timescale.log",
            port=instance.postgres_port,
            password=passwords["database"],
        ),
        Mosquitto(
            runtime=runtime,
            folder=home / "mosquitto",
            log=logs / "mosquitto.log",
            port=instance.mqtt_port,
            passwords=instance.mqtt.passwords,
        ),
    ]
    return [service for service in every if service.name not in instance.external]


def build_all(services: Sequence[Service], say: Say) -> None:
    """Build side by side: most of it is waiting for the network.

    Raises:
        StackError: one could not be built; the message says what to do.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(services))) as pool:
        for done in [pool.submit(service.build, say) for service in services]:
            done.result()


def start(service: Service, timeout_s: float = START_TIMEOUT_S) -> Child:
    """Start one and wait until it answers."""
    return start_all([service], lambda _: None, timeout_s)[service.name]


def start_all(services: Sequence[Service], say: Say, timeout_s: float = START_TIMEOUT_S) -> dict[str, Child]:
    """Start side by side and wait until every one answers; the children by name. On an error none is left running.

    Raises:
        PortTakenError: something else has one of the ports.
        ServiceDiedError, NotReadyError: its log is named.
    """
    for service in services:
        for port in service.ports:
            require_free(port, service.name)
    children: dict[str, Child] = {}
    begun = time.monotonic()
    try:
        for service in services:
            service.prepare()
            children[service.name] = spawn(service.command())
        for service in services:
            for _ in range(ATTEMPTS - 1):
                with suppress(ServiceDiedError):
                    _await(service.answers, children[service.name], begun + timeout_s, timeout_s)
                    break
                time.sleep(AGAIN_AFTER_S)
                children[service.name] = spawn(service.command())
            else:
                _await(service.answers, children[service.name], begun + timeout_s, timeout_s)
            service.settle()
            say(f"{service.name} answers after {time.monotonic() - begun:.1f} s")
    except BaseException:
        stop_all(children.values())
        raise
    return children


def _await(answers: Callable[[], bool], child: Child, deadline: float, timeout_s: float) -> None:
    name, log = child.command.name, child.command.log
    while not answers():
        if (code := child.exit_code()) is not None:
            raise ServiceDiedError(name, code, log, tail(log))
        if time.monotonic() > deadline:
            raise NotReadyError(name, timeout_s, log)
        time.sleep(0.02)
