"""Kafka -> the store: what brains issued, and what makes it needless. Each record is taken over once, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition

from bus.following import follow, partitions_of
from events.codec import decode_record
from events.envelope import Decision, Event, Record, Reported
from events.incidents import ShiftHandedOver
from events.notifications import NotificationIssued
from events.topics import COMMANDS, INCIDENTS, MIRRORS
from notify import metrics, planning, withdrawal
from notify.journal import Journal
from notify.planning import People
from notify.store import Store

TOPICS = (INCIDENTS, COMMANDS, MIRRORS)
_POLL_MS = 100
_AT_ONCE = 500
_log = structlog.get_logger("notify.reading")


class Reading:
    """Attributes: caught_up: all was read that lay in Kafka at the start; before that nothing is sent, or somebody
    would be called about what was acknowledged while the notifier was away."""

    def __init__(self, reader: KafkaConsumer, store: Store, journal: Journal, people: Callable[[], People]) -> None:
        self._reader, self._store, self._journal, self._people = reader, store, journal, people
        partitions = partitions_of(reader, *TOPICS)
        self._followers = follow(reader, partitions, store.place)
        self._behind: dict[TopicPartition, int] = dict(reader.end_offsets(partitions))

    @property
    def caught_up(self) -> bool:
        return not self._behind

    def turn(self) -> int:
        """Take over what is there; the number of new notifications. Waits a little where there is nothing."""
        polled = self._reader.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        now = datetime.now(UTC)
        found = [(partition, record) for partition, records in polled.items() for record in records]
        events: list[Event] = []
        new = 0
        with self._store.transaction():
            for partition, record in found:
                taken = self._take(partition, record.offset, record.value)
                events += taken
                new += sum(self._decide(e, now) for e in taken)
                self._followers[partition].next = record.offset + 1
            for partition in polled:
                self._store.move(partition, self._followers[partition].place)
            # before the commit: a crash between the two writes no line twice, the journal knows its lines
            self._journal.tell(e for e in events if isinstance(e.fact, NotificationIssued))
        for partition in [p for p, end in self._behind.items() if self._reader.position(p) >= end]:
            del self._behind[partition]
        return new

    def _take(self, partition: TopicPartition, offset: int, value: bytes | None) -> tuple[Event, ...]:
        """The events that count in the record."""
        try:
            record: Record = decode_record(value or b"")
        except msgspec.DecodeError as error:
            _log.error("record_unreadable", topic=partition.topic, offset=offset, reason=str(error))
            return ()
        if isinstance(record, Reported):
            if partition.topic != MIRRORS:
                return ()
            new = self._store.is_new(record.source, partition.partition, record.sequence)
            return record.events if new else ()
        if not isinstance(record, Decision):
            return ()
        return record.events if self._followers[partition].counts(record) else ()

    def _decide(self, event: Event, now: datetime) -> bool:
        fact = event.fact
        if isinstance(fact, NotificationIssued):
            holder = self._store.holder(event.area, fact.to)
            new = self._store.take(event, planning.plan(event, fact, self._people(), now, holder), now)
            if new:
                metrics.NOTIFICATIONS.labels(fact.kind).inc()
            return new
        if isinstance(fact, ShiftHandedOver):  # by hand until the calendar says the next
            self._store.hand_over(event.area, fact.position, "" if fact.shift else fact.to)
        if (over := withdrawal.over(fact)) is not None:
            metrics.OUTCOMES.labels("withdrawn").inc(self._store.withdraw(over, event.at, now))
        if (incident := withdrawal.reopened(fact)) is not None:
            self._store.reopened(incident)
        return False
