"""What is normal, learned from the first samples: the distance of several points of a device from it.

Each point's samples are smoothed (exponentially, over `smooth` samples). From the first `learn` samples come the mean
of each point and the spread of its smoothed value; afterwards the distance is the largest deviation of a smoothed value
from its mean, in such spreads. A multivariate control chart of EWMAs (Roberts 1959), with the worst point to blame.

Normal may drift: with `adapt`, each mean follows by at most one spread in `adapt` samples, so that a fault stands out
long before it is taken for normal. Scans that repeat the one before digit for digit say nothing new and do not count:
a poller faster than its sensors learns as long as one that keeps their pace.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.ruleset import Normal
from expressions import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Baseline:
    """The learned normal of one rule over its `p` points.

    Attributes:
        taken: (1,) int64, samples of the learning phase so far.
        learning: (learn, p) what was sampled; (0, p) once it is learned.
        mean, spread, smoothed: (p,) of each point [its unit]; a point that never moved has an infinite spread.
        newest: (p,) the sample before.
        worst: (1,) int64, the point with the largest distance in the newest sample.
        enabled: (1,) bool, whether the rule's gate was not false.
    """

    STATE = ("taken", "learning", "mean", "spread", "smoothed", "newest", "worst", "enabled")

    def __init__(self, normal: Normal, columns: list[int]) -> None:
        p = len(columns)
        self.columns = np.array(columns, np.intp)
        self._normal = normal
        self._weight = -np.expm1(-1 / normal.smooth)
        self.worst: NDArray[np.int64] = np.zeros(1, np.int64)
        self.enabled: Bools = np.ones(1, bool)
        self.newest = np.full(p, np.nan)
        self._restart(p)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    def step(self, values: Floats, known: Bools, gate: Column) -> tuple[Floats, Bools, Bools]:
        """Take `n` scans of the device's columns.

        Args: values, known: (n, m), carried forward between samples; gate: (n,) or scalar, values and known.

        Returns: (n,) the distance, (n,) where it is new, (n,) where the gate is false.
        """
        n = len(values)
        out, new = np.zeros(n), np.zeros(n, bool)
        closed: Bools = np.broadcast_to(np.asarray(~gate[0].astype(bool) & gate[1]), (n,))
        values = values[:, self.columns]
        complete: Bools = np.asarray(known[:, self.columns].all(axis=1))
        for i in range(n):
            if closed[i]:
                new[i], self.enabled[0] = self.enabled[0], False
                continue
            if not self.enabled[0]:
                self.enabled[0] = True
                self._restart(values.shape[1])
            x = values[i]
            if not complete[i] or (x == self.newest).all():
                continue
            self.newest[:] = x
            if self._learned():
                out[i], new[i] = self._distance(x), True
            else:
                self._learn(x)
        return out, new, closed

    def _restart(self, p: int) -> None:
        self.taken: NDArray[np.int64] = np.zeros(1, np.int64)
        self.learning = np.zeros((self._normal.learn, p))
        self.mean, self.spread, self.smoothed = np.zeros(p), np.full(p, np.inf), np.zeros(p)

    def _learned(self) -> bool:
        return not len(self.learning)

    def _learn(self, x: Floats) -> None:
        self.learning[self.taken[0]] = x
        self.taken[0] += 1
        if self.taken[0] < self._normal.learn:
            return
        samples, smooth = self.learning, self._normal.smooth
        self.mean = samples.mean(axis=0)
        path, y = np.empty_like(samples), self.mean.copy()
        for i, sample in enumerate(samples):
            y += self._weight * (sample - y)
            path[i] = y
        noise = samples.std(axis=0)
        # at least what independent noise leaves after smoothing: a lucky quiet phase makes no hair trigger
        spread = np.maximum(path[min(3 * smooth, len(path) // 2) :].std(axis=0), noise / np.sqrt(2 * smooth))
        moved = noise > 1e-9 * np.maximum(np.abs(self.mean), 1e-9)
        self.spread = np.where(moved, spread, np.inf)
        self.smoothed = path[-1].copy()
        self.learning = self.learning[:0]

    def _distance(self, x: Floats) -> float:
        self.smoothed += self._weight * (x - self.smoothed)
        off = (self.smoothed - self.mean) / self.spread
        self.worst[0] = int(np.abs(off).argmax())
        if self._normal.adapt:
            finite = np.isfinite(self.spread)
            self.mean[finite] += np.clip(off[finite], -1.0, 1.0) * self.spread[finite] / self._normal.adapt
        return float(abs(off[self.worst[0]]))
