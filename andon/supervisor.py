"""Keep programs running: start in order, restart what dies, stop in reverse order and leave nothing behind.

One thread, the main one: the kernel's death signal to a child follows the thread that started it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import structlog

from andon import records
from andon.stack.debian import Say
from andon.stack.errors import StackError
from andon.stack.process import Child, Command, spawn

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
SETTLED_AFTER_S = 30.0
"""A program that lived so long starts again with the first back-off."""
STOP_PROCESSES_S = 7.0
STOP_SERVICES_S = 8.0
_TURN_S = 0.05

log = structlog.get_logger(__name__)


def next_backoff(before_s: float, lived_s: float) -> float:
    """How long to wait before the next start [s], given the wait before and how long the program then lived."""
    if before_s == 0 or lived_s >= SETTLED_AFTER_S:
        return FIRST_BACKOFF_S
    return min(before_s * 2, LONGEST_BACKOFF_S)


@dataclass
class _Unit:
    """One program and what we know of it.

    Invariant: `child` is None exactly while it waits for `start_at` (or has never been started).
    """

    name: str
    begin: Callable[[], Command]
    is_service: bool
    started: float
    started_at: datetime
    child: Child | None = None
    start_at: float = 0.0
    backoff_s: float = 0.0
    restarts: int = 0
    last_exit: int | None = None


def endings() -> tuple[signal.Signals, ...]:
    """The signals that end a plant: SIGTERM, SIGINT, and SIGHUP unless `nohup` has it ignored."""
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *(() if outlives else (signal.SIGHUP,)))


class Supervisor:
    """Runs the units of one home."""

    def __init__(self, home: Path, say: Say = lambda _: None) -> None:
        """`say` receives one line for a person when something dies."""
        self._home, self._say = home, say
        self._units: list[_Unit] = []
        self._stopping = False

    def adopt(self, child: Child, begin: Callable[[], Command]) -> None:
        """Take over a service that was started already; `begin` prepares its next start."""
        unit = _Unit(child.command.name, begin, True, time.monotonic(), datetime.now(UTC), child)
        self._units.append(unit)
        self._record(unit)

    def add(self, command: Command) -> None:
        """Start a process and keep it running."""
        unit = _Unit(command.name, lambda: command, False, time.monotonic(), datetime.now(UTC))
        self._units.append(unit)
        self._start(unit)

    def stop_on_signals(self) -> None:
        """Let the signals of `endings` end `run`; a second one changes nothing, the stop has its own limit."""
        for number in endings():
            signal.signal(number, self._on_signal)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def run(self) -> None:
        """Watch until a signal comes; the caller then calls `stop`."""
        while not self._stopping:
            self.turn(time.monotonic())
            time.sleep(_TURN_S)

    def turn(self, now: float) -> None:
        """Notice what has died, start what is due."""
        for unit in self._units:
            if unit.child is None:
                if now >= unit.start_at:
                    unit.restarts += 1
                    self._start(unit)
            elif (code := unit.child.exit_code()) is not None:
                self._died(unit, code, now)

    def stop(self) -> None:
        """Stop the processes, then the services, each the last started first. At most 15 s, then SIGKILL."""
        self._stopping = True
        for services, limit_s in ((False, STOP_PROCESSES_S), (True, STOP_SERVICES_S)):
            group = [unit for unit in reversed(self._units) if unit.is_service == services]
            self._stop_group(group, limit_s)
        self._units.clear()

    def _stop_group(self, group: Sequence[_Unit], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        running = [(unit, unit.child) for unit in group if unit.child is not None]
        for _, child in running:
            child.ask_to_stop()
        for unit, child in running:
            code = child.stop(max(0.0, deadline - time.monotonic()))
            if code == -signal.SIGKILL:
                log.warning("process_killed", name=unit.name, reason=f"did not stop within {limit_s} s")
            unit.child = None
        for unit in group:
            records.remove(self._home, unit.name)

    def _start(self, unit: _Unit) -> None:
        unit.started, unit.started_at = time.monotonic(), datetime.now(UTC)
        try:
            unit.child = spawn(unit.begin())
        except (OSError, StackError) as e:  # no memory, disk full: may pass, and giving up would end the plant
            log.error("process_not_started", name=unit.name, error=str(e))
            unit.backoff_s = next_backoff(unit.backoff_s, 0.0)
            unit.start_at = time.monotonic() + unit.backoff_s
        self._record(unit)

    def _died(self, unit: _Unit, code: int, now: float) -> None:
        assert unit.child is not None
        unit.child.kill()  # what it had started itself
        unit.child, unit.last_exit = None, code
        unit.backoff_s = next_backoff(unit.backoff_s, now - unit.started)
        unit.start_at = now + unit.backoff_s
        log.warning("process_died", name=unit.name, exit=code, again_in_s=unit.backoff_s)
        self._say(f"{unit.name} ended ({code}), starts again in {unit.backoff_s:g} s")
        self._record(unit)

    def _record(self, unit: _Unit) -> None:
        child = unit.child
        record = records.Record(
            name=unit.name,
            pid=child.pid if child else None,
            ticks=child.ticks if child else "",
            stop_signal=int(child.command.stop_signal) if child else int(signal.SIGTERM),
            started_at=unit.started_at,
            restarts=unit.restarts,
            last_exit=unit.last_exit,
        )
        try:
            records.write(self._home, record)
        except OSError as e:  # a full disk blinds `andon status`; it must not end the plant
            log.warning("record_not_written", name=unit.name, error=str(e))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
