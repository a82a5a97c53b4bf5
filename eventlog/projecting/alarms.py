"""Facts of alarms: occurrences by their id, overrides by the name of the alarm.

An override ends without a word about an occurrence that was gone by then: that one is over. `seen_position` of an
occurrence and `shown_position` of its alarm say so: the log's positions, because they have the order of the brain's
facts, and their times (of a sample, of a tick) have not.
"""

from __future__ import annotations

from typing import Any

from eventlog.change import Change
from events import alarms as a
from events.envelope import Event
from events.types import PRIORITIES


def of_alarms(event: Event, position: int) -> tuple[Change, ...]:
    """What a fact about one occurrence changes."""
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case a.AlarmRaised() as f:
            return _raised(event, f, position)
        case a.AlarmBecameLive() as f:
            values = {"late": False}
        case a.AlarmLevelChanged() as f:
            values = {"priority": f.priority, "urgency": PRIORITIES.index(f.priority), "message": f.message}
            if PRIORITIES.index(f.own_priority) >= PRIORITIES.index(
                f.priority
            ):  # it is, or was, the highest that holds
                # when the highest has gone, the limit of the one that is left is not said
                values |= {"value": f.value, "limit_value": f.limit if f.holds else None}
                values |= {"silenced": False} if f.holds else {}
            values |= _UNACKNOWLEDGED if f.again else {}
        case a.AlarmAcknowledged() as f:
            values = {"acknowledged": True, "acknowledged_at": at, "acknowledged_by": f.by, "comment": f.comment}
        case a.AlarmCleared() as f:
            values = {
                "active": False, "cleared_at": at, "clear_reason": f.reason, "latched": f.latched,
                "ringback": f.ringback, "fleeting": f.fleeting, "seen_position": position,
            }  # fmt: skip
            values |= _UNACKNOWLEDGED if f.ringback else {}
        case a.AlarmReset() as f:
            values = {"latched": False, "reset_at": at, "reset_by": f.by}
        case a.AlarmReannounced() as f:
            values = _UNACKNOWLEDGED | {"times": f.times, "announce_reason": f.reason, "seen_position": position}
        case a.AlarmSilenced() as f:
            values = {"silenced": True}
        case a.AlarmStale() as f:
            values = {"stale": True}
        case a.AlarmHeldBack() as f:
            values = {"held_back": True, "held_back_reason": f.reason}
        case a.AlarmReleased() as f:
            values = {"held_back": False, "held_back_reason": ""}
        case _:
            return ()
    return (Change("alarms", (f.alarm,), values),)


_UNACKNOWLEDGED: dict[str, Any] = {
    "acknowledged": False, "acknowledged_at": None, "acknowledged_by": None, "comment": None, "silenced": False,
}  # fmt: skip
"""Again to be acknowledged: who did before is in the log, not in what is true now."""


def _raised(event: Event, f: a.AlarmRaised, position: int) -> tuple[Change, ...]:
    name = f.name or f.rule
    values: dict[str, Any] = {
        "area": event.area, "name": name, "rule": f.rule, "rule_version": f.rule_version, "kind": f.kind,
        "point": f.point, "priority": f.priority, "message": f.message, "value": f.value, "limit_value": f.limit,
        "unit": f.unit, "began": f.began, "raised_at": event.at, "active": True, "acknowledged": False,
        "late": f.late, "latched": False, "ringback": False, "silenced": False, "held_back": False, "stale": False,
        "fleeting": False, "first_out": f.first_out, "group_name": f.group, "times": 0, "seen_position": position,
        "urgency": PRIORITIES.index(f.priority),
    }  # fmt: skip
    current = Change("alarm_names", (event.area, name), {"alarm": f.alarm})
    raised = Change("alarms", (f.alarm,), values)
    if f.replaces is None:
        return raised, current
    return raised, current, Change("alarms", (f.replaces,), {"replaced_by": f.alarm})


def of_overrides(event: Event, position: int) -> tuple[Change, ...]:
    """What a fact about an alarm whatever its occurrence, a locked device or a flood changes."""
    at, area = event.at, event.area
    match event.fact:
        case a.AlarmShelved() as f:
            return _begins(event, f.name, "shelved", "", f.by, f.reason, until=f.until, one_shot=f.one_shot)
        case a.AlarmSuppressed() as f:
            return _begins(event, f.name, "suppressed", f.cause, f.by, f.reason, until=f.until)
        case a.AlarmTakenOutOfService() as f:
            return _begins(event, f.name, "out of service", "", f.by, f.reason, until=f.until, device=f.device)
        case a.AlarmUnshelved() as f:
            return _ends(event, f.name, "shelved", "", f.by, f.reason, position)
        case a.AlarmUnsuppressed() as f:
            return _ends(event, f.name, "suppressed", f.cause, f.by, f.reason, position)
        case a.AlarmReturnedToService() as f:
            return _ends(event, f.name, "out of service", "", f.by, f.reason, position)
        case a.AlarmChattering() as f:
            values = {
                "chattering": True, "chattering_since": at, "chatter_times": f.times, "chatter_within_s": f.within_s,
            }  # fmt: skip
            return (Change("alarm_names", (area, f.name), values),)
        case a.AlarmSettled() as f:
            return (Change("alarm_names", (area, f.name), {"chattering": False}),)
        case a.DeviceLockedOut() as f:
            return (_locked(event, f.device, by=f.by, reason=f.reason, until=f.until, at=at),)
        case a.DeviceReleased() as f:
            return (_locked(event, f.device),)
        case a.FloodBegan() as f:
            values = {"began_at": at, "alarms": f.alarms, "first_out": f.first_out, "ended_at": None}
            return (Change("floods", (area, f.scope), values),)
        case a.FloodEnded() as f:
            return (Change("floods", (area, f.scope), {"ended_at": at}),)
        case _:
            return ()


def _begins(
    event: Event, name: str, kind: a.Override, cause: str, by: str, reason: str, **more: Any
) -> tuple[Change, ...]:  # fmt: skip
    values = {
        "by": by, "reason": reason, "since": event.at, "until": None, "one_shot": False, "device": "", "ended_at": None,
        "ended_by": None, "end_reason": None,
    }  # fmt: skip
    return (Change("alarm_overrides", (event.area, name, kind, cause), values | more),)


def _ends(
    event: Event, name: str, kind: a.Override, cause: str, by: str, reason: str, position: int
) -> tuple[Change, ...]:  # fmt: skip
    ended = {"ended_at": event.at, "ended_by": by, "end_reason": reason}
    return (
        Change("alarm_overrides", (event.area, name, kind, cause), ended),
        Change("alarm_names", (event.area, name), {"shown_position": position}),
    )


def _locked(event: Event, device: str, by: Any = None, reason: Any = None, until: Any = None, at: Any = None) -> Change:
    values = {"locked_at": at, "locked_by": by, "locked_reason": reason, "locked_until": until}
    return Change("devices", (device,), {"area": event.area, **values})
