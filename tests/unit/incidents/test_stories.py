"""Stories of one press: what an operator sees and may rely on."""

from __future__ import annotations

import time

import pytest

from devices.plant import Area as PlantArea
from devices.plant import Plant as PlantFiles
from events.alarms import AlarmAcknowledged, AlarmBecameLive, AlarmCleared, AlarmRaised
from events.codec import encode
from events.envelope import Configure, Configured, Decision
from events.incidents import (
    AlarmGrouped,
    IncidentAcknowledged,
    IncidentOpened,
    IncidentPriorityChanged,
    IncidentResolved,
)
from events.requests import AcknowledgeAlarm, AcknowledgeIncident, Request, RequestRefused
from events.types import make_id
from incidents.alarms import OVER
from incidents.brain import IncidentsBrain
from incidents.casework import AT_ONCE
from incidents.definition import Definition, define
from tests.unit.incidents.plant import COOLING, PRESS, Plant, clearing, occurrence, raising
from tests.unit.incidents.rig import at


def kinds(facts: list[object]) -> list[type]:
    return [type(f) for f in facts]


def test_first_alarm_of_an_area_opens_incident_number_one() -> None:
    plant = Plant()
    raised, opened = plant.raised("pressure", 1)
    assert isinstance(raised, AlarmRaised) and raised.alarm == occurrence("pressure", 1) and raised.limit == 0.5
    assert opened == IncidentOpened(
        incident=make_id("incident", raised.alarm), number=1, title="pressure is high", priority="high",
        alarm=raised.alarm, rule="pressure", point="press.pressure", name="pressure",
    )  # fmt: skip
    assert plant.log[-1].at == at(1) and plant.log[-1].area == PRESS
    assert plant.log[-1].author == "incidents"


def test_further_alarms_join_and_raise_the_priority_but_never_lower_it() -> None:
    plant = Plant()
    plant.raised("pressure", 1, priority="medium")
    assert kinds(plant.raised("vibration", 2, priority="critical")) == [
        AlarmRaised, AlarmGrouped, IncidentPriorityChanged,
    ]  # fmt: skip
    assert plant.log[-2].fact.reason == "same area, while incident 1 is open"
    assert kinds(plant.raised("temperature", 3, priority="low")) == [AlarmRaised, AlarmGrouped]


def test_areas_have_incidents_of_their_own() -> None:
    plant = Plant()
    plant.raised("pressure", 1)
    assert kinds(plant.raised("flow", 2, area=COOLING)) == [AlarmRaised, IncidentOpened]
    assert [o.number for o in plant.all(IncidentOpened)] == [1, 1]


def test_incident_is_resolved_when_all_its_alarms_are_normal_and_the_next_alarm_opens_a_new_one() -> None:
    plant = Plant()
    plant.raised("pressure", 1)
    plant.raised("vibration", 2)
    plant.acknowledge(occurrence("pressure", 1), 3)
    assert kinds(plant.cleared("pressure", 1, 4)) == [AlarmCleared]
    plant.cleared("vibration", 2, 5)
    assert plant.states() == {"vibration": "D"}
    assert kinds(plant.acknowledge(occurrence("vibration", 2), 6)) == [AlarmAcknowledged, IncidentResolved]
    assert plant.states() == {}
    assert kinds(plant.raised("temperature", 7)) == [AlarmRaised, IncidentOpened]
    assert plant.log[-1].fact.number == 2


def test_alarm_goes_through_the_states_of_isa_18_2() -> None:
    plant = Plant()
    plant.raised("a", 1)
    assert plant.states() == {"a": "B"}
    plant.acknowledge(occurrence("a", 1), 2)
    assert plant.states() == {"a": "C"}
    assert kinds(plant.cleared("a", 1, 3)) == [AlarmCleared, IncidentResolved]
    assert plant.states() == {}


def test_alarm_that_returns_before_anybody_looked_stays_visible_until_acknowledged() -> None:
    plant = Plant()
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    assert plant.states() == {"a": "D"}


