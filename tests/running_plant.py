"""A whole plant under `andon up`, for tests that drill it, kill it or look at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from andon import instance as instances
from benchmarks.running import free_port_base
from devices.simulator.client import SimulatorClient
from tests.conftest import REPOSITORY


class RunningPlant:
    """Attributes: home: of the instance; instance: its addresses."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.process = home, process
        self.instance = instances.load(home)
        self.engine = create_engine(self.instance.database_url, pool_pre_ping=True)

    def andon(self, *args: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a command of ours against this plant."""
        command = [sys.executable, "-m", "andon", *args, "--home", str(self.home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=REPOSITORY, check=False)

    def start(self, *args: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "andon", *args, "--home", str(self.home)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.andon("status", "--json").stdout)
        return found

    def wait_ready(self, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while True:
            status = self.status()
            if status["ready"]:
                return
            assert time.monotonic() < end, f"not ready after {seconds} s: {json.dumps(status, indent=1)}"
            time.sleep(0.5)

    def pid(self, name: str) -> int:
        status = self.status()
        entry = status["processes"].get(name) or status["services"][name]
        return int(entry["pid"])

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def query(self, sql: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def simulator(self) -> SimulatorClient:
        return SimulatorClient("127.0.0.1", self.instance.simulator_port)


@contextmanager
def running_plant(*options: str) -> Iterator[RunningPlant]:
    """`andon up --headless` in a fresh home; ended by SIGTERM, and by force if that does not do."""
    with tempfile.TemporaryDirectory(prefix="andon-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        runtime = os.environ.get("ANDON_RUNTIME", str(REPOSITORY / ".andon" / "runtime"))
        out = (home / "up.out").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "andon", "up", "--headless", "--home", folder, "--port-base",
             str(free_port_base()), *options],
            cwd=REPOSITORY, stdout=out, stderr=out, env={**os.environ, "ANDON_RUNTIME": runtime},
        )  # fmt: skip
        try:
            end = time.monotonic() + 180
            while not (home / "credentials.json").exists():
                assert process.poll() is None, (home / "up.out").read_text()
                assert time.monotonic() < end
                time.sleep(0.1)
            plant = RunningPlant(home, process)
            plant.wait_ready(180)
            plant.instance = instances.load(home)  # with the users of the plant's edges
            yield plant
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            out.close()
