"""Playbook runs: events are their only state. Commands are intents; the dispatcher alone sends them.

A *step* is named by its place: `relieve`, `lamps.2`, in the third pass of a repeat `pump[3].stop`, in a called playbook
`tell.siren`, in a branch `if1.then.close`, undone `undo:relieve`. What is done outside devices is an *errand*
(`events.errands`).
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.types import EPOCH, Instant

StepOutcome = Literal["done", "failed", "skipped", "cancelled"]
RunOutcome = Literal["completed", "failed", "cancelled"]
Scalar = bool | float | str
"""What a variable or the result of a step is. A number is a float, never an int: that would be another value once it
was read back."""


class RunStarted(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.started"):
    """`run == make_id("run", incident, playbook)`, and with the number of the opening as a fourth part from the second
    on (`IncidentReopened`), and with `alarm` as a fifth where it runs again within one opening.

    Attributes:
        version: digest of the playbook it began with.
        opening: of the incident; alarm: the occurrence (or the level of a ladder) that set it off; None: its end did.
        by: the names that this occurrence goes by: its rule, and the alarm's name.
        not_before: it waits until then, since it ran so shortly before; None: it begins at once.
        incident: None where no incident set it off: then `run == make_id("run", playbook, id of what did)`.
        asked_by: the person who asked for it; planned: the time of its schedule.
        scope: what its expressions and texts know of what set it off: "incident.title", "alarm.value", …
        chain: the playbooks, oldest first, whose writes may have led to it: what a loop is recognised by.
        retry_of: the run that it takes up; done: the steps of that one that are not done again.
    """

    run: UUID
    playbook: str
    version: str
    incident: UUID | None
    title: str
    opening: int = 1
    alarm: UUID | None = None
    by: tuple[str, ...] = ()
    not_before: Instant | None = None
    asked_by: str = ""
    planned: Instant | None = None
    scope: dict[str, Scalar] = {}
    chain: tuple[str, ...] = ()
    retry_of: UUID | None = None
    done: tuple[str, ...] = ()


class RunRefused(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.refused"):
    """A trigger matched, but no run was started: it is history, `when` did not hold, the mode or a limit forbids it,
    hands are off. The rest as in `RunStarted`."""

    playbook: str
    incident: UUID | None
    reason: str
    opening: int = 1
    alarm: UUID | None = None
    by: tuple[str, ...] = ()
    asked_by: str = ""
    planned: Instant | None = None


class StepStarted(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.step_started"):
    run: UUID
    step: str
    attempt: int
    due: Instant
    """When the step fails if nothing else ended it: no step stays 'running' for ever."""


class StepFinished(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.step_finished"):
    """Attributes:
    result: what expressions see as `steps.STEP.…`; set: variables that it changes, `vars.…`.
    by: who ended it, if a person did.
    again: it failed, and the next attempt begins then; None: it has ended for good.
    unsure: it may have moved the device or not, this attempt or one before: nobody could verify it.
    """

    run: UUID
    step: str
    attempt: int
    outcome: StepOutcome
    detail: str = ""
    result: dict[str, Scalar] = {}
    set: dict[str, Scalar] = {}
    by: str = ""
    again: Instant | None = None
    unsure: bool = False


class RunEnding(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.ending"):
    """It goes no further. What it did is undone, last step first; then `RunFinished` says the same outcome.

    Attributes: by: the person who cancelled it; undo: the steps that are to be undone, in that order.
    """

    run: UUID
    outcome: RunOutcome
    detail: str = ""
    by: str = ""
    undo: tuple[str, ...] = ()


class RunPaused(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.paused"):
    """The step that goes on may end; no other begins. `due`: then the run is cancelled."""

    run: UUID
    by: str
    reason: str
    due: Instant


class RunResumed(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.resumed"):
    run: UUID
    by: str


class RunEscalated(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.escalated"):
    """Nobody knows whether a step took effect, or what was done could not be undone: a person must look. A critical
    notification goes out beside it."""

    run: UUID
    step: str
    reason: str
    to: str


class QuestionAsked(Struct, frozen=True, kw_only=True, tag_field="type", tag="question.asked"):
    """A person must decide or do something: `question == make_id("question", run, step, attempt)`.

    Attributes:
        kind: "approval": yes or no; "choice": one of `choices`; "task": do it, and tick off `checklist`.
        to: position or person who is told; role: who may answer (a higher role may, too).
        four_eyes: two different persons must say yes.
        due: no answer by then means no.
        picture: path or URL.
    """

    question: UUID
    run: UUID
    step: str
    kind: Literal["approval", "choice", "task"]
    text: str
    to: str
    role: str
    due: Instant
    incident: UUID | None = None
    choices: tuple[str, ...] = ()
    four_eyes: bool = False
    checklist: tuple[str, ...] = ()
    picture: str = ""


class QuestionAnswered(Struct, frozen=True, kw_only=True, tag_field="type", tag="question.answered"):
    """What one person said. `answer`: "yes", "no", a choice, "done" or "failed" of a task."""

    question: UUID
    run: UUID
    step: str
    by: str
    answer: str
    comment: str = ""
    ticked: tuple[str, ...] = ()


class QuestionClosed(Struct, frozen=True, kw_only=True, tag_field="type", tag="question.closed"):
    """It waits for nobody any more: decided, out of time, or its run ended."""

    question: UUID
    run: UUID
    step: str
    answer: str
    reason: str = ""


class ActingStopped(Struct, frozen=True, kw_only=True, tag_field="type", tag="acting.stopped"):
    """Hands off: in this area no playbook begins, and no device is moved, until `ActingAllowed`. `LockOutIssued` for
    each device is said beside it."""

    by: str
    reason: str


class ActingAllowed(Struct, frozen=True, kw_only=True, tag_field="type", tag="acting.allowed"):
    by: str
    reason: str = ""


class RunLooped(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.looped"):
    """A playbook sets itself off, maybe through others: it is cut. A `ConditionRaised` of rule "playbook_loop" is said
    beside it.

    Attributes: chain: the playbooks, oldest first; until: so long the playbook is refused.
    """

    playbook: str
    incident: UUID | None
    chain: tuple[str, ...]
    until: Instant


class RunFinished(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.finished"):
    run: UUID
    outcome: RunOutcome
    detail: str = ""


class CommandIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="command.issued"):
    """The intent to write one value to one point, or to read it: `command == make_id("command", run, step, attempt)`.

    Attributes:
        kind: "read": nothing is written; the outcome's `read_back` is what the device says now.
        precondition: an expression over points of the same edge that must be true at the device before it is written:
            the executor reads them and refuses where it is not, or not known. "": none.
        edge: who executes it (the edge that holds the device's session).
        value: engineering unit of the point; 0 or 1 for a coil.
        tolerance: the read-back may differ by so much [unit of the point].
        not_after: the executor refuses it later than this.
        author: "playbook NAME@VERSION" or "person NAME".
    """

    command: UUID
    run: UUID
    incident: UUID | None
    step: str
    attempt: int
    edge: str
    device: str
    point: str
    value: float
    tolerance: float
    not_after: Instant
    author: str
    kind: Literal["write", "read"] = "write"
    precondition: str = ""


class RunsHandedOn(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.handed_on"):
    """Which incident answers from here on for what playbooks did: its end is what sets off what undoes it.

    Attributes:
        incident: the one that they ran for; to: the one that answers now; None: nobody, all is undone.
        why: "resolved"; "stands": it is resolved, but `to` stands and moved the same points; "merged" and "split": what
            ran for the incident ran for `to` too and is not run again.
        opening: of `to`; by: the person who had acknowledged it: what follows is no loop.
    """

    incident: UUID
    to: UUID | None
    opening: int = 1
    by: str = ""
    playbooks: tuple[str, ...]
    why: Literal["resolved", "stands", "merged", "split"]


class LockOutIssued(Struct, frozen=True, kw_only=True, tag_field="type", tag="lock_out.issued"):
    """The intent that the executor of `device` refuses everything for this reason; `reason` "" ends it.

    Attributes: edge: who holds its session; since: ascending for a device: an older one than known changes nothing.
    """

    edge: str
    device: str
    reason: str
    since: Instant = EPOCH


PlaybookFact = (
    RunStarted | RunRefused | StepStarted | StepFinished | RunEnding | RunFinished | RunPaused | RunResumed
    | RunEscalated | RunLooped | QuestionAsked | QuestionAnswered | QuestionClosed | CommandIssued | RunsHandedOn
    | ActingStopped | ActingAllowed
)  # fmt: skip
