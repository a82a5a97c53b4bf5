"""Errands: what a playbook has done outside devices. Intents; the process `errands` carries them out.

An errand is known by its id and its `key`: all attempts of one step share the key, so that the other side, too, can
tell a retry from a second order.
"""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from events.requests import Request
from events.types import Instant


class HttpIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="http.issued"):
    """Call another system: `errand == make_id("errand", run, step, attempt)`, `key == make_id("errand", run, step)`.

    Attributes:
        key: sent as `Idempotency-Key`.
        url, headers, body: with `{secret.NAME}` where the errands process puts a secret of its own; none is in the log.
        expect: status codes that mean success; (): 200 to 299.
        save: result name -> JSON pointer into the answer ("/ticket/id").
        not_after: it is not begun later; timeout_s: of one call.
    """

    errand: UUID
    key: UUID
    run: UUID
    step: str
    attempt: int
    method: str
    url: str
    not_after: Instant
    author: str
    incident: UUID | None = None
    headers: dict[str, str] = {}
    body: str = ""
    expect: tuple[int, ...] = ()
    save: dict[str, str] = {}
    timeout_s: float = 10.0


class MessageIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="message.issued"):
    """Publish to MQTT, QoS 1. Topics of Andon's own (`andon/…`) are refused: no device is moved that way."""

    errand: UUID
    run: UUID
    step: str
    attempt: int
    topic: str
    payload: str
    not_after: Instant
    author: str
    incident: UUID | None = None
    retain: bool = False


class RequestIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="request.issued"):
    """Ask the incidents stage: comment, assign, priority, close. Its answer has `request.id` as cause."""

    run: UUID
    step: str
    attempt: int
    request: Request


class ErrandDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="errand.done"):
    """Attributes: status: of HTTP, 0 else; result: what was saved of the answer."""

    errand: UUID
    status: int = 0
    result: dict[str, bool | float | str] = {}


class ErrandFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="errand.failed"):
    """`final`: the same errand would fail again (refused, not allowed, 4xx)."""

    errand: UUID
    reason: str
    status: int = 0
    final: bool = False


ErrandFact = HttpIssued | MessageIssued | RequestIssued | ErrandDone | ErrandFailed
