"""The line behind the press: parts pass a camera and a gauge, and at the diverter they leave it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from devices.simulator.physics import Scripted, Values

PART_SPACING_M = 0.5
THICKNESS_MM, OFF_SPEC_MM = 2.0, 2.2


def parts_per_s(belt_speed: float, conveyor: float) -> float:
    """At a belt speed [m/min]; none while the conveyor stands."""
    return belt_speed / 60 / PART_SPACING_M if conveyor else 0.0


@dataclass
class Diverter:
    """Belt that counts parts as they pass; the gate holds what is written."""

    SEES: ClassVar[tuple[str, ...]] = ("line.conveyor",)
    counted: float = 0.0

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        rate = parts_per_s(given.get("belt_speed", 0.0), given.get("line.conveyor", 1.0))
        self.counted = (self.counted + rate * dt) % 2**32
        return {"parts": math.floor(self.counted)}


@dataclass
class Line:
    """Each part is looked at and measured as it passes. A bad one is rejected if the gate diverts it, and each is
    marked as held while the batch is held."""

    SEES: ClassVar[tuple[str, ...]] = ("diverter.belt_speed", "diverter.gate")
    passing: float = 0.0
    defect: bool = False
    thickness: float = THICKNESS_MM
    rejected: int = 0
    held: int = 0

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        self.passing += dt * parts_per_s(given.get("diverter.belt_speed", 12.0), given.get("conveyor", 1.0))
        if self.passing >= 1:
            self.passing -= 1
            self.defect = "defects" in faults
            self.thickness = (OFF_SPEC_MM if "off_spec" in faults else THICKNESS_MM) + noise.gauss(0, 0.01)
            self.rejected += self.defect and given.get("diverter.gate", 0.0) == 1
            self.held += given.get("batch_hold", 0.0) == 1
        return {
            "andon_cord": float("cord_pulled" in faults),
            "camera": float(self.defect),
            "thickness": self.thickness,
            "parts_rejected": self.rejected,
            "parts_held": self.held,
        }
