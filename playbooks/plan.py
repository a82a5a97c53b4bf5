"""A playbook as the machine runs it: checked, compiled, complete. Nothing else of the plant is needed to run it.

**Conditions.** What is said about points is watched by detection: the compiler cuts an expression into *watches* (parts
over points alone, each known to be true or not) and a rest that is evaluated here. `press.pressure < 100 &&
incident.priority == 'critical'` is the condition `watch.w3f2a && incident.priority == 'critical'`, and detection says
when w3f2a begins and ceases to be true. A watch whose points are not known (bad quality, silence) is not true; the
compiler cuts so that this is always the safe side.

**Names** in expressions and in texts as `{name}`: `incident.title` `.number` `.priority`, `alarm.name` `.rule` `.point`
`.priority` `.value` `.limit` `.unit` `.message` (what set the run off, as it was then), `asked.by`, `area`, `playbook`,
`playbook.title`, `vars.NAME`, `steps.STEP.answer` `.by` `.comment` `.status` `.outcome` and what a step saved. STEP is
the name that the author gave it, wherever it stands; in a file each is given once. A step in a repeat is known by its
newest pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from events.playbooks import Scalar
from events.types import Priority


class Watch(Struct, frozen=True):
    """What detection decides for a playbook, under the rule name `watch.ID`.

    Attributes: text: expression over points; for_s: it must have been true so long.
    """

    text: str
    for_s: float = 0.0


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


# --- what sets it off ------------------------------------------------------------------------------------------------


class OnIncident(Struct, frozen=True, tag="incident"):
    """Attributes:
    event: "opened" also stands for an alarm that joins later; "changed": priority, acknowledgement, assignment.
    rules, points: patterns; one of them must match the alarm's; none means any.
    min_priority: of the alarm; of the incident for the others.
    after: one of these playbooks ran for the incident; none means any incident of the area.
    """

    event: Literal["opened", "changed", "resolved", "closed"]
    rules: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    min_priority: Priority = "low"
    after: tuple[str, ...] = ()


class OnAlarm(Struct, frozen=True, tag="alarm"):
    """An alarm by itself, whether or not it is in an incident. Hidden and late ones set nothing off."""

    event: Literal["raised", "cleared"]
    rules: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    min_priority: Priority = "low"


class OnRequest(Struct, frozen=True, tag="request"):
    """A person asks for it. Attributes: role: the lowest that may."""

    role: str = "operator"


class OnSchedule(Struct, frozen=True, tag="schedule"):
    """Attributes: cron: five fields, as cronsim takes them; zone: IANA name."""

    cron: str
    zone: str = "UTC"


Trigger = OnIncident | OnAlarm | OnRequest | OnSchedule


class Limit(Struct, frozen=True):
    """At most `count` within `per_s`."""

    count: int
    per_s: float


class Playbook(Struct, frozen=True):
    """Attributes:
    when: must hold at the trigger, else the run is refused.
    mode: what a trigger does while a run of it goes. parallel: runs for other incidents go beside it, one incident has
        one run at a time and a further one waits; queue: one run at all, up to `most` wait; single: refused;
        restart: the one that goes is cancelled, not undone, and the new one begins.
    most: runs that may go or wait.
    priority: 0 to 100: who holds a point that two playbooks write; the higher one gets it.
    limit: runs of it; 0 per_s: none.
    ends_with_incident: it is cancelled when its incident is resolved.
    escalate_to: who is told when it fails, or a step's effect is not known.
    consequences: alarms (patterns) that the playbook itself causes: in a flood they are held back behind its triggers'.
    watches: by id, those of its conditions.
    version: digest of all the rest, of the points' edges, ranges and tolerances too.
    """

    playbook: str
    title: str
    area: str
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    version: str = ""
    when: Condition | None = None
    mode: Literal["parallel", "queue", "single", "restart"] = "parallel"
    most: int = 10
    priority: int = 50
    limit: Limit | None = None
    ends_with_incident: bool = False
    escalate_to: str = "shift_lead"
    consequences: tuple[str, ...] = ()
    watches: dict[str, Watch] = {}

    @property
    def author(self) -> str:
        return f"playbook {self.playbook}@{self.version}"

    @property
    def opens(self) -> bool:
        """Whether it acts for something that begins, and is no reset after the end of an incident."""
        return not any(isinstance(t, OnIncident) and t.event in ("resolved", "closed") for t in self.triggers)

    @property
    def writes(self) -> frozenset[str]:
        """The points that it moves, wherever in it."""
        return frozenset(s.act.point for s in every_step(self.steps) if isinstance(s.act, Write))

    @property
    def always_writes(self) -> frozenset[str]:
        """The points that it moves, or says that it could not, whatever else is so."""
        return frozenset(_always(self.steps))


class Device(Struct, frozen=True):
    """What playbooks must know of a device. Attributes: edge: who holds its session; limit: commands to it."""

    edge: str
    area: str
    limit: Limit | None = None


class PlaybookSet(Struct, frozen=True):
    """All playbooks of the plant: the body of `Configure`. Attributes: devices: by name, so that they can be locked;
    sources: text of each file, for people who ask what changed; files: which of them a playbook is from."""

    playbooks: tuple[Playbook, ...] = ()
    devices: dict[str, Device] = {}
    sources: dict[str, str] = {}
    files: dict[str, str] = {}

    @property
    def version(self) -> str:
        return digest(self)

    def of(self, areas: Container[str]) -> PlaybookSet:
        """What the home of these areas decides by."""
        books = tuple(book for book in self.playbooks if book.area in areas)
        devices = {name: device for name, device in self.devices.items() if device.area in areas}
        files = {book.playbook: self.files[book.playbook] for book in books if book.playbook in self.files}
        sources = {name: text for name, text in self.sources.items() if name in files.values()}
        return PlaybookSet(books, devices, sources, files)

    def pack(self) -> bytes:
        return zlib.compress(msgspec.msgpack.encode(self, order="deterministic"))


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


def _always(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        if step.only_if is not None:
            continue
        match step.act:
            case Write(point=point):
                yield point
            case Group(steps=inner):
                yield from _always(inner)
            case _:
                pass


def unpack(body: bytes) -> PlaybookSet:
    """The playbooks in a body.

    Raises:
        zlib.error, msgspec.DecodeError: the bytes are none.
    """
    return msgspec.msgpack.decode(zlib.decompress(body), type=PlaybookSet)


def digest(of: Struct) -> str:
    """Short digest of the content, the same on every machine."""
    return sha256(msgspec.msgpack.encode(of, order="deterministic")).hexdigest()[:12]
