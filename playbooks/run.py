"""One run: the fold of its events. Where it is and what it waits for follows from that and its playbook. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.errands import HttpIssued, MessageIssued, RequestIssued
from events.notifications import NotificationIssued
from events.playbooks import (
    CommandIssued,
    QuestionAnswered,
    QuestionAsked,
    QuestionClosed,
    RunEnding,
    RunEscalated,
    RunFinished,
    RunOutcome,
    RunPaused,
    RunResumed,
    RunStarted,
    Scalar,
    StepFinished,
    StepStarted,
)
from events.types import Instant
from playbooks.places import general, holds

LATE = timedelta(seconds=60)
"""What is older than this against the stage's own time is history: it starts no run and carries none on."""

RunFact = (
    RunStarted | StepStarted | StepFinished | CommandIssued | HttpIssued | MessageIssued | RequestIssued | QuestionAsked
    | QuestionAnswered | QuestionClosed | RunPaused | RunResumed | RunEscalated | RunEnding | RunFinished
    | NotificationIssued
)  # fmt: skip
"""What is said of one run."""


class StepState(Struct, frozen=True, array_like=True):
    """What became of a step so far.

    Attributes:
        status: "again": the next attempt begins when it is `due`; "anew": what it stands in is done once more, and it
            has not begun in this round.
        due: while it goes on: when it ends by itself.
        before: attempts of former rounds: an attempt's number, and so the id of its command, never comes twice.
        awaits: the command, errand, question or request that it waits for.
        acted: it issued a command that writes; unsure: as in `StepFinished`.
        passes: that began, of a repeat; answers: to its question: by whom, and what.
    """

    status: Literal["going", "again", "anew", "done", "failed", "skipped", "cancelled"]
    attempt: int
    due: Instant | None = None
    before: int = 0
    awaits: UUID | None = None
    acted: bool = False
    unsure: bool = False
    detail: str = ""
    passes: int = 0
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def goes(self) -> bool:
        return self.status == "going"


class Ending(Struct, frozen=True, array_like=True):
    """As `RunEnding`."""

    outcome: RunOutcome
    detail: str
    undo: tuple[str, ...]


class Pause(Struct, frozen=True, array_like=True):
    since: Instant
    due: Instant


Link = tuple[str, str]
"""A playbook, and what set it off: an alarm's name, or the incident that it was the end of."""


class Run(Struct, frozen=True, array_like=True):
    """Attributes:
    steps: by place, in the order in which they first began; results: of those that ended, by general place.
    began: when it was started; not_before, scope, chain, done, retry_of, …: as in `RunStarted`.
    links: its chain with what set each off.
    lost: points that a playbook of higher priority took from it.
    outcome: "" while it goes.
    """

    run: UUID
    playbook: str
    version: str
    incident: UUID | None
    title: str
    began: Instant
    opening: int = 1
    alarm: UUID | None = None
    by: tuple[str, ...] = ()
    asked_by: str = ""
    not_before: Instant | None = None
    scope: dict[str, Scalar] = {}
    chain: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    steps: dict[str, StepState] = {}
    vars: dict[str, Scalar] = {}
    results: dict[str, dict[str, Scalar]] = {}
    paused: Pause | None = None
    ending: Ending | None = None
    links: tuple[Link, ...] = ()
    lost: tuple[str, ...] = ()
    outcome: str = ""

    @property
    def cause(self) -> str:
        """What set it off, by a name that it has the next time, too."""
        return cause_of(self.by, self.incident)

    @property
    def waits(self) -> bool:
        """It has not begun: it waits for its time, or for another run to end."""
        return not self.steps and self.ending is None

    @property
    def due(self) -> Instant | None:
        """When time alone changes something."""
        if self.paused is not None:
            dues = [self.paused.due, *(s.due for s in self.steps.values() if s.due and s.awaits and s.goes)]
        elif self.waits:
            return self.not_before
        else:
            dues = [s.due for s in self.steps.values() if s.due is not None]
        return min(dues, default=None)

    @property
    def awaited(self) -> tuple[UUID, ...]:
        return tuple(s.awaits for s in self.steps.values() if s.awaits is not None)

    def awaiting(self, id_: UUID) -> tuple[str, StepState] | None:
        """The step that waits for that, with its place."""
        return next(((place, s) for place, s in self.steps.items() if s.awaits == id_), None)


