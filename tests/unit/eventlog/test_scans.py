"""Frames in PostgreSQL's binary COPY format, read back by a plain reader of that format."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.scans import UnusableFrameError, check, copy_blocks, layout_of
from events.readings import Frame
from events.types import to_micros
from tests.contract.stories import START, frame

_2000 = 946_684_800_000_000


def rows_of(block: bytes) -> list[list[Any]]:
    rows, at = [], 0
    while at < len(block):
        (fields,) = struct.unpack_from(">h", block, at)
        at += 2
        row: list[bytes] = []
        for _ in range(fields):
            (size,) = struct.unpack_from(">i", block, at)
            row.append(block[at + 4 : at + 4 + size])
            at += 4 + size
        rows.append(row)
    return [_plain(r) for r in rows]


def _plain(row: list[bytes]) -> list[Any]:
    time, device, layout, source, sequence, replayed, offset, values, qualities = row
    dimensions, nulls, oid, length, low = struct.unpack_from(">5i", values)
    assert (dimensions, nulls, oid, low, len(values)) == (1, 0, 701, 1, 20 + 12 * length)
    cells = [struct.unpack_from(">id", values, 20 + 12 * i) for i in range(length)]
    assert {size for size, _ in cells} == {8}
    (micros,), (layout_,), (sequence_,), (offset_,) = (struct.unpack(">q", x) for x in (time, layout, sequence, offset))
    return [
        micros + _2000, device.decode(), layout_, source.decode(), sequence_, bool(replayed[0]), offset_,
        [v for _, v in cells], list(qualities),
    ]  # fmt: skip


def test_frames_come_out_as_they_went_in() -> None:
    frames = [
        frame([[1.5, float("nan")], [2.5, 1.0]], qualities=[[0, 2], [0, 0]]),
        frame([[3.5, 0.0]], sequence=2, seconds=1),
        frame([[7.0]], device="öfen", source="mqtt:öfen", points=("öfen.t",), sequence=2**62),
    ]
    rows = [row for block in copy_blocks(zip(frames, (7, 8, 9), strict=True)) for row in rows_of(block)]
    start = to_micros(START)
    layout = layout_of("plant/press", ("press.pressure", "press.running"))
    assert [str(r) for r in rows] == [
        str([start, "press", layout, "edge-1:j", 1, False, 7, [1.5, float("nan")], [0, 2]]),
        str([start + 100_000, "press", layout, "edge-1:j", 1, False, 7, [2.5, 1.0], [0, 0]]),
        str([start + 1_000_000, "press", layout, "edge-1:j", 2, False, 8, [3.5, 0.0], [0, 0]]),
        str([start, "öfen", layout_of("plant/press", ("öfen.t",)), "mqtt:öfen", 2**62, False, 9, [7.0], [0]]),
    ]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32))
def test_any_shape_comes_out_as_it_went_in(n: int, m: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = [
        Frame(
            area="a", device="d", source="s:1", sequence=i, points=tuple(f"d.p{c}" for c in range(m)),
            times=np.sort(random.integers(0, 2**50, n)), values=random.normal(size=(n, m)), replayed=bool(i % 2),
            qualities=random.integers(0, 4, (n, m)).astype(np.uint8),
        )
        for i in range(count)
    ]  # fmt: skip
    rows = [row for block in copy_blocks([(f, i) for i, f in enumerate(frames)]) for row in rows_of(block)]
    assert [r[0] for r in rows] == [t for f in frames for t in f.times.tolist()]
    assert [r[7] for r in rows] == [v for f in frames for v in f.values.tolist()]
    assert [r[8] for r in rows] == [q for f in frames for q in f.qualities.tolist()]
    assert [(r[4], r[5]) for r in rows] == [(f.sequence, f.replayed) for f in frames for _ in range(n)]


@pytest.mark.parametrize("seconds", [-(10**11), 10**11])
def test_a_time_that_the_table_cannot_hold_is_refused(seconds: int) -> None:
    one = frame([[1.0, 2.0]])
    one.times = one.times + seconds * 1_000_000
    with pytest.raises(UnusableFrameError, match="1970 and 2200"):
        check(one)
