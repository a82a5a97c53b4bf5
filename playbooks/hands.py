"""Hands off: in an area no playbook begins and no device is moved, until somebody says so. And locks of devices. Pure.

A device is locked for maintenance, or since hands are off, or for both: its executor is told both reasons, and it is
free when both have ended.
"""

from __future__ import annotations

from events.notifications import NotificationIssued
from events.playbooks import ActingAllowed, ActingStopped
from events.types import make_id
from playbooks import endings
from playbooks.area import Area, hands_off
from playbooks.desk import Desk, Here

_TO = "shift_lead"


def stop(desk: Desk, here: Here, by: str, reason: str) -> None:
    """Runs end as they are: nothing is undone, since undoing moves devices."""
    area, why = desk.area(here.area), hands_off(by, reason)
    desk.say(f"person {by}", here, ActingStopped(by=by, reason=reason))
    runs, doubts = list(area.runs.values()), []
    for run in runs:
        left = endings.drop(desk.turn(here, run), why, told=True)
        doubts += [f"step {place} of {run.playbook} ({endings.short(reason)})" for place, reason in left.items()]
    for device in devices_of(desk, here.area):
        desk.lock(here, device, _both(maintenance(area, device), why))
    if runs:
        look = f" Go and look at {', '.join(doubts)}." if doubts else ""
        names = ", ".join(sorted({run.playbook for run in runs}))
        desk.say("playbooks", here, NotificationIssued(
            notification=make_id("notification", "hands off", here.area, here.cause), to=_TO, priority="critical",
            text=f"{here.area}: {why}. {len(runs)} runs were ended and nothing was undone: {names}.{look}",
        ))  # fmt: skip


def allow(desk: Desk, here: Here, by: str, reason: str) -> None:
    area = desk.area(here.area)
    left = {device: maintenance(area, device) for device in area.locked}
    desk.say(f"person {by}", here, ActingAllowed(by=by, reason=reason))
    for device, still in left.items():
        desk.lock(here, device, still)


def maintain(desk: Desk, here: Here, device: str, reason: str) -> None:
    """It goes into maintenance for that reason; "": it is back from there."""
    desk.lock(here, device, _both(reason, desk.area(here.area).off))


def devices_of(desk: Desk, area: str) -> list[str]:
    return [name for name, device in desk.memory.devices.items() if device.area == area]


def maintenance(area: Area, device: str) -> str:
    """Why the device is in maintenance; "": it is not."""
    reason = area.locked.get(device, "")
    if not area.off:
        return reason
    return "" if reason == area.off else reason.removesuffix(f"; {area.off}")


def _both(maintained: str, off: str) -> str:
    return "; ".join(reason for reason in (maintained, off) if reason)
