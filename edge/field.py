"""The field device as poller and executor see it, at the address where it is now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from devices.modbus import ModbusSession, NoAnswerError
from devices.plant import Device, Point
from events.readings import Qualities, Quality, Values

WAIT_FOR_SIMULATOR_S = 5.0
NOWHERE = "the simulator does not say where it is, and the real one is not asked"


class Session(Protocol):
    """One device. See `devices.modbus.ModbusSession`, the only one so far (OPC UA is to come)."""

    @property
    def reason(self) -> str:
        """Why the last scan was not complete."""

    async def scan(self) -> tuple[Values, Qualities]: ...

    async def write(self, point: Point, value: float) -> None: ...

    async def read(self, point: Point) -> float: ...

    async def look_again(self) -> None:
        """Move to the address where the device is now. Called while it does not answer."""

    async def close(self) -> None: ...


class FieldDevice:
    """A Modbus device: the real one, or the one that a simulator says it listens for in `simulator.json`.

    Which of both is settled when it is made, for good. A simulated one is never looked for at the configured address:
    a real device may be there, and a command of the simulated plant would move it.
    """

    def __init__(self, device: Device, simulator: Path | None) -> None:
        """Args: simulator: the file with the simulator's addresses; None for the real device."""
        if device.modbus is None:
            raise ValueError(f"device '{device.device}' has no Modbus address")
        self.device = device
        self._configured = (device.modbus.host, device.modbus.port)
        self._simulator = simulator
        self._address = self._find()
        self._session = self._at(self._address)

    @property
    def reason(self) -> str:
        return NOWHERE if self._session is None else self._session.reason

    async def scan(self) -> tuple[Values, Qualities]:
        if self._session is None:
            m = len(self.device.points)
            return np.full(m, np.nan), np.full(m, Quality.NO_ANSWER, np.uint8)
        return await self._session.scan()

    async def write(self, point: Point, value: float) -> None:
        await self._there(point).write(point, value)

    async def read(self, point: Point) -> float:
        return await self._there(point).read(point)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def look_again(self) -> None:
        if (address := self._find()) != self._address:
            old, self._address, self._session = self._session, address, self._at(address)
            if old is not None:
                await old.close()

    async def settle(self) -> None:
        """Give a simulator that starts beside us a moment to say where the device is; a real one is where it is."""
        for _ in range(int(WAIT_FOR_SIMULATOR_S / 0.1)):
            await self.look_again()
            if self._address is not None:
                break
            await asyncio.sleep(0.1)

    def _there(self, point: Point) -> ModbusSession:
        if self._session is None:
            raise NoAnswerError(self.device.device, point.point, NOWHERE)
        return self._session

    def _at(self, address: tuple[str, int] | None) -> ModbusSession | None:
        return None if address is None else ModbusSession(self.device, *address)

    def _find(self) -> tuple[str, int] | None:
        """Where the device is now; None: nowhere."""
        if self._simulator is None:
            return self._configured
        try:
            addresses = msgspec.json.decode(self._simulator.read_bytes(), type=dict[str, tuple[str, int]])
        except (OSError, msgspec.DecodeError):  # absent, or just being written by hand
            return None
        return addresses.get(self.device.device)
