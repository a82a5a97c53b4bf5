"""Floods of one area (EEMUA 191): more alarms than a person can read. Nothing is lost; consequences are listed apart.

While a flood lasts, a new alarm that by design follows from one that is active is held back behind it, unless its
priority is high enough, it is a safety alarm or the first of its group. It is shown when the flood ends or its cause is
gone. An alarm that was shown already stays shown.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.alarms import (
    AlarmBecameLive,
    AlarmHeldBack,
    AlarmRaised,
    AlarmReleased,
    AlarmReturnedToService,
    AlarmUnshelved,
    AlarmUnsuppressed,
    FloodBegan,
    FloodEnded,
)
from events.envelope import Fact
from events.types import EPOCH, PRIORITIES, Instant
from incidents.alarm import Alarm
from incidents.definition import Flood

if TYPE_CHECKING:
    from incidents.thinking import Area, Thinking

AREA = "area"
BUCKETS = 60
"""The window is counted in so many parts for the peak; begin and end are exact."""
AT_ONCE = 4000
"""So many are released by one input, for its facts to fit one record; the rest by the next ticks."""


class SavedFloods(Struct, frozen=True, array_like=True):
    """Attributes:
    raises: the newest alarms, as many as decide whether a flood begins or ends.
    since: when the flood began; None: there is none.
    first_out: the alarm it began with. alarms, held_back, peak: so far.
    buckets: (number of the part of the window, alarms in it), oldest first.
    """

    raises: tuple[tuple[Instant, UUID], ...] = ()
    since: Instant | None = None
    first_out: UUID | None = None
    alarms: int = 0
    held_back: int = 0
    peak: int = 0
    buckets: tuple[tuple[int, int], ...] = ()


class Floods:
    """Attributes: state: see there; due: when the flood is over unless more alarms come."""

    def __init__(self) -> None:
        self.state = SavedFloods()
        self.due: datetime | None = None
        self._is_draft = False

    @property
    def flooded(self) -> bool:
        return self.state.since is not None

    def draft(self) -> Floods:
        draft = Floods()
        draft.state, draft._is_draft = self.state, True
        return draft

    def adopt(self, draft: Floods, area: Area) -> None:
        self.state = draft.state
        self.rebuild(area)

    def evolve(self, fact: Fact, at: datetime, area: Area) -> None:
        match fact:
            case AlarmRaised(alarm=id_, hidden="", late=False):
                self.count(id_, at, area.policy.flood)
            case AlarmBecameLive(alarm=id_):
                alarm = area.alarms.of(id_)
                if alarm is not None and not alarm.hidden:
                    self.count(id_, at, area.policy.flood)
            case AlarmUnshelved(name=name) | AlarmUnsuppressed(name=name) | AlarmReturnedToService(name=name):
                alarm = area.alarms.get(name)
                if alarm is not None and alarm.alarm is not None and alarm.active and not (alarm.hidden or alarm.late):
                    self.count(alarm.alarm, at, area.policy.flood)  # announced afresh: one more to be read
            case FloodBegan(scope="area", alarms=alarms, first_out=first_out):
                self.state = replace(self.state, since=at, first_out=first_out, alarms=alarms, held_back=0, peak=alarms)
            case AlarmHeldBack():
                self.state = replace(self.state, held_back=self.state.held_back + 1)
            case FloodEnded(scope="area"):
                self.state = replace(self.state, since=None, first_out=None, alarms=0, held_back=0, peak=0)
            case _ if self.state.since is not None or self.due is None:
                return
            case _:
                pass  # a flood is over, and those held back go one by one
        if not self._is_draft:
            self.rebuild(area)

    def rebuild(self, area: Area) -> None:
        state, flood = self.state, area.policy.flood
        if state.since is None:
            self.due = EPOCH if area.alarms.held else None  # those that did not fit the record of the flood's end
        elif len(state.raises) < (below := max(1, flood.below)):
            self.due = state.since
        else:
            self.due = state.raises[-below][0] + timedelta(seconds=flood.window_s)

    def save(self) -> SavedFloods:
        return self.state

    @classmethod
    def load(cls, saved: SavedFloods) -> Floods:
        floods = cls()
        floods.state = saved
        return floods

    def within(self, at: datetime, window_s: float) -> tuple[tuple[datetime, UUID], ...]:
        """The newest alarms that are in the window."""
        return tuple(r for r in self.state.raises if r[0] > at - timedelta(seconds=window_s))

    def count(self, alarm: UUID, at: datetime, flood: Flood) -> None:
        """One more alarm was shown."""
        state, part = self.state, flood.window_s / BUCKETS
        now = int((at - EPOCH).total_seconds() / part)
        buckets = state.buckets
        if buckets and buckets[0][0] <= now - BUCKETS:
            buckets = tuple(b for b in buckets if b[0] > now - BUCKETS)
        if buckets and buckets[-1][0] >= now:
            buckets = (*buckets[:-1], (buckets[-1][0], buckets[-1][1] + 1))
        else:
            buckets = (*buckets, (now, 1))
        flooded = state.since is not None
        self.state = SavedFloods(
            (*state.raises, (at, alarm))[-max(flood.above + 1, flood.below) :], state.since, state.first_out,
            state.alarms + flooded, state.held_back,
            max(state.peak, sum(n for _, n in buckets)) if flooded else 0, buckets,
        )  # fmt: skip


# --- decisions -------------------------------------------------------------------------------------------------------


def shown(t: Thinking, name: str) -> None:
    """An alarm becomes visible: it may be the one too many, or be held back."""
    flood, floods = t.policy.flood, t.area.floods
    if not floods.flooded:
        within = floods.within(t.at, flood.window_s)
        if len(within) <= flood.above:
            return
        first = next((id_ for _, id_ in within if t.area.alarms.of(id_) is not None), within[0][1])
        t.say(FloodBegan(scope=AREA, alarms=len(within), first_out=first))
    held(t, name)


def held(t: Thinking, name: str) -> None:
    """Hold the alarm back, if it is one to be."""
    alarm = t.area.alarms.get(name)
    assert alarm is not None and alarm.alarm is not None, name
    if not _is_exempt(t, alarm) and (cause := _cause(t, name)):
        t.say(AlarmHeldBack(alarm=alarm.alarm, reason=f"flood, and it follows from {cause}", behind=cause))


def risen(t: Thinking, name: str) -> None:
    """An alarm that is held back has another priority."""
    alarm = t.area.alarms.get(name)
    if alarm is not None and alarm.alarm is not None and alarm.behind and _is_exempt(t, alarm):
        t.say(AlarmReleased(alarm=alarm.alarm, reason=f"it is {alarm.priority} now"))


def gone(t: Thinking, cause: str) -> None:
    """The alarm is no longer active, or no longer shown: nothing is held back behind it any more."""
    if not t.area.alarms.held.get(cause):
        return
    for name in [n for n in t.area.alarms if _behind(t, n) == cause][:AT_ONCE]:
        alarm = t.area.alarms.get(name)
        assert alarm is not None and alarm.alarm is not None, name
        if other := _cause(t, name):
            t.say(AlarmHeldBack(alarm=alarm.alarm, reason=f"flood, and it follows from {other}", behind=other))
        else:
            t.say(AlarmReleased(alarm=alarm.alarm, reason=f"{cause} is gone"))


def due(t: Thinking) -> None:
    floods, flood = t.area.floods, t.policy.flood
    if floods.flooded:
        state, since = floods.state, floods.state.since
        assert since is not None
        if len(floods.within(t.now, flood.window_s)) >= max(1, flood.below):
            return
        t.say(FloodEnded(scope=AREA, since=since, alarms=state.alarms, held_back=state.held_back, peak=state.peak))
    if t.area.alarms.held:
        for name in [n for n in t.area.alarms if _behind(t, n)][:AT_ONCE]:
            alarm = t.area.alarms.get(name)
            assert alarm is not None and alarm.alarm is not None, name
            t.say(AlarmReleased(alarm=alarm.alarm, reason="the flood is over"))


def _is_exempt(t: Thinking, alarm: Alarm) -> bool:
    """Whether it is shown in any flood."""
    return (
        alarm.first_out
        or PRIORITIES.index(alarm.priority) >= PRIORITIES.index(t.policy.flood.show_from)
        or alarm.alarm == t.area.floods.state.first_out
        or t.index.of(t.name, alarm.name).safety
    )


def _cause(t: Thinking, name: str) -> str:
    """The alarm that this one follows from and that stands where everybody sees it; "" when there is none."""
    for cause in t.index.causes(t.name, name):
        alarm = t.area.alarms.get(cause)
        if alarm is not None and alarm.active and not alarm.hidden and not alarm.late and alarm.behind != name:
            return cause
    return ""


def _behind(t: Thinking, name: str) -> str:
    alarm = t.area.alarms.get(name)
    return "" if alarm is None else alarm.behind
