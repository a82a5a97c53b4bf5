"""Playbook runs: in lists, one with each attempt at its steps, and what may be asked of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from analytics.rows import Overview
from analytics.run_rows import Command, Run, Step
from board import words
from board.actions import MINUTES, Action, Field
from board.hands import may
from board.timeline import intent, outcome, seat, span
from desk.seen import PlaybookSeen
from devices.plant import Plant
from events import requests as ask
from events.requests import Role
from playbooks.permissions import LADDER

_TONES = {None: "waiting", "completed": "done", "failed": "failed", "cancelled": "skipped"}
_OUTCOMES = {"done": "done", "failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}


# --- lists -----------------------------------------------------------------------------------------------------------


def row(run: Run, plant: Plant) -> dict[str, Any]:
    """Attributes of the row: due: when the step that it is at fails; of what waits, when that ends."""
    at, due = _at(run)
    of = f"{run.area.rpartition('/')[2]} {run.number}" if run.number is not None else ""
    return {
        "id": f"run:{run.run}", "tone": _TONES[run.outcome], "number": of, "title": run.title or run.playbook,
        "detail": " · ".join(filter(None, (at, words.area_title(plant, run.area), run.escalated_reason))),
        "words": run.phase, "at": words.millis(run.finished_at or run.started_at),
        "due": words.millis(due) if due else None,
    }  # fmt: skip


def _at(run: Run) -> tuple[str, datetime | None]:
    """What it is at, in words, and until when."""
    if run.outcome is not None:
        return run.detail, None
    if run.paused:
        return f"paused by {run.paused_by}: {run.pause_reason}, cancelled if nobody resumes it", run.pause_due
    open_ = [s for s in run.steps if s.outcome is None]
    if not open_:
        return "has not begun yet" if run.not_before else "between two steps", run.not_before
    first = min(open_, key=lambda s: s.due)
    more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
    attempt = f", attempt {first.attempt}" if first.attempt > 1 else ""
    return f"step {first.step}{attempt}{more}", first.due


def overview(overview: Overview, ended: Sequence[Run], plant: Plant) -> dict[str, Any]:
    """Those that go, then those that went."""
    going = {"title": "Running now", "runs": [row(r, plant) for r in overview.runs], "empty": "No playbook runs."}
    gone = {"title": "Ended", "runs": [row(r, plant) for r in ended if r.outcome], "empty": "None has run yet."}
    return {"sections": [going, gone]}


# --- one run ---------------------------------------------------------------------------------------------------------


def brief(run: Run, plant: Plant) -> dict[str, Any]:
    """As it stands in the story of its incident."""
    said = run.phase + (f" in {span(run.started_at, run.finished_at)}" if run.finished_at else "")
    return {
        "id": f"run:{run.run}", "title": run.title or run.playbook, "tone": _TONES[run.outcome], "words": said,
        "author": f"playbook {run.playbook}, version {run.version[:12]}", "notes": _notes(run),
        "steps": [step(s, run, plant) for s in run.steps],
    }  # fmt: skip


def headline(run: Run, plant: Plant) -> dict[str, Any]:
    at, due = _at(run)
    badge = run.phase if run.outcome or run.ending or run.paused or not due else ""
    return {
        "chosen": True, "mark": "▶" if run.outcome is None else "■", "kind": "Playbook",
        "state": "standing" if run.outcome is None or run.escalated_reason else "over",
        "title": run.title or run.playbook, "badge": badge, "since": words.millis(run.started_at),
        "due": words.millis(due) if due else None,
        "kicker": f"{run.playbook}, version {run.version[:12]} · {words.area_title(plant, run.area)}",
        "words": at or run.phase,
    }  # fmt: skip


def trace(run: Run, plant: Plant) -> dict[str, Any]:
    """Everything that belongs to the run: why it began, each attempt at its steps, whom it told."""
    return {
        "title": "Why and how", "facts": [*_causes(run), *_notes(run)],
        "steps": [step(s, run, plant) for s in run.steps],
        "told": [
            {"label": f"Told {seat(n.to)}", "text": n.text, "at": words.millis(n.issued_at)} for n in run.notifications
        ],
    }  # fmt: skip


def _causes(run: Run) -> Iterator[dict[str, Any]]:
    if run.incident is not None:
        called = f"{run.area.rpartition('/')[2]} {run.number}" if run.number is not None else "an incident"
        title = str(run.scope.get("incident.title", ""))
        yield {"label": "Cause", "text": " · ".join(filter(None, (called, title))), "id": f"incident:{run.incident}"}
    if value := run.scope.get("alarm.value"):
        measured = words.number(value, str(run.scope.get("alarm.unit", ""))) if isinstance(value, float) else value
        message = run.scope.get("alarm.message", run.scope.get("alarm.name", ""))
        yield {"label": "Alarm", "text": f"{message} {measured}"}
    if run.asked_by:
        yield {"label": "Asked for by", "text": run.asked_by}
    if run.planned is not None:
        yield {"label": "Schedule", "text": "planned for", "at": words.millis(run.planned)}
    if run.retry_of is not None:
        done = f"without {', '.join(run.done)}" if run.done else "from the beginning"
        yield {"label": "Takes up", "text": f"an earlier run, {done}", "id": f"run:{run.retry_of}"}
    if len(run.chain) > 1:
        yield {"label": "Set off by", "text": " → ".join(run.chain)}


def _notes(run: Run) -> list[dict[str, Any]]:
    """Who holds it up, how it ends, who must look."""
    found: list[tuple[str, str, datetime | None, str]] = []
    if run.escalated_reason:
        found.append((f"{seat(run.escalated_to).capitalize()} must look",
                      f"step {run.escalated_step}: {run.escalated_reason}", run.escalated_at, "failed"))  # fmt: skip
    if run.paused and run.outcome is None:
        found.append((f"Paused by {run.paused_by}", run.pause_reason, run.paused_at, ""))
    if run.ended_by:
        found.append((f"Ended by {run.ended_by}", run.ending_detail, None, ""))
    if run.undo:
        found.append(("To undo" if run.outcome is None else "Undo of", ", ".join(run.undo), None, ""))
    if run.outcome is not None and run.detail:
        found.append((run.outcome.capitalize(), run.detail, run.finished_at, _TONES[run.outcome]))
    return [
        {"label": label, "text": text, "tone": tone, **({"at": words.millis(at)} if at else {})}
        for label, text, at, tone in found
    ]  # fmt: skip


def step(step: Step, run: Run, plant: Plant) -> dict[str, Any]:
    """One attempt: what it was to do, what it was told by the device or by people, and how it ended."""
    own = (step.step, step.attempt)
    commands = [c for c in run.commands if (c.step, c.attempt) == own]
    errands = [e for e in run.errands if (e.step, e.attempt) == own]
    asked = [q for q in run.questions if q.step == step.step and q.asked_at >= step.started_at]
    told = [n for n in run.notifications if n.step == step.step]
    titles = [_wanted(c, plant) for c in commands] + [f"{e.kind}: {e.target}" for e in errands]
    titles += [f"Ask {seat(q.to)}: {q.text}" for q in asked]
    titles += [f"Tell the {seat(n.to)}: {n.text}" for n in told if not titles]
    ended = step.outcome is not None
    details = [_happened(c, plant) for c in commands if c.outcome or not ended] or [step.detail]
    details += [f"HTTP {e.status}" for e in errands if e.status] + [e.reason for e in errands]
    details += [f"{a.by} said {a.answer}" + (f": {a.comment}" if a.comment else "") for q in asked for a in q.answers]
    said = "running" if step.outcome is None else _OUTCOMES[step.outcome]
    tone = "waiting" if step.outcome is None else "skipped" if step.outcome == "cancelled" else step.outcome
    if step.attempt > 1:
        said = f"attempt {step.attempt}: {said}"
    if step.by and not asked:
        said += f" by {step.by}"
    explanation = "; ".join(dict.fromkeys(d for d in details if d and d != said))
    return {
        "step": step.step, "title": ", ".join(titles) or step.step.removeprefix("undo:"), "tone": tone,
        "words": f"{said}, {explanation}" if explanation else said, "at": words.millis(step.started_at),
        "kind": _place(step.step), "input": "; ".join(filter(None, [_input(c) for c in commands])),
        "gives": ", ".join(f"{name} = {_shown(value)}" for name, value in {**step.result, **step.set}.items()),
        "took": span(step.started_at, step.finished_at) if step.finished_at else "",
        "due": words.millis(step.due) if not ended and run.outcome is None else None,
    }  # fmt: skip


def _place(place: str) -> str:
    """What kind of place it has: the steps of an undo and of a handler are told apart from the rest."""
    if place.startswith("undo:"):
        return "undo"
    return "after a failure" if "!" in place else ""


def _wanted(command: Command, plant: Plant) -> str:
    if command.kind == "write":
        return intent(command, plant)
    device = words.device_title(plant, command.point.partition(".")[0])
    return f"{device}: read {words.point_title(plant, command.point)}"


def _happened(command: Command, plant: Plant) -> str:
    if command.kind == "read" and command.outcome == "succeeded" and command.read_back is not None:
        return f"it says {words.setting(plant, command.point, command.read_back)}"
    return outcome(command, plant)


def _input(command: Command) -> str:
    return f"only if {command.precondition}" if command.precondition else ""


def _shown(value: bool | float | str) -> str:
    return words.number(value) if isinstance(value, float) else str(value)


# --- what may be asked -----------------------------------------------------------------------------------------------

_REASON = Field("reason", "Reason", needed=True)
FAILED = "what failed"


def of_run(run: Run, role: Role) -> tuple[Action, ...]:
    """What can be asked of it, in the order in which it is usual."""
    return tuple(a for a in _of_run(run) if may(a.asks, role))


def _of_run(run: Run) -> Iterator[Action]:
    id_ = run.run
    if run.outcome in ("failed", "cancelled"):
        places = (FAILED, *dict.fromkeys(s.step for s in run.steps if not _place(s.step)))
        yield Action(
            "Try again", ask.RetryRun,
            lambda g: ask.RetryRun(run=id_, step="" if g["step"] == FAILED else g["step"], reason=g["reason"]),
            (Field("step", "From step", "choice", places), _REASON), "Taken up by a new run",
        )  # fmt: skip
    if run.outcome is not None or run.ending is not None:
        return
    yield Action("Cancel", ask.CancelRun, lambda g: ask.CancelRun(run=id_, reason=g["reason"]), (_REASON,), "Cancelled")
    if run.paused:
        yield Action("Resume", ask.ResumeRun, lambda _: ask.ResumeRun(run=id_), does="Resumed")
        return
    yield Action(
        "Pause", ask.PauseRun,
        lambda g: ask.PauseRun(run=id_, reason=g["reason"], duration_s=MINUTES[g["for"]] * 60.0),
        (Field("for", "At most for", "choice", tuple(m for m in MINUTES if MINUTES[m] <= 1440)), _REASON), "Paused",
    )  # fmt: skip


def startable(books: Sequence[PlaybookSeen], role: Role) -> dict[str, PlaybookSeen]:
    """What this role may start -> the playbook; as people call it."""
    may_ = [b for b in books if b.asked_by and role in LADDER and LADDER.index(role) >= LADDER.index(b.asked_by)]
    return {f"{b.title or b.playbook} ({b.playbook})": b for b in may_}


def start(book: PlaybookSeen, incidents: Mapping[str, UUID]) -> Action:
    """`incidents`: what the open incidents of its area are called -> their ids."""
    of = (Field("incident", "For incident", "choice", ("none", *incidents)),) if incidents else ()
    return Action(
        "Start", ask.StartRun,
        lambda g: ask.StartRun(
            playbook=book.playbook, incident=incidents.get(g.get("incident", "none")), reason=g["reason"]
        ),
        (*of, Field("reason", "Reason")), f"{book.playbook} was started",
    )  # fmt: skip
