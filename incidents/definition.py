"""All that the incidents stage needs to know of the plant's files: areas, alarms, how they group, whom to call."""

from __future__ import annotations

import zlib
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct, field

from devices.plant import Plant
from events.types import Priority

Annunciator = Literal["A", "M", "R"]
"""ISA-18.1: A returns to normal by itself once acknowledged, M waits for a reset (latching), R rings back: the return
is to be acknowledged too."""
Factor = Literal["", "man", "machine", "material", "method", "environment"]

HOUR = 3600.0
SHELVE_S = {"operator": HOUR, "supervisor": 12 * HOUR, "engineer": 72 * HOUR}


class AlarmDefinition(Struct, frozen=True, kw_only=True):
    """How one alarm behaves. A rule without a definition here gets this one's defaults, by its own name.

    Attributes:
        name: as in `events.alarms`; rules: the levels of its ladder, lowest first, or its only rule.
        device, point: what it is about, and the asset tree by which alarms group.
        safety: never suppressed by design, never held back.
        sequence: of the annunciator; first_out: its group marks the first one.
        auto_acknowledge: it acknowledges itself when it returns to normal unacknowledged.
        re_alarm_s: standing so long it is announced anew; 0: never.
        stale_s: standing so long it is stale.
        fleeting_s: cleared within it, it was fleeting.
        shelve_s: for how long it may be shelved at most [s], by role; a role that is not there may not.
        chatter: so many raises within chatter_s mean chattering; chatter_shelve_s: shelved by itself for so long then;
            0: not allowed.
        suppressed_by: names of alarms (patterns) that suppress this one while they are active and shown.
        suppressing: rules of kind "suppression" that do while their condition holds.
        consequence_of: names (patterns) of alarms that it follows from: in a flood it is held back behind them.
        owner, factor, title and the rest: its rationalisation, for people.
    """

    name: str
    area: str
    rules: tuple[str, ...]
    device: str = ""
    point: str = ""
    title: str = ""
    safety: bool = False
    sequence: Annunciator = "A"
    group: str = ""
    auto_acknowledge: bool = False
    re_alarm_s: float = 0.0
    stale_s: float = 24 * HOUR
    fleeting_s: float = 2.0
    shelve_s: dict[str, float] = field(default_factory=lambda: dict(SHELVE_S))
    chatter: int = 3
    chatter_s: float = 60.0
    chatter_shelve_s: float = 0.0
    suppressed_by: tuple[str, ...] = ()
    suppressing: tuple[str, ...] = ()
    consequence_of: tuple[str, ...] = ()
    owner: str = ""
    factor: Factor = ""
    klass: str = ""
    cause: str = ""
    consequence: str = ""
    action: str = ""
    response_s: float = 0.0


class Together(Struct, frozen=True, kw_only=True):
    """One rule by which alarms of an area belong to one incident; the first rule that fits decides.

    Attributes:
        together: its name, the reason that is stored.
        by: "area": any two; "device": the same device; "topology": devices of which one feeds the other;
            "alarms": both are among `alarms` (patterns); "expression": the rule `condition` (kind "correlation") holds,
            and both are among `alarms`.
        factors: only alarms of these; () means any.
        within_s: the last alarm of the incident was raised no longer ago; 0: as long as the incident is open.
    """

    together: str
    by: Literal["area", "device", "topology", "alarms", "expression"]
    alarms: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    condition: str = ""
    within_s: float = 0.0


class Flood(Struct, frozen=True, kw_only=True):
    """EEMUA 191: begins above `above` alarms in `window_s`, ends below `below`.

    Attributes: hold_below: in a flood, alarms under this priority that are consequences of others are held back.
    """

    above: int = 10
    below: int = 5
    window_s: float = 600.0
    show_from: Priority = "critical"
    """From this priority on an alarm is shown in any flood."""
    digest_s: float = 300.0
    """Notifications of a flood are gathered over so long."""


