"""Each inbox again, in order: ticks, frames, decisions of the stage before and all else that lay in it.

Two make it: in memory and from TimescaleDB; tests/contract/test_inboxes.py holds them equal. Frames come as the
database sends them in binary, a stretch of ticks at a time, and numpy cuts them without a loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import numpy as np
from msgspec.structs import replace

from eventlog import scans
from eventlog.entry import fact_of
from eventlog.given import Checkpoint, Decided, Input, whole
from eventlog.log import Key, Position
from eventlog.memory import MemoryLog
from eventlog.timescale import TimescaleLog
from events.codec import encode
from events.envelope import Event
from events.readings import Frame, Packed
from events.topics import READINGS, partition_of
from events.types import from_micros, to_micros


class Block:
    """Frames of one device, source and list of points, in order; a row for each scan.

    Attributes: points: joined as in `Packed`; times (n,) int64, values (n, m), qualities (n, m) as in a frame; offsets,
    sequences (n,) int64 and replayed (n,): of the frame of each row.
    """

    def __init__(
        self, area: str, device: str, source: str, points: str, times: Any, values: Any, qualities: Any, offsets: Any,
        sequences: Any, replayed: Any,
    ) -> None:  # fmt: skip
        self.area, self.device, self.source, self.points = area, device, source, points
        self.times, self.values, self.qualities = times, values, qualities
        self.offsets, self.sequences, self.replayed = offsets, sequences, replayed

    def frames(self) -> Iterator[Item]:
        cuts = [0, *(np.flatnonzero(self.offsets[1:] != self.offsets[:-1]) + 1).tolist(), len(self.offsets)]
        places = self.offsets[cuts[:-1]].tolist()
        return ((at, Scans(self, a, b)) for at, (a, b) in zip(places, pairwise(cuts), strict=True))


class Scans(NamedTuple):
    """A frame: the rows first <= row < end of its block."""

    block: Block
    first: int
    end: int

    def raw(self) -> bytes:
        """As it lay in the topic."""
        block, a, b = self
        return encode(Packed(
            block.area, block.device, block.source, int(block.sequences[a]), bool(block.replayed[a]), block.points,
            block.times[a:b].tobytes(), block.values[a:b].tobytes(), block.qualities[a:b].tobytes(),
        ))  # fmt: skip


Item = tuple[int, datetime | Scans | Input | Decided]
"""Offset, and what lies there: a tick's time, a frame, a decision of the stage before, or another record
(its body is whole)."""
_ROWS = 60
"""Rows of ticks to a stretch: about an hour."""


class Inboxes(Protocol):
    def positions(self) -> dict[Key, Position]: ...

    def read(self, key: Key, first: int) -> Iterator[Item]:
        """All that lies in the inbox from the offset `first` on, in order, as far as the log is."""

    def inputs(self, key: Key, first: int, end: int) -> list[Input]:
        """What is kept as it was, at `first` <= offset < `end`."""

    def tick_from(self, key: Key, at: datetime) -> int | None:
        """Offset of the first tick that is not before `at`; None when there is none."""

    def kept(self, key: Key, at: datetime) -> Iterator[Checkpoint]:
        """Checkpoints of the inbox up to `at`, newest first."""

    def decided(self, key: Key) -> dict[int, Decided]:
        """The decisions in the topic's partition, by cause."""

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        """The lines of the log with these ids."""


