"""Many scans of one window at once: what `Windows` says sample by sample, in a few passes of numpy. Bit for bit.

Sums run in the order of the samples within each sub-bucket, and over the sub-buckets in the order of the ring: so not
even the last bit differs, and who steps scan by scan and who steps an hour at once say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BUCKETS = 64
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sums = dict[str, Floats]
FIELDS = ("count", "total", "square", "least", "most", "first")


class Ring(NamedTuple):
    """The sub-buckets of one window. number, first_at: (64,) int64; sums: by field (64,); shift: see `Windows`."""

    number: Ints
    first_at: Ints
    sums: Sums
    shift: float


def take(ring: Ring, bucket: Ints, at: Ints, value: Floats) -> tuple[Ring, Ints, Callable[[str], Any]]:
    """`n` samples, none of which is the first after a silence: bucket (n,) ascending, at (n,) [us], value (n,).

    Returns: the ring after them; (n, 64) the number of the bucket of each of its slots after each sample; and by field,
    or "first_at", what was in it then, (n, 64): no function of a window asks for all of them.
    """
    starts = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    size = np.diff(np.r_[starts, len(bucket)])
    slots = bucket[starts] % BUCKETS
    running = _running(ring, bucket, value, starts, size, slots)
    first_at = at[starts].copy()
    if ring.number[slots[0]] == bucket[0]:
        first_at[0] = ring.first_at[slots[0]]
    # bucket -> place: those of the ring before, then those of these samples
    base = int(bucket[0]) - BUCKETS + 1
    place = np.full(int(bucket[-1]) - base + 1, -1, np.intp)
    known = ring.number >= base
    place[ring.number[known] - base] = np.flatnonzero(known)
    place[bucket[starts] - base] = BUCKETS + np.arange(len(starts))
    wanted = bucket[:, None] - (bucket[:, None] - np.arange(BUCKETS)) % BUCKETS
    where = place[wanted - base]
    here = np.arange(len(bucket)), bucket % BUCKETS
    ends = {field: running[field][starts + size - 1] for field in FIELDS}

    def of(field: str) -> Any:
        if field == "first_at":
            return np.concatenate((ring.first_at, first_at))[where]
        then = np.concatenate((ring.sums[field], ends[field]))[where]
        then[here] = running[field]
        return then

    number = np.where(where >= 0, wanted, -(2**62))
    return _after(ring, bucket[starts], slots, first_at, ends), number, of


def _running(ring: Ring, bucket: Ints, value: Floats, starts: Any, size: Any, slots: Any) -> Sums:
    """By field (n,): what the bucket of each sample is with it."""
    n, moved = len(value), value - ring.shift
    parts = {"count": np.ones(n), "total": 0.0 + moved, "square": moved * moved, "least": value.copy(),
             "most": value.copy(), "first": value.copy()}  # fmt: skip
    if ring.number[slots[0]] == bucket[0]:  # it goes on
        old = {field: ring.sums[field][slots[0]] for field in FIELDS}
    else:
        old = {"count": 0.0, "total": 0.0, "square": 0.0, "least": value[0], "most": value[0], "first": value[0]}
    _join(parts, 0, old)
    if len(size) < size.max():  # long buckets: one after the other
        for begin, many in zip(starts.tolist(), size.tolist(), strict=True):
            part = slice(begin, begin + many)
            for field in ("count", "total", "square"):
                parts[field][part] = np.add.accumulate(parts[field][part])
            parts["least"][part] = np.minimum.accumulate(parts["least"][part])
            parts["most"][part] = np.maximum.accumulate(parts["most"][part])
            parts["first"][part] = parts["first"][begin]
    else:  # many short ones: the second sample of all of them, then the third
        for k in range(1, int(size.max())):
            rows = starts[size > k] + k
            for field in ("count", "total", "square"):
                parts[field][rows] = parts[field][rows - 1] + parts[field][rows]
            parts["least"][rows] = np.minimum(parts["least"][rows - 1], parts["least"][rows])
            parts["most"][rows] = np.maximum(parts["most"][rows - 1], parts["most"][rows])
            parts["first"][rows] = parts["first"][rows - 1]
    return parts


def _join(parts: Sums, row: int, old: dict[str, Any]) -> None:
    for field in ("count", "total", "square"):
        parts[field][row] = old[field] + parts[field][row]
    parts["least"][row] = min(old["least"], parts["least"][row])
    parts["most"][row] = max(old["most"], parts["most"][row])
    parts["first"][row] = old["first"]


def _after(ring: Ring, numbers: Ints, slots: Any, first_at: Ints, ends: Sums) -> Ring:
    """The last bucket of each slot stays."""
    number, began = ring.number.copy(), ring.first_at.copy()
    number[slots], began[slots] = numbers, first_at
    sums = {field: ring.sums[field].copy() for field in FIELDS}
    for field in FIELDS:
        sums[field][slots] = ends[field]
    return Ring(number, began, sums, ring.shift)
