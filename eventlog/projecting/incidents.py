"""Facts of incidents, their escalation, and what became of notifications.

An open incident that is `unconfirmed` is a candidate, also when it was resolved and came back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from eventlog.change import Change
from events import incidents as i
from events import notifications as n
from events.envelope import Event


def of_incidents(event: Event, recorded_at: datetime) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case i.IncidentOpened() as f:
            values = {
                "area": event.area, "number": f.number, "title": f.title, "priority": f.priority,
                "status": "open", "unconfirmed": f.candidate, "point": f.point, "rule": f.rule, "alarm": f.alarm,
                "opened_at": at, "recorded_at": recorded_at, "split_from": f.split_from, "openings": 1,
            }  # fmt: skip
            return Change("incidents", (f.incident,), values), Change("alarms", (f.alarm,), {"incident": f.incident})
        case i.AlarmGrouped() as f:
            return (Change("alarms", (f.alarm,), {"incident": f.incident}),)
        case i.IncidentConfirmed() as f:
            values = {"unconfirmed": False, "confirmed_at": at, "confirmed_by": f.by, "confirm_reason": f.reason}
        case i.IncidentPriorityChanged() as f:
            values = {"priority": f.priority}
        case i.IncidentAcknowledged() as f:
            values = {"acknowledged_at": at, "acknowledged_by": f.by}
        case i.IncidentAssigned() as f:
            values = {"assigned_to": f.to, "assigned_at": at, "assigned_by": f.by}
        case i.IncidentMerged() as f:
            values = {"status": "merged", "merged_into": f.into}
        case i.IncidentResolved() as f:
            values = {"status": "resolved", "resolved_at": at}
        case i.IncidentReopened() as f:
            values = {
                "status": "open", "openings": f.opening, "reopened_at": at, "reopen_reason": f.reason,
                "resolved_at": None, "closed_at": None, "acknowledged_at": None, "acknowledged_by": None,
            }  # fmt: skip
            values |= {"unconfirmed": False} if f.alarm is None else {}  # a person did it
        case i.IncidentClosed() as f:
            values = {
                "status": "closed", "closed_at": at, "closed_by": f.by, "cause": f.cause, "action": f.action,
                "useful": f.useful, "close_comment": f.comment,
            }  # fmt: skip
        case i.EscalationStepped() as f:
            values = {
                "policy": f.policy, "step": f.step, "round": f.round, "escalated_to": list(f.to), "escalated_at": at,
                "next_call_at": f.next_at, "escalation_ended": "",
            }  # fmt: skip
        case i.EscalationEnded() as f:
            values = {"policy": f.policy, "next_call_at": None, "escalation_ended": f.reason}
        case _:  # comments, attachments, handovers: the log itself is their record
            return ()
    return (Change("incidents", (f.incident,), values),)


def of_notifications(event: Event) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case n.NotificationIssued() as f:
            values = {
                "run": f.run, "incident": f.incident, "area": event.area, "step": f.step, "to": f.to, "text": f.text,
                "priority": f.priority, "issued_at": at, "kind": f.kind, "persons": list(f.persons),
                "not_after": f.not_after,
            }  # fmt: skip
            return (Change("notifications", (f.notification,), values),)
        case n.NotificationWithdrawn() as f:
            values = {"withdrawn_at": at, "withdrawn_reason": f.reason}
            return (Change("notifications", (f.notification,), values),)
        case n.NotificationDelivered() as f:
            values = {"outcome": "delivered", "attempt": f.attempt, "at": at, "reason": ""}
        case n.NotificationFailed() as f:
            outcome = "failed" if f.final else "retrying"
            values = {"outcome": outcome, "attempt": f.attempt, "at": at, "reason": f.reason}
        case _:
            return ()
    return (Change("deliveries", (f.notification, f.person, f.channel), values),)
