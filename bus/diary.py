"""What a process took over from Kafka, and what it has yet to say there: one SQLite file that survives kill -9 and
power failures.

The positions in Kafka lie in it too, and move in the transaction that takes over what was read: nothing is taken twice
or left out. What is to be said lies there until Kafka has it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from kafka import TopicPartition
from msgspec import Struct

from bus.following import Place
from bus.outbox import Outbox
from events.codec import encode
from events.envelope import Record

KEPT = timedelta(days=30)
"""What is done is remembered as long as Kafka keeps what would bring it again."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (topic TEXT, partition INTEGER, next INTEGER, last INTEGER,
    PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsaid (id TEXT PRIMARY KEY, topic TEXT, area TEXT, record BLOB) WITHOUT ROWID;
"""


class Unsaid(Struct, frozen=True):
    """What Kafka does not have yet."""

    id: str
    topic: str
    area: str
    record: bytes


class Diary:
    """Thread-safe: every call is one transaction, and on disk when it returns. A process adds its own tables."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA + schema)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is called within it happens together or not at all."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def place(self, partition: TopicPartition) -> Place | None:
        """How far the partition was taken over; None: it never was."""
        with self._lock:
            query = "SELECT next, last FROM positions WHERE topic = ? AND partition = ?"
            row = self._db.execute(query, (partition.topic, partition.partition)).fetchone()
        return None if row is None else Place(*row)

    def move(self, partition: TopicPartition, place: Place) -> None:
        with self.transaction():
            row = (partition.topic, partition.partition, *place)
            self._db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", row)

    def say(self, id_: str, topic: str, area: str, record: Record) -> None:
        """Kafka is to have the record, once."""
        with self.transaction():
            self._db.execute("INSERT OR IGNORE INTO unsaid VALUES (?, ?, ?, ?)", (id_, topic, area, encode(record)))

    def unsaid(self, limit: int = 500) -> list[Unsaid]:
        with self._lock:
            rows = self._db.execute("SELECT id, topic, area, record FROM unsaid LIMIT ?", (limit,)).fetchall()
        return [Unsaid(*row) for row in rows]

    def said(self, ids: list[str]) -> None:
        """Kafka has them."""
        with self.transaction():
            self._db.executemany("DELETE FROM unsaid WHERE id = ?", [(id_,) for id_ in ids])


class Saying:
    """Says what a diary has yet to say."""

    def __init__(self, diary: Diary, outbox: Outbox[str]) -> None:
        self._diary, self._outbox = diary, outbox
        self._sending: set[str] = set()

    def turn(self) -> None:
        """Send what is new, forget what Kafka has.

        Raises:
            KafkaError: Kafka is away and there is no room to wait.
        """
        self._outbox.quiet()
        if durable := self._outbox.durable():
            self._diary.said(durable)
            self._sending.difference_update(durable)
        for one in self._diary.unsaid():
            if one.id not in self._sending:
                self._sending.add(one.id)
                self._outbox.send(one.topic, one.area, one.record, one.id)
