"""The Modbus session against real servers on loopback: the simulator, and a pymodbus server with limits of its own."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from devices import registers
from devices.modbus import DeviceError, ModbusSession, NoAnswerError
from devices.plant import Device, Modbus, Plant, Point, Register, load_plant
from devices.simulator.main import Simulation, simulate
from events.readings import Quality

PLANT, _ = load_plant(Path(__file__).parents[2] / "examples" / "press-shop")
TIMEOUT_S = 0.5


def everything() -> Plant:
    """A device with every type, order and table, and gaps."""
    points, address = [], 0
    for type_ in ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"):
        for order in ("big", "little"):
            for table in ("holding", "input"):
                register = Register(table=table, address=address, type=type_, word_order=order)  # type: ignore[arg-type]
                points.append(Point(point=f"{type_}_{order}_{table}", register=register))
            address += register.count + (3 if order == "little" else 0)
    for i, table in enumerate(("coil", "discrete", "coil")):
        points.append(Point(point=f"bit{i}", register=Register(table=table, address=19 * i, type="bool")))  # type: ignore[arg-type]
    device = Device(device="all", area="a", edge="e", modbus=Modbus(unit=7, timeout="500ms"), points=points)
    return Plant("p", 60.0, {}, [], {"all": device})


def session(simulation: Simulation, name: str, plant: Plant = PLANT) -> ModbusSession:
    return ModbusSession(plant.devices[name], *simulation.addresses[name])


def point(full: str) -> Point:
    return PLANT.points[full][1]


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    async with simulate(PLANT, lambda _: 0, 0) as running:
        yield running


async def test_a_scan_reads_every_type_order_and_table() -> None:
    plant = everything()
    async with simulate(plant, lambda _: 0, 0) as running:
        memory = running.world.devices["all"].memory
        wanted = []
        for i, p in enumerate(plant.devices["all"].points):
            value = float(i % 2) if p.point.startswith("bit") else float(100 + i)
            memory.put(p.point, value)
            wanted.append(value)
        it = session(running, "all", plant)
        values, qualities = await it.scan()
        assert values.tolist() == wanted
        assert (qualities == Quality.GOOD).all()
        # gaps were refused once and are left out from then on; nothing else is known of that device
        assert [b for b in it._blocks if registers.plan(plant.devices["all"].points, b.columns, 0) != (b,)] == []
        for p in plant.devices["all"].points:
            if registers.register_of(p).table in ("holding", "coil"):
                await it.write(p, 1)
                assert await it.read(p) == 1.0, p.point
        await it.close()


async def test_the_whole_example_plant_is_good_in_few_requests(simulation: Simulation) -> None:
    for name in simulation.addresses:
        it = session(simulation, name)
        values, qualities = await it.scan()
        assert (qualities == Quality.GOOD).all(), name
        assert np.isfinite(values).all()
        assert len(it._blocks) == len({registers.register_of(p).table for p in PLANT.devices[name].points})
        await it.close()


async def test_a_write_is_seen_by_the_device_and_read_back(simulation: Simulation) -> None:
    press, cooling = session(simulation, "press"), session(simulation, "cooling")
    await press.write(point("press.relief_valve"), 1)
    await press.write(point("press.pressure_setpoint"), 123.5)
    await cooling.write(point("cooling.inlet_valve"), 33.3)
    assert await press.read(point("press.relief_valve")) == 1
    assert await press.read(point("press.pressure_setpoint")) == 123.5
    assert await cooling.read(point("cooling.inlet_valve")) == pytest.approx(33.3)
    assert simulation.world.devices["press"].memory.writes["relief_valve"] == 1
    assert [v for _, v in simulation.world.devices["press"].memory.changes["relief_valve"]] == [1.0]
    await press.close()
    await cooling.close()


async def test_values_that_do_not_fit_or_may_not_be_written_are_refused_before_anything_is_sent(
    simulation: Simulation,
) -> None:
    cooling = session(simulation, "cooling")
    for name, value in (("inlet_valve", -1.0), ("inlet_valve", math.nan), ("pump", 0.5), ("flow", 1.0)):
        with pytest.raises(DeviceError) as refused:
            await cooling.write(point(f"cooling.{name}"), value)
        assert (refused.value.device, refused.value.point) == ("cooling", name)
        assert simulation.world.devices["cooling"].memory.writes[name] == 0
    await cooling.close()


async def test_an_exception_reply_is_bad_and_says_why(simulation: Simulation) -> None:
    press = session(simulation, "press")
    simulation.world.behave("press", "exception", 0)
    values, qualities = await press.scan()
    assert (qualities == Quality.BAD).all()
    assert np.isnan(values).all()
    assert "device busy" in press.reason
    with pytest.raises(DeviceError, match=r"press\.relief_valve: exception reply 6") as refused:
        await press.write(point("press.relief_valve"), 1)
    assert refused.value.code == ExcCodes.DEVICE_BUSY
    simulation.world.behave("press", "normal", 0)
    assert (await press.scan())[1].tolist() == [0] * 7
    assert press.reason == ""
    await press.close()


async def test_silence_is_no_answer_in_one_timeout_and_then_the_device_is_back(simulation: Simulation) -> None:
    press = session(simulation, "press")
    await press.scan()
    simulation.world.behave("press", "silent", 0)
    began = time.monotonic()
    values, qualities = await press.scan()
    assert time.monotonic() - began < TIMEOUT_S * 1.8, "the blocks must not wait one after the other"
    assert (qualities == Quality.NO_ANSWER).all()
    assert np.isnan(values).all()
    with pytest.raises(NoAnswerError, match="no answer within"):
        await press.write(point("press.relief_valve"), 1)
    simulation.world.behave("press", "normal", 0)
    assert (await press.scan())[1].tolist() == [0] * 7
    assert await press.read(point("press.relief_valve")) == 0, "what a silent device was sent never took effect"
    await press.close()


async def test_a_late_answer_is_never_taken_for_the_next_one() -> None:
    """pymodbus' own server gives a delayed answer the transaction number of the newest request."""
    slow = 0.0

    async def late(code: int, start: int, at: int, count: int, regs: list[int], new: object) -> None:
        await asyncio.sleep(slow if at == 0 else 0.1)

    words = [SimData(0, 1, 111, DataType.REGISTERS), SimData(1, 1, 222, DataType.REGISTERS)]
    server = ModbusTcpServer(SimDevice(1, words, action=late), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    one, two = (Point(point=f"p{a}", register=Register(table="holding", address=a)) for a in (0, 1))
    device = Device(device="d", area="a", edge="e", modbus=Modbus(timeout="200ms"), points=[one, two])
    it = ModbusSession(device, *server.transport.sockets[0].getsockname())  # type: ignore[attr-defined]
    slow = 0.25
    with pytest.raises(NoAnswerError):
        await it.read(one)
    assert await it.read(two) == 222, "after a request that timed out"
    slow = 0.1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.read(one), 0.05)
    assert await it.read(two) == 222, "after a request that was cancelled"
    await it.close()
    await server.shutdown()


