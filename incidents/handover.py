"""A position changes hands: what the next shift must know is said, so that the log can prove that it was told. Pure.

By the calendar at each change of shift, for every area that the position watches and that is decided here, or when a
person hands over. The first time that a position is known counts as a change: who has it is in the log from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.incidents import ShiftHandedOver
from events.notifications import NotificationIssued
from events.requests import HandOver
from events.types import EPOCH, Priority, make_id
from incidents import roster
from incidents.case import Handed
from incidents.definition import Position, any_of
from incidents.errors import RefusedError

if TYPE_CHECKING:
    from incidents.thinking import Area, Thinking

TOLD_WITHIN = timedelta(hours=1)
"""A note of a change of shift that is older is no news."""
LISTED = 1000
"""So many incidents and alarms of a kind are named; the log has the rest."""

NAMED = 5
"""So many of a kind are named in what a person reads on a telephone."""


def changes(area: Area, handed: Mapping[str, Handed]) -> dict[str, datetime]:
    """When each position that watches the area next changes hands by the calendar."""
    found: dict[str, datetime] = {}
    for position in _watching(area):
        before = handed.get(position.position)
        when = EPOCH if before is None else roster.next_change(position, before.at)
        if when is not None:
            found[position.position] = when
    return found


def due(t: Thinking) -> None:
    """Positions that have changed hands by now: once each, however many changes nobody was there to see."""
    for name, when in sorted(t.area.incidents.changes.items()):
        position = t.definition.positions.get(name)
        if when > t.now or position is None:
            continue
        duty = roster.shift_at(position, t.now)
        persons = roster.on_call(position, t.definition.positions, t.now)
        shift = duty.shift if duty is not None else "nobody"
        _say(t, position, shift=shift, by="", to=", ".join(persons), note="", persons=persons)


def by_hand(t: Thinking, body: HandOver, by: str) -> None:
    """A person hands the position, in this area, to another one, until its next change of shift.

    Raises:
        RefusedError: there is no such position here, or nobody to take it.
    """
    position = t.definition.positions.get(body.position)
    if position is None or not any_of(position.areas, t.name):
        here = ", ".join(p.position for p in _positions(t.area)) or "none"
        raise RefusedError(f"the area has no position '{body.position}'; it has {here}")
    if not body.to.strip():
        raise RefusedError("to hand over needs somebody who takes it")
    _say(t, position, shift="", by=by, to=body.to, note=body.note, persons=(body.to,))


def _say(
    t: Thinking, position: Position, *, shift: str, by: str, to: str, note: str, persons: tuple[str, ...]
) -> None:
    area = t.area
    hidden = {"shelved": list[str](), "suppressed": list[str](), "out of service": list[str]()}
    for name in area.alarms.overridden:
        alarm = area.alarms.get(name)
        if alarm is not None and alarm.hidden:
            hidden[alarm.hidden].append(name)
    shelved, suppressed, out = (tuple(sorted(names)[:LISTED]) for names in hidden.values())
    first = position.position not in area.incidents.handed
    open_ = area.incidents.not_closed()[-LISTED:]
    t.say(ShiftHandedOver(
        position=position.position, shift=shift, by=by, to=to, note=note, open=open_,
        standing=area.alarms.standing, unacknowledged=area.alarms.unacknowledged,
        shelved=shelved, suppressed=suppressed, out_of_service=out,
    ))  # fmt: skip
    numbers = [f"#{incident.number}" for id_ in open_ if (incident := area.incidents.get(id_)) is not None]
    told = [(f"incident{'s' if len(numbers) > 1 else ''} not closed", numbers)]
    told += [(what, sorted(names)) for what, names in hidden.items()]
    if not persons or (first and not by) or not any(names for _, names in told):
        return
    text = f"{t.name}: you have {position.position} now. " + ", ".join(_named(w, names) for w, names in told if names)
    priority: Priority = "low"
    t.say(NotificationIssued(
        notification=make_id("notification", "handover", t.name, position.position, t.at.isoformat()),
        to=position.position, text=f"{text}. {note}" if note else text, priority=priority, kind="handover",
        persons=persons, not_after=t.at + TOLD_WITHIN,
    ))  # fmt: skip


def _named(what: str, names: list[str]) -> str:
    """How many, and which: "2 shelved (cooling_flow, press_vibration)"."""
    more = ", …" if len(names) > NAMED else ""
    return f"{len(names)} {what} ({', '.join(names[:NAMED])}{more})"


def _positions(area: Area) -> list[Position]:
    return [p for p in area.definition.positions.values() if any_of(p.areas, area.name)]


def _watching(area: Area) -> list[Position]:
    """Positions of the area that have a calendar."""
    return [p for p in _positions(area) if p.shifts or p.on_holidays or p.replacements]
