"""What the dispatcher does with one decision. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from msgspec import Struct

from events.devices import CommandRefused
from events.envelope import Decision, Event, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.requests import Request, RequestRefused
from ingest.gather import SOURCE, content_number

STALE = timedelta(days=1)
"""Later than this nobody is told that a command was late: positions were lost, not a command."""


class Work(Struct, frozen=True):
    """What a decision asks for: commands for edges, lock-outs of their devices."""

    commands: tuple[Event, ...] = ()
    locks: tuple[Event, ...] = ()


def work(decision: Decision) -> Work:
    return Work(
        tuple(e for e in decision.events if isinstance(e.fact, CommandIssued)),
        tuple(e for e in decision.events if isinstance(e.fact, LockOutIssued)),
    )


def expiry_s(command: CommandIssued, now: datetime) -> int:
    """For how long the broker may keep the command [s, >= 1]; 0 when it is late."""
    return left_s(command.not_after, now)


def left_s(until: datetime, now: datetime) -> int:
    """Whole seconds until then, at least 1; 0 when it is over."""
    left = (until - now).total_seconds()
    return max(1, math.ceil(left)) if left > 0 else 0


def late(issued: Event, now: datetime) -> Reported | None:
    """The report that the command was not sent since it was late; None where nobody waits for it any more."""
    command = _command(issued)
    if now - command.not_after > STALE:
        return None
    reason = f"late: not sent before {command.not_after.isoformat(timespec='milliseconds')}"
    return _report(issued, reason, at=command.not_after)


def unreachable(issued: Event, why: str) -> Reported:
    """The report that the broker took the command for nobody."""
    return _report(issued, f"unreachable: {why}", at=issued.at)


def not_delivered(request: Request, why: str) -> Reported:
    """The report that the broker took the request for nobody."""
    fact = RequestRefused(request=request.id, by=request.by, reason=f"unreachable: {why}")
    return _reported(event(fact, at=request.at, area=request.area, cause=request.id, author="dispatcher", index=0))


def _report(issued: Event, reason: str, *, at: datetime) -> Reported:
    """`at` is no clock's time, so that the same refusal said twice is the same event."""
    command = _command(issued)
    fact = CommandRefused(command=command.command, device=command.device, point=command.point, reason=reason)
    return _reported(event(fact, at=at, area=issued.area, cause=issued.id, author="dispatcher", index=0))


def _reported(told: Event) -> Reported:
    return Reported(f"{SOURCE}dispatcher", content_number((), told.id.bytes), (told,))


def _command(issued: Event) -> CommandIssued:
    if not isinstance(issued.fact, CommandIssued):
        raise TypeError(f"{type(issued.fact).__name__} is no command")
    return issued.fact
