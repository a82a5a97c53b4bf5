"""The script of a rehearsal: what happens and when, and who answers what. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.envelope import Fact
from events.playbooks import Scalar
from events.requests import RunRequest
from events.types import Instant

BEGINS = datetime.fromisoformat("2024-05-01T06:00:00+00:00")
SOON_S = 0.1
"""How long a device or another system takes to answer, where the script says nothing else [s]."""
LONGEST_S = 7 * 86400.0


class Happens(Struct, frozen=True):
    """Attributes: at_s: seconds after the beginning; facts: what the incidents stage says then."""

    at_s: float
    facts: tuple[Fact, ...]


class Asks(Struct, frozen=True):
    """Somebody asks for something: to start, cancel, pause, …"""

    at_s: float
    by: str
    role: str
    body: RunRequest


class Shows(Struct, frozen=True):
    """From then on these points show these values; None: not known any more."""

    at_s: float
    values: dict[str, float | None]


class Device(Struct, frozen=True):
    """How a device takes one command. Attributes: read_back: of a read; None: what the point shows."""

    how: Literal["does it", "fails", "refuses", "no answer"] = "does it"
    reason: str = ""
    after_s: float = SOON_S
    read_back: float | None = None


class System(Struct, frozen=True):
    """How another system takes one errand. Attributes: reason: not "": it fails; silent: it never answers."""

    status: int = 200
    result: dict[str, Scalar] = {}
    reason: str = ""
    final: bool = False
    silent: bool = False
    after_s: float = SOON_S


class Person(Struct, frozen=True):
    """What somebody answers, so long after the question."""

    by: str
    answer: str
    role: str = "supervisor"
    after_s: float = 1.0
    comment: str = ""
    ticked: tuple[str, ...] | None = None
    """None: all of the checklist."""


class Script(Struct, frozen=True):
    """Attributes:
    devices: by point; systems, people: by step (its place, or its own name). Of several the first takes the first
        attempt and so on; the last one stays. A question that nobody is named for is not answered.
    """

    area: str
    happens: tuple[Happens, ...] = ()
    asks: tuple[Asks, ...] = ()
    shows: tuple[Shows, ...] = ()
    devices: dict[str, tuple[Device, ...]] = {}
    systems: dict[str, tuple[System, ...]] = {}
    people: dict[str, tuple[Person, ...]] = {}
    begins: Instant = BEGINS
    longest_s: float = LONGEST_S
