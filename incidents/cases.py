"""All incidents of one area, and what each fact changes in them. Pure fold; the decisions are in `incident`.

An incident stands while one of its alarms does.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bus.agenda import Agenda
from bus.layer import Layer, layers, settle
from events import alarms as alarm_facts
from events import incidents as facts
from events.envelope import Fact
from events.types import PRIORITIES, Priority
from incidents import handover
from incidents.case import Cast, Handed, Incident, SavedCast, Status, above

TakesOver = Literal["seen", "unseen"]

if TYPE_CHECKING:
    from incidents.thinking import Area

CLOSED = 256
"""So many closed incidents of an area are remembered: they can be commented on and opened again."""
AT_ONCE = 1000
"""So many close by themselves at one tick."""


class SavedIncidents(Struct, frozen=True, array_like=True):
    number: int
    incidents: dict[UUID, Incident]
    casts: dict[UUID, SavedCast]
    closed: tuple[UUID, ...]
    last: dict[str, UUID]
    handed: dict[str, Handed]
    heirs: dict[UUID, TakesOver] = {}


class Incidents:
    """Iterates all incidents that are known, oldest first.

    Attributes:
        number: of the last one.
        last: alarm name -> the incident that it was in last.
        heirs: occurrences that stand for an earlier one and were not announced yet, as `AlarmGrouped.takes_over` says.
        handed: by position; changes: when each position of the area next changes hands by the calendar.
        empty, higher: what `settle` has to say something about: none of its alarms stands; they rose above its
            priority, and the rule that did. Nothing is left in them between two inputs.
    """

    def __init__(self) -> None:
        self.number = 0
        self.last: MutableMapping[str, UUID] = {}
        self.handed: MutableMapping[str, Handed] = {}
        self.heirs: MutableMapping[UUID, TakesOver] = {}
        self.changes: dict[str, datetime] = {}
        self.empty: dict[UUID, None] = {}
        self.higher: dict[UUID, str] = {}
        self._incidents: MutableMapping[UUID, Incident] = {}
        self._casts: MutableMapping[UUID, Cast] = {}
        self._live: dict[UUID, None] | Layer[UUID, None] = {}
        """In the order of their numbers."""
        self._closed: MutableMapping[UUID, None] = {}
        self._incident_of: MutableMapping[UUID, UUID] = {}
        self._standing: MutableMapping[str, UUID] = {}
        """Alarm name -> its occurrence, if that is in an incident and stands."""
        self._agenda: Agenda[UUID] = Agenda()
        self._layers: tuple[Layer[Any, Any], ...] = ()
        self._copied: set[UUID] = set()
        """In a draft: the casts that are its own."""
        self._changed: set[UUID] | None = None
        """In a draft: incidents that may be due at another time. The agenda is never its own."""

    # --- looked up -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._incidents)

    def __len__(self) -> int:
        return len(self._incidents)

    def get(self, incident: UUID) -> Incident | None:
        return self._incidents.get(incident)

    def of(self, occurrence: UUID) -> Incident | None:
        """The incident to which this alarm belongs, while it stands."""
        id_ = self._incident_of.get(occurrence)
        return None if id_ is None else self._incidents[id_]

    def live(self) -> Iterator[Incident]:
        """Candidates and open ones, the newest first."""
        return (self._incidents[id_] for id_ in reversed(self._live))

    def cast(self, incident: UUID) -> Cast:
        """To look at."""
        return self._casts.get(incident) or Cast()

    def not_closed(self) -> tuple[UUID, ...]:
        return tuple(id_ for id_, i in self._incidents.items() if i.status not in ("closed", "merged"))

    def holder(self, position: str) -> str:
        """Who took the position over by hand since its last change of shift; ""."""
        handed = self.handed.get(position)
        return "" if handed is None else handed.to

    def closing(self, area: Area, now: datetime) -> list[Incident]:
        """Incidents that close by themselves by now; more of them at the next tick."""
        known = (self._incidents.get(id_) for id_ in self._agenda.until(now, AT_ONCE))
        return [i for i in known if i is not None and (due := _closes(i, area)) is not None and due <= now]

    @property
    def due(self) -> datetime | None:
        """When the first incident closes by itself, or the first position changes hands."""
        return min((d for d in (self._agenda.first, *self.changes.values()) if d is not None), default=None)

    # --- the shape of a part ---------------------------------------------------------------------------------------

    def draft(self) -> Incidents:
        draft = Incidents()
        draft.number, draft.changes = self.number, self.changes
        draft.empty, draft.higher = dict(self.empty), dict(self.higher)
        draft._layers = layers(
            self.last, self.handed, self.heirs, self._incidents, self._casts, self._live, self._closed,
            self._incident_of, self._standing,
        )  # fmt: skip
        (draft.last, draft.handed, draft.heirs, draft._incidents, draft._casts, draft._live, draft._closed,
         draft._incident_of, draft._standing) = draft._layers  # fmt: skip
        draft._agenda, draft._changed = self._agenda, set()
        return draft

    def adopt(self, draft: Incidents, area: Area) -> None:
        for id_ in draft._copied:
            if (cast := draft._casts.get(id_)) is not None:
                draft._casts[id_] = cast.adopted()
        draft._copied.clear()
        settle(draft._layers)
        self.number, self.changes = draft.number, draft.changes
        self.empty, self.higher = dict(draft.empty), dict(draft.higher)
        assert draft._changed is not None
        for id_ in draft._changed:
            self._schedule(id_, area)
        draft._changed.clear()

    def rebuild(self, area: Area) -> None:
        self._agenda = Agenda()
        for incident in self._incidents.values():
            self._agenda.set(incident.incident, _closes(incident, area))
        self.changes = handover.changes(area, self.handed)

    def save(self) -> SavedIncidents:
        casts = {id_: cast.save() for id_, cast in self._casts.items()}
        return SavedIncidents(
            self.number, dict(self._incidents), casts, tuple(self._closed), dict(self.last), dict(self.handed),
            dict(self.heirs),
        )  # fmt: skip

    @classmethod
    def load(cls, saved: SavedIncidents) -> Incidents:
        """As it was; the agenda comes with `rebuild`."""
        made = cls()
        made.number, made.last, made.handed, made.heirs = saved.number, saved.last, saved.handed, saved.heirs
        made._incidents, made._closed = saved.incidents, dict.fromkeys(saved.closed)
        made._live = {id_: None for id_, i in saved.incidents.items() if i.live}
        for id_, kept in saved.casts.items():
            made._casts[id_] = Cast.load(kept)
            for occurrence, name in kept.standing.items():
                made._incident_of[occurrence], made._standing[name] = id_, occurrence
        return made

    # --- fold ------------------------------------------------------------------------------------------------------

    def evolve(self, fact: Fact, at: datetime, area: Area) -> None:
        match fact:
            case alarm_facts.AlarmCleared() | alarm_facts.AlarmAcknowledged() | alarm_facts.AlarmReset():
                self._look(fact.alarm, area)
            case alarm_facts.AlarmRaised():
                if (before := self._standing.get(fact.name or fact.rule)) is not None:
                    self._look(before, area)
            case (alarm_facts.AlarmShelved() | alarm_facts.AlarmUnshelved() | alarm_facts.AlarmSuppressed()
                  | alarm_facts.AlarmUnsuppressed() | alarm_facts.AlarmTakenOutOfService()
                  | alarm_facts.AlarmReturnedToService()):  # fmt: skip
                if (before := self._standing.get(fact.name)) is not None:
                    self._look(before, area)
            case alarm_facts.AlarmLevelChanged():
                incident, alarm = self.of(fact.alarm), area.alarms.of(fact.alarm)
                if incident is not None and alarm is not None and fact.holds and not alarm.hidden:
                    self._rose(incident.incident, fact.priority, fact.rule)
            case facts.IncidentOpened():
                self._open(fact, at, area)
            case facts.AlarmGrouped():
                self._join(fact.incident, fact.alarm, fact.rule, fact.priority, at, area)
                if fact.takes_over:
                    self.heirs[fact.alarm] = fact.takes_over
                else:
                    self.heirs.pop(fact.alarm, None)
            case facts.IncidentConfirmed():
                self._change(fact.incident, status="open", confirmed=True)
            case facts.IncidentPriorityChanged():
                self.higher.pop(fact.incident, None)
                incident = self._change(fact.incident, priority=fact.priority)
                if not fact.by:
                    worst = max(incident.worst, fact.priority, key=PRIORITIES.index)
                    self._change(fact.incident, worst=worst)
                self._schedule(fact.incident, area)
            case facts.IncidentAcknowledged():
                self._change(fact.incident, acknowledged_by=fact.by)
            case facts.IncidentAssigned():
                self._change(fact.incident, assigned=fact.to)
            case facts.IncidentResolved():
                self._end(fact.incident, "resolved", at, area)
            case facts.IncidentReopened():
                before_ = self._incidents[fact.incident]
                status: Status = "open" if before_.confirmed or not fact.alarm else "candidate"
                self._change(fact.incident, status=status, opening=fact.opening, acknowledged_by="",
                             confirmed=status == "open")  # fmt: skip
                self._revive(fact.incident)
                self._closed.pop(fact.incident, None)
                self._schedule(fact.incident, area)
            case facts.IncidentMerged():
                self._merge(fact, at, area)
            case facts.IncidentClosed():
                self._end(fact.incident, "closed", at, area)
            case facts.ShiftHandedOver():
                self.handed[fact.position] = Handed(at, "" if fact.shift else fact.to)
                self.changes = handover.changes(area, self.handed)
            case _:
                pass  # facts of other parts

    def _open(self, fact: facts.IncidentOpened, at: datetime, area: Area) -> None:
        self.number = max(self.number, fact.number)
        self._incidents[fact.incident] = Incident(
            incident=fact.incident, number=fact.number, title=fact.title, priority=fact.priority, worst=fact.priority,
            status="candidate" if fact.candidate else "open", alarm=fact.alarm, rule=fact.rule, point=fact.point,
            opened_at=at, last_at=at, confirmed=not fact.candidate,
        )  # fmt: skip
        self._live[fact.incident] = None
        if fact.split_from is None:
            self._join(fact.incident, fact.alarm, fact.rule, fact.priority, at, area)

    def _revive(self, id_: UUID) -> None:
        number = self._incidents[id_].number
        newer = list(takewhile(lambda other: self._incidents[other].number > number, reversed(self._live)))
        for one in (id_, *reversed(newer)):  # each becomes the last
            self._live.pop(one, None)
            self._live[one] = None

    def _join(self, id_: UUID, occurrence: UUID, rule: str, priority: Priority, at: datetime, area: Area) -> None:
        alarm = area.alarms.of(occurrence)
        name, device = (rule, "") if alarm is None else (alarm.name, alarm.device)
        before = self.of(occurrence)
        carried = before is not None and before.into == id_  # `IncidentMerged` has counted it
        if before is not None:
            self._leave(occurrence, before, name, device, carried=carried)
        incident, cast = self._incidents[id_], self._writable(id_)
        if not carried:
            cast.add(name, device)
        stands = area.alarms.stands(occurrence)
        self._incidents[id_] = replace(
            incident, last_at=at, alarms=incident.alarms + (not carried), standing=incident.standing + stands
        )
        if stands:
            cast.standing[occurrence] = name
            self._incident_of[occurrence], self._standing[name] = id_, occurrence
            self.empty.pop(id_, None)
        elif not self._incidents[id_].standing:
            self.empty[id_] = None
        self.last[name] = id_
        self._rose(id_, priority, rule)

    def _leave(self, occurrence: UUID, before: Incident, name: str, device: str, *, carried: bool) -> None:
        """A person moved the alarm away."""
        cast = self._writable(before.incident)
        del cast.standing[occurrence], self._incident_of[occurrence]
        if not carried:
            cast.add(name, device, by=-1)
        left = replace(before, alarms=before.alarms - (not carried), standing=before.standing - 1)
        self._incidents[before.incident] = left
        if left.live and not left.standing:
            self.empty[before.incident] = None

    def _look(self, occurrence: UUID, area: Area) -> None:
        """The alarm has changed: does it still stand?"""
        id_ = self._incident_of.get(occurrence)
        if id_ is None or area.alarms.stands(occurrence):
            return
        del self._incident_of[occurrence]
        self.heirs.pop(occurrence, None)
        name = self._writable(id_).standing.pop(occurrence)
        if self._standing.get(name) == occurrence:
            del self._standing[name]
        incident = self._incidents[id_]
        self._incidents[id_] = replace(incident, standing=incident.standing - 1)
        if incident.standing == 1:
            self.empty[id_] = None

    def _merge(self, fact: facts.IncidentMerged, at: datetime, area: Area) -> None:
        source, into = self._incidents[fact.incident], self._incidents[fact.into]
        mine, theirs = self._writable(fact.into), self.cast(fact.incident)
        mine.take_over(theirs)
        for name in theirs.names:
            if self.last.get(name) == fact.incident:
                self.last[name] = fact.into
        self._incidents[fact.into] = replace(into, alarms=into.alarms + source.alarms)
        self._change(fact.incident, into=fact.into)
        self._end(fact.incident, "merged", at, area)

    def _end(self, id_: UUID, status: Status, at: datetime, area: Area) -> None:
        self._change(id_, status=status, over_at=at)
        for memory in (self._live, self.empty, self.higher):
            memory.pop(id_, None)
        if status != "resolved":
            self._closed[id_] = None
            if len(self._closed) > CLOSED:
                self._forget(next(iter(self._closed)))
        self._schedule(id_, area)

    def _forget(self, id_: UUID) -> None:
        del self._closed[id_]
        self._incidents.pop(id_, None)
        self._casts.pop(id_, None)

    def _rose(self, id_: UUID, priority: Priority, rule: str) -> None:
        """An alarm of the incident has this priority. Above all of its alarms so far it counts, whoever set another."""
        incident = self._incidents[id_]
        if above(priority, incident.worst):
            self._change(id_, worst=priority)
            if above(priority, incident.priority):
                self.higher[id_] = rule

    def _change(self, id_: UUID, **changes: object) -> Incident:
        incident = self._incidents[id_] = replace(self._incidents[id_], **changes)
        return incident

    def _writable(self, id_: UUID) -> Cast:
        cast = self._casts.get(id_)
        if cast is None:
            cast = self._casts[id_] = Cast()
        elif self._changed is not None and id_ not in self._copied:
            cast = self._casts[id_] = cast.draft()
            self._copied.add(id_)
        return cast

    def _schedule(self, id_: UUID, area: Area) -> None:
        if self._changed is None:
            incident = self._incidents.get(id_)
            self._agenda.set(id_, None if incident is None else _closes(incident, area))
        else:
            self._changed.add(id_)


def _closes(incident: Incident, area: Area) -> datetime | None:
    """When the incident closes by itself, by the policy in force."""
    policy = area.policy
    by_person = not above(policy.close_by_person, incident.priority)
    if incident.status != "resolved" or by_person or policy.close_after_s <= 0:
        return None
    return incident.over_at + timedelta(seconds=policy.close_after_s)
