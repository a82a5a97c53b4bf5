"""A simulated plant never reaches a real device, and a real one is where the points file says, whatever was left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from andon.up import choose_devices
from config.instance import Instance, MqttAddress
from devices.modbus import NoAnswerError
from devices.plant import Area, Device, Modbus, Plant, Point, Register, Writable
from edge import field as fields
from edge.field import NOWHERE, FieldDevice
from edge.main import _fields as fields_of
from events.readings import Quality


class Listener:
    """Stands where a device may be; counts who comes, answers nothing."""

    def __init__(self) -> None:
        self.callers = 0

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._called, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _called(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        writer.close()


@pytest.fixture
async def real() -> AsyncIterator[Listener]:
    """What answers at the configured address: a real device."""
    async with Listener() as listener:
        yield listener


@pytest.fixture
async def simulated() -> AsyncIterator[Listener]:
    async with Listener() as listener:
        yield listener


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(home=tmp_path, plant=tmp_path, kafka="", database_url="", mqtt=MqttAddress(host="", port=0))


VALVE = Point(
    point="valve", register=Register(table="coil", address=0, type="bool"), writable=Writable(range=(0, 1))
)


def field_of(instance: Instance, real: Listener) -> FieldDevice:
    """The press as an edge that starts now sees it."""
    press = Device(
        device="press", area="shop/press", edge="edge-1", modbus=Modbus(port=real.port, timeout="200ms"),
        points=[VALVE, Point(point="pressure", register=Register(table="input", address=0))],
    )
    plant = Plant("shop", 60.0, {"shop/press": Area(area="shop/press")}, [], {"press": press})
    return fields_of(plant, "edge-1", instance)["press"]


def say_where(instance: Instance, **devices: Listener) -> None:
    instance.simulator_file.write_text(json.dumps({name: ["127.0.0.1", d.port] for name, d in devices.items()}))


async def use(field: FieldDevice) -> None:
    """All that an edge does to a device."""
    await field.look_again()
    await field.scan()
    for asked in (field.write(VALVE, 1), field.read(VALVE)):
        with pytest.raises(NoAnswerError):
            await asked


@pytest.mark.parametrize("left", ["", "{", "{}", '{"cooling": ["127.0.0.1", 1]}', '{"press": 5}'])
async def test_a_simulated_device_that_the_simulator_does_not_name_is_not_asked_at_all(
    left: str, instance: Instance, real: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "WAIT_FOR_SIMULATOR_S", 0.2)
    choose_devices(instance, simulated=True)
    if left:
        instance.simulator_file.write_text(left)
    field = field_of(instance, real)
    await field.settle()
    values, qualities = await field.scan()
    assert np.isnan(values).all() and values.shape == (2,)
    assert qualities.tolist() == [Quality.NO_ANSWER] * 2
    assert field.reason == NOWHERE
    with pytest.raises(NoAnswerError, match="the real one is not asked") as refused:
        await field.write(VALVE, 1)
    assert (refused.value.device, refused.value.point, refused.value.code) == ("press", "valve", None)
    await use(field)
    await field.close()
    assert real.callers == 0


async def test_a_simulated_device_is_asked_once_the_simulator_says_where_it_is(
    instance: Instance, real: Listener, simulated: Listener
) -> None:
    choose_devices(instance, simulated=True)
    field = field_of(instance, real)
    settling = asyncio.create_task(field.settle())
    await asyncio.sleep(0)
    say_where(instance, press=simulated)
    await settling
    await use(field)
    await field.close()
    assert simulated.callers >= 3
    assert real.callers == 0


async def test_a_simulator_that_stops_leaves_nobody_to_ask(
    instance: Instance, real: Listener, simulated: Listener
) -> None:
    choose_devices(instance, simulated=True)
    say_where(instance, press=simulated)
    field = field_of(instance, real)
    await field.scan()
    instance.simulator_file.unlink()
    await field.look_again()
    before = simulated.callers
    await use(field)
    assert (simulated.callers, real.callers) == (before, 0)
    assert before > 0


async def test_an_edge_that_began_simulated_stays_so_when_the_mark_goes(instance: Instance, real: Listener) -> None:
    choose_devices(instance, simulated=True)
    field = field_of(instance, real)
    instance.simulated_mark.unlink()
    await use(field)
    assert real.callers == 0


async def test_a_real_device_is_asked_at_its_configured_address_whatever_a_simulator_wrote(
    instance: Instance, real: Listener, simulated: Listener
) -> None:
    say_where(instance, press=simulated)
    field = field_of(instance, real)
    await field.look_again()
    await use(field)
    await field.close()
    assert real.callers >= 3
    assert simulated.callers == 0


async def test_a_real_device_is_not_waited_for(instance: Instance, real: Listener) -> None:
    field = field_of(instance, real)
    async with asyncio.timeout(0.05):
        await field.settle()
    assert real.callers == 0


@pytest.mark.parametrize("before", [True, False])
def test_up_marks_a_simulated_plant_and_forgets_old_addresses(before: bool, instance: Instance) -> None:
    choose_devices(instance, simulated=before)
    instance.simulator_file.write_text('{"press": ["127.0.0.1", 1]}')
    choose_devices(instance, simulated=True)
    assert instance.simulated
    assert not instance.simulator_file.exists()


@pytest.mark.parametrize("before", [True, False])
def test_up_without_the_simulator_removes_the_mark_and_its_addresses(before: bool, instance: Instance) -> None:
    choose_devices(instance, simulated=before)
    instance.simulator_file.write_text('{"press": ["127.0.0.1", 1]}')
    choose_devices(instance, simulated=False)
    assert list(instance.home.iterdir()) == []
