"""How an alarm behaves towards people: what a rule says itself, or takes from its class. None and "": not said.

Detection needs the priority and the texts; the rest is for incidents and is compiled by `definitions`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar, get_args

from msgspec import Meta, Struct, structs

from config.duration import Duration
from detection.priorities import Severity
from events.types import Priority

Name = Annotated[str, Meta(extra_json_schema={"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})]
Sequence = Literal["A", "M", "R", "FA", "FM", "FR"]
Factor = Literal["man", "machine", "material", "method", "environment"]
Role = Literal["operator", "supervisor", "engineer"]
"""An auditor shelves nothing."""
Shelving = Annotated[
    dict[Role, Duration], Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(Role))}})
]
"""For how long at most, by role."""


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


class Chatter(Strict, frozen=True, kw_only=True):
    """So many raises within a time mean chattering. Attributes: shelve: shelved by itself for so long then; 0: not."""

    count: Annotated[int, Meta(ge=2)] = 3
    within: Duration = "60s"
    shelve: Duration = 0.0


class Attributes(Strict, frozen=True, kw_only=True):
    """What a rule and a class may both say.

    Attributes:
        severity, response_time: what happens if nobody acts, and how long there is to act: the priority's matrix.
        priority, priority_reason: in place of the matrix's; one that differs from it needs the reason.
        owner: a position of people/*.yaml; factor: for grouping by man, machine, material, method, environment.
        safety: never suppressed by design, never held back in a flood.
        sequence: of the annunciator (ISA-18.1); latching: the same as sequence M; with F the first of its `group` is
            marked.
        auto_acknowledge: acknowledges itself when it returns to normal unacknowledged.
        re_alarm: announced anew when it has stood so long; stale_after; fleeting: gone within that.
        shelving: false: nobody may; or for how long at most by role, and a role that is not named may not.
    """

    severity: Severity | None = None
    response_time: Duration | None = None
    priority: Priority | None = None
    priority_reason: str = ""
    owner: str = ""
    factor: Factor | None = None
    safety: bool | None = None
    sequence: Sequence | None = None
    group: str = ""
    latching: bool | None = None
    auto_acknowledge: bool | None = None
    re_alarm: Duration | None = None
    stale_after: Duration | None = None
    fleeting: Duration | None = None
    shelving: bool | Shelving | None = None
    chatter: Chatter | None = None


R = TypeVar("R", bound=Attributes)
_UNLESS = {"priority": "severity", "priority_reason": "severity", "sequence": "latching", "latching": "sequence"}
"""What is not taken over when the rule itself says the other: both say the same thing in two ways."""


def with_defaults(rule: R, defaults: Attributes) -> R:
    """The rule, with what it does not say taken from its class."""
    taken = {
        name: value
        for name in Attributes.__struct_fields__
        if getattr(rule, name) in (None, "")
        and (value := getattr(defaults, name)) not in (None, "")
        and not (name in _UNLESS and getattr(rule, _UNLESS[name]) is not None)
    }
    return structs.replace(rule, **taken)
