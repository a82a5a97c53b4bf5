"""Each inbox again, in order: ticks, frames, decisions of the stage before and all else that lay in it.

Two make it: in memory and from TimescaleDB; tests/contract/test_inboxes.py holds them equal. It comes a stretch at a
time, frames as the database sends them in binary, and numpy cuts them without a loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from msgspec.structs import replace

from eventlog import scans
from eventlog.entry import fact_of
from eventlog.given import Checkpoint, Decided, Input, whole
from eventlog.log import Key, Position
from eventlog.memory import MemoryLog
from eventlog.stretch import Block, Single, Stretch, Ticks
from eventlog.timescale import TimescaleLog
from events.envelope import Event
from events.readings import Frame
from events.topics import READINGS, partition_of
from events.types import to_micros

END = 2**62
_ROWS = 60
"""Rows of ticks to a stretch: about an hour."""


class Inboxes(Protocol):
    def positions(self) -> dict[Key, Position]: ...

    def read(self, key: Key, first: int, end: int = END) -> Iterator[Stretch]:
        """All that lies in the inbox at `first` <= offset < `end`, in order, as far as the log is."""

    def inputs(self, key: Key, first: int, end: int) -> list[Input]:
        """What is kept as it was, at `first` <= offset < `end`."""

    def tick_from(self, key: Key, at: datetime) -> int | None:
        """Offset of the first tick that is not before `at`; None when there is none."""

    def kept(self, key: Key, at: datetime) -> Iterator[Checkpoint]:
        """Checkpoints of the inbox up to `at`, newest first."""

    def decided(self, key: Key, first: int, end: int = END) -> dict[int, Decided]:
        """The decisions in the topic's partition, by cause, on inputs at `first` <= offset < `end`."""

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        """The lines of the log with these ids."""


