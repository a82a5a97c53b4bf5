"""Stories of single alarms: every state and transition of ISA-18.2, ladders, latches, groups, the horn."""

from __future__ import annotations

import pytest

from events import alarms as said
from events import requests as ask
from events.incidents import AlarmGrouped, IncidentOpened, IncidentPriorityChanged, IncidentResolved
from events.requests import RequestRefused
from incidents.alarm import Alarm
from incidents.definition import AlarmDefinition
from tests.unit.incidents.plant import PRESS, occurrence
from tests.unit.incidents.shift import Shift, defined

LADDER = AlarmDefinition(name="pressure.high", area=PRESS, rules=("pressure.H", "pressure.HH"), point="press.pressure")


def shop(*alarms: AlarmDefinition) -> Shift:
    return Shift(alarms=alarms)


def alarm(shift: Shift, name: str) -> Alarm:
    found = shift.brain.areas[PRESS].alarms.get(name)
    assert found is not None, f"{name} is normal"
    return found


def state(shift: Shift, name: str) -> str:
    found = shift.brain.areas[PRESS].alarms.get(name)
    return "A" if found is None else found.state


def kinds(facts: list[object]) -> list[type]:
    return [type(f) for f in facts]


# --- sequences -------------------------------------------------------------------------------------------------------


def test_latching_alarm_stays_after_its_condition_until_it_is_acknowledged_and_reset() -> None:
    shift = shop(defined("trip", sequence="M"))
    shift.fire("trip", 1)
    (cleared,) = shift.normal("trip", 1, 10)
    assert cleared.latched and state(shift, "trip") == "E"
    assert shift.refused(ask.ResetAlarm(alarm=occurrence("trip", 1)), 11) == "acknowledge it first"
    shift.acknowledge(occurrence("trip", 1), 12)
    assert state(shift, "trip") == "F"
    facts = shift.ask(ask.ResetAlarm(alarm=occurrence("trip", 1)), 13)
    assert kinds(facts) == [said.AlarmReset, IncidentResolved] and state(shift, "trip") == "A"
    assert shift.log[-2].author == "person Ada"


def test_latching_alarm_acknowledged_while_it_stands_goes_to_latched_acknowledged() -> None:
    shift = shop(defined("trip", sequence="M"))
    shift.fire("trip", 1)
    shift.acknowledge(occurrence("trip", 1), 2)
    assert shift.refused(ask.ResetAlarm(alarm=occurrence("trip", 1)), 3).startswith("still active")
    shift.normal("trip", 1, 4)
    assert state(shift, "trip") == "F" and shift.all(IncidentResolved) == []


def test_alarm_that_does_not_latch_has_nothing_to_reset() -> None:
    shift = shop()
    shift.fire("a", 1)
    shift.normal("a", 1, 2)
    assert shift.refused(ask.ResetAlarm(alarm=occurrence("a", 1)), 3).startswith("it is not latched")


def test_return_of_a_ringback_alarm_is_to_be_acknowledged_too() -> None:
    shift = shop(defined("door", sequence="R"))
    shift.fire("door", 1)
    shift.acknowledge(occurrence("door", 1), 2)
    (cleared,) = shift.normal("door", 1, 3)
    assert cleared.ringback and state(shift, "door") == "D"
    assert kinds(shift.acknowledge(occurrence("door", 1), 4)) == [said.AlarmAcknowledged, IncidentResolved]


def test_alarm_that_may_acknowledges_itself_when_it_returns() -> None:
    shift = shop(defined("a", auto_acknowledge=True))
    shift.fire("a", 1)
    facts = shift.normal("a", 1, 9)
    assert kinds(facts) == [said.AlarmCleared, said.AlarmAcknowledged, IncidentResolved] and facts[1].by == ""
    assert shift.log[-2].author == "incidents"


def test_latch_waits_for_a_person_even_if_the_alarm_acknowledges_itself() -> None:
    shift = shop(defined("trip", sequence="M", auto_acknowledge=True))
    shift.fire("trip", 1)
    assert kinds(shift.normal("trip", 1, 9)) == [said.AlarmCleared] and state(shift, "trip") == "E"


# --- occurrences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", ["A", "M"])
def test_alarm_that_comes_again_is_a_new_occurrence_and_an_acknowledgement_of_the_old_one_is_refused(
    sequence: str,
) -> None:
    shift = shop(defined("a", sequence=sequence))
    shift.fire("a", 1)
    shift.normal("a", 1, 2)
    raised, grouped = shift.fire("a", 3)
    assert raised.replaces == occurrence("a", 1) and isinstance(grouped, AlarmGrouped)
    reason = shift.refused(ask.AcknowledgeAlarm(alarm=occurrence("a", 1)), 4)
    assert reason.startswith("it came again at 2024-05-01 06:00:03 UTC")
    assert alarm(shift, "a").alarm == occurrence("a", 3) and state(shift, "a") == "B"


