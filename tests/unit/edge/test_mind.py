"""Which brain hears what at an edge that is a home: as the stages of a plant do, in one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from edge.mind import Mind
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Decision, Event, Fact, InputFailed, Record, Reported, Tick, event
from events.errands import RequestIssued
from events.incidents import IncidentCommented
from events.requests import CommentIncident, Request, RequestBody, ResetAlarm, StopActing
from events.types import make_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AREA = "shop/press"


class Scripted:
    """A brain that says what `answer` gives, and remembers what it was given and what it folded."""

    version = "1"

    def __init__(self) -> None:
        self.heard: list[Record] = []
        self.folded: list[Event] = []
        self.answer: Callable[[Record], list[Event]] = lambda given: []

    def decide(self, given: Record) -> list[Event]:
        self.heard.append(given)
        return self.answer(given)

    def evolve(self, said: list[Event]) -> None:
        self.folded += said


class Rig:
    def __init__(self) -> None:
        self.mind = Mind()
        self.detection, self.incidents, self.playbooks = Scripted(), Scripted(), Scripted()
        self.mind._detection = self.detection  # type: ignore[assignment]
        self.mind._incidents = self.incidents  # type: ignore[assignment]
        self.mind._playbooks = self.playbooks  # type: ignore[assignment]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def said(fact: Fact, *, cause: object = "x", author: str = "playbooks") -> Event:
    return event(fact, at=NOW, area=AREA, cause=make_id(cause), author=author, index=0)


def request(body: RequestBody, name: str = "request") -> Request:
    return Request(id=make_id(name), area=AREA, at=NOW, by="Kim", role="operator",
                   expires=NOW + timedelta(seconds=30), body=body)  # fmt: skip


def condition(rule: str) -> ConditionRaised:
    return ConditionRaised(
        occurrence=make_id(rule), rule=rule, rule_version="", kind="state", point="p", priority="high", message="m",
        value=None, limit=None, unit="", began=NOW,
    )  # fmt: skip


def test_a_request_about_runs_is_heard_by_playbooks_alone_and_any_other_by_incidents(rig: Rig) -> None:
    stop, reset = request(StopActing(reason="people")), request(ResetAlarm(alarm=make_id("a")))
    rig.mind.decide(stop)
    rig.mind.decide(reset)
    assert (rig.playbooks.heard, rig.incidents.heard) == ([stop], [reset])


def test_a_tick_plays_what_is_due_before_what_is_new(rig: Rig) -> None:
    order: list[str] = []
    for name, brain in (("playbooks", rig.playbooks), ("detection", rig.detection), ("incidents", rig.incidents)):
        brain.answer = lambda given, name=name: order.append(name) or []
    rig.mind.decide(Tick(NOW))
    assert order == ["playbooks", "detection", "incidents"]


def test_an_event_that_is_passed_on_from_brain_to_brain_is_told_once_where_it_was_first_said(rig: Rig) -> None:
    watch, after = said(condition("watch.w1"), author="detection"), said(InputFailed(stage="t", error="", input=b""))
    rig.detection.answer = lambda given: [watch]
    rig.incidents.answer = lambda given: list(given.events) if isinstance(given, Decision) else []
    rig.playbooks.answer = lambda given: [*given.events, after] if isinstance(given, Decision) else []
    assert rig.mind.decide(Tick(NOW)) == [watch, after]
    assert watch in rig.incidents.folded
    assert watch in rig.playbooks.folded, "each brain that passes it on folds it"


def test_what_a_run_asks_of_its_incident_is_answered_within_the_same_input(rig: Rig) -> None:
    asked = request(CommentIncident(incident=make_id("i"), text="done"), "from the run")
    issued = said(RequestIssued(run=make_id("run"), step="s1", attempt=1, request=asked))
    answer = said(IncidentCommented(incident=make_id("i"), by="playbook p", text="done"), cause="a", author="incidents")
    rig.playbooks.answer = lambda given: [issued] if isinstance(given, Tick) else []
    rig.incidents.answer = lambda given: [answer] if given == asked else []
    assert rig.mind.decide(Tick(NOW)) == [issued, answer]
    assert rig.playbooks.heard == [Tick(NOW), Decision(0, -1, -1, (answer,))]


@pytest.mark.parametrize("fact", [
    condition("playbook_loop"),
    ConditionCleared(occurrence=make_id("x"), rule="playbook_loop", point="p", value=None),
])  # fmt: skip
def test_a_loop_that_playbooks_cut_becomes_an_alarm_like_any_other(rig: Rig, fact: Fact) -> None:
    cut = said(fact)
    rig.playbooks.answer = lambda given: [cut] if isinstance(given, Tick) else []
    rig.mind.decide(Tick(NOW))
    assert rig.incidents.heard[0] == Decision(0, -1, -1, (cut,))


def test_a_watch_that_playbooks_pass_on_does_not_go_round(rig: Rig) -> None:
    watch = said(condition("watch.w1"), author="detection")
    rig.playbooks.answer = lambda given: [watch]
    rig.mind.decide(Tick(NOW))
    assert rig.incidents.heard == [Tick(NOW)]


def test_the_outcome_of_a_command_is_heard_by_all(rig: Rig) -> None:
    told = Reported("edge-1:x", 1, ())
    rig.mind.decide(told)
    assert rig.detection.heard == rig.incidents.heard == rig.playbooks.heard == [told]


def test_brains_that_answer_each_other_for_ever_are_an_error_not_a_standstill(rig: Rig) -> None:
    asked = request(CommentIncident(incident=make_id("i"), text="done"))
    issued = said(RequestIssued(run=make_id("run"), step="s1", attempt=1, request=asked))
    rig.playbooks.answer = lambda given: [issued]
    rig.incidents.answer = lambda given: [said(InputFailed(stage="t", error="", input=b""))]
    with pytest.raises(RuntimeError, match="for ever"):
        rig.mind.decide(Tick(NOW))
