"""The alarms of one area as state: two facts each, `active` and `acknowledged`, and a set of overrides. Pure fold.

The ISA-18.2 state is derived from them. An alarm is found by its name; it has at most one current occurrence. What is
normal, under no override, is not kept.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.alarms import Override, State
from events.types import EPOCH, Instant, Priority


class Level(Struct, frozen=True, array_like=True, gc=False):
    """A rule of the alarm whose condition holds. Attributes: condition: its occurrence."""

    condition: UUID
    rule: str
    priority: Priority
    message: str


class Shelf(Struct, frozen=True, array_like=True, gc=False):
    by: str
    reason: str
    until: Instant
    one_shot: bool = False


class Suppression(Struct, frozen=True, array_like=True, gc=False):
    """Attributes: until: None while a design says so."""

    cause: str
    by: str
    reason: str
    until: Instant | None


class Maintenance(Struct, frozen=True, array_like=True, gc=False):
    """Attributes: device: "" when the alarm alone was taken out of service."""

    by: str
    reason: str
    until: Instant
    device: str


class Recent(Struct, frozen=True, array_like=True, gc=False):
    """When an alarm was raised last, as often as chattering counts; and whether it chatters."""

    raises: tuple[Instant, ...] = ()
    chattering: bool = False


class Alarm(Struct, frozen=True, array_like=True, gc=False):
    """One alarm: its current occurrence, if it has one, and its overrides.

    Attributes:
        alarm: the occurrence; None: normal, and an override is all there is to know.
        rule, priority, message: of the highest level that holds, or did last.
        device, point: what it is about.
        active: the condition holds. acknowledged: somebody took notice of this occurrence.
        latched: the condition is gone, it stays until it is reset.
        late: known from history only; no live sample has confirmed it yet.
        behind: in a flood, the alarm that it follows from and is held back behind; "" when it is shown.
        silenced: its horn is off.
        first_out, group: the first of its group; "" for none.
        stale: it was called so.
        raised_at: when the occurrence began; announced_at: when it was last announced; times: how often anew.
        taken: the priority that was acknowledged; a level above it is unacknowledged again.
        levels: what holds, in the order in which they were raised.
    """

    name: str
    alarm: UUID | None = None
    rule: str = ""
    point: str = ""
    device: str = ""
    priority: Priority = "low"
    message: str = ""
    active: bool = False
    acknowledged: bool = True
    latched: bool = False
    late: bool = False
    behind: str = ""
    silenced: bool = False
    first_out: bool = False
    group: str = ""
    stale: bool = False
    raised_at: Instant = EPOCH
    announced_at: Instant = EPOCH
    times: int = 0
    taken: Priority | None = None
    levels: tuple[Level, ...] = ()
    shelf: Shelf | None = None
    suppressions: tuple[Suppression, ...] = ()
    maintenance: Maintenance | None = None

    def normal(self) -> Alarm:
        """Without its occurrence: the overrides are what is left."""
        return Alarm(
            name=self.name, rule=self.rule, point=self.point, device=self.device, priority=self.priority,
            message=self.message, shelf=self.shelf, suppressions=self.suppressions, maintenance=self.maintenance,
        )  # fmt: skip

    @property
    def held_back(self) -> bool:
        return self.behind != ""

    @property
    def hidden(self) -> Override | Literal[""]:
        """The override that keeps it from the operator, the strongest one; "" when it is shown."""
        if self.maintenance is not None:
            return "out of service"
        if self.suppressions:
            return "suppressed"
        return "" if self.shelf is None else "shelved"

    @property
    def state(self) -> State:
        match self.hidden:
            case "out of service":
                return "I"
            case "suppressed":
                return "H"
            case "shelved":
                return "G"
        if self.latched:
            return "F" if self.acknowledged else "E"
        if self.active:
            return "C" if self.acknowledged else "B"
        return "A" if self.acknowledged else "D"

    @property
    def stands(self) -> bool:
        """Whether an incident cannot be over while this is so. What is hidden counts only while it is active."""
        return self.active or self.latched or (not self.acknowledged and not self.hidden)

    @property
    def sounds(self) -> bool:
        """Whether the horn is on for it."""
        return not (self.acknowledged or self.silenced or self.hidden or self.behind or self.late)
