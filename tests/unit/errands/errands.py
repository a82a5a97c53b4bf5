"""Errands in short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from events.envelope import Event, Fact, event
from events.errands import HttpIssued, MessageIssued
from events.types import make_id

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
AREA, RUN, INCIDENT = "shop/press", make_id("run"), make_id("incident")


def http(
    name: str = "ticket", attempt: int = 1, *, at: datetime = AT, valid_s: float = 10.0, **more: Any
) -> HttpIssued:
    given: dict[str, Any] = {"method": "POST", "url": "https://cmms.example/tickets"}
    return HttpIssued(
        errand=make_id("errand", RUN, name, attempt), key=make_id("errand", RUN, name), run=RUN, step=name,
        attempt=attempt, not_after=at + timedelta(seconds=valid_s), author="playbook relief@1", incident=INCIDENT,
        **(given | more),
    )  # fmt: skip


def message(name: str = "tell", *, at: datetime = AT, valid_s: float = 10.0, **more: Any) -> MessageIssued:
    given: dict[str, Any] = {"topic": "factory/info", "payload": "the press is stopped"}
    return MessageIssued(
        errand=make_id("errand", RUN, name, 1), run=RUN, step=name, attempt=1,
        not_after=at + timedelta(seconds=valid_s), author="playbook relief@1", **(given | more),
    )  # fmt: skip


def issued(fact: Fact, *, at: datetime = AT) -> Event:
    return event(fact, at=at, area=AREA, cause=make_id("cause", repr(fact)), author="playbook relief@1", index=0)
