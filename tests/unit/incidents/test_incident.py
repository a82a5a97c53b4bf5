"""The life of an incident: candidate, confirmed, resolved, reopened, closed."""

from __future__ import annotations

from events.envelope import Configure
from events.incidents import (
    AlarmGrouped,
    IncidentClosed,
    IncidentConfirmed,
    IncidentOpened,
    IncidentPriorityChanged,
    IncidentReopened,
    IncidentResolved,
)
from events.requests import (
    AcknowledgeAlarm,
    AcknowledgeIncident,
    CloseIncident,
    CommentIncident,
    ConfirmIncident,
    ReopenIncident,
    SetPriority,
    ShelveAlarm,
)
from incidents.cases import CLOSED
from incidents.definition import AlarmDefinition, Policy, Together
from tests.unit.incidents.plant import PRESS, occurrence
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import Shift, defined, kinds

DAY = 86400.0


def test_candidate_waits_for_its_alarms_and_is_confirmed_by_their_number() -> None:
    plant = Shift(Policy(confirm_after=3))
    plant.fire("a", 1)
    assert plant.incident().status == "candidate" and plant.all(IncidentOpened)[0].candidate
    plant.fire("b", 2)
    assert not plant.all(IncidentConfirmed)
    plant.fire("c", 3)
    assert [(f.by, f.reason) for f in plant.all(IncidentConfirmed)] == [("", "3 alarms")]
    assert plant.incident().status == "open"


def test_person_confirms_a_candidate_once() -> None:
    plant = Shift(Policy(confirm_after=3))
    plant.fire("a", 1)
    plant.ask(ConfirmIncident(incident=plant.id()), 2)
    assert plant.incident().status == "open" and plant.all(IncidentConfirmed)[0].by == "Ada"
    assert plant.refused(ConfirmIncident(incident=plant.id()), 3) == (
        "incident 1 is open: only a candidate is confirmed"
    )


def test_incident_of_one_alarm_needs_no_confirmation() -> None:
    plant = Shift()
    plant.fire("a", 1)
    assert plant.incident().status == "open" and not plant.all(IncidentConfirmed)


def test_alarm_that_comes_back_within_the_window_reopens_its_incident() -> None:
    plant = Shift(Policy(reopen_s=600))
    plant.fire("a", 1)
    assert kinds(plant.over("a", 1, 10))[-1] == "IncidentResolved"
    assert kinds(plant.fire("a", 300)) == ["AlarmRaised", "IncidentReopened", "AlarmGrouped"]
    [reopened] = plant.all(IncidentReopened)
    assert (reopened.incident, reopened.opening, reopened.alarm, reopened.rule, reopened.by) == (
        plant.id(), 2, occurrence("a", 300), "a", "",
    )  # fmt: skip
    assert reopened.reason == "a came again 4.8 min after it was resolved"
    assert plant.all(AlarmGrouped)[-1].opening == 2
    assert plant.incident().status == "open" and plant.incident().acknowledged_by == ""
    assert plant.over("a", 300, 400)[-1] == IncidentResolved(incident=plant.id(), opening=2)


def test_window_is_over_after_its_last_second() -> None:
    plant = Shift(Policy(reopen_s=600))
    plant.fire("a", 1)
    plant.over("a", 1, 10)
    plant.fire("a", 611)
    assert plant.all(IncidentReopened) == [] and plant.incident(2).status == "open"


def test_other_alarm_after_the_end_opens_an_incident_of_its_own() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.over("a", 1, 10)
    assert kinds(plant.fire("b", 20)) == ["AlarmRaised", "IncidentOpened"]


def test_open_incident_that_fits_goes_before_one_that_could_be_reopened() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.over("a", 1, 10)
    plant.fire("b", 20)
    plant.fire("a", 30)
    assert plant.all(AlarmGrouped)[-1].incident == plant.id(2) and plant.all(IncidentReopened) == []


def test_every_firing_is_an_alarm_of_its_own_in_the_incident() -> None:
    plant = Shift()
    for when in (1, 3, 5):
        plant.fire("a", when)
        plant.normal("a", when, when + 1)
    assert plant.incident().alarms == 3 and plant.incident().standing == 1
    plant.ask(AcknowledgeAlarm(alarm=occurrence("a", 5)), 7)
    assert plant.incident().status == "resolved"


def test_alarm_of_higher_priority_raises_the_incident_and_says_which() -> None:
    plant = Shift()
    plant.fire("a", 1, priority="medium")
    plant.fire("b", 2, priority="critical")
    assert plant.all(IncidentPriorityChanged) == [
        IncidentPriorityChanged(incident=plant.id(), priority="critical", reason="b is critical")
    ]


