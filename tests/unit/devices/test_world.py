"""The simulated plant: registers, physics, faults and control requests, without a network or a clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from devices.plant import load_plant
from devices.registers import NotRepresentableError
from devices.simulator import control
from devices.simulator.world import SCRIPTED, ControlError, World

PLANT, ERRORS = load_plant(Path(__file__).parents[3] / "examples" / "press-shop")


class Clock:
    """Microseconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(PLANT, clock, Random(1))


@pytest.fixture
def live(world: World, clock: Clock) -> Callable[[float], None]:
    """Let so many seconds pass, at 20 steps a second."""

    def pass_(seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            clock.now += 50_000
            world.step(0.05)

    return pass_


def value(world: World, point: str) -> float:
    simulated, name = world.find(point)
    return simulated.memory.get(name)


def command(world: World, point: str, to: float) -> None:
    """As a Modbus write does: not a hold."""
    simulated, name = world.find(point)
    simulated.memory.put(name, to)


def test_the_example_plant_loads() -> None:
    assert not ERRORS


def test_a_healthy_plant_stays_in_every_range_and_below_the_pressure_limits(world: World, live: Callable) -> None:
    for _ in range(60 * 5):
        live(0.2)
        for full, (_, point) in PLANT.points.items():
            now = value(world, full)
            assert point.range is None or point.range[0] <= now <= point.range[1], full
        assert 90 < value(world, "press.pressure") < 190
        assert value(world, "cooling.flow") > 115


def test_overpressure_climbs_and_stays_until_the_relief_valve_opens(world: World, live: Callable) -> None:
    world.start_fault("overpressure")
    live(4)
    assert 250 < value(world, "press.pressure") < 270
    live(10)
    assert 250 < value(world, "press.pressure") < 270
    command(world, "press.relief_valve", 1)
    live(1)
    assert value(world, "press.pressure") < 30
    assert value(world, "press.running") == 0
    command(world, "press.relief_valve", 0)
    live(5)
    assert value(world, "press.pressure") > 230, "the fault is still there"
    world.start_fault("none")
    live(3)
    assert value(world, "press.pressure") < 190


def test_cavitation_lowers_flow_and_pressure_and_shakes_the_pump(world: World, live: Callable) -> None:
    live(1)
    before = {p: value(world, f"cooling.{p}") for p in ("flow", "accelerometer1", "accelerometer2")}
    world.start_fault("cavitation")
    live(8)
    assert value(world, "cooling.flow") < 0.5 * before["flow"]
    assert value(world, "cooling.pressure") < -0.2
    assert value(world, "cooling.accelerometer1") > 3 * before["accelerometer1"]
    assert value(world, "cooling.accelerometer2") > 3 * before["accelerometer2"]


def test_a_stopped_pump_moves_no_water_and_a_closing_valve_less(world: World, live: Callable) -> None:
    command(world, "cooling.inlet_valve", 30)
    live(1)
    assert 40 < value(world, "cooling.flow") < 80
    command(world, "cooling.pump", 0)
    live(10)
    assert value(world, "cooling.flow") < 1
    assert value(world, "cooling.current") < 0.1


def test_parts_are_counted_with_the_belt_and_not_without(world: World, live: Callable) -> None:
    command(world, "diverter.belt_speed", 30)
    live(10)
    assert value(world, "diverter.parts") == pytest.approx(10, abs=1)
    command(world, "diverter.belt_speed", 0)
    counted = value(world, "diverter.parts")
    live(5)
    assert value(world, "diverter.parts") == counted


def test_slower_pump_cavitates_no_more(world: World, live: Callable) -> None:
    world.start_fault("cavitation")
    live(8)
    assert value(world, "cooling.accelerometer1") > 0.6
    command(world, "supply.pump_speed", 60)
    live(10)
    assert value(world, "cooling.accelerometer1") < 0.3
    assert value(world, "cooling.flow") == pytest.approx(75, abs=5)


def test_leak_empties_the_reservoir_until_it_is_topped_up_and_the_dry_pump_shakes(world: World, live: Callable) -> None:
    world.start_fault("coolant_leak")
    live(8)
    assert value(world, "supply.level") == pytest.approx(80 - 8 * 3, abs=1)
    assert value(world, "supply.drip_pan") == 1
    command(world, "supply.make_up", 1)
    live(5)
    assert value(world, "supply.level") == pytest.approx(56 + 5 * 2, abs=1)
    command(world, "supply.make_up", 0)
    live(30)
    assert value(world, "supply.level") < 1
    assert value(world, "cooling.accelerometer1") > 0.6
    command(world, "supply.make_up", 1)
    world.start_fault("none")
    live(25)
    assert value(world, "supply.level") == pytest.approx(95, abs=1)
    assert value(world, "cooling.accelerometer1") < 0.3
    assert value(world, "supply.drip_pan") == 0


def test_float_valve_brings_the_level_back_to_where_it_was(world: World, live: Callable) -> None:
    world.start_fault("coolant_leak")
    live(5)
    world.start_fault("none")
    live(16)
    assert value(world, "supply.level") == pytest.approx(80, abs=1)
    live(10)
    assert value(world, "supply.level") == pytest.approx(80, abs=1)


def test_stopped_pump_lets_the_leak_drip(world: World, live: Callable) -> None:
    world.start_fault("coolant_leak")
    command(world, "cooling.pump", 0)
    live(10)
    assert value(world, "supply.level") == pytest.approx(80 - 10 * 0.5, abs=1)


def test_worn_bearing_is_hot_at_full_speed_and_not_at_a_slow_one(world: World, live: Callable) -> None:
    live(5)
    assert value(world, "drive.bearing_temperature") < 55
    world.start_fault("bearing_wear")
    live(20)
    assert value(world, "drive.bearing_temperature") > 95
    command(world, "drive.speed_setpoint", 600)
    live(20)
    assert value(world, "drive.speed") == pytest.approx(600, abs=10)
    assert value(world, "drive.bearing_temperature") < 70


def test_slower_drive_makes_fewer_strokes(world: World, live: Callable) -> None:
    def strokes() -> int:
        seen = []
        for _ in range(60 * 2):
            live(0.5)
            seen.append(value(world, "press.position") > 200)
        return sum(now and not before for before, now in pairwise(seen))

    fast = strokes()
    command(world, "drive.speed_setpoint", 740)
    live(5)
    assert strokes() == pytest.approx(fast / 2, abs=1)


def test_bad_parts_are_rejected_only_when_they_are_diverted(world: World, live: Callable) -> None:
    world.start_fault("defects")
    live(6)
    assert (value(world, "line.camera"), value(world, "line.parts_rejected")) == (1, 0)
    command(world, "diverter.gate", 1)
    live(10)
    assert value(world, "line.parts_rejected") == 4
    world.start_fault("none")
    live(10)
    assert (value(world, "line.camera"), value(world, "line.parts_rejected")) == (0, 4), "good parts are not bad"


def test_batch_out_of_tolerance_is_marked_part_by_part_while_it_is_held(world: World, live: Callable) -> None:
    live(3)
    assert value(world, "line.thickness") == pytest.approx(2.0, abs=0.05)
    world.start_fault("off_spec")
    live(3)
    assert value(world, "line.thickness") == pytest.approx(2.2, abs=0.05)
    assert value(world, "line.parts_held") == 0
    command(world, "line.batch_hold", 1)
    live(10)
    assert value(world, "line.parts_held") == 4


def test_stopped_conveyor_moves_no_part_and_somebody_at_the_cord_stops_nothing_alone(
    world: World, live: Callable
) -> None:
    world.start_fault("cord_pulled")
    live(6)
    assert value(world, "line.andon_cord") == 1
    assert value(world, "diverter.parts") == 2
    command(world, "line.conveyor", 0)
    live(6)
    assert value(world, "diverter.parts") == 2


def test_fan_clears_most_of_the_gas_while_the_leak_is_there(world: World, live: Callable) -> None:
    live(5)
    assert value(world, "hall.gas") < 10
    world.start_fault("gas_leak")
    live(10)
    assert value(world, "hall.gas") > 60
    command(world, "hall.fan", 1)
    live(15)
    assert value(world, "hall.fan_speed") > 95
    assert value(world, "hall.gas") < 25


def test_fire_door_takes_its_time_and_stays_open_when_it_is_blocked(world: World, live: Callable) -> None:
    world.start_fault("fire")
    live(5)
    assert value(world, "hall.smoke") > 3
    command(world, "hall.fire_door", 1)
    live(1)
    assert value(world, "hall.fire_door_position") == 0
    live(1.2)
    assert value(world, "hall.fire_door_position") == 1
    command(world, "hall.fire_door", 0)
    live(3)
    world.start_fault("door_blocked")
    command(world, "hall.fire_door", 1)
    live(10)
    assert value(world, "hall.fire_door_position") == 0


def test_shedding_loads_lowers_the_power(world: World, live: Callable) -> None:
    live(5)
    assert value(world, "energy.power") == pytest.approx(235, abs=6)
    world.start_fault("energy_peak")
    live(5)
    assert value(world, "energy.power") > 320
    command(world, "energy.heater", 0)
    live(5)
    assert value(world, "energy.power") == pytest.approx(275, abs=6)
    command(world, "energy.compressor", 0)
    live(5)
    assert value(world, "energy.power") == pytest.approx(230, abs=6)


@pytest.mark.parametrize("fault", SCRIPTED)
def test_every_scripted_fault_is_taken_over_the_control_port(world: World, fault: str) -> None:
    assert control.answer(world, {"fault": fault}) == {"ok": True}


def test_machines_whose_neighbours_the_plant_does_not_have_run_as_ever(clock: Clock) -> None:
    alone = {name: PLANT.devices[name] for name in ("press", "cooling", "diverter", "line")}
    world = World(structs.replace(PLANT, devices=alone), clock, Random(1))
    for _ in range(200):
        world.step(0.05)
    assert value(world, "cooling.flow") > 115
    assert value(world, "diverter.parts") == 4


def test_a_stuck_sensor_freezes_while_the_process_goes_on(world: World, live: Callable) -> None:
    live(1)
    world.start_fault("stuck_sensor", point="press.pressure")
    stuck = value(world, "press.pressure")
    world.start_fault("overpressure")
    live(4)
    assert value(world, "press.pressure") == stuck
    world.start_fault("none")
    live(0.1)
    assert value(world, "press.pressure") != stuck


def test_held_points_stay_until_released_and_others_move(world: World, live: Callable) -> None:
    world.hold({"cooling.flow": 12.5, "cooling.thermocouple": 31.25})
    live(1)
    assert value(world, "cooling.flow") == 12.5
    assert value(world, "cooling.thermocouple") == pytest.approx(31.25)
    world.release(["cooling.flow"])
    live(0.1)
    assert value(world, "cooling.flow") > 100
    assert value(world, "cooling.thermocouple") == pytest.approx(31.25)
    world.release([])
    live(0.1)
    assert value(world, "cooling.thermocouple") != pytest.approx(31.25, abs=1e-6)


def test_a_set_with_one_wrong_value_changes_nothing(world: World) -> None:
    before = value(world, "cooling.flow")
    with pytest.raises(ControlError):
        world.hold({"cooling.flow": 1.0, "cooling.flaw": 2.0})
    with pytest.raises(NotRepresentableError):
        world.hold({"cooling.flow": 1.0, "cooling.inlet_valve": -3.0})
    assert value(world, "cooling.flow") == before
    assert not world.devices["cooling"].held


def test_the_same_seed_gives_the_same_plant(clock: Clock) -> None:
    one, other = World(PLANT, clock, Random(7)), World(PLANT, clock, Random(7))
    for _ in range(50):
        one.step(0.05)
        other.step(0.05)
    assert [value(one, p) for p in PLANT.points] == [value(other, p) for p in PLANT.points]


def test_history_names_each_change_with_its_microsecond(world: World, clock: Clock) -> None:
    memory = world.devices["diverter"].memory
    for wait, gate in ((1, 1.0), (7, 1.0), (10, 0.0)):
        clock.now += wait
        memory.put("gate", gate)
    start = clock.now - 18
    assert list(memory.changes["gate"]) == [(start + 1, 1.0), (start + 18, 0.0)]
    answer = control.answer(world, {"history": "diverter.gate"})
    assert answer["changes"][0] == ["2023-11-14T22:13:20.000001+00:00", 1.0]


def test_registers_that_no_point_uses_do_not_exist(world: World) -> None:
    memory = world.devices["press"].memory
    assert memory.read("input", 0, 7) is not None
    assert memory.read("input", 0, 8) is None
    assert memory.read("holding", 100, 1) is None


@pytest.mark.parametrize(
    ("request_", "reason"),
    [({"get": "press.presure"}, "unknown point 'press.presure'"),
     ({"set": {"press.pressure": "high"}}, "not understood"),
     ({"set": {"press.pressure": True}}, "not understood"), ({"fault": "earthquake"}, "unknown fault 'earthquake'"),
     ({"fault": "stuck_sensor"}, "unknown point ''"), ({"fault": "silent", "device": "x"}, "unknown device 'x'"),
     ({"behave": {"device": "press", "mode": "odd"}}, "unknown mode 'odd'"), ({}, "not understood"),
     ({"behave": {"device": "press", "mode": "delay", "seconds": -1}}, "no delay")],
)
def test_wrong_requests_are_refused_with_a_reason(world: World, request_: dict, reason: str) -> None:
    with pytest.raises(ControlError, match=reason):
        control.answer(world, request_)


def test_nan_can_be_put_where_the_type_has_it(world: World) -> None:
    world.hold({"press.pressure": math.nan})
    assert math.isnan(value(world, "press.pressure"))
    with pytest.raises(NotRepresentableError):
        world.hold({"press.temperature": math.nan})