async def test_requests_of_a_connection_are_answered_in_order_with_their_own_numbers(simulation: Simulation) -> None:
    reader, writer = await asyncio.open_connection(*simulation.addresses["press"])

    def ask(number: int, address: int) -> None:  # read one coil or holding register, by function code
        writer.write(struct.pack(">HHHBBHH", number, 0, 6, 1, 1 if address == 0 else 3, 0, 1))

    simulation.world.behave("press", "delay", 0.15)
    ask(41, 0)
    await asyncio.sleep(0.05)
    simulation.world.behave("press", "normal", 0)
    ask(42, 1)
    answers = []
    for _ in range(2):
        number, _, length = struct.unpack(">HHH", await reader.readexactly(6))
        answers.append((number, (await reader.readexactly(length))[1]))
    assert answers == [(41, 1), (42, 3)]
    writer.close()


async def test_a_write_without_effect_succeeds_and_only_the_read_back_finds_it(simulation: Simulation) -> None:
    for full, value in (("press.relief_valve", 1), ("press.pressure_setpoint", 50), ("diverter.gate", 1),
                        ("diverter.belt_speed", 3)):
        device = full.partition(".")[0]
        simulation.world.behave(device, "no_effect", 0)
        it = session(simulation, device)
        before = await it.read(point(full))
        await it.write(point(full), value)
        assert await it.read(point(full)) == before
        assert simulation.world.devices[device].memory.writes[full.partition(".")[2]] == 1
        await it.close()


async def test_nan_from_the_device_is_bad_and_out_of_range_is_bad_with_its_value(simulation: Simulation) -> None:
    press = session(simulation, "press")
    simulation.world.hold({"press.pressure": math.nan, "press.temperature": 222.0, "press.vibration": math.nan})
    values, qualities = await press.scan()
    assert qualities.tolist() == [Quality.BAD, Quality.BAD, Quality.BAD, 0, 0, 0, 0]
    assert np.isnan(values[0])
    assert values[1] == pytest.approx(222)
    with pytest.raises(DeviceError, match="nan"):
        await press.read(point("press.pressure"))
    await press.close()


