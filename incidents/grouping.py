"""To which incident an alarm belongs, by the rules of its area, and why. Pure.

The rules are tried in order, each on the incidents that are not over, the newest first: the first that fits decides.
An alarm belongs to an incident if a rule ties it to one of the alarms that ever joined it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from incidents.alarm import Alarm
from incidents.case import Incident
from incidents.definition import Policy, Together, any_of

if TYPE_CHECKING:
    from incidents.thinking import Area


class Found(NamedTuple):
    incident: Incident
    reason: str


def find(area: Area, alarm: Alarm, at: datetime) -> Found | None:
    """The incident that the alarm, raised `at`, belongs to; None if there is none."""
    for rule in area.policy.together:
        if not _chosen(area, rule, alarm.name) or (rule.by == "expression" and not area.alarms.holds(rule.condition)):
            continue
        for incident in area.incidents.live():
            if rule.within_s and (at - incident.last_at).total_seconds() > rule.within_s:
                continue
            if tie := _tie(area, rule, alarm, incident):
                return Found(incident, _reason(rule, tie, incident))
    return None


def returns_to(area: Area, alarm: Alarm, at: datetime) -> Incident | None:
    """The incident that was resolved so short a time ago, and had this very alarm, that it is open again."""
    last = area.incidents.last.get(alarm.name)
    incident = None if last is None else area.incidents.get(last)
    if incident is None or incident.status != "resolved":
        return None
    return incident if (at - incident.over_at).total_seconds() <= area.policy.reopen_s else None


def _tie(area: Area, rule: Together, alarm: Alarm, incident: Incident) -> str:
    """What ties the alarm to one that joined the incident, by this rule; "" for nothing."""
    cast = area.incidents.cast(incident.incident)
    any_will_do = not rule.alarms and not rule.factors
    if rule.by in ("device", "topology"):
        reached = {alarm.device: f"same device {alarm.device}"} if rule.by == "device" else _neighbours(area, alarm)
        reached.pop("", None)
        if any_will_do:
            return next((why for device, why in reached.items() if device in cast.devices), "")
        devices = (area.index.of(area.name, name).device for name in _joined(area, rule, cast.names))
        return next((reached[device] for device in devices if device in reached), "")
    name = next(iter(cast.names if any_will_do else _joined(area, rule, cast.names)), "")
    if not name:
        return ""
    if rule.by == "area":
        return "same area"
    pair = f"{alarm.name} and {name}"
    return pair if rule.by == "alarms" else f"{pair}, as its condition holds"


def _joined(area: Area, rule: Together, names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if _chosen(area, rule, name))


def _chosen(area: Area, rule: Together, name: str) -> bool:
    """Whether the rule is about this alarm."""
    if rule.alarms and not any_of(rule.alarms, name):
        return False
    return not rule.factors or area.index.of(area.name, name).factor in rule.factors


def _neighbours(area: Area, alarm: Alarm) -> dict[str, str]:
    """The devices next to the alarm's along the flow, and what they are to it."""
    return {
        **{other: f"{other} is upstream of {alarm.device}" for other in upstream(area.policy, alarm.device)},
        **{fed: f"{fed} is downstream of {alarm.device}" for fed in area.policy.topology.get(alarm.device, ())},
    }


def upstream(policy: Policy, device: str) -> tuple[str, ...]:
    """The devices that feed this one directly."""
    return tuple(other for other, feeds in policy.topology.items() if device in feeds)


def _reason(rule: Together, tie: str, incident: Incident) -> str:
    """What people read: "same device press, within 5 min (rule 'hydraulics')"."""
    when = f"within {span(rule.within_s)}" if rule.within_s else f"while incident {incident.number} is open"
    return f"{tie}, {when}" + ("" if rule.together == tie else f" (rule '{rule.together}')")


def span(seconds: float) -> str:
    """A duration in words, in its largest unit that leaves no more than a tenth out: "5 min", "1.5 h", "90 s"."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length or seconds == length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"
