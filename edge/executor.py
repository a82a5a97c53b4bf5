"""The executor: the only one that writes to devices. Each command once, checked, remembered, read back, answered.

A value that the register already has is written all the same: the command's author asked for a write, and what the
last scan showed may be old. Interlock and precondition are checked on what the devices say at that moment, last of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from config import duration
from devices.modbus import DeviceError
from devices.plant import Device, Point
from edge.asking import Asking, NotKnownError
from edge.commands import agrees, expired, locked_out, refusal
from edge.field import Session
from edge.memory import Known, Memory
from events.devices import CommandFailed, CommandOutcome, CommandRefused, CommandSucceeded
from events.envelope import Event
from events.playbooks import CommandIssued, LockOutIssued

READ_BACK_PAUSE_S = 0.02
_log = structlog.get_logger("edge.executor")

Remembered = Callable[[], None]
"""Called once it cannot be lost any more: its sender may forget it."""


class Executor:
    """Commands of one device are done in order, devices beside each other.

    Attributes: answered: called with each reply, once it is on disk (the brain at home listens). done: counts outcomes.
    """

    def __init__(
        self, devices: Mapping[str, Device], sessions: Mapping[str, Session], memory: Memory, *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.answered: Callable[[Event], None] = lambda reply: None
        self.done = {"succeeded": 0, "failed": 0, "refused": 0}
        self.memory = memory
        self._devices, self._sessions, self._clock = devices, sessions, clock
        self._asking = Asking(devices, sessions)
        self._queues: dict[str, asyncio.Queue[tuple[Event, CommandIssued]]] = {
            name: asyncio.Queue() for name in sessions
        }
        self._unknown: asyncio.Queue[tuple[Event, CommandIssued]] = asyncio.Queue()
        self._locks: asyncio.Queue[tuple[LockOutIssued, Remembered]] = asyncio.Queue()
        self._writing: dict[str, asyncio.Timeout] = {}
        self._locking = asyncio.Lock()
        """Held while a lock-out or a release is on its way to the disk: a command that came after it waits for it."""

    def submit(self, issued: Event) -> None:
        """Take a command that is in the memory already, in the loop's thread.

        Raises:
            TypeError: the event is no `CommandIssued`.
        """
        if not isinstance(command := issued.fact, CommandIssued):
            raise TypeError(f"{type(command).__name__} is no command")
        self._queues.get(command.device, self._unknown).put_nowait((issued, command))

    def receive(self, issued: Event, remembered: Remembered) -> None:
        """As `submit`, and have it remembered: what waits for a silent device does not hold up at the broker what comes
        after it, a lock-out least of all."""
        self.submit(issued)
        self.memory.note(issued, remembered)

    def lock_out(self, issued: Event, remembered: Remembered = lambda: None) -> None:
        """Take a lock-out or its end, in the loop's thread. Commands that wait already are refused by it, too.

        Raises:
            TypeError: the event is no `LockOutIssued`.
        """
        if not isinstance(fact := issued.fact, LockOutIssued):
            raise TypeError(f"{type(fact).__name__} is no lock-out")
        if fact.reason:
            self.hold(fact)
        self._locks.put_nowait((fact, remembered))

    def hold(self, fact: LockOutIssued) -> None:
        """From here on the intent holds in this process, also for a write that still waits for the device's answer:
        maintenance has begun, and a device that comes back must not be moved by it."""
        self.memory.locked(fact)
        if fact.device in self.memory.locked_out and (writing := self._writing.get(fact.device)) is not None:
            writing.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """For ever, until cancelled. What a crash interrupted is answered first."""
        interrupted: dict[str, list[Known]] = {}
        for known in self.memory.unanswered():
            assert isinstance(known.issued.fact, CommandIssued)
            if known.began is None:
                self.submit(known.issued)
            else:
                interrupted.setdefault(known.issued.fact.device, []).append(known)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lock())
            group.create_task(self._work(self._unknown, []))
            for device, waiting in self._queues.items():
                group.create_task(self._work(waiting, interrupted.pop(device, [])))
            for left in interrupted.values():  # of a device that is no longer in the plant
                for known in left:
                    await self._resume(known)

    async def _work(self, waiting: asyncio.Queue[tuple[Event, CommandIssued]], interrupted: list[Known]) -> None:
        for known in interrupted:
            await self._resume(known)
        while True:
            await self.execute(*await waiting.get())

    async def _lock(self) -> None:
        while True:
            fact, remembered = await self._locks.get()
            async with self._locking:
                before = self.memory.locked_out.get(fact.device)
                await self.memory.lock_out(fact)
            if fact.reason or before:
                _log.warning("device_locked_out" if fact.reason else "device_released", device=fact.device,
                             reason=fact.reason)
            remembered()

    async def execute(self, issued: Event, command: CommandIssued) -> None:
        """One command, from the checks to its reply."""
        known = self.memory.recall(command.command)
        if known is not None and (known.outcome is not None or known.began is not None):
            if known.outcome is not None:
                await self.memory.repeat(known.outcome)
            return
        async with self._locking:
            now = self._clock()
            before = self.memory.last_written.get(command.point)
            locked = self.memory.locked_out.get(command.device)
            reason = refusal(command, self._devices, now=now, last_written=before, locked=locked)
        if reason is not None:
            await self._settle(issued, command, self._refused(command, reason))
        elif command.kind == "read":
            await self._settle(issued, command, await self._read(command))
        else:
            await self.memory.begin(issued, command, now)
            outcome = await self._write(command)
            if isinstance(outcome, CommandRefused):
                self.memory.not_written(command.point, before)
            await self._settle(issued, command, outcome)

    async def _read(self, command: CommandIssued) -> CommandOutcome:
        """What the device says now. Asking again does no harm: a crash on the way leaves the command as it was."""
        try:
            async with asyncio.timeout(self._left_s(command)):
                value = await self._asking.value(command.point)
        except NotKnownError as error:
            return self._failed(command, error.reason)
        except TimeoutError:
            return self._failed(command, f"no answer before it expired at {command.not_after.isoformat()}")
        return self._succeeded(command, value, value, self._clock())

    async def _write(self, command: CommandIssued) -> CommandOutcome:
        """Check at the device, write once, then read until the register shows the value or the point's time is over."""
        session, point = self._sessions[command.device], self._point(command)
        trouble, begun = "", False
        try:
            async with asyncio.timeout(self._left_s(command)) as limit:  # waiting for its turn must not make it late
                self._writing[command.device] = limit
                reason = self._hindered(command) or await self._forbidden(command, point) or self._hindered(command)
                if reason is not None:
                    return self._refused(command, reason)
                begun = True
                await session.write(point, command.value)
        except TimeoutError:
            if not begun:
                return self._refused(command, self._hindered(command) or "late: it expired while devices were asked")
            locked = self.memory.locked_out.get(command.device)
            why = "expired" if locked is None else locked_out(command.device, locked)
            trouble = f"{why} while it was being written"
        except DeviceError as error:
            if error.code is not None:  # the device itself says that it did not
                return self._failed(command, error.reason)
            trouble = error.reason
        finally:
            self._writing.pop(command.device, None)
        written = self._clock()
        read, reason = await self._read_back(session, point, command)
        if read is not None:
            return self._succeeded(command, command.value, read, written)
        return self._failed(command, "; ".join(filter(None, (trouble, reason))))

    def _hindered(self, command: CommandIssued) -> str | None:
        """Late, or locked out: this process may have been paused, or maintenance begun, since the first checks."""
        if (late := expired(command, self._clock())) is not None:
            return late
        locked = self.memory.locked_out.get(command.device)
        return None if locked is None else locked_out(command.device, locked)

    async def _forbidden(self, command: CommandIssued, point: Point) -> str | None:
        """Which check does not let it be written, as the devices are now; None when it may be."""
        interlock = point.writable.interlock if point.writable else ""
        for name, text in (("interlock", interlock), ("precondition", command.precondition)):
            if text and (reason := await self._asking.why_not(text)) is not None:
                return f"{name}: {reason}"
        return None

    def _left_s(self, command: CommandIssued) -> float:
        return max(0.0, (command.not_after - self._clock()).total_seconds())

    async def _read_back(self, session: Session, point: Point, command: CommandIssued) -> tuple[float | None, str]:
        """The value that agrees, else None and why."""
        loop = asyncio.get_running_loop()
        within = point.writable.read_back_within if point.writable else "0s"
        end = loop.time() + duration.seconds(within)
        while True:
            try:
                read = await session.read(point)
            except DeviceError as error:
                reason = f"not read back: {error.reason}"
            else:
                if agrees(point, command.value, read, command.tolerance):
                    return read, ""
                reason = f"the register shows {read:g}, not {command.value:g}, {within} after the write"
            if loop.time() >= end:
                return None, reason
            await asyncio.sleep(READ_BACK_PAUSE_S)

    async def _resume(self, known: Known) -> None:
        """A command that the process died over: it is never written again, only looked at."""
        command = known.issued.fact
        assert isinstance(command, CommandIssued)
        outcome: CommandOutcome = self._failed(command, "interrupted: the edge stopped before it was confirmed")
        device = self._devices.get(command.device)
        if device is not None and command.device in self._sessions and (point := device.point(command.point)):
            read, reason = await self._read_back(self._sessions[command.device], point, command)
            if read is not None:
                outcome = self._succeeded(command, command.value, read, known.began or known.issued.at)
            else:
                outcome = self._failed(command, f"interrupted: the edge stopped before it was confirmed; {reason}")
        _log.warning("command_interrupted", command=str(command.command), point=command.point,
                     outcome=type(outcome).__name__)
        await self._settle(known.issued, command, outcome)

    def _point(self, command: CommandIssued) -> Point:
        point = self._devices[command.device].point(command.point)
        assert point is not None  # `refusal` saw to it
        return point

    def _succeeded(self, command: CommandIssued, value: float, read: float, written: datetime) -> CommandSucceeded:
        return CommandSucceeded(
            command=command.command, device=command.device, point=command.point, value=value, read_back=read,
            written_at=written, confirmed_at=self._clock(),
        )

    @staticmethod
    def _failed(command: CommandIssued, reason: str) -> CommandFailed:
        return CommandFailed(command=command.command, device=command.device, point=command.point, reason=reason)

    @staticmethod
    def _refused(command: CommandIssued, reason: str) -> CommandRefused:
        return CommandRefused(command=command.command, device=command.device, point=command.point, reason=reason)

    async def _settle(self, issued: Event, command: CommandIssued, outcome: CommandOutcome) -> None:
        reply = await self.memory.settle(issued, command, outcome, self._clock())
        match outcome:
            case CommandSucceeded():
                self.done["succeeded"] += 1
            case CommandFailed(reason=reason):
                self.done["failed"] += 1
                _log.warning("command_failed", command=str(command.command), point=command.point, reason=reason)
            case CommandRefused(reason=reason):
                self.done["refused"] += 1
                _log.warning("command_refused", command=str(command.command), point=command.point, reason=reason)
        self.answered(reply)
