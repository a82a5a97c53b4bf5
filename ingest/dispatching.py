"""What the dispatcher does with one decision, and where it begins to read. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from events.devices import CommandRefused
from events.envelope import Chain, Decision, Event, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.requests import Request, RequestRefused
from ingest.gather import SOURCE, content_number

STALE = timedelta(days=1)
"""Later than this nobody is told that a command was late: positions were lost, not a command."""


class Work(Struct, frozen=True):
    """What a decision asks for: commands for edges, lock-outs of their devices."""

    commands: tuple[Event, ...] = ()
    locks: tuple[Event, ...] = ()


class Follower:
    """Counts decisions of one partition by the chain rule. With `last` None the first one seen is believed."""

    def __init__(self, last: int | None = -1) -> None:
        self._chain = None if last is None else Chain(last)

    @property
    def last(self) -> int | None:
        return None if self._chain is None else self._chain.last

    def take(self, decision: Decision) -> Work:
        """What is to be done; nothing where the decision does not count."""
        if self._chain is None:
            self._chain = Chain(decision.prev)
        if not self._chain.accept(decision):
            return Work()
        return Work(
            tuple(e for e in decision.events if isinstance(e.fact, CommandIssued)),
            tuple(e for e in decision.events if isinstance(e.fact, LockOutIssued)),
        )


class Start(NamedTuple):
    """Attributes: offset: to read next; last: cause of the decision before it, None where that is not known."""

    offset: int
    last: int | None


def start(committed: int | None, metadata: str, beginning: int, end: int) -> Start:
    """Where to go on in a partition that now holds `beginning`..`end`, after what was committed (None: nothing)."""
    if committed is None or committed > end:  # never read, or the topic was made anew
        return Start(beginning, -1 if beginning == 0 else None)
    if committed < beginning:
        return Start(beginning, None)
    text = metadata.removeprefix("last=")
    known = metadata.startswith("last=") and text.lstrip("-").isdigit()
    return Start(committed, int(text) if known else (-1 if committed == 0 else None))


def metadata(last: int | None) -> str:
    """What is committed beside the offset."""
    return "" if last is None else f"last={last}"


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
