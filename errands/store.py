"""The errands that were taken over, and what became of them: a diary (see `bus.diary`).

That an errand begins is on disk before it does. A crash between the other side's yes and the commit that says so lets
it begin once more: a call then has the same `Idempotency-Key`, a message may be there twice. What was cut off twice is
not begun again.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from bus.diary import KEPT, Diary
from errands.outcome import errand_of
from events.codec import decode_event, encode
from events.envelope import Event
from events.types import to_micros

_SCHEMA = """
CREATE TABLE IF NOT EXISTS errands (errand TEXT PRIMARY KEY, issued BLOB, at INTEGER, begun INTEGER, done INTEGER)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON errands (at) WHERE done = 0;
"""


class Job(Struct, frozen=True):
    """An errand that is not done. Attributes: begun: how often it was."""

    issued: Event
    begun: int


class Store(Diary):
    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

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
