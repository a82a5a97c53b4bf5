"""No data: how long no good value has come, of a point or of any point of a device.

Silence is counted by our own ticks, from the last tick before a good, new, live value came: clocks of devices that are
slow or fast neither raise nor hide it. History that is sent later does not end it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.bank import NEVER, Bank, Transition
from detection.detector import NORMAL

_NEVER = -(2**62)


class Silences:
    """`k` rules.

    Attributes: heard: (k,) int64, time of our clock of the last good value [us]; newest: (k,) its own time [us]; after:
    (k,) how long silence may last [us].
    """

    STATE = ("heard", "newest")

    def __init__(self, bank: Bank, after: list[float]) -> None:
        self.bank = bank
        self.after = np.array([round(s * 1e6) for s in after], np.int64)
        self.heard: NDArray[np.int64] = np.full(len(after), _NEVER, np.int64)
        self.newest: NDArray[np.int64] = np.full(len(after), _NEVER, np.int64)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    @property
    def due(self) -> int:
        """The first moment at which a tick would change anything [us]."""
        return int((self.heard + self.after)[self.bank.phase == NORMAL].min(initial=NEVER))

    def hear(self, rules: NDArray[np.intp], at: NDArray[np.int64], now: int) -> list[Transition]:
        """The newest good live value of each of `rules` came: at (r,) [us], while our clock says `now`."""
        newer = self.newest[rules] < at
        rules, at = rules[newer], at[newer]
        if not len(rules):
            return []
        self.newest[rules] = at
        self.heard[rules] = np.maximum(self.heard[rules], now)
        if not self.bank.phase[rules].any():
            return []
        return self._step(int(at.max()), rules, np.zeros(len(rules)))

    def watch_anew(self, at: int) -> None:
        """Nobody watched until now: what is not known to be silent is so from `at` [us] on at the earliest."""
        idle = self.bank.phase == 0
        self.heard[idle] = np.maximum(self.heard[idle], at)

    def tick(self, now: int) -> list[Transition]:
        """Time has come to `now` [us]. A rule that never heard anything counts from its first tick."""
        self.heard[self.heard == _NEVER] = now
        silent = now - self.heard >= self.after
        due = self.bank.tick(now)
        if not (silent.any() or self.bank.phase.any()):
            return due
        every = np.arange(len(self.bank), dtype=np.intp)
        spoken = self._step(now, every, (now - self.heard) / 1e6)
        out = []
        for t in spoken:
            if t.what == "raised":  # the condition began when the last value was heard
                began = int(self.newest[t.rule]) if self.newest[t.rule] != _NEVER else int(self.heard[t.rule])
                self.bank.began[t.rule] = began
                t = t._replace(began=began)
            out.append(t)
        return due + out

    def _step(self, at: int, rules: NDArray[np.intp], silent_s: NDArray[np.float64]) -> list[Transition]:
        seconds, seen = np.zeros((1, len(self.bank))), np.zeros((1, len(self.bank)), bool)
        seconds[0, rules], seen[0, rules] = silent_s, True
        return self.bank.step(np.array([at], np.int64), seconds, seen)
