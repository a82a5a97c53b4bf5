"""One transaction on the journal: numbers for records, room for them, and what is told when there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import pairwise

from msgspec import Struct

from edge.errors import ForeignConfirmationError, RecordTooLargeError
from events import codec
from events.devices import RecordsLost
from events.envelope import Reported, event
from events.types import from_micros, make_id

Build = Callable[[str, int], bytes]
"""(source, sequence) -> the record's bytes: a record contains its number."""

RECORD_LIMIT = 1_000_000
OVERHEAD = 40
"""Bytes of a row besides its body, about."""
RESERVE = 4096
"""How many numbers are set aside with one sync."""
_CHUNK = 1000


class Counters(Struct):
    """What the journal knows without asking its file.

    Attributes:
        last: the highest number given; confirmed: the plant has all up to it.
        reserved: numbers up to it are set aside on disk, synced: after a power failure the journal goes on above it.
        size: bytes of all records; lost: records dropped since the start.
    """

    last: int = 0
    confirmed: int = 0
    reserved: int = 0
    size: int = 0
    lost: int = 0


class Transaction:
    """What an operation may do; all of it counts, or nothing."""

    def __init__(
        self, connection: sqlite3.Connection, *, edge: str, source: str, now: int, counters: Counters, limit: int
    ) -> None:
        self.execute = connection.execute
        self.now = now
        """Micros since the epoch, when the transaction began."""
        self.counters = counters
        self.source = source
        self._edge, self._limit = edge, limit

    @property
    def next(self) -> int:
        """The number that the next record gets."""
        return self.counters.last + 1

    def append(self, kind: str, build: Build) -> int:
        """Number the record and keep it. Kind: "frame" or "events", as in `events.topics.up_topic`.

        Raises:
            RecordTooLargeError: the bytes exceed `RECORD_LIMIT`; no number is used up.
        """
        sequence = self.next
        body = build(self.source, sequence)
        if len(body) > RECORD_LIMIT:
            raise RecordTooLargeError(len(body), RECORD_LIMIT)
        self._insert(sequence, sequence, kind, body)
        self.counters.last = sequence
        return sequence

    def confirm(self, up_to: int) -> None:
        """Forget what the plant has.

        Raises:
            ForeignConfirmationError: it cannot be from this journal.
        """
        if up_to > self.counters.last:
            raise ForeignConfirmationError(self.source, up_to, self.counters.last)
        if up_to > self.counters.confirmed:
            self._delete("sequence <= ?", (up_to,))
            self.counters.confirmed = up_to

    def put(self, key: str, value: bytes) -> None:
        """Keep a state under its key."""
        self.execute("INSERT INTO states VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value))

    def make_room(self) -> None:
        """Drop the oldest records beyond the limit, each stretch replaced by the fact that it is lost.

        Frames first: what is known of alarms, commands and devices goes only when there is nothing else.
        """
        if self.counters.size <= self._limit:
            return
        target = self._limit * 9 // 10
        for kinds in ("'frame', 'loss'", "'frame', 'loss', 'events'"):
            after = 0
            while self.counters.size > target:
                rows = self.execute(
                    "SELECT sequence, first, kind, length(body) FROM records WHERE sequence > ? AND sequence < ?"
                    f" AND kind IN ({kinds}) ORDER BY sequence LIMIT ?",
                    (after, self.counters.last, _CHUNK),
                ).fetchall()
                if not rows:
                    break
                after = rows[-1][0] if len(rows) == 1 else rows[-2][0]  # the last may begin the next stretch
                for stretch in _stretches(rows):
                    if self.counters.size > target and len(stretch) > 1:
                        after = max(after, self._drop(stretch, target) - 1)

    def skip_reserved(self) -> None:
        """After a power failure: numbers that may have been given before are never given again."""
        first, last = self.counters.last + 1, self.counters.reserved
        reason = "power failed: records that had not reached the disk are gone, at most these numbers"
        self._insert(last + 1, first, "loss", self._loss(first, last, last + 1, reason))
        self.counters.last = last + 1

    def reserve(self) -> None:
        self.counters.reserved = self.counters.last + RESERVE

    def _drop(self, stretch: list[tuple[int, int, str, int]], target: int) -> int:
        """Replace rows of the stretch by a loss, from its oldest, until the target is met; the loss' number."""
        excess, taken = self.counters.size - target + RECORD_LIMIT // 1000, 0
        rows: list[tuple[int, int, str, int]] = []
        for row in stretch:
            rows.append(row)
            taken += row[3] + OVERHEAD
            if taken > excess and len(rows) > 1:
                break
        first, last = rows[0][1], rows[-1][0]
        gone = sum(row[2] != "loss" for row in rows)
        self._delete("sequence BETWEEN ? AND ?", (rows[0][0], last))
        reason = "the journal's size limit was reached: the oldest were dropped, and the record whose number this has"
        self._insert(last, first, "loss", self._loss(first, last - 1, last, reason))
        self.counters.lost += gone
        return last

    def _loss(self, first: int, last: int, sequence: int, reason: str) -> bytes:
        fact = RecordsLost(source=self.source, first=first, last=last, reason=reason)
        cause = make_id("loss", self.source, first, last)
        told = event(fact, at=from_micros(self.now), area="*", cause=cause, author=f"edge {self._edge}", index=0)
        return codec.encode(Reported(self.source, sequence, (told,)))

    def _insert(self, sequence: int, first: int, kind: str, body: bytes) -> None:
        self.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", (sequence, first, self.now, kind, body))
        self.counters.size += len(body) + OVERHEAD

    def _delete(self, which: str, arguments: tuple[int, ...]) -> None:
        query = f"SELECT count(*), coalesce(sum(length(body)), 0) FROM records WHERE {which}"
        count, size = self.execute(query, arguments).fetchone()
        self.execute(f"DELETE FROM records WHERE {which}", arguments)
        self.counters.size -= size + OVERHEAD * count


def _stretches(rows: list[tuple[int, int, str, int]]) -> list[list[tuple[int, int, str, int]]]:
    """The rows, parted where a number in between is kept."""
    stretches = [rows[:1]]
    for before, row in pairwise(rows):
        if row[1] == before[0] + 1:
            stretches[-1].append(row)
        else:
            stretches.append([row])
    return stretches
