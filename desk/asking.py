"""Asking and waiting for the answer: a request to the home of an area, and what the log says it caused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID, uuid4

from msgspec import Struct
from msgspec.structs import replace

from analytics.rows import Answer
from desk.sending import NotSentError, Sender
from events.requests import AllowActing, Request, RequestBody, Role, StopActing
from events.types import Instant

EXPIRES_AFTER = timedelta(seconds=30)
"""A request that waited longer (Kafka or the stage was away) is refused: who asked has stopped waiting for it."""
HANDS_OFF_EXPIRES_AFTER = timedelta(days=7)
"""An edge that was away must hear of hands off, and on again, when it is back."""
ANSWER_WITHIN_S = 2.0
_PAUSES_S = (0.01, 0.02, 0.03, 0.05)
"""Between two looks into the log; the last one from there on."""


class Reply(Struct, frozen=True, kw_only=True):
    """What became of a request.

    Attributes:
        request: its id; asked again with the same id it acts once.
        outcome: "unanswered": sent, and until it `expires` it may still be done. "not sent": of one of several
            (`ask_each`); nobody knows whether it arrives.
        facts: the types of what it caused. reason: of a refusal.
        waited_s: from sending to the answer; expires: None where it was answered before.
    """

    request: UUID
    outcome: Literal["accepted", "refused", "unanswered", "not sent"]
    expires: Instant | None
    area: str = ""
    facts: tuple[str, ...] = ()
    reason: str = ""
    waited_s: float = 0.0


Asked = tuple[str, RequestBody, UUID | None]
"""Area, what is asked, and the id of the first attempt where it is a retry."""


class Answers(Protocol):
    def answer(self, request: UUID) -> Answer | None:
        """What the log says about the request; None while it says nothing."""


def expiry(body: RequestBody) -> timedelta:
    """How long it may be done after it was asked for."""
    return HANDS_OFF_EXPIRES_AFTER if isinstance(body, StopActing | AllowActing) else EXPIRES_AFTER


def _now() -> datetime:
    return datetime.now(UTC)


class Desk:
    """Thread-safe as far as its parts are. `clock`, `timer` and `sleep` are given in tests."""

    def __init__(
        self, sender: Sender, answers: Answers, *, within_s: float = ANSWER_WITHIN_S,
        clock: Callable[[], datetime] = _now, timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._sender, self._answers, self._within_s = sender, answers, within_s
        self._clock, self._timer, self._sleep = clock, timer, sleep

    def ask(
        self, area: str, body: RequestBody, *, by: str, role: Role, id_: UUID | None = None,
        expires_after: timedelta | None = None,
    ) -> Reply:  # fmt: skip
        """Send the request and wait for its answer. A retry gives the id of the first attempt. `expires_after`: None
        as `expiry` says.

        Raises:
            NotSentError: it is not known to be durable.
        """
        reply = self.ask_each([(area, body, id_)], by=by, role=role, expires_after=expires_after)[0]
        if reply.outcome == "not sent":
            raise NotSentError(reply.reason)
        return reply

    def ask_each(
        self, asked: Sequence[Asked], *, by: str, role: Role, expires_after: timedelta | None = None
    ) -> list[Reply]:
        """As `ask`, of several areas: all are sent before the first answer is waited for."""
        now, began = self._clock(), self._timer()
        requests = [
            Request(
                id=id_ or uuid4(), area=area, at=now, by=by, role=role, expires=now + (expires_after or expiry(body)),
                body=body,
            )
            for area, body, id_ in asked
        ]  # fmt: skip
        again = {id_ for _, _, id_ in asked}
        replies = {r.id: self._send(r, again=r.id in again) for r in requests}
        for pause in _pauses():
            for id_ in [id_ for id_, reply in replies.items() if reply.outcome == "unanswered"]:
                waited = self._timer() - began
                answer = self._answers.answer(id_)
                replies[id_] = _told(replies[id_], answer, waited) if answer else replace(replies[id_], waited_s=waited)
            waiting = any(reply.outcome == "unanswered" for reply in replies.values())
            if not waiting or self._timer() - began + pause > self._within_s:
                break
            self._sleep(pause)
        return list(replies.values())

    def _send(self, request: Request, *, again: bool) -> Reply:
        """The reply so far; `again`: it may have been asked, and answered, before."""
        reply = Reply(request=request.id, outcome="unanswered", expires=request.expires, area=request.area)
        if again and (before := self._answers.answer(request.id)) is not None:
            return _told(reply, before, 0.0)
        try:
            self._sender.send(request)
        except NotSentError as error:
            return replace(reply, outcome="not sent", reason=error.reason)
        return reply

    def answered(self, id_: UUID) -> Reply | None:
        """What became of an earlier request; None while there is no answer."""
        answer = self._answers.answer(id_)
        return None if answer is None else _told(Reply(request=id_, outcome="unanswered", expires=None), answer, 0.0)


def _pauses() -> Iterator[float]:
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]


def _told(reply: Reply, answer: Answer, waited_s: float) -> Reply:
    return replace(
        reply, outcome="accepted" if answer.accepted else "refused", facts=answer.facts, reason=answer.reason,
        waited_s=waited_s,
    )  # fmt: skip
