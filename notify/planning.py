"""Whom a notification goes to, over which channels, and until when; what is reported of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct

from events.envelope import Event, Reported
from events.notifications import NotificationDelivered, NotificationFailed, NotificationIssued, NotificationWithdrawn
from events.types import PRIORITIES, make_id
from incidents.definition import Position
from incidents.people_file import Person
from incidents.roster import reached
from ingest.gather import SOURCE, content_number

AUTHOR = "notifier"
Outcome = NotificationDelivered | NotificationFailed | NotificationWithdrawn
VALID = timedelta(hours=1)
"""A notification that does not say how long it is worth telling is not told later than this."""
STALE = timedelta(days=1)
"""Of what is older nothing is said at all: positions were lost, not a notification."""
FIRST_RETRY, LAST_RETRY = timedelta(seconds=1), timedelta(minutes=5)


class People(Struct, frozen=True):
    """The plant's files at one moment. Attributes: simulated: its devices are, so only channels for that are used."""

    positions: Mapping[str, Position]
    persons: Mapping[str, Person]
    simulated: bool = False


class Plan(Struct, frozen=True):
    """Attributes: deliveries: (person, channel) each; failed: what is known to reach nobody."""

    deliveries: tuple[tuple[str, str], ...] = ()
    failed: tuple[NotificationFailed, ...] = ()


def not_after(issued: Event, fact: NotificationIssued) -> datetime:
    """Nobody is told later than this."""
    return issued.at + VALID if fact.not_after is None else fact.not_after


def plan(issued: Event, fact: NotificationIssued, people: People, now: datetime, holder: str = "") -> Plan:
    """Every channel of every person that takes the priority. Whoever cannot be reached is said, with the reason.

    Args:
        holder: who took the position over by hand, "" while the calendar counts.
    """
    if now - issued.at > STALE:
        return Plan()
    if (limit := not_after(issued, fact)) <= now:
        return Plan(failed=(_failed(fact, "", f"too late: it was to be told by {limit:%Y-%m-%d %H:%M:%S} UTC"),))
    persons = fact.persons or ((holder,) if holder else reached(fact.to, people.positions, now))
    if not persons:
        return Plan(failed=(_failed(fact, "", f"nobody is on call for {fact.to}"),))
    deliveries: list[tuple[str, str]] = []
    failed: list[NotificationFailed] = []
    for name in dict.fromkeys(persons):
        channels, reason = _channels(name, fact, people)
        deliveries += [(name, channel) for channel in channels]
        failed += [_failed(fact, name, reason)] if reason else []
    return Plan(tuple(deliveries), tuple(failed))


def _channels(name: str, fact: NotificationIssued, people: People) -> tuple[tuple[str, ...], str]:
    person = people.persons.get(name)
    if person is None:
        return (), f"people/*.yaml has no position or person '{name}'"
    if not person.channels:
        return (), f"{name} has no channel in people/*.yaml"
    rank = PRIORITIES.index(fact.priority)
    taking = [c for c in person.channels if PRIORITIES.index(c.min_priority) <= rank]
    if not taking:
        return (), f"no channel of {name} takes the priority {fact.priority}"
    usable = tuple(c.channel for c in taking if c.simulated or not people.simulated)
    return usable, "" if usable else "the devices of this plant are simulated: nobody is called"


def _failed(fact: NotificationIssued, person: str, reason: str) -> NotificationFailed:
    return NotificationFailed(
        notification=fact.notification, person=person, channel="", attempt=0, reason=reason, final=True
    )


def wait(attempts: int) -> timedelta:
    """How long to wait after so many attempts have failed: 1, 2, 4 s … up to 5 min."""
    factor: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_RETRY * factor, LAST_RETRY)


def report(issued: Event, fact: Outcome, at: datetime) -> Reported:
    """An outcome as it goes to topic `incidents`; the same outcome is always the same event."""
    match fact:
        case NotificationDelivered() | NotificationFailed():
            final = isinstance(fact, NotificationFailed) and fact.final  # given up after the attempt that failed too
            parts: tuple[object, ...] = (fact.person, fact.channel, fact.attempt, type(fact).__name__, final)
        case NotificationWithdrawn():
            parts = ("withdrawn",)
        case _:
            assert_never(fact)
    told = Event(make_id(issued.id, AUTHOR, *parts), at, issued.area, issued.id, AUTHOR, fact)
    return Reported(f"{SOURCE}{AUTHOR}", content_number((), told.id.bytes), (told,))


def message(issued: Event, fact: NotificationIssued) -> tuple[str, str]:
    """Title and text. The reference is the same whenever it is sent: a message that comes twice can be told."""
    title = f"{fact.priority.upper()}: {issued.area}"
    lines = [fact.text, "", f"For {fact.to} · {issued.at:%Y-%m-%d %H:%M:%S} UTC · ref {str(fact.notification)[:8]}"]
    return title, "\n".join(lines)
