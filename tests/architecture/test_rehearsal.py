"""A dry run cannot act: the engine that it is made of knows nothing that sends."""

from __future__ import annotations

import subprocess
import sys

SENDS = {
    "aiokafka", "asyncio", "devices", "edge", "errands", "faust", "httpx", "ingest", "kafka", "notify", "paho",
    "pymodbus", "socket", "sqlite3", "ssl", "subprocess",
}  # fmt: skip


def test_engine_and_rehearsal_load_nothing_that_could_reach_a_device_or_a_network() -> None:
    said = "import sys, playbooks.rehearsal; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.split()
    assert "playbooks" in loaded and not SENDS & set(loaded)