async def test_nobody_listening_is_no_answer_and_the_session_connects_when_somebody_does() -> None:
    async with simulate(PLANT, lambda _: 0, 0) as first:
        _, port = first.addresses["press"]
        press = session(first, "press")
        assert (await press.scan())[1].tolist() == [0] * 7
    for _ in range(2):
        assert ((await press.scan())[1] == Quality.NO_ANSWER).all()
        assert "no connection" in press.reason or "no answer" in press.reason
    order = list(first.addresses)
    async with simulate(PLANT, lambda i: port if order[i] == "press" else 0, 0):
        assert (await press.scan())[1].tolist() == [0] * 7
    await press.close()


async def test_a_wrong_unit_is_an_exception_reply(simulation: Simulation) -> None:
    device = PLANT.devices["press"]
    wrong = Device(device="press", area=device.area, edge="e", modbus=Modbus(unit=9), points=device.points)
    it = ModbusSession(wrong, *simulation.addresses["press"])
    assert ((await it.scan())[1] == Quality.BAD).all()
    await it.close()


async def test_bits_of_one_register_written_side_by_side_do_not_disturb_each_other() -> None:
    bits = [Point(point=f"b{i}", register=Register(table="holding", address=4, type="bool", bit=i)) for i in range(16)]
    device = Device(device="bits", area="a", edge="e", modbus=Modbus(), points=bits)
    async with simulate(Plant("p", 60.0, {}, [], {"bits": device}), lambda _: 0, 0) as running:
        it = ModbusSession(device, *running.addresses["bits"])
        await asyncio.gather(*(it.write(b, i % 3 == 0) for i, b in enumerate(bits)))
        assert (await it.scan())[0].tolist() == [float(i % 3 == 0) for i in range(16)]
        assert running.world.devices["bits"].memory.writes == {f"b{i}": 1 for i in range(16)}
        await it.close()


async def test_without_mask_write_a_bit_is_read_modified_and_written() -> None:
    refused = []

    async def no_mask(code: int, start: int, at: int, count: int, regs: list[int], new: object) -> ExcCodes | None:
        if code == 22:
            refused.append(at)
            return ExcCodes.ILLEGAL_FUNCTION
        return None

    server = ModbusTcpServer(SimDevice(1, [SimData(0, 8, 0b1010, DataType.REGISTERS)], action=no_mask),
                             address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    bits = [Point(point=f"b{i}", register=Register(table="holding", address=4, type="bool", bit=i)) for i in range(4)]
    device = Device(device="old", area="a", edge="e", modbus=Modbus(), points=bits)
    it = ModbusSession(device, *server.transport.sockets[0].getsockname())  # type: ignore[attr-defined]
    await asyncio.gather(it.write(bits[0], 1), it.write(bits[1], 0))
    assert (await it.scan())[0].tolist() == [1, 0, 0, 1]
    assert len(refused) == 1, "asked once, then known"
    await it.close()
    await server.shutdown()


async def test_only_the_block_with_an_exception_reply_is_bad(simulation: Simulation) -> None:
    extra = Point(point="missing", register=Register(table="holding", address=500, type="uint16"))
    device = PLANT.devices["press"]
    wider = Device(device="press", area=device.area, edge="e", modbus=device.modbus, points=[*device.points, extra])
    it = ModbusSession(wider, *simulation.addresses["press"])
    assert (await it.scan())[1].tolist() == [0] * 7 + [Quality.BAD]
    assert "illegal address" in it.reason
    await it.close()


async def test_a_block_that_never_answers_cannot_hide_the_others() -> None:
    async def deaf(code: int, start: int, at: int, count: int, regs: list[int], new: object) -> None:
        if at == 0:
            await asyncio.sleep(1)

    held = SimDevice(1, [SimData(0, 100, 5, DataType.REGISTERS)], action=deaf)
    server = ModbusTcpServer(held, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    points = [Point(point=f"p{a}", register=Register(table="holding", address=a)) for a in (0, 40, 80)]
    device = Device(device="d", area="a", edge="e", modbus=Modbus(timeout="200ms"), points=points)
    it = ModbusSession(device, *server.transport.sockets[0].getsockname())  # type: ignore[attr-defined]
    assert (await it.scan())[1].tolist() == [Quality.NO_ANSWER] * 3
    assert (await it.scan())[1].tolist() == [Quality.NO_ANSWER, 0, 0]
    assert (await it.scan())[1].tolist() == [Quality.NO_ANSWER, 0, 0]
    await it.close()
    await server.shutdown()
