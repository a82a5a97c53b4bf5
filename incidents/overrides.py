"""Shelved, suppressed, out of service: what keeps an alarm from the operator, who may, for how long, and its end. Pure.

The alarm is evaluated and recorded meanwhile. When the last override ends, one that is active is announced afresh; one
that is not has nothing to say: no burst.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.alarms import (
    AlarmReturnedToService,
    AlarmShelved,
    AlarmSuppressed,
    AlarmTakenOutOfService,
    AlarmUnshelved,
    AlarmUnsuppressed,
    DeviceLockedOut,
    DeviceReleased,
)
from events.requests import (
    ReturnToService,
    ShelveAlarm,
    SuppressAlarm,
    TakeOutOfService,
    UnshelveAlarm,
    UnsuppressAlarm,
)
from incidents.alarm import Alarm, Maintenance
from incidents.errors import RefusedError
from incidents.visibility import disappears, release, steer, suppress, uncovered

if TYPE_CHECKING:
    from incidents.thinking import Thinking

TIME_IS_OVER = "its time is over"

OverrideRequest = ShelveAlarm | UnshelveAlarm | SuppressAlarm | UnsuppressAlarm | TakeOutOfService | ReturnToService


def request(t: Thinking, body: OverrideRequest) -> None:
    """Reason, duration and role are as `permissions.check` wants them.

    Raises:
        RefusedError: there is nothing of that name, or nothing to end.
    """
    match body:
        case ShelveAlarm(name=name, reason=reason):
            _known(t, name)
            until = _until(t, body.duration_s)
            t.say(AlarmShelved(name=name, by=t.by, reason=reason, until=until, one_shot=body.one_shot))
            disappears(t, name)
        case UnshelveAlarm(name=name, reason=reason):
            if _known(t, name).shelf is None:
                raise RefusedError(f"alarm '{name}' is not shelved")
            t.say(AlarmUnshelved(name=name, by=t.by, reason=reason))
            uncovered(t, name, f"no longer shelved, by {t.by}")
        case SuppressAlarm(name=name, reason=reason):
            _known(t, name)
            if t.index.of(t.name, name).safety:
                raise RefusedError(f"'{name}' is a safety alarm: it is never suppressed")
            until = _until(t, body.duration_s)
            t.say(AlarmSuppressed(name=name, cause=f"person {t.by}", by=t.by, reason=reason, until=until))
            disappears(t, name)
        case UnsuppressAlarm(name=name, reason=reason):
            _unsuppress(t, name, reason)
        case TakeOutOfService(name=name, device="") if name:
            _known(t, name)
            until = _until(t, body.duration_s)
            t.say(AlarmTakenOutOfService(name=name, by=t.by, reason=body.reason, until=until))
            disappears(t, name)
        case TakeOutOfService(name="", device=device) if device:
            until = _until(t, body.duration_s)
            _take_out(t, device, Maintenance(t.by, body.reason, until, device))
        case ReturnToService(name=name, device="", reason=reason) if name:
            if _known(t, name).maintenance is None:
                raise RefusedError(f"alarm '{name}' is not out of service")
            t.say(AlarmReturnedToService(name=name, by=t.by, reason=reason))
            uncovered(t, name, f"back in service, by {t.by}")
        case ReturnToService(name="", device=device, reason=reason) if device:
            if device not in t.area.alarms.devices:
                raise RefusedError(f"device '{device}' is not out of service")
            t.say(DeviceReleased(device=device, by=t.by, reason=reason))
            for alarm in [a for a in _overridden(t) if a.maintenance is not None and a.maintenance.device == device]:
                t.say(AlarmReturnedToService(name=alarm.name, by=t.by, reason=reason))
                uncovered(t, alarm.name, f"back in service, by {t.by}")
        case _:
            raise RefusedError("say either an alarm's name or a device")


def due(t: Thinking, name: str) -> None:
    """End what has lasted its time."""
    if (alarm := t.area.alarms.get(name)) is None or not alarm.hidden:
        return
    ended = ""
    if alarm.maintenance is not None and alarm.maintenance.until <= t.now:
        t.say(AlarmReturnedToService(name=name, by="", reason=TIME_IS_OVER))
        ended = "back in service"
    for suppression in alarm.suppressions:
        if suppression.until is not None and suppression.until <= t.now:
            t.say(AlarmUnsuppressed(name=name, cause=suppression.cause, reason=TIME_IS_OVER))
            ended = "no longer suppressed"
    if alarm.shelf is not None and alarm.shelf.until <= t.now:
        t.say(AlarmUnshelved(name=name, by="", reason=TIME_IS_OVER))
        ended = "no longer shelved"
    if ended:
        uncovered(t, name, f"{ended}: {TIME_IS_OVER}")


def device_due(t: Thinking, device: str) -> None:
    maintenance = t.area.alarms.devices.get(device)
    if maintenance is not None and maintenance.until <= t.now:
        t.say(DeviceReleased(device=device, by="", reason=TIME_IS_OVER))


def of_locked_device(t: Thinking, name: str, device: str) -> None:
    """An alarm of a device that is out of service is raised for the first time: it is out of service too."""
    if (maintenance := t.area.alarms.devices.get(device)) is None:
        return
    if t.area.alarms.get(name) is None and name not in t.area.alarms.recent:
        t.say(AlarmTakenOutOfService(
            name=name, by=maintenance.by, reason=maintenance.reason, until=maintenance.until, device=device
        ))  # fmt: skip


def redesign(t: Thinking) -> None:
    """The definition is another one: begin and end what it now says of suppression."""
    alarms = t.area.alarms
    rules = {rule for rule, kind in alarms.noted.values() if kind == "suppression"}
    for alarm in _overridden(t):
        for cause in [s.cause for s in alarm.suppressions if s.until is None]:
            kind, _, by = cause.partition(" ")
            still = (
                (kind == "while" and alarm.name in t.index.steered_by(t.name, by))
                or (kind == "alarm" and alarm.name in t.index.suppressed_by(t.name, by))
            )  # fmt: skip
            if not still:
                release(t, alarm.name, cause, "its definition changed")
    for rule in sorted(rules):
        for name in t.index.steered_by(t.name, rule):
            suppress(t, name, f"while {rule}", f"{rule} holds")
    for name in [n for n in alarms if t.index.suppressed_by(t.name, n)]:
        steer(t, name)


def _unsuppress(t: Thinking, name: str, reason: str) -> None:
    causes = [s.cause for s in _known(t, name).suppressions]
    if not causes:
        raise RefusedError(f"alarm '{name}' is not suppressed")
    by_hand = [c for c in causes if c.startswith("person ")]
    if not by_hand:
        raise RefusedError(f"suppressed by design: {', '.join(causes)}")
    for cause in by_hand:
        t.say(AlarmUnsuppressed(name=name, cause=cause, by=t.by, reason=reason))
    uncovered(t, name, f"no longer suppressed, by {t.by}")


def _take_out(t: Thinking, device: str, maintenance: Maintenance) -> None:
    standing = [n for n in t.area.alarms if (a := t.area.alarms.get(n)) is not None and a.device == device]
    names = dict.fromkeys((*t.index.of_device(t.name, device), *standing))
    if not names:
        raise RefusedError(f"the area has no alarm of a device '{device}'")
    t.say(DeviceLockedOut(device=device, by=t.by, reason=maintenance.reason, until=maintenance.until))
    for name in names:
        alarm = t.area.alarms.get(name)
        own = None if alarm is None else alarm.maintenance
        if own is not None and not own.device and own.until >= maintenance.until:
            continue  # somebody took this alarm out for longer: that stays theirs
        t.say(AlarmTakenOutOfService(
            name=name, by=t.by, reason=maintenance.reason, until=maintenance.until, device=device
        ))  # fmt: skip
        disappears(t, name)


def _known(t: Thinking, name: str) -> Alarm:
    """The alarm of that name, normal or not.

    Raises:
        RefusedError: no file defines it, and it was never raised.
    """
    alarm = t.area.alarms.get(name)
    if alarm is None and not t.index.knows(t.name, name) and name not in t.area.alarms.recent:
        raise RefusedError(f"the area has no alarm '{name}'")
    return alarm or Alarm(name=name)


def _overridden(t: Thinking) -> list[Alarm]:
    return [a for n in t.area.alarms.overridden if (a := t.area.alarms.get(n)) is not None]


def _until(t: Thinking, duration_s: float) -> datetime:
    return max(t.now, t.at) + timedelta(seconds=duration_s)