class MemoryInboxes:
    """Of a log in memory: says what the other one must do."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def positions(self) -> dict[Key, Position]:
        return self._log.positions()

    def read(self, key: Key, first: int) -> Iterator[Item]:
        log = self._log
        items: list[Item] = [(i.offset, i) for i in self.inputs(key, first, 2**62)]
        items += [
            (offset, from_micros(micros))
            for row in log.ticks.values() if row.key == key
            for offset, micros in zip(row.offsets, row.micros, strict=True)
        ]  # fmt: skip
        items += [(d.offset, d) for d in log.decided.values() if d.key == key]
        if key[0] == READINGS:
            here = [(f, o) for f, o in log.placed if o >= first and partition_of(f.area) == key[1]]
            for kind in sorted({_kind(f) for f, _ in here}):
                items += _block([placed for placed in here if _kind(placed[0]) == kind]).frames()
        yield from sorted((i for i in items if i[0] >= first), key=lambda i: i[0])

    def inputs(self, key: Key, first: int, end: int) -> list[Input]:
        here = (i for i in self._log.inputs.values() if i.key == key and first <= i.offset < end)
        return [replace(i, body=whole(i.body, self._log.definitions)) for i in sorted(here, key=lambda i: i.offset)]

    def tick_from(self, key: Key, at: datetime) -> int | None:
        ticks = (t for row in self._log.ticks.values() if row.key == key
                 for t in zip(row.offsets, row.micros, strict=True))  # fmt: skip
        return min((offset for offset, micros in ticks if micros >= to_micros(at)), default=None)

    def kept(self, key: Key, at: datetime) -> Iterator[Checkpoint]:
        here = [c for c in self._log.kept.values() if c.key == key and c.at <= at]
        yield from sorted(here, key=lambda c: c.position, reverse=True)

    def decided(self, key: Key) -> dict[int, Decided]:
        return {d.cause: d for d in self._log.decided.values() if d.key == key}

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        wanted = set(ids)
        return {line.id: line.event for line in self._log.lines if line.id in wanted and line.event is not None}


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

    def read(self, key: Key, first: int) -> Iterator[Item]:
        while (stretch := self._stretch(key, first)) is not None:
            end, items = stretch
            items += [(given.offset, given) for given in self.inputs(key, first, end)]
            query = f"SELECT cause, kafka_offset, events FROM decisions WHERE {_WHERE}"
            items += [(o, Decided(key, cause, o, tuple(ids))) for cause, o, ids in self._all(query, (*key, first, end))]
            if key[0] == READINGS:
                items += self._frames(key[1], first, end)
            items.sort(key=lambda i: i[0])
            yield from items
            first = end

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
        return next((offset for row in rows for offset, when in _ticks(*row) if when >= at), None)

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

    def decided(self, key: Key) -> dict[int, Decided]:
        rows = self._all("SELECT cause, kafka_offset, events FROM decisions WHERE topic = %s AND partition = %s", key)
        return {cause: Decided(key, cause, offset, tuple(ids)) for cause, offset, ids in rows}

    def events(self, ids: Iterable[UUID]) -> dict[UUID, Event]:
        rows = self._all(
            "SELECT id, time, area, cause, author, payload::text FROM events WHERE id = ANY(%s)", (list(ids),)
        )
        return {r[0]: Event(r[0], r[1], r[2], r[3], r[4], fact_of(r[5].encode())) for r in rows}

    def _stretch(self, key: Key, first: int) -> tuple[int, list[Item]] | None:
        """Where the stretch from `first` on ends, and its ticks; None at the end of the log."""
        last = self.positions().get(key, Position()).next
        if first >= last:
            return None
        rows = self._all(
            """SELECT first_offset, first_at, offsets, micros FROM ticks WHERE topic = %s AND partition = %s
               AND first_offset >= coalesce((SELECT max(first_offset) FROM ticks WHERE topic = %s AND partition = %s
                 AND first_offset <= %s), 0) ORDER BY first_offset LIMIT %s""", (*key, *key, first, _ROWS + 1),
        )  # fmt: skip
        end = rows[_ROWS][0] if len(rows) > _ROWS else last
        ticks = (tick for row in rows[:_ROWS] for tick in _ticks(*row))
        return end, [(offset, when) for offset, when in ticks if first <= offset < end]

    def _frames(self, partition: int, first: int, end: int) -> Iterator[Item]:
        here = [i for i, (area, _, _) in self._layouts.items() if partition_of(area) == partition]
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            kinds = cursor.execute(_FRAMES, (first, end, here)).fetchall()
        for layout, device, source, rows in kinds:
            area, points, m = self._layouts[layout]
            yield from _of_rows(np.frombuffer(rows, _row_type(m)), area, device, source, points).frames()

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


def _ticks(first: int, at: datetime, offsets: Sequence[int], micros: Sequence[int]) -> Iterator[tuple[int, datetime]]:
    base = to_micros(at)
    return ((first + o, from_micros(base + m)) for o, m in zip(offsets, micros, strict=True))


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
