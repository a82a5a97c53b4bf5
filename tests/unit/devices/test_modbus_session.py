"""A session whose request is given up: whoever cancels it is heard, whatever the library underneath makes of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from pymodbus.pdu.bit_message import ReadCoilsResponse

from devices.modbus import ModbusSession
from devices.plant import Device, Modbus, Point, Register

VALVE = Point(point="valve", register=Register(table="coil", address=0, type="bool"))


class Answering:
    """A client that answers in the very moment in which it is cancelled, as asyncio.wait_for of Python 3.11 lets it."""

    connected = True

    async def read_coils(self, address: int, *, count: int, device_id: int) -> ReadCoilsResponse:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return ReadCoilsResponse(bits=[True] * 8)

    def close(self) -> None:
        self.connected = False


@pytest.fixture
def session() -> ModbusSession:
    device = Device(device="press", area="shop/press", edge="edge-1", modbus=Modbus(), points=[VALVE])
    made = ModbusSession(device, "127.0.0.1", 1)
    made._client = Answering()  # type: ignore[assignment]
    return made


async def test_a_read_that_is_cancelled_while_its_answer_comes_ends_as_cancelled(session: ModbusSession) -> None:
    reading = asyncio.create_task(session.read(VALVE))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert session._client is None, "the next request begins with a connection of its own"


async def test_a_time_limit_ends_a_read_whose_answer_comes_in_that_moment(session: ModbusSession) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await session.read(VALVE)
