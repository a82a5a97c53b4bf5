"""The columns of one device: which samples of a frame are new, what each point is now, and the rules that read one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.bank import Bank
from detection.baseline import Baseline
from detection.ruleset import Rule
from detection.windows import Windows
from events.readings import Frame, Quality
from expressions import Column, Window

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]


_ABSENT, _GOOD = int(Quality.ABSENT), int(Quality.GOOD)


class Piece(NamedTuple):
    """Scans of a frame with strictly ascending times: times (n,), values and qualities (n, m) of the frame's points."""

    times: Times
    values: Floats
    qualities: NDArray[np.uint8]
    points: tuple[str, ...]


class Lane:
    """A device with its `p` points that rules read.

    Attributes:
        newest: (p,) int64, time of the newest sample of each [us]: what is not newer came late or twice.
        value, known: (p,) the newest sample, and whether it was GOOD.
        times, new, good: (n,), (n, p), (n, p): of the scans at hand.
    """

    STATE = ("newest", "value", "known")

    def __init__(
        self, points: list[str], windows: list[Window], rules: list[Rule], keys: list[str], bank: Bank,
        baselines: list[tuple[Rule, Baseline, Bank]],
    ) -> None:  # fmt: skip
        p = len(points)
        self.points, self.rules, self.bank, self.baselines = tuple(points), rules, bank, baselines
        self.windows = Windows(windows, [points.index(w.name) for w in windows])
        self._index = {key: i for i, key in enumerate((*points, *self.windows.keys))}
        self._reads = np.array([self._index[key] for key in keys], np.intp)
        self.newest: Times = np.full(p, -(2**62), np.int64)
        self.value, self.known = np.zeros(p), np.zeros(p, bool)
        self._layouts: dict[tuple[str, ...], tuple[NDArray[np.intp], NDArray[np.intp]]] = {}

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    def pieces(self, frame: Frame) -> Iterator[Piece]:
        """The frame, cut where a time stands twice."""
        n = len(frame.times)
        cuts = (np.flatnonzero(frame.times[1:] == frame.times[:-1]) + 1).tolist() if n > 1 else []
        for a, b in zip([0, *cuts], [*cuts, n], strict=True):
            yield Piece(frame.times[a:b], frame.values[a:b], frame.qualities[a:b], frame.points)

    def read(self, piece: Piece) -> tuple[Floats, Bools]:
        """Take the scans: (n, k) signals of this lane's own rules, and where they have a new GOOD value."""
        values, qualities = self._columns(piece)
        self.times, self._values = piece.times, values
        self.new = (qualities != _ABSENT) & (piece.times[:, None] > self.newest)
        self.good = self.new & (qualities == _GOOD)
        self._carried: tuple[Floats, Bools] | None = None
        if len(self.windows):
            said, sure = self.windows.step(piece.times, values, self.good)
            self._values = np.concatenate((values, said), axis=1)
            self.new = np.concatenate((self.new, self.new[:, self.windows.columns]), axis=1)
            self.good = np.concatenate((self.good, sure), axis=1)
        return self._values[:, self._reads], self.good[:, self._reads]

    def carried(self) -> tuple[Floats, Bools]:
        """(n, p + windows) what each column is at each scan: its newest sample so far, and whether that is known."""
        if self._carried is None:
            value, known = self._current()
            n = len(self.times)
            rows = np.where(self.new, np.arange(1, n + 1)[:, None], 0)
            rows = np.maximum.accumulate(rows, axis=0)
            values = np.concatenate((value[None], self._values))
            knowns = np.concatenate((known[None], self.good))
            columns = np.arange(values.shape[1])
            self._carried = values[rows, columns], knowns[rows, columns]
        return self._carried

    def column(self, key: str) -> Column | None:
        """(n,) of the scans at hand; None when it is no column of this device."""
        if (i := self._index.get(key)) is None:
            return None
        values, known = self.carried()
        return values[:, i], known[:, i]

    def current(self, key: str) -> Column | None:
        """The newest of it, as scalars; None when it is no column of this device."""
        if (i := self._index.get(key)) is None:
            return None
        value, known = self._current()
        return value[i], known[i]

    def newest_signals(self) -> tuple[Floats, Bools, Times, Bools]:
        """Of this lane's own rules: (k,) the newest value, whether it is known, its time [us]; none has a gate."""
        value, known = self._current()
        newest = np.concatenate((self.newest, self.newest[self.windows.columns]))
        return value[self._reads], known[self._reads], newest[self._reads], np.zeros(len(self._reads), bool)

    def newest_of(self, point: str) -> int:
        """Time of the newest sample of a point of this device [us]."""
        return int(self.newest[self._index[point]])

    def fresh(self, points: Iterable[str]) -> Bools:
        """(n,) whether the scan has a new sample of any of these."""
        mine = [self._index[p] for p in points if p in self._index]
        fresh: Bools = self.new[:, mine].any(axis=1)
        return fresh

    def newest_good(self, columns: NDArray[np.intp], live_from: int) -> Times:
        """(c,) time of the newest live GOOD sample at hand of each column, -2**62 where there is none [us]."""
        good = self.good[live_from:, columns]
        if not len(good):
            return np.full(len(columns), -(2**62), np.int64)
        rows = len(good) - 1 - good[::-1].argmax(axis=0)
        return np.where(good.any(axis=0), self.times[live_from:][rows], -(2**62))

    def keep(self) -> None:
        """The scans at hand are done: remember the newest of each column."""
        p = len(self.points)
        if len(self.new) == 1 and self.new.all():  # one whole scan: by far the most frequent
            self.newest[:] = self.times[0]
            self.value[:], self.known[:] = self._values[0, :p], self.good[0, :p]
            self.windows.said[:], self.windows.sure[:] = self._values[0, p:], self.good[0, p:]
            return
        has = self.new.any(axis=0)
        if not has.any():
            return
        rows = len(self.new) - 1 - self.new[::-1].argmax(axis=0)
        columns = np.arange(len(rows))
        value, known = self._values[rows, columns], self.good[rows, columns]
        self.newest[has[:p]] = self.times[rows[:p][has[:p]]]
        self.value[has[:p]], self.known[has[:p]] = value[:p][has[:p]], known[:p][has[:p]]
        self.windows.said[has[p:]], self.windows.sure[has[p:]] = value[p:][has[p:]], known[p:][has[p:]]

    def _current(self) -> tuple[Floats, Bools]:
        return np.concatenate((self.value, self.windows.said)), np.concatenate((self.known, self.windows.sure))

    def _columns(self, piece: Piece) -> tuple[Floats, NDArray[np.uint8]]:
        """(n, p) values and qualities of this lane's points; ABSENT where the frame does not have them."""
        if (layout := self._layouts.get(piece.points)) is None:
            pairs = [(i, self._index[name]) for i, name in enumerate(piece.points) if name in self.points]
            layout = (np.array([i for i, _ in pairs], np.intp), np.array([j for _, j in pairs], np.intp))
            if len(self._layouts) >= 256:
                self._layouts.clear()
            self._layouts[piece.points] = layout
        theirs, mine = layout
        if len(mine) == len(self.points) and (mine == np.arange(len(mine))).all():
            if len(theirs) == piece.values.shape[1]:
                return piece.values, piece.qualities
            return piece.values[:, theirs], piece.qualities[:, theirs]
        values = np.zeros((len(piece.times), len(self.points)))
        qualities = np.full(values.shape, _ABSENT, np.uint8)
        values[:, mine], qualities[:, mine] = piece.values[:, theirs], piece.qualities[:, theirs]
        return values, qualities
