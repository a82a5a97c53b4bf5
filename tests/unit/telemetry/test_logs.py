from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from telemetry import configure_logs
configure_logs("detection")
structlog.get_logger("detection.agent").info("rules_loaded", count=12)
logging.getLogger("paho").warning("plain %s", "line")
logging.getLogger("aiokafka").debug("never")
password = "hunter2"
try:
    raise ValueError("bad frame")
except ValueError:
    structlog.get_logger().exception("frame_refused")
"""


def test_a_file_gets_one_json_object_a_line_from_structlog_and_from_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    first, second, third = [json.loads(line) for line in done.stderr.splitlines()]
    assert (first["event"], first["count"], first["process"], first["level"]) == (
        "rules_loaded",
        12,
        "detection",
        "info",
    )
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["logger"], second["level"]) == ("plain line", "paho", "warning")
    assert third["exception"][0]["exc_value"] == "bad frame"


def test_a_traceback_shows_no_local_variable_as_it_may_be_a_password() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "frames" in json.loads(done.stderr.splitlines()[2])["exception"][0]
    assert "hunter2" not in done.stderr
