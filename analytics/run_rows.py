"""Rows about playbook runs: their steps, commands, questions, errands, and whom they told. `analytics.runs` asks."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.notifications import NotificationKind
from events.playbooks import RunOutcome, Scalar, StepOutcome
from events.types import Instant, Priority


class Command(Struct, frozen=True, kw_only=True):
    """Attributes: kind: of "read", `read_back` is what the device said; precondition: what had to hold there."""

    command: UUID
    step: str
    attempt: int
    point: str
    value: float
    issued_at: Instant
    not_after: Instant
    kind: Literal["write", "read"] = "write"
    precondition: str = ""
    outcome: Literal["succeeded", "failed", "refused"] | None = None
    reason: str = ""
    read_back: float | None = None
    confirmed_at: Instant | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of a notification on one channel of one person. `attempt` is the last one, `at` its time."""

    person: str
    channel: str
    outcome: Literal["delivered", "retrying", "failed"]
    attempt: int
    at: Instant
    reason: str = ""


class Notification(Struct, frozen=True, kw_only=True):
    to: str
    text: str
    issued_at: Instant
    step: str = ""
    notification: UUID | None = None
    kind: NotificationKind = "playbook"
    priority: Priority = "medium"
    persons: tuple[str, ...] = ()
    withdrawn_at: Instant | None = None
    withdrawn_reason: str = ""
    deliveries: tuple[Delivery, ...] = ()


class Step(Struct, frozen=True, kw_only=True):
    """One attempt at a step.

    Attributes: result: what expressions see of it; set: variables that it changed; by: who ended it, "" for nobody.
    """

    step: str
    attempt: int
    started_at: Instant
    due: Instant
    outcome: StepOutcome | None = None
    finished_at: Instant | None = None
    detail: str = ""
    result: dict[str, Scalar] = {}
    set: dict[str, Scalar] = {}
    by: str = ""


class Answered(Struct, frozen=True, kw_only=True):
    """What one person said to a question."""

    by: str
    at: Instant
    answer: str
    comment: str = ""
    ticked: tuple[str, ...] = ()


class Question(Struct, frozen=True, kw_only=True):
    """What a run asks of people. As in `events.playbooks.QuestionAsked`.

    Attributes: playbook: whose; answers: so far; closed_at: None while it waits; answer: what was decided, "" while it
    waits or where nobody said anything, then `reason` says why.
    """

    question: UUID
    run: UUID
    area: str
    step: str
    kind: Literal["approval", "choice", "task"]
    text: str
    to: str
    role: str
    asked_at: Instant
    due: Instant
    playbook: str = ""
    incident: UUID | None = None
    choices: tuple[str, ...] = ()
    four_eyes: bool = False
    checklist: tuple[str, ...] = ()
    picture: str = ""
    answers: tuple[Answered, ...] = ()
    closed_at: Instant | None = None
    answer: str = ""
    reason: str = ""


class Errand(Struct, frozen=True, kw_only=True):
    """What a run had done outside devices. Attributes: target: method and URL, or topic; final: it is not tried again;
    status: of HTTP, 0 else."""

    errand: UUID
    step: str
    attempt: int
    kind: Literal["http", "message"]
    target: str
    issued_at: Instant
    not_after: Instant
    body: str = ""
    outcome: Literal["done", "failed"] | None = None
    ended_at: Instant | None = None
    status: int = 0
    reason: str = ""
    final: bool = False
    result: dict[str, Scalar] = {}


class Run(Struct, frozen=True, kw_only=True):
    """Attributes:
    incident: None where none set it off; number: of the incident in its area.
    scope: what it knows of what set it off: "incident.title", "alarm.value", …
    asked_by: who asked for it; planned: the time of its schedule; retry_of: the run that it takes up, without the
        steps `done` there.
    paused: by a person (`paused_by`, `pause_reason`); cancelled at `pause_due`.
    ending: how it is going to end, while it undoes the steps `undo`; ended_by: the person who cancelled it.
    escalated_reason: nobody knows whether step `escalated_step` took effect.
    """

    run: UUID
    playbook: str
    version: str
    title: str
    started_at: Instant
    area: str = ""
    incident: UUID | None = None
    number: int | None = None
    scope: dict[str, Scalar] = {}
    asked_by: str = ""
    planned: Instant | None = None
    not_before: Instant | None = None
    chain: tuple[str, ...] = ()
    retry_of: UUID | None = None
    done: tuple[str, ...] = ()
    paused: bool = False
    paused_at: Instant | None = None
    paused_by: str = ""
    pause_reason: str = ""
    pause_due: Instant | None = None
    ending: RunOutcome | None = None
    ending_detail: str = ""
    ended_by: str = ""
    undo: tuple[str, ...] = ()
    escalated_at: Instant | None = None
    escalated_to: str = ""
    escalated_step: str = ""
    escalated_reason: str = ""
    outcome: RunOutcome | None = None
    finished_at: Instant | None = None
    detail: str = ""
    steps: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    questions: tuple[Question, ...] = ()
    errands: tuple[Errand, ...] = ()
    notifications: tuple[Notification, ...] = ()

    @property
    def phase(self) -> str:
        """In a word, for people. A property: give it to programs beside the row."""
        if self.outcome is not None:
            return self.outcome
        if self.ending is not None:
            return f"undoing ({self.ending})" if self.undo else self.ending
        return "paused" if self.paused else "running"


class HandsOff(Struct, frozen=True, kw_only=True):
    """An area in which no playbook acts and no device is moved, until a person allows it."""

    area: str
    stopped_at: Instant
    stopped_by: str
    reason: str


class Refusal(Struct, frozen=True, kw_only=True):
    """A playbook that was triggered and did not start."""

    at: Instant
    author: str
    playbook: str
    reason: str
