"""What people ask of playbooks, and what the errands process reports. Pure. Each request is answered once, by facts."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import assert_never
from uuid import UUID

from events import requests as ask
from events.errands import ErrandDone, ErrandFailed
from events.playbooks import RunPaused, RunResumed, RunStarted, Scalar
from events.requests import Request, RunRequest
from playbooks import answers, endings, hands, permissions, walk
from playbooks.area import apart
from playbooks.desk import Desk, Here, title
from playbooks.permissions import RefusedError
from playbooks.places import general, holds
from playbooks.plan import OnRequest
from playbooks.recipe import Ask, Task
from playbooks.run import Run
from playbooks.turn import Book


def request(desk: Desk, here: Here, given: Request, body: RunRequest) -> None:
    """Do what is asked for.

    Raises:
        RefusedError: nothing was done.
    """
    permissions.check(body, given.role)
    match body:
        case ask.StartRun():
            _start(desk, here, given, body)
        case ask.CancelRun(run=run, reason=reason):
            _cancel(desk, here, given.by, _going(desk, here, run), reason)
        case ask.PauseRun(run=run, reason=reason, duration_s=duration_s):
            if _going(desk, here, run).paused is not None:
                raise RefusedError("it is paused already")
            due = here.now + timedelta(seconds=duration_s)
            desk.say(_person(given.by), here, RunPaused(run=run, by=given.by, reason=reason, due=due))
        case ask.ResumeRun(run=run):
            if _going(desk, here, run).paused is None:
                raise RefusedError("it is not paused")
            desk.say(_person(given.by), here, RunResumed(run=run, by=given.by))
            desk.advance(here, run)
        case ask.RetryRun():
            _retry(desk, here, given, body)
        case ask.AnswerQuestion():
            _answer(desk, here, given, body)
        case ask.StopActing(reason=reason):
            if desk.area(here.area).off:
                raise RefusedError(f"{desk.area(here.area).off}, already")
            hands.stop(desk, here, given.by, reason)
        case ask.AllowActing(reason=reason):
            if not desk.area(here.area).off:
                raise RefusedError("hands are not off")
            hands.allow(desk, here, given.by, reason)
        case ask.ReportErrand():
            _report(desk, here, given.by, body)
        case _:
            assert_never(body)


def _person(by: str) -> str:
    return f"person {by}"


def _going(desk: Desk, here: Here, id_: UUID) -> Run:
    """The run. Raises: RefusedError: it does not go, or it is ending."""
    run = desk.area(here.area).runs.get(id_)
    if run is None:
        raise RefusedError("there is no such run here, or it has ended")
    if run.ending is not None:
        raise RefusedError("it is ending already")
    return run


def _book(desk: Desk, area: str, playbook: str) -> Book:
    found = next((b for b in desk.memory.current.get(area, ()) if b.playbook.playbook == playbook), None)
    if found is None:
        raise RefusedError(f"there is no playbook '{playbook}' in {area}")
    return found


def _start(desk: Desk, here: Here, given: Request, body: ask.StartRun) -> None:
    book = _book(desk, here.area, body.playbook)
    plan = book.playbook
    trigger = next((t for t in plan.triggers if isinstance(t, OnRequest)), None)
    if trigger is None:
        raise RefusedError(f"{plan.playbook} is not for being asked for: its file has no trigger 'request'")
    permissions.at_least(trigger.role, given.role, f"start {plan.playbook}")
    known = desk.area(here.area).about(body.incident) if body.incident is not None else None
    scope: dict[str, Scalar] = {**(known.about if known else {}), "asked.by": given.by}
    _begin(desk, here, given.by, book, RunStarted(
        run=apart(plan.playbook, given.id), playbook=plan.playbook, version=plan.version, incident=body.incident,
        title=title(book, known.title if known else ""), opening=known.opening if known else 1, asked_by=given.by,
        scope=scope,
    ))  # fmt: skip


def _begin(desk: Desk, here: Here, by: str, book: Book, fact: RunStarted) -> None:
    if reason := desk.why_not(here, book, fact):
        raise RefusedError(reason)
    desk.start(here, book, fact, author=_person(by))
    desk.release(here)


def _cancel(desk: Desk, here: Here, by: str, run: Run, reason: str) -> None:
    endings.end(desk.turn(here, run, _person(by)), "cancelled", f"cancelled by {by}: {reason}", by)
    if (left := desk.area(here.area).runs.get(run.run)) is not None:
        walk.advance(desk.turn(here, left))
    desk.release(here)


def _retry(desk: Desk, here: Here, given: Request, body: ask.RetryRun) -> None:
    """What was done and not undone is not done again; the rest is, from the named step on."""
    area = desk.area(here.area)
    old = area.ended.get(body.run)
    if old is None or old.outcome == "completed":
        raise RefusedError("only a run that failed or was cancelled, and not long ago, can be taken up again")
    book = desk.memory.books.get((old.playbook, old.version)) or _book(desk, here.area, old.playbook)
    if body.step and general(body.step) not in book.places:
        raise RefusedError(f"{old.playbook} has no step '{body.step}'")
    scope: dict[str, Scalar] = {**old.scope, "asked.by": given.by}
    scope |= {f"vars.{name}": value for name, value in old.vars.items()}
    scope |= {f"steps.{p}.{name}": value for p, found in old.results.items() for name, value in found.items()}
    other = "" if book.playbook.version == old.version else ", with its file as it is now"
    _begin(desk, here, given.by, book, RunStarted(
        run=apart(old.playbook, given.id), playbook=old.playbook, version=book.playbook.version, incident=old.incident,
        title=f"{old.title} (taken up again{other})", opening=old.opening, alarm=old.alarm, by=old.by,
        asked_by=given.by, scope=scope, retry_of=old.run, done=_done(old, body.step),
    ))  # fmt: skip


def _done(old: Run, first: str) -> tuple[str, ...]:
    """The steps before that one that are done, and still are."""
    undone = set(old.ending.undo) if old.ending is not None else set()
    found: list[str] = []
    for place, state in old.steps.items():
        if first and (place == first or holds(first, place)):
            break
        within_undone = any(place == other or holds(place, other) for other in undone)
        if state.status in ("done", "skipped") and not within_undone and not place.startswith("undo:"):
            found.append(place)
    return tuple(found)


def _answer(desk: Desk, here: Here, given: Request, body: ask.AnswerQuestion) -> None:
    runs = desk.area(here.area).runs.values()
    run = next((run for run in runs if run.awaiting(body.question) is not None), None)
    if run is None or (awaiting := run.awaiting(body.question)) is None:
        raise RefusedError("the question waits for no answer any more")
    act = desk.book(run).places[general(awaiting[0])].act
    if not isinstance(act, Ask | Task):
        raise RefusedError("that is no question")
    permissions.at_least(act.role, given.role, "answer that")
    desk.answer(here, run.run, partial(answers.person, by=given.by, body=body), _person(given.by))


def _report(desk: Desk, here: Here, by: str, body: ask.ReportErrand) -> None:
    """Said even where no step waits for it any more: what was done outside stays known."""
    if body.reason:
        fact: ErrandDone | ErrandFailed = ErrandFailed(
            errand=body.errand, reason=body.reason, status=body.status, final=body.final
        )
    else:
        fact = ErrandDone(errand=body.errand, status=body.status, result=body.result)
    desk.say(by, here, fact)
    for run in list(desk.area(here.area).runs.values()):
        if run.awaiting(body.errand) is not None:
            desk.answer(here, run.run, partial(answers.errand, outcome=fact))
