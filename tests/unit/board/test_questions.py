"""What playbooks ask of people, as the board says it and as the answer is sent."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.run_rows import Answered, Question
from board.questions import body, facts, headline, lacks, may_answer, replies, row, so_far, waiting_list
from events.requests import AnswerQuestion, Role
from events.types import make_id
from tests.unit.board.rows import PLANT, at, incident, overview


def question(**more: Any) -> Question:
    given: dict[str, Any] = {
        "question": make_id("q"), "run": make_id("run"), "area": "shop/press", "step": "approve", "kind": "approval",
        "text": "Open the bypass?", "to": "shift_lead", "role": "operator", "asked_at": at(0), "due": at(60),
        "playbook": "bypass",
    }  # fmt: skip
    return Question(**(given | more))


YES = Answered(by="Ann", at=at(3), answer="yes")


def test_nobody_is_waited_for_while_no_question_is_open() -> None:
    assert waiting_list(overview(), PLANT, None) is None


def test_a_question_is_listed_by_its_id_with_its_incident_and_when_it_is_due() -> None:
    asked = question(incident=make_id("incident"))
    listed = waiting_list(overview(questions=(asked,), incidents=(incident(),)), PLANT, None)
    assert listed is not None
    (one,) = listed["rows"]
    assert (one["id"], one["number"], one["title"]) == (f"question:{asked.question}", "press 17", "Open the bypass?")
    assert one["due"] == round(at(60).timestamp() * 1000)


def test_a_question_for_two_says_who_said_yes_already_and_that_one_is_missing() -> None:
    assert so_far(question(four_eyes=True)) == "two persons must say yes"
    assert so_far(question(four_eyes=True, answers=(YES,))) == "Ann said yes, a second person is needed"
    closed = question(four_eyes=True, answers=(YES,), closed_at=at(5), answer="no", reason="out of time")
    assert so_far(closed) == "Ann said yes"


@pytest.mark.parametrize(("needed", "role", "may"), [
    ("operator", "operator", True), ("supervisor", "operator", False), ("supervisor", "engineer", True),
    ("operator", "auditor", False),
])  # fmt: skip
def test_a_higher_role_may_answer_a_lower_one_may_not_and_an_auditor_never(
    needed: str, role: Role, may: bool
) -> None:
    assert may_answer(question(role=needed), role) is may


def test_each_kind_is_answered_in_its_own_words() -> None:
    assert [r.answer for r in replies(question())] == ["yes", "no"]
    assert [r.answer for r in replies(question(kind="task"))] == ["done", "failed"]
    choice = replies(question(kind="choice", choices=("line_1", "line_2")))
    assert [(r.label, r.answer) for r in choice] == [("line 1", "line_1"), ("line 2", "line_2")]


def test_a_task_is_done_when_all_is_ticked_off_and_may_be_given_up_before() -> None:
    task = question(kind="task", checklist=("isolated", "tested"))
    done, failed = replies(task)
    assert lacks(task, done, {"isolated": True, "tested": False}) == "not ticked off: tested"
    assert lacks(task, failed, {}) == ""
    assert body(task, done, "ok", {"isolated": True, "tested": True}) == AnswerQuestion(
        question=task.question, answer="done", comment="ok", ticked=("isolated", "tested")
    )


def test_a_closed_question_says_what_was_decided_and_shows_no_time_left() -> None:
    head = headline(question(closed_at=at(9), answer="no", reason="out of time"), PLANT)
    assert (head["badge"], head["due"], head["state"]) == ("decided: no", None, "over")


def test_only_a_picture_on_the_web_can_be_followed() -> None:
    def link(picture: str) -> str:
        return str(next(f["link"] for f in facts(question(picture=picture))["facts"] if f["label"] == "Picture"))

    assert link("https://wiki/seal.png") == "https://wiki/seal.png"
    assert link("images/seal.png") == link("javascript:alert(1)") == ""


def test_what_is_asked_of_a_higher_role_says_so_in_the_list() -> None:
    assert row(question(role="supervisor"), None, PLANT)["words"] == "supervisor or higher"
