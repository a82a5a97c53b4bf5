"""Stories of what keeps an alarm from the operator: shelving, suppression, maintenance, and how each ends."""

from __future__ import annotations

import pytest

from events import alarms as said
from events import requests as ask
from events.envelope import Configure
from events.incidents import AlarmGrouped, IncidentOpened, IncidentResolved
from incidents.definition import AlarmDefinition, Definition
from tests.unit.incidents.plant import PRESS, clearing, occurrence, raising
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import Shift, defined
from tests.unit.incidents.test_alarms import alarm, kinds, shop, state

HOUR = 3600.0


def shelve(shift: Shift, name: str, when: float, *, duration: float = HOUR, one_shot: bool = False):
    body = ask.ShelveAlarm(name=name, reason="sensor is loose", duration_s=duration, one_shot=one_shot)
    return shift.ask(body, when)


def stopped(shift: Shift, when: float) -> list[object]:
    """The press stops: a condition of kind "suppression" begins."""
    return list(shift.give(shift.said(raising("press_stopped", when, kind="suppression"), when=when)))


def runs(shift: Shift, began: float, when: float) -> list[object]:
    return list(shift.give(shift.said(clearing("press_stopped", began), when=when)))


# --- shelving --------------------------------------------------------------------------------------------------------


def test_shelved_alarm_is_recorded_but_shown_to_nobody_and_in_no_incident() -> None:
    shift = shop(defined("a"))
    (shelved,) = shelve(shift, "a", 1)
    assert (shelved.by, shelved.reason, shelved.until) == ("Ada", "sensor is loose", at(1 + HOUR))
    (raised,) = shift.fire("a", 2)
    assert raised.hidden == "shelved" and state(shift, "a") == "G"
    assert kinds(shift.normal("a", 2, 3)) == [said.AlarmCleared]
    assert alarm(shift, "a").alarm is None, "nothing waits for an acknowledgement"


def test_shelf_ends_by_itself_and_an_alarm_that_stands_is_announced_afresh() -> None:
    shift = shop(defined("a"))
    shelve(shift, "a", 1, duration=60)
    shift.fire("a", 2)
    shift.restart()
    assert shift.tick(60) == []
    ended, again, opened = shift.tick(61.5)
    assert (ended.by, ended.reason) == ("", "its time is over")
    assert again.reason == "no longer shelved: its time is over" and state(shift, "a") == "B"
    assert isinstance(opened, IncidentOpened) and opened.alarm == occurrence("a", 2)


def test_shelf_of_a_normal_alarm_ends_without_a_word_more() -> None:
    shift = shop(defined("a"))
    shelve(shift, "a", 1, duration=60)
    shift.fire("a", 2)
    shift.normal("a", 2, 3)
    assert kinds(shift.tick(62)) == [said.AlarmUnshelved] and state(shift, "a") == "A"


def test_alarm_that_had_returned_unacknowledged_when_it_was_shelved_is_normal_when_the_shelf_ends() -> None:
    shift = shop()
    shift.fire("a", 1)
    shift.normal("a", 1, 2)
    assert kinds(shelve(shift, "a", 3)) == [said.AlarmShelved, IncidentResolved]
    reason = shift.refused(ask.AcknowledgeAlarm(alarm=occurrence("a", 1)), 4)
    assert reason == "back to normal, and shelved"
    assert kinds(shift.ask(ask.UnshelveAlarm(name="a"), 5)) == [said.AlarmUnshelved] and state(shift, "a") == "A"


def test_latch_outlives_the_shelf() -> None:
    shift = shop(defined("trip", sequence="M"))
    shift.fire("trip", 1)
    shelve(shift, "trip", 2)
    shift.normal("trip", 1, 3)
    assert state(shift, "trip") == "G"
    shift.ask(ask.UnshelveAlarm(name="trip"), 4)
    assert state(shift, "trip") == "E"


def test_one_shot_shelf_ends_when_the_alarm_returns_to_normal() -> None:
    shift = shop()
    shift.fire("a", 1)
    shelve(shift, "a", 2, one_shot=True)
    facts = shift.normal("a", 1, 3)
    assert kinds(facts) == [said.AlarmCleared, said.AlarmUnshelved, IncidentResolved]
    assert facts[1].reason == "returned to normal" and shift.fire("a", 4)[0].hidden == ""


