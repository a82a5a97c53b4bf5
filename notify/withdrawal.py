"""What need not be told any more: somebody has the incident, or it is over. Pure."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from events.envelope import Fact
from events.incidents import (
    EscalationEnded,
    IncidentAcknowledged,
    IncidentAssigned,
    IncidentClosed,
    IncidentMerged,
    IncidentReopened,
    IncidentResolved,
)
from events.notifications import NotificationIssued
from incidents.calls import EXHAUSTED


class Over(Struct, frozen=True):
    """Attributes: incident: nobody needs to be told of it from here on, for this reason.
    calls_only: of escalation alone, as when its alarms are shelved."""

    incident: UUID
    reason: str
    calls_only: bool = False


def over(fact: Fact) -> Over | None:
    """What the fact makes needless."""
    match fact:
        case IncidentAcknowledged(incident=id_, by=by):
            return Over(id_, f"acknowledged by {by}")
        case IncidentAssigned(incident=id_, to=to) if to:
            return Over(id_, f"assigned to {to}")
        case IncidentResolved(incident=id_):
            return Over(id_, "resolved")
        case IncidentClosed(incident=id_):
            return Over(id_, "closed")
        case IncidentMerged(incident=id_):
            return Over(id_, "merged into another incident", calls_only=True)
        case EscalationEnded(incident=id_, reason=reason) if reason != EXHAUSTED:
            return Over(id_, reason, calls_only=True)
        case _:
            return None


def reopened(fact: Fact) -> UUID | None:
    """The incident about which people are told again."""
    return fact.incident if isinstance(fact, IncidentReopened) else None


def is_withdrawn(fact: NotificationIssued, over: Over) -> bool:
    """Whether the notification is made needless. What a playbook has to say of a critical matter is told in any case:
    it says what was done or could not be done, and that does not end with the alarm."""
    if fact.incident != over.incident:
        return False
    if fact.kind == "escalation":
        return True
    return fact.kind == "playbook" and fact.priority != "critical" and not over.calls_only
