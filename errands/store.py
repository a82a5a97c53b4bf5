"""The errands that were taken over, and what became of them: one SQLite file that survives kill -9 and power failures.

The positions in Kafka lie in it too, and move in the transaction that takes over what was read. That an errand begins
is on disk before it does. A crash between the other side's yes and the commit that says so lets it begin once more: a
call then has the same `Idempotency-Key`, a message may be there twice. What was cut off twice is not begun again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from errands.outcome import errand_of
from events.codec import decode_event, encode
from events.envelope import Event, Record
from events.types import to_micros

KEPT = timedelta(days=30)
"""As long as Kafka keeps what would bring them again."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (topic TEXT, partition INTEGER, next INTEGER, last INTEGER,
    PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS errands (errand TEXT PRIMARY KEY, issued BLOB, at INTEGER, begun INTEGER, done INTEGER)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON errands (at) WHERE done = 0;
CREATE TABLE IF NOT EXISTS unsaid (id TEXT PRIMARY KEY, topic TEXT, area TEXT, record BLOB) WITHOUT ROWID;
"""


class Job(Struct, frozen=True):
    """An errand that is not done. Attributes: begun: how often it was."""

    issued: Event
    begun: int


class Unsaid(Struct, frozen=True):
    """What Kafka does not have yet."""

    id: str
    topic: str
    area: str
    record: bytes


class Store:
    """Thread-safe: every call is one transaction, and on disk when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

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

    def position(self, topic: str, partition: int) -> tuple[int | None, int | None]:
        """(next offset, cause of the last decision that counted); None: not known."""
        with self._lock:
            query = "SELECT next, last FROM positions WHERE topic = ? AND partition = ?"
            row = self._db.execute(query, (topic, partition)).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    def move(self, topic: str, partition: int, next_offset: int, last: int | None) -> None:
        with self.transaction():
            row = (topic, partition, next_offset, last)
            self._db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", row)

    def take(self, issued: Event) -> bool:
        """Take an errand over; False: it was before."""
        row = (str(errand_of(issued).errand), encode(issued), to_micros(issued.at))
        with self.transaction():
            return self._db.execute("INSERT OR IGNORE INTO errands VALUES (?, ?, ?, 0, 0)", row).rowcount > 0

    def waiting(self) -> list[Job]:
        """The oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT issued, begun FROM errands WHERE done = 0 ORDER BY at").fetchall()
        return [Job(decode_event(issued), begun) for issued, begun in rows]

    def begin(self, errand: UUID) -> None:
        with self.transaction():
            self._db.execute("UPDATE errands SET begun = begun + 1 WHERE errand = ?", (str(errand),))

    def done(self, errand: UUID) -> None:
        """It is never begun again. Say what became of it in the same transaction."""
        with self.transaction():
            self._db.execute("UPDATE errands SET done = 1 WHERE errand = ?", (str(errand),))

    def say(self, id_: str, topic: str, area: str, record: Record) -> None:
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

    def prune(self, now: datetime) -> None:
        """Forget what is done and so old that it cannot come again."""
        with self.transaction():
            self._db.execute("DELETE FROM errands WHERE done = 1 AND at < ?", (to_micros(now - KEPT),))

    def counts(self) -> dict[str, int]:
        """How many errands are under way, and how much is not said."""
        with self._lock:
            (waiting,) = self._db.execute("SELECT count(*) FROM errands WHERE done = 0").fetchone()
            (unsaid,) = self._db.execute("SELECT count(*) FROM unsaid").fetchone()
        return {"waiting": waiting, "unsaid": unsaid}