def cause_of(by: tuple[str, ...], incident: UUID | None) -> str:
    """The alarm's name; of what the end of an incident set off: that incident."""
    return by[-1] if by else str(incident or "")


def started(fact: RunStarted, at: Instant) -> Run:
    return Run(
        fact.run, fact.playbook, fact.version, fact.incident, fact.title, at, fact.opening, fact.alarm, fact.by,
        fact.asked_by, fact.not_before, fact.scope, fact.chain, fact.done,
    )  # fmt: skip


def evolve(run: Run, fact: RunFact, at: Instant) -> Run:
    """The run after what was said of it at that time."""
    match fact:
        case StepStarted():
            return _step_started(run, fact)
        case CommandIssued(step=place, command=id_, kind=kind):
            return _with(run, place, awaits=id_, **({"acted": True} if kind == "write" else {}))
        case HttpIssued(step=place, errand=id_) | MessageIssued(step=place, errand=id_):
            return _with(run, place, awaits=id_)
        case RequestIssued(step=place, request=request):
            return _with(run, place, awaits=request.id)
        case QuestionAsked(step=place, question=id_):
            return _with(run, place, awaits=id_)
        case QuestionAnswered(step=place, by=by, answer=answer):
            return _with(run, place, answers=(*run.steps[place].answers, (by, answer)))
        case QuestionClosed(step=place):
            return _with(run, place, awaits=None)
        case StepFinished():
            return _step_finished(run, fact)
        case RunPaused(due=due):
            return replace(run, paused=Pause(at, due))
        case RunResumed():
            return _resumed(run, at)
        case RunEnding(outcome=outcome, detail=detail, undo=undo):
            return replace(run, ending=Ending(outcome, detail, undo), paused=None)
        case RunFinished(outcome=outcome):
            return replace(run, outcome=outcome, paused=None)
        case RunStarted() | RunEscalated() | NotificationIssued():
            return run
        case _:
            assert_never(fact)


def _with(run: Run, place: str, **changes: object) -> Run:
    return replace(run, steps={**run.steps, place: replace(run.steps[place], **changes)})


def _step_started(run: Run, fact: StepStarted) -> Run:
    place, steps = fact.step, dict(run.steps)
    known = steps.get(place)
    if known is None:
        steps[place] = StepState("going", fact.attempt, fact.due)
    else:
        before = fact.attempt - 1 if known.status == "anew" else known.before
        steps[place] = StepState(
            "going", fact.attempt, fact.due, before, acted=known.acted, unsure=known.unsure, detail=known.detail
        )
        if fact.attempt > 1:  # all that it holds is done once more
            for inner, state in run.steps.items():
                if holds(place, inner):
                    steps[inner] = replace(state, status="anew", due=None, awaits=None)
    if "[" in place:
        of, _, number = place.rpartition("[")
        if (repeat := steps.get(of)) is not None:
            steps[of] = replace(repeat, passes=max(repeat.passes, int(number.partition("]")[0])))
    return replace(run, steps=steps)


def _step_finished(run: Run, fact: StepFinished) -> Run:
    place = fact.step
    status = "again" if fact.again is not None else fact.outcome
    state = replace(
        run.steps[place], status=status, due=fact.again, awaits=None, detail=fact.detail, unsure=fact.unsure
    )
    results, known = dict(run.results), general(place)
    results.pop(known, None)  # the newest stands last
    by = {"by": fact.by} if fact.by else {}
    results[known] = {"outcome": fact.outcome, **by, **fact.result}
    return replace(
        run, steps={**run.steps, place: state}, results=results, vars={**run.vars, **fact.set} if fact.set else run.vars
    )


def _resumed(run: Run, at: Instant) -> Run:
    """The time of the pause does not count for what holds other steps."""
    if run.paused is None:
        return run
    rested = at - run.paused.since
    steps = {
        place: replace(s, due=s.due + rested) if s.due is not None and s.goes and s.awaits is None else s
        for place, s in run.steps.items()
    }
    return replace(run, steps=steps, paused=None)