def test_re_alarm_is_a_new_alarm_beside_the_one_nobody_acknowledged() -> None:
    plant = Plant()
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    assert kinds(plant.raised("a", 3)) == [AlarmRaised, AlarmGrouped]
    plant.acknowledge(occurrence("a", 1), 4)
    alarm = plant.brain.areas[PRESS].alarms.get("a")
    assert (alarm.alarm, alarm.state) == (occurrence("a", 3), "B")


def test_condition_that_is_delivered_again_changes_nothing_even_after_the_alarm_is_normal() -> None:
    plant = Plant()
    plant.raised("a", 1)
    assert plant.raised("a", 1) == []
    plant.cleared("a", 1, 2)
    assert plant.cleared("a", 1, 2) == []
    plant.acknowledge(occurrence("a", 1), 3)
    assert plant.raised("a", 1) == [] and plant.cleared("a", 1, 2) == []


def test_memory_of_normal_alarms_is_bounded() -> None:
    plant = Plant()
    brain: IncidentsBrain = plant.brain
    for i in range(OVER + 20):
        brain.evolve(brain.decide(plant.said(raising("a", i, late=True), clearing("a", i), when=i)))
    alarms = brain.areas[PRESS].alarms
    assert len(alarms) == 1 and len(alarms.over) == OVER and occurrence("a", 18) not in alarms.over


def test_clear_of_an_alarm_nobody_knows_is_nothing() -> None:
    assert Plant().cleared("a", 1, 2) == []


def test_one_decision_of_several_conditions_is_taken_in_its_order() -> None:
    plant = Plant()
    facts = plant.give(plant.said(raising("a", 1), raising("b", 1, priority="critical"), clearing("a", 1), when=1))
    assert kinds(facts) == [
        AlarmRaised, IncidentOpened, AlarmRaised, AlarmGrouped, IncidentPriorityChanged, AlarmCleared,
    ]  # fmt: skip
    assert plant.states() == {"a": "D", "b": "B"}


def test_late_alarm_is_shown_but_opens_no_incident_until_it_is_seen_live() -> None:
    plant = Plant()
    (raised,) = plant.raised("a", 1, late=True)
    assert isinstance(raised, AlarmRaised) and raised.late and plant.states() == {"a": "B"}
    assert kinds(plant.stands("a", 1, 500)) == [AlarmBecameLive, IncidentOpened]
    assert plant.stands("a", 1, 501) == []


def test_late_alarm_that_was_over_before_it_was_known_waits_for_its_acknowledgement_without_incident() -> None:
    plant = Plant()
    plant.raised("a", 1, late=True)
    assert kinds(plant.cleared("a", 1, 2)) == [AlarmCleared]
    assert plant.states() == {"a": "D"}
    assert plant.stands("a", 1, 3) == []
    assert kinds(plant.acknowledge(occurrence("a", 1), 900)) == [AlarmAcknowledged]
    assert plant.states() == {} and plant.all(IncidentOpened) == []


def test_acknowledgement_carries_the_person_and_the_request() -> None:
    plant = Plant()
    plant.raised("a", 1)
    (fact,) = plant.acknowledge(occurrence("a", 1), 2, by="Ada")
    assert fact == AlarmAcknowledged(alarm=occurrence("a", 1), by="Ada", comment="seen")
    assert plant.log[-1].author == "person Ada"
    assert plant.log[-1].cause == make_id("request", occurrence("a", 1), 2, "")


def test_acknowledging_an_incident_acknowledges_each_of_its_alarms_and_no_other() -> None:
    plant = Plant()
    plant.raised("history", 0, late=True)
    plant.raised("a", 1)
    plant.raised("b", 2)
    plant.cleared("b", 2, 3)
    incident = plant.all(IncidentOpened)[0].incident
    facts = plant.acknowledge(incident, 4, incident=True)
    assert kinds(facts) == [IncidentAcknowledged, AlarmAcknowledged, AlarmAcknowledged]
    assert plant.states() == {"history": "B", "a": "C"}
    assert kinds(plant.cleared("a", 1, 5)) == [AlarmCleared, IncidentResolved]