def test_shelved_alarm_that_stands_keeps_its_incident_open_and_is_the_same_member_after() -> None:
    shift = shop()
    shift.fire("a", 1)
    assert kinds(shelve(shift, "a", 2, duration=60)) == [said.AlarmShelved]
    assert kinds(shift.tick(63)) == [said.AlarmUnshelved, said.AlarmReannounced]
    assert not shift.all(AlarmGrouped) and len(shift.all(IncidentOpened)) == 1


def test_shelf_of_an_acknowledged_alarm_ends_with_an_alarm_to_acknowledge() -> None:
    shift = shop()
    shift.fire("a", 1)
    shift.acknowledge(occurrence("a", 1), 2)
    shelve(shift, "a", 3)
    shift.ask(ask.UnshelveAlarm(name="a", reason="repaired"), 4)
    assert state(shift, "a") == "B"


@pytest.mark.parametrize(
    ("role", "duration", "may"),
    [("operator", HOUR, True), ("operator", HOUR + 1, False), ("supervisor", 12 * HOUR, True),
     ("supervisor", 13 * HOUR, False), ("engineer", 72 * HOUR, True), ("auditor", 1.0, False)],
)  # fmt: skip
def test_each_role_may_shelve_up_to_its_limit(role: str, duration: float, may: bool) -> None:
    shift = shop(defined("a"))
    facts = shift.ask(ask.ShelveAlarm(name="a", reason="r", duration_s=duration), 1, role=role)
    assert kinds(facts) == [said.AlarmShelved if may else ask.RequestRefused]


def test_refusal_of_a_long_shelf_names_the_limit_of_the_alarm() -> None:
    shift = shop(defined("a", shelve_s={"operator": 600.0}))
    body = ask.ShelveAlarm(name="a", reason="r", duration_s=HOUR)
    assert "10 min" in shift.refused(body, 1)
    assert "may not be shelved by engineer" in shift.refused(body, 2, role="engineer")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (ask.ShelveAlarm(name="ghost", reason="r", duration_s=9.0), "the area has no alarm 'ghost'"),
        (ask.ShelveAlarm(name="a", reason=" ", duration_s=9.0), "to shelve an alarm needs a reason"),
        (ask.UnshelveAlarm(name="a"), "alarm 'a' is not shelved"),
        (ask.UnsuppressAlarm(name="a"), "alarm 'a' is not suppressed"),
        (ask.SuppressAlarm(name="guard", reason="r", duration_s=9.0),
         "'guard' is a safety alarm: it is never suppressed"),
        (ask.ReturnToService(name="a"), "alarm 'a' is not out of service"),
        (ask.ReturnToService(device="robot"), "device 'robot' is not out of service"),
        (ask.TakeOutOfService(device="robot", reason="r", duration_s=9.0), "the area has no alarm of a device 'robot'"),
        (ask.TakeOutOfService(reason="r", duration_s=9.0), "say either an alarm's name or a device"),
    ],
)  # fmt: skip
def test_override_that_cannot_be_is_refused_with_its_reason(body: ask.RequestBody, reason: str) -> None:
    shift = shop(defined("a"), defined("guard", safety=True))
    assert shift.refused(body, 1, role="engineer") == reason


# --- suppression -----------------------------------------------------------------------------------------------------


def test_alarm_is_suppressed_while_a_condition_of_the_design_holds() -> None:
    shift = shop(defined("flow_low", suppressing=("press_stopped",)))
    noted, suppressed = stopped(shift, 1)
    assert noted.holds and (suppressed.name, suppressed.cause) == ("flow_low", "while press_stopped")
    assert kinds(shift.fire("flow_low", 2)) == [said.AlarmRaised] and state(shift, "flow_low") == "H"
    shift.restart()
    assert kinds(runs(shift, 1, 3)) == [
        said.ConditionNoted, said.AlarmUnsuppressed, said.AlarmReannounced, IncidentOpened,
    ]  # fmt: skip
    assert state(shift, "flow_low") == "B"


