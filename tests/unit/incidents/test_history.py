"""History that takes the place of an alarm that is not over: it ends nothing, calls nobody anew and moves nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from events.alarms import AlarmAcknowledged, AlarmBecameLive, AlarmCleared
from events.incidents import AlarmGrouped, EscalationStepped, IncidentConfirmed, IncidentOpened, IncidentResolved
from events.notifications import NotificationIssued
from events.requests import AssignIncident, MergeIncidents, Request, RequestBody, ShelveAlarm
from events.types import make_id
from incidents.definition import AlarmDefinition, Definition, Escalation, Policy, Position, Shift, Step
from tests.unit.incidents.plant import PRESS, Plant, occurrence
from tests.unit.incidents.rig import at

ALWAYS = Shift(shift="always", days=tuple(range(7)), begins="00:00", ends="00:00", persons=("Ada",))


def kinds(facts: list[object]) -> list[type]:
    return [type(f) for f in facts]


def watched(sequence: str = "A", **policy: Any) -> Plant:
    """One alarm, and somebody who is called at once, and the boss after ten minutes."""
    steps = (Step(0, ("lead",)), Step(600, ("boss",)))
    return Plant(definition=Definition(
        areas=(PRESS,), alarms={"a": AlarmDefinition(name="a", area=PRESS, rules=("a",), sequence=sequence)},
        policies={PRESS: Policy(escalation="call", **policy)},
        escalations={"call": Escalation(policy="call", steps=steps)},
        positions={p: Position(position=p, areas=("elsewhere",), shifts=(ALWAYS,)) for p in ("lead", "boss")},
    ))  # fmt: skip


def the_incident(plant: Plant) -> UUID:
    return plant.all(IncidentOpened)[0].incident


def asked(body: RequestBody, when: float) -> Request:
    return Request(id=make_id("asked", when), area=PRESS, at=at(when), by="Ada", role="operator",
                   expires=at(when + 30), body=body)  # fmt: skip


@pytest.mark.parametrize("sequence", ["A", "M"], ids=["returned (D)", "latched (E)"])
def test_history_does_not_end_the_incident_of_an_alarm_that_nobody_has_seen(sequence: str) -> None:
    plant = watched(sequence)
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    raised, grouped = plant.raised("a", 10, late=True)
    assert raised.replaces == occurrence("a", 1)
    assert (grouped.incident, grouped.alarm, grouped.takes_over) == (the_incident(plant), occurrence("a", 10), "unseen")
    assert kinds(plant.cleared("a", 10, 11)) == [AlarmCleared]
    assert plant.all(IncidentResolved) == []
    stepped, called, _ = plant.tick(601)
    assert (stepped.step, called.to) == (2, "boss"), "who was to be called is called"
    facts = plant.acknowledge(occurrence("a", 10), 700)
    assert kinds(facts)[:1] == [AlarmAcknowledged] and (IncidentResolved in kinds(facts)) == (sequence == "A")


def test_history_of_what_was_acknowledged_but_not_reset_calls_nobody_and_keeps_the_incident() -> None:
    plant = watched("M")
    plant.raised("a", 1)
    plant.acknowledge(occurrence("a", 1), 2)
    plant.cleared("a", 1, 3)
    assert plant.states() == {"a": "F"}
    assert [getattr(f, "takes_over", None) for f in plant.raised("a", 10, late=True)] == [None, "seen"]
    plant.cleared("a", 10, 11)
    assert plant.tick(5000) == [] and plant.states() == {"a": "E"} and plant.all(IncidentResolved) == []


def test_history_of_what_somebody_was_given_calls_nobody_until_it_is_seen_live() -> None:
    plant = watched()
    plant.raised("a", 1)
    plant.give(asked(AssignIncident(incident=the_incident(plant), to="Ada"), 2))
    plant.cleared("a", 1, 3)
    assert [getattr(f, "takes_over", None) for f in plant.raised("a", 10, late=True)] == [None, "seen"]
    assert plant.tick(5000) == []
    live = plant.stands("a", 10, 5001)
    assert kinds(live) == [AlarmBecameLive, AlarmGrouped, EscalationStepped, NotificationIssued]
    assert live[1].takes_over == "" and live[1].reason == "in it already; seen live"


def test_history_does_not_confirm_a_candidate_though_it_takes_a_place_in_it() -> None:
    plant = watched(confirm_after=2)
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    plant.raised("a", 10, late=True)
    assert plant.all(IncidentConfirmed) == []
    assert IncidentConfirmed in kinds(plant.stands("a", 10, 20))


def test_what_comes_again_while_it_is_shelved_keeps_its_incident_and_joins_it_aloud_when_that_ends() -> None:
    plant = watched("M")
    plant.raised("a", 1)
    plant.cleared("a", 1, 2)
    plant.give(asked(ShelveAlarm(name="a", reason="repair", duration_s=60), 3))
    assert [getattr(f, "takes_over", None) for f in plant.raised("a", 10)][:2] == [None, "unseen"]
    assert plant.all(IncidentResolved) == []
    unshelved = plant.tick(70)
    assert AlarmGrouped in kinds(unshelved) and NotificationIssued in kinds(unshelved)


def test_a_place_that_was_taken_over_moves_with_a_merge_and_is_still_announced_once() -> None:
    plant = watched(together=())
    plant.raised("a", 1)
    plant.raised("b", 2)
    plant.cleared("a", 1, 3)
    plant.raised("a", 10, late=True)
    one, two = (f.incident for f in plant.all(IncidentOpened))
    moved = [f for f in plant.give(asked(MergeIncidents(incident=one, into=two, reason="x"), 11))
             if isinstance(f, AlarmGrouped)]  # fmt: skip
    assert [(f.incident, f.takes_over) for f in moved] == [(two, "unseen")]
    plant.restart()
    assert AlarmGrouped in kinds(plant.stands("a", 10, 20))
    assert plant.stands("a", 10, 21) == []
