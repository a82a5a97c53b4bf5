"""What the incidents stage does for playbooks: it passes their conditions on, hears of loops, takes their requests."""

from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from definitions.system import system_alarms
from events import requests as ask
from events.alarms import AlarmCleared, AlarmRaised, ConditionCleared, ConditionRaised
from events.envelope import Event, Reported
from events.incidents import (
    IncidentAssigned,
    IncidentClosed,
    IncidentCommented,
    IncidentOpened,
    IncidentPriorityChanged,
)
from events.requests import Request, RequestBody, RequestRefused
from events.types import make_id
from incidents.definition import Definition
from tests.unit.incidents.plant import COOLING, PRESS, Plant, clearing, occurrence, raising
from tests.unit.incidents.rig import at, state
from tests.unit.incidents.test_history import watched

NAME = f"{PRESS}/playbook_loop"
ALARMS = system_alarms((PRESS, COOLING))


def kinds(facts: list[object]) -> list[type]:
    return [type(f) for f in facts]


# --- conditions of playbooks ----------------------------------------------------------------------------------------


def test_watches_are_passed_on_as_the_very_events_that_they_are_in_the_order_of_all_else() -> None:
    plant = Plant()
    given = plant.said(
        raising("watch.w1", 1, kind="watch"), raising("a", 1), clearing("watch.w2", 0), clearing("watch.w1", 1), when=1
    )
    before = state(plant.brain)
    events = plant.brain.decide(given)
    assert [type(e.fact) for e in events] == [
        ConditionRaised, AlarmRaised, IncidentOpened, ConditionCleared, ConditionCleared,
    ]  # fmt: skip
    assert [e for e in events if e in given.events] == [given.events[i] for i in (0, 2, 3)]
    plant.give(plant.said(raising("watch.w3", 2, kind="watch"), when=2))
    assert state(plant.brain) == before, "it is no alarm, and nothing to remember"


def test_watch_that_is_history_or_of_an_area_that_another_decides_is_not_passed_on() -> None:
    plant = Plant(PRESS)
    assert plant.give(plant.said(raising("watch.w1", 1, kind="watch", late=True), when=1)) == []
    assert plant.give(plant.said(raising("watch.w1", 1, kind="watch"), when=1, area=COOLING)) == []
    late = replace(clearing("watch.w1", 1), late=True)
    assert kinds(plant.give(plant.said(late, when=2))) == [ConditionCleared], "whatever ends is told"


# --- loops ----------------------------------------------------------------------------------------------------------


def looped(playbook: str, when: float, sequence: int, *, ends: bool = False) -> Reported:
    id_ = make_id("playbook_loop", PRESS, playbook, 10)
    fact: ConditionRaised | ConditionCleared
    if ends:
        fact = ConditionCleared(occurrence=id_, rule="playbook_loop", point=playbook, value=None)
    else:
        fact = ConditionRaised(
            occurrence=id_, rule="playbook_loop", rule_version="", kind="state", point=playbook, priority="high",
            message=f"Playbook {playbook} sets itself off", value=None, limit=None, unit="", began=at(when),
        )  # fmt: skip
    event = Event(make_id("loop", playbook, when), at(when), PRESS, make_id("run"), "playbooks", fact)
    return Reported("playbooks:3", sequence, (event,))


def test_loop_that_a_playbook_says_is_an_alarm_of_its_area_and_ends_with_it() -> None:
    plant = Plant(definition=Definition(areas=(PRESS, COOLING), alarms=ALARMS))
    raised, opened = plant.give(looped("relieve", 10, 1))
    assert isinstance(raised, AlarmRaised) and (raised.name, raised.rule) == (NAME, "playbook_loop")
    assert opened.title == "Playbook relieve sets itself off" and plant.log[-1].author == "incidents"
    plant.restart()
    assert plant.give(looped("relieve", 10, 1)) == [], "told again"
    other = plant.give(looped("close", 20, 2))
    assert kinds(other)[0] is AlarmRaised, "another loop is another firing of the same alarm"
    plant.give(looped("relieve", 610, 3, ends=True))
    assert kinds(plant.give(looped("close", 620, 4, ends=True))) == [AlarmCleared]
    assert plant.give(looped("relieve", 10, 1)) == [], "told again, after its end"
    assert plant.states() == {"playbook_loop": "D"}


def test_reports_of_edges_raise_no_alarm() -> None:
    plant = Plant()
    assert plant.give(replace(looped("relieve", 10, 1), source="edge-1:journal")) == []


# --- requests -------------------------------------------------------------------------------------------------------


def by_playbook(body: RequestBody, when: float, *, role: str = "system") -> Request:
    return Request(
        id=make_id("asked", when), area=PRESS, at=at(when), by="playbook relieve", role=role, expires=at(when + 30),
        body=body,
    )  # fmt: skip


