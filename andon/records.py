"""What the supervisor writes about each program it runs: <home>/run/NAME.json. `andon status` reads it."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from andon.settings import SettingsError
from andon.stack.process import end_processes, start_ticks


class AlreadyUpError(SettingsError):
    """Another `andon up` runs this home."""

    def __init__(self, home: Path, pid: int | None) -> None:
        super().__init__(
            f"{home} is already up (pid {pid}): `andon status` shows it, `andon stop` ends it. "
            f"A second plant needs another --home and another --port-base"
        )
        self.home, self.pid = home, pid


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One program as it was when something last changed.

    Attributes:
        pid: None while it waits to be started again.
        ticks: tells the process from a later one with the same pid.
        restarts: since `andon up`.
        last_exit: how it last ended; minus the signal's number when a signal ended it.
    """

    name: str
    pid: int | None
    ticks: str
    stop_signal: int
    started_at: datetime
    restarts: int
    last_exit: int | None = None

    @property
    def alive(self) -> bool:
        return self.pid is not None and self.ticks != "" and start_ticks(self.pid) == self.ticks


def write(home: Path, record: Record) -> None:
    file = home / "run" / f"{record.name}.json"
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(record))
    fresh.replace(file)


def read_all(home: Path) -> dict[str, Record]:
    """Every program's record, by name."""
    records = [msgspec.json.decode(f.read_bytes(), type=Record) for f in sorted((home / "run").glob("*.json"))]
    return {record.name: record for record in records}


def read(home: Path, name: str) -> Record | None:
    """One program's record; None when it is not run here."""
    file = home / "run" / f"{name}.json"
    return msgspec.json.decode(file.read_bytes(), type=Record) if file.exists() else None


def remove(home: Path, name: str) -> None:
    (home / "run" / f"{name}.json").unlink(missing_ok=True)


def end_leftovers(home: Path) -> list[str]:
    """End what an earlier `up` that was killed has left running; their names.

    They get their stop signal from the kernel when the supervisor dies, so this finds only what is slow or stuck.
    Two writers of one data folder must never be.
    """
    left = [record for record in read_all(home).values() if record.alive]
    end_processes({record.pid: (record.ticks, signal.Signals(record.stop_signal)) for record in left if record.pid})
    for file in (home / "run").glob("*.json"):
        file.unlink()
    return [record.name for record in left]


@contextmanager
def the_only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock; the kernel drops it when we die, however we die.

    Raises:
        AlreadyUpError: another process holds it.
    """
    file = _lock_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUpError(home, supervisor_pid(home)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def supervisor_pid(home: Path) -> int | None:
    """The process that holds the home's lock now; None when it is not up."""
    file = _lock_file(home)
    if not file.exists():
        return None
    with file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = lock.read().strip()
            return int(text) if text else None
    return None


def _lock_file(home: Path) -> Path:
    return home / "run" / "up.lock"
