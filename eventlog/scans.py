"""Frames as rows of `scans`: one row a scan, in PostgreSQL's binary COPY format, written by numpy without a loop.

A row of the buffer has a fixed width for one device, source and list of points, so all such frames of a batch are one
structured array. Format: https://www.postgresql.org/docs/17/sql-copy.html (Binary Format); an array value is its
dimensions, a flag for nulls, the element type's oid, length and lower bound, then each element with its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np

from events.readings import Frame
from events.types import EPOCH, from_micros, to_micros

COLUMNS = "time, device, layout, source, sequence, replayed, kafka_offset, values, qualities"
COPY = f"COPY scans ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_FLOAT8 = 701
PG_EPOCH = to_micros(EPOCH.replace(year=2000))
EARLIEST, LATEST = to_micros(EPOCH), to_micros(EPOCH.replace(year=2200))
"""Outside of these a time is a mistake, and would make a partition of the table for each day it names."""
MOST_DAYS = 400
"""A frame that spans more days would make more partitions than the database can bear."""


Placed = tuple[Frame, int]
"""A frame and its offset in the topic; -1 where it did not come through Kafka."""


class UnusableFrameError(ValueError):
    """The frame is whole, but cannot be stored; keep it as a dead letter. `field` says where."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def check(frame: Frame) -> None:
    """Refuse what the database would choke on.

    Raises:
        UnusableFrameError: a time out of range, a text with NUL.
    """
    first, last = int(frame.times[0]), int(frame.times[-1])
    if first < EARLIEST or last >= LATEST:
        wrong = first if first < EARLIEST else last
        raise UnusableFrameError("times", f"{wrong} µs since 1970 is not between 1970 and 2200")
    if last - first > MOST_DAYS * 86_400_000_000:
        raise UnusableFrameError("times", f"from {from_micros(first)} to {from_micros(last)} in one frame")
    for field, text in (("device", frame.device), ("source", frame.source), ("points", "".join(frame.points))):
        if "\0" in text:
            raise UnusableFrameError(field, "contains a NUL character")
    if not -(2**63) <= frame.sequence < 2**63:
        raise UnusableFrameError("sequence", f"{frame.sequence} does not fit 64 bits")


@lru_cache(maxsize=4096)
def layout_of(area: str, points: tuple[str, ...]) -> int:
    """The number of a list of points of an area, the same everywhere: 63 bits of its digest."""
    return int.from_bytes(sha256("\n".join((area, *points)).encode()).digest()[:8], "big") >> 1


def copy_blocks(placed: Iterable[Placed]) -> Iterator[bytes]:
    """The rows of all frames, in blocks of one device, source and layout each; header and trailer are the caller's."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[Placed]] = {}
    for frame, offset in placed:
        groups.setdefault((frame.device, frame.source, frame.area, frame.points), []).append((frame, offset))
    for (device, source, area, points), of_one in groups.items():
        yield _block(_template(device, source, area, points), of_one)


def _block(template: Any, placed: Sequence[Placed]) -> bytes:
    """The rows of frames of one kind. `template`: one row, (1,) structured."""
    frames = [frame for frame, _ in placed]
    several = len(frames) > 1
    counts = [len(f.times) for f in frames]
    rows = np.repeat(template, sum(counts))
    rows["time"] = (np.concatenate([f.times for f in frames]) if several else frames[0].times) - PG_EPOCH
    rows["sequence"] = np.repeat([f.sequence for f in frames], counts)
    rows["replayed"] = np.repeat([f.replayed for f in frames], counts)
    rows["kafka_offset"] = np.repeat([offset for _, offset in placed], counts)
    rows["values"]["value"] = np.concatenate([f.values for f in frames]) if several else frames[0].values
    rows["qualities"] = np.concatenate([f.qualities for f in frames]) if several else frames[0].qualities
    return rows.tobytes()


@lru_cache(maxsize=1024)
def row_type(device: int, source: int, points: int) -> np.dtype[Any]:
    """A row of `COLUMNS` in the format, by the lengths of its texts in bytes and the number of its points."""
    fields: list[Any] = [
        ("fields", ">i2"), ("time_", ">i4"), ("time", ">i8"), ("device_", ">i4"), ("device", "u1", (device,)),
        ("layout_", ">i4"), ("layout", ">i8"), ("source_", ">i4"), ("source", "u1", (source,)),
        ("sequence_", ">i4"), ("sequence", ">i8"), ("replayed_", ">i4"), ("replayed", "u1"),
        ("kafka_offset_", ">i4"), ("kafka_offset", ">i8"), ("values_", ">i4"),
        ("array", ">i4", (5,)), ("values", [("size", ">i4"), ("value", ">f8")], (points,)),
        ("qualities_", ">i4"), ("qualities", "u1", (points,)),
    ]  # fmt: skip
    return np.dtype(fields)


@lru_cache(maxsize=1024)
def _template(device: str, source: str, area: str, points: tuple[str, ...]) -> Any:
    """(1,) structured: a row with all that is the same in each row of the kind."""
    m, device_, source_ = len(points), device.encode(), source.encode()
    row = np.zeros(1, row_type(len(device_), len(source_), m))
    sizes = {
        "fields": 9, "time_": 8, "device_": len(device_), "layout_": 8, "source_": len(source_), "sequence_": 8,
        "replayed_": 1, "kafka_offset_": 8, "values_": 20 + 12 * m, "qualities_": m,
    }  # fmt: skip
    for name, size in sizes.items():
        row[name] = size
    row["device"], row["source"] = np.frombuffer(device_, "u1"), np.frombuffer(source_, "u1")
    row["layout"] = layout_of(area, points)
    row["array"] = (1, 0, _FLOAT8, m, 1)
    row["values"]["size"] = 8
    return row
