"""What may set playbooks off, in what the incidents stage says. Pure.

An alarm joins its incident with `AlarmGrouped`, also where it reopened it: a person's reopening moves nothing. Alarms
that a person moved to another incident, by splitting or merging, set nothing off: they did before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.alarms import (
    AlarmCleared,
    AlarmLevelChanged,
    AlarmRaised,
    AlarmShelved,
    AlarmSuppressed,
    AlarmTakenOutOfService,
)
from events.envelope import Event
from events.incidents import (
    AlarmGrouped,
    IncidentAcknowledged,
    IncidentAssigned,
    IncidentMerged,
    IncidentOpened,
    IncidentPriorityChanged,
    IncidentReopened,
    IncidentResolved,
)
from events.playbooks import Scalar
from events.types import PRIORITIES, Priority, make_id
from playbooks.plan import OnAlarm, OnIncident, Playbook


class Cause(Struct, frozen=True):
    """What may set playbooks off.

    Attributes:
        on: which kind of trigger it is for.
        incident: None for an alarm by itself.
        occurrence: of the alarm, or of the level of its ladder; by: the names it goes by, its rule first.
        point, priority: None where they are not known.
        returned: the alarm says itself that it came back.
        scope: what a run knows of it.
    """

    on: Literal["opened", "changed", "raised", "cleared"]
    incident: UUID | None
    opening: int
    occurrence: UUID
    by: tuple[str, ...] = ()
    point: str | None = None
    priority: Priority | None = None
    returned: bool = False
    scope: dict[str, Scalar] = {}

    def sets_off(self, book: Playbook) -> bool:
        kind = OnIncident if self.on in ("opened", "changed") else OnAlarm
        return any(isinstance(t, kind) and t.event == self.on and self._matches(t) for t in book.triggers)

    def _matches(self, trigger: OnIncident | OnAlarm) -> bool:
        names = self.by or ("",)
        return any(matches(trigger, name, self.point, self.priority) for name in names)


def matches(trigger: OnIncident | OnAlarm, rule: str, point: str | None, priority: Priority | None) -> bool:
    """Whether an alarm sets it off. Where its point and priority are not known (None), the rule alone decides: a
    playbook that names rules then runs; one that names none is not set off by a guess."""
    if not _any(trigger.rules, rule):
        return False
    if point is None or priority is None:
        return bool(trigger.rules) or (not trigger.points and trigger.min_priority == "low")
    return _any(trigger.points, point) and PRIORITIES.index(priority) >= PRIORITIES.index(trigger.min_priority)


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, p) for p in patterns)


_QUIET = ((AlarmShelved, "shelved"), (AlarmSuppressed, "suppressed"), (AlarmTakenOutOfService, "taken out of service"))


class Beside:
    """What the facts of one decision say of each other.

    Attributes: openings: newest number by incident; moved: incidents to which a person moved alarms; quieted: which
    alarm an override hides from now on, and which override that is.
    """

    def __init__(self, given: Sequence[Event]) -> None:
        facts = [e.fact for e in given]
        self.raised = {f.alarm: f for f in facts if isinstance(f, AlarmRaised)}
        self.openings: dict[UUID, int] = {}
        for id_, opening in _openings(facts):
            self.openings[id_] = max(opening, self.openings.get(id_, 1))
        self.quieted = next((f"{f.name} was {how}" for f in facts for kind, how in _QUIET if isinstance(f, kind)), "")
        self.moved = {f.into for f in facts if isinstance(f, IncidentMerged)}
        self.moved |= {f.incident for f in facts if isinstance(f, IncidentOpened) and f.split_from is not None}

    def causes(self, e: Event) -> Iterator[Cause]:
        """What the event may set off; nothing where it is nothing new."""
        match e.fact:
            case AlarmLevelChanged(holds=True) as fact:
                yield from self._level(fact)
            case AlarmGrouped(takes_over="seen" | "unseen"):
                return  # it is not announced yet
            case IncidentOpened() | AlarmGrouped() as fact if fact.incident not in self.moved:
                yield self._joined(fact)
            case AlarmRaised(hidden="", late=False) as fact:
                yield Cause(
                    "raised", None, 1, fact.alarm, (fact.rule, fact.name or fact.rule), fact.point, fact.priority,
                    scope=_of_alarm(fact),
                )  # fmt: skip
            case AlarmCleared(rule=rule, name=name, point=point, priority=priority) as fact if rule:
                scope: dict[str, Scalar] = {
                    "alarm.name": name, "alarm.rule": rule, "alarm.point": point, "alarm.priority": priority,
                }  # fmt: skip
                by = tuple(dict.fromkeys((rule, name)))
                yield Cause("cleared", None, 1, make_id("cleared", fact.alarm), by, point, priority, scope=scope)
            case IncidentPriorityChanged(incident=incident, priority=priority):
                opening = self.openings.get(incident, 1)
                about: dict[str, Scalar] = {"incident.priority": priority}
                yield Cause("changed", incident, opening, e.id, priority=priority, point="", returned=True, scope=about)
            case IncidentAcknowledged(incident=incident) | IncidentAssigned(incident=incident):
                yield Cause("changed", incident, self.openings.get(incident, 1), e.id, returned=True)
            case _:
                pass

    def _level(self, fact: AlarmLevelChanged) -> Iterator[Cause]:
        """Only its rule counts: a playbook that ran for the whole ladder is not set off by one more level of it."""
        scope: dict[str, Scalar] = {
            "alarm.name": fact.name, "alarm.rule": fact.rule, "alarm.point": fact.point,
            "alarm.priority": fact.own_priority, "alarm.message": fact.own_message or fact.message,
            **_numbers(fact.value, fact.limit),
        }  # fmt: skip
        if (incident := fact.belongs_to) is not None:
            opening = max(fact.opening, self.openings.get(incident, 1))
            point, priority = fact.point or None, fact.own_priority
            yield Cause("opened", incident, opening, fact.condition, (fact.rule,), point, priority, scope=scope)
            yield Cause("raised", None, 1, fact.condition, (fact.rule,), point, priority, scope=scope)

    def _joined(self, fact: IncidentOpened | AlarmGrouped) -> Cause:
        raised = self.raised.get(fact.alarm)
        name = fact.name or (raised.name if raised else "")
        point = fact.point or (raised.point if raised else None)
        priority = fact.priority if fact.point else raised.priority if raised else None
        scope: dict[str, Scalar] = {"alarm.rule": fact.rule, "alarm.name": name or fact.rule}
        scope |= {"alarm.point": point} if point else {}
        scope |= {"alarm.priority": priority} if priority else {}
        scope |= _of_alarm(raised) if raised else {}
        if isinstance(fact, IncidentOpened):
            scope |= {
                "incident.title": fact.title, "incident.number": float(fact.number), "incident.priority": fact.priority,
            }  # fmt: skip
        return Cause(
            "opened", fact.incident, self.openings.get(fact.incident, 1), fact.alarm,
            tuple(dict.fromkeys(n for n in (fact.rule, name) if n)), point, priority,
            returned=raised is not None and raised.replaces is not None, scope=scope,
        )  # fmt: skip


def _of_alarm(fact: AlarmRaised) -> dict[str, Scalar]:
    return {
        "alarm.name": fact.name or fact.rule, "alarm.rule": fact.rule, "alarm.point": fact.point,
        "alarm.priority": fact.priority, "alarm.message": fact.message, "alarm.unit": fact.unit,
        **_numbers(fact.value, fact.limit),
    }  # fmt: skip


def _numbers(value: float | None, limit: float | None) -> dict[str, Scalar]:
    known = {"alarm.value": value, "alarm.limit": limit}
    return {name: number for name, number in known.items() if number is not None}


def _openings(facts: Iterable[object]) -> Iterator[tuple[UUID, int]]:
    for f in facts:
        if isinstance(f, IncidentReopened | AlarmGrouped | IncidentResolved):
            yield f.incident, f.opening
