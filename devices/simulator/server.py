"""One simulated device on its own Modbus TCP port.

pymodbus does transport, framing and PDUs. The registers are ours (`Memory`), because the simulator must say when each
changed; and requests of a connection are answered one after the other, each with its own transaction number: pymodbus
gives an answer that was delayed the number of the newest request, which a client would take for that one's answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import MaskWriteRegisterRequest
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from devices.plant import Table
from devices.simulator.world import Simulated

_TABLES: dict[int, Table] = {
    1: "coil", 5: "coil", 15: "coil", 2: "discrete", 3: "holding", 6: "holding", 16: "holding", 22: "holding",
    23: "holding", 4: "input",
}
_WRITES = (5, 6, 15, 16, 22, 23)


class DeviceServer(ModbusTcpServer):
    """Raises RuntimeError from `serve_forever` when the address is taken."""

    def __init__(self, simulated: Simulated, host: str, port: int) -> None:
        placeholder = SimDevice(simulated.unit, SimData(0, datatype=DataType.REGISTERS))
        super().__init__(placeholder, address=(host, port))
        self.simulated = simulated

    @property
    def port(self) -> int:
        """Where it listens: the port that was given out if 0 was asked for."""
        return int(cast(asyncio.Server, self.transport).sockets[0].getsockname()[1])

    def callback_new_connection(self) -> ServerRequestHandler:
        return _Connection(self)


class _Connection(ServerRequestHandler):
    def __init__(self, owner: DeviceServer) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            owner, owner.trace_packet, owner.trace_pdu, owner.trace_connect
        )
        self._simulated = owner.simulated
        self._turn = asyncio.Lock()
        self._answers: set[asyncio.Task[None]] = set()

    def handle_later(self) -> None:
        """Called by pymodbus once per request, before it reads more."""
        if self.last_pdu is None:
            return
        task = self.loop.create_task(self._answer(self.last_pdu, self.last_addr))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, request: ModbusPDU, address: Any) -> None:
        async with self._turn:
            behaviour = self._simulated.behaviour
            if behaviour.mode == "silent":
                return
            reply = await self._do(request, behaviour.mode)
            if behaviour.mode == "delay":
                await asyncio.sleep(behaviour.seconds)
            reply.transaction_id, reply.dev_id = request.transaction_id, request.dev_id
            if self.is_active():
                self.server_send(reply, address)  # type: ignore[no-untyped-call]

    async def _do(self, request: ModbusPDU, mode: str) -> ModbusPDU:
        """Carry the request out, or refuse it."""
        code = request.function_code
        if request.dev_id != self._simulated.unit:
            return ExceptionResponse(code, ExcCodes.GATEWAY_NO_RESPONSE)
        if code not in _TABLES:
            return ExceptionResponse(code, ExcCodes.ILLEGAL_FUNCTION)
        mask = 0xFFFF & ~request.and_mask if isinstance(request, MaskWriteRegisterRequest) else 0xFFFF
        if mode == "exception":
            if code in _WRITES:
                self._simulated.memory.written(_TABLES[code], request.address, max(1, request.count), mask)
            return ExceptionResponse(code, ExcCodes.DEVICE_BUSY)
        registers = _Registers(self._simulated, mask, effect=mode != "no_effect")
        return await request.datastore_update(cast(Any, registers), request.dev_id)


class _Registers:
    """What a request's `datastore_update` reads and writes: the registers, for the length of that request."""

    def __init__(self, simulated: Simulated, mask: int, *, effect: bool) -> None:
        self._simulated, self._mask, self._effect = simulated, mask, effect
        self._echo: list[int] | None = None

    async def async_getValues(self, unit: int, code: int, address: int, count: int = 1) -> list[int] | ExcCodes:
        if self._echo is not None:
            return self._echo[:count]
        words = self._simulated.memory.read(_TABLES[code], address, count)
        return ExcCodes.ILLEGAL_ADDRESS if words is None else words

    async def async_setValues(self, unit: int, code: int, address: int, values: list[int]) -> ExcCodes | None:
        table, memory = _TABLES[code], self._simulated.memory
        if memory.read(table, address, len(values)) is None:
            return ExcCodes.ILLEGAL_ADDRESS
        memory.written(table, address, len(values), self._mask)
        if self._effect:
            memory.store(table, address, [int(v) for v in values])
        else:
            self._echo = [int(v) for v in values]
        return None