class MemoryInboxes:
    """Of a log in memory: says what the other one must do."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def positions(self) -> dict[Key, Position]:
        return self._log.positions()

    def read(self, key: Key, first: int, end: int = END) -> Iterator[Stretch]:
        log = self._log
        end = min(end, log.positions().get(key, Position()).next)
        others: list[Single] = [(i.offset, i) for i in self.inputs(key, first, end)]
        others += [(d.offset, d) for d in log.decided.values() if d.key == key and first <= d.offset < end]
        ticks = [(o, micros) for o, micros in self._ticks(key) if first <= o < end]
        blocks = []
        if key[0] == READINGS:
            here = [(f, o) for f, o in log.placed if first <= o < end and partition_of(f.area) == key[1]]
            for kind in sorted({_kind(f) for f, _ in here}):
                blocks.append(_block([placed for placed in here if _kind(placed[0]) == kind]))
        if first < end:
            yield Stretch(first, end, _run(ticks), blocks, sorted(others, key=lambda one: one[0]))

    def inputs(self, key: Key, first: int, end: int) -> list[Input]:
        here = (i for i in self._log.inputs.values() if i.key == key and first <= i.offset < end)
        return [replace(i, body=whole(i.body, self._log.definitions)) for i in sorted(here, key=lambda i: i.offset)]

    def tick_from(self, key: Key, at: datetime) -> int | None:
        return min((offset for offset, micros in self._ticks(key) if micros >= to_micros(at)), default=None)

    def kept(self, key: Key, at: datetime) -> Iterator[Checkpoint]:
        here = [c for c in self._log.kept.values() if c.key == key and c.at <= at]
        yield from sorted(here, key=lambda c: c.position, reverse=True)

    def decided(self, key: Key, first: int, end: int = END) -> dict[int, Decided]:
        return {d.cause: d for d in self._log.decided.values() if d.key == key and first <= d.cause < end}

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        wanted = set(ids)
        return {line.id: line.event for line in self._log.lines if line.id in wanted and line.event is not None}

    def _ticks(self, key: Key) -> Iterator[tuple[int, int]]:
        """Offset and time [us] of each, in order."""
        rows = sorted((row for row in self._log.ticks.values() if row.key == key), key=lambda row: row.offsets)
        return (tick for row in rows for tick in zip(row.offsets, row.micros, strict=True))


class TimescaleInboxes:
    """Of the database; it is only read."""

    def __init__(self, log: TimescaleLog) -> None:
        self._log, self._connection = log, log.connection
        rows = self._all("SELECT id, area, points FROM layouts WHERE area IS NOT NULL")
        self._layouts: dict[int, tuple[str, str, int]] = {r[0]: (r[1], "\n".join(r[2]), len(r[2])) for r in rows}
        self._definitions: dict[bytes, bytes] = {
            bytes(d): bytes(b) for d, b in self._all("SELECT digest, body FROM definitions")
        }

    def positions(self) -> dict[Key, Position]:
        return self._log.positions()

    def read(self, key: Key, first: int, end: int = END) -> Iterator[Stretch]:
        end = min(end, self.positions().get(key, Position()).next)
        while first < end:
            until, ticks = self._ticks(key, first, end)
            others: list[Single] = [(given.offset, given) for given in self.inputs(key, first, until)]
            query = f"SELECT cause, kafka_offset, events FROM decisions WHERE {_WHERE}"
            rows = self._all(query, (*key, first, until))
            others += [(o, Decided(key, cause, o, tuple(ids))) for cause, o, ids in rows]
            blocks = list(self._blocks(key[1], first, until)) if key[0] == READINGS else []
            yield Stretch(first, until, ticks, blocks, sorted(others, key=lambda one: one[0]))
            first = until

    def inputs(self, key: Key, first: int, end: int) -> list[Input]:
        query = f"SELECT kafka_offset, published_at, body FROM inputs WHERE {_WHERE} ORDER BY kafka_offset"
        rows = self._all(query, (*key, first, end))
        return [Input(key, o, published_at, whole(bytes(raw), self._definitions)) for o, published_at, raw in rows]

    def tick_from(self, key: Key, at: datetime) -> int | None:
        rows = self._all(
            """SELECT first_offset, first_at, offsets, micros FROM ticks WHERE topic = %s AND partition = %s
               AND first_offset >= coalesce((SELECT max(first_offset) FROM ticks WHERE topic = %s AND partition = %s
                 AND first_at < %s), 0) ORDER BY first_offset LIMIT 2""", (*key, *key, at),
        )  # fmt: skip
        return next((offset for row in rows for offset, micros in _of_row(*row) if micros >= to_micros(at)), None)

    def kept(self, key: Key, at: datetime) -> Iterator[Checkpoint]:
        rows = self._all(
            "SELECT position, at FROM checkpoints WHERE topic = %s AND partition = %s AND at <= %s"
            " ORDER BY position DESC", (*key, at),
        )  # fmt: skip
        for position, when in rows:
            (raw,) = self._all(
                "SELECT snapshot FROM checkpoints WHERE topic = %s AND partition = %s AND position = %s",
                (*key, position),
            )
            yield Checkpoint(key, position, when, bytes(raw[0]))

    def decided(self, key: Key, first: int, end: int = END) -> dict[int, Decided]:
        rows = self._all(
            "SELECT cause, kafka_offset, events FROM decisions WHERE topic = %s AND partition = %s AND cause >= %s"
            " AND cause < %s", (*key, first, end),
        )  # fmt: skip
        return {cause: Decided(key, cause, offset, tuple(ids)) for cause, offset, ids in rows}

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        rows = self._all(
            "SELECT id, time, area, cause, author, payload::text FROM events WHERE id = ANY(%s)", (list(ids),)
        )
        return {r[0]: Event(r[0], r[1], r[2], r[3], r[4], fact_of(r[5].encode())) for r in rows}

    def _ticks(self, key: Key, first: int, end: int) -> tuple[int, Ticks]:
        """Those of about an hour from `first` on, and where that hour ends."""
        rows = self._all(
            """SELECT first_offset, first_at, offsets, micros FROM ticks WHERE topic = %s AND partition = %s
               AND first_offset >= coalesce((SELECT max(first_offset) FROM ticks WHERE topic = %s AND partition = %s
                 AND first_offset <= %s), 0) ORDER BY first_offset LIMIT %s""", (*key, *key, first, _ROWS + 1),
        )  # fmt: skip
        end = min(end, rows[_ROWS][0]) if len(rows) > _ROWS else end
        return end, _run((o, micros) for row in rows[:_ROWS] for o, micros in _of_row(*row) if first <= o < end)

    def _blocks(self, partition: int, first: int, end: int) -> Iterator[Block]:
        here = [i for i, (area, _, _) in self._layouts.items() if partition_of(area) == partition]
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            kinds = cursor.execute(_FRAMES, (first, end, here)).fetchall()
        for layout, device, source, rows in kinds:
            area, points, m = self._layouts[layout]
            yield _of_rows(np.frombuffer(rows, _row_type(m)), area, device, source, points)

    def _all(self, query: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            return self._connection.execute(query, given).fetchall()


_FRAMES = """
SELECT layout, device, source, string_agg(
  timestamptz_send(time) || int8send(sequence) || boolsend(replayed) || int8send(kafka_offset) || array_send(values)
  || qualities, ''::bytea ORDER BY kafka_offset, time, ctid)
