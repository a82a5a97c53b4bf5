"""What an answer means, and how it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from errands.outcome import answered, late, pointed, refused_topic, report
from events.errands import ErrandDone, ErrandFailed
from events.requests import ReportErrand
from events.types import make_id
from tests.unit.errands.errands import AREA, AT, http, issued

CONTENT = {"id": "T-7", "ticket": {"number": 7, "open": True, "a/b": [1.5, "x"]}, "~": "tilde", "none": None}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/id", "T-7"), ("/ticket/number", 7.0), ("/ticket/open", True), ("/ticket/a~1b/1", "x"), ("/~0", "tilde")],
)
def test_a_value_of_the_answer_is_found(pointer: str, value: Any) -> None:
    found = pointed(CONTENT, pointer)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("pointer", ["/nothing", "/ticket", "/none", "/ticket/a~1b/7", "/ticket/a~1b/01", "/id/x", ""])
def test_what_is_not_there_is_not_guessed(pointer: str) -> None:
    with pytest.raises(LookupError):
        pointed(CONTENT, pointer)


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (408, False), (400, True), (404, True), (302, True)]
)
def test_a_wrong_answer_is_tried_again_where_that_may_help(status: int, final: bool) -> None:
    outcome = answered(http(), status, None, "no such article")
    assert isinstance(outcome, ErrandFailed)
    assert (outcome.status, outcome.final) == (status, final)
    assert outcome.reason == f"answered {status}: no such article"


def test_any_two_hundred_is_success_unless_the_playbook_says_which() -> None:
    assert isinstance(answered(http(), 204, None, ""), ErrandDone)
    assert isinstance(answered(http(expect=(201, 409)), 409, None, ""), ErrandDone)
    assert isinstance(answered(http(expect=(201,)), 200, None, ""), ErrandFailed)


def test_what_is_saved_comes_with_the_status() -> None:
    outcome = answered(http(save={"ticket": "/id", "number": "/ticket/number"}), 201, CONTENT, "")
    assert outcome == ErrandDone(errand=http().errand, status=201, result={"ticket": "T-7", "number": 7.0})


def test_an_answer_without_what_the_playbook_needs_is_final_since_the_call_was_made() -> None:
    outcome = answered(http(save={"ticket": "/number"}), 201, CONTENT, "")
    assert outcome == ErrandFailed(errand=http().errand, status=201, reason="the answer has no /number", final=True)
    assert isinstance(answered(http(save={"ticket": "/id"}), 201, None, ""), ErrandFailed), "it was no JSON"


@pytest.mark.parametrize(
    "topic",
    ["andon/v1/edge-1/down/command", "neuron/press/write/req", "plain/press/pressure", "$SYS/x", "a/+/b", "#", ""],
)
def test_what_moves_devices_or_looks_like_a_reading_is_no_topic_of_playbooks(topic: str) -> None:
    assert refused_topic(topic)


@pytest.mark.parametrize("topic", ["factory/shift/info", "andonlight/1", "/factory"])
def test_other_topics_are(topic: str) -> None:
    assert refused_topic(topic) == ""


def test_an_outcome_is_told_by_the_system_and_said_twice_is_one_request() -> None:
    done = ErrandDone(errand=http().errand, status=201, result={"ticket": "T-7"})
    told = report(issued(http()), done, AT)
    assert (told.by, told.role, told.area) == ("errands", "system", AREA)
    assert told.id == make_id("errand reported", http().errand) == report(issued(http()), late(http()), AT).id
    assert told.body == ReportErrand(errand=http().errand, status=201, result={"ticket": "T-7"})
    assert told.expires == http().not_after + timedelta(seconds=60)


def test_an_errand_that_is_late_is_told_so_as_long_as_somebody_may_wait() -> None:
    told = report(issued(http()), late(http()), AT + timedelta(hours=1))
    assert isinstance(told.body, ReportErrand)
    assert told.body.reason == "late: it was to begin by 2026-11-22 12:00:10 UTC" and told.body.final
    assert told.expires > AT + timedelta(hours=1)
