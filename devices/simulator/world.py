"""All simulated devices together: registers, physics, faults, held values, behaviours. No I/O, no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

from devices.plant import Device, Plant
from devices.simulator.memory import Memory
from devices.simulator.models import INITIAL, MODELS
from devices.simulator.physics import Model, Scripted

Mode = Literal["normal", "exception", "delay", "silent", "no_effect"]
MODES: tuple[str, ...] = get_args(Mode)
SCRIPTED: tuple[Scripted, ...] = get_args(Scripted)
FAULTS = ("none", "normal", *SCRIPTED, "stuck_sensor", "silent")


class ControlError(ValueError):
    """A control request cannot be done; nothing was changed. Say it to whoever asked."""


@dataclass(frozen=True)
class Behaviour:
    """How a device answers Modbus requests.

    Attributes:
        mode: exception: refuses everything with code 6, device busy; delay: acts at once, answers `seconds` late;
            silent: takes no notice of requests; no_effect: says yes to writes and does nothing.
    """

    mode: Mode = "normal"
    seconds: float = 0.0


@dataclass
class Simulated:
    """One device.

    Attributes:
        held: points (short names) that the physics does not move; stuck: those that a fault holds.
    """

    device: Device
    unit: int
    memory: Memory
    model: Model | None
    behaviour: Behaviour = Behaviour()
    held: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)


class World:
    """The Modbus devices of a plant.

    Attributes:
        devices: by name, in the order of the plant's files.
    """

    def __init__(self, plant: Plant, now: Callable[[], int], noise: Random) -> None:
        """`now` gives microseconds since the epoch; `noise` is seeded by the caller."""
        self._noise = noise
        self._faults: frozenset[Scripted] = frozenset()
        self.devices: dict[str, Simulated] = {}
        for name, device in plant.devices.items():
            if device.modbus is None:
                continue
            make = MODELS.get(name)
            memory = Memory(device, now)
            self.devices[name] = Simulated(device, device.modbus.unit, memory, make() if make else None)
            for point, value in INITIAL.get(name, {}).items():
                if point in memory.changes:
                    memory.put(point, value)

    def step(self, dt: float) -> None:
        """Move the physics on by `dt` seconds."""
        for simulated in self.devices.values():
            if simulated.model is None:
                continue
            memory = simulated.memory
            given = {p: memory.get(p) for p in memory.changes} | self._seen(simulated.model)
            for point, value in simulated.model.step(given, self._faults, dt, self._noise).items():
                if point in memory.changes and point not in simulated.held and point not in simulated.stuck:
                    memory.put(point, value)

    def _seen(self, model: Model) -> dict[str, float]:
        """What other devices of this plant hold now, of that which the model looks at."""
        seen: dict[str, float] = {}
        for full in model.SEES:
            device, _, point = full.partition(".")
            if device in self.devices and point in (memory := self.devices[device].memory).changes:
                seen[full] = memory.get(point)
        return seen

    def find(self, full: str) -> tuple[Simulated, str]:
        """The device and short name of "press.pressure".

        Raises:
            ControlError: there is no such point.
        """
        name, _, point = full.partition(".")
        if name not in self.devices or point not in self.devices[name].memory.changes:
            raise ControlError(f"unknown point '{full}'")
        return self.devices[name], point

    def hold(self, values: Mapping[str, float]) -> None:
        """Put these points at these values and keep the physics off them; all or none.

        Raises:
            ControlError: an unknown point. NotRepresentableError: a register cannot hold its value.
        """
        found = [(*self.find(full), value) for full, value in values.items()]
        for simulated, point, value in found:
            simulated.memory.encode(point, value)
        for simulated, point, value in found:
            simulated.held.add(point)
            simulated.memory.put(point, value)

    def release(self, points: list[str]) -> None:
        """Let the physics move these points again; none named: all that `hold` holds.

        Raises:
            ControlError: an unknown point.
        """
        for simulated, point in [self.find(full) for full in points]:
            simulated.held.discard(point)
        if not points:
            for simulated in self.devices.values():
                simulated.held.clear()

    def start_fault(self, fault: str, point: str = "", device: str = "") -> None:
        """Faults add up; "none" ends all faults, held values and behaviours. What was commanded stays.

        Raises:
            ControlError: unknown fault, point or device.
        """
        match fault:
            case "none" | "normal":
                self._faults = frozenset()
                for simulated in self.devices.values():
                    simulated.held.clear()
                    simulated.stuck.clear()
                    simulated.behaviour = Behaviour()
            case "stuck_sensor":
                stuck, name = self.find(point)
                stuck.stuck.add(name)
            case "silent":
                self.behave(device, "silent", 0.0)
            case _:
                known = next((f for f in SCRIPTED if f == fault), None)
                if known is None:
                    raise ControlError(f"unknown fault '{fault}', there are {', '.join(FAULTS)}")
                self._faults |= {known}

    def behave(self, device: str, mode: str, seconds: float) -> None:
        """How the device answers from now on.

        Raises:
            ControlError: unknown device or mode, or a delay that is none.
        """
        if device not in self.devices:
            raise ControlError(f"unknown device '{device}', there are {', '.join(self.devices)}")
        if mode not in MODES:
            raise ControlError(f"unknown mode '{mode}', there are {', '.join(MODES)}")
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ControlError(f"seconds: {seconds} is no delay")
        self.devices[device].behaviour = Behaviour(next(m for m in get_args(Mode) if m == mode), seconds)
