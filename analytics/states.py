"""The ISA-18.2 state of an alarm, derived from what the log stores of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from events.alarms import Override, State

PRECEDENCE: tuple[Override, ...] = ("out of service", "suppressed", "shelved")
"""Where several overrides hold, the first of these is the state."""


def state_of(*, active: bool, acknowledged: bool, latched: bool, hidden: Override | Literal[""] = "") -> State:
    """A to I. `latched`: the condition is gone, and a reset is needed."""
    match hidden:
        case "out of service":
            return "I"
        case "suppressed":
            return "H"
        case "shelved":
            return "G"
        case "":
            if active:
                return "C" if acknowledged else "B"
            if latched:
                return "F" if acknowledged else "E"
            return "A" if acknowledged else "D"


def foremost(overrides: Collection[Override]) -> Override | Literal[""]:
    """Of the overrides that hold the one that counts; "" for none."""
    return next((o for o in PRECEDENCE if o in overrides), "")
