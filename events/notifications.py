"""Notifications: intents of the brains to tell somebody, and what became of them. Only the notifier sends."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.types import Instant, Priority

NotificationKind = Literal["playbook", "escalation", "digest", "handover"]


class NotificationIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="notification.issued"):
    """Attributes:
    to: a position or a person; persons: who that was by the calendar then; (): the notifier asks the calendar.
    incident, run, step: what it is about; None and "" where there is none.
    not_after: later than this nobody is told; None: the notifier's own limit.
    """

    notification: UUID
    to: str
    text: str
    priority: Priority
    incident: UUID | None = None
    run: UUID | None = None
    step: str = ""
    kind: NotificationKind = "playbook"
    persons: tuple[str, ...] = ()
    not_after: Instant | None = None


class NotificationDelivered(Struct, frozen=True, kw_only=True, tag_field="type", tag="notification.delivered"):
    """The channel took it. `attempt` counts from 1."""

    notification: UUID
    person: str
    channel: str
    attempt: int


class NotificationFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="notification.failed"):
    """The channel did not take it. `final`: it is not tried again."""

    notification: UUID
    person: str
    channel: str
    attempt: int
    reason: str
    final: bool


class NotificationWithdrawn(Struct, frozen=True, kw_only=True, tag_field="type", tag="notification.withdrawn"):
    """Not sent, or not tried again: acknowledged, shelved or over before it went out."""

    notification: UUID
    reason: str


NotificationFact = NotificationIssued | NotificationDelivered | NotificationFailed | NotificationWithdrawn