def test_condition_that_was_replaced_while_it_held_keeps_the_alarm_active_until_it_ends_too() -> None:
    shift = shop()
    shift.fire("a", 1)
    (raised, _) = shift.fire("a", 2)
    assert raised.replaces == occurrence("a", 1)
    (still,) = shift.normal("a", 2, 3)
    assert isinstance(still, said.AlarmLevelChanged) and state(shift, "a") == "B"
    assert kinds(shift.normal("a", 1, 4)) == [said.AlarmCleared]


# --- ladders ---------------------------------------------------------------------------------------------------------


def test_second_level_changes_the_alarm_and_makes_no_second_one() -> None:
    shift = shop(LADDER)
    raised, opened = shift.fire("pressure.H", 1, priority="medium")
    assert raised.name == "pressure.high" and isinstance(opened, IncidentOpened)
    changed, higher = shift.fire("pressure.HH", 2, priority="critical")
    assert (changed.alarm, changed.condition) == (occurrence("pressure.H", 1), occurrence("pressure.HH", 2))
    assert (changed.holds, changed.priority, changed.again) == (True, "critical", False)
    assert changed.belongs_to == opened.incident and changed.name == "pressure.high"
    assert isinstance(higher, IncidentPriorityChanged) and len(shift.brain.areas[PRESS].alarms) == 1
    (changed,) = shift.normal("pressure.HH", 2, 3)
    assert (changed.holds, changed.priority, changed.message) == (False, "medium", "pressure.H is high")
    assert kinds(shift.normal("pressure.H", 1, 4)) == [said.AlarmCleared]


def test_level_above_the_one_that_was_acknowledged_is_to_be_acknowledged_again() -> None:
    shift = shop(LADDER)
    shift.fire("pressure.H", 1, priority="medium")
    shift.acknowledge(occurrence("pressure.H", 1), 2)
    assert shift.fire("pressure.HH", 3, priority="critical")[0].again and state(shift, "pressure.high") == "B"
    shift.acknowledge(occurrence("pressure.H", 1), 4)
    shift.normal("pressure.HH", 3, 5)
    assert state(shift, "pressure.high") == "C"
    assert shift.fire("pressure.HH", 600, priority="critical")[0].again, "it had left that level: it is news again"


def test_higher_level_may_come_first_and_the_lower_one_joins_silently() -> None:
    shift = shop(LADDER)
    shift.fire("pressure.HH", 1, priority="critical")
    shift.acknowledge(occurrence("pressure.HH", 1), 2)
    (changed,) = shift.fire("pressure.H", 3, priority="medium")
    assert (changed.priority, changed.again) == ("critical", False) and state(shift, "pressure.high") == "C"
    (changed,) = shift.normal("pressure.HH", 1, 4)
    assert (changed.priority, changed.message) == ("medium", "pressure.H is high")
    assert alarm(shift, "pressure.high").alarm == occurrence("pressure.HH", 1), "it is the same occurrence"


def test_acknowledgement_of_what_was_shown_is_refused_when_it_has_become_worse() -> None:
    shift = shop(LADDER)
    shift.fire("pressure.H", 1, priority="medium")
    shift.fire("pressure.HH", 2, priority="critical")
    seen = ask.AcknowledgeAlarm(alarm=occurrence("pressure.H", 1), priority="medium")
    assert shift.refused(seen, 3) == "it is critical now, and you were shown medium: look again"


def test_live_level_makes_an_alarm_from_history_live() -> None:
    shift = shop(LADDER)
    shift.fire("pressure.H", 1, late=True)
    facts = shift.fire("pressure.HH", 2)
    assert kinds(facts) == [said.AlarmLevelChanged, said.AlarmBecameLive, IncidentOpened]


# --- first-out and the horn ------------------------------------------------------------------------------------------


def test_first_alarm_of_a_group_is_marked_until_the_whole_group_is_normal() -> None:
    shift = shop(*(defined(n, group="trips") for n in "abc"))
    assert shift.fire("b", 1)[0].first_out and not shift.fire("a", 2)[0].first_out
    shift.over("b", 1, 3)
    assert not shift.fire("c", 4)[0].first_out, "a of the group still stands"
    shift.over("a", 2, 5)
    shift.over("c", 4, 6)
    assert shift.fire("a", 7)[0].first_out


def test_silence_takes_the_horn_off_and_nothing_else() -> None:
    shift = shop()
    shift.fire("a", 1)
    shift.fire("b", 2)
    shift.acknowledge(occurrence("b", 2), 3)
    assert [f.alarm for f in shift.ask(ask.Silence(), 4)] == [occurrence("a", 1)]
    assert state(shift, "a") == "B" and not alarm(shift, "a").sounds
    assert shift.refused(ask.Silence(), 5) == "no horn is on"
    shift.fire("a", 6)
    assert alarm(shift, "a").sounds, "the next occurrence sounds again"


def test_higher_level_sounds_again_after_silence() -> None:
    shift = shop(LADDER)
    shift.fire("pressure.H", 1, priority="low")
    shift.ask(ask.Silence(), 2)
    shift.fire("pressure.HH", 3, priority="high")
    assert alarm(shift, "pressure.high").sounds


# --- standing long ---------------------------------------------------------------------------------------------------


