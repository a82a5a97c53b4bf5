"""Facts of a small plant, for the tests of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from eventlog.entry import Entry, entry_of
from events.alarms import AlarmAcknowledged, AlarmCleared, AlarmRaised
from events.devices import (
    CommandFailed,
    CommandRefused,
    CommandSucceeded,
    DeviceLost,
    DeviceReturned,
    GapClosed,
    GapOpened,
    RecordsLost,
)
from events.envelope import Configured, Event, Fact, InputFailed
from events.incidents import AlarmGrouped, IncidentAcknowledged, IncidentOpened, IncidentResolved
from events.notifications import NotificationIssued
from events.playbooks import CommandIssued, RunFinished, RunStarted, StepFinished, StepStarted
from events.readings import Frame
from events.types import Priority, make_id, to_micros

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
PRESS, COOLING = "plant/press", "plant/cooling"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(fact: Fact, seconds: float = 0.0, *, area: str = PRESS, index: int = 0, cause: UUID | None = None) -> Event:
    cause = cause or make_id("cause", repr(fact), seconds)
    return Event(make_id(cause, "test", index), at(seconds), area, cause, "test", fact)


def alarm_of(name: str) -> UUID:
    return make_id("alarm", name)


def raised(name: str, *, priority: Priority = "high") -> AlarmRaised:
    return AlarmRaised(
        alarm=alarm_of(name), rule=name, rule_version="v1", kind="limit", point="press.pressure",
        priority=priority, message=f"{name} is high", value=201.5, limit=180.0, unit="bar", began=START,
    )  # fmt: skip


def story(name: str = "press_pressure.H", *, area: str = PRESS, seconds: float = 0.0) -> list[Event]:
    """An alarm, its incident and the playbook that answers it, with every kind of fact that a projection takes."""
    alarm, incident, run = alarm_of(name), make_id("incident", alarm_of(name)), make_id("run", name)
    second, command = alarm_of(name + "H"), make_id("command", run, "open", 1)
    failed = make_id("command", run, "siren", 1)
    issued = CommandIssued(
        command=command, run=run, incident=incident, step="open", attempt=1, edge="edge-1", device="press",
        point="press.relief_valve", value=1.0, tolerance=0.0, not_after=at(seconds + 5), author="playbook relief@1",
    )  # fmt: skip
    facts: list[Fact] = [
        raised(name),
        IncidentOpened(
            incident=incident, number=1, title="Pressure", priority="high", alarm=alarm, rule=name,
            point="press.pressure",
        ),
        RunStarted(run=run, playbook="relief", version="1", incident=incident, title="Relieve the press"),
        StepStarted(run=run, step="open", attempt=1, due=at(seconds + 3)),
        issued,
        raised(name + "H"),
        AlarmGrouped(incident=incident, alarm=second, rule=name + "H", reason="the same area"),
        CommandSucceeded(
            command=command, device="press", point="press.relief_valve", value=1.0, read_back=1.0,
            written_at=at(seconds + 1), confirmed_at=at(seconds + 1.1),
        ),
        StepFinished(run=run, step="open", attempt=1, outcome="done"),
        CommandFailed(command=failed, device="light", point="light.siren", reason="no answer"),
        NotificationIssued(
            notification=make_id("n", run), run=run, incident=incident, step="tell", to="shift_lead", text="open",
            priority="high",
        ),
        RunFinished(run=run, outcome="completed"),
        AlarmAcknowledged(alarm=alarm, by="Ada", comment="on my way"),
        AlarmAcknowledged(alarm=second, by="Ada"),
        IncidentAcknowledged(incident=incident, by="Ada"),
        AlarmCleared(alarm=alarm, value=120.0),
        AlarmCleared(alarm=second, value=120.0),
        IncidentResolved(incident=incident),
        DeviceLost(device="press", reason="timeout"),
        DeviceReturned(device="press", silent_s=4.0),
        GapOpened(source="edge-1:j", first=7, last=9),
        GapClosed(source="edge-1:j", first=7, last=9),
        RecordsLost(source="edge-1:j", first=20, last=30, reason="disk limit"),
        CommandRefused(command=command, device="press", point="press.relief_valve", reason="late"),
        Configured(stage="incidents", version=name, body=b"\x00\x01"),
        InputFailed(stage="detection", error="FrameError: times", input=b"\xff\x00"),
    ]  # fmt: skip
    return [event(f, seconds + i, area=area, index=i) for i, f in enumerate(facts)]


def entries(events: list[Event]) -> list[Entry]:
    return [entry_of(e) for e in events]


def frame(
    values: list[list[float]], *, source: str = "edge-1:j", sequence: int = 1, seconds: float = 0.0,
    points: tuple[str, ...] = ("press.pressure", "press.running"), device: str = "press",
    qualities: list[list[int]] | None = None,
) -> Frame:  # fmt: skip
    rows = np.array(values, float)
    times = to_micros(at(seconds)) + np.arange(len(rows), dtype=np.int64) * 100_000
    given = np.zeros(rows.shape, np.uint8) if qualities is None else np.array(qualities, np.uint8)
    return Frame(
        area=PRESS, device=device, source=source, sequence=sequence, points=points, times=times, values=rows,
        qualities=given,
    )  # fmt: skip
