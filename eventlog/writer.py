"""The log writer's process. Reads every topic, writes the database.

Two lanes, so that an alarm never waits behind a backlog of readings: they share no topic and no row but the lines of
`sources`. A second writer waits until the first is gone (`TimescaleLog.try_lock`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import structlog

from bus.running import until_signalled
from config.instance import Instance
from eventlog.lane import Lane
from events import topics
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

log = structlog.get_logger()

LANES = {
    "events": (topics.CONDITIONS, topics.INCIDENTS, topics.COMMANDS, topics.MIRRORS, topics.DEADLETTER),
    "readings": (topics.READINGS, *topics.SNAPSHOTS.values()),
}
GATHER = {"events": 1, "readings": 256 << 10}
"""Bytes that are worth a transaction: readings wait a moment for more of them. Each commit costs processor time in four
processes and a sync of the disk, and alarms on their way want both."""


def run(instance: Instance) -> None:
    """Log until SIGTERM or SIGINT.

    Raises:
        RuntimeError: a lane ended by an error that trying again does not cure; the process should start anew.
    """
    configure_logs("logwriter")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # ten lines a second while Kafka is away; the lanes say it
    stop = until_signalled()
    lanes = [
        Lane(name, names, instance.kafka, instance.database_url, gather=GATHER[name]) for name, names in LANES.items()
    ]
    health = serve_health(instance.health_port("logwriter"), lambda: check(lanes))
    try:
        work(lanes, stop)
    finally:
        health.close()


def work(lanes: Sequence[Lane], stop: threading.Event) -> None:
    """Run the lanes until `stop`.

    Raises:
        RuntimeError: one of them failed.
    """
    failures: list[BaseException] = []

    def run_one(lane: Lane) -> None:
        try:
            lane.run(stop)
        except BaseException as error:  # raised again by `work`, once the other lane has ended
            log.error("lane_failed", lane=lane.name, exc_info=True)
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=run_one, args=(lane,), name=lane.name, daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(timeout=10)
    if failures:
        raise RuntimeError("a lane of the log writer failed") from failures[0]


def check(lanes: Sequence[Lane]) -> Health:
    """Well if every lane is; shows the lag by topic."""
    reasons = [reason for lane in lanes for reason in lane.health()]
    lag = {topic: records for lane in lanes for topic, records in lane.lag.items()}
    return unhealthy(*reasons, lag=lag) if reasons else healthy(lag=lag)