FROM scans WHERE kafka_offset >= %s AND kafka_offset < %s AND layout = ANY(%s::bigint[]) GROUP BY 1, 2, 3
"""
"""One row for each kind of frame, all its scans in one value: a row of fixed width each."""
_WHERE = "topic = %s AND partition = %s AND kafka_offset >= %s AND kafka_offset < %s"


def _of_row(first: int, at: datetime, offsets: Sequence[int], micros: Sequence[int]) -> Iterator[tuple[int, int]]:
    base = to_micros(at)
    return ((first + o, base + m) for o, m in zip(offsets, micros, strict=True))


def _run(ticks: Iterable[tuple[int, int]]) -> Ticks:
    offsets, micros = np.array([*ticks], np.int64).reshape(-1, 2).T
    return Ticks(offsets, micros)


def _kind(f: Frame) -> tuple[object, ...]:
    return f.area, f.device, f.source, f.points


def _block(placed: Sequence[scans.Placed]) -> Block:
    """Frames of one kind, with their offsets."""
    frames, counts = [f for f, _ in placed], [len(f.times) for f, _ in placed]
    f = frames[0]
    return Block(
        f.area, f.device, f.source, "\n".join(f.points), np.concatenate([f.times for f in frames]),
        np.concatenate([f.values for f in frames]), np.concatenate([f.qualities for f in frames]),
        np.repeat([offset for _, offset in placed], counts), np.repeat([f.sequence for f in frames], counts),
        np.repeat([f.replayed for f in frames], counts),
    )  # fmt: skip


def _row_type(points: int) -> np.dtype[Any]:
    """A row of `_FRAMES`. An array value is as in `eventlog.scans`."""
    return np.dtype([
        ("time", ">i8"), ("sequence", ">i8"), ("replayed", "u1"), ("offset", ">i8"), ("array", ">i4", (5,)),
        ("values", [("size", ">i4"), ("value", ">f8")], (points,)), ("qualities", "u1", (points,)),
    ])  # fmt: skip


def _of_rows(rows: Any, area: str, device: str, source: str, points: str) -> Block:
    """rows: (n,) of `_row_type`."""
    return Block(
        area, device, source, points, rows["time"].astype("<i8") + scans.PG_EPOCH,
        np.ascontiguousarray(rows["values"]["value"], "<f8"), np.ascontiguousarray(rows["qualities"]),
        rows["offset"].astype(np.int64), rows["sequence"].astype(np.int64), rows["replayed"].astype(bool),
    )  # fmt: skip
