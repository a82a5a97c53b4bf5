"""One lane of the log writer: some topics, one consumer, one database session, one thread.

Where a lane goes on is only what the database says: positions are committed with the data, so a kill at any moment
loses nothing and repeats nothing. Whatever goes wrong outside (database away, Kafka away, another writer was faster), a
lane forgets everything and begins anew from the positions; meanwhile Kafka holds the data.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bus import client
from eventlog import metrics
from eventlog.intake import Intake
from eventlog.log import Key, LogError, PositionConflictError
from eventlog.timescale import TimescaleLog, opened
from events.types import EPOCH, from_micros

log = structlog.get_logger()

Taken = tuple[Key, int, datetime, bytes]
"""Topic and partition, offset, when it was published, the bytes."""

BATCH_RECORDS = 2000
BATCH_LINES = 5000
"""In a flood one record has thousands of events, and what waits for a commit nobody sees."""
GATHER_MS = 250
IDLE_COMMIT_SECONDS = 0.25
"""Positions that moved over ticks alone are committed so often."""
SURVEY_SECONDS = 2.0
HUNG_SECONDS = 20.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0

_REFUSED = (
    psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError, psycopg.errors.ProgramLimitExceeded,
    ValueError, OverflowError,
)  # fmt: skip
"""The database (or the way to it) refuses the content of a batch: trying again cannot help."""
_AWAY = (psycopg.Error, KafkaError, PositionConflictError)


class MissingTopicsError(LogError):
    """Topics are not there yet; created by `andon up`."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"Kafka has no topic {', '.join(missing)}")
        self.missing = tuple(missing)


