"""An edge that is the home of the press decides cut off, and a kill at any moment changes nothing in that."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

import examples
from devices.plant import Plant, Point, load_plant
from edge.executor import Executor
from edge.home import Home
from edge.journal import Journal
from edge.memory import Memory
from edge.mind import Mind, definitions_of
from events import codec
from events.alarms import AlarmAcknowledged, AlarmRaised, ConditionRaised
from events.devices import CommandOutcome, CommandRefused, CommandSucceeded
from events.envelope import Configured, Event, InputFailed, Reported, event
from events.incidents import IncidentCommented, IncidentOpened
from events.playbooks import CommandIssued, RunFinished
from events.readings import Frame
from events.requests import (
    AcknowledgeIncident,
    AllowActing,
    Request,
    RequestBody,
    ReturnToService,
    StopActing,
    TakeOutOfService,
)
from events.types import make_id, to_micros
from tests.unit.playbooks.shop import PLAIN

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PRESS = "{area: shop/press, title: Hydraulic press 1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example plant, the press decided by edge-1, with playbooks of a few steps."""
    copy = tmp_path / "plant"
    shutil.copytree(Path(examples.__file__).parent / "press-shop", copy)
    shutil.rmtree(copy / "playbooks")
    shutil.copytree(PLAIN, copy / "playbooks")
    text = (copy / "plant.yaml").read_text()
    assert PRESS in text
    (copy / "plant.yaml").write_text(text.replace(PRESS, f"{PRESS}, home: edge, edge: edge-1"))
    return copy


class Killed(BaseException):
    """The process dies here."""


class Actuators:
    """All devices in memory. `die_at` kills the process before or after the write of that number."""

    reason = ""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.writes: list[tuple[str, float]] = []
        self.die_at: tuple[int, str] | None = None

    async def scan(self):
        raise AssertionError("nobody polls here")

    async def write(self, point: Point, value: float) -> None:
        number = len(self.writes)
        if self.die_at == (number, "before"):
            self.die_at = None
            raise Killed
        self.writes.append((point.point, value))
        self.values[point.point] = value
        if self.die_at == (number, "after"):
            self.die_at = None
            raise Killed

    async def read(self, point: Point) -> float:
        return self.values.get(point.point, 0.0)

    async def look_again(self) -> None: ...

    async def close(self) -> None: ...