def test_priority_that_a_person_set_holds_until_a_higher_alarm_comes() -> None:
    plant = Shift()
    plant.fire("a", 1, priority="high")
    plant.ask(SetPriority(incident=plant.id(), priority="low", reason="known since Monday"), 2)
    plant.fire("b", 3, priority="high")
    plant.fire("c", 4, priority="medium")
    assert plant.incident().priority == "low"
    plant.fire("d", 5, priority="critical")
    assert plant.incident().priority == "critical"


def test_level_that_rises_raises_the_incident() -> None:
    ladder = AlarmDefinition(name="p.high", area=PRESS, rules=("p.H", "p.HH"))
    plant = Shift(alarms=(ladder,))
    plant.fire("p.H", 1, priority="medium")
    facts = plant.fire("p.HH", 2, priority="critical")
    assert kinds(facts)[0] == "AlarmLevelChanged" and len(plant.all(IncidentOpened)) == 1
    assert plant.all(IncidentPriorityChanged)[-1].reason == "p.HH is critical"
    assert plant.incident().priority == "critical" and plant.incident().alarms == 1


def test_shelved_alarm_that_is_active_keeps_its_incident_open() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.ask(ShelveAlarm(name="a", reason="sensor is being changed", duration_s=600), 2)
    assert plant.incident().status == "open"
    assert kinds(plant.normal("a", 1, 3))[-1] == "IncidentResolved"


def test_alarm_raised_while_it_was_shelved_joins_when_the_shelf_ends() -> None:
    plant = Shift(alarms=(defined("a"),))
    plant.ask(ShelveAlarm(name="a", reason="test", duration_s=60), 0)
    assert kinds(plant.fire("a", 1)) == ["AlarmRaised"]
    facts = plant.tick(61)
    assert kinds(facts) == ["AlarmUnshelved", "AlarmReannounced", "IncidentOpened"]
    assert plant.incident().title == "a is high"


def test_alarm_that_was_in_the_incident_before_it_was_shelved_stays_in_it() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("b", 2)
    plant.ask(ShelveAlarm(name="a", reason="test", duration_s=60), 3)
    assert kinds(plant.tick(64)) == ["AlarmUnshelved", "AlarmReannounced"]
    assert plant.brain.areas[PRESS].incidents.of(occurrence("a", 1)).number == 1


def test_alarm_that_returned_unacknowledged_and_is_shelved_then_no_longer_holds_the_incident() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.normal("a", 1, 2)
    assert plant.incident().status == "open"
    facts = plant.ask(ShelveAlarm(name="a", reason="test", duration_s=60), 3)
    assert kinds(facts) == ["AlarmShelved", "IncidentResolved"]
    assert plant.tick(64) != [] and plant.incident().status == "resolved"


def test_resolved_incident_below_the_priority_closes_by_itself_after_a_day() -> None:
    plant = Shift(Policy(close_after_s=DAY, close_by_person="high"))
    plant.fire("a", 1, priority="medium")
    plant.over("a", 1, 10)
    assert plant.tick(DAY) == []
    plant.restart()
    facts = plant.tick(DAY + 10)
    assert facts == [IncidentClosed(
        incident=plant.id(), by="", cause="", action="", useful=None, comment="closed by itself after 1 d"
    )]  # fmt: skip
    assert plant.tick(DAY + 11) == []


def test_incident_of_high_priority_waits_for_a_person() -> None:
    plant = Shift()
    plant.fire("a", 1, priority="high")
    plant.over("a", 1, 10)
    assert plant.tick(10 * DAY) == [] and plant.incident().status == "resolved"


def test_policy_that_changes_decides_about_incidents_that_were_resolved_before() -> None:
    plant = Shift(Policy(close_after_s=0))
    plant.fire("a", 1, priority="low")
    plant.over("a", 1, 10)
    assert plant.tick(DAY + 10) == []
    changed = Shift(Policy(close_after_s=DAY))
    plant.give(configure_of(changed, DAY + 11))
    assert kinds(plant.tick(DAY + 12)) == ["IncidentClosed"]


def configure_of(other: Shift, when: float) -> Configure:
    definition = other.brain._index.definition
    return Configure(definition.version, at(when), "test", definition.pack())