class Lane:
    """Attributes: problems: what keeps the lane from working, by what; lag: records not taken yet, by topic."""

    def __init__(self, name: str, topics: Sequence[str], kafka: str, database_url: str, *, gather: int = 1) -> None:
        """gather: Kafka answers when it has so many bytes for us, or after `GATHER_MS`: fewer and larger batches."""
        self.name, self.topics, self._gather = name, tuple(topics), gather
        self.problems: dict[str, str] = {"start": "not started yet"}
        self.lag: dict[str, int] = {}
        self._kafka, self._database_url = kafka, database_url
        self._turn = time.monotonic()

    def health(self) -> list[str]:
        """Why the lane is not well; empty when it is. For another thread."""
        still = time.monotonic() - self._turn
        hung = [f"no answer for {still:.0f} s"] if still > HUNG_SECONDS else []
        return [f"{self.name}: {reason}" for reason in [*self.problems.values(), *hung]]

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`."""
        wait = FIRST_WAIT
        while not stop.is_set():
            self._turn = began = time.monotonic()
            try:
                self._session(stop)
            except (*_AWAY, MissingTopicsError) as error:
                metrics.RETRIES.labels(self.name).inc()
                self.problems = {"away": f"{type(error).__name__}: {str(error).strip()}"}
                wait = FIRST_WAIT if time.monotonic() - began > LONGEST_WAIT else min(2 * wait, LONGEST_WAIT)
                log.warning("lane_interrupted", lane=self.name, reason=self.problems["away"], again_in_s=wait)
                stop.wait(wait)

    def _session(self, stop: threading.Event) -> None:
        with opened(self._database_url) as database:
            while not database.try_lock(f"writer {self.name}"):
                self._turn = time.monotonic()
                self.problems = {"standby": "another log writer is at work, waiting for its end"}
                if stop.wait(0.5):
                    return
            feed = client.consumer(
                self._kafka, auto_offset_reset="none", fetch_min_bytes=self._gather, fetch_max_wait_ms=GATHER_MS,
                bootstrap_timeout_ms=5000,
            )  # fmt: skip
            with closing(feed):
                self._follow(database, feed, stop)

    def _follow(self, database: TimescaleLog, feed: KafkaConsumer, stop: threading.Event) -> None:
        intake = _intake(database)
        there = self._begin(feed, intake)
        self.problems.pop("start", None)
        log.info("lane_started", lane=self.name, partitions=len(there))
        pending: list[Taken] = []
        written = surveyed = time.monotonic()
        if not intake.empty:  # what was lost before we came
            database.append(intake.batch())
        while not stop.is_set():
            polled = feed.poll(timeout_ms=200, max_records=BATCH_RECORDS)
            self._turn = now = time.monotonic()
            for partition, records in polled.items():
                key = (partition.topic, partition.partition)
                for r in records:
                    one = (key, r.offset, _published(r.timestamp), r.value or b"")
                    pending.append(one)
                    intake.take(*one)
                    if intake.lines >= BATCH_LINES:
                        intake = self._write(database, intake, pending)
                        pending, written = [], time.monotonic()
                        self._turn = written
            if intake.says_something or (pending and now - written > IDLE_COMMIT_SECONDS):
                intake = self._write(database, intake, pending)
                pending, written = [], time.monotonic()
            if now - surveyed > SURVEY_SECONDS:
                self._survey(feed, there)
                surveyed = time.monotonic()

    def _begin(self, feed: KafkaConsumer, intake: Intake) -> list[TopicPartition]:
        """Put the consumer where the log is; partitions that contradict the log are left alone, and said.

        Raises:
            MissingTopicsError: a topic has no partitions.
        """
        named = {t: feed.partitions_for_topic(t) or set() for t in self.topics}
        if missing := [t for t, partitions in named.items() if not partitions]:
            raise MissingTopicsError(missing)
        all_ = [TopicPartition(t, p) for t, partitions in named.items() for p in sorted(partitions)]
        begins, ends = feed.beginning_offsets(all_), feed.end_offsets(all_)
        there, problems = [], {}
        for at in all_:
            key = (at.topic, at.partition)
            position = intake.position(key).next
            if ends[at] < position:
                problems[f"{key}"] = (
                    f"{at.topic}/{at.partition} ends at {ends[at]}, yet the log has it up to {position}: the topic was"
                    " made anew or has lost its end; it is not logged until this is mended"
                )
                continue
            if begins[at] > position:
                log.error("records_lost", topic=at.topic, partition=at.partition, first=position, last=begins[at] - 1)
                intake.lose(key, begins[at], datetime.now(UTC))
            there.append(at)
        self.problems = problems
        feed.assign(there)
        for at in there:
            feed.seek(at, intake.position((at.topic, at.partition)).next)
        return there

    def _write(self, database: TimescaleLog, intake: Intake, records: Sequence[Taken]) -> Intake:
        """Commit what was taken from `records`; the intake to go on with."""
        with metrics.BATCH.labels(self.name).time():
            try:
                done = database.append(intake.batch())
            except _REFUSED as error:
                return self._divide(database, records, error)
        metrics.EVENTS.inc(done.entries)
        metrics.SCANS.inc(done.scans)
        metrics.READINGS.inc(done.readings)
        metrics.DEAD_LETTERS.inc(done.letters)
        metrics.REFUSED.labels(self.name).inc(intake.refused)
        metrics.REPEATED.inc(intake.repeated)
        intake.refused = intake.repeated = 0
        newest = max((r[2] for r in records), default=EPOCH)
        metrics.DELAY.labels(self.name).set((datetime.now(UTC) - newest).total_seconds())
        return intake

    def _divide(self, database: TimescaleLog, records: Sequence[Taken], error: Exception) -> Intake:
        """Find the record that the database refuses, by halves; it becomes a dead letter, and nothing stops."""
        intake = _intake(database)
        if len(records) > 1:
            for half in (records[: len(records) // 2], records[len(records) // 2 :]):
                intake = _intake(database)
                for one in half:
                    intake.take(*one)
                intake = self._write(database, intake, half)
            return intake
        for key, offset, published_at, raw in records:
            log.error("record_refused", topic=key[0], partition=key[1], offset=offset, reason=str(error))
            intake.park(key, offset, published_at, raw, f"the database refuses it: {error}")
        metrics.DEAD_LETTERS.inc(database.append(intake.batch()).letters)
        return intake

    def _survey(self, feed: KafkaConsumer, there: Sequence[TopicPartition]) -> None:
        """Ask Kafka how far the topics are; also how a silent broker is noticed."""
        try:
            ends = feed.end_offsets(there, timeout_ms=3000)
        except KafkaError as error:
            self.problems["kafka"] = f"Kafka does not answer ({type(error).__name__})"
            return
        self.problems.pop("kafka", None)
        lag = dict.fromkeys(self.topics, 0)
        for at in there:
            lag[at.topic] += max(0, ends[at] - feed.position(at))
        self.lag = lag
        for topic, records in lag.items():
            metrics.LAG.labels(topic).set(records)


def _intake(database: TimescaleLog) -> Intake:
    """One that goes on where the database is."""
    return Intake(database.positions(), database.marks(), database.checkpoints())


def _published(milliseconds: int) -> datetime:
    return from_micros(max(milliseconds, 0) * 1000)
