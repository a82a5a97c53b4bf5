"""Messages of playbooks to the MQTT broker, QoS 1, as a user of its own that may not write what moves devices."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future

import structlog
from msgspec import Struct

from config.instance import MqttAddress
from errands.outcome import Outcome, refused_topic
from events.errands import ErrandDone, ErrandFailed, MessageIssued
from ingest.courier import Courier

USER = "errands"
WITHIN_S = 5.0
"""So long the broker may be away, or may take to say that it has a message."""
KEPT_S = 24 * 3600
"""So long the broker keeps a message for a subscriber that is away."""
_TURN_S = 0.02
_log = structlog.get_logger("errands.broker")


class _Job(Struct, eq=False):
    """Attributes: until: monotonic; mid: its number once it was sent."""

    fact: MessageIssued
    outcome: Future[Outcome]
    until: float
    mid: int = 0


class Broker:
    """A thread with one connection.

    Attributes: problem: why the broker takes nothing now, "" when it does; failed: what ended the thread.
    """

    def __init__(self, address: MqttAddress, client_id: str) -> None:
        self.problem = "not connected yet"
        self.failed: BaseException | None = None
        self._courier = Courier(address, USER, client_id)
        self._asked: queue.Queue[_Job] = queue.Queue()
        self._jobs: list[_Job] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()

    def publish(self, fact: MessageIssued) -> Future[Outcome]:
        """Send it once. What was sent and not acknowledged has failed, though the broker may have it: who issued it
        decides whether to send it again."""
        outcome: Future[Outcome] = Future()
        outcome.set_running_or_notify_cancel()  # who stops waiting for it does not take it back
        if reason := refused_topic(fact.topic):
            outcome.set_result(ErrandFailed(errand=fact.errand, reason=reason, final=True))
        else:
            self._asked.put(_Job(fact, outcome, time.monotonic() + WITHIN_S))
        return outcome

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except BaseException as error:
            self.failed = error  # the process ends: nobody would publish, and nobody would know
            raise
        finally:
            self._courier.close()

    def _turn(self) -> None:
        fresh = self._courier.tend()
        self.problem = "" if self._courier.connected else f"the MQTT broker: {self._courier.reason}"
        if fresh:
            self._fail([job for job in self._jobs if job.mid], "the connection was lost before the broker said yes")
        self._take()
        self._send()
        self._answered()
        now = time.monotonic()
        reason = "the broker did not say that it has it" if self._courier.connected else self.problem
        self._fail([job for job in self._jobs if job.until <= now], f"{reason}, within {WITHIN_S:g} s")

    def _take(self) -> None:
        """Wait a little for something to do."""
        try:
            self._jobs.append(self._asked.get(timeout=_TURN_S))
        except queue.Empty:
            return

    def _send(self) -> None:
        for job in [job for job in self._jobs if not job.mid and self._courier.connected]:
            payload = job.fact.payload.encode()
            if job.fact.retain:
                job.mid = self._courier.retain(job.fact.topic, payload)
            else:
                job.mid = self._courier.send(job.fact.topic, payload, KEPT_S)

    def _answered(self) -> None:
        by_mid = {job.mid: job for job in self._jobs if job.mid}
        for mid, code in self._courier.answers():
            job = by_mid.get(mid)
            if job is None:
                continue
            self._jobs.remove(job)
            if code.is_failure:
                reason = f"the broker refuses it: {code}"
                job.outcome.set_result(ErrandFailed(errand=job.fact.errand, reason=reason, final=True))
            else:
                job.outcome.set_result(ErrandDone(errand=job.fact.errand))

    def _fail(self, jobs: list[_Job], reason: str) -> None:
        for job in jobs:
            self._jobs.remove(job)
            job.outcome.set_result(ErrandFailed(errand=job.fact.errand, reason=reason))
