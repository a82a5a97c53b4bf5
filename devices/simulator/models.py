"""Which physics a device of the example plant has, by its name, and what is written to it before the first step.

What a model says about points that the device does not have is ignored, and a device without a model holds what is
written to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from devices.simulator.hall import Energy, Hall
from devices.simulator.line import Diverter, Line
from devices.simulator.machines import NOMINAL_RPM, Cooling, Drive, Press, Supply
from devices.simulator.physics import Model, Values

MODELS: Mapping[str, Callable[[], Model]] = {
    "press": Press, "drive": Drive, "cooling": Cooling, "supply": Supply, "diverter": Diverter, "line": Line,
    "hall": Hall, "energy": Energy,
}  # fmt: skip
INITIAL: Mapping[str, Values] = {
    "press": {"pressure_setpoint": 180.0, "running": 1.0},
    "press_light": {"green": 1.0},
    "drive": {"speed_setpoint": NOMINAL_RPM},
    "cooling": {"inlet_valve": 100.0, "pump": 1.0},
    "supply": {"pump_speed": 100.0},
    "diverter": {"belt_speed": 12.0},
    "line": {"conveyor": 1.0, "batch": 1042.0},
    "energy": {"compressor": 1.0, "heater": 1.0},
}
