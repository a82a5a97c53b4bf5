"""Everything about one incident, or one run, in the order of time, from the log alone: what was measured, which rule
fired, what was decided, sent, done and acknowledged, by whom, when, and when the bus and the log had it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from analytics import live, runs
from analytics.rows import Alarm, Happened, Incident, Sample
from analytics.run_rows import Run
from analytics.timeline import of_run, timeline
from eventlog import tables as t
from events.types import Instant

BEFORE, AFTER = timedelta(seconds=30), timedelta(seconds=30)
"""So much around the alarm belongs to it."""
LONGEST = timedelta(hours=1)
"""Of a long alarm the readings of the first hour are looked at."""


class Measured(Struct, frozen=True, kw_only=True):
    """Readings of one point around an alarm.

    Attributes:
        before: the last reading before the condition began; at: the first one that met it.
        lowest, highest: among the good readings between `since` and `until`; count: how many readings there are.
    """

    point: str
    unit: str
    since: Instant
    until: Instant
    count: int
    before: Sample | None = None
    at: Sample | None = None
    lowest: Sample | None = None
    highest: Sample | None = None


class Fired(Struct, frozen=True, kw_only=True):
    """The definition of a rule as it was when it fired; None if the log does not have that version."""

    rule: str
    version: str
    definition: dict[str, Any] | None


class Trace(Struct, frozen=True, kw_only=True):
    incident: Incident
    alarms: tuple[Alarm, ...]
    rules: tuple[Fired, ...]
    readings: tuple[Measured, ...]
    happened: tuple[Happened, ...]


class RunTrace(Struct, frozen=True, kw_only=True):
    """Attributes: run: with each attempt at its steps, and what belongs to them; happened: what set it off, too."""

    run: Run
    happened: tuple[Happened, ...]


def trace_run(db: Connection, run: Run) -> RunTrace:
    """Everything that belongs to the run: its steps, commands, questions, errands, the requests of people."""
    return RunTrace(run=runs.whole(db, run), happened=of_run(db, run.run))


def trace(db: Connection, incident: Incident) -> Trace:
    """Everything that belongs to the incident: its own facts, those of its alarms, runs and commands, the requests of
    people, and what these were answered."""
    alarms = live.alarms_of(db, incident.incident)
    by_point = {a.point: a for a in reversed(alarms) if a.kind != "no_data"}  # the first alarm of each point
    return Trace(
        incident=incident, alarms=tuple(alarms), rules=_rules(db, alarms),
        readings=tuple(_measured(db, a) for a in reversed(by_point.values())), happened=timeline(db, incident),
    )  # fmt: skip


def _measured(db: Connection, alarm: Alarm) -> Measured:
    ended = min(alarm.cleared_at or alarm.raised_at + LONGEST, alarm.raised_at + LONGEST)
    since, until = alarm.began - BEFORE, max(ended, alarm.raised_at) + AFTER
    samples = live.samples(db, alarm.point, since, until)
    good = [s for s in samples if s.quality == 0]
    return Measured(
        point=alarm.point, unit=alarm.unit, since=since, until=until, count=len(samples),
        before=_last(s for s in samples if s.time < alarm.began),
        at=next((s for s in samples if s.time >= alarm.began), None),
        lowest=min(good, key=lambda s: s.value, default=None), highest=max(good, key=lambda s: s.value, default=None),
    )  # fmt: skip


def _last(samples: Iterable[Sample]) -> Sample | None:
    last = None
    for last in samples:  # noqa: B007 - the last one is wanted
        pass
    return last


def _rules(db: Connection, alarms: Sequence[Alarm]) -> tuple[Fired, ...]:
    """The rules of the alarms, from the configurations that the log keeps."""
    wanted = dict.fromkeys((a.rule, a.rule_version) for a in alarms)
    known: dict[tuple[str, str], dict[str, Any]] = {}
    c = t.configurations.c
    bodies = select(c.body).where(c.stage == "detection", c.body.is_not(None)).order_by(c.at.desc())
    for (body,) in db.execute(bodies):
        for rule in _definitions(body):
            known.setdefault((rule.get("rule", ""), rule.get("version", "")), rule)
        if wanted.keys() <= known.keys():
            break
    return tuple(Fired(rule=r, version=v, definition=known.get((r, v))) for r, v in wanted)


def _definitions(body: bytes) -> list[dict[str, Any]]:
    """The rules in a configuration, as plain data: their types are detection's, and may have been others then."""
    try:
        plain = msgspec.msgpack.decode(zlib.decompress(body))
    except (zlib.error, msgspec.DecodeError):
        return []  # of a version that packed otherwise: the trace says that the definition is not known
    rules = plain.get("rules", []) if isinstance(plain, dict) else []
    return [r for r in rules if isinstance(r, dict)]
