"""The bridge's process: what arrives over MQTT and HTTP goes to Kafka (see `pump`)."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing

import structlog

from bus.client import Producer
from bus.outbox import Outbox
from bus.running import Job, until_signalled
from config.instance import Instance
from devices.plant import load_plant
from ingest.gather import Recent
from ingest.http import Intake
from ingest.ledger import Ledger
from ingest.link import IN_FLIGHT, Link
from ingest.pump import Pump, Waits
from ingest.remembering import read_back
from ingest.roster import Roster
from ingest.routes import Routes
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

USER = "bridge"
"""MQTT user and client id: fixed, or the broker's session would be another's."""
TAIL = IN_FLIGHT + 500
"""So many records at the end of `readings` may stem from messages that were not acknowledged; ticks lie between."""
_SLOW_S = 5.0
_HUNG_S = 15.0
_DRAIN_S = 5.0
_log = structlog.get_logger("ingest.bridge")


def run(instance: Instance) -> None:
    """Carry until SIGTERM or SIGINT.

    Raises:
        ConfigError: `plant.yaml` cannot be used.
        LostWriteError, KafkaError: start the process again; nothing is lost by it.
    """
    configure_logs("bridge")
    serve(instance, until_signalled())


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set."""
    plant, errors = load_plant(instance.plant_in_force)
    for error in errors:
        _log.error("plant_file_refused", file=error.file, line=error.line, column=error.column, reason=error.reason)
    roster, routes = Roster(plant), Routes(plant.sources)
    job: Job[Pump] = Job()

    def begin(opened: ExitStack) -> Pump:
        ledger, recent = Ledger(), Recent()
        read_back(instance.kafka, roster, ledger, recent, TAIL)
        outbox: Outbox[Waits] = opened.enter_context(closing(Outbox(Producer(instance.kafka))))
        pump = Pump(
            roster, routes, ledger, recent, outbox,
            lambda p: Link(instance.mqtt, USER, routes.subscriptions, p.received, p.confirm_all),
        )  # fmt: skip
        opened.callback(pump.link.close)
        _log.info("bridge_started", sources=pump.complete_up_to())
        return pump

    health = serve_health(instance.health_port("bridge"), lambda: _check(job))
    try:
        if (pump := job.begin(stop, begin)) is None:
            return
        intake = Intake(instance.intake_port, roster, pump)
        try:
            while not stop.is_set():
                pump.turn()
            intake.close()
            pump.drain(time.monotonic() + _DRAIN_S)
        finally:
            job.close()
    finally:
        health.close()


def _check(job: Job[Pump]) -> Health:
    if (pump := job.running) is None:
        return unhealthy(job.reason)
    now = time.monotonic()
    reasons = [] if pump.link.connected else [f"MQTT: {pump.link.reason}"]
    if now - pump.turned > _HUNG_S:
        reasons.append(f"the loop stands since {now - pump.turned:.0f} s")
    waits = pump.oldest_waits(now)
    if waits > _SLOW_S:
        reasons.append(f"Kafka has not confirmed for {waits:.0f} s: MQTT messages are held back")
    facts = {"pending": len(pump.pending), "oldest_waits_s": round(waits, 3), "sources": pump.complete_up_to()}
    return unhealthy(*reasons, **facts) if reasons else healthy(**facts)
