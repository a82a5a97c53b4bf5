"""A position changes hands: by the calendar, and by a person."""

from __future__ import annotations

from events.incidents import ShiftHandedOver
from events.notifications import NotificationIssued
from events.requests import HandOver, ShelveAlarm, TakeOutOfService
from incidents.definition import Position
from incidents.definition import Shift as Turn
from tests.unit.incidents.plant import COOLING, PRESS
from tests.unit.incidents.shift import Shift, defined, kinds

HOUR = 3600.0
DAYS = tuple(range(7))
LEAD = Position(
    position="lead", areas=("shop/*",), shifts=(
        Turn(shift="early", days=DAYS, begins="06:00", ends="14:00", persons=("anna",)),
        Turn(shift="late", days=DAYS, begins="14:00", ends="22:00", persons=("ben",)),
    ),
)  # fmt: skip
"""The stories begin on a Wednesday at 06:00 UTC."""


def plant(*positions: Position) -> Shift:
    made = Shift(positions=positions or (LEAD,), alarms=(defined("a", "press"), defined("b", "press"), defined("c")))
    made.tick(0)
    return made


def handed(of: Shift, area: str = PRESS) -> list[ShiftHandedOver]:
    return [e.fact for e in of.log if isinstance(e.fact, ShiftHandedOver) and e.area == area]


def test_who_has_a_position_is_in_the_log_from_the_first_tick_on() -> None:
    shop = plant()
    assert [(h.position, h.shift, h.by, h.to) for h in handed(shop)] == [("lead", "early", "", "anna")]
    assert len(handed(shop, COOLING)) == 1
    assert shop.tick(1) == [] and shop.all(NotificationIssued) == []


def test_next_shift_is_told_what_stands_what_is_shelved_and_what_is_out_of_service() -> None:
    shop = plant()
    shop.fire("a", 10)
    shop.fire("c", 11)
    shop.normal("c", 11, 12)
    shop.ask(ShelveAlarm(name="a", reason="sensor ordered", duration_s=12 * HOUR), 20, role="supervisor")
    shop.ask(TakeOutOfService(name="b", reason="calibration", duration_s=48 * HOUR), 21, role="engineer")
    assert shop.tick(8 * HOUR - 1) == []
    shop.tick(8 * HOUR)
    over = handed(shop)[-1]
    assert (over.shift, over.by, over.to) == ("late", "", "ben")
    assert (over.shelved, over.out_of_service, over.suppressed) == (("a",), ("b",), ())
    assert (over.open, over.standing, over.unacknowledged) == ((shop.id(),), 1, 1)
    [told] = shop.all(NotificationIssued)
    assert (told.kind, told.to, told.persons, told.priority) == ("handover", "lead", ("ben",), "low")
    assert told.text == "shop/press: you have lead now. 1 incident not closed (#1), 1 shelved (a), 1 out of service (b)"


def test_shift_with_nothing_to_tell_gets_no_message_but_a_line_in_the_log() -> None:
    shop = plant()
    shop.tick(8 * HOUR)
    assert len(handed(shop)) == 2 and shop.all(NotificationIssued) == []


def test_changes_that_nobody_was_there_to_see_are_said_once() -> None:
    shop = plant()
    shop.restart()
    shop.tick(3 * 24 * HOUR + 60)
    assert [h.shift for h in handed(shop)] == ["early", "early"]
    shop.tick(3 * 24 * HOUR + 61)
    assert len(handed(shop)) == 2


def test_position_that_nobody_holds_at_night_is_handed_to_nobody() -> None:
    shop = plant()
    shop.fire("a", 10)
    shop.tick(16 * HOUR)
    assert (handed(shop)[-1].shift, handed(shop)[-1].to) == ("nobody", "")
    assert shop.all(NotificationIssued) == []


def test_person_hands_over_with_a_note_and_the_calendar_takes_it_back() -> None:
    shop = plant()
    shop.fire("a", 10)
    facts = shop.ask(HandOver(position="lead", to="carl", note="anna is ill"), 20)
    assert kinds(facts) == ["ShiftHandedOver", "NotificationIssued"]
    assert (facts[0].by, facts[0].to, facts[0].shift, facts[0].note) == ("Ada", "carl", "", "anna is ill")
    assert facts[1].persons == ("carl",) and facts[1].text.endswith("1 incident not closed (#1). anna is ill")
    assert shop.brain.areas[PRESS].incidents.holder("lead") == "carl"
    assert shop.brain.areas[COOLING].incidents.holder("lead") == ""
    shop.restart()
    assert shop.tick(8 * HOUR - 1) == []
    shop.tick(8 * HOUR)
    assert shop.brain.areas[PRESS].incidents.holder("lead") == ""


def test_handing_over_a_position_that_the_area_does_not_have_is_refused() -> None:
    shop = plant(LEAD, Position(position="oven_man", areas=("oven/*",)))
    assert shop.refused(HandOver(position="oven_man", to="x"), 5) == (
        "the area has no position 'oven_man'; it has lead"
    )
    assert shop.refused(HandOver(position="lead", to=" "), 6) == "to hand over needs somebody who takes it"


def test_position_without_a_calendar_changes_hands_only_by_people() -> None:
    shop = plant(Position(position="lead"))
    assert handed(shop) == [] and shop.tick(24 * HOUR) == []
    shop.ask(HandOver(position="lead", to="ben"), 24 * HOUR + 1)
    assert [h.to for h in handed(shop)] == ["ben"]
