"""Logic across areas: rules on the alarms of the whole plant, and floods of operator positions. Pure.

Only the area "*plant" has such a state. The relay tells it what the alarms of all areas do (`Reported`, one for each
decision of an area); it says `AlarmsHeard`, and by these alone it knows them. A rule across areas is a condition of
this area, and goes the way of all conditions: an alarm here, with all that belongs to one. Counted are alarms that are
active and shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bus.layer import Layer, layers, settle
from events.alarms import AlarmHeard, AlarmsHeard, ConditionCleared, ConditionRaised, FloodBegan, FloodEnded
from events.envelope import Fact, Reported
from events.topics import PLANT_WIDE
from events.types import EPOCH, Instant, make_id
from incidents import lifecycle
from incidents.definition import Across, any_of
from incidents.flood import Floods, SavedFloods
from incidents.hearing import Hearing

if TYPE_CHECKING:
    from incidents.thinking import Area, Thinking

KIND, POSITION = "across", "position "
_STEP = timedelta(microseconds=1)


class SavedPlantwide(Struct, frozen=True, array_like=True):
    sequences: dict[str, int]
    alarms: dict[str, AlarmHeard]
    reached: dict[str, tuple[Instant, bool]]
    positions: dict[str, SavedFloods]
    heard_at: Instant = EPOCH


class Plantwide:
    """Attributes:
    sequences: the last record taken, by source.
    alarms: by name, those that are active or under an override.
    reached: rule -> since when enough alarms are active, and whether they still are.
    positions: the floods of each position that watches an area.
    heard_at: time of the newest that was told.
    """

    def __init__(self) -> None:
        self.due: datetime | None = None
        self.sequences: MutableMapping[str, int] = {}
        self.alarms: MutableMapping[str, AlarmHeard] = {}
        self.names: MutableMapping[UUID, str] = {}
        self.reached: dict[str, tuple[datetime, bool]] = {}
        self.positions: dict[str, Floods] = {}
        self.heard_at = EPOCH
        self._layers: tuple[Layer[Any, Any], ...] = ()
        self._counts: dict[tuple[str, ...], int] = {}
        """Patterns -> how many active alarms have them, for those that were asked for."""

    def count(self, patterns: tuple[str, ...]) -> int:
        """How many alarms with these names are active and shown."""
        if patterns not in self._counts:
            self._counts[patterns] = sum(counts(a) and any_of(patterns, a.name) for a in self.alarms.values())
        return self._counts[patterns]

    def draft(self) -> Plantwide:
        draft = Plantwide()
        draft.due, draft.heard_at = self.due, self.heard_at
        draft._layers = layers(self.sequences, self.alarms, self.names)
        draft.sequences, draft.alarms, draft.names = draft._layers
        draft.reached, draft._counts = dict(self.reached), dict(self._counts)
        draft.positions = {name: floods.draft() for name, floods in self.positions.items()}
        return draft

    def adopt(self, draft: Plantwide, area: Area) -> None:
        if area.name != PLANT_WIDE:
            return
        settle(draft._layers)
        self.due, self.heard_at = draft.due, draft.heard_at
        self.reached, self._counts = dict(draft.reached), dict(draft._counts)
        for name, floods in draft.positions.items():
            self.positions.setdefault(name, Floods()).state = floods.state

    def evolve(self, fact: Fact, at: datetime, area: Area) -> None:
        if area.name != PLANT_WIDE:
            return
        match fact:
            case AlarmsHeard():
                self._hear(fact, at, area)
            case FloodBegan(scope=scope, alarms=alarms) if scope.startswith(POSITION):
                floods = self.positions.setdefault(scope.removeprefix(POSITION), Floods())
                floods.state = replace(
                    floods.state, since=at, first_out=fact.first_out, alarms=alarms, held_back=0, peak=alarms
                )
            case FloodEnded(scope=scope) if scope.startswith(POSITION):
                floods = self.positions.setdefault(scope.removeprefix(POSITION), Floods())
                floods.state = replace(floods.state, since=None, first_out=None, alarms=0, held_back=0, peak=0)
            case _:
                pass
        self._plan(area)

    def _hear(self, fact: AlarmsHeard, at: datetime, area: Area) -> None:
        self.heard_at = max(self.heard_at, at)
        self.sequences[fact.source] = fact.sequence
        for new in fact.alarms:
            self._put(new)
        for where, alarm, when in fact.raised:
            for position in area.definition.positions.values():
                if any_of(position.areas, where):
                    self.positions.setdefault(position.position, Floods()).count(alarm, when, position.flood)
        self._reach(area, at)

    def _put(self, new: AlarmHeard) -> None:
        old = self.alarms.get(new.name)
        if old is not None and old.alarm is not None:
            self.names.pop(old.alarm, None)
        if new.active or new.overrides:
            self.alarms[new.name] = new
            if new.alarm is not None:
                self.names[new.alarm] = new.name
        elif old is not None:
            del self.alarms[new.name]
        if change := counts(new) - (old is not None and counts(old)):
            for patterns in self._counts:
                if any_of(patterns, new.name):
                    self._counts[patterns] += change

    def _reach(self, area: Area, at: datetime) -> None:
        """Which rules have enough alarms now. A rule that comes again does so later than it did before: the time names
        its occurrence."""
        for rule in area.definition.across:
            since, still = self.reached.get(rule.rule, (EPOCH, False))
            if self.count(rule.of) < rule.at_least:
                if still:
                    self.reached[rule.rule] = (since, False)
            elif not still:
                self.reached[rule.rule] = (max(at, since + _STEP), True)

    def rebuild(self, area: Area) -> None:
        if area.name != PLANT_WIDE:
            return
        self._counts = {}
        if self.heard_at > EPOCH:
            self._reach(area, self.heard_at)
        known = {rule.rule for rule in area.definition.across}
        for rule, (since, still) in list(self.reached.items()):
            if still and rule not in known:
                self.reached[rule] = (since, False)
        self._plan(area)

    def _plan(self, area: Area) -> None:
        self.due = min(_dues(area, self), default=None)

    def save(self) -> SavedPlantwide:
        return SavedPlantwide(
            dict(self.sequences), dict(self.alarms), dict(self.reached),
            {name: floods.save() for name, floods in self.positions.items()}, self.heard_at,
        )  # fmt: skip

    @classmethod
    def load(cls, saved: SavedPlantwide) -> Plantwide:
        made = cls()
        made.sequences, made.alarms, made.heard_at = saved.sequences, saved.alarms, saved.heard_at
        made.names = {a.alarm: name for name, a in saved.alarms.items() if a.alarm is not None}
        made.reached = saved.reached
        made.positions = {name: Floods.load(floods) for name, floods in saved.positions.items()}
        return made


def counts(alarm: AlarmHeard) -> bool:
    """Whether it is active and shown."""
    return alarm.active and not alarm.overrides


# --- decisions -------------------------------------------------------------------------------------------------------


def reported(t: Thinking, given: Reported) -> None:
    """What the relay says of the alarms of all areas; nothing if it was said before, or concerns no alarm."""
    known = t.area.plantwide
    if t.name != PLANT_WIDE or given.sequence <= known.sequences.get(given.source, -1):
        return
    hearing = Hearing(known.alarms, known.names)
    for event in given.events:
        if event.area != PLANT_WIDE:
            hearing.hear(event)
    if not hearing.alarms and not hearing.raised:
        return
    t.say(AlarmsHeard(
        source=given.source, sequence=given.sequence, alarms=tuple(hearing.alarms.values()),
        raised=tuple(hearing.raised),
    ))  # fmt: skip
    _judge(t, t.at)
    for name, floods in sorted(t.area.plantwide.positions.items()):
        position = t.definition.positions.get(name)
        if position is None or floods.flooded:
            continue
        within = floods.within(t.at, position.flood.window_s)
        if len(within) > position.flood.above:
            t.say(FloodBegan(scope=f"{POSITION}{name}", alarms=len(within), first_out=within[0][1]))


def due(t: Thinking) -> None:
    """What is due by `t.now`: rules that have held for long enough, floods that are over."""
    if t.name != PLANT_WIDE:
        return
    _judge(t, t.now)
    for name, floods in sorted(t.area.plantwide.positions.items()):
        if (ends := _ends(t.area, name, floods)) is None or ends > t.now:
            continue
        state = floods.state
        assert state.since is not None, name
        t.say(FloodEnded(
            scope=f"{POSITION}{name}", since=state.since, alarms=state.alarms, held_back=0, peak=state.peak
        ))  # fmt: skip


def _judge(t: Thinking, now: datetime) -> None:
    """Raise the rules that have held for their time, clear those that no longer hold."""
    rules = {rule.rule: rule for rule in t.definition.across}
    for occurrence, name in list(_standing(t.area)):
        if not t.area.plantwide.reached.get(name, (EPOCH, False))[1]:
            rule = rules.get(name)
            value = None if rule is None else float(t.area.plantwide.count(rule.of))
            reason = "rule withdrawn" if rule is None else "returned to normal"
            lifecycle.condition(t, ConditionCleared(
                occurrence=occurrence, rule=name, point="", value=value, reason=reason
            ))  # fmt: skip
    standing = {name for _, name in _standing(t.area)}
    for rule in rules.values():
        since, still = t.area.plantwide.reached.get(rule.rule, (EPOCH, False))
        if still and rule.rule not in standing and now >= since + timedelta(seconds=rule.for_s):
            lifecycle.condition(t, ConditionRaised(
                occurrence=_occurrence(rule, since), rule=rule.rule, rule_version=rule.version, kind=KIND, point="",
                priority=rule.priority, message=rule.message, value=float(t.area.plantwide.count(rule.of)),
                limit=float(rule.at_least), unit="alarms", began=since,
            ))  # fmt: skip


def _occurrence(rule: Across, since: datetime) -> UUID:
    return make_id(PLANT_WIDE, rule.rule, "", since.isoformat())


def _standing(area: Area) -> Iterator[tuple[UUID, str]]:
    """(occurrence, rule) of the rules that have raised an alarm which is active."""
    for name in list(area.alarms):
        alarm = area.alarms.get(name)
        if alarm is not None and alarm.active:
            yield from ((level.condition, level.rule) for level in alarm.levels)


def _dues(area: Area, known: Plantwide) -> Iterable[datetime]:
    standing = {rule for _, rule in _standing(area)}
    yield from (EPOCH for rule in standing if not known.reached.get(rule, (EPOCH, False))[1])
    for rule in area.definition.across:
        since, still = known.reached.get(rule.rule, (EPOCH, False))
        if still and rule.rule not in standing:
            yield since + timedelta(seconds=rule.for_s)
    for name, floods in known.positions.items():
        if (ends := _ends(area, name, floods)) is not None:
            yield ends


def _ends(area: Area, name: str, floods: Floods) -> datetime | None:
    """When the flood of the position is over unless more alarms come; None: there is none."""
    state, position = floods.state, area.definition.positions.get(name)
    if state.since is None:
        return None
    if position is None:
        return state.since
    below = max(1, position.flood.below)
    if len(state.raises) < below:
        return state.since
    return state.raises[-below][0] + timedelta(seconds=position.flood.window_s)
