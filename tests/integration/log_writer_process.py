"""The log writer as a process of its own, for tests that kill it: python log_writer_process.py KAFKA URL PORT_BASE."""

from __future__ import annotations

import sys
from pathlib import Path

from config.instance import Instance, MqttAddress
from eventlog.writer import run

if __name__ == "__main__":
    kafka, database_url, port_base = sys.argv[1:]
    nowhere, broker = Path("/nonexistent"), MqttAddress(host="127.0.0.1", port=1)
    run(
        Instance(
            home=nowhere, plant=nowhere, kafka=kafka, database_url=database_url, mqtt=broker, port_base=int(port_base)
        )
    )  # fmt: skip
