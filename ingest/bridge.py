"""The bridge's process: what arrives over MQTT and HTTP goes to Kafka (see `pump`)."""

from __future__ import annotations

import signal
import threading
import time

import structlog
from kafka.errors import KafkaError

from bus.client import Producer
from config.instance import Instance
from devices.plant import load_plant
from ingest.gather import Recent
from ingest.http import Intake
from ingest.ledger import Ledger
from ingest.link import IN_FLIGHT, Link
from ingest.outbox import Outbox, read_back
from ingest.pump import Pump, Waits
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
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(instance, stop)


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set."""
    plant, errors = load_plant(instance.plant_in_force)
    for error in errors:
        _log.error("plant_file_refused", file=error.file, line=error.line, column=error.column, reason=error.reason)
    roster, routes = Roster(plant), Routes(plant.sources)
    state = _State()
    health = serve_health(instance.health_port("bridge"), state.check)
    try:
        pump, outbox = _start(instance, roster, routes, stop, state)
        if pump is None or outbox is None:
            return
        intake = Intake(instance.intake_port, roster, pump, outbox.ring)
        try:
            while not stop.is_set():
                pump.turn()
            intake.close()
            pump.drain(time.monotonic() + _DRAIN_S)
        finally:
            pump.link.close()
            outbox.close()
    finally:
        health.close()


class _State:
    """What /health looks at. Attributes: reason: why there is no pump yet."""

    def __init__(self) -> None:
        self.pump: Pump | None = None
        self.reason = "starting"

    def check(self) -> Health:
        pump = self.pump
        if pump is None:
            return unhealthy(self.reason)
        now = time.monotonic()
        reasons = [] if pump.link.connected else [f"MQTT: {pump.link.reason}"]
        if now - pump.turned > _HUNG_S:
            reasons.append(f"the loop stands since {now - pump.turned:.0f} s")
        waits = pump.oldest_waits(now)
        if waits > _SLOW_S:
            reasons.append(f"Kafka has not confirmed for {waits:.0f} s: MQTT messages are held back")
        facts = {"pending": len(pump.pending), "oldest_waits_s": round(waits, 3), "sources": pump.complete_up_to()}
        return unhealthy(*reasons, **facts) if reasons else healthy(**facts)


def _start(
    instance: Instance, roster: Roster, routes: Routes, stop: threading.Event, state: _State
) -> tuple[Pump, Outbox[Waits]] | tuple[None, None]:
    """The pump with what Kafka remembers; waits for Kafka as long as it takes. None when told to stop before."""
    pause = 0.2
    while not stop.is_set():
        ledger, recent = Ledger(), Recent()
        try:
            read_back(instance.kafka, roster, ledger, recent, TAIL)
            producer = Producer(instance.kafka)
        except KafkaError as error:
            state.reason = f"Kafka: {error}"
            _log.warning("kafka_away", reason=str(error))
            stop.wait(pause)
            pause = min(2 * pause, 5.0)
            continue
        outbox: Outbox[Waits] = Outbox(producer)
        pump = Pump(
            roster, routes, ledger, recent, outbox,
            lambda p: Link(instance.mqtt, USER, routes.subscriptions, p.received, p.confirm_all),
        )  # fmt: skip
        _log.info("bridge_started", sources=pump.complete_up_to())
        state.pump = pump
        return pump, outbox
    return None, None
