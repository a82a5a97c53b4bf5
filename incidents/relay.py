"""The process `relay`: what the alarms of all areas do, told to the plant-wide area. Decides nothing.

Reads `incidents` and `mirrors`, writes `Reported` into `conditions`, one for each record that says something of an
alarm. A position is committed, with the cause of the last decision that counted, when Kafka has what was told; what a
crash makes it tell again the plant-wide area knows by its number.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from bus.client import Producer, consumer
from bus.following import Follower, Place, committed, follow, partitions_of
from bus.running import Job, until_signalled
from config.instance import Instance
from events.codec import decode_record
from events.envelope import Decision, Event, Reported
from events.topics import CONDITIONS, INCIDENTS, MIRRORS, PLANT_WIDE, RELAY
from incidents.hearing import RELAYED
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

GROUP = "relay"
_POLL_MS, _AT_ONCE = 100, 500
_KEEP_S = 600.0
"""Positions are committed at least so often: Kafka forgets those of a quiet group after a week."""
_PACE_S = 1.0
"""Positions that moved over nothing that was told are committed this seldom: ticks pass every second."""
_HUNG_S = 15.0
_log = structlog.get_logger("incidents.relay")


def told(topic: str, partition: int, offset: int, record: Decision | Reported) -> Reported | None:
    """What the plant-wide area is told of a record; None: it says nothing of an alarm of another area.

    What an edge said keeps the edge's own number: the edge may say it again. Its numbers ascend within a partition
    only: a report on areas of several is parted, and each part has the same number.
    """
    heard = tuple(e for e in record.events if _concerns(e))
    if not heard:
        return None
    if isinstance(record, Reported):
        return Reported(f"{RELAY}{record.source}:{partition}", record.sequence, heard)
    return Reported(f"{RELAY}{topic}:{partition}", offset, heard)


def _concerns(event: Event) -> bool:
    return event.area != PLANT_WIDE and isinstance(event.fact, RELAYED)


def taken(follower: Follower, topic: str, partition: int, offset: int, raw: bytes | None) -> Reported | None:
    """What is to be told of the record at this offset; nothing of a decision that does not count."""
    follower.next = offset + 1
    try:
        record = decode_record(raw or b"")
    except msgspec.DecodeError as error:
        _log.error("record_unreadable", topic=topic, partition=partition, offset=offset, reason=str(error))
        return None
    if isinstance(record, Decision) and not follower.counts(record):
        return None
    if not isinstance(record, Decision | Reported):
        return None  # ticks, requests, configurations are for others
    return told(topic, partition, offset, record)


class Relay:
    """Attributes: turned: monotonic time of the last turn; count: records told; waiting_since: monotonic time since
    which Kafka does not take what is told, None while it does."""

    def __init__(self, reader: KafkaConsumer, producer: Producer) -> None:
        self.turned = self._committed_at = time.monotonic()
        self.count = 0
        self.waiting_since: float | None = None
        self._reader, self._producer = reader, producer
        self._followers = follow(reader, partitions_of(reader, INCIDENTS, MIRRORS), lambda p: committed(reader, p))
        self._last: dict[TopicPartition, Place] = {}

    def turn(self, stop: threading.Event) -> None:
        """Read, tell, commit; some 100 ms when there is nothing to do.

        Raises:
            KafkaError: Kafka refuses what it is told for good.
        """
        self.turned = time.monotonic()
        sent = []
        for partition, records in self._reader.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE).items():
            for record in records:
                follower = self._followers[partition]
                report = taken(follower, partition.topic, partition.partition, record.offset, record.value)
                if report is not None:
                    sent.append(self._producer.send(CONDITIONS, PLANT_WIDE, report))
        for future in sent:
            while not stop.is_set() and not future.is_done:
                self._wait()
            if not future.is_done:
                return  # stopped while Kafka is away: what is not committed is told again
            future.get(timeout=0)
        self.waiting_since = None
        self.count += len(sent)
        since = self.turned - self._committed_at
        if sent or since > _KEEP_S or (since > _PACE_S and self._places() != self._last):
            self._commit()

    def _wait(self) -> None:
        """Kafka is slow, or away: this is no hanging."""
        self.turned = time.monotonic()
        self.waiting_since = self.waiting_since or self.turned
        try:
            self._producer.flush(1.0)
        except KafkaTimeoutError:
            _log.warning("kafka_away", waiting="to tell the plant-wide area")

    def _places(self) -> dict[TopicPartition, Place]:
        return {partition: follower.place for partition, follower in self._followers.items()}

    def _commit(self) -> None:
        places = self._places()
        try:
            self._reader.commit({partition: place.committed() for partition, place in places.items()}, timeout_ms=5000)
        except KafkaError as error:
            _log.warning("commit_failed", reason=str(error))  # the next one says it all
            return
        self._last, self._committed_at = places, self.turned


def run(instance: Instance) -> None:
    """Relay until SIGTERM or SIGINT."""
    configure_logs("relay")
    serve(instance, until_signalled())


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set."""
    job: Job[Relay] = Job()

    def check() -> Health:
        if (relay := job.running) is None:
            return unhealthy(job.reason)
        hung_s = time.monotonic() - relay.turned
        facts = {"told": relay.count}
        if hung_s > _HUNG_S:
            return unhealthy(f"the loop stands since {hung_s:.0f} s", **facts)
        if (since := relay.waiting_since) is not None and (waits_s := time.monotonic() - since) > _HUNG_S:
            return unhealthy(f"Kafka takes nothing since {waits_s:.0f} s: rules across areas hear nothing", **facts)
        return healthy(**facts)

    def begin(opened: ExitStack) -> Relay:
        reader = opened.enter_context(closing(consumer(instance.kafka, group=GROUP)))
        return Relay(reader, opened.enter_context(closing(Producer(instance.kafka))))

    health = serve_health(instance.health_port("relay"), check)
    try:
        if (relay := job.begin(stop, begin)) is not None:
            while not stop.is_set():
                relay.turn(stop)
            _log.info("relay_stopped", told=relay.count)
            job.close()
    finally:
        health.close()
