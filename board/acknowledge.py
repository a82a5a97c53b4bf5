"""Requests on their way: what was sent for whom, and what the log answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from analytics.rows import Answer
from desk.asking import EXPIRES_AFTER, expiry
from events.requests import AcknowledgeAlarm, AcknowledgeIncident, Request, RequestBody, Role
from events.types import Priority


class Target(NamedTuple):
    """What an acknowledgement names. Attributes: seen: the alarms of the incident that the browser showed when the
    button was pressed: one that joined since is not acknowledged with it; priority: of the alarm, as it was shown."""

    kind: Literal["incident", "alarm"]
    id: UUID
    area: str
    seen: tuple[UUID, ...] = ()
    priority: Priority | None = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


def acknowledgement(target: Target, comment: str) -> RequestBody:
    return (
        AcknowledgeIncident(incident=target.id, comment=comment, seen=target.seen)
        if target.kind == "incident"
        else AcknowledgeAlarm(alarm=target.id, comment=comment, priority=target.priority)
    )


def request(area: str, body: RequestBody, *, id_: UUID, at: datetime, by: str, role: Role = "operator") -> Request:
    """The request; `id_` is new for each press of the button, a retry of the same press keeps it."""
    return Request(id=id_, area=area, at=at, by=by, role=role, expires=at + expiry(body), body=body)


class Receipt(NamedTuple):
    """One press of the button.

    Attributes: request: None if none was made; failed: why it is not known to be sent; answer: the log's, None before;
    does: what is said when it was done.
    """

    request: UUID | None
    sent_at: datetime
    by: str = ""
    failed: str = ""
    answer: Answer | None = None
    does: str = "Acknowledged"

    def tell(self, now: datetime) -> tuple[Literal["sent", "done", "refused"], str]:
        """How it stands, as (tone, words)."""
        if self.answer is not None and self.answer.accepted:
            return "done", f"{self.does} by {self.by}: it stands in the log."
        if self.answer is not None:
            return "refused", f"Refused: {self.answer.reason}"
        if self.request is None:
            return "refused", f"Not sent: {self.failed}."
        if now - self.sent_at > EXPIRES_AFTER:
            return "refused", "No answer: the request has expired and will not act. Try again."
        if self.failed:
            return "refused", f"Not sent: {self.failed}. Do not count on it."
        return "sent", "Sent, waiting for the answer…"
