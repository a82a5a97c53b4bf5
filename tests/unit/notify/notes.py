"""Notifications, people and channels in short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from events.envelope import Event, event
from events.notifications import NotificationIssued, NotificationKind
from events.types import Priority, make_id
from incidents.definition import Position, Shift
from incidents.people_file import Channel, Person
from notify.planning import People

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
INCIDENT = UUID(int=17)
MAIL = Channel(channel="mail", url="json://127.0.0.1/mail")
PHONE = Channel(channel="phone", url="json://127.0.0.1/phone", min_priority="high")
LEAD = Position(position="lead", shifts=(
    Shift(shift="day", days=(0, 1, 2, 3, 4, 5, 6), begins="06:00", ends="18:00", persons=("anna",)),
))  # fmt: skip
PEOPLE = People(
    {"lead": LEAD}, {"anna": Person(person="anna", channels=[MAIL, PHONE]), "ben": Person(person="ben")}
)


def issued(
    name: str = "n", *, to: str = "lead", persons: tuple[str, ...] = (), priority: Priority = "high",
    kind: NotificationKind = "escalation", valid_s: float | None = 600.0, after_s: float = 0.0,
    incident: UUID | None = INCIDENT,
) -> Event:  # fmt: skip
    at = AT + timedelta(seconds=after_s)
    fact = NotificationIssued(
        notification=make_id(name), to=to, text="Press: look at it", priority=priority, incident=incident, kind=kind,
        persons=persons, not_after=None if valid_s is None else at + timedelta(seconds=valid_s),
    )  # fmt: skip
    return event(fact, at=at, area="shop/press", cause=make_id("cause", name), author="incidents", index=0)


def note(given: Event) -> NotificationIssued:
    assert isinstance(given.fact, NotificationIssued)
    return given.fact
