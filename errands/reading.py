"""Kafka -> the store: what playbooks issued. Each record is taken over once, in order."""

from __future__ import annotations

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition

from bus.following import follow, partitions_of
from errands.outcome import Errand
from errands.store import Store
from events.alarms import ConditionCleared, ConditionRaised
from events.codec import decode_record
from events.envelope import Decision, Event, Record, Reported
from events.errands import RequestIssued
from events.topics import COMMANDS, CONDITIONS, MIRRORS

TOPICS = (COMMANDS, MIRRORS)
PLAYBOOKS = "playbooks"
"""Author of the conditions that the playbooks stage found itself; it passes on those of detection, which are not."""
_POLL_MS = 50
_AT_ONCE = 500
_log = structlog.get_logger("errands.reading")


class Reading:
    def __init__(self, reader: KafkaConsumer, store: Store) -> None:
        self._reader, self._store = reader, store
        self._followers = follow(reader, partitions_of(reader, *TOPICS), store.place)

    def turn(self) -> int:
        """Take over what is there; the number of new errands. Waits a little where there is nothing."""
        polled = self._reader.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        new = 0
        with self._store.transaction():
            for partition, records in polled.items():
                follower = self._followers[partition]
                for record in records:
                    new += self._take(partition, record.offset, record.value)
                    follower.next = record.offset + 1
                self._store.move(partition, follower.place)
        return new

    def _take(self, partition: TopicPartition, offset: int, value: bytes | None) -> int:
        try:
            record: Record = decode_record(value or b"")
        except msgspec.DecodeError as error:
            _log.error("record_unreadable", topic=partition.topic, offset=offset, reason=str(error))
            return 0
        if isinstance(record, Reported) and partition.topic == MIRRORS:
            return self._errands(record.events)  # what an edge asks of incidents, it asks itself
        if not isinstance(record, Decision) or not self._followers[partition].counts(record):
            return 0
        self._say(record.events, partition.partition, offset)
        return self._errands(record.events)

    def _errands(self, events: tuple[Event, ...]) -> int:
        return sum(self._store.take(e) for e in events if isinstance(e.fact, Errand))

    def _say(self, events: tuple[Event, ...], partition: int, offset: int) -> None:
        """What the playbooks stage has to tell the incidents stage: through its inbox, where all has one order."""
        for e in events:
            if isinstance(e.fact, RequestIssued):
                self._store.say(str(e.id), CONDITIONS, e.area, e.fact.request)
        found = tuple(
            e for e in events if e.author == PLAYBOOKS and isinstance(e.fact, ConditionRaised | ConditionCleared)
        )
        if found:
            report = Reported(f"{PLAYBOOKS}:{partition}", offset, found)
            self._store.say(str(found[0].id), CONDITIONS, found[0].area, report)