def test_closing_demands_cause_action_and_that_nothing_stands() -> None:
    plant = Shift()
    plant.fire("a", 1)
    closing = CloseIncident(incident=plant.id(), cause="worn seal", action="changed it", useful=True)
    assert plant.refused(closing, 2) == "1 of its alarms still stands"
    plant.over("a", 1, 3)
    empty = CloseIncident(incident=plant.id(), cause=" ", action="changed it", useful=True)
    assert plant.refused(empty, 4) == "to close it, say what the cause was and what was done"
    assert plant.ask(closing, 5) == [IncidentClosed(
        incident=plant.id(), by="Ada", cause="worn seal", action="changed it", useful=True
    )]  # fmt: skip
    assert plant.refused(closing, 6) == "incident 1 is closed: reopen it first"


def test_closed_incident_is_not_reopened_by_its_alarm_but_by_a_person() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.over("a", 1, 2)
    plant.ask(CloseIncident(incident=plant.id(), cause="dirt", action="cleaned", useful=False), 3)
    plant.fire("a", 4)
    assert plant.incident(2).status == "open" and plant.all(IncidentReopened) == []
    facts = plant.ask(ReopenIncident(incident=plant.id(), reason="it was not the dirt"), 5)
    assert facts == [IncidentReopened(incident=plant.id(), opening=2, by="Ada", reason="it was not the dirt")]
    assert plant.tick(6) == [] and plant.incident().status == "open"
    closing = CloseIncident(incident=plant.id(), cause="cable", action="changed", useful=True)
    assert kinds(plant.ask(closing, 7)) == ["IncidentResolved", "IncidentClosed"]


def test_closed_incidents_are_remembered_for_comments_but_not_for_ever() -> None:
    plant = Shift(Policy(reopen_s=0))
    for i in range(CLOSED + 5):
        when = 10.0 * i
        plant.fire("a", when)
        plant.over("a", when, when + 1)
        plant.ask(CloseIncident(incident=plant.id(i + 1), cause="x", action="y", useful=False), when + 2)
    assert len(plant.brain.areas[PRESS].incidents) == CLOSED
    assert kinds(plant.ask(CommentIncident(incident=plant.id(CLOSED + 5), text="again"), 9000)) == [
        "IncidentCommented"
    ]
    assert "closed long ago" in plant.refused(CommentIncident(incident=plant.id(1), text="again"), 9001)
    plant.restart()
    plant.fire("b", 9002)


def test_acknowledging_an_incident_takes_what_was_shown_and_nothing_else() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("b", 2)
    plant.ask(ShelveAlarm(name="b", reason="test", duration_s=600), 3)
    facts = plant.ask(AcknowledgeIncident(incident=plant.id()), 4)
    assert kinds(facts) == ["IncidentAcknowledged", "AlarmAcknowledged"]
    assert facts[1].alarm == occurrence("a", 1)
    assert plant.refused(AcknowledgeIncident(incident=plant.id()), 5) == "already acknowledged by Ada"
    plant.fire("c", 6)
    seen = (occurrence("a", 1),)
    assert plant.refused(AcknowledgeIncident(incident=plant.id(), seen=seen), 7) == (
        "none of the alarms that were shown waits for it, newer ones do"
    )


def test_incident_of_alarms_in_a_flood_is_acknowledged_without_those_held_back() -> None:
    alarms = [defined("cause"), *(defined(f"c{i}", consequence_of=("cause",)) for i in range(20))]
    plant = Shift(alarms=alarms)
    plant.fire("cause", 0)
    for i in range(20):
        plant.fire(f"c{i}", 1 + i, priority="low")
    held = [n for n in plant.brain.areas[PRESS].alarms if plant.brain.areas[PRESS].alarms.get(n).held_back]
    assert held, "no flood"
    facts = plant.ask(AcknowledgeIncident(incident=plant.id()), 30)
    assert len(facts) == 1 + 21 - len(held)
    assert plant.refused(AcknowledgeIncident(incident=plant.id()), 31) == (
        "its alarms that wait are held back until the flood ends"
    )


def test_restart_at_any_moment_changes_nothing() -> None:
    plant = Shift(Policy(confirm_after=2, together=(Together(together="dev", by="device"),)))
    plant.fire("a", 1, point="x.p")
    plant.restart()
    plant.fire("b", 2, point="x.q")
    plant.restart()
    plant.over("a", 1, 3)
    plant.restart()
    plant.over("b", 2, 4)
    plant.restart()
    plant.fire("b", 5, point="x.q")
    assert [type(f).__name__ for f in plant.all(IncidentOpened, IncidentConfirmed, IncidentResolved, IncidentReopened)
            ] == ["IncidentOpened", "IncidentConfirmed", "IncidentResolved", "IncidentReopened"]  # fmt: skip
