"""One incident as state, and which alarms it is made of. Pure."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from bus.layer import Layer, layers, settle
from events.types import EPOCH, PRIORITIES, Instant, Priority

Status = Literal["candidate", "open", "resolved", "closed", "merged"]
LIVE = ("candidate", "open")
PLAYBOOK = "playbook "
"""How `by` begins where no person asked but a playbook: "playbook relieve"."""


def above(a: Priority, b: Priority) -> bool:
    """Whether `a` is more urgent than `b`."""
    return PRIORITIES.index(a) > PRIORITIES.index(b)


class Incident(Struct, frozen=True, array_like=True, gc=False):
    """Attributes:
    priority: what it is handled as; worst: of its alarms so far, which a person may have overruled.
    alarm, rule, point: what opened it.
    last_at: when the last alarm joined; over_at: when it was resolved, closed or merged.
    alarms: how many joined so far; standing: how many of them stand.
    confirmed: it once was; acknowledged_by, assigned: "" for nobody; into: where it was merged.
    """

    incident: UUID
    number: int
    title: str
    priority: Priority
    worst: Priority
    status: Status
    alarm: UUID
    rule: str
    point: str
    opened_at: Instant
    last_at: Instant
    over_at: Instant = EPOCH
    alarms: int = 0
    standing: int = 0
    opening: int = 1
    confirmed: bool = False
    acknowledged_by: str = ""
    assigned: str = ""
    into: UUID | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE


class Handed(Struct, frozen=True, array_like=True, gc=False):
    """A position's last change of hands. Attributes: to: by hand, and until the next change of shift; "" otherwise."""

    at: Instant
    to: str = ""


class SavedCast(Struct, frozen=True, array_like=True):
    names: dict[str, int]
    devices: dict[str, int]
    standing: dict[UUID, str]


class Cast:
    """Which alarms an incident is made of. Attributes: names, devices: how often, of all alarms that ever joined;
    standing: occurrence -> name, of those that stand."""

    __slots__ = ("_layers", "_under", "devices", "names", "standing")

    def __init__(self) -> None:
        self._layers: tuple[Layer[Any, Any], ...] = ()
        self._under: Cast | None = None
        """What it is a draft of."""
        self.names: MutableMapping[str, int] = {}
        self.devices: MutableMapping[str, int] = {}
        self.standing: MutableMapping[UUID, str] = {}

    def save(self) -> SavedCast:
        return SavedCast(dict(self.names), dict(self.devices), dict(self.standing))

    @classmethod
    def load(cls, saved: SavedCast) -> Cast:
        cast = cls()
        cast.names, cast.devices, cast.standing = saved.names, saved.devices, saved.standing
        return cast

    def draft(self) -> Cast:
        cast = Cast()
        cast._layers = layers(self.names, self.devices, self.standing)
        cast.names, cast.devices, cast.standing = cast._layers
        cast._under = self
        return cast

    def adopted(self) -> Cast:
        """What it is a draft of, changed as the draft was."""
        assert self._under is not None
        settle(self._layers)
        return self._under

    def add(self, name: str, device: str, by: int = 1) -> None:
        for counts, key in ((self.names, name), (self.devices, device)):
            if (count := counts.get(key, 0) + by) > 0:
                counts[key] = count
            elif key in counts:
                del counts[key]

    def take_over(self, other: Cast) -> None:
        for mine, theirs in ((self.names, other.names), (self.devices, other.devices)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