def test_alarm_that_stands_for_its_re_alarm_time_is_announced_again() -> None:
    shift = shop(defined("a", re_alarm_s=3600.0))
    shift.fire("a", 1)
    shift.acknowledge(occurrence("a", 1), 2)
    assert shift.tick(3600) == []
    (again,) = shift.tick(3602)
    assert (again.times, again.reason) == (1, "still active after 1 h") and state(shift, "a") == "B"
    assert shift.tick(7000) == []
    assert shift.tick(7203)[0].times == 2


def test_how_long_it_has_stood_is_said_in_seconds_while_it_is_short() -> None:
    shift = shop(defined("a", re_alarm_s=20.0))
    shift.fire("a", 1)
    assert [shift.tick(at)[0].reason for at in (21, 41)] == ["still active after 20 s", "still active after 40 s"]


def test_re_alarm_goes_on_after_a_restart() -> None:
    shift = shop(defined("a", re_alarm_s=60.0))
    shift.fire("a", 1)
    shift.restart()
    assert kinds(shift.tick(62)) == [said.AlarmReannounced]


def test_alarm_that_stands_too_long_is_stale_once() -> None:
    shift = shop()
    shift.fire("a", 1)
    assert shift.tick(86_400) == []
    (stale,) = shift.tick(86_402)
    assert isinstance(stale, said.AlarmStale) and shift.tick(200_000) == []


def test_alarm_from_history_is_not_announced_again_before_it_is_live() -> None:
    shift = shop(defined("a", re_alarm_s=60.0, stale_s=100.0))
    shift.fire("a", 1, late=True)
    assert shift.tick(500) == []
    shift.stands("a", 1, 510)
    assert kinds(shift.tick(571)) == [said.AlarmStale, said.AlarmReannounced]


# --- fleeting and chattering -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "fleeting"), [(1.5, True), (2.5, False)])
def test_alarm_that_goes_before_anybody_could_act_is_called_fleeting(after: float, fleeting: bool) -> None:
    shift = shop()
    shift.fire("a", 1)
    assert shift.normal("a", 1, 1 + after)[0].fleeting == fleeting


def test_chattering_alarm_is_named_once_and_settles_after_quiet() -> None:
    shift = shop()
    for began in (1, 11):
        assert said.AlarmChattering not in kinds(shift.fire("a", began))
        shift.normal("a", began, began + 5)
    (chattering,) = [f for f in shift.fire("a", 21) if isinstance(f, said.AlarmChattering)]
    assert (chattering.name, chattering.times, chattering.within_s) == ("a", 3, 60.0)
    assert not shift.all(said.AlarmShelved), "nobody allowed it to be shelved"
    shift.normal("a", 21, 25)
    shift.fire("a", 31)
    shift.acknowledge(occurrence("a", 31), 32)
    shift.normal("a", 31, 33)
    shift.restart()
    assert shift.tick(90) == []
    assert kinds(shift.tick(91.5)) == [said.AlarmSettled] and len(shift.all(said.AlarmChattering)) == 1


def test_chattering_alarm_is_shelved_by_itself_only_if_its_definition_says_so_and_every_firing_is_recorded() -> None:
    shift = shop(defined("a", chatter_shelve_s=600.0))
    for began in (1, 11, 21):
        facts = shift.fire("a", began)
        if began < 21:
            shift.normal("a", began, began + 5)
    assert kinds(facts) == [said.AlarmRaised, AlarmGrouped, said.AlarmChattering, said.AlarmShelved]
    assert facts[3].by == "" and facts[3].reason == "chattering: 3 times in 1 min" and state(shift, "a") == "G"
    shift.normal("a", 21, 25)
    (raised,) = shift.fire("a", 31)
    assert isinstance(raised, said.AlarmRaised) and raised.hidden == "shelved"


def test_incident_of_an_alarm_that_was_shelved_while_it_stands_stays_open_until_it_is_gone() -> None:
    shift = shop(defined("a", chatter=2, chatter_shelve_s=600.0))
    shift.fire("a", 1)
    shift.normal("a", 1, 5)
    shift.fire("a", 11)
    assert state(shift, "a") == "G" and not shift.all(IncidentResolved)
    assert kinds(shift.normal("a", 11, 15)) == [said.AlarmCleared, IncidentResolved]


def test_safety_alarm_is_not_shelved_by_itself() -> None:
    shift = shop(defined("a", chatter_shelve_s=600.0, safety=True))
    for began in (1, 11, 21):
        shift.fire("a", began)
    assert shift.all(said.AlarmChattering) and not shift.all(said.AlarmShelved)


def test_slow_repetition_is_not_chattering() -> None:
    shift = shop()
    for began in (1, 40, 80, 120):
        shift.fire("a", began)
        shift.normal("a", began, began + 5)
    assert not shift.all(said.AlarmChattering)


def test_auditor_may_ask_for_nothing() -> None:
    shift = shop()
    shift.fire("a", 1)
    (refused,) = shift.ask(ask.AcknowledgeAlarm(alarm=occurrence("a", 1)), 2, role="auditor")
    assert isinstance(refused, RequestRefused) and state(shift, "a") == "B"
