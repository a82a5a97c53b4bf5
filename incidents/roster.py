"""Who is on call: positions, shifts, holidays, replacements, in the time zone of the plant. Pure.

Times of the calendar are local. They become instants once, where a shift begins and where it ends, so that between two
shifts that meet there is neither a gap nor an overlap when the clocks change: that night is an hour longer or shorter.
A shift belongs to the day on which it begins: the night of the 24th is no holiday's night, though the 25th is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from incidents.definition import Position, Replacement, Shift

HORIZON = timedelta(days=400)
"""So far ahead a change is looked for."""
_DAY = timedelta(days=1)


class Duty(NamedTuple):
    """A shift on one day. Attributes: persons: who has it; begins, ends: instants, [begins, ends)."""

    shift: str
    persons: tuple[str, ...]
    begins: datetime
    ends: datetime


def on_call(position: Position, positions: Mapping[str, Position], at: datetime) -> tuple[str, ...]:
    """Persons that hold the position then; where there are none, those of its deputy, and of the deputy's deputy."""
    seen: set[str] = set()
    asked: Position | None = position
    while asked is not None and asked.position not in seen:
        if persons := held_by(asked, at):
            return persons
        seen.add(asked.position)
        asked = positions.get(asked.deputy)
    return ()


def reached(to: str, positions: Mapping[str, Position], at: datetime) -> tuple[str, ...]:
    """Persons that `to`, a position or a person, means then."""
    position = positions.get(to)
    return (to,) if position is None else on_call(position, positions, at)


def held_by(position: Position, at: datetime) -> tuple[str, ...]:
    """Persons that hold the position itself then: a replacement, or else who has the shift. Of replacements that
    overlap the last one in the file counts."""
    for replacement in reversed(position.replacements):
        begins, ends = _span(replacement, position)
        if begins <= at < ends:
            return (replacement.person,)
    return tuple(dict.fromkeys(p for duty in duties(position, at) for p in duty.persons))


def shift_at(position: Position, at: datetime) -> Duty | None:
    """The shift that runs then; of several the one that began last."""
    return max(duties(position, at), key=lambda d: d.begins, default=None)


def duties(position: Position, at: datetime) -> list[Duty]:
    """All shifts that run then, as the calendar has them (without replacements)."""
    today = at.astimezone(ZoneInfo(position.time_zone)).date()
    days = (today - _DAY, today)
    return [d for day in days for d in _beginning_on(position, day) if d.begins <= at < d.ends]


def next_change(position: Position, at: datetime) -> datetime | None:
    """When the position next changes hands after `at`: another shift, other persons, or nobody. None: not within the
    horizon, as with one person around the clock."""
    before = _state(position, at)
    for moment in _boundaries(position, at):
        if _state(position, moment) != before:
            return moment
    return None


def _state(position: Position, at: datetime) -> tuple[str, tuple[str, ...]]:
    shift = shift_at(position, at)
    return ("" if shift is None else shift.shift), held_by(position, at)


def _boundaries(position: Position, at: datetime) -> Iterator[datetime]:
    """Every instant after `at` at which something begins or ends, ascending within the horizon."""
    spans = (_span(r, position) for r in position.replacements)
    known = sorted({moment for span in spans for moment in span if at < moment <= at + HORIZON})
    if not position.shifts and not position.on_holidays:
        yield from known
        return
    first = at.astimezone(ZoneInfo(position.time_zone)).date() - _DAY
    found: set[datetime] = set(known)
    for n in range(HORIZON.days):
        day = first + n * _DAY
        found.update(m for duty in _beginning_on(position, day) for m in (duty.begins, duty.ends) if m > at)
        # shifts of later days begin after this day's midnight: what is before it is complete
        sure = _instant(day + _DAY, time(), position)
        ready = sorted(m for m in found if m < sure)
        yield from ready
        found.difference_update(ready)
    yield from sorted(found)


def _beginning_on(position: Position, day: date) -> list[Duty]:
    holiday = day.isoformat() in position.holidays
    shifts = position.on_holidays if holiday and position.on_holidays else position.shifts
    return [_duty(shift, day, position) for shift in shifts if day.weekday() in shift.days]


def _duty(shift: Shift, day: date, position: Position) -> Duty:
    begins, ends = time.fromisoformat(shift.begins), time.fromisoformat(shift.ends)
    last = day if ends > begins else day + _DAY
    week = (day - date.fromisoformat(shift.since)).days // 7
    persons = (shift.persons[week % len(shift.persons)],) if shift.persons else ()
    return Duty(shift.shift, persons, _instant(day, begins, position), _instant(last, ends, position))


def _span(replacement: Replacement, position: Position) -> tuple[datetime, datetime]:
    begins, ends = (datetime.fromisoformat(text) for text in (replacement.begins, replacement.ends))
    return _instant(begins.date(), begins.time(), position), _instant(ends.date(), ends.time(), position)


def _instant(day: date, clock: time, position: Position) -> datetime:
    """That local time as an instant. Of an hour that comes twice the first is meant; 02:30, left out, is 03:30."""
    return datetime.combine(day, clock, ZoneInfo(position.time_zone)).astimezone(UTC)
