"""Sliding windows over points, in constant memory, stepped by column.

A window of a span of time is a ring of 64 sub-buckets of span/64 each; it forgets a bucket at a time, so it reaches
back between 63/64 and 64/64 of its span. A window of N samples is exact up to 64 samples; above, its buckets hold
ceil(N/64) samples each, and it reaches back N samples less at most one bucket. What it says is unknown until it has
seen its whole span (again, after a silence as long as the span).

    mean, deviation (population), min, max, range (max - min), count   over the samples in the window
    rate   (newest - oldest in the window) / seconds between them   [unit/s]
    ewma   exponentially weighted mean with the span as time constant: weight 1 - exp(-dt/span), or 1 - exp(-1/N)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import spans
from expressions import Window

BUCKETS = spans.BUCKETS
MANY = 4
"""One window over so many scans costs about what all windows over one scan cost."""
_NONE = -(2**62)


class Windows:
    """`w` windows over columns of one device.

    Attributes:
        keys: (w,) as in expressions, "mean(press.pressure, 10s)".
        columns: (w,) which of the device's columns each reads.
    """

    STATE = ("number", "count", "total", "square", "least", "most", "first", "first_at", "since", "taken", "last_at",
             "average", "shift", "said", "sure")  # fmt: skip

    def __init__(self, windows: list[Window], columns: list[int]) -> None:
        w = len(windows)
        self.keys = tuple(window.key for window in windows)
        self.columns = np.array(columns, np.intp)
        self._function = [x.function for x in windows]
        functions = dict.fromkeys(x.function for x in windows)
        self._by_function = {f: np.flatnonzero([x.function == f for x in windows]) for f in functions}
        self._counted = np.array([bool(x.over.samples) for x in windows], bool)
        self._span_of = np.array([x.over.samples or x.over.micros for x in windows], np.int64)
        self._width = -(-self._span_of // BUCKETS)
        self._reach = np.where(self._counted, -(-self._span_of // np.maximum(self._width, 1)), BUCKETS)
        self._rows = np.arange(w)
        self.number: NDArray[np.int64] = np.full((w, BUCKETS), _NONE, np.int64)
        self.count, self.total, self.square = (np.zeros((w, BUCKETS)) for _ in range(3))
        self.least, self.most, self.first = (np.zeros((w, BUCKETS)) for _ in range(3))
        self.first_at: NDArray[np.int64] = np.zeros((w, BUCKETS), np.int64)
        self.since: NDArray[np.int64] = np.zeros(w, np.int64)
        self.taken: NDArray[np.int64] = np.zeros(w, np.int64)
        self.last_at: NDArray[np.int64] = np.full(w, _NONE, np.int64)
        self.average, self.shift = np.zeros(w), np.zeros(w)
        self.said, self.sure = np.zeros(w), np.zeros(w, bool)  # the newest of each; kept by the lane

    def __len__(self) -> int:
        return len(self.keys)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    def step(
        self, times: NDArray[np.int64], values: NDArray[np.float64], seen: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take `n` scans of the device's `m` columns.

        Args: times (n,) [us], ascending; values (n, m); seen (n, m): where there is a new GOOD value.

        Returns: (n, w) what each window says at each scan, and (n, w) bool where it is known.
        """
        n, w = len(times), len(self)
        out, known = np.zeros((n, w)), np.zeros((n, w), bool)
        values, seen = values[:, self.columns], seen[:, self.columns]
        if n >= MANY * w:
            for j in range(w):
                self._span(j, times, values[:, j], seen[:, j], out, known)
            return out, known
        for i, at in enumerate(times.tolist()):
            here = np.flatnonzero(seen[i])
            if len(here):
                out[i, here], known[i, here] = self._take(here, at, values[i, here])
        return out, known

    def _span(
        self, j: int, times: NDArray[np.int64], values: NDArray[np.float64], seen: NDArray[np.bool_],
        out: NDArray[np.float64], known: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """All scans for window `j` at once: values, seen (n,); says into its columns of out, known (n, w)."""
        rows = np.flatnonzero(seen)
        at, value = times[rows], values[rows]
        counted, span, width = bool(self._counted[j]), int(self._span_of[j]), int(self._width[j])
        gap = np.diff(np.r_[self.last_at[j], at])
        if not len(rows) or self.last_at[j] == _NONE or (not counted and (gap > span).any()):
            for row in rows.tolist():  # the first one, or after a silence: each may begin anew
                here = np.array([j])
                out[row, here], known[row, here] = self._take(here, int(times[row]), values[row : row + 1])
            return
        taken = self.taken[j] + np.arange(len(rows))
        bucket = (taken if counted else at) // width
        ring = spans.Ring(
            self.number[j], self.first_at[j], {f: getattr(self, f)[j] for f in spans.FIELDS}, float(self.shift[j])
        )
        after, number, of = spans.take(ring, bucket, at, value)
        live = (number > (bucket - self._reach[j])[:, None]) & (number <= bucket[:, None])
        average, now = np.empty(len(rows)), float(self.average[j])
        weights = np.broadcast_to(-np.expm1(-(np.ones(1) if counted else gap) / span), len(rows)).tolist()
        for i, (weight, v) in enumerate(zip(weights, value.tolist(), strict=True)):
            now += weight * (v - now)
            average[i] = now
        known_of = {"number": number, "average": average, "shift": self.shift[j]}
        said = _say(self._function[j], lambda f: known_of[f] if f in known_of else of(f), live, at, value)
        out[rows, j] = said
        sure = taken + 1 >= span if counted else at - self.since[j] >= span - width
        known[rows, j] = sure & np.isfinite(said)
        self.number[j], self.first_at[j], self.average[j] = after.number, after.first_at, now
        for field in spans.FIELDS:
            getattr(self, field)[j] = after.sums[field]
        self.taken[j] += len(rows)
        self.last_at[j] = at[-1]

    def _take(
        self, here: NDArray[np.intp], at: int, value: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """One sample at `at` for each of the windows `here`: (h,) what they say and whether that is known."""
        counted, span = self._counted[here], self._span_of[here]
        fresh = (self.last_at[here] == _NONE) | (~counted & (at - self.last_at[here] > span))
        gap = np.where(counted, 1, np.where(fresh, 0, at - self.last_at[here]))
        self.since[here] = np.where(fresh, at, self.since[here])
        self.shift[here] = np.where(fresh, value, self.shift[here])
        weight = np.where(fresh, 1.0, -np.expm1(-gap / span))
        self.average[here] += weight * (value - self.average[here])
        position = np.where(counted, self.taken[here], at)
        self.taken[here] += 1
        self.last_at[here] = at
        bucket = position // self._width[here]
        slot = bucket % BUCKETS
        self._put(here, slot, bucket, at, value)
        live = (self.number[here] > (bucket - self._reach[here])[:, None]) & (self.number[here] <= bucket[:, None])
        known = np.where(counted, self.taken[here] >= span, at - self.since[here] >= span - self._width[here])
        out = np.zeros(len(here))
        place = np.full(len(self), -1)
        place[here] = np.arange(len(here))
        for function, members in self._by_function.items():
            rows = place[members]
            rows = rows[rows >= 0]
            if len(rows):
                get = partial(self._of, here[rows])
                out[rows] = _say(function, get, live[rows], at, value[rows])
        return out, known & np.isfinite(out)

    def _put(
        self, here: NDArray[np.intp], slot: NDArray[np.int64], bucket: NDArray[np.int64], at: int,
        value: NDArray[np.float64],
    ) -> None:  # fmt: skip
        new = self.number[here, slot] != bucket
        h, s = here[new], slot[new]
        self.number[h, s] = bucket[new]
        self.count[h, s] = self.total[h, s] = self.square[h, s] = 0.0
        self.least[h, s] = self.most[h, s] = self.first[h, s] = value[new]
        self.first_at[h, s] = at
        moved = value - self.shift[here]
        self.count[here, slot] += 1
        self.total[here, slot] += moved
        self.square[here, slot] += moved * moved
        self.least[here, slot] = np.minimum(self.least[here, slot], value)
        self.most[here, slot] = np.maximum(self.most[here, slot], value)

    def _of(self, windows: NDArray[np.intp], field: str) -> Any:
        return getattr(self, field)[windows]


def _say(
    function: str, get: Callable[[str], Any], live: NDArray[np.bool_], at: Any, value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What `h` windows say, or one at `h` moments. get: (h, 64) of a field, (h,) of average and shift; live (h, 64)."""
    out: NDArray[np.float64]
    match function:
        case "ewma":
            out = get("average")
        case "count":
            out = (get("count") * live).sum(axis=1)
        case "min" | "max" | "range":
            least = np.where(live, get("least"), np.inf).min(axis=1)
            most = np.where(live, get("most"), -np.inf).max(axis=1)
            out = least if function == "min" else most if function == "max" else most - least
        case "rate":
            oldest = np.arange(len(live)), np.where(live, get("number"), 2**62).argmin(axis=1)
            seconds = (at - get("first_at")[oldest]) / 1e6
            with np.errstate(all="ignore"):
                out = (value - get("first")[oldest]) / seconds
        case "mean":
            out = (get("total") * live).sum(axis=1) / (get("count") * live).sum(axis=1) + get("shift")
        case _:  # deviation
            count = (get("count") * live).sum(axis=1)
            mean = (get("total") * live).sum(axis=1) / count
            out = np.sqrt(np.maximum((get("square") * live).sum(axis=1) / count - mean * mean, 0.0))
    return out
