"""Stories of floods: the operator sees the cause, the log has everything, and nothing stays hidden."""

from __future__ import annotations

from events import alarms as said
from events import requests as ask
from events.envelope import Tick
from incidents.definition import AlarmDefinition, Flood, Policy
from tests.unit.incidents.plant import PRESS, clearing, occurrence, raising
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import Shift, defined
from tests.unit.incidents.test_alarms import alarm, kinds, state

POLICY = Policy(flood=Flood(above=3, below=2, window_s=600.0, show_from="critical"))


def shop(*alarms: AlarmDefinition) -> Shift:
    return Shift(POLICY, alarms=alarms)


def flooded(*alarms: AlarmDefinition) -> Shift:
    """A shop in which `trip` and four more alarms stand since second 1 to 5."""
    shift = shop(*alarms)
    shift.fire("trip", 1)
    for i in range(4):
        shift.fire(f"other{i}", 2 + i)
    return shift


def follower(name: str, **more: object) -> AlarmDefinition:
    return defined(name, consequence_of=("trip",), **more)


def test_flood_begins_with_one_alarm_too_many_and_names_the_first() -> None:
    shift = shop()
    for i in range(3):
        assert said.FloodBegan not in kinds(shift.fire(f"a{i}", i))
    (began,) = [f for f in shift.fire("a3", 3) if isinstance(f, said.FloodBegan)]
    assert (began.scope, began.alarms, began.first_out) == ("area", 4, occurrence("a0", 0))
    assert len(shift.all(said.FloodBegan)) == 1 and shift.fire("a4", 4) and len(shift.all(said.FloodBegan)) == 1


def test_alarms_that_come_slowly_are_no_flood() -> None:
    shift = shop()
    for i in range(8):
        shift.fire(f"a{i}", i * 200)
    assert not shift.all(said.FloodBegan)


def test_flood_ends_when_fewer_come_and_says_what_it_was() -> None:
    shift = flooded(follower("flow"))
    shift.fire("flow", 100)
    assert shift.tick(604) == [], "two of the last ten minutes are left"
    shift.restart()
    facts = shift.tick(605.5)
    assert kinds(facts) == [said.FloodEnded, said.AlarmReleased]
    assert (facts[0].alarms, facts[0].held_back, facts[0].peak) == (6, 1, 6)
    assert facts[1].reason == "the flood is over" and not alarm(shift, "flow").held_back


def test_consequence_of_an_alarm_that_stands_is_held_back_and_recorded_all_the_same() -> None:
    shift = flooded(follower("flow"))
    raised, held, grouped = shift.fire("flow", 10)
    assert isinstance(raised, said.AlarmRaised) and raised.hidden == ""
    assert (held.behind, held.reason) == ("trip", "flood, and it follows from trip")
    assert grouped.alarm == occurrence("flow", 10), "its incident cannot end before it does"
    assert state(shift, "flow") == "B" and not alarm(shift, "flow").sounds


def test_alarm_is_not_held_back_before_the_flood_nor_when_nothing_that_causes_it_stands() -> None:
    shift = shop(follower("flow"), defined("heat", consequence_of=("gone",)))
    shift.fire("trip", 1)
    shift.fire("flow", 2)
    assert not alarm(shift, "flow").held_back
    for i in range(4):
        shift.fire(f"other{i}", 3 + i)
    shift.fire("heat", 9)
    assert not alarm(shift, "heat").held_back


def test_safety_alarm_critical_alarm_and_first_of_a_group_are_shown_in_any_flood() -> None:
    shift = flooded(follower("guard", safety=True), follower("worse"), follower("first", group="g"))
    shift.fire("guard", 10, priority="low")
    shift.fire("worse", 11, priority="critical")
    shift.fire("first", 12, priority="low")
    assert not shift.all(said.AlarmHeldBack)