def one_incident(plant: Plant) -> UUID:
    plant.raised("a", 1)
    (opened,) = plant.all(IncidentOpened)
    id_: UUID = opened.incident
    return id_


def test_playbook_works_on_its_incident_under_its_own_name_and_once() -> None:
    plant = Plant()
    id_ = one_incident(plant)
    comment = by_playbook(ask.CommentIncident(incident=id_, text="the valve is open"), 2)
    assert plant.give(comment) == [IncidentCommented(incident=id_, by="playbook relieve", text="the valve is open")]
    assert (plant.log[-1].author, plant.log[-1].cause) == ("playbook relieve", comment.id)
    plant.restart()
    assert plant.give(comment) == [], "asked again"
    (priority,) = plant.give(by_playbook(ask.SetPriority(incident=id_, priority="critical", reason="no effect"), 3))
    assert isinstance(priority, IncidentPriorityChanged) and priority.by == "playbook relieve"
    close = ask.CloseIncident(incident=id_, cause="hose", action="relieved", useful=True)
    assert plant.give(by_playbook(close, 4))[0].reason == "1 of its alarms still stands"  # type: ignore[attr-defined]
    plant.acknowledge(occurrence("a", 1), 5)
    plant.cleared("a", 1, 6)
    assert IncidentClosed in kinds(plant.give(by_playbook(close, 7)))


def test_playbook_that_asks_for_what_is_so_already_has_its_reason_told_and_lowers_no_priority() -> None:
    plant = Plant()
    id_ = one_incident(plant)
    plant.give(by_playbook(ask.SetPriority(incident=id_, priority="critical", reason="no effect"), 2))
    for when, priority in ((3, "critical"), (4, "high")):
        again = by_playbook(ask.SetPriority(incident=id_, priority=priority, reason="still none"), when)
        assert plant.give(again) == [IncidentCommented(incident=id_, by="playbook relieve", text="still none")]
        assert plant.log[-1].cause == again.id, "its step is done"
    plant.give(by_playbook(ask.AssignIncident(incident=id_, to="boss"), 5))
    assert kinds(plant.give(by_playbook(ask.AssignIncident(incident=id_, to="boss"), 6))) == [IncidentCommented]


@pytest.mark.parametrize("body", [
    ask.AcknowledgeAlarm(alarm=occurrence("a", 1)), ask.ShelveAlarm(name="a", reason="x", duration_s=60),
    ask.Silence(), ask.SuppressAlarm(name="a", reason="x", duration_s=60),
    ask.ReturnToService(device="press"), ask.HandOver(position="lead", to="ben"),
], ids=lambda body: type(body).__name__)  # fmt: skip
def test_playbook_neither_acknowledges_nor_quiets(body: RequestBody) -> None:
    plant = Plant()
    one_incident(plant)
    (refused,) = plant.give(by_playbook(body, 2))
    assert isinstance(refused, RequestRefused) and "a system may not" in refused.reason


def test_incident_that_a_playbook_assigns_is_still_called_about_until_a_person_takes_it() -> None:
    plant = watched()
    id_ = one_incident(plant)
    assert kinds(plant.give(by_playbook(ask.AssignIncident(incident=id_, to="boss"), 2))) == [IncidentAssigned]
    assert "boss" in [getattr(f, "to", "") for f in plant.tick(601)], "the next step is taken"


def test_request_about_a_run_that_comes_here_is_refused() -> None:
    plant = Plant()
    (refused,) = plant.give(by_playbook(ask.CancelRun(run=make_id("r"), reason="x"), 2, role="operator"))
    assert isinstance(refused, RequestRefused) and refused.reason.endswith("is asked of the playbooks stage")


# --- the end of an alarm --------------------------------------------------------------------------------------------


def test_end_of_an_alarm_says_whose_it_was_unless_it_was_hidden_or_is_history() -> None:
    plant = Plant()
    plant.raised("a", 1, priority="critical")
    (cleared, *_) = plant.cleared("a", 1, 2)
    assert (cleared.rule, cleared.name, cleared.point, cleared.priority) == ("a", "a", "press.pressure", "critical")
    plant.raised("b", 3)
    plant.give(plant.said(replace(clearing("b", 3), late=True), when=4))
    plant.raised("c", 5, late=True)
    plant.cleared("c", 5, 6)
    plant.raised("d", 7)
    shelve = ask.ShelveAlarm(name="d", reason="x", duration_s=60)
    plant.give(replace(by_playbook(shelve, 8, role="operator"), by="Ada"))
    plant.cleared("d", 7, 9)
    quiet = plant.all(AlarmCleared)[1:]
    assert [(f.rule, f.name, f.point, f.priority) for f in quiet] == [("", "", "", "high")] * 3