class Policy(Struct, frozen=True, kw_only=True):
    """How incidents of an area are handled.

    Attributes:
        together: in order; without any that fits, an alarm opens an incident of its own.
        topology: device -> the devices that it feeds (downstream).
        confirm_after: alarms that make a candidate an incident; 1: each is confirmed as it opens.
        reopen_s: an alarm that comes back so soon after its incident was resolved reopens it.
        close_after_s: a resolved incident below `close_by_person` is closed by itself after that; 0: never.
        close_by_person: from this priority on a person must close it.
        escalation: name of the policy; "" for none.
    """

    together: tuple[Together, ...] = (Together(together="same area", by="area"),)
    topology: dict[str, tuple[str, ...]] = {}
    confirm_after: int = 1
    reopen_s: float = 900.0
    close_after_s: float = 24 * HOUR
    close_by_person: Priority = "high"
    flood: Flood = Flood()
    escalation: str = ""


class Step(Struct, frozen=True):
    """Attributes: after_s: since the incident was confirmed, or since the round began; to: positions or persons."""

    after_s: float
    to: tuple[str, ...]


class Escalation(Struct, frozen=True, kw_only=True):
    """Whom to call while nobody acknowledges. Attributes: rounds: how often all steps are gone through; round_s: from
    one beginning to the next; min_priority: of the incident."""

    policy: str
    steps: tuple[Step, ...]
    rounds: int = 1
    round_s: float = 900.0
    min_priority: Priority = "low"


class Shift(Struct, frozen=True, kw_only=True):
    """Who holds a position when. Attributes: days: 0 is Monday; begins, ends: "22:00" local, over midnight if ends is
    not later; persons: in turn, one week each, counted from `since` (ISO date); ("anna",) is always anna."""

    shift: str
    days: tuple[int, ...]
    begins: str
    ends: str
    persons: tuple[str, ...]
    since: str = "1970-01-05"


class Replacement(Struct, frozen=True, kw_only=True):
    """An override of the calendar. Attributes: begins, ends: ISO local date and time, [begins, ends)."""

    begins: str
    ends: str
    person: str
    reason: str = ""


class Position(Struct, frozen=True, kw_only=True):
    """A seat in the plant. Attributes: areas: patterns of what it watches; on_holidays: shifts that hold on a holiday,
    () means the same as on any day; deputy: a position asked when nobody is on call here."""

    position: str
    areas: tuple[str, ...] = ("*",)
    time_zone: str = "UTC"
    shifts: tuple[Shift, ...] = ()
    holidays: tuple[str, ...] = ()
    on_holidays: tuple[Shift, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    deputy: str = ""
    flood: Flood = Flood()


class Across(Struct, frozen=True, kw_only=True):
    """A rule of the plant-wide area, on alarm states: it holds while `at_least` of the alarms `of` (patterns of names)
    are active for `for_s`."""

    rule: str
    of: tuple[str, ...]
    at_least: int
    for_s: float
    priority: Priority
    message: str
    version: str = ""


class Definition(Struct, frozen=True, kw_only=True):
    """Attributes:
    areas: those whose home is here, sorted; conditions of any other area are somebody else's.
    elsewhere: those whose home answers for itself (an edge): requests for them get no answer here.
    alarms: by name; policies: by area, of those that have one of their own.
    """

    areas: tuple[str, ...]
    alarms: dict[str, AlarmDefinition] = {}
    policies: dict[str, Policy] = {}
    escalations: dict[str, Escalation] = {}
    positions: dict[str, Position] = {}
    across: tuple[Across, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Digest of the content."""
        return sha256(msgspec.msgpack.encode(self, order="deterministic")).hexdigest()[:12]

    def pack(self) -> bytes:
        """The body of `Configure` and `Configured`."""
        return zlib.compress(msgspec.msgpack.encode(self, order="deterministic"))


def unpack(body: bytes) -> Definition:
    """The definition in a body.

    Raises:
        zlib.error, msgspec.DecodeError: the bytes are none.
    """
    return msgspec.msgpack.decode(zlib.decompress(body), type=Definition)


def any_of(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the patterns (`*` and `?`) matches."""
    return any(fnmatchcase(name, p) for p in patterns)


def define(plant: Plant, edge: str = "") -> Definition:
    """The areas whose home is the plant, or, given an `edge`, that edge."""
    here = {a.area for a in plant.areas.values() if (a.edge if a.home == "edge" else "") == edge}
    elsewhere = () if edge else tuple(sorted(set(plant.areas) - here))
    return Definition(areas=tuple(sorted(here)), elsewhere=elsewhere)
