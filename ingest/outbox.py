"""The bridge's way to Kafka: what is sent, who waits for it, and what is read back at the start."""

from __future__ import annotations

import os
from collections import deque
from typing import Generic, TypeVar

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bus.client import Producer, consumer
from events.codec import decode_record
from events.readings import FrameError, Packed, unpack
from events.topics import LEDGER, READINGS
from ingest.gather import SOURCE, Recent
from ingest.ledger import Ledger
from ingest.roster import Roster

T = TypeVar("T")


class NotReadyError(KafkaError):  # type: ignore[misc]
    """Kafka answers, but our topics are not there yet: try again."""


class LostWriteError(Exception):
    """Kafka refuses a record for good: end the process. Nothing of it was acknowledged, so it comes again."""


class Outbox(Generic[T]):
    """Sends records; `T` is what waits for each. One thread uses it; Kafka's thread only reports.

    Attributes:
        wake: descriptor that becomes readable when something is durable.
        failed: the error of a record that Kafka refuses for good.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._durable: deque[T] = deque()
        self._rung = False
        self.failed: BaseException | None = None
        self.wake, self._bell = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._bell, False)

    def send(self, topic: str, area: str, record: bytes, waiting: T, *, key: bytes | None = None) -> None:
        """Write it; `waiting` comes out of `durable` when Kafka has it on its disk's way (acks=all).

        Raises:
            KafkaError: Kafka is away and there is no room to wait.
        """
        future = self._producer.send(topic, area, record, key=key)
        future.add_callback(lambda _metadata: self._came(waiting))
        future.add_errback(self._refused)

    def durable(self) -> list[T]:
        """What became durable since the last call, in the order in which Kafka said so."""
        out = []
        while self._durable:
            out.append(self._durable.popleft())
        return out

    def ring(self) -> None:
        """Make `wake` readable; any thread."""
        self._rung = True
        try:
            os.write(self._bell, b"!")
        except BlockingIOError:
            pass  # the pipe is full of rings: it is readable

    def quiet(self) -> None:
        """Take the rings out of `wake`; call before looking at what they may have announced."""
        try:
            while len(os.read(self.wake, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        self._rung = False  # after the read: who comes in between has appended already, and is seen now

    def close(self) -> None:
        self._producer.close()
        os.close(self.wake)
        os.close(self._bell)

    def _came(self, waiting: T) -> None:
        self._durable.append(waiting)
        if not self._rung:
            self.ring()

    def _refused(self, error: BaseException) -> None:
        self.failed = error
        self.ring()


def read_back(kafka: str, roster: Roster, ledger: Ledger, recent: Recent, tail: int) -> None:
    """Fill the ledger from its topic, and `recent` with the last `tail` records of each partition of `readings`.

    Raises:
        KafkaError: Kafka is away, or its topics are not there yet.
    """
    reader = consumer(kafka)
    try:
        starts = dict.fromkeys(_partitions(reader, LEDGER), 0)
        ends = reader.end_offsets(_partitions(reader, READINGS))
        starts |= {p: max(0, end - tail) for p, end in ends.items()}
        ends |= reader.end_offsets(list(starts))
        beginnings = reader.beginning_offsets(list(starts))
        reader.assign(list(starts))
        for partition, start in starts.items():
            reader.seek(partition, max(start, beginnings[partition]))
        while any(reader.position(p) < end for p, end in ends.items()):
            for partition, records in reader.poll(timeout_ms=500).items():
                for record in records:
                    if partition.topic == LEDGER:
                        ledger.load(record.key.decode(), record.value)
                    else:
                        _remember(roster, recent, record.value)
    finally:
        reader.close()


def _partitions(reader: KafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = reader.partitions_for_topic(topic)
    if not numbers:
        raise NotReadyError(f"topic '{topic}' is not there yet")
    return [TopicPartition(topic, n) for n in sorted(numbers)]


def _remember(roster: Roster, recent: Recent, value: bytes | None) -> None:
    try:
        record = decode_record(value or b"")
        if isinstance(record, Packed) and record.source.startswith(SOURCE):
            recent.remember(roster, unpack(record))
    except (msgspec.DecodeError, FrameError):
        return  # foreign bytes in the topic: whoever reads the topic says so; here they are no reading to remember