def test_alarm_is_suppressed_by_another_one_while_that_is_active_and_shown() -> None:
    shift = shop(defined("trip"), defined("flow_low", suppressed_by=("tri*",)))
    shift.fire("flow_low", 1)
    assert said.AlarmSuppressed in kinds(shift.fire("trip", 2)) and state(shift, "flow_low") == "H"
    shift.acknowledge(occurrence("trip", 2), 3)
    facts = shift.normal("trip", 2, 4)
    assert kinds(facts) == [said.AlarmCleared, said.AlarmUnsuppressed, said.AlarmReannounced]
    assert facts[1].reason == "alarm trip is gone"
    assert state(shift, "flow_low") == "B"


def test_suppressor_that_is_shelved_suppresses_nobody() -> None:
    shift = shop(defined("trip"), defined("flow_low", suppressed_by=("trip",)))
    shift.fire("trip", 1)
    shift.fire("flow_low", 2)
    facts = shelve(shift, "trip", 3)
    assert kinds(facts)[:3] == [said.AlarmShelved, said.AlarmUnsuppressed, said.AlarmReannounced]
    assert facts[1].reason == "alarm trip is shelved"
    assert state(shift, "flow_low") == "B"


def test_alarm_is_never_suppressed_by_what_follows_from_it() -> None:
    shift = shop(
        defined("pump_trip", suppressed_by=("*",)), defined("no_oil", consequence_of=("pump_trip",)),
        defined("hot", consequence_of=("no_oil",)),
    )  # fmt: skip
    shift.fire("pump_trip", 1)
    shift.fire("no_oil", 2)
    shift.fire("hot", 3)
    assert state(shift, "pump_trip") == "B" and not shift.all(said.AlarmSuppressed)


def test_first_of_a_group_is_not_suppressed_by_one_that_came_after_it() -> None:
    shift = shop(defined("a", group="g", suppressed_by=("b",)), defined("b", group="g"))
    shift.fire("a", 1)
    shift.fire("b", 2)
    assert state(shift, "a") == "B"


def test_safety_alarm_is_never_suppressed_by_design() -> None:
    shift = shop(
        defined("guard", safety=True, suppressed_by=("trip",), suppressing=("press_stopped",)), defined("trip")
    )
    stopped(shift, 1)
    shift.fire("trip", 2)
    assert said.AlarmRaised in kinds(shift.fire("guard", 3)) and state(shift, "guard") == "B"


def test_alarms_that_suppress_each_other_never_both_disappear() -> None:
    ring = [defined("a", suppressed_by=("b",)), defined("b", suppressed_by=("c",)), defined("c", suppressed_by=("a",))]
    shift = shop(*ring)
    for when, name in enumerate("cba", 1):
        shift.fire(name, when)
        assert any(not alarm(shift, n).hidden for n in "abc" if state(shift, n) != "A")


def test_several_causes_may_hold_and_the_last_one_to_end_shows_the_alarm() -> None:
    shift = shop(defined("flow_low", suppressing=("press_stopped",), suppressed_by=("trip",)))
    stopped(shift, 1)
    shift.fire("trip", 2)
    shift.fire("flow_low", 3)
    shift.ask(ask.SuppressAlarm(name="flow_low", reason="test", duration_s=100), 4, role="supervisor")
    assert kinds(runs(shift, 1, 5)) == [said.ConditionNoted, said.AlarmUnsuppressed] and state(shift, "flow_low") == "H"
    assert kinds(shift.normal("trip", 2, 6)) == [said.AlarmCleared, said.AlarmUnsuppressed]
    assert kinds(shift.tick(105))[:2] == [said.AlarmUnsuppressed, said.AlarmReannounced]


def test_operator_cannot_suppress_and_nobody_can_end_what_the_design_says() -> None:
    shift = shop(defined("a", suppressing=("press_stopped",)))
    body = ask.SuppressAlarm(name="a", reason="r", duration_s=9.0)
    assert shift.refused(body, 1) == "an operator may not suppress an alarm"
    stopped(shift, 2)
    end = ask.UnsuppressAlarm(name="a")
    assert shift.refused(end, 3, role="engineer") == "suppressed by design: while press_stopped"


