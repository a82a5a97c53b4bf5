"""What stands in `people/*.yaml`: the model by which a file is checked, and its JSON Schema made."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from config.duration import Duration
from events.types import Priority
from incidents.policies import FloodEntry

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Name = Annotated[str, Meta(pattern=r"^[^\s*?|/][^*?|]*$")]
Clock = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Date = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
LocalTime = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}$")]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


class ShiftEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Shift`; `from`, `to`: local times, over midnight if `to` is not later."""

    shift: Name
    from_: Clock = field(name="from")
    to: Clock
    persons: Annotated[list[Name], Meta(min_length=1)]
    days: Annotated[list[Day], Meta(min_length=1)] = field(default_factory=lambda: list(DAYS))
    since: Date = "1970-01-05"


class ReplacementEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Replacement`: `from` that local time until just before `to`."""

    from_: LocalTime = field(name="from")
    to: LocalTime
    person: Name
    reason: str = ""


class PositionEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Position`."""

    position: Name
    title: str = ""
    areas: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["*"])
    time_zone: str = "UTC"
    shifts: list[ShiftEntry] = []
    holidays: list[Date] = []
    on_holidays: list[ShiftEntry] = []
    replacements: list[ReplacementEntry] = []
    deputy: str = ""
    flood: FloodEntry = FloodEntry()


class StepEntry(Strict, frozen=True, kw_only=True):
    to: Annotated[list[Name], Meta(min_length=1)]
    after: Duration = "0s"


class EscalationEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Escalation`; `every`: from the beginning of one round to the next."""

    policy: Name
    steps: Annotated[list[StepEntry], Meta(min_length=1)]
    rounds: Annotated[int, Meta(ge=1)] = 1
    every: Duration = "15min"
    min_priority: Priority = "low"


class Channel(Strict, frozen=True, kw_only=True):
    """One way to a person.

    Attributes:
        url: as apprise writes it; a secret in it is `${NAME}`, taken from the notifier's environment.
        min_priority: what is lower does not go this way.
        simulated: it is used even while the plant's devices are simulated.
    """

    channel: Name
    url: Annotated[str, Meta(pattern=r"^([a-zA-Z0-9]+://|\$\{[A-Za-z_][A-Za-z0-9_]*\}$).*")]
    min_priority: Priority = "low"
    simulated: bool = False


class Person(Strict, frozen=True, kw_only=True):
    person: Name
    title: str = ""
    channels: list[Channel] = []


class PeopleFile(Strict, frozen=True, kw_only=True):
    """One file of `people/`; each list may stand in any file, what it names in any other."""

    positions: list[PositionEntry] = []
    escalations: list[EscalationEntry] = []
    persons: list[Person] = []
