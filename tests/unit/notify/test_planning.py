"""Whom a notification goes to, and what is said where it reaches nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.notifications import NotificationDelivered, NotificationFailed
from events.types import Priority
from notify.planning import People, message, not_after, plan, report, wait
from tests.unit.notify.notes import AT, MAIL, PEOPLE, PHONE, issued, note


def test_who_is_on_call_is_told_over_every_channel_that_takes_the_priority() -> None:
    given = issued()
    assert plan(given, note(given), PEOPLE, AT).deliveries == (("anna", "mail"), ("anna", "phone"))
    low = issued(priority="medium")
    assert plan(low, note(low), PEOPLE, AT).deliveries == (("anna", "mail"),)


def test_persons_that_the_brain_named_are_told_whoever_is_on_call_now() -> None:
    given = issued(persons=("ben", "anna", "anna"))
    found = plan(given, note(given), PEOPLE, AT)
    assert found.deliveries == (("anna", "mail"), ("anna", "phone"))
    assert [(f.person, f.reason) for f in found.failed] == [("ben", "ben has no channel in people/*.yaml")]


def test_who_took_the_position_over_is_told_in_place_of_the_calendar() -> None:
    given = issued()
    assert {f.person for f in plan(given, note(given), PEOPLE, AT, "ben").failed} == {"ben"}
    named = issued(persons=("anna",))
    assert plan(named, note(named), PEOPLE, AT, "ben").failed == ()


@pytest.mark.parametrize(
    ("to", "hours", "priority", "people", "reason"),
    [
        ("lead", 8, "high", PEOPLE, "nobody is on call for lead"),
        ("leed", 0, "high", PEOPLE, "people/*.yaml has no position or person 'leed'"),
        ("lead", 0, "high", People({}, {}), "people/*.yaml has no position or person 'lead'"),
        ("ben", 0, "high", PEOPLE, "ben has no channel in people/*.yaml"),
        ("anna", 0, "low", replace(PEOPLE, persons={"anna": replace(PEOPLE.persons["anna"], channels=[PHONE])}),
         "no channel of anna takes the priority low"),
        ("anna", 0, "high", replace(PEOPLE, simulated=True),
         "the devices of this plant are simulated: nobody is called"),
    ],
)  # fmt: skip
def test_whoever_cannot_be_reached_is_said_with_the_reason(
    to: str, hours: int, priority: Priority, people: People, reason: str
) -> None:
    given = issued(to=to, priority=priority, valid_s=24 * 3600)
    found = plan(given, note(given), people, AT + timedelta(hours=hours))
    assert found.deliveries == ()
    assert [(f.reason, f.final, f.attempt) for f in found.failed] == [(reason, True, 0)]


def test_in_a_simulated_plant_only_channels_for_that_are_used() -> None:
    channels = [MAIL, replace(PHONE, simulated=True)]
    people = People(PEOPLE.positions, {"anna": replace(PEOPLE.persons["anna"], channels=channels)}, simulated=True)
    given = issued()
    assert plan(given, note(given), people, AT).deliveries == (("anna", "phone"),)


def test_what_is_late_is_never_told_and_of_what_is_stale_nothing_is_said() -> None:
    given = issued(valid_s=600)
    late = plan(given, note(given), PEOPLE, AT + timedelta(seconds=600))
    assert late.deliveries == ()
    assert late.failed[0].reason == "too late: it was to be told by 2026-11-22 12:10:00 UTC"
    stale = plan(given, note(given), PEOPLE, AT + timedelta(days=1, seconds=1))
    assert (stale.deliveries, stale.failed) == ((), ())


def test_without_a_limit_of_its_own_a_notification_is_worth_telling_for_an_hour() -> None:
    given = issued(valid_s=None)
    assert not_after(given, note(given)) == AT + timedelta(hours=1)


def test_retries_come_after_1_2_4_seconds_and_then_every_five_minutes() -> None:
    waits = [wait(n).total_seconds() for n in (1, 2, 3, 9, 10, 100)]
    assert waits == [1, 2, 4, 256, 300, 300]


def test_the_same_outcome_is_the_same_event_and_two_attempts_are_two() -> None:
    given = issued()
    fact = NotificationFailed(notification=note(given).notification, person="anna", channel="mail", attempt=1,
                              reason="no route", final=False)  # fmt: skip
    one = report(given, fact, AT)
    assert one == report(given, fact, AT)
    assert (one.events[0].cause, one.events[0].area, one.events[0].author) == (given.id, "shop/press", "notifier")
    delivered = NotificationDelivered(notification=fact.notification, person="anna", channel="mail", attempt=2)
    others = [report(given, f, AT) for f in (replace(fact, attempt=2), replace(fact, final=True), delivered)]
    assert len({r.events[0].id for r in (one, *others)}) == 4


def test_a_message_says_what_where_and_for_whom_and_can_be_known_again() -> None:
    given = issued(priority="critical")
    title, text = message(given, note(given))
    assert title == "CRITICAL: shop/press"
    assert text.splitlines()[0] == "Press: look at it"
    assert text.endswith(f"For lead · 2026-11-22 12:00:00 UTC · ref {str(note(given).notification)[:8]}")