def test_new_design_ends_the_suppressions_that_it_no_longer_wants_and_begins_those_it_does() -> None:
    shift = shop(defined("a", suppressing=("press_stopped",)), defined("b"), defined("c", suppressed_by=("x",)))
    stopped(shift, 1)
    shift.fire("a", 2)
    shift.fire("x", 3)
    assert (state(shift, "a"), state(shift, "c")) == ("H", "H")
    new = Definition(areas=(PRESS,), alarms={d.name: d for d in (defined("b", suppressing=("press_stopped",)),)})
    shift.give(Configure(new.version, at(4), "test", new.pack()))
    assert (state(shift, "a"), state(shift, "b"), state(shift, "c")) == ("B", "H", "A")


# --- out of service --------------------------------------------------------------------------------------------------


def test_alarm_out_of_service_is_evaluated_and_comes_back_as_it_is_then() -> None:
    shift = shop(defined("a"))
    shift.ask(ask.TakeOutOfService(name="a", reason="bearing", duration_s=HOUR), 1, role="engineer")
    assert shift.fire("a", 2)[0].hidden == "out of service" and state(shift, "a") == "I"
    facts = shift.ask(ask.ReturnToService(name="a"), 3, role="engineer")
    assert kinds(facts) == [said.AlarmReturnedToService, said.AlarmReannounced, IncidentOpened]


def test_device_out_of_service_takes_its_alarms_along_and_is_locked_out_until_its_time_is_over() -> None:
    shift = shop(defined("a", device="press"), defined("b", device="press"), defined("c", device="robot"))
    shift.fire("b", 1)
    body = ask.TakeOutOfService(device="press", reason="die change", duration_s=60)
    locked, *out = shift.ask(body, 2, role="supervisor")
    assert (locked.device, locked.until) == ("press", at(62)) and [f.name for f in out] == ["a", "b"]
    assert state(shift, "c") == "A"
    shift.restart()
    facts = shift.tick(63)
    assert kinds(facts).count(said.DeviceReleased) == 1 and kinds(facts).count(said.AlarmReturnedToService) == 2
    assert (state(shift, "a"), state(shift, "b")) == ("A", "B")


def test_alarm_that_somebody_took_out_for_longer_stays_out_when_its_device_returns() -> None:
    shift = shop(defined("a", device="press"), defined("b", device="press"))
    shift.ask(ask.TakeOutOfService(name="a", reason="no sensor", duration_s=9 * HOUR), 1, role="engineer")
    shift.ask(ask.TakeOutOfService(device="press", reason="die change", duration_s=HOUR), 2, role="engineer")
    shift.ask(ask.ReturnToService(device="press"), 3, role="engineer")
    assert (state(shift, "a"), state(shift, "b")) == ("I", "A")


def test_stronger_override_is_the_state_and_the_weaker_one_shows_when_it_ends() -> None:
    shift = shop(defined("a", suppressing=("press_stopped",)))
    shelve(shift, "a", 1)
    assert state(shift, "a") == "G"
    stopped(shift, 2)
    assert state(shift, "a") == "H"
    shift.ask(ask.TakeOutOfService(name="a", reason="r", duration_s=9.0), 3, role="engineer")
    assert state(shift, "a") == "I"
    shift.tick(13)
    assert state(shift, "a") == "H"
    runs(shift, 2, 14)
    assert state(shift, "a") == "G"


def test_ladder_that_rises_while_it_is_shelved_is_shown_at_its_height_when_the_shelf_ends() -> None:
    ladder = AlarmDefinition(name="p.high", area=PRESS, rules=("p.H", "p.HH"))
    shift = shop(ladder)
    shift.fire("p.H", 1, priority="low")
    shelve(shift, "p.high", 2)
    (changed,) = shift.fire("p.HH", 3, priority="critical")[:1]
    assert changed.belongs_to is None, "no playbook acts on what is hidden"
    shift.ask(ask.UnshelveAlarm(name="p.high"), 4)
    assert alarm(shift, "p.high").priority == "critical" and state(shift, "p.high") == "B"
