"""The points files: what is wrong with them is said with file, line and column, and takes no other device with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.plant import Limit, load_plant

PLANT = """\
plant: shop
areas: [{area: shop/press}, {area: shop/hall}]
"""
GATE = """\
device: gate
area: shop/hall
edge: edge-1
class: door
max_commands: {count: 10, per: 1min}
modbus: {port: 5021}
points:
  - {point: closed, states: {'no': 0, 'yes': 1}, register: {table: discrete, address: 0, type: bool}}
"""
FAR = """\
device: far
area: shop/hall
edge: edge-2
modbus: {port: 5022}
points:
  - {point: level, register: {table: input, address: 0}}
"""
PRESS = """\
device: press
area: shop/press
edge: edge-1
modbus: {port: 5020}
points:
  - {point: pressure, unit: bar, register: {table: input, address: 0, type: float32}}
  - point: valve
    register: {table: coil, address: 0, type: bool}
    writable:
      range: [0, 1]
      interlock: INTERLOCK
"""


def plant_with(folder: Path, interlock: str, **files: str):
    (folder / "points").mkdir()
    (folder / "plant.yaml").write_text(PLANT)
    files = {"gate": GATE, "far": FAR, "press": PRESS.replace("INTERLOCK", interlock)} | files
    for name, text in files.items():
        (folder / "points" / f"{name}.yaml").write_text(text)
    return load_plant(folder)


def test_a_device_has_a_class_and_a_limit_of_commands_and_a_point_an_interlock_across_devices(tmp_path: Path) -> None:
    plant, errors = plant_with(tmp_path, "gate.closed == 'yes' && press.pressure < 100[bar]")
    assert errors == []
    assert plant.devices["gate"].class_ == "door"
    assert plant.devices["gate"].max_commands == Limit(count=10, per="1min")
    valve = plant.devices["press"].point("press.valve")
    assert valve is not None and valve.writable is not None
    assert valve.writable.interlock == "gate.closed == 'yes' && press.pressure < 100[bar]"


@pytest.mark.parametrize(
    ("interlock", "place", "reason"),
    [
        ("gate.closd == 1", "11:18", "unknown name 'gate.closd', did you mean 'gate.closed'?"),
        ("gate.closed == 'shut'", "11:33", "unknown state 'shut', there are no, yes"),
        ("press.pressure < 100[kPa]", "11:33", "bar is compared with kPa"),
        ("press.pressure", "11:18", "this is a number, needed is true or false"),
        ("gate.closed = 1", "11:30", "'=' is not expected here, compare with =="),
        ("mean(press.pressure, 10s) < 1", "11:18", "mean(press.pressure, 10s): a device is asked once"),
        ("far.level > 1", "11:18", "'far.level' cannot be asked for: the edge that writes does not read it"),
        ("1 < 2", "11:18", "it names no point"),
    ],
)
def test_an_interlock_that_cannot_be_checked_is_named_and_its_device_is_read_on(
    tmp_path: Path, interlock: str, place: str, reason: str
) -> None:
    plant, (error,) = plant_with(tmp_path, interlock)
    assert str(error).startswith(f"points/press.yaml:{place}: {reason}")
    assert set(plant.devices) == {"press", "gate", "far"}


def test_a_file_that_cannot_be_used_is_the_one_that_is_named_not_those_whose_interlocks_need_it(tmp_path: Path) -> None:
    wrong = GATE.replace("area: shop/hall", "area: nowhere")
    plant, (error,) = plant_with(tmp_path, "gate.closed == 'yes'", gate=wrong)
    assert error.file == "points/gate.yaml"
    assert set(plant.devices) == {"press", "far"}


@pytest.mark.parametrize(
    ("wrong", "place", "reason"),
    [
        ("class: fire door", "4:8", "class 'fire door' is no name"),
        ("max_commands: {count: 0, per: 1min}", "5:23", "at least 1"),
        ("max_commands: {count: 3, per: soon}", "5:31", "'soon'"),
        ("max_commands: {count: 3}", "5:15", "max_commands: Object missing required field `per`"),
    ],
)
def test_a_wrong_class_or_limit_leaves_the_file_out(tmp_path: Path, wrong: str, place: str, reason: str) -> None:
    lines = [wrong if line.split(":")[0] == wrong.split(":")[0] else line for line in GATE.splitlines()]
    plant, errors = plant_with(tmp_path, "press.pressure < 100", gate="\n".join(lines))
    assert "gate" not in plant.devices
    (error,) = errors
    assert reason in error.reason
    assert str(error).startswith(f"points/gate.yaml:{place}: ")
