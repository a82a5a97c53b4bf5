"""What ends a step from outside: outcomes of commands and errands, answers of people and of incidents. Pure.

A step waits for exactly one thing. What it does not wait for (said twice, after the due time, of another attempt)
changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from events.devices import CommandFailed, CommandOutcome, CommandRefused, CommandSucceeded
from events.envelope import Event
from events.errands import ErrandDone, ErrandFailed
from events.playbooks import QuestionAnswered, QuestionClosed, Scalar
from events.requests import AnswerQuestion, RequestRefused
from playbooks.permissions import RefusedError
from playbooks.places import general
from playbooks.recipe import Ask, OfIncident, Read, Task
from playbooks.run import StepState
from playbooks.turn import Turn


class Ended(NamedTuple):
    """The step that was waited for. Attributes: due: when it would have ended by itself."""

    place: str
    due: datetime | None


def command(turn: Turn, outcome: CommandOutcome) -> Ended | None:
    """The device did it, or not."""
    if (awaited := turn.run.awaiting(outcome.command)) is None:
        return None
    place, state = awaited
    step = turn.book.places[general(place)]
    match outcome:
        case CommandSucceeded(read_back=read_back):
            read = isinstance(step.act, Read)
            variables: dict[str, Scalar] = {step.act.into: read_back} if isinstance(step.act, Read) else {}
            turn.done(place, f"reads back {read_back:g}", {"value": read_back} if read else {}, variables)
        case CommandFailed(reason=reason):
            turn.fail(step, place, reason, unsure=state.acted)
        case CommandRefused(reason=reason) if reason.startswith(("too often", "late")):
            # Not now: a stage that was away hears of late commands before the first tick tells it what time it is, and
            # would spend all its attempts on the past.
            soon = turn.now + timedelta(microseconds=1)
            turn.fail(step, place, reason, not_before=max(state.due, soon) if state.due is not None else soon)
        case CommandRefused(reason=reason):
            turn.fail(step, place, reason, again=False)  # the others do not change by asking again
        case _:
            assert_never(outcome)
    return Ended(place, state.due)


def errand(turn: Turn, outcome: ErrandDone | ErrandFailed) -> Ended | None:
    if (awaited := turn.run.awaiting(outcome.errand)) is None:
        return None
    place, state = awaited
    step = turn.book.places[general(place)]
    status: dict[str, Scalar] = {"status": float(outcome.status)} if outcome.status else {}
    match outcome:
        case ErrandDone(result=result):
            turn.done(place, f"status {outcome.status}" if outcome.status else "", {**result, **status})
        case ErrandFailed(reason=reason, final=final):
            turn.fail(step, place, reason, again=not final, result=status)
        case _:
            assert_never(outcome)
    return Ended(place, state.due)


def incident(turn: Turn, e: Event) -> Ended | None:
    """The incidents stage answers a request of the run: by a fact that it caused, or a refusal."""
    if (awaited := turn.run.awaiting(e.cause)) is None:
        return None
    place, state = awaited
    step = turn.book.places[general(place)]
    if not isinstance(step.act, OfIncident):
        return None
    if isinstance(e.fact, RequestRefused):
        turn.fail(step, place, e.fact.reason, again=False)
    else:
        turn.done(place)
    return Ended(place, state.due)


def person(turn: Turn, by: str, body: AnswerQuestion) -> Ended | None:
    """A person answers; another one may be needed, too.

    Raises:
        RefusedError: it is no answer to this question.
    """
    awaited = turn.run.awaiting(body.question)
    if awaited is None:
        raise RefusedError("the question waits for no answer any more")
    place, state = awaited
    step = turn.book.places[general(place)]
    act = step.act
    assert isinstance(act, Ask | Task)
    _check(act, state, by, body)
    turn.say(QuestionAnswered(
        question=body.question, run=turn.run.run, step=place, by=by, answer=body.answer, comment=body.comment,
        ticked=body.ticked,
    ))  # fmt: skip
    if body.answer == "yes" and isinstance(act, Ask) and act.four_eyes and not state.answers:
        return None  # the second one is still to come
    turn.say(QuestionClosed(
        question=body.question, run=turn.run.run, step=place, answer=body.answer, reason=f"by {by}"
    ))  # fmt: skip
    result: dict[str, Scalar] = {"answer": body.answer, "comment": body.comment}
    if body.answer in (("no",) if isinstance(act, Ask) and not act.choices else ("failed",)):
        said = f"{by} said {body.answer}" + (f": {body.comment}" if body.comment else "")
        turn.fail(step, place, said, again=False, result=result, by=by)
    else:
        turn.done(place, result=result, by=by)
    return Ended(place, state.due)


def _check(act: Ask | Task, state: StepState, by: str, body: AnswerQuestion) -> None:
    match act:
        case Ask(choices=()):
            possible: tuple[str, ...] = ("yes", "no")
        case Ask(choices=choices):
            possible = choices
        case Task():
            possible = ("done", "failed")
    if body.answer not in possible:
        raise RefusedError(f"'{body.answer}' is no answer to that: {', '.join(possible)}")
    if any(who == by for who, _ in state.answers):
        raise RefusedError(f"{by} has answered already, a second person must")
    if isinstance(act, Task) and body.answer == "done" and (left := [i for i in act.checklist if i not in body.ticked]):
        raise RefusedError(f"not ticked: {', '.join(left)}")
