"""The process `errands`: reads what playbooks issued, does it, says what became of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog
from kafka.errors import KafkaError

from bus.client import Producer, consumer
from config.instance import Instance
from errands.broker import Broker
from errands.carrying import Carrier
from errands.reading import Reading
from errands.secrets import Secrets
from errands.store import Store
from errands.web import Web
from ingest.outbox import LostWriteError, Outbox
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

_PRUNE_S, _HUNG_S = 3600.0, 15.0
_log = structlog.get_logger("errands.main")


class Errands:
    """Attributes: turned: monotonic time of the last turn."""

    def __init__(self, reading: Reading, outbox: Outbox[str], store: Store, carrier: Carrier, broker: Broker) -> None:
        self.turned = self._pruned = time.monotonic()
        self._reading, self._outbox, self._store, self._carrier, self._broker = reading, outbox, store, carrier, broker
        self._sending: set[str] = set()
        carrier.look()

    def turn(self) -> None:
        """Read, begin, say what was done.

        Raises:
            LostWriteError: Kafka refuses a record for good, or a thread that does errands ended.
        """
        self.turned = now = time.monotonic()
        self._carrier.tend()
        if self._reading.turn():
            self._carrier.look()
        self._say()
        if now - self._pruned > _PRUNE_S:
            self._pruned = now
            self._store.prune(datetime.now(UTC))
        if failure := self._carrier.failed or self._broker.failed or self._outbox.failed:
            raise LostWriteError(str(failure)) from failure

    def _say(self) -> None:
        self._outbox.quiet()
        if durable := self._outbox.durable():
            self._store.said(durable)
            self._sending.difference_update(durable)
        for one in self._store.unsaid():
            if one.id not in self._sending:
                self._sending.add(one.id)
                self._outbox.send(one.topic, one.area, one.record, one.id)


def run(instance: Instance) -> None:
    """Do errands until SIGTERM or SIGINT.

    Raises:
        LostWriteError: start the process again; nothing is lost by it.
    """
    configure_logs("errands")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(instance, stop, os.environ)


def serve(instance: Instance, stop: threading.Event, environment: Mapping[str, str]) -> None:
    """As `run`, until `stop` is set."""
    running: list[Errands] = []
    reason = ["starting"]
    store = Store(file(instance))
    secrets = Secrets(instance.home, environment)
    broker = Broker(instance.mqtt, f"andon-errands-{instance.port_base}")
    carrier = Carrier(store, lambda: Web(secrets, simulated=instance.simulated), broker)

    def check() -> Health:
        if not running:
            return unhealthy(reason[0])
        reasons = [broker.problem] if broker.problem else []
        if (silent := time.monotonic() - running[0].turned) > _HUNG_S:
            reasons.append(f"the loop stands since {silent:.0f} s")
        facts = store.counts()
        return unhealthy(*reasons, **facts) if reasons else healthy(**facts)

    health = serve_health(instance.health_port("errands"), check)
    pause = 0.2
    try:
        while not stop.is_set() and not running:
            try:
                reader = consumer(instance.kafka)
                reading = Reading(reader, store)
                outbox: Outbox[str] = Outbox(Producer(instance.kafka))
                running.append(Errands(reading, outbox, store, carrier, broker))
            except KafkaError as error:
                reason[0] = f"Kafka: {error}"
                _log.warning("kafka_away", reason=str(error))
                stop.wait(pause)
                pause = min(2 * pause, 5.0)
        while not stop.is_set():
            running[0].turn()
        for _ in running:
            reader.close()
            outbox.close()
            _log.info("errands_stopped", **store.counts())
    finally:
        carrier.stop()
        broker.close()
        store.close()
        health.close()


def file(instance: Instance) -> Path:
    return instance.data("errands") / "errands.sqlite"
