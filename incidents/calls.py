"""Who is being called about the incidents of one area: state and fold. Pure; the decisions are in `escalation`.

An incident calls while one of its alarms does: it is shown, unacknowledged, and nobody was given the incident since it
was announced. Which alarms call follows from the alarms and incidents, but for those that are `covered`: they
were announced before the incident was assigned, or before all calls had been made.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bus.agenda import Agenda
from bus.layer import Layer, layers, settle
from events import alarms as alarm_facts
from events import incidents as facts
from events.envelope import Fact
from events.notifications import NotificationIssued
from events.types import EPOCH, PRIORITIES, Instant
from incidents.case import PLAYBOOK

if TYPE_CHECKING:
    from incidents.thinking import Area

EXHAUSTED = "exhausted"
"""Reason of an escalation that ended because all calls had been made."""


class Call(Struct, frozen=True, array_like=True, gc=False):
    """The escalation of one incident.

    Attributes:
        number: counts the escalations of this incident.
        step, round: taken last; step 0: it has begun.
        due: when the next step is; None: it has ended.
    """

    policy: str
    number: int
    step: int
    round: int
    due: Instant | None


class SavedEscalations(Struct, frozen=True, array_like=True):
    calls: dict[UUID, Call]
    covered: tuple[UUID, ...]
    gathered: tuple[tuple[str, UUID], ...]
    digest_at: Instant | None
    quiet_until: Instant


class Escalations:
    """Attributes:
    calls: by incident, of all that are not closed.
    covered: occurrences that do not call (any more).
    gathered: (position or person, incident) that the next digest tells of, while it is quiet.
    digest_at: when that is.
    quiet_until: after a flood calls are gathered for one more digest: what was held back comes all at once.
    running: how many escalations are; above the number of a flood calls are gathered as in one.
    touched: in a draft: incidents of which something changed, for `escalation.follow`.
    """

    def __init__(self) -> None:
        self.calls: MutableMapping[UUID, Call] = {}
        self.covered: MutableMapping[UUID, None] = {}
        self.gathered: MutableMapping[tuple[str, UUID], None] = {}
        self.digest_at: datetime | None = None
        self.quiet_until: datetime = EPOCH
        self.running = 0
        self.touched: dict[UUID, None] = {}
        self._calling: MutableMapping[UUID, tuple[UUID, str]] = {}
        """Occurrence -> its incident and the name of its alarm."""
        self._by_name: MutableMapping[str, UUID] = {}
        self._count: MutableMapping[UUID, int] = {}
        self._waiting: MutableMapping[str, int] = {}
        """Position or person -> how much is gathered for it."""
        self._agenda: Agenda[UUID] = Agenda()
        self._layers: tuple[Layer[Any, Any], ...] = ()
        self._changed: set[UUID] | None = None
        """In a draft: incidents whose place in the agenda may be another. The agenda is never its own."""

    def calling(self, incident: UUID) -> int:
        """How many of its alarms call."""
        return self._count.get(incident, 0)

    def is_quiet(self, at: datetime, area: Area) -> bool:
        """Whether what is not urgent is told in digests: in and just after a flood, or while too much calls."""
        return area.floods.flooded or at < self.quiet_until or self.running > area.policy.flood.above

    def gathered_for(self) -> dict[str, list[UUID]]:
        """The incidents of the next digest, for each position or person."""
        out: dict[str, list[UUID]] = {}
        for to, incident in sorted(self.gathered):  # in an order that a restart does not change
            out.setdefault(to, []).append(incident)
        return out

    def gathered_of(self, incident: UUID) -> list[str]:
        """Whom the next digest tells of the incident."""
        return sorted(to for to in self._waiting if (to, incident) in self.gathered)

    def until(self, now: datetime) -> list[UUID]:
        """Incidents of which a step is due."""
        return self._agenda.until(now)

    # --- the shape of a part ---------------------------------------------------------------------------------------

    @property
    def due(self) -> datetime | None:
        return min((d for d in (self._agenda.first, self.digest_at) if d is not None), default=None)

    def draft(self) -> Escalations:
        draft = Escalations()
        draft._layers = layers(
            self.calls, self.covered, self.gathered, self._calling, self._by_name, self._count, self._waiting
        )
        (draft.calls, draft.covered, draft.gathered, draft._calling, draft._by_name, draft._count,
         draft._waiting) = draft._layers  # fmt: skip
        draft.digest_at, draft.quiet_until, draft.running = self.digest_at, self.quiet_until, self.running
        draft._agenda, draft._changed = self._agenda, set()
        return draft

    def adopt(self, draft: Escalations, area: Area) -> None:
        settle(draft._layers)
        self.digest_at, self.quiet_until, self.running = draft.digest_at, draft.quiet_until, draft.running
        assert draft._changed is not None
        for id_ in draft._changed:
            self._plan(id_)
        draft._changed.clear()
        draft.touched.clear()  # by the calls themselves, after the last `follow`

    def rebuild(self, area: Area) -> None:
        self._agenda = Agenda()
        for id_, call in self.calls.items():
            self._agenda.set(id_, call.due)
        self._calling, self._by_name, self._count = {}, {}, {}
        for incident in area.incidents.live():
            for occurrence in area.incidents.cast(incident.incident).standing:
                self._look(occurrence, area)
            id_ = incident.incident
            waits = incident.status == "open" and self.calling(id_) > 0 and is_called_for(incident.priority, area)
            if waits and ((call_ := self.calls.get(id_)) is None or call_.due is None):
                self._agenda.set(id_, EPOCH)  # a policy that is new: begin at the next tick
        self.touched = {}

    def save(self) -> SavedEscalations:
        return SavedEscalations(
            dict(self.calls), tuple(self.covered), tuple(self.gathered), self.digest_at, self.quiet_until
        )

    @classmethod
    def load(cls, saved: SavedEscalations) -> Escalations:
        """As it was; which alarms call comes with `rebuild`."""
        made = cls()
        made.calls, made.covered = saved.calls, dict.fromkeys(saved.covered)
        made.digest_at, made.quiet_until = saved.digest_at, saved.quiet_until
        for to, incident in saved.gathered:
            made._gather(to, incident)
        made.running = sum(call.due is not None for call in saved.calls.values())
        return made

    # --- fold ------------------------------------------------------------------------------------------------------

    def evolve(self, fact: Fact, at: datetime, area: Area) -> None:
        match fact:  # the most frequent ones first: each case is a question
            case alarm_facts.AlarmRaised(replaces=None):
                return
            case facts.IncidentOpened() | facts.AlarmGrouped():
                incident = area.incidents.get(fact.incident)
                if isinstance(fact, facts.AlarmGrouped) and fact.takes_over == "seen":
                    self.covered[fact.alarm] = None
                elif incident is not None and not incident.assigned:
                    self.covered.pop(fact.alarm, None)  # moved to an incident that nobody has
                self._look(fact.alarm, area)
                self._touch(fact.incident)
            case (alarm_facts.AlarmReannounced() | alarm_facts.AlarmLevelChanged(again=True)
                  | alarm_facts.AlarmBecameLive()):  # fmt: skip
                self.covered.pop(fact.alarm, None)  # it is unacknowledged again, or new, whoever has the incident
                self._look(fact.alarm, area)
            case (alarm_facts.AlarmAcknowledged() | alarm_facts.AlarmCleared() | alarm_facts.AlarmReset()
                  | alarm_facts.AlarmHeldBack() | alarm_facts.AlarmReleased()
                  | alarm_facts.AlarmLevelChanged()):  # fmt: skip
                self._look(fact.alarm, area)
            case alarm_facts.AlarmRaised(replaces=UUID() as before):
                self._look(before, area)
            case (alarm_facts.AlarmShelved() | alarm_facts.AlarmUnshelved() | alarm_facts.AlarmSuppressed()
                  | alarm_facts.AlarmUnsuppressed() | alarm_facts.AlarmTakenOutOfService()
                  | alarm_facts.AlarmReturnedToService()):  # fmt: skip
                if (calling := self._by_name.get(fact.name)) is not None:
                    self._look(calling, area)  # its occurrence may be over with this
                alarm = area.alarms.get(fact.name)
                if alarm is not None and alarm.alarm is not None:
                    self._look(alarm.alarm, area)  # latched and unseen, it calls from here on
            case facts.IncidentAssigned(by=by) if by.startswith(PLAYBOOK):
                return  # nobody has said that they take it: the calls go on
            case facts.IncidentAssigned(incident=id_, to=to):
                self._cover(id_, area, covered=to != "")
                self._over(id_)
            case facts.IncidentReopened(incident=id_):
                self._cover(id_, area, covered=False)
                self._touch(id_)
            case facts.IncidentPriorityChanged(incident=id_):
                self._look_at_all(id_, area)
            case facts.IncidentConfirmed(incident=id_):
                self._touch(id_)
            case facts.IncidentAcknowledged(incident=id_) | facts.IncidentResolved(incident=id_):
                self._over(id_)
            case facts.IncidentMerged(incident=id_) | facts.IncidentClosed(incident=id_):
                self._over(id_)
                self._forget(id_, area)
            case facts.EscalationStepped():
                self._step(fact, at, area)
            case facts.EscalationEnded(incident=id_, reason=reason):
                if (call := self.calls.get(id_)) is not None:
                    self._set(id_, replace(call, due=None))
                if reason == EXHAUSTED:
                    self._cover(id_, area, covered=True)
                else:
                    self._over(id_)
                self._forget(id_, area)
            case alarm_facts.FloodEnded(scope="area"):
                self.quiet_until = at + timedelta(seconds=area.policy.flood.digest_s)
            case NotificationIssued(kind="digest", to=to):
                for incident_ in [i for t, i in self.gathered if t == to]:
                    self._take_out(to, incident_)
            case NotificationIssued(kind="escalation", to=to, incident=UUID() as id_):
                self._take_out(to, id_)
            case _:
                return
        if not self.gathered:
            self.digest_at = None

    def _step(self, fact: facts.EscalationStepped, at: datetime, area: Area) -> None:
        before = self.calls.get(fact.incident)
        number = 1 if before is None else before.number + (before.due is None)
        self._set(fact.incident, Call(fact.policy, number, fact.step, fact.round, fact.next_at))
        incident = area.incidents.get(fact.incident)
        if incident is None or not self.is_quiet(at, area) or is_urgent(incident.priority, area):
            return
        for to in fact.to:
            self._gather(to, fact.incident)
        if self.gathered and self.digest_at is None:
            self.digest_at = at + timedelta(seconds=area.policy.flood.digest_s)

    def _look(self, occurrence: UUID, area: Area) -> None:
        """Does the alarm call, and about which incident?"""
        alarm, incident = area.alarms.of(occurrence), area.incidents.of(occurrence)
        if alarm is None:
            self.covered.pop(occurrence, None)  # it is over, and its id does not come again
        now = None
        if alarm is not None and incident is not None and incident.live and occurrence not in self.covered:
            # one that is late is in an incident for another that it took the place of
            shown = not (alarm.acknowledged or alarm.hidden or alarm.behind)
            if shown and is_called_for(alarm.priority, area, set_by_person=incident.priority != incident.worst):
                now = (incident.incident, alarm.name)
        before = self._calling.get(occurrence)
        if before == now:
            return
        if before is not None:
            del self._calling[occurrence]
            if self._by_name.get(before[1]) == occurrence:
                del self._by_name[before[1]]
            self._add(before[0], -1)
        if now is not None:
            self._calling[occurrence], self._by_name[now[1]] = now, occurrence
            self._add(now[0], 1)

    def _add(self, incident: UUID, count: int) -> None:
        self._count[incident] = self._count.get(incident, 0) + count
        if not self._count[incident]:
            del self._count[incident]
        self._touch(incident)

    def _look_at_all(self, incident: UUID, area: Area) -> None:
        for occurrence in list(area.incidents.cast(incident).standing):
            self._look(occurrence, area)
        self._touch(incident)

    def _cover(self, incident: UUID, area: Area, *, covered: bool) -> None:
        """None of its alarms of now calls any more; or all of them that are not acknowledged do again."""
        for occurrence in list(area.incidents.cast(incident).standing):
            if not covered:
                self.covered.pop(occurrence, None)
            elif occurrence in self._calling:
                self.covered[occurrence] = None
            self._look(occurrence, area)

    def _over(self, incident: UUID) -> None:
        """What was gathered about it is not told any more."""
        self._touch(incident)
        for to in self.gathered_of(incident):
            self._take_out(to, incident)

    def _gather(self, to: str, incident: UUID) -> None:
        if (to, incident) not in self.gathered:
            self.gathered[to, incident] = None
            self._waiting[to] = self._waiting.get(to, 0) + 1

    def _take_out(self, to: str, incident: UUID) -> None:
        if (to, incident) in self.gathered:
            del self.gathered[to, incident]
            self._waiting[to] -= 1
            if not self._waiting[to]:
                del self._waiting[to]

    def _forget(self, id_: UUID, area: Area) -> None:
        """Nobody is called about a closed incident; opened again, it counts from 1, under the number of the opening."""
        incident, call = area.incidents.get(id_), self.calls.get(id_)
        if call is not None and call.due is None and (incident is None or incident.status in ("closed", "merged")):
            del self.calls[id_]

    def _set(self, incident: UUID, call: Call) -> None:
        before = self.calls.get(incident)
        self.running += (call.due is not None) - (before is not None and before.due is not None)
        self.calls[incident] = call
        self._touch(incident)

    def _touch(self, incident: UUID) -> None:
        if self._changed is None:
            self._plan(incident)
        else:
            self._changed.add(incident)
            self.touched[incident] = None

    def _plan(self, incident: UUID) -> None:
        call = self.calls.get(incident)
        self._agenda.set(incident, None if call is None else call.due)


def is_urgent(priority: str, area: Area) -> bool:
    """Whether it is told at once in any flood."""
    return _at_least(priority, area.policy.flood.show_from)


def is_called_for(priority: str, area: Area, *, set_by_person: bool = False) -> bool:
    """Whether the area's policy calls for an alarm of this priority; for any, where a person set the incident's."""
    policy = area.definition.escalations.get(area.policy.escalation)
    return policy is not None and (set_by_person or _at_least(priority, policy.min_priority))


def _at_least(priority: str, limit: str) -> bool:
    ranks: tuple[str, ...] = PRIORITIES
    return ranks.index(priority) >= ranks.index(limit)
