"""The poller of one device: scans at its pace, journals each scan as a frame, says when the device is lost or back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import numpy as np
import structlog
from msgspec import Struct

from config import duration
from devices.plant import Device
from edge.field import Session
from edge.journal import Journal
from edge.transaction import Transaction
from events import codec
from events.devices import DeviceLost, DeviceReturned
from events.envelope import Event, Reported, event
from events.readings import Frame, Qualities, Quality, Values
from events.types import from_micros

FAILED_SCANS = 3
HEARTBEAT_S = 1.0
"""A device that does not answer has a frame that says so this often."""
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 5.0
_log = structlog.get_logger("edge.poller")


class Silence(Struct, frozen=True):
    """What is kept of a device over a restart. Attributes: lost; since: time of the last answer [micros], 0: never."""

    lost: bool = False
    since: int = 0


_decode_silence = msgspec.msgpack.Decoder(Silence).decode


class Poller:
    """Attributes:
    failed: scans without an answer in a row. silence: whether the device is lost, and since when.
    late: scans skipped because the one before took too long. scans: done so far.
    """

    def __init__(
        self, device: Device, session: Session, journal: Journal, *, seen: Callable[[Frame], None] = lambda frame: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000, phase: float = 0.0,
    ) -> None:
        """phase: where in its period the first scan lies, 0 to 1; devices that share one are always asked at once."""
        if device.modbus is None:
            raise ValueError(f"device '{device.device}' is not polled")
        self.device, self.failed, self.late, self.scans = device, 0, 0, 0
        self._key = f"device {device.device}"
        kept = journal.state(self._key)
        self.silence = _decode_silence(kept) if kept else Silence()
        self._period = max(duration.seconds(device.modbus.every), 0.001)
        self._session, self._journal, self._seen, self._clock = session, journal, seen, clock
        self._names, self._phase = device.names, phase
        self._newest = 0

    async def run(self) -> None:
        """For ever, until cancelled. Scans keep to a raster: no drift; what is late is left out, not made up for."""
        loop = asyncio.get_running_loop()
        due, pause = loop.time() + self._phase * self._period, _FIRST_PAUSE_S
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            answered = await self._scan()
            due += self._period
            if answered or self.failed < FAILED_SCANS:
                pause = _FIRST_PAUSE_S
                if (behind := loop.time() - due) > 0:
                    skipped = int(behind / self._period) + 1
                    self.late += skipped
                    due += skipped * self._period
            else:
                await self._wait(pause)
                due, pause = loop.time(), min(_LAST_PAUSE_S, 2 * pause)

    async def _scan(self) -> bool:
        """One scan; whether the device answered. While it is silent, its frames go on saying so."""
        at = self._clock()
        scan = asyncio.ensure_future(self._session.scan())
        try:
            while self.failed and not (await asyncio.wait({scan}, timeout=self._until_heartbeat()))[0]:
                await self._journal_silence()
            values, qualities = await scan
        finally:
            scan.cancel()
        self.scans += 1
        if (qualities != Quality.NO_ANSWER).any():
            await self._record(at, values, qualities, self._returned(at))
            self.failed = 0
            return True
        self.failed += 1
        await self._record(at, values, qualities, self._lost())
        if self.failed >= FAILED_SCANS:
            await self._session.look_again()
        return False

    async def _wait(self, seconds: float) -> None:
        """Let a dead device rest, not its frames."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            await asyncio.sleep(min(left, self._until_heartbeat()))
            if self._until_heartbeat() <= 0.001:
                await self._journal_silence()

    def _until_heartbeat(self) -> float:
        return max(0.001, self._newest / 1e6 + HEARTBEAT_S - self._clock() / 1e6)

    async def _journal_silence(self) -> None:
        m = len(self._names)
        await self._record(self._clock(), np.full(m, np.nan), np.full(m, Quality.NO_ANSWER, np.uint8), None)

    def _lost(self) -> DeviceLost | None:
        if self.failed < FAILED_SCANS or self.silence.lost:
            return None
        reason = self._session.reason or "no answer"
        _log.warning("device_lost", device=self.device.device, reason=reason)
        return DeviceLost(device=self.device.device, reason=f"{reason} ({self.failed} scans)")

    def _returned(self, at: int) -> DeviceReturned | None:
        since, was_lost = self.silence.since, self.silence.lost
        self.silence = Silence(since=at)
        if not was_lost:
            return None
        silent_s = max(0.0, (at - since) / 1e6) if since else 0.0
        _log.info("device_returned", device=self.device.device, silent_s=silent_s)
        return DeviceReturned(device=self.device.device, silent_s=silent_s)

    async def _record(
        self, at: int, values: Values, qualities: Qualities, fact: DeviceLost | DeviceReturned | None
    ) -> None:
        """Journal one scan, and the fact that it proves, together."""
        at = self._newest = max(at, self._newest + 1)  # a scan that hung is older than the frames that say so
        if isinstance(fact, DeviceLost):
            self.silence = Silence(lost=True, since=self.silence.since or at)
        kept = msgspec.msgpack.encode(self.silence)

        def operation(t: Transaction) -> Frame:
            frame = Frame(
                area=self.device.area, device=self.device.device, source=t.source, sequence=t.next, points=self._names,
                times=np.array([at]), values=values.reshape(1, -1), qualities=qualities.reshape(1, -1),
            )
            t.append("frame", lambda source, sequence: codec.encode(frame.pack()))
            if fact is not None:
                told = self._event(fact, at, frame)
                t.append("events", lambda source, sequence: codec.encode(Reported(source, sequence, (told,))))
                t.put(self._key, kept)
            return frame

        self._seen(await asyncio.wrap_future(self._journal.write(operation)))

    def _event(self, fact: DeviceLost | DeviceReturned, at: int, frame: Frame) -> Event:
        author = f"edge {self._journal.edge}"
        return event(fact, at=from_micros(at), area=self.device.area, cause=frame.id, author=author, index=0)
