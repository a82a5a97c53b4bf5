"""The process `relay`: what the alarms of all areas do, told to the plant-wide area. Decides nothing.

Reads `incidents` and `mirrors`, writes `Reported` into `conditions`, one for each record that says something of an
alarm. A position is committed, with the cause of the last decision that counted, when Kafka has what was told; what a
crash makes it tell again the plant-wide area knows by its number.
"""

from __future__ import annotations

import re
import signal
import threading
import time

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from bus.client import Producer, consumer
from config.instance import Instance
from events.codec import decode_record
from events.envelope import Chain, Decision, Event, Reported
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


class Follower:
    """One partition. Attributes: next: offset to be read; last: cause of the last decision that counted, None: the next
    one is believed."""

    def __init__(self, next_: int, last: int | None) -> None:
        self.next, self.last = next_, last

    def take(self, topic: str, partition: int, offset: int, raw: bytes | None) -> Reported | None:
        """What is to be told of the record; nothing of a decision that does not count."""
        self.next = offset + 1
        try:
            record = decode_record(raw or b"")
        except msgspec.DecodeError as error:
            _log.error("record_unreadable", topic=topic, partition=partition, offset=offset, reason=str(error))
            return None
        if isinstance(record, Decision):
            chain = Chain(record.prev if self.last is None else self.last)
            if not chain.accept(record):
                return None
            self.last = chain.last
        elif not isinstance(record, Reported):
            return None  # ticks, requests, configurations are for others
        return told(topic, partition, offset, record)

    @property
    def metadata(self) -> str:
        return "" if self.last is None else f"last={self.last}"


def begin(committed: int | None, metadata: str, beginning: int, end: int) -> Follower:
    """Where to go on in a partition that holds `beginning`..`end`, after what was committed (None: nothing)."""
    if committed is None or committed > end:  # never read, or the topic was made anew
        return Follower(beginning, -1 if beginning == 0 else None)
    if committed < beginning:
        return Follower(beginning, None)
    known = re.fullmatch(r"last=(-?\d+)", metadata)
    return Follower(committed, int(known[1]) if known else (-1 if committed == 0 else None))


class Relay:
    """Attributes: turned: monotonic time of the last turn; count: records told; waiting_since: monotonic time since
    which Kafka does not take what is told, None while it does."""

    def __init__(self, reader: KafkaConsumer, producer: Producer) -> None:
        self.turned = self._committed_at = time.monotonic()
        self.count = 0
        self.waiting_since: float | None = None
        self._reader, self._producer = reader, producer
        self._followers: dict[TopicPartition, Follower] = {}
        self._last: dict[TopicPartition, OffsetAndMetadata] = {}
        partitions = [TopicPartition(t, n) for t in (INCIDENTS, MIRRORS) for n in reader.partitions_for_topic(t) or ()]
        if {p.topic for p in partitions} != {INCIDENTS, MIRRORS}:
            raise KafkaError("the topics are not there yet")
        reader.assign(partitions)
        beginnings, ends = reader.beginning_offsets(partitions), reader.end_offsets(partitions)
        for partition in partitions:
            known = reader.committed(partition, metadata=True)
            offset, meta = (known.offset, known.metadata or "") if known and known.offset >= 0 else (None, "")
            follower = begin(offset, meta, beginnings[partition], ends[partition])
            if offset is not None and follower.next != offset:
                _log.error("records_skipped", topic=partition.topic, committed=offset, beginning=follower.next)
            reader.seek(partition, follower.next)
            self._followers[partition] = follower

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
                report = follower.take(partition.topic, partition.partition, record.offset, record.value)
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
        if sent or since > _KEEP_S or (since > _PACE_S and self._offsets() != self._last):
            self._commit()

    def _wait(self) -> None:
        """Kafka is slow, or away: this is no hanging."""
        self.turned = time.monotonic()
        self.waiting_since = self.waiting_since or self.turned
        try:
            self._producer.flush(1.0)
        except KafkaTimeoutError:
            _log.warning("kafka_away", waiting="to tell the plant-wide area")

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return {p: OffsetAndMetadata(f.next, f.metadata, -1) for p, f in self._followers.items()}

    def _commit(self) -> None:
        offsets = self._offsets()
        try:
            self._reader.commit(offsets, timeout_ms=5000)
        except KafkaError as error:
            _log.warning("commit_failed", reason=str(error))  # the next one says it all
            return
        self._last, self._committed_at = offsets, self.turned


def run(instance: Instance) -> None:
    """Relay until SIGTERM or SIGINT."""
    configure_logs("relay")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(instance, stop)


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set."""
    running: list[Relay] = []
    reason = ["starting"]

    def check() -> Health:
        if not running:
            return unhealthy(reason[0])
        hung_s = time.monotonic() - running[0].turned
        facts = {"told": running[0].count}
        if hung_s > _HUNG_S:
            return unhealthy(f"the loop stands since {hung_s:.0f} s", **facts)
        since = running[0].waiting_since
        if since is not None and (waits_s := time.monotonic() - since) > _HUNG_S:
            return unhealthy(f"Kafka takes nothing since {waits_s:.0f} s: rules across areas hear nothing", **facts)
        return healthy(**facts)

    health = serve_health(instance.health_port("relay"), check)
    producer = reader = None
    pause = 0.2
    try:
        while not stop.is_set() and not running:
            try:
                reader = reader or consumer(instance.kafka, group=GROUP)
                producer = producer or Producer(instance.kafka)
                running.append(Relay(reader, producer))
            except KafkaError as error:
                reason[0] = f"Kafka: {error}"
                _log.warning("kafka_away", reason=str(error))
                stop.wait(pause)
                pause = min(2 * pause, 5.0)
        while not stop.is_set():
            running[0].turn(stop)
        _log.info("relay_stopped", told=running[0].count if running else 0)
    finally:
        for client in (reader, producer):
            if client is not None:
                client.close()
        health.close()
