"""The way of a run through its playbook: walked anew each time, from the first step to where it must wait. Pure.

What was decided before stands in the states of the steps: one that was begun says which case was taken, which pass it
is. So the walk needs no position, and a run that was read back from its events goes on as if nothing had been.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from playbooks import acts, endings
from playbooks.places import HOLDING, branches, handler, in_pass, undo
from playbooks.recipe import Ask, Choose, Delay, Group, Parallel, Repeat, Step, Stop, Task, WaitFor
from playbooks.run import Ending, StepState
from playbooks.turn import Turn

NO_ANSWER = "no answer by the deadline"


class Failed(Struct, frozen=True):
    """A step has failed for good. Attributes: trouble: "step relieve: no answer"."""

    trouble: str


class Stopped(Struct, frozen=True):
    """A `stop` was reached."""

    place: str
    act: Stop


class TooLate(Struct, frozen=True):
    """It was due so long ago that nobody was there to see it through: nothing goes on from that."""

    place: str
    due: datetime


Verdict = Literal["busy", "done"] | Failed | Stopped | TooLate


def advance(turn: Turn) -> None:
    """Let the run go as far as it can go now."""
    if turn.run.outcome:
        return
    if turn.run.ending is None:
        _forward(turn)
    if turn.run.ending is not None and not turn.run.outcome:
        _take_back(turn, turn.run.ending)


def _forward(turn: Turn) -> None:
    turn.trouble = ""
    match _sequence(turn, turn.playbook.steps, ""):
        case "busy":
            pass
        case "done":
            endings.reached(turn)
        case Failed(trouble=trouble):
            endings.end(turn, "failed", f"failed at {turn.trouble or trouble}")
        case Stopped(place=place, act=act):
            endings.stopped(turn, act, place)
        case TooLate(place=place, due=due):
            endings.too_late(turn, turn.trouble or noticed_late(place, due))


def go_on(turn: Turn, place: str, due: datetime | None) -> None:
    """A step has ended that was due then: go on, unless nobody was there to see it through."""
    if due is not None and turn.is_history(due):
        endings.too_late(turn, noticed_late(place, due))
    else:
        advance(turn)


def noticed_late(place: str, due: datetime) -> str:
    return f"step {place}: it was due at {due:%H:%M:%S} and noticed too late to go on"


def _take_back(turn: Turn, ending: Ending) -> None:
    """Undo, last step first. What cannot be undone keeps nothing else from it."""
    for place in ending.undo:
        match _sequence(turn, endings.undoing(turn, place), undo(place)):
            case "busy":
                return
            case TooLate(place=late, due=due):
                endings.too_late(turn, noticed_late(late, due))
                return
            case _:
                pass
    endings.finish(turn, ending.outcome, ending.detail)


def _sequence(turn: Turn, steps: tuple[Step, ...], prefix: str) -> Verdict:
    """One after the other, until one is not done."""
    for step in steps:
        if (verdict := _step(turn, step, prefix + step.step)) != "done":
            return verdict
    return "done"


def _step(turn: Turn, step: Step, place: str) -> Verdict:
    while True:
        state = turn.run.steps.get(place)
        match state.status if state is not None else "anew":
            case "anew" | "again":
                due = state.due if state is not None else None
                if turn.run.paused is not None or (due is not None and due > turn.now):
                    return "busy"
                if due is not None and turn.is_history(due):
                    return TooLate(place, due)
                attempt = state.attempt + 1 if state is not None else 1
                acts.begin(turn, step, place, attempt, first=state is None or state.status == "anew")
            case "going":
                assert state is not None
                if (verdict := _go_on(turn, step, place, state)) is not None:
                    return verdict
            case "failed":
                assert state is not None
                return _failed(turn, step, place, state)
            case _:  # done, skipped, cancelled
                assert state is not None
                return Stopped(place, step.act) if isinstance(step.act, Stop) and state.status == "done" else "done"


def _failed(turn: Turn, step: Step, place: str, state: StepState) -> Verdict:
    trouble = state.detail if isinstance(step.act, HOLDING) else f"step {place}: {state.detail}"
    if step.handler:
        return _sequence(turn, step.handler, handler(place))
    if step.on_error == "continue":
        turn.trouble = turn.trouble or trouble
        return "done"
    return Failed(trouble)


def _go_on(turn: Turn, step: Step, place: str, state: StepState) -> Verdict | None:
    """What becomes of a step that goes on; None: it has ended, or its next attempt is to be looked at."""
    rests = turn.run.paused is not None and state.awaits is None
    if state.due is not None and state.due <= turn.now and not rests:
        return _time_is_up(turn, step, place, state.due)
    match step.act:
        case WaitFor(condition=condition) if turn.holds(condition):
            turn.done(place)
            return None
        case Group(steps=steps):
            verdict: Verdict = _sequence(turn, steps, f"{place}.")
        case Choose():
            return _choose(turn, step, step.act, place)
        case Parallel(branches=many):
            verdict = _all([_sequence(turn, steps, f"{place}.branch{n}.") for n, steps in enumerate(many, 1)])
        case Repeat():
            return _repeat(turn, step, step.act, place)
        case _:
            return "busy"
    return _of_inner(turn, step, place, verdict)


def _of_inner(turn: Turn, step: Step, place: str, verdict: Verdict, **result: int) -> Verdict | None:
    """What the steps within mean for the step that holds them."""
    match verdict:
        case "done":
            turn.done(place, result={name: float(number) for name, number in result.items()})
            return None
        case Failed(trouble=trouble):
            turn.fail(step, place, trouble)
            return None
        case _:
            return verdict


def _time_is_up(turn: Turn, step: Step, place: str, due: datetime) -> Verdict | None:
    match step.act:
        case Delay():
            turn.done(place)
        case WaitFor(condition=condition) if turn.holds(condition) and not turn.is_history(due):
            turn.done(place)
        case WaitFor(condition=condition):
            turn.fail(step, place, f"it did not become true in time: {condition.said}")
        case Ask() | Task():
            endings.unanswered(turn, step, step.act, place)
        case _ if isinstance(step.act, HOLDING):
            endings.stop_steps(turn, "the time of what holds it is up", within=place)
            turn.fail(step, place, f"step {place}: not done in time")
        case _:
            turn.fail(step, place, NO_ANSWER, unsure=turn.state(place).acted)
    return TooLate(place, due) if turn.is_history(due) else None


def _all(verdicts: list[Verdict]) -> Verdict:
    """Of branches beside each other: who ends the run goes before who is busy, and that before who has failed."""
    for kind in (TooLate, Stopped):
        for verdict in verdicts:
            if isinstance(verdict, kind):
                return verdict
    if "busy" in verdicts:
        return "busy"
    return next((v for v in verdicts if isinstance(v, Failed)), "done")


def _choose(turn: Turn, step: Step, act: Choose, place: str) -> Verdict | None:
    ways = list(branches(act, place))
    taken = next((n for n, (prefix, steps) in enumerate(ways) if _begun(turn, steps, prefix)), None)
    if taken is None:
        taken = next((n for n, case in enumerate(act.cases) if turn.holds(case.condition)), len(act.cases))
    prefix, steps = ways[taken]
    return _of_inner(turn, step, place, _sequence(turn, steps, prefix), branch=(taken + 1) % len(ways))


def _begun(turn: Turn, steps: tuple[Step, ...], prefix: str) -> bool:
    state = turn.run.steps.get(prefix + steps[0].step) if steps else None
    return state is not None and state.status != "anew"


def _repeat(turn: Turn, step: Step, act: Repeat, place: str) -> Verdict | None:
    while True:
        passes = turn.state(place).passes
        if passes and (verdict := _sequence(turn, act.steps, in_pass(place, passes))) != "done":
            return _of_inner(turn, step, place, verdict)
        if passes and act.until is not None and turn.holds(act.until):
            return _of_inner(turn, step, place, "done", passes=passes)
        if passes == act.most:
            if act.until is None:
                return _of_inner(turn, step, place, "done", passes=passes)
            turn.fail(step, place, f"step {place}: not so after {passes} passes: {act.until.said}")
            return None
        if act.while_ is not None and not turn.holds(act.while_):
            return _of_inner(turn, step, place, "done", passes=passes)
        if turn.run.paused is not None:
            return "busy"
        if (verdict := _sequence(turn, act.steps, in_pass(place, passes + 1))) != "done":
            return _of_inner(turn, step, place, verdict)
