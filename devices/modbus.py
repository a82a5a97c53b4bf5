"""A session with one Modbus TCP device: scans its points, writes and reads single ones.

Every request is sent once: whether to try again is decided above, where it is known what a second write would do.
After a request without an answer the connection is closed, so that a late answer is never taken for the next one's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from config import duration
from devices import registers
from devices.plant import Device, Modbus, Point, Table
from devices.registers import Block
from events.readings import Qualities, Quality, Values

MAX_GAP = 8
"""Unused registers worth reading to save a request."""

_EXCEPTIONS: dict[int, str] = {
    ExcCodes.ILLEGAL_FUNCTION: "illegal function", ExcCodes.ILLEGAL_ADDRESS: "illegal address",
    ExcCodes.ILLEGAL_VALUE: "illegal value", ExcCodes.DEVICE_FAILURE: "device failure",
    ExcCodes.ACKNOWLEDGE: "acknowledged, not done yet", ExcCodes.DEVICE_BUSY: "device busy",
    ExcCodes.NEGATIVE_ACKNOWLEDGE: "negative acknowledge", ExcCodes.MEMORY_PARITY_ERROR: "memory parity error",
    ExcCodes.GATEWAY_PATH_UNAVIABLE: "gateway path unavailable", ExcCodes.GATEWAY_NO_RESPONSE: "gateway has no answer",
}


class DeviceError(Exception):
    """A read or write of one point failed. Whether a write took effect is unknown unless `code` is set or nothing
    was sent; read the point to know.

    Attributes:
        device, point: names. reason: for people. code: the device's exception code, None if it gave none.
    """

    def __init__(self, device: str, point: str, reason: str, code: int | None = None) -> None:
        super().__init__(f"{device}.{point}: {reason}" if point else f"{device}: {reason}")
        self.device, self.point, self.reason, self.code = device, point, reason, code


class NoAnswerError(DeviceError):
    """Nothing came back: no connection, or no answer in time."""


class ModbusSession:
    """One device. Connects when first needed and again whenever the connection is gone; the caller sets the pace.

    Attributes:
        device: as configured; its `names` are the columns of a scan.
        reason: why the last scan was not complete, "" if it was.
    """

    def __init__(self, device: Device, host: str, port: int) -> None:
        if device.modbus is None:
            raise ValueError(f"device '{device.device}' is no Modbus device")
        self.device = device
        self.reason = ""
        self._modbus: Modbus = device.modbus
        self._address = (host, port)
        self._timeout_s = duration.seconds(device.modbus.timeout)
        self._blocks = list(registers.plan(device.points, range(len(device.points)), MAX_GAP))
        self._client: AsyncModbusTcpClient | None = None
        self._request = asyncio.Lock()
        self._bits = asyncio.Lock()
        self._masks = True

    async def scan(self) -> tuple[Values, Qualities]:
        """Read every point: (m,) float64 values and (m,) uint8 qualities, columns as `device.names`.

        Never raises for what the device does: an exception reply makes its block's points BAD; no answer makes the
        block's points and those not yet asked for NO_ANSWER (the silent block is asked last from then on, so it
        cannot hide the others). Not finite: BAD and NaN. Outside `range`: BAD, with the value.
        """
        m = len(self.device.points)
        values: Values = np.full(m, np.nan)
        qualities: Qualities = np.full(m, Quality.NO_ANSWER, np.uint8)
        reason = ""
        todo = list(self._blocks)
        while todo:
            block = todo.pop(0)
            try:
                words = await self._read(block.table, block.address, block.count)
            except NoAnswerError as error:
                reason = error.reason
                self._blocks.sort(key=lambda other: other is block)
                break
            except DeviceError as error:
                if error.code == ExcCodes.ILLEGAL_ADDRESS and (parts := self._without_gaps(block)):
                    todo = [*parts, *todo]
                    continue
                reason = error.reason
                qualities[list(block.columns)] = Quality.BAD
                continue
            for column in block.columns:
                values[column], qualities[column] = self._judge(words, block, self.device.points[column])
        self.reason = reason
        return values, qualities

    async def read(self, point: Point) -> float:
        """The value of one point now [its unit], whatever its `range` says.

        Raises:
            DeviceError: no answer, an exception reply, or not a finite number.
        """
        register = registers.register_of(point)
        try:
            words = await self._read(register.table, register.address, register.count)
        except DeviceError as error:
            raise type(error)(self.device.device, point.point, error.reason, error.code) from None
        value = registers.decode(words, point)
        if not np.isfinite(value):
            raise DeviceError(self.device.device, point.point, f"the register holds {value}")
        return value

    async def write(self, point: Point, value: float) -> None:
        """Write one point, once. The reply says that the device took the request, not that it acted: read it back.

        Raises:
            DeviceError: the register cannot hold the value (nothing was sent), no answer, or an exception reply.
        """
        register = registers.register_of(point)
        try:
            words = registers.encode(value, point)
            match register.table, register.bit:
                case "coil", _:
                    await self._ask(lambda c, u: c.write_coil(register.address, bool(words[0]), device_id=u))
                case "holding", int(bit):
                    await self._write_bit(register.address, bit, bool(words[0]))
                case "holding", None if len(words) == 1:
                    await self._ask(lambda c, u: c.write_register(register.address, words[0], device_id=u))
                case "holding", None:
                    await self._ask(lambda c, u: c.write_registers(register.address, words, device_id=u))
                case _:
                    raise DeviceError(self.device.device, point.point, f"table '{register.table}' is read-only")
        except registers.NotRepresentableError as error:
            raise DeviceError(self.device.device, point.point, str(error)) from None
        except DeviceError as error:
            raise type(error)(self.device.device, point.point, error.reason, error.code) from None

    async def close(self) -> None:
        """Leave the device; a later request connects again."""
        self._drop()

    async def _write_bit(self, address: int, bit: int, on: bool) -> None:
        """One bit of a holding register, its neighbours untouched: in one request where the device can (0x16)."""
        async with self._bits:
            if self._masks:
                try:
                    await self._ask(lambda c, u: c.mask_write_register(
                        address=address, and_mask=0xFFFF & ~(1 << bit), or_mask=int(on) << bit, device_id=u))
                    return
                except DeviceError as error:
                    if error.code != ExcCodes.ILLEGAL_FUNCTION:
                        raise
                    self._masks = False
            (word,) = await self._read("holding", address, 1)
            word = registers.with_bit(word, bit, on)
            await self._ask(lambda c, u: c.write_register(address, word, device_id=u))

    async def _read(self, table: Table, address: int, count: int) -> Sequence[int]:
        """(count,) words, or bits as 0 and 1.

        Raises:
            DeviceError: no answer, an exception reply, or too short a reply.
        """
        match table:
            case "coil":
                reply = await self._ask(lambda c, u: c.read_coils(address, count=count, device_id=u))
            case "discrete":
                reply = await self._ask(lambda c, u: c.read_discrete_inputs(address, count=count, device_id=u))
            case "holding":
                reply = await self._ask(lambda c, u: c.read_holding_registers(address, count=count, device_id=u))
            case "input":
                reply = await self._ask(lambda c, u: c.read_input_registers(address, count=count, device_id=u))
        words = [int(b) for b in reply.bits] if table in ("coil", "discrete") else reply.registers
        if len(words) < count:
            raise DeviceError(self.device.device, "", f"asked for {count} from {table} {address}, got {len(words)}")
        return words[:count]  # bits come in whole bytes

    async def _ask(self, request: Callable[[AsyncModbusTcpClient, int], Awaitable[ModbusPDU]]) -> ModbusPDU:
        """One request, one reply.

        Raises:
            NoAnswerError: no connection, or silence. DeviceError: an exception reply (`code` is set).
        """
        async with self._request:
            try:
                reply = await request(await self._connected(), self._modbus.unit)
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    # Python 3.11's wait_for, in pymodbus, loses it when the answer comes in the same moment
                    raise asyncio.CancelledError
            except DeviceError:
                raise
            except ModbusException:
                self._drop()
                raise NoAnswerError(self.device.device, "", f"no answer within {self._timeout_s:g} s") from None
            except BaseException:
                self._drop()  # cancelled half-way: what comes back now belongs to nobody
                raise
        if reply.isError():
            code = reply.exception_code
            meaning = _EXCEPTIONS.get(code, "of the device's own")
            raise DeviceError(self.device.device, "", f"exception reply {code}, {meaning}", code)
        return reply

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self._drop()
        host, port = self._address
        # reconnect_delay=0: no background reconnects beside ours; retries=0: see the module docstring
        client = AsyncModbusTcpClient(host, port=port, name=self.device.device, timeout=self._timeout_s,
                                      retries=0, reconnect_delay=0)
        if not await client.connect():
            client.close()
            raise NoAnswerError(self.device.device, "", f"no connection to {host}:{port}")
        self._client = client
        return client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _without_gaps(self, block: Block) -> tuple[Block, ...]:
        """The block's points in blocks without unused registers, () if that is the block itself; kept for good.

        The device may refuse a block only for the unused registers that we asked for to save a request.
        """
        parts = registers.plan(self.device.points, block.columns, 0)
        if len(parts) < 2 or block not in self._blocks:
            return ()
        at = self._blocks.index(block)
        self._blocks[at : at + 1] = parts
        return parts

    @staticmethod
    def _judge(words: Sequence[int], block: Block, point: Point) -> tuple[float, Quality]:
        register = registers.register_of(point)
        at = register.address - block.address
        value = registers.decode(words[at : at + register.count], point)
        if not np.isfinite(value):
            return np.nan, Quality.BAD
        if point.range and not point.range[0] <= value <= point.range[1]:
            return value, Quality.BAD
        return value, Quality.GOOD
