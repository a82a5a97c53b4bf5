"""An executor on devices in memory, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from devices.plant import Device, Modbus, Point, Register, Writable
from edge.executor import Executor
from edge.journal import Journal
from edge.memory import Memory
from events import codec
from events.envelope import Event, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.types import make_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def holding(address: int, scale: float = 1.0) -> dict[str, object]:
    return {"register": Register(table="holding", address=address), "scale": scale}


GUARDED = "gate.closed == 'yes'"
DEVICE = Device(
    device="press", area="shop/press", edge="edge-1", modbus=Modbus(), points=[
        Point(point="setpoint", unit="bar", writable=Writable(range=(0, 250), tolerance=0.1, read_back_within="60ms"),
              **holding(0, 0.1)),
        Point(point="speed", writable=Writable(range=(0, 9), every="5s", read_back_within="60ms"), **holding(1)),
        Point(point="valve", register=Register(table="coil", address=0, type="bool"),
              writable=Writable(range=(0, 1), read_back_within="60ms")),
        Point(point="pressure", range=(0, 400), unit="bar", **holding(2)),
        Point(point="ram", writable=Writable(range=(0, 9), every="5s", read_back_within="60ms", interlock=GUARDED),
              **holding(3)),
    ],
)
GATE = Device(
    device="gate", area="shop/hall", edge="edge-1", modbus=Modbus(), points=[
        Point(point="closed", states={"no": 0, "yes": 1}, register=Register(table="coil", address=0, type="bool")),
    ],
)


class Registers:
    """A device in memory; `on_write` may refuse, lose or delay what is written."""

    reason = ""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.writes: list[tuple[str, float]] = []
        self.on_write: Callable[[Point, float], float | None] = lambda point, value: value
        self.on_read: Callable[[Point, float], float] = lambda point, value: value

    async def scan(self):
        return np.zeros(4), np.zeros(4, np.uint8)

    async def write(self, point: Point, value: float) -> None:
        self.writes.append((point.point, value))
        if (kept := self.on_write(point, value)) is not None:
            self.values[point.point] = kept

    async def read(self, point: Point) -> float:
        return self.on_read(point, self.values.get(point.point, 0.0))

    async def look_again(self) -> None: ...

    async def close(self) -> None: ...


class Bench:
    """An executor on a device in memory, with a clock that stands still."""

    def __init__(self, path: Path) -> None:
        self.path, self.now, self.registers, self.gate = path, NOW, Registers(), Registers()
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.path, "edge-1")
        self.memory = Memory(self.journal)
        sessions = {"press": self.registers, "gate": self.gate}
        self.executor = Executor({"press": DEVICE, "gate": GATE}, sessions, self.memory, clock=lambda: self.now)

    def reopen(self) -> None:
        self.journal.close()
        self.open()

    def replies(self) -> list[Event]:
        told = [codec.decode_record(entry.body) for entry in self.journal.unconfirmed(0, 1000)]
        return [e for record in told if isinstance(record, Reported) for e in record.events]

    async def execute(self, issued: Event) -> object:
        assert isinstance(issued.fact, CommandIssued)
        await self.executor.execute(issued, issued.fact)
        return self.replies()[-1].fact if self.replies() else None


def command(name: str, point: str = "press.setpoint", value: float = 180.0, **other: object) -> Event:
    fields: dict[str, object] = {
        "device": "press", "tolerance": 0.1, "not_after": NOW + timedelta(seconds=5), "author": "playbook test@1",
    }  # fmt: skip
    fact = CommandIssued(
        command=make_id("command", name), run=make_id("run"), incident=make_id("incident"), step="s1", attempt=1,
        edge="edge-1", point=point, value=value, **(fields | other),
    )
    return event(fact, at=NOW, area="shop/press", cause=make_id("tick"), author="playbooks", index=0)


def locking(reason: str, seconds: float) -> LockOutIssued:
    return LockOutIssued(edge="edge-1", device="press", reason=reason, since=NOW + timedelta(seconds=seconds))


def told(fact: LockOutIssued) -> Event:
    return event(fact, at=fact.since, area="shop/press", cause=make_id("lock"), author="playbooks", index=0)
