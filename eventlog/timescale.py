"""The log in PostgreSQL with TimescaleDB (Apache edition). psycopg without a layer above: this is the hot path.

Appends of events take the lock of the log's head first, so positions come out in the order of commits: who reads
behind a position never misses a line that commits later with a lower one. Not thread-safe: one log a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from itertools import repeat
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from eventlog import given_statements, scans, statements
from eventlog.entry import GENESIS, Recorded, link
from eventlog.log import Appended, Batch, ChainBrokenError, Key, Position
from eventlog.projections import KEYS, REBUILT, Change, changes, merge
from eventlog.unnumbered import Newest, cells, without
from events.readings import Frame, is_numbered

_PAGE = 5000
_HEAD = ", ".join(f"(SELECT h.{c} FROM chain_heads h WHERE h.area = events.area)" for c in ("events", "hash"))


class TimescaleLog:
    """Attributes: connection: for whoever needs a lock or a question on the same session."""

    def __init__(self, database_url: str) -> None:
        """Raises: psycopg.OperationalError: the database does not answer."""
        self.connection = connect(database_url)
        self._newest = Newest()
        self._layouts: set[int] = set()

    def close(self) -> None:
        self.connection.close()

    def try_lock(self, name: str) -> bool:
        """Take the session's lock of that name, without waiting; it ends with the connection."""
        number = int.from_bytes(sha256(f"andon {name}".encode()).digest()[:8], "big", signed=True)
        with self.connection.transaction():
            row = self.connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone()
        return bool(row and row[0])

    def append(self, batch: Batch) -> Appended:
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                statements.advance(cursor, batch.advances)
                lines = statements.append_entries(cursor, batch.entries) if batch.entries else []
                statements.apply(cursor, merge(c for line in lines for c in changes(line)))
                frames = self._append_frames(cursor, batch) if batch.frames else []
                letters = statements.append_letters(cursor, batch.letters)
                statements.see(cursor, batch.marks, batch.sources)
                given_statements.keep(cursor, batch.given)
        except BaseException:
            self._newest.clear()  # it may know of frames that were not written
            self._layouts.clear()
            raise
        rows, readings = sum(len(f.times) for f in frames), sum(f.readings for f in frames)
        return Appended(entries=len(lines), scans=rows, readings=readings, letters=letters)

    def read(
        self, *, after: int = 0, area: str | None = None, since: datetime | None = None, until: datetime | None = None,
        type: str | None = None, cause: UUID | None = None, stream: str | None = None, limit: int = 1000,
    ) -> list[Recorded]:  # fmt: skip
        like = type is not None and type.endswith("*")
        wanted = type.removesuffix("*").replace("_", r"\_") + "%" if type is not None and like else type
        conditions: list[tuple[str, object]] = [
            ("position > %s", after), ("area = %s", area), ("time >= %s", since), ("time < %s", until),
            ("type LIKE %s" if like else "type = %s", wanted), ("cause = %s", cause), ("stream = %s", stream),
        ]  # fmt: skip
        given = [(c, v) for c, v in conditions if v is not None]
        where = " AND ".join(c for c, _ in given)
        query = f"SELECT {statements.SELECT} FROM events WHERE {where} ORDER BY position LIMIT %s"
        with self.connection.transaction():
            rows = self.connection.execute(query, [*(v for _, v in given), limit])
            return [statements.line(row) for row in rows]

    def positions(self) -> dict[Key, Position]:
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT topic, partition, next_offset, last_cause, tick_at, whole_since FROM positions"
            )
            return {(r[0], r[1]): Position(next=r[2], last=r[3], tick_at=r[4], whole_since=r[5]) for r in rows}

    def marks(self) -> dict[Key, int]:
        with self.connection.transaction():
            rows = self.connection.execute("SELECT source, partition, sequence FROM marks")
            return {(r[0], r[1]): r[2] for r in rows}

    def checkpoints(self) -> Mapping[Key, datetime]:
        with self.connection.transaction():
            rows = self.connection.execute("SELECT topic, partition, max(at) FROM checkpoints GROUP BY 1, 2")
            return {(r[0], r[1]): r[2] for r in rows}

    def verify(self, area: str) -> int:
        hash_, count, last = GENESIS, 0, 0
        with self.connection.transaction(), self.connection.cursor() as cursor:
            found = cursor.execute("SELECT events, hash FROM chain_heads WHERE area = %s", (area,)).fetchone()
            head = list(found or (0, GENESIS))
            for line, *beside in self._stream("WHERE area = %s", (area,), f", {_HEAD}"):
                head = beside  # of the same snapshot as the lines, however long it takes
                hash_, count, last = link(hash_, line), count + 1, line.position
                if hash_ != line.hash:
                    raise ChainBrokenError(area, last, "its hash does not fit what it says")
        if [count, hash_] != head:
            raise ChainBrokenError(area, last, "the last line is not the head")
        return count

    def rebuild(self) -> int:
        count = 0
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute("SELECT position FROM log_head FOR UPDATE")  # no event is appended meanwhile
            for table in REBUILT:
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            page: list[Change] = []
            for (line,) in self._stream("", ()):
                count += 1
                page += changes(line)
                if len(page) >= _PAGE:
                    statements.apply(cursor, merge(page))
                    page.clear()
            statements.apply(cursor, merge(page))
        return count

    def rows(self, table: str) -> list[dict[str, Any]]:
        key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(k)) for k in KEYS[table])
        query = sql.SQL("SELECT * FROM {} ORDER BY {}").format(sql.Identifier(table), key)
        with self.connection.transaction(), self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query).fetchall()

    def _stream(self, where: str, given: Sequence[object], more: str = "") -> Iterator[tuple[Any, ...]]:
        """Lines in order, in pages, each with the columns `more`: for a whole log. Within a transaction."""
        query = f"SELECT {statements.SELECT}{more} FROM events {where} ORDER BY position"
        with self.connection.cursor(name="lines") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(query, given)
            for row in cursor:
                yield statements.line(row), *row[statements.WIDTH :]

    def _append_frames(self, cursor: psycopg.Cursor[Any], batch: Batch) -> list[Frame]:
        """Write the frames that are new; those."""
        placed = list(zip(batch.frames, batch.offsets or repeat(-1), strict=False))
        new = [p for p in placed if is_numbered(p[0].source)] + self._unsaid(cursor, placed)
        layouts = {scans.layout_of(f.area, f.points): (f.area, list(f.points)) for f, _ in new}
        if missing := layouts.keys() - self._layouts:
            cursor.executemany(
                "INSERT INTO layouts (id, area, points) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [(i, *layouts[i]) for i in sorted(missing)],
            )
            self._layouts |= missing
        if new:
            with cursor.copy(scans.COPY) as copy:
                copy.write(scans.HEADER)
                for block in scans.copy_blocks(new):
                    copy.write(block)
                copy.write(scans.TRAILER)
        return [frame for frame, _ in new]

    def _unsaid(self, cursor: psycopg.Cursor[Any], placed: Iterable[scans.Placed]) -> list[scans.Placed]:
        """Of the frames of unnumbered sources what the log does not have."""
        new: list[scans.Placed] = []
        for frame, offset in placed:
            if is_numbered(frame.source):
                continue
            if not self._newest.surely_new(frame):
                known = statements.known(cursor, frame)
                for other, _ in new:
                    if other.device == frame.device:
                        for _, _, cell, now in cells(other):
                            known.setdefault(cell, set()).add(now)
                left = without(frame, known)
                if left is None:
                    continue
                frame = left
            self._newest.note(frame)
            new.append((frame, offset))
        return new


def connect(database_url: str) -> psycopg.Connection[Any]:
    """A session at the address of a SQLAlchemy URL.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    url = make_url(database_url)
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(
        address, connect_timeout=5, keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
        application_name="andon log", options="-c timezone=UTC -c lock_timeout=15s",
    )  # fmt: skip


@contextmanager
def opened(database_url: str) -> Iterator[TimescaleLog]:
    """A log that is closed in the end."""
    log = TimescaleLog(database_url)
    try:
        yield log
    finally:
        log.close()
