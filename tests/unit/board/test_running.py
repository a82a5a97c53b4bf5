"""Runs as the board shows them, and what may be asked of them by whom."""

from __future__ import annotations

from typing import Any

from analytics.run_rows import Errand, Run, Step
from board.running import brief, headline, of_run, overview, row, start, startable, step, trace
from desk.seen import PlaybookSeen
from events import requests as ask
from events.types import make_id
from tests.unit.board import rows
from tests.unit.board.rows import PLANT, at, command


def run(**more: Any) -> Run:
    given: dict[str, Any] = {
        "run": make_id("run"), "playbook": "relieve", "version": "3fa09c11d2e4ff", "title": "Relieve the press",
        "started_at": at(0), "area": "shop/press", "incident": make_id("incident"), "number": 17,
    }  # fmt: skip
    return Run(**(given | more))


def attempt(place: str = "slow", n: int = 1, **more: Any) -> Step:
    given: dict[str, Any] = {"step": place, "attempt": n, "started_at": at(1), "due": at(9)}
    return Step(**(given | more))


def labels(found: Run, role: Any) -> list[str]:
    return [a.label for a in of_run(found, role)]


def test_a_run_that_goes_says_its_step_its_attempt_and_its_time_left() -> None:
    shown = row(run(steps=(attempt(n=2),)), PLANT)
    assert shown["detail"] == "step slow, attempt 2 · Hydraulic press 1"
    assert (shown["number"], shown["due"]) == ("press 17", round(at(9).timestamp() * 1000))


def test_of_parallel_steps_the_one_that_is_due_first_is_named() -> None:
    shown = row(run(steps=(attempt("a"), attempt("b", due=at(4)))), PLANT)
    assert shown["detail"].startswith("step b and 1 more")


def test_a_paused_run_says_by_whom_and_when_it_is_cancelled() -> None:
    paused = run(paused=True, paused_by="Ann", pause_reason="shift change", pause_due=at(3600))
    assert row(paused, PLANT)["due"] == round(at(3600).timestamp() * 1000)
    assert "paused by Ann: shift change" in row(paused, PLANT)["detail"]


def test_runs_that_go_and_runs_that_went_are_listed_apart() -> None:
    gone = run(run=make_id("gone"), outcome="completed", finished_at=at(5))
    sections = overview(rows.overview(runs=(run(),)), (run(), gone), PLANT)["sections"]
    assert [[r["id"] for r in s["runs"]] for s in sections] == [[f"run:{run().run}"], [f"run:{gone.run}"]]


def test_an_ended_run_waits_for_nothing() -> None:
    ended = run(outcome="cancelled", finished_at=at(5), steps=(attempt(),))
    assert headline(ended, PLANT)["due"] is None
    assert trace(ended, PLANT)["steps"][0]["due"] is None


def test_the_trace_says_why_it_began_and_who_must_look() -> None:
    found = run(scope={"incident.title": "Too high", "alarm.message": "Pressure", "alarm.value": 262.37,
                       "alarm.unit": "bar"}, retry_of=make_id("old"), done=("relieve",), outcome="failed",
                finished_at=at(5), detail="step slow", escalated_to="shift_lead", escalated_step="slow",
                escalated_reason="nobody knows", escalated_at=at(5))  # fmt: skip
    said = {f["label"]: f["text"] for f in trace(found, PLANT)["facts"]}
    assert said["Cause"] == "press 17 · Too high"
    assert said["Alarm"] == "Pressure 262.4 bar"
    assert said["Takes up"] == "an earlier run, without relieve"
    assert said["Shift lead must look"] == "step slow: nobody knows"


def test_a_read_says_what_the_device_says_and_a_precondition_stands_beside_a_write() -> None:
    read = command("slow", kind="read", outcome="succeeded", read_back=1.0)
    shown = step(attempt(outcome="done", finished_at=at(2), set={"open": True}), run(commands=(read,)), PLANT)
    assert shown["title"] == "Hydraulic press 1: read Relief valve"
    assert (shown["words"], shown["gives"], shown["took"]) == ("done, it says open", "open = True", "1.0 s")
    wrote = step(attempt(), run(commands=(command("slow", precondition="press.position < 10"),)), PLANT)
    assert wrote["input"] == "only if press.position < 10"


def test_an_errand_says_where_it_went_and_what_came_back() -> None:
    post = Errand(errand=make_id("e"), step="slow", attempt=1, kind="http", target="POST https://cmms/tickets",
                  issued_at=at(1), not_after=at(9), outcome="failed", status=500, reason="expected 201")  # fmt: skip
    shown = step(attempt(outcome="failed", finished_at=at(2)), run(errands=(post,)), PLANT)
    assert shown["title"] == "http: POST https://cmms/tickets"
    assert shown["words"] == "failed, HTTP 500; expected 201"


def test_undone_steps_are_told_apart() -> None:
    assert step(attempt("undo:relieve"), run(), PLANT)["kind"] == "undo"
    assert step(attempt("relieve!.s1"), run(), PLANT)["kind"] == "after a failure"


def test_an_operator_may_cancel_and_pause_but_only_a_supervisor_resumes_or_tries_again() -> None:
    assert labels(run(), "operator") == ["Cancel", "Pause"]
    paused, failed = run(paused=True), run(outcome="failed", steps=(attempt(), attempt("undo:slow")))
    assert labels(paused, "operator") == ["Cancel"] and labels(paused, "supervisor") == ["Cancel", "Resume"]
    assert labels(failed, "operator") == [] and labels(failed, "supervisor") == ["Try again"]
    assert labels(run(), "auditor") == []
    assert labels(run(ending="failed", undo=("slow",)), "engineer") == []


def test_trying_again_names_the_step_and_never_one_of_the_undo() -> None:
    failed = run(outcome="failed", steps=(attempt(), attempt("undo:slow")))
    (again,) = of_run(failed, "supervisor")
    assert again.fields[0].options == ("what failed", "slow")
    assert again.body({"step": "what failed", "reason": "fixed"}) == ask.RetryRun(run=failed.run, reason="fixed")
    assert again.body({"step": "slow", "reason": "fixed"}) == ask.RetryRun(run=failed.run, step="slow", reason="fixed")
    assert again.lacks({"step": "slow", "reason": ""}) == "it needs reason"


def book(asked_by: str) -> PlaybookSeen:
    return PlaybookSeen(playbook="flush", title="Flush", area="shop/press", version="v", mode="single", priority=50,
                        asked_by=asked_by)  # fmt: skip


def test_only_what_may_be_asked_for_by_this_role_can_be_started() -> None:
    assert list(startable([book("operator"), book("")], "operator")) == ["Flush (flush)"]
    assert startable([book("engineer")], "operator") == {} == startable([book("operator")], "auditor")
    action = start(book("operator"), {"press 17": make_id("incident")})
    assert action.body({"incident": "press 17", "reason": "x"}) == ask.StartRun(
        playbook="flush", incident=make_id("incident"), reason="x"
    )
    assert action.body({"incident": "none", "reason": ""}) == ask.StartRun(playbook="flush")


def test_a_run_in_the_story_leads_to_its_trace() -> None:
    assert brief(run(outcome="completed", finished_at=at(2)), PLANT)["id"] == f"run:{make_id('run')}"
    assert brief(run(outcome="completed", finished_at=at(2)), PLANT)["words"] == "completed in 2.0 s"
