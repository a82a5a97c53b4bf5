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
from collections.abc import Container
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from events.types import Priority
from playbooks.recipe import Condition, Step, Write, always_writes, every_step


class Watch(Struct, frozen=True):
    """What detection decides for a playbook, under the rule name `watch.ID`.

    Attributes: text: expression over points; for_s: it must have been true so long.
    """

    text: str
    for_s: float = 0.0


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
        return frozenset(always_writes(self.steps))


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


def unpack(body: bytes) -> PlaybookSet:
    """The playbooks in a body.

    Raises:
        zlib.error, msgspec.DecodeError: the bytes are none.
    """
    return msgspec.msgpack.decode(zlib.decompress(body), type=PlaybookSet)


def digest(of: Struct) -> str:
    """Short digest of the content, the same on every machine."""
    return sha256(msgspec.msgpack.encode(of, order="deterministic")).hexdigest()[:12]
