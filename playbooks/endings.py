"""How a run ends: what goes on is stopped, what was done is undone, and nobody is left not knowing. Pure."""

from __future__ import annotations

from events.playbooks import QuestionClosed, RunEnding, RunEscalated, RunFinished, RunOutcome
from playbooks.places import HOLDING, general, holds, undo
from playbooks.plan import Playbook
from playbooks.recipe import Ask, Step, Stop, Task, Write
from playbooks.run import StepState
from playbooks.turn import Turn

TOO_LATE = "noticed too late"


def reached(turn: Turn, detail: str = "") -> None:
    """The last step is done. What failed on the way and was passed over makes it a failed run, but undoes nothing."""
    if turn.trouble:
        finish(turn, "failed", f"failed at {turn.trouble}")
    else:
        finish(turn, "completed", detail)


def stopped(turn: Turn, act: Stop, place: str) -> None:
    text = turn.state(place).detail
    match act.outcome:
        case "completed":
            stop_steps(turn, f"step {place} stops the run")
            reached(turn, text)
        case "cancelled":
            end(turn, "cancelled", text)
        case "failed":
            end(turn, "failed", f"failed at step {place}: {text}")


def end(turn: Turn, outcome: RunOutcome, detail: str, by: str = "") -> None:
    """It goes no further; it has ended when what it did is undone."""
    stop_steps(turn, f"the run is {outcome}")
    if back := to_undo(turn):
        turn.say(RunEnding(run=turn.run.run, outcome=outcome, detail=detail, by=by, undo=back))
    else:
        finish(turn, outcome, detail)


def too_late(turn: Turn, trouble: str) -> None:
    """History moves nothing, back neither."""
    turn.late = True
    stop_steps(turn, TOO_LATE)
    if (ending := turn.run.ending) is not None:
        finish(turn, ending.outcome, ending.detail)
    else:
        finish(turn, "failed", f"failed at {trouble}", left=dict.fromkeys(to_undo(turn), f"{TOO_LATE} to undo it"))


def drop(turn: Turn, detail: str, *, instead: Playbook | None = None, told: bool = False) -> dict[str, str]:
    """It ends as it is. instead: what comes in its place; what that writes is so from then on, whatever this one did.
    told: the caller tells people.

    Returns: the steps of which nobody knows what is so now, and why.
    """
    stop_steps(turn, detail)
    settled = instead.always_writes if instead is not None else frozenset()
    doubts = {p: why for p, why in _doubts(turn, "cancelled", detail).items() if _moves(turn, p) not in settled}
    _escalate(turn, doubts)
    if doubts and not told:
        _tell(turn, "cancelled", detail, doubts)
    turn.say(RunFinished(run=turn.run.run, outcome="cancelled", detail=detail))
    return doubts


def _moves(turn: Turn, place: str) -> str:
    """The point that a step writes, "" when it is no write."""
    act = turn.book.places[general(place)].act
    return act.point if isinstance(act, Write) else ""


def finish(turn: Turn, outcome: RunOutcome, detail: str, *, left: dict[str, str] | None = None) -> None:
    """The end. Somebody is told where it failed, or where nobody knows what is so now. left: steps that are not undone,
    and why."""
    doubts = _doubts(turn, outcome, TOO_LATE) | (left or {})
    _escalate(turn, doubts)
    if outcome == "failed" or doubts:
        _tell(turn, outcome, detail, doubts)
    turn.say(RunFinished(run=turn.run.run, outcome=outcome, detail=detail))


def _escalate(turn: Turn, doubts: dict[str, str]) -> None:
    for place, reason in doubts.items():
        turn.say(RunEscalated(run=turn.run.run, step=place, reason=reason, to=turn.playbook.escalate_to))


def _tell(turn: Turn, outcome: RunOutcome, detail: str, doubts: dict[str, str]) -> None:
    what = detail if outcome == "failed" else f"{outcome}{': ' if detail else ''}{detail}"
    look = "".join(f". Go and look at step {place}: {short(reason)}" for place, reason in doubts.items())
    turn.notify("", turn.playbook.escalate_to, f"Playbook {what} ({turn.run.title}){look}", "critical", "failed")


def short(reason: str) -> str:
    """Of a doubt, without what a device said."""
    return reason.partition(":")[0]


def _doubts(turn: Turn, outcome: RunOutcome, why_not: str) -> dict[str, str]:
    """The steps of which nobody knows whether they took effect, and those that could not be undone. why_not: those that
    it did not come to."""
    run, found = turn.run, {}
    failed_to_undo: set[str] = set()
    for place in run.ending.undo if run.ending is not None else ():
        states = [(step, run.steps.get(undo(place) + step.step)) for step in undoing(turn, place)]
        if bad := next((s for s in states if s[1] is None or s[1].status not in ("done", "skipped")), None):
            failed_to_undo.add(place)
            found[place] = f"it could not be undone: {bad[1].detail if bad[1] is not None else why_not}"
    undone = set(run.ending.undo) - failed_to_undo if run.ending is not None else set()
    for place, state in run.steps.items():
        if state.unsure and place not in found and not (outcome == "cancelled" and place in undone):
            found[place] = f"nobody knows whether it took effect: {state.detail}"
    return found


def to_undo(turn: Turn) -> tuple[str, ...]:
    """The steps that acted, or may have, and say how that is undone, last first; of a repeat only the newest pass."""
    found: dict[str, str] = {}
    for place, state in reversed(turn.run.steps.items()):
        if place.startswith("undo:") or (known := general(place)) in found:
            continue
        if (step := turn.book.places[known]).undo and _acted(turn, step, place, state):
            found[known] = place
    return tuple(found.values())


def _acted(turn: Turn, step: Step, place: str, state: StepState) -> bool:
    match step.act:
        case Write() if place in turn.run.done:
            return state.status == "done"  # by the run that this one takes up
        case Write():  # a command that was refused moved nothing
            return state.acted and (state.unsure or state.status not in ("failed", "cancelled"))
        case act if isinstance(act, HOLDING):
            within = (p for p in turn.run.steps if holds(place, p))
            return any(_acted(turn, turn.book.places[general(p)], p, turn.run.steps[p]) for p in within)
        case _:
            return state.status != "skipped"


def undoing(turn: Turn, place: str) -> tuple[Step, ...]:
    return turn.book.places[general(place)].undo


def stop_steps(turn: Turn, why: str, within: str = "") -> None:
    """What goes on or would be tried again ends here, the innermost first. within: only what this step holds."""
    for place, state in reversed(list(turn.run.steps.items())):
        if state.status not in ("going", "again"):
            continue
        if within and not holds(within, place):
            continue
        if state.awaits is not None and isinstance(turn.book.places[general(place)].act, Ask | Task):
            turn.say(QuestionClosed(question=state.awaits, run=turn.run.run, step=place, answer="", reason=why))
        turn.cancel(place, why)


def unanswered(turn: Turn, step: Step, act: Ask | Task, place: str) -> None:
    """No answer in time means no, or what the file says."""
    otherwise = act.otherwise if isinstance(act, Ask) else ""
    if (question := turn.state(place).awaits) is not None:
        turn.say(QuestionClosed(
            question=question, run=turn.run.run, step=place, answer=otherwise, reason="no answer in time"
        ))  # fmt: skip
    if otherwise:
        turn.done(place, "no answer in time", {"answer": otherwise})
    else:
        turn.fail(step, place, "no answer in time", result={"answer": ""})
