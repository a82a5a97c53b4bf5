"""The playbooks stage and an executor as processes to be killed, and the playbook that they do together.

The executor is the real one, with its journal on disk; in place of MQTT it reads the stage's output and writes into its
inbox, both from the beginning at each life: everything is told again and again, as after any crash.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import numpy as np
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from bus.client import Producer
from bus.stage import Spec
from devices.plant import Device, Modbus, Point, Register, Writable
from edge.executor import Executor
from edge.journal import Journal
from edge.memory import Memory
from events.codec import decode_record
from events.envelope import Chain, Decision
from events.playbooks import CommandIssued
from events.topics import partition_of
from playbooks.brain import PlaybooksBrain
from playbooks.plan import PlaybookSet
from playbooks.recipe import Case, Choose, Delay, Group, Parallel, Repeat, Step
from tests.chaos.flood_worker import fed
from tests.unit.playbooks.plans import AREA, book, moves, plant, sets, so, step, tells

PARTITION = partition_of(AREA)
POINTS = tuple(f"p{i}" for i in range(10))


def spec(name: str) -> Spec:
    return Spec(
        name="playbooks", inbox=f"{name}-in", output=f"{name}-out", snapshots=f"{name}-snap", brain=PlaybooksBrain
    )


def patient(point: str, **more: object) -> Step:
    """What was begun and not written when the executor died is never written: the next attempt does it."""
    return moves(point, timeout_s=60.0, retry=5, **more)


def playbooks() -> PlaybookSet:
    """Ten steps, of all kinds that go on by themselves; p7 is written in two passes, the others once. Each value is
    new to its point: that it reads back proves that it was written."""
    return plant(book(
        patient("p0"),
        sets("count", n=1.0),
        patient("p1", value="vars.n"),
        step("pause", Delay(0.2), 10.0),
        step("if1", Choose((Case(so("vars.n == 1"), (patient("p2"),)),), (patient("p9"),)), 0.0),
        step("both", Parallel(((patient("p3"), patient("p4")), (patient("p5"),))), 0.0),
        step("call", Group((patient("p6"),), "other"), 0.0),
        step("rep", Repeat((sets("up", n="vars.n + 1"), patient("p7", value="vars.n")), 2), 0.0),
        tells(),
        patient("p8"),
    ))  # fmt: skip


class Registers:
    """A device whose writes are lines of a file: nothing that was written is ever forgotten."""

    reason = ""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def scan(self) -> tuple[object, object]:
        return np.zeros(len(POINTS)), np.zeros(len(POINTS), np.uint8)

    async def write(self, point: Point, value: float) -> None:
        with self._path.open("a") as file:
            file.write(f"{point.point} {value:g}\n")
            file.flush()
            os.fsync(file.fileno())

    async def read(self, point: Point) -> float:
        written = [line.split() for line in self._path.read_text().splitlines()] if self._path.exists() else []
        return next((float(value) for name, value in reversed(written) if name == point.point), 0.0)

    async def look_again(self) -> None: ...

    async def close(self) -> None: ...


def decide(kafka: str, name: str, home: str) -> None:
    """The stage, until killed."""
    _log_to(home)
    asyncio.run(fed(kafka, spec(name)))


def obey(kafka: str, name: str, home: str) -> None:
    """The executor, until killed."""
    _log_to(home)
    asyncio.run(_obey(kafka, spec(name), Path(home)))


def _log_to(home: str) -> None:
    log = (Path(home) / "workers.log").open("a")
    sys.stdout = sys.stderr = log
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))


async def _obey(kafka: str, of: Spec, home: Path) -> None:
    journal = Journal(home / "journal.sqlite3", "edge-1")
    points = [
        Point(point=name, register=Register(table="holding", address=i), writable=Writable(range=(0, 100)))
        for i, name in enumerate(POINTS)
    ]
    device = Device(device="press", area=AREA, edge="edge-1", modbus=Modbus(), points=points)
    executor = Executor({"press": device}, {"press": Registers(home / "writes")}, Memory(journal))
    async with asyncio.TaskGroup() as group:
        group.create_task(executor.run())
        group.create_task(_hear(kafka, of, executor))
        group.create_task(_tell(kafka, of, journal))


async def _hear(kafka: str, of: Spec, executor: Executor) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    partition, chain = TopicPartition(of.output, PARTITION), Chain()
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    async for record in consumer:
        decision = decode_record(record.value)
        if isinstance(decision, Decision) and chain.accept(decision):
            for e in decision.events:
                if isinstance(e.fact, CommandIssued):
                    executor.receive(e, lambda: None)


async def _tell(kafka: str, of: Spec, journal: Journal) -> None:
    producer, told = await asyncio.to_thread(Producer, kafka), 0
    while True:
        for entry in journal.unconfirmed(told, 1000):
            producer.send_to(of.inbox, PARTITION, entry.body)
            told = entry.sequence
        await asyncio.sleep(0.02)
