"""When an alarm opens, joins or reopens an incident, and when one is over. Pure; see `incidents.thinking`.

How an alarm finds its incident is in `grouping`, what people ask for in `casework`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from events import incidents as facts
from events.types import Priority, make_id
from incidents import grouping
from incidents.alarm import Alarm
from incidents.case import Incident, above
from incidents.cases import Incidents, SavedIncidents

if TYPE_CHECKING:
    from incidents.thinking import Thinking

__all__ = ["Incident", "Incidents", "SavedIncidents", "announced", "due", "settle", "takes_over"]


def announced(t: Thinking, alarm: Alarm, reason: str) -> None:
    """The current occurrence of the alarm became visible and live: it joins an incident, reopens or opens one.

    One that belongs to an incident already stays in it. `reason` says why it is told of now; "": it was raised.
    """
    assert alarm.alarm is not None, "an alarm without an occurrence is not announced"
    incidents = t.area.incidents
    if (mine := incidents.of(alarm.alarm)) is not None:
        if alarm.alarm in incidents.heirs:
            _group(t, mine, alarm, "in it already", reason)
        elif above(alarm.priority, mine.worst) and above(alarm.priority, mine.priority):
            _raise(t, mine.incident, alarm.priority, alarm.rule)
        return
    if found := grouping.find(t.area, alarm, t.at):
        _group(t, found.incident, alarm, found.reason, reason)
    elif (old := grouping.returns_to(t.area, alarm, t.at)) is not None:
        opening = old.opening + 1
        why = f"{alarm.name} came again {grouping.span((t.at - old.over_at).total_seconds())} after it was resolved"
        t.say(facts.IncidentReopened(
            incident=old.incident, opening=opening, by="", reason=why, alarm=alarm.alarm, rule=alarm.rule,
            point=alarm.point,
        ))  # fmt: skip
        _group(t, old, alarm, why, reason)
    else:
        t.say(facts.IncidentOpened(
            incident=make_id("incident", alarm.alarm), number=incidents.number + 1, title=alarm.message,
            priority=alarm.priority, alarm=alarm.alarm, rule=alarm.rule, point=alarm.point, name=alarm.name,
            candidate=t.policy.confirm_after > 1,
        ))  # fmt: skip


def takes_over(t: Thinking, incident: Incident, name: str, *, seen: bool) -> None:
    """The alarm's current occurrence is not announced, and replaced one of the incident: it stands for that one."""
    alarm = t.area.alarms.get(name)
    assert alarm is not None and alarm.alarm is not None, name
    reason = f"it came again before the incident was over, and is {alarm.hidden or 'history'}"
    t.say(facts.AlarmGrouped(
        incident=incident.incident, alarm=alarm.alarm, rule=alarm.rule, reason=reason, point=alarm.point,
        priority=alarm.priority, name=name, opening=incident.opening, takes_over="seen" if seen else "unseen",
    ))  # fmt: skip


def _group(t: Thinking, incident: Incident, alarm: Alarm, reason: str, why: str) -> None:
    assert alarm.alarm is not None
    incident = _now(t, incident.incident)
    t.say(facts.AlarmGrouped(
        incident=incident.incident, alarm=alarm.alarm, rule=alarm.rule, reason=f"{reason}; {why}" if why else reason,
        point=alarm.point, priority=alarm.priority, name=alarm.name, opening=incident.opening,
    ))  # fmt: skip
    _rise(t)
    _confirm(t, incident.incident)


def _confirm(t: Thinking, id_: UUID) -> None:
    incident = _now(t, id_)
    if incident.status == "candidate" and incident.alarms >= t.policy.confirm_after:
        t.say(facts.IncidentConfirmed(incident=id_, by="", reason=f"{incident.alarms} alarms"))


def _rise(t: Thinking) -> None:
    for id_, rule in list(t.area.incidents.higher.items()):
        _raise(t, id_, _now(t, id_).worst, rule)


def _raise(t: Thinking, id_: UUID, priority: Priority, rule: str) -> None:
    t.say(facts.IncidentPriorityChanged(incident=id_, priority=priority, reason=f"{rule} is {priority}"))


def _now(t: Thinking, id_: UUID) -> Incident:
    incident = t.area.incidents.get(id_)
    assert incident is not None, id_
    return incident


def settle(t: Thinking) -> None:
    """At the end of every input: what its facts mean for the incidents."""
    incidents = t.area.incidents
    if not incidents.empty and not incidents.higher:
        return
    _rise(t)
    for id_ in list(incidents.empty):
        ended = _now(t, id_)
        t.say(facts.IncidentResolved(incident=id_, opening=ended.opening, by=ended.acknowledged_by or t.by))


def due(t: Thinking) -> None:
    """Incidents that nobody has to close are closed."""
    for incident in t.area.incidents.closing(t.area, t.now):
        why = f"closed by itself after {grouping.span(t.policy.close_after_s)}"
        t.say(facts.IncidentClosed(
            incident=incident.incident, by="", cause="", action="", useful=None, comment=why
        ))  # fmt: skip