def test_what_is_held_back_is_shown_when_its_cause_is_gone() -> None:
    shift = flooded(follower("flow"))
    shift.fire("flow", 10)
    facts = shift.normal("trip", 1, 20)
    assert kinds(facts) == [said.AlarmCleared, said.AlarmReleased] and facts[1].reason == "trip is gone"
    assert alarm(shift, "flow").sounds


def test_what_is_held_back_is_shown_when_its_cause_is_shelved() -> None:
    shift = flooded(follower("flow"))
    shift.fire("flow", 10)
    shift.ask(ask.ShelveAlarm(name="trip", reason="r", duration_s=60), 20)
    assert not alarm(shift, "flow").held_back, "somebody must see one of the two"


def test_with_another_cause_it_stays_held_back_behind_that_one() -> None:
    shift = flooded(defined("flow", consequence_of=("trip", "other*")), *(defined(f"other{i}") for i in range(4)))
    shift.fire("flow", 10)
    shift.normal("trip", 1, 20)
    assert alarm(shift, "flow").behind == "other0"


def test_what_becomes_critical_is_released() -> None:
    ladder = AlarmDefinition(name="p.high", area=PRESS, rules=("p.H", "p.HH"), consequence_of=("trip",))
    shift = flooded(ladder)
    shift.fire("p.H", 10, priority="medium")
    assert alarm(shift, "p.high").held_back
    facts = shift.fire("p.HH", 11, priority="critical")
    assert [f.reason for f in facts if isinstance(f, said.AlarmReleased)] == ["it is critical now"]


def test_shelved_and_late_alarms_make_no_flood() -> None:
    shift = shop(*(defined(f"a{i}") for i in range(6)))
    for i in range(3):
        shift.ask(ask.ShelveAlarm(name=f"a{i}", reason="r", duration_s=60), 0)
    for i in range(6):
        shift.fire(f"a{i}", 1 + i, late=i > 4)
    assert not shift.all(said.FloodBegan)


def test_what_is_announced_afresh_when_its_shelf_ends_may_be_one_alarm_too_many() -> None:
    shift = shop(*(defined(f"a{i}", consequence_of=("a0",)) for i in range(6)))
    for i in range(1, 6):
        shift.ask(ask.ShelveAlarm(name=f"a{i}", reason="r", duration_s=60), 0)
    for i in range(6):
        shift.fire(f"a{i}", 1 + i)
    facts = shift.tick(60)
    (began,) = [f for f in facts if isinstance(f, said.FloodBegan)]
    assert (began.alarms, began.first_out) == (4, alarm(shift, "a0").alarm)
    assert [alarm(shift, f"a{i}").held_back for i in range(6)] == [False, False, False, True, True, True]


def test_two_that_follow_from_each_other_are_never_both_held_back() -> None:
    shift = flooded(defined("x", consequence_of=("y",)), defined("y", consequence_of=("x",)))
    shift.fire("x", 10)
    shift.fire("y", 11)
    shift.normal("x", 10, 12)
    shift.fire("x", 13)
    assert not (alarm(shift, "x").held_back and alarm(shift, "y").held_back)


def test_flood_of_ten_thousand_ends_in_records_that_fit_and_releases_everything() -> None:
    shift = Shift(POLICY, alarms=[follower(f"f{i}") for i in range(6000)])
    brain = shift.brain
    shift.fire("trip", 1)
    first = [raising(f"f{i}", 2) for i in range(6000)]
    brain.evolve(brain.decide(shift.said(*first, when=2)))
    alarms = brain.areas[PRESS].alarms
    assert alarms.held == {"trip": 6000 - 2}, "the flood began with the fourth alarm, of which three had been shown"
    sizes = []
    for second in range(4):
        events = brain.decide(Tick(at(700 + second)))
        brain.evolve(events)
        sizes.append(len(events))
    assert max(sizes) <= 4001 and sizes[-1] == 0 and not alarms.held
    assert brain.decide(shift.said(clearing("trip", 1), when=800))