class Box:
    """An edge with a clock of its own; `reopen` is what a kill and a start do."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.path, self.now = folder, path, BEGIN
        plant, errors = load_plant(folder)
        assert errors == []
        self.plant: Plant = plant
        self.actuators = Actuators()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self.journal = Journal(self.path, "edge-1", clock=lambda: to_micros(self.now))
        devices = {d.device: d for d in self.plant.devices.values() if d.modbus}
        sessions = dict.fromkeys(devices, self.actuators)
        self.executor = Executor(devices, sessions, Memory(self.journal), clock=lambda: self.now)
        self.home = Home(frozenset({"shop/press"}), Mind(), self.journal, self.executor)
        definitions, troubles = definitions_of(self.folder, self.plant, "edge-1")
        await self.home.recover(definitions, [stage for stage, bad in troubles.items() if bad], self.now)
        self._tasks = [asyncio.create_task(self.executor.run()), asyncio.create_task(self.home.work())]

    async def kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, Killed, BaseExceptionGroup):
                await task
        self.journal.close()

    async def settle(self) -> bool:
        """Until nothing moves; False when the process died meanwhile."""
        quiet, before = 0, None
        while quiet < 4:
            await asyncio.sleep(0.001)
            if any(task.done() for task in self._tasks):
                return False
            if self.executor.memory.unanswered():  # a read-back takes real time
                continue
            state = (self.journal.last, self.home.waiting, len(self.actuators.writes))
            last = await asyncio.wrap_future(self.journal.write(lambda t: t.counters.last))
            quiet, before = (quiet + 1 if state == before and last == state[0] else 0), state
        return True

    async def scan(self, pressure: float, *, decided: bool = True) -> None:
        self.now += timedelta(milliseconds=100)
        device = self.plant.devices["press"]
        values = np.array([[pressure, 40.0, 2.0, float(self.now.microsecond % 977), 180.0, 0.0, 1.0]])
        at = np.array([to_micros(self.now)])

        def operation(t) -> Frame:
            frame = Frame(
                area=device.area, device="press", source=t.source, sequence=t.next, points=device.names, times=at,
                values=values, qualities=np.zeros((1, 7), np.uint8),
            )
            t.append("frame", lambda source, n: codec.encode(frame.pack()))
            return frame

        frame = await asyncio.wrap_future(self.journal.write(operation))
        if decided:
            self.home.saw(frame)

    async def tick(self) -> None:
        await self.home.tick(self.now.replace(microsecond=0))

    def ask(self, body: RequestBody, role: str = "operator") -> None:
        request = Request(
            id=make_id("request", body, role, self.now), area="shop/press", at=self.now, by="Kim", role=role,
            expires=self.now + timedelta(seconds=30), body=body,
        )
        self.home.ask(request, lambda: None)

    async def acknowledge(self) -> None:
        incident = next(e.fact.incident for e in reversed(self.events()) if isinstance(e.fact, IncidentOpened))
        self.ask(AcknowledgeIncident(incident=incident))

    def events(self) -> list[Event]:
        records = [codec.decode_record(entry.body) for entry in self.journal.unconfirmed(0, 100_000)]
        return [e for r in records if isinstance(r, Reported) for e in r.events]

    def facts(self, kind: type) -> list:
        return [e.fact for e in self.events() if isinstance(e.fact, kind)]


@pytest.fixture
async def box(folder: Path, tmp_path: Path):
    made = Box(folder, tmp_path / "journal.sqlite3")
    await made.open()
    yield made
    await made.kill()


async def story(box: Box, after: Callable[[int], object]) -> None:
    """Pressure rises, the playbook acts, somebody acknowledges, it falls, the reset playbook acts."""
    steps: list[Callable[[], object]] = []
    for n in range(60):
        pressure = 260.0 if 12 <= n < 25 else 150.0
        steps.append(lambda p=pressure: box.scan(p))
        if n % 10 == 9:
            steps.append(box.tick)
        if n == 20:
            steps.append(box.acknowledge)
    for number, step in enumerate(steps):
        await step()
        if not await box.settle():
            await box.kill()
            await box.open()
            await box.settle()
        await after(number)


async def nothing(number: int) -> None: ...


async def test_overpressure_opens_the_valve_without_any_plant_and_everything_is_told(box: Box) -> None:
    await story(box, nothing)
    assert box.actuators.writes[:3] == [("relief_valve", 1.0), ("red", 1.0), ("siren", 1.0)]
    assert [f.rule for f in box.facts(ConditionRaised)] == ["press_pressure.HH", "press_pressure.H"]
    assert [f.name for f in box.facts(AlarmRaised)] == ["press_pressure"], "one alarm, not two"
    assert len(box.facts(IncidentOpened)) == 1
    assert {f.by for f in box.facts(AlarmAcknowledged)} == {"Kim"}
    assert {f.outcome for f in box.facts(RunFinished)} == {"completed"}
    assert box.actuators.values == {"relief_valve": 0.0, "red": 0.0, "siren": 0.0}
    assert len(box.facts(CommandSucceeded)) == len(box.facts(CommandIssued)) == len(box.actuators.writes)




async def test_a_kill_between_any_two_inputs_changes_nothing(folder: Path, tmp_path: Path) -> None:
    expected = None
    for every in (10_000, 1):
        box = Box(folder, tmp_path / f"{every}.sqlite3")
        await box.open()
        source = box.journal.source

        async def kill(number: int, box: Box = box, every: int = every) -> None:
            if number % every == every - 1:
                await box.kill()
                await box.open()
                await box.settle()

        await story(box, kill)
        # ids of what a frame caused hold the journal's own id, so the shape is compared, and the ids within one box
        said = [(type(e.fact).__name__, e.at) for e in box.events() if not isinstance(e.fact, Configured)]
        ids = [e.id for e in box.events() if not isinstance(e.fact, Configured)]
        assert len(ids) == len(set(ids))
        assert box.journal.source == source
        assert expected in (None, sorted(said))
        expected = sorted(said)
        assert len(box.actuators.writes) == 6
        await box.kill()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_any_write_never_writes_a_command_twice_and_the_run_goes_on(folder, tmp_path, when) -> None:
    for number in range(3):
        box = Box(folder, tmp_path / f"{when}{number}.sqlite3")
        box.actuators.die_at = (number, when)
        await box.open()
        await story(box, nothing)
        outcomes: dict[UUID, set[Event]] = {}
        for e in box.events():
            if isinstance(e.fact, CommandOutcome):
                outcomes.setdefault(e.fact.command, set()).add(e)
        assert all(len(answers) == 1 for answers in outcomes.values())
        assert outcomes.keys() == {f.command for f in box.facts(CommandIssued)}
        # killed before the write: the command failed as interrupted, and the playbook's retry is a new command
        assert [w for w in box.actuators.writes if w[1] == 1.0] == [("relief_valve", 1), ("red", 1), ("siren", 1)]
        assert {f.outcome for f in box.facts(RunFinished)} == {"completed"}
        await box.kill()


async def test_a_scan_that_was_journalled_but_not_decided_is_decided_at_the_next_start(box: Box) -> None:
    for _ in range(5):
        await box.scan(150.0)
    await box.settle()
    await box.scan(260.0, decided=False)
    await box.kill()
    await box.open()
    await box.settle()
    (raised,) = box.facts(ConditionRaised)
    assert raised.began == box.now
    assert ("relief_valve", 1.0) in box.actuators.writes


async def test_a_device_out_of_service_is_locked_out_at_home_also_after_a_kill(box: Box) -> None:
    box.ask(TakeOutOfService(device="press", reason="new seals", duration_s=3600), "engineer")
    await box.settle()
    assert box.executor.memory.locked_out == {"press": "by Kim: new seals"}
    await box.kill()
    await box.open()
    assert box.executor.memory.locked_out == {"press": "by Kim: new seals"}
    await box.scan(260.0)
    await box.settle()
    assert box.actuators.writes == [], "out of service: recorded, and nothing is set off"
    box.ask(ReturnToService(device="press"), "engineer")
    await box.settle()
    assert box.executor.memory.locked_out == {}
    assert ("relief_valve", 1.0) in box.actuators.writes, "it still stands: now it is announced, and acted on"


async def test_the_journal_may_forget_only_what_the_state_covers(box: Box) -> None:
    await box.scan(150.0)
    assert box.home.position <= box.journal.last
    await box.settle()
    before = box.home.position
    await box.scan(260.0)
    await box.settle()
    assert box.home.position > before


async def test_a_rule_file_that_cannot_be_used_leaves_what_was_in_force(box: Box) -> None:
    await box.settle()
    await box.kill()
    (box.folder / "rules" / "press.yaml").write_text("area: shop/press\nrules: [oops")
    await box.open()
    await box.scan(260.0)
    await box.settle()
    assert [f.rule for f in box.facts(AlarmRaised)] == ["press_pressure.HH"]


async def test_an_input_that_cannot_be_decided_is_said_and_the_next_one_is_decided(box: Box, monkeypatch) -> None:
    await box.scan(150.0)
    await box.settle()
    decide = box.home.mind.decide

    def once(given):
        monkeypatch.setattr(box.home.mind, "decide", decide)
        raise ArithmeticError("a bug")

    monkeypatch.setattr(box.home.mind, "decide", once)
    await box.scan(150.0)
    await box.settle()
    await box.scan(260.0)
    await box.settle()
    (failed,) = box.facts(InputFailed)
    assert failed.error == "ArithmeticError: a bug"
    assert len(box.facts(AlarmRaised)) == 1


async def test_events_of_any_size_are_told_in_records_that_fit(box: Box, monkeypatch) -> None:
    sizes = [400_000, 300_000, 10, 2_000_000, 10]
    facts = [InputFailed(stage="test", error=str(n), input=bytes(size)) for n, size in enumerate(sizes)]
    said = [
        event(fact, at=box.now, area="shop/press", cause=make_id("x"), author="test", index=n)
        for n, fact in enumerate(facts)
    ]
    monkeypatch.setattr(box.home.mind, "decide", lambda given: said)
    box.ask(ReturnToService(device="press"))
    while len(box.facts(InputFailed)) < 5:
        await asyncio.sleep(0.001)
    monkeypatch.undo()
    told = box.facts(InputFailed)
    assert [f for f in told if f.stage == "test"] == [facts[0], facts[1], facts[2], facts[4]], "in order"
    assert told[3].error.startswith("InputFailed of 2000")
    assert max(len(entry.body) for entry in box.journal.unconfirmed(0, 100)) < 1_000_000
    await box.scan(260.0)
    assert await box.settle(), "it goes on"
    assert len(box.facts(AlarmRaised)) == 1


async def test_hands_off_ends_what_goes_and_locks_every_device_of_the_area_also_after_a_kill(box: Box) -> None:
    here = {name for name, device in box.plant.devices.items() if device.area == "shop/press"}
    assert len(here) > 2
    box.ask(StopActing(reason="people are in the machine"))
    await box.settle()
    assert set(box.executor.memory.locked_out) == here
    assert set(box.executor.memory.locked_out.values()) == {"hands off by Kim: people are in the machine"}
    await box.kill()
    await box.open()
    assert set(box.executor.memory.locked_out) == here
    await box.scan(260.0)
    await box.settle()
    assert box.facts(AlarmRaised) and not box.actuators.writes
    box.ask(AllowActing(reason="all are out"), "operator")
    await box.settle()
    assert set(box.executor.memory.locked_out) == here, "an operator may stop, not let go"
    box.ask(AllowActing(reason="all are out"), "supervisor")
    await box.settle()
    assert box.executor.memory.locked_out == {}
    assert box.actuators.writes == [], "what was missed is not made up for"
    await story(box, nothing)
    assert ("relief_valve", 1.0) in box.actuators.writes, "the next one is acted on"


CUT_OFF = """\
id: cut_off
title: All that a playbook at an edge can do
area: shop/press
trigger: {incident: opened, rule: press_pressure.*}
steps:
  - {step: note, incident: {comment: "the pressure was {alarm.value} bar"}}
  - {step: falls, wait_for: press.pressure < 180, timeout: 30s}
  - {step: look, read: {seen: press.pressure}}
  - {step: lower, write: {press.pressure_setpoint: "vars.seen - 20"}, precondition: press.temperature > 20}
  - {step: after, write: {press_light.amber: on}, precondition: press.temperature > 90, on_error: continue}
"""


async def test_a_playbook_at_home_comments_waits_reads_and_writes_without_any_plant(box: Box) -> None:
    await box.kill()
    (box.folder / "playbooks" / "cut-off.yaml").write_text(CUT_OFF)
    await box.open()
    box.actuators.values |= {"temperature": 43.0, "pressure": 160.0}
    await story(box, nothing)
    (comment,) = box.facts(IncidentCommented)
    assert comment.text == "the pressure was 260 bar"
    assert ("pressure_setpoint", 140.0) in box.actuators.writes
    (refused,) = box.facts(CommandRefused)
    assert refused.reason == "precondition: press.temperature > 90 is not true (press.temperature is 43)"
    assert "amber" not in dict(box.actuators.writes)
    ids = [e.id for e in box.events()]
    assert len(ids) == len(set(ids)), "what is passed on from brain to brain is told once"
