"""A plant under `andon up`, for a benchmark: started in a fresh home, watched through /proc, ended in the end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from andon import instance as instances
from andon import records
from andon.status import gather
from benchmarks.measures import REPOSITORY, MeasureError
from config.instance import DEVICES_END
from devices.plant import load_plant
from devices.simulator.client import SimulatorClient

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_S = 180.0
Say = Callable[[str], object]


class Plant:
    """Attributes: home, instance: of the plant; engine: its database."""

    def __init__(self, home: Path) -> None:
        self.home, self.instance = home, instances.load(home)
        self.engine = create_engine(self.instance.database_url, pool_pre_ping=True)

    def query(self, sql: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def home_of(self, area: str) -> str:
        """Who decides for the area: "plant" or "edge"."""
        return load_plant(self.instance.plant)[0].areas[area].home

    def simulator(self) -> SimulatorClient:
        return SimulatorClient("127.0.0.1", self.instance.simulator_port)

    def cpu_seconds(self) -> dict[str, float]:
        """By process: user and system time so far of it and its descendants [s]."""
        return {name: sum(_cpu(pid) for pid in pids) for name, pids in self._pids().items()}

    def rss_mb(self) -> dict[str, float]:
        """By process: resident memory of it and its descendants [MB]."""
        return {name: _memory(pids) / 1024 for name, pids in self._pids().items()}

    def restarts(self) -> dict[str, int]:
        """By process: how often it was started again; a benchmark with one of them is worth nothing."""
        return {name: record.restarts for name, record in records.read_all(self.home).items() if record.restarts}

    def _pids(self) -> dict[str, list[int]]:
        children = _children()
        return {
            name: list(_tree(record.pid, children))
            for name, record in records.read_all(self.home).items()
            if record.pid is not None
        }


@contextmanager
def running(plant: Path, say: Say, *options: str) -> Iterator[Plant]:
    """`andon up --headless --plant plant` in a fresh home, ready.

    Raises:
        MeasureError: it does not become ready.
    """
    home = Path(tempfile.mkdtemp(prefix="andon-bench-"))
    home.chmod(0o755)  # the services run unprivileged
    runtime = os.environ.get("ANDON_RUNTIME", str(REPOSITORY / ".andon" / "runtime"))
    with (home / "up.out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "andon", "up", "--headless", "--home", str(home), "--port-base",
             str(free_port_base()), "--plant", str(plant), *options],
            cwd=REPOSITORY, stdout=out, stderr=out, env={**os.environ, "ANDON_RUNTIME": runtime},
        )  # fmt: skip
        try:
            began = time.monotonic()
            _wait_ready(home, process, began + _READY_S)
            say(f"up after {time.monotonic() - began:.0f} s")
            up = Plant(home)
            yield up
            up.engine.dispose()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(home, ignore_errors=True)


def _wait_ready(home: Path, process: subprocess.Popen[bytes], end: float) -> None:
    status: dict[str, Any] = {}
    while time.monotonic() < end:
        if process.poll() is not None:
            raise MeasureError(f"`andon up` ended with {process.returncode}: {(home / 'up.out').read_text()[-2000:]}")
        if (home / "instance.json").exists() and (home / "credentials.json").exists():
            status = gather(instances.load(home))
            if status["ready"]:
                return
        time.sleep(0.3)
    unwell = {n: p["health"].get("reasons") for n, p in status.get("processes", {}).items() if not p["health"]["ok"]}
    raise MeasureError(f"not ready within {_READY_S:.0f} s: {unwell}")


def resident_mb(pid: int) -> float:
    """Resident memory of the process and its descendants [MB]."""
    return _memory(_tree(pid, _children())) / 1024


def free_port_base() -> int:
    """A base whose whole range is free just now, below the range that outgoing connections use."""
    while True:
        base = random.randrange(20_000, 32_000, 100)
        if all(_is_free(base + offset) for offset in range(DEVICES_END)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            found.setdefault(int(fields[1]), []).append(int(folder.name))
    return found


def _tree(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _tree(child, children)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (3rd); empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu(pid: int) -> float:
    """Own and waited-for children's user and system time [s]: backends that ended count for the database."""
    return sum(map(int, fields[11:15])) / _TICKS if (fields := _stat(pid)) else 0.0


def _memory(pids: Iterable[int]) -> float:
    """Resident memory of processes of one program [kB]: what each has alone, and what they share once."""
    alone, files, shared = 0.0, 0.0, 0.0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue  # gone meanwhile
        parts = (line.partition(":") for line in lines if line.startswith("Rss"))
        sizes = {name: float(value.split()[0]) for name, _, value in parts}
        alone += sizes.get("RssAnon", 0.0)
        files, shared = max(files, sizes.get("RssFile", 0.0)), max(shared, sizes.get("RssShmem", 0.0))
    return alone + files + shared