def test_acknowledging_an_incident_whose_alarms_all_returned_resolves_it() -> None:
    plant = Plant()
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    facts = plant.acknowledge(plant.all(IncidentOpened)[0].incident, 3, incident=True)
    assert kinds(facts) == [IncidentAcknowledged, AlarmAcknowledged, IncidentResolved]


def test_acknowledging_an_incident_leaves_an_alarm_alone_that_the_person_never_saw() -> None:
    plant = Plant()
    plant.raised("shown", 1)
    plant.raised("joined", 2)
    plant.cleared("joined", 2, 3)
    plant.cleared("shown", 1, 4)
    incident, shown = plant.all(IncidentOpened)[0].incident, occurrence("shown", 1)
    facts = plant.acknowledge(incident, 5, incident=True, seen=(shown, make_id("gone since")))
    assert kinds(facts) == [IncidentAcknowledged, AlarmAcknowledged] and facts[1].alarm == shown
    assert plant.states() == {"joined": "D"}, "it waits for somebody, and the incident stays open for it"
    (refused,) = plant.acknowledge(incident, 6, incident=True, seen=(shown,))
    assert isinstance(refused, RequestRefused) and refused.reason.startswith("none of the alarms that were shown")
    assert kinds(plant.acknowledge(incident, 7, incident=True)) == [
        IncidentAcknowledged, AlarmAcknowledged, IncidentResolved,
    ]  # fmt: skip


def test_incident_is_not_taken_as_acknowledged_when_nothing_that_was_shown_waits() -> None:
    plant = Plant()
    plant.raised("shown", 1)
    plant.raised("joined", 2)
    plant.acknowledge(occurrence("shown", 1), 3)
    incident = plant.all(IncidentOpened)[0].incident
    (refused,) = plant.acknowledge(incident, 4, incident=True, seen=(occurrence("shown", 1),))
    assert isinstance(refused, RequestRefused) and plant.all(IncidentAcknowledged) == []
    assert plant.states() == {"shown": "C", "joined": "B"}


def test_incident_can_be_acknowledged_again_when_a_further_alarm_joined() -> None:
    plant = Plant()
    plant.raised("a", 1)
    incident = plant.all(IncidentOpened)[0].incident
    plant.acknowledge(incident, 2, incident=True)
    (refused,) = plant.acknowledge(incident, 3, incident=True)
    assert isinstance(refused, RequestRefused) and refused.reason.startswith("already acknowledged")
    plant.raised("b", 4)
    assert kinds(plant.acknowledge(incident, 5, incident=True)) == [IncidentAcknowledged, AlarmAcknowledged]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"what": make_id("nobody"), "when": 2}, f"the area has no alarm {make_id('nobody')}"),
        ({"what": make_id("no"), "when": 2, "incident": True}, f"the area has no incident {make_id('no')}"),
        ({"what": occurrence("a", 1), "when": 2, "area": COOLING}, f"the area has no alarm {occurrence('a', 1)}"),
        ({"what": occurrence("a", 1), "when": 2, "area": "moon"}, "area 'moon' is not decided here"),
        ({"what": occurrence("a", 1), "when": 2, "expires": 5}, "expired: it was to be done by"),
        ({"what": occurrence("b", 1), "when": 2}, "already acknowledged"),
        ({"what": occurrence("c", 1), "when": 2}, "already acknowledged and back to normal"),
    ],
)
def test_refusal_is_a_fact_that_says_why_and_changes_nothing(asked: dict[str, object], reason: str) -> None:
    plant = Plant()
    for rule in "abc":
        plant.raised(rule, 1)
    plant.acknowledge(occurrence("b", 1), 1.1)
    plant.acknowledge(occurrence("c", 1), 1.2)
    plant.cleared("c", 1, 1.3)
    plant.tick(10)
    (refused,) = plant.acknowledge(**asked)  # type: ignore[arg-type]
    assert isinstance(refused, RequestRefused) and refused.reason.startswith(reason)
    assert plant.states() == {"a": "B", "b": "C"}


