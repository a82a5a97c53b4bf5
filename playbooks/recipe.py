"""The steps of a playbook as the machine runs them: what each does, when, and what then (see `plan`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from events.playbooks import Scalar
from events.types import Priority


class Condition(Struct, frozen=True):
    """Attributes: text: over watches and names, as `expressions.parse` takes it; said: as the author wrote it."""

    text: str
    said: str


# --- what a step does ------------------------------------------------------------------------------------------------


class Write(Struct, frozen=True, tag="write"):
    """Write one value to one point, and read it back.

    Attributes:
        edge: who holds the session of `device`; point: full name, "press.relief_valve".
        value: [unit of the point], within `low` and `high`, its writable range; a text is an expression that gives it
            when the step begins, and the step fails where it is unknown or out of range.
        tolerance: the read-back may differ by so much [unit of the point].
        precondition: over points of the same edge; the executor checks it at the device. "": none.
    """

    edge: str
    device: str
    point: str
    value: float | str
    tolerance: float
    low: float
    high: float
    precondition: str = ""


class Read(Struct, frozen=True, tag="read"):
    """Ask the device for a point's value now; `steps.STEP.value` and the variable `into` have it then."""

    edge: str
    device: str
    point: str
    into: str


class WaitFor(Struct, frozen=True, tag="wait_for"):
    """Until the condition holds; the step's timeout is how long."""

    condition: Condition


class Delay(Struct, frozen=True, tag="delay"):
    """`seconds` of nothing. The step's timeout is a little more."""

    seconds: float


class Notify(Struct, frozen=True, tag="notify"):
    """Tell somebody. Done when it is issued."""

    to: str
    text: str
    priority: Priority


class Ask(Struct, frozen=True, tag="ask"):
    """A question to people; the step's timeout is how long, and no answer by then means no.

    Approval (`choices` is ()): anything but yes fails the step. Choice: `steps.STEP.answer`; no answer gives
    `otherwise`, or fails the step where that is "". Attributes as in `QuestionAsked`.
    """

    text: str
    to: str
    role: str
    priority: Priority = "high"
    choices: tuple[str, ...] = ()
    otherwise: str = ""
    four_eyes: bool = False


class Task(Struct, frozen=True, tag="task"):
    """People do it and tick all of the checklist, then it is done. "failed" or no answer in time fails the step."""

    text: str
    to: str
    role: str
    priority: Priority = "high"
    checklist: tuple[str, ...] = ()
    picture: str = ""


class Http(Struct, frozen=True, tag="http"):
    """As `HttpIssued`; url, headers and body are texts with {names}."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""
    expect: tuple[int, ...] = ()
    save: dict[str, str] = {}


class Publish(Struct, frozen=True, tag="publish"):
    topic: str
    payload: str
    retain: bool = False


class OfIncident(Struct, frozen=True, tag="incident"):
    """What to do with the run's incident. Attributes: to: whom, of assign; priority: of escalate; text: comment or
    reason; action: of close, whose cause is `text`."""

    do: Literal["comment", "assign", "escalate", "close"]
    text: str = ""
    to: str = ""
    priority: Priority = "critical"
    action: str = ""


class Set(Struct, frozen=True, tag="set"):
    """Variables, in this order; a text is an expression, evaluated now; unknown fails the step."""

    values: dict[str, Scalar]
    """Literal values."""
    expressions: dict[str, str] = {}


class Stop(Struct, frozen=True, tag="stop"):
    """End the run here. "failed" undoes what was done."""

    outcome: Literal["completed", "failed", "cancelled"]
    text: str


class Group(Struct, frozen=True, tag="group"):
    """Steps one after the other: a called playbook (`of`), or a write of several points."""

    steps: tuple[Step, ...]
    of: str = ""


class Choose(Struct, frozen=True, tag="choose"):
    """The first case whose condition holds when the step begins; else `otherwise`, which may be empty. `if` has one
    case. `steps.STEP.branch` is its number from 1, 0 for otherwise."""

    cases: tuple[Case, ...]
    otherwise: tuple[Step, ...] = ()


class Case(Struct, frozen=True):
    condition: Condition
    steps: tuple[Step, ...]


class Parallel(Struct, frozen=True, tag="parallel"):
    """All branches beside each other; it fails when one fails, after the others have ended."""

    branches: tuple[tuple[Step, ...], ...]


class Repeat(Struct, frozen=True, tag="repeat"):
    """At most `most` passes. `until`: ends after a pass when it holds; `while_`: begins a pass only when it holds.
    With `until`, the step fails where it never held."""

    steps: tuple[Step, ...]
    most: int
    until: Condition | None = None
    while_: Condition | None = None


Act = (
    Write | Read | WaitFor | Delay | Notify | Ask | Task | Http | Publish | OfIncident | Set | Stop | Group | Choose
    | Parallel | Repeat
)


class Step(Struct, frozen=True):
    """Attributes:
    step: its name among its siblings (events name a step by its place, see `events.playbooks`).
    timeout_s: an attempt has failed after that. Of a group, choose, parallel or repeat: all of it; 0: the sum within.
    valid_s: no device is moved later than this after the attempt began, at most timeout_s.
    retry: attempts after the first. pause_s: between two attempts.
    on_error: when it has failed for good: "stop" ends the run as failed, "continue" goes on; `handler` (not empty) runs
        in place of both, and then the run goes on.
    undo: run in reverse order of the steps when the run fails or is cancelled, if this step began to act.
    only_if: else it is skipped.
    """

    step: str
    act: Act
    timeout_s: float
    valid_s: float = 0.0
    retry: int = 0
    pause_s: float = 0.0
    on_error: Literal["stop", "continue"] = "stop"
    handler: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    only_if: Condition | None = None


def within(step: Step) -> tuple[tuple[Step, ...], ...]:
    """The lists of steps inside a step: branches, cases, passes, its handler, its undo."""
    match step.act:
        case Group(steps=steps) | Repeat(steps=steps):
            inner: tuple[tuple[Step, ...], ...] = (steps,)
        case Choose(cases=cases, otherwise=otherwise):
            inner = (*(case.steps for case in cases), otherwise)
        case Parallel(branches=branches):
            inner = branches
        case _:
            inner = ()
    return (*inner, step.handler, step.undo)


def every_step(steps: tuple[Step, ...]) -> Iterator[Step]:
    """All steps, those inside steps too, in the order of the file."""
    for step in steps:
        yield step
        for inner in within(step):
            yield from every_step(inner)


def always_writes(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        if step.only_if is not None:
            continue
        match step.act:
            case Write(point=point):
                yield point
            case Group(steps=inner):
                yield from always_writes(inner)
            case _:
                pass
