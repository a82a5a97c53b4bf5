"""Who is on call when: shifts over midnight, weeks in turn, holidays, replacements, clocks that change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from incidents.definition import Position, Replacement, Shift
from incidents.roster import duties, held_by, next_change, on_call, reached, shift_at

DAILY = tuple(range(7))
EARLY = Shift(shift="early", days=DAILY, begins="06:00", ends="14:00", persons=("anna",))
LATE = Shift(shift="late", days=DAILY, begins="14:00", ends="22:00", persons=("ben",))
NIGHT = Shift(shift="night", days=DAILY, begins="22:00", ends="06:00", persons=("carl",))
LEAD = Position(position="lead", time_zone="Europe/Berlin", shifts=(EARLY, LATE, NIGHT))


def local(text: str, zone: str = "+01:00") -> datetime:
    return datetime.fromisoformat(f"{text}{zone}")


def position(*shifts: Shift, **more: object) -> Position:
    return Position(position="lead", time_zone="Europe/Berlin", shifts=shifts, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-11-22T05:59:59", "carl"), ("2026-11-22T06:00", "anna"), ("2026-11-22T13:59:59", "anna"),
        ("2026-11-22T14:00", "ben"), ("2026-11-22T22:00", "carl"), ("2026-11-23T00:00", "carl"),
    ],
)  # fmt: skip
def test_a_shift_holds_from_its_beginning_to_just_before_its_end(at: str, who: str) -> None:
    assert held_by(LEAD, local(at)) == (who,)


def test_local_times_are_meant_in_the_zone_of_the_position() -> None:
    tokyo = Position(position="lead", time_zone="Asia/Tokyo", shifts=(EARLY,))
    assert held_by(tokyo, datetime(2026, 11, 21, 21, 30, tzinfo=UTC)) == ("anna",)  # 06:30 on the 22nd in Tokyo
    assert held_by(tokyo, datetime(2026, 11, 22, 6, 30, tzinfo=UTC)) == ()


def test_weeks_are_taken_in_turn_and_the_night_of_sunday_belongs_to_the_week_that_ends() -> None:
    crew = ("anna", "ben", "carl")
    turn = position(Shift(shift="n", days=DAILY, begins="22:00", ends="06:00", persons=crew, since="2026-11-02"))
    mondays = [local(f"2026-11-{day:02}T23:00") for day in (2, 9, 16, 23)]
    assert [held_by(turn, at) for at in mondays] == [("anna",), ("ben",), ("carl",), ("anna",)]
    assert held_by(turn, local("2026-11-09T05:00")) == ("anna",)
    assert held_by(turn, local("2026-10-27T23:00")) == ("carl",)  # before `since`, counted backwards


def test_a_holiday_has_its_own_shifts_and_the_night_before_ends_as_it_began() -> None:
    alone = Shift(shift="feast", days=DAILY, begins="06:00", ends="06:00", persons=("dora",))
    feast = position(EARLY, LATE, NIGHT, holidays=("2026-12-25",), on_holidays=(alone,))
    hours = ("2026-12-25T05:00", "2026-12-25T06:00", "2026-12-26T05:00", "2026-12-26T06:00")
    assert [held_by(feast, local(at)) for at in hours] == [("carl",), ("dora",), ("dora",), ("anna",)]


def test_a_holiday_without_shifts_of_its_own_is_a_day_like_any_other() -> None:
    assert held_by(position(EARLY, holidays=("2026-12-25",)), local("2026-12-25T07:00")) == ("anna",)


def test_a_replacement_counts_before_the_calendar_and_the_last_of_two_before_the_first() -> None:
    ill = Replacement(begins="2026-11-22T06:00", ends="2026-11-22T14:00", person="ben", reason="ill")
    also = Replacement(begins="2026-11-22T08:00", ends="2026-11-22T10:00", person="dora")
    replaced = position(EARLY, replacements=(ill, also))
    assert [held_by(replaced, local(f"2026-11-22T{h:02}:00")) for h in (7, 9, 11, 14)] == [
        ("ben",), ("dora",), ("ben",), (),
    ]  # fmt: skip


def test_the_deputy_is_asked_where_nobody_is_on_call_and_a_circle_of_deputies_ends() -> None:
    lead = Position(position="lead", shifts=(EARLY,), deputy="works", time_zone="Europe/Berlin")
    works = Position(position="works", shifts=(NIGHT,), deputy="lead", time_zone="Europe/Berlin")
    both = {"lead": lead, "works": works}
    assert on_call(lead, both, local("2026-11-22T23:00")) == ("carl",)
    assert on_call(lead, both, local("2026-11-22T15:00")) == ()
    assert reached("lead", both, local("2026-11-22T07:00")) == ("anna",)
    assert reached("zoe", both, local("2026-11-22T07:00")) == ("zoe",)


@pytest.mark.parametrize(
    ("evening", "before", "after", "hours"),
    [("2026-03-28T22:00", "+01:00", "+02:00", 7), ("2026-10-24T22:00", "+02:00", "+01:00", 9)],
)
def test_the_night_in_which_the_clocks_change_is_one_hour_shorter_or_longer(
    evening: str, before: str, after: str, hours: int
) -> None:
    night = shift_at(LEAD, local(evening, before))
    assert night is not None
    assert night.ends - night.begins == timedelta(hours=hours)
    assert held_by(LEAD, night.ends - timedelta(seconds=1)) == ("carl",)
    assert held_by(LEAD, night.ends) == ("anna",)
    assert night.ends.isoformat() == local(f"{night.ends.date()}T06:00", after).astimezone(UTC).isoformat()


def test_around_the_clock_there_is_exactly_one_shift_at_any_moment_of_a_year() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(366 * 24 * 2):
        assert len(duties(LEAD, at)) == 1, at
        at += timedelta(minutes=30)


def test_the_changes_of_a_position_follow_each_other_and_between_two_nothing_changes() -> None:
    moments = [local("2026-10-23T12:00", "+02:00")]
    for _ in range(9):
        following = next_change(LEAD, moments[-1])
        assert following is not None
        moments.append(following)
    for one, two in pairwise(moments[1:]):
        assert held_by(LEAD, one) == held_by(LEAD, two - timedelta(microseconds=1)) != held_by(LEAD, two)
    assert [m.astimezone(UTC).hour for m in moments[1:8]] == [12, 20, 4, 12, 20, 5, 13]  # the clocks changed between


def test_a_replacement_and_the_end_of_the_last_shift_are_changes_too() -> None:
    gone = Replacement(begins="2026-11-22T09:15", ends="2026-11-22T10:00", person="dora")
    day = position(EARLY, replacements=(gone,))
    at, found = local("2026-11-22T07:00"), []
    for _ in range(4):
        following = next_change(day, at)
        assert following is not None
        found.append(following.astimezone(UTC).strftime("%d %H:%M"))
        at = following
    assert found == ["22 08:15", "22 09:00", "22 13:00", "23 05:00"]


def test_one_person_around_the_clock_never_changes_and_a_rotation_of_weeks_does() -> None:
    always = Shift(shift="day", days=DAILY, begins="00:00", ends="00:00", persons=("anna",))
    assert next_change(position(always), local("2026-11-22T07:00")) is None
    assert next_change(position(), local("2026-11-22T07:00")) is None
    weeks = Shift(shift="day", days=DAILY, begins="06:00", ends="06:00", persons=("a", "b"), since="2026-11-16")
    assert next_change(position(weeks), local("2026-11-18T07:00")) == local("2026-11-23T06:00")


def test_a_shift_of_only_one_day_of_the_week_is_found_over_the_days_without_any() -> None:
    friday = Shift(shift="f", days=(4,), begins="08:00", ends="12:00", persons=("anna",))
    assert next_change(position(friday), local("2026-11-20T12:00")) == local("2026-11-27T08:00")