def test_request_that_is_sent_again_is_answered_once() -> None:
    plant = Plant()
    plant.raised("a", 1)
    assert len(plant.acknowledge(occurrence("a", 1), 2, request="r")) == 1
    assert plant.acknowledge(occurrence("a", 1), 2, request="r") == []
    assert len(plant.acknowledge(make_id("x"), 2)) == 1
    assert plant.acknowledge(make_id("x"), 2) == []


def test_conditions_of_an_area_that_is_decided_elsewhere_are_ignored() -> None:
    plant = Plant(PRESS)
    assert plant.raised("flow", 1, area=COOLING) == []
    assert len(plant.raised("pressure", 1)) == 2


def test_area_that_moves_to_another_home_may_still_end_what_stands_here() -> None:
    plant = Plant(PRESS, COOLING)
    plant.raised("flow", 1, area=COOLING)
    moved = Definition(areas=(PRESS,))
    plant.give(Configure(moved.version, at(2), "test", moved.pack()))
    plant.acknowledge(occurrence("flow", 1), 3, area=COOLING)
    assert kinds(plant.cleared("flow", 1, 4, area=COOLING)) == [AlarmCleared, IncidentResolved]


def test_configuration_is_said_once() -> None:
    plant = Plant(PRESS)
    (configured,) = plant.all(Configured)
    assert configured.stage == "incidents" and plant.log[0].area == "*"
    assert plant.give(Configure(configured.version, at(9), "test", configured.body)) == []


def test_home_of_an_area_says_who_decides_it() -> None:
    files = PlantFiles("p", 60.0, {"a": PlantArea(area="a"), "b": PlantArea(area="b", home="edge", edge="edge-1"),
                                   "c": PlantArea(area="c", home="edge", edge="edge-2")}, [], {})  # fmt: skip
    assert define(files).areas == ("a",)
    assert define(files, edge="edge-1").areas == ("b",)


def test_brain_goes_on_from_its_snapshot() -> None:
    plant = Plant()
    plant.raised("a", 1)
    plant.tick(50)
    plant.restart()
    assert plant.raised("a", 1) == []
    request = Request(id=make_id("r"), area=PRESS, at=at(1), by="Ada", role="operator", expires=at(40),
                      body=AcknowledgeAlarm(alarm=occurrence("a", 1)))  # fmt: skip
    (refused,) = plant.give(request)
    assert isinstance(refused, RequestRefused)
    assert kinds(plant.raised("b", 51)) == [AlarmRaised, AlarmGrouped]


def test_thirty_thousand_standing_alarms_load_in_seconds_and_are_acknowledged_in_parts_that_fit_a_record() -> None:
    plant = Plant()
    brain: IncidentsBrain = plant.brain
    given = plant.said(*(raising(f"r{i}", 1) for i in range(30_000)), when=1)
    brain.evolve(brain.decide(given))
    raw = brain.save()
    began = time.process_time()
    other = IncidentsBrain()
    other.load(raw)
    assert time.process_time() - began < 3
    incidents = other.areas[PRESS].incidents
    (incident,) = (incidents.get(id_) for id_ in incidents)
    assert incident is not None and incident.standing == 30_000 and other.areas[PRESS].alarms.standing == 30_000
    asked = Request(id=make_id("r"), area=PRESS, at=at(2), by="Ada", role="operator", expires=at(9),
                    body=AcknowledgeIncident(incident=incident.incident))  # fmt: skip
    events = other.decide(asked)
    assert len(events) == 1 + AT_ONCE and len(encode(Decision(0, -1, -1, tuple(events)))) < 8 << 20
