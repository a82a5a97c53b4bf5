"""The hall: its air, its fire door, and the power it draws. Pure: time and noise come as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from devices.simulator.physics import Scripted, Values, approach, travel

CLEAN_PPM, LEAK_PPM = 3.0, 160.0
"""Carbon monoxide in the hall, and where it goes with a leak."""
VENTED = 0.1
"""What the fan at full speed leaves of it."""
FAN_PERCENT = 100.0
DOOR_S = 2.0
"""So long the fire door takes to close."""

BASE_KW, COMPRESSOR_KW, HEATER_KW, PEAK_KW = 130.0, 45.0, 60.0, 100.0


@dataclass
class Hall:
    """Gas rises with a leak and falls with the fan, smoke rises with a fire; the door follows its command unless
    something stands in it."""

    SEES: ClassVar[tuple[str, ...]] = ()
    gas: float = CLEAN_PPM
    smoke: float = 0.0
    fan: float = 0.0
    door: float = 0.0

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        self.fan = approach(self.fan, 1.0 if given.get("fan") else 0.0, dt, 1.0)
        source = LEAK_PPM if "gas_leak" in faults else CLEAN_PPM
        self.gas = approach(self.gas, source * (1 - (1 - VENTED) * self.fan), dt, 10 / (1 + 2 * self.fan))
        self.smoke = approach(self.smoke, 8.0 if "fire" in faults else 0.05, dt, 5.0)
        if "door_blocked" not in faults:
            self.door = travel(self.door, given.get("fire_door", 0.0), dt, DOOR_S)
        return {
            "gas": max(0.0, self.gas + noise.gauss(0, 0.4)),
            "smoke": max(0.0, self.smoke + noise.gauss(0, 0.01)),
            "fan_speed": FAN_PERCENT * self.fan,
            "fire_door_position": float(self.door >= 1),
        }


@dataclass
class Energy:
    """Power of the hall: what always runs, two loads that can be shed, and a furnace that nobody announced."""

    SEES: ClassVar[tuple[str, ...]] = ()
    power: float = BASE_KW + COMPRESSOR_KW + HEATER_KW

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        loads = COMPRESSOR_KW * given.get("compressor", 1.0) + HEATER_KW * given.get("heater", 1.0)
        drawn = BASE_KW + loads + (PEAK_KW if "energy_peak" in faults else 0.0)
        self.power = approach(self.power, drawn, dt, 0.8)
        return {"power": self.power + noise.gauss(0, 1.5)}
