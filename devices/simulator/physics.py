"""What the models of all machines share: the faults there are, how values travel, and how a value lags. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import ClassVar, Literal, Protocol

Scripted = Literal[
    "overpressure", "bearing_wear", "cavitation", "coolant_leak", "cord_pulled", "defects", "off_spec", "gas_leak",
    "fire", "door_blocked", "energy_peak",
]  # fmt: skip
"""Faults of the process. Those of devices and sensors are in `world.py`."""

Values = Mapping[str, float]
"""Point name -> value in the point's unit."""


class Model(Protocol):
    """The physics of one machine.

    Attributes:
        SEES: full names of points of other devices that act on this machine.
    """

    SEES: ClassVar[tuple[str, ...]]

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        """What the registers show `dt` seconds later.

        Args:
            given: what they hold now, by short name; and what `SEES` names, by full name, where the plant has it.
        """


def approach(value: float, target: float, dt: float, tau: float) -> float:
    """First-order lag: `value` after `dt` seconds on its way to `target` with time constant `tau` [s]."""
    return target + (value - target) * math.exp(-dt / tau)


def travel(value: float, target: float, dt: float, seconds: float) -> float:
    """At even speed: `value` after `dt` seconds on its way to `target`, when the way from 0 to 1 takes `seconds`."""
    return min(value + dt / seconds, target) if value < target else max(value - dt / seconds, target)
