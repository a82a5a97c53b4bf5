"""What the plant sends down: commands, lock-outs and requests, from the uplink's thread into the loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec
import structlog

from edge.connection import Receive
from edge.executor import Executor
from edge.home import Home
from edge.journal import Journal
from events import codec
from events.envelope import InputFailed, Reported, event
from events.requests import Request
from events.topics import command_topic, lock_topic, request_topic
from events.types import from_micros, make_id

_KEPT = 100_000
_log = structlog.get_logger("edge.inbox")
Take = Callable[[bytes, Callable[[], None]], None]
"""Raises DecodeError or TypeError when the bytes are not what they should be."""


def receivers(
    loop: asyncio.AbstractEventLoop, journal: Journal, executor: Executor, home: Home
) -> dict[str, tuple[int, Receive]]:
    """By topic: QoS, and what the uplink calls. Acknowledged is what is on disk."""

    def command(payload: bytes, remembered: Callable[[], None]) -> None:
        executor.receive(codec.decode_event(payload), remembered)

    def lock_out(payload: bytes, remembered: Callable[[], None]) -> None:
        if payload:
            executor.lock_out(codec.decode_event(payload), remembered)
        else:
            remembered()  # somebody took the retained message away: what is known of the device stays

    def request(payload: bytes, decided: Callable[[], None]) -> None:
        record = codec.decode_record(payload)
        if not isinstance(record, Request):
            raise TypeError(f"{type(record).__name__} is no request")
        home.ask(record, decided)

    return {
        command_topic(journal.edge): (1, _receiver(loop, journal, command)),
        lock_topic(journal.edge, "+"): (1, _receiver(loop, journal, lock_out)),
        request_topic(journal.edge): (1, _receiver(loop, journal, request)),
    }


def _receiver(loop: asyncio.AbstractEventLoop, journal: Journal, take: Take) -> Receive:
    def in_the_loop(payload: bytes, acknowledge: Callable[[], None]) -> None:
        try:
            take(payload, acknowledge)
        except (msgspec.DecodeError, TypeError) as error:
            _unreadable(journal, payload, error)
            acknowledge()

    def receive(payload: bytes, acknowledge: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: not acknowledged, so it comes again
            loop.call_soon_threadsafe(in_the_loop, payload, acknowledge)

    return receive


def _unreadable(journal: Journal, payload: bytes, error: Exception) -> None:
    """Tell the plant; waiting for it to become readable would hold up all others."""
    _log.error("message_unreadable", reason=str(error))
    author = f"edge {journal.edge}"
    fact = InputFailed(stage=author, error=f"{type(error).__name__}: {error}", input=payload[:_KEPT])
    cause = make_id("message", journal.source, payload[:_KEPT].hex())
    told = event(fact, at=from_micros(time.time_ns() // 1000), area="*", cause=cause, author=author, index=0)
    journal.append("events", lambda source, sequence: codec.encode(Reported(source, sequence, (told,))))
