"""The process `errands`: reads what playbooks issued, does it, says what became of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bus.client import Producer, consumer
from bus.diary import Saying
from bus.outbox import LostWriteError, Outbox
from bus.running import Job, until_signalled
from config.instance import Instance
from errands.broker import Broker
from errands.carrying import Carrier
from errands.reading import Reading
from errands.secrets import Secrets
from errands.store import Store
from errands.web import Web
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

_PRUNE_S, _HUNG_S = 3600.0, 15.0
_log = structlog.get_logger("errands.main")


class Errands:
    """Attributes: turned: monotonic time of the last turn."""

    def __init__(self, reading: Reading, outbox: Outbox[str], store: Store, carrier: Carrier, broker: Broker) -> None:
        self.turned = self._pruned = time.monotonic()
        self._reading, self._outbox, self._store, self._carrier, self._broker = reading, outbox, store, carrier, broker
        self._saying = Saying(store, outbox)
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
        self._saying.turn()
        if now - self._pruned > _PRUNE_S:
            self._pruned = now
            self._store.prune(datetime.now(UTC))
        if failure := self._carrier.failed or self._broker.failed or self._outbox.failed:
            raise LostWriteError(str(failure)) from failure


def run(instance: Instance) -> None:
    """Do errands until SIGTERM or SIGINT.

    Raises:
        LostWriteError: start the process again; nothing is lost by it.
    """
    configure_logs("errands")
    serve(instance, until_signalled(), os.environ)


def serve(instance: Instance, stop: threading.Event, environment: Mapping[str, str]) -> None:
    """As `run`, until `stop` is set."""
    job: Job[Errands] = Job()
    store = Store(file(instance))
    secrets = Secrets(instance.home, environment)
    broker = Broker(instance.mqtt, f"andon-errands-{instance.port_base}")
    carrier = Carrier(store, lambda: Web(secrets, simulated=instance.simulated), broker)

    def check() -> Health:
        if job.running is None:
            return unhealthy(job.reason)
        reasons = [broker.problem] if broker.problem else []
        if (silent := time.monotonic() - job.running.turned) > _HUNG_S:
            reasons.append(f"the loop stands since {silent:.0f} s")
        facts = store.counts()
        return unhealthy(*reasons, **facts) if reasons else healthy(**facts)

    def begin(opened: ExitStack) -> Errands:
        reading = Reading(opened.enter_context(closing(consumer(instance.kafka))), store)
        outbox: Outbox[str] = opened.enter_context(closing(Outbox(Producer(instance.kafka))))
        return Errands(reading, outbox, store, carrier, broker)

    health = serve_health(instance.health_port("errands"), check)
    try:
        if (errands := job.begin(stop, begin)) is not None:
            while not stop.is_set():
                errands.turn()
            job.close()
            _log.info("errands_stopped", **store.counts())
    finally:
        carrier.stop()
        broker.close()
        store.close()
        health.close()


def file(instance: Instance) -> Path:
    return instance.data("errands") / "errands.sqlite"
