"""May this command be tried? The rules of a point, the expiry, the lock-out. Pure: facts in, a reason out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from config import duration
from devices.plant import Device, Point
from events.playbooks import CommandIssued

_FLOAT32 = 2.0**-23


def refusal(
    command: CommandIssued, devices: Mapping[str, Device], *, now: datetime, last_written: datetime | None,
    locked: str | None,
) -> str | None:
    """Why the command is not tried; None when it may be.

    Args: last_written: when the point was last written; locked: why its device is locked out, None when it is not.
    """
    if (reason := expired(command, now)) is not None:
        return reason
    device = devices.get(command.device)
    if device is None:
        return f"unknown device '{command.device}' at this edge"
    point = device.point(command.point)
    if point is None:
        return f"unknown point '{command.point}' of device '{command.device}'"
    if command.kind == "read":  # harmless: neither a lock-out nor a rate forbids it
        return None
    if (rules := point.writable) is None or point.register is None:
        return f"{command.point} is not writable"
    low, high = rules.range
    if not low <= command.value <= high:  # NaN is outside too
        return f"out of range: {command.value:g} is not within {low:g}..{high:g} {point.unit}".rstrip()
    if point.register.type == "bool" and command.value not in (0, 1):
        return f"out of range: {command.value:g} is neither 0 nor 1"
    if locked is not None:
        return locked_out(command.device, locked)
    if last_written is not None:
        every_s = duration.seconds(rules.every)
        wait_s = every_s - (now - last_written).total_seconds()
        if 0 < wait_s <= every_s:  # a clock that was set back does not lock the point
            return f"too often: {command.point} may be written once per {rules.every}, next in {wait_s:.1f} s"
    return None


def locked_out(device: str, why: str) -> str:
    return f"locked out: {device}: {why}"


def expired(command: CommandIssued, now: datetime) -> str | None:
    """Why it is too late, None when it is not."""
    if now <= command.not_after:
        return None
    late_s = (now - command.not_after).total_seconds()
    return f"late: {late_s:.3f} s after it expired at {command.not_after.isoformat()}"


def agrees(point: Point, wanted: float, read: float, tolerance: float) -> bool:
    """Whether the read-back shows the value: within the tolerance, and what the register's own steps make of it."""
    step = 0.0
    if point.register is not None:
        match point.register.type:
            case "bool":
                return read == wanted
            case "float32":
                step = abs(wanted) * _FLOAT32
            case "float64":
                step = abs(wanted) * 1e-15
            case _:
                step = abs(point.scale) / 2 * (1 + 1e-9)
    return abs(read - wanted) <= tolerance * (1 + 1e-9) + step
