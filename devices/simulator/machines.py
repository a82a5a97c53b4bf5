"""The press with its drive, and the cooling loop with its supply. Pure: time and noise come as arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from devices.simulator.physics import Scripted, Values, approach, travel

SPILL_BAR = 20.0
"""What is left in the hydraulics with the relief valve open."""
RUNAWAY_BAR = 262.0
"""Where the pressure goes when the pump's regulator has failed."""
CYCLE_S = 8.0
STROKE_MM = 400.0

NOMINAL_RPM = 1480.0
HEALTHY_K, WORN_K = 12.0, 60.0
"""By how much the drive's bearing is warmer than the hall at nominal speed."""

NOMINAL_FLOW = 125.0
"""l/min with the valve open, like the recorded testbed."""
CAVITATES_ABOVE = 0.7
"""Share of the nominal speed: slower, the suction pressure suffices even with a clogged strainer."""

FULL_PERCENT, BRIM_PERCENT, DRY_PERCENT = 80.0, 95.0, 5.0
"""Level of the reservoir: where the float valve keeps it, where it overflows, where the pump draws air."""
TRICKLE, MAKE_UP, LEAK, DRIP = 1.0, 5.0, 3.0, 0.5
"""%/s: float valve, make-up valve, a leak under the pump's pressure and one without."""


@dataclass
class Press:
    """Hydraulic press: pressure [bar] follows the setpoint in a cycle of a stroke and a pause.

    With the relief valve open it falls to `SPILL_BAR` within a second, whatever the fault, and the press stops. The
    slower its drive, the longer a cycle takes.
    """

    SEES: ClassVar[tuple[str, ...]] = ("drive.speed",)
    cycle_s: float = 0.0
    pressure: float = 130.0
    temperature: float = 45.0

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        running = not given.get("relief_valve")
        if running:
            self.cycle_s = (self.cycle_s + dt * given.get("drive.speed", NOMINAL_RPM) / NOMINAL_RPM) % CYCLE_S
        stroke = max(0.0, math.sin(2 * math.pi * self.cycle_s / CYCLE_S))
        setpoint = given.get("pressure_setpoint", 180.0)
        if not running:
            self.pressure = approach(self.pressure, min(SPILL_BAR, setpoint), dt, 0.2)
        elif "overpressure" in faults:
            self.pressure = approach(self.pressure, RUNAWAY_BAR, dt, 1.0)
        else:
            self.pressure = approach(self.pressure, setpoint * (0.7 + 0.28 * stroke), dt, 0.3)
        self.temperature = approach(self.temperature, 46.0 if running else 38.0, dt, 300.0)
        return {
            "pressure": max(0.0, self.pressure + noise.gauss(0, 0.3)),
            "temperature": self.temperature + noise.gauss(0, 0.15),
            "vibration": abs((1.2 + 1.5 * stroke if running else 0.2) + noise.gauss(0, 0.1)),
            "position": STROKE_MM * stroke + abs(noise.gauss(0, 0.05)),
            "running": float(running),
        }


@dataclass
class Drive:
    """Motor of the press: its speed follows the setpoint, its bearing heats with the speed, much more when worn."""

    SEES: ClassVar[tuple[str, ...]] = ()
    speed: float = NOMINAL_RPM
    bearing: float = 40.0 + HEALTHY_K

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        self.speed = approach(self.speed, given.get("speed_setpoint", NOMINAL_RPM), dt, 1.0)
        warmer = WORN_K if "bearing_wear" in faults else HEALTHY_K
        self.bearing = approach(self.bearing, 40.0 + warmer * self.speed / NOMINAL_RPM, dt, 4.0)
        return {
            "bearing_temperature": self.bearing + noise.gauss(0, 0.2),
            "speed": max(0.0, self.speed + noise.gauss(0, 2.0)),
        }


@dataclass
class Cooling:
    """Pump loop in the magnitudes of the recorded testbed: everything follows the pump's speed and the inlet valve.

    With the fault it cavitates above `CAVITATES_ABOVE`; on an empty reservoir at any speed.
    """

    SEES: ClassVar[tuple[str, ...]] = ("supply.pump_speed", "supply.level")
    speed: float = 1.0
    cavitation: float = 0.0
    motor: float = 90.0
    fluid: float = 27.0

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        asked = given.get("supply.pump_speed", 100.0) / 100
        self.speed = approach(self.speed, asked if given.get("pump", 1.0) else 0.0, dt, 1.0)
        opening = min(1.0, max(0.0, given.get("inlet_valve", 100.0) / 100)) ** 0.6
        dry = given.get("supply.level", FULL_PERCENT) < DRY_PERCENT and self.speed > 0.2
        bubbles = dry or ("cavitation" in faults and self.speed > CAVITATES_ABOVE)
        self.cavitation = approach(self.cavitation, float(bubbles), dt, 1.5)
        speed, gas = self.speed, self.cavitation
        flow = NOMINAL_FLOW * speed * opening * (1 - 0.6 * gas)
        self.motor = approach(self.motor, 25 + 65 * speed + 12 * gas, dt, 180.0)
        self.fluid = approach(self.fluid, 27 + 8 * speed * (1 - flow / NOMINAL_FLOW), dt, 120.0)
        shake = 1 + 3 * gas
        return {
            "accelerometer1": abs(0.01 + speed * (0.19 + 0.8 * gas) + noise.gauss(0, 0.0015 * shake)),
            "accelerometer2": abs(0.01 + speed * (0.26 + 1.0 * gas) + noise.gauss(0, 0.0015 * shake)),
            "current": max(0.0, speed * (1.5 + 0.9 * opening) * (1 - 0.3 * gas) + noise.gauss(0, 0.3 * speed)),
            "pressure": speed * (0.12 + 0.8 * (1 - opening) - 1.2 * gas) + noise.gauss(0, 0.2 * speed + 0.01),
            "temperature": self.motor + noise.gauss(0, 0.25),
            "thermocouple": self.fluid + noise.gauss(0, 0.03),
            "voltage": max(0.0, 230 + noise.gauss(0, 8)),
            "flow": max(0.0, flow + noise.gauss(0, 0.5 * speed + 0.02)),
        }


@dataclass
class Supply:
    """Reservoir of the cooling loop: a leak empties it, most while the pump runs, and the make-up valve fills it."""

    SEES: ClassVar[tuple[str, ...]] = ("cooling.pump",)
    level: float = FULL_PERCENT

    def step(self, given: Values, faults: frozenset[Scripted], dt: float, noise: Random) -> dict[str, float]:
        leaks = "coolant_leak" in faults
        if given.get("make_up"):
            self.level = min(self.level + MAKE_UP * dt, BRIM_PERCENT)
        elif not leaks:
            self.level = 100 * travel(self.level / 100, FULL_PERCENT / 100, dt, 100 / TRICKLE)
        if leaks:
            self.level = max(0.0, self.level - (LEAK if given.get("cooling.pump", 1.0) else DRIP) * dt)
        return {"level": max(0.0, self.level + noise.gauss(0, 0.1)), "drip_pan": float(leaks)}
