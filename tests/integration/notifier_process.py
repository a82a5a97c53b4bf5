"""The notifier as a process of its own, for tests that kill it: notifier_process.py HOME PLANT KAFKA PORT_BASE."""

from __future__ import annotations

import sys
from pathlib import Path

from config.instance import Instance, MqttAddress
from notify.main import run

if __name__ == "__main__":
    home, plant, kafka, port_base = sys.argv[1:]
    broker = MqttAddress(host="127.0.0.1", port=1)
    run(
        Instance(
            home=Path(home), plant=Path(plant), kafka=kafka, database_url="", mqtt=broker, port_base=int(port_base)
        )
    )  # fmt: skip
