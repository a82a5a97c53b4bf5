"""All alarms of one area, and what each fact changes in them. Pure fold; the decisions are in `incidents.lifecycle`."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

from bus.agenda import Agenda
from bus.layer import Layer, layers, settle
from events.envelope import Fact
from incidents.alarm import Alarm, Maintenance, Recent
from incidents.definition import AlarmDefinition
from incidents.fold import evolve

if TYPE_CHECKING:
    from incidents.thinking import Area

OVER = 1024
"""So many occurrences that are over are remembered by id, to know a condition that is delivered again and to tell a
person why it cannot be acknowledged. The chain of decisions keeps older ones out."""

Key = tuple[str, str]
"""Of the agenda: ("alarm", name) or ("device", name)."""


class SavedAlarms(Struct, frozen=True, array_like=True):
    alarms: dict[str, Alarm]
    recent: dict[str, Recent]
    over: dict[UUID, str]
    noted: dict[UUID, tuple[str, str]]
    devices: dict[str, Maintenance]


class Alarms:
    """Iterates the names of all alarms that are not normal or under an override, oldest first.

    Attributes:
        recent: by name, of every alarm that was ever raised.
        over: occurrences that ended, and why they cannot be acknowledged.
        noted: conditions that hold and make no alarm: (rule, kind).
        devices: those locked out.
        held: how many are held back, by the alarm that they follow from.
        groups: how many of each first-out group stand.
        standing, unacknowledged: how many, hidden ones not counted.
    """

    def __init__(self) -> None:
        self.recent: MutableMapping[str, Recent] = {}
        self.over: MutableMapping[UUID, str] = {}
        self.noted: MutableMapping[UUID, tuple[str, str]] = {}
        self.devices: MutableMapping[str, Maintenance] = {}
        self.held: MutableMapping[str, int] = {}
        self.groups: MutableMapping[str, int] = {}
        self.standing = self.unacknowledged = 0
        self._alarms: MutableMapping[str, Alarm] = {}
        self._ids: MutableMapping[UUID, str] = {}
        """Occurrence, or condition of a level that holds -> name."""
        self._agenda: Agenda[Key] = Agenda()
        self._overridden: MutableMapping[str, None] = {}
        self._layers: tuple[Layer[Any, Any], ...] = ()
        self._changed: set[Key] | None = None
        """In a draft: what may be due at another time. The agenda is never its own."""

    # --- looked up -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        return iter(self._alarms)

    def __len__(self) -> int:
        return len(self._alarms)

    @property
    def overridden(self) -> list[str]:
        """Names of the alarms under an override, sorted: what is said of them must not depend on a restart."""
        return sorted(self._overridden)

    def get(self, name: str) -> Alarm | None:
        return self._alarms.get(name)

    def of(self, occurrence: UUID) -> Alarm | None:
        """The alarm whose current occurrence this is."""
        name = self._ids.get(occurrence)
        alarm = None if name is None else self._alarms[name]
        return alarm if alarm is not None and alarm.alarm == occurrence else None

    def holding(self, condition: UUID) -> Alarm | None:
        """The alarm of which this condition is a level that holds."""
        name = self._ids.get(condition)
        alarm = None if name is None else self._alarms[name]
        return alarm if alarm is not None and any(v.condition == condition for v in alarm.levels) else None

    def knows(self, condition: UUID) -> bool:
        """Whether this occurrence was delivered before."""
        return condition in self._ids or condition in self.over or condition in self.noted

    def stands(self, occurrence: UUID) -> bool:
        """Whether an incident with it cannot be over."""
        alarm = self.of(occurrence)
        return alarm is not None and alarm.stands

    def holds(self, rule: str) -> bool:
        """Whether a condition of this rule, of kind "correlation" or "suppression", holds."""
        return any(r == rule for r, _ in self.noted.values())

    # --- the shape of every part -----------------------------------------------------------------------------------

    def draft(self) -> Alarms:
        draft = Alarms()
        draft._layers = layers(
            self.recent, self.over, self.noted, self.devices, self.held, self.groups, self._alarms, self._ids,
            self._overridden,
        )  # fmt: skip
        (draft.recent, draft.over, draft.noted, draft.devices, draft.held, draft.groups, draft._alarms, draft._ids,
         draft._overridden) = draft._layers  # fmt: skip
        draft.standing, draft.unacknowledged = self.standing, self.unacknowledged
        draft._agenda, draft._changed = self._agenda, set()
        return draft

    def adopt(self, draft: Alarms, area: Area) -> None:
        settle(draft._layers)
        self.standing, self.unacknowledged = draft.standing, draft.unacknowledged
        self._forget()
        assert draft._changed is not None
        for key in draft._changed:
            self._plan(key, area)
        draft._changed.clear()

    def evolve(self, fact: Fact, at: datetime, area: Area) -> None:
        evolve(self, fact, at, area)

    @property
    def due(self) -> datetime | None:
        return self._agenda.first

    def until(self, now: datetime, limit: int) -> list[Key]:
        """What is due by then, as it stood when the input began."""
        return self._agenda.until(now, limit)

    def rebuild(self, area: Area) -> None:
        self._agenda = Agenda()
        for name in {**dict.fromkeys(self._alarms), **{n: None for n, r in self.recent.items() if r.chattering}}:
            self._plan(("alarm", name), area)
        for device in self.devices:
            self._plan(("device", device), area)

    def save(self) -> SavedAlarms:
        return SavedAlarms(
            dict(self._alarms), dict(self.recent), dict(self.over), dict(self.noted), dict(self.devices)
        )

    @classmethod
    def load(cls, saved: SavedAlarms) -> Alarms:
        """Needs `rebuild` before it knows what is due."""
        alarms = cls()
        alarms.recent, alarms.over, alarms.noted = saved.recent, saved.over, saved.noted
        alarms.devices = saved.devices
        for alarm in saved.alarms.values():
            alarms._index(None, alarm)
        alarms._alarms = saved.alarms
        return alarms

    # --- changed, by the fold only ---------------------------------------------------------------------------------

    def put(self, old: Alarm | None, new: Alarm, area: Area) -> None:
        """The alarm is so from here on. What is normal gives up its occurrence, and without an override it goes."""
        if new.alarm is not None and not (new.active or new.latched) and (new.acknowledged or new.hidden):
            self.end(new.alarm, "already acknowledged and back to normal" if new.acknowledged
                     else f"back to normal, and {new.hidden}")  # fmt: skip
            new = new.normal()
        self._index(old, new)
        if new.alarm is not None or new.hidden:
            self._alarms[new.name] = new
        elif old is not None:
            del self._alarms[new.name]
        self._plan(("alarm", new.name), area)

    def end(self, occurrence: UUID, why: str) -> None:
        """Remember that it is over."""
        self.over[occurrence] = why
        self._forget()

    def lock(self, device: str, maintenance: Maintenance | None, area: Area) -> None:
        if maintenance is not None:
            self.devices[device] = maintenance
        else:
            self.devices.pop(device, None)
        self._plan(("device", device), area)

    def note(self, name: str, recent: Recent, area: Area) -> None:
        self.recent[name] = recent
        self._plan(("alarm", name), area)

    def _index(self, old: Alarm | None, new: Alarm) -> None:
        """Keep what is looked up, and the counts."""
        if old is None or old.alarm != new.alarm or old.levels != new.levels:
            if old is not None:
                for id_ in (old.alarm, *(v.condition for v in old.levels)):
                    if id_ is not None:
                        self._ids.pop(id_, None)
            for id_ in (new.alarm, *(v.condition for v in new.levels)):
                if id_ is not None:
                    self._ids[id_] = new.name
        for alarm, sign in ((old, -1), (new, 1)):
            if alarm is None:
                continue
            shown = not alarm.hidden
            self.standing += sign * (alarm.alarm is not None and shown)
            self.unacknowledged += sign * (not alarm.acknowledged and shown)
            if alarm.group:
                _count(self.groups, alarm.group, sign)
            if alarm.behind:
                _count(self.held, alarm.behind, sign)
        if new.hidden:
            self._overridden[new.name] = None
        elif old is not None and old.hidden:
            del self._overridden[new.name]

    def _forget(self) -> None:
        while self._changed is None and len(self.over) > OVER:
            del self.over[next(iter(self.over))]

    def _plan(self, key: Key, area: Area) -> None:
        if self._changed is not None:
            self._changed.add(key)
            return
        kind, name = key
        if kind == "device":
            lock = self.devices.get(name)
            due = None if lock is None else lock.until
        else:
            due = _due(self._alarms.get(name), self.recent.get(name), area.index.of(area.name, name))
        self._agenda.set(key, due)


def _count(counts: MutableMapping[str, int], key: str, by: int) -> None:
    counts[key] = counts.get(key, 0) + by
    if not counts[key]:
        del counts[key]


def _due(alarm: Alarm | None, recent: Recent | None, definition: AlarmDefinition) -> datetime | None:
    """When there is next something to say about it without a new input."""
    dues: list[datetime] = []
    if recent is not None and recent.chattering and recent.raises:
        dues.append(recent.raises[-1] + timedelta(seconds=definition.chatter_s))
    if alarm is not None:
        if alarm.hidden:
            dues += [s.until for s in alarm.suppressions if s.until is not None]
            dues += [o.until for o in (alarm.shelf, alarm.maintenance) if o is not None]
        elif alarm.active and not alarm.late:
            if definition.re_alarm_s and not alarm.behind:
                dues.append(alarm.announced_at + timedelta(seconds=definition.re_alarm_s))
            if definition.stale_s and not alarm.stale:
                dues.append(alarm.raised_at + timedelta(seconds=definition.stale_s))
    return min(dues) if dues else None
