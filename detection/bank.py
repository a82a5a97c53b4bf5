"""Many rules at once: the specification of `detector`, as a structure of arrays stepped with numpy.

A step takes all scans of a frame. First it asks, in a few passes over the whole matrix, which rules can change at all:
usually none, and that is all the work there is. Only those rules are then walked, scan by scan. Rules do not depend on
each other, so the result is the same; tests/property/test_banks.py holds it equal to the specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.detector import CLEARING, NORMAL, PENDING, STANDING, Band, What

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Times = NDArray[np.int64]

NEVER = 2**62


class Transition(NamedTuple):
    """What a rule said. Attributes: at [us]; rule: its index in the bank; began [us]: identity of the standing;
    revised: it clears because the rule was changed, not the value."""

    at: int
    rule: int
    what: What
    began: int
    value: float
    late: bool
    revised: bool = False


class Bank:
    """`k` rules, each on its own signal.

    Attributes:
        phase: (k,) uint8, see `detector`; began, since: (k,) int64 [us]; value: (k,) float64, the last that counted,
        of pending and clearing rules, else 0; late, last_late: (k,) bool; spoken: (k,) int64 [us], when the newest
        occurrence began: the next begins later, or it would be taken for the same; revised: (k,) bool, clearing rules
        that do so because they were changed.
    """

    STATE = ("phase", "began", "since", "value", "late", "last_late", "spoken", "revised")

    def __init__(self, bands: Iterable[Band]) -> None:
        rows = list(bands)
        k = len(rows)
        self.low, self.high = _floats(b.low for b in rows), _floats(b.high for b in rows)
        self.clear_low = _floats(b.low - b.deadband for b in rows)
        self.clear_high = _floats(b.high + b.deadband for b in rows)
        self.on_delay = np.array([b.on_delay for b in rows], np.int64)
        self.off_delay = np.array([b.off_delay for b in rows], np.int64)
        self.phase: NDArray[np.uint8] = np.zeros(k, np.uint8)
        self.began: Times = np.zeros(k, np.int64)
        self.since: Times = np.zeros(k, np.int64)
        self.value: Floats = np.zeros(k)
        self.late: Bools = np.zeros(k, bool)
        self.last_late: Bools = np.zeros(k, bool)
        self.spoken: Times = np.full(k, -NEVER, np.int64)
        self.revised: Bools = np.zeros(k, bool)
        self._quiet = True  # every rule is normal
        self._due = NEVER  # no tick before it can change anything

    def __len__(self) -> int:
        return len(self.phase)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    @property
    def due(self) -> int:
        """The first moment at which a tick would change anything [us]; `NEVER` when none would."""
        return self._due

    def restored(self) -> None:
        """To be called when the arrays were written from outside."""
        self._settle()

    def revise(
        self, times: Times, signal: Floats, seen: Bools, live_from: int = 0, gone: Bools | None = None
    ) -> list[Transition]:
        """As `step`, with values that were there before: what clears by them does so because the rule was changed."""
        self.revised |= seen.any(axis=0) & (self.phase == STANDING)
        said = self.step(times, signal, seen, live_from, gone)
        self.revised &= self.phase == CLEARING
        return said

    def step(
        self, times: Times, signal: Floats, seen: Bools, live_from: int = 0, gone: Bools | None = None
    ) -> list[Transition]:
        """Take `n` scans.

        Args:
            times: (n,) int64 [us], strictly ascending, newer than any before.
            signal: (n, k) float64; seen: (n, k) bool, where there is a new GOOD value.
            live_from: the scans before that one are late.
            gone: (n, k) bool: where the condition counts as gone whatever the value is.

        Returns: what was said, by rule and then by time.
        """
        if not len(self.phase):
            return []
        met = (signal >= self.low) & (signal <= self.high) & seen
        if gone is not None:
            met &= ~gone
        if self._quiet and not met.any():
            return []
        clear = seen & ((signal < self.clear_low) | (signal > self.clear_high))
        if gone is not None:
            clear |= gone & seen
        changing = np.flatnonzero(self._can_change(times, met, clear, seen, live_from))
        out: list[Transition] = []
        if len(changing):
            clock = times.tolist()
            for k in changing.tolist():
                out += self._walk(k, clock, signal, met, clear, seen, live_from)
        self._remember(signal, seen, live_from)
        self._settle()
        return out

    def tick(self, now: int) -> list[Transition]:
        """Time has come to `now` [us]."""
        if now < self._due:
            return []
        raising = (self.phase == PENDING) & (now - self.began >= self.on_delay)
        clearing = (self.phase == CLEARING) & (now - self.since >= self.off_delay)
        out = []
        for k in np.flatnonzero(raising | clearing).tolist():
            late = bool(self.last_late[k])
            start, delay = (self.began, self.on_delay) if raising[k] else (self.since, self.off_delay)
            at = int(start[k] + delay[k]) if late else now
            if raising[k]:
                self.phase[k], self.late[k] = STANDING, late
                self.began[k] = self.spoken[k] = max(int(self.began[k]), int(self.spoken[k]) + 1)
            else:
                self.phase[k] = NORMAL
            what: What = "raised" if raising[k] else "cleared"
            out.append(Transition(at, k, what, int(self.began[k]), float(self.value[k]), late, bool(self.revised[k])))
            self.revised[k], self.value[k], self.last_late[k] = False, 0.0, False
        self._settle()
        return out

    def _can_change(self, times: Times, met: Bools, clear: Bools, seen: Bools, live_from: int) -> Bools:
        """(k,) whether a rule changes its phase or says something in these scans."""
        phase, last = self.phase, int(times[-1])
        any_met = met.any(axis=0)
        change: Bools = (phase == NORMAL) & any_met
        if self._quiet:
            return change
        contrary = (seen & ~met).any(axis=0) | (any_met & (last - self.began >= self.on_delay))
        change |= (phase == PENDING) & contrary
        change |= (phase == STANDING) & clear.any(axis=0)
        if self.late.any():
            change |= (phase == STANDING) & self.late & seen[live_from:].any(axis=0)
        ending = (seen & ~clear).any(axis=0) | (clear.any(axis=0) & (last - self.since >= self.off_delay))
        change |= (phase == CLEARING) & ending
        return change

    def _walk(
        self, k: int, clock: list[int], signal: Floats, met: Bools, clear: Bools, seen: Bools, live_from: int
    ) -> list[Transition]:
        """Rule `k` through all scans, as the specification does it."""
        out: list[Transition] = []
        phase, began, since, late = int(self.phase[k]), int(self.began[k]), int(self.since[k]), bool(self.late[k])
        on_delay, off_delay, spoken = int(self.on_delay[k]), int(self.off_delay[k]), int(self.spoken[k])
        rows = np.flatnonzero(seen[:, k])
        for row, is_met, is_clear in zip(rows.tolist(), met[rows, k].tolist(), clear[rows, k].tolist(), strict=True):
            at = clock[row]
            if phase == NORMAL:
                if not is_met:
                    continue
                phase, began = PENDING, at
            elif phase == PENDING:
                if not is_met:
                    phase = NORMAL
            elif phase == STANDING:
                if is_clear:
                    phase, since = CLEARING, at
            elif not is_clear:
                phase, self.revised[k] = STANDING, False
            history = row < live_from
            if phase == PENDING and at - began >= on_delay:
                phase, late = STANDING, history
                began = spoken = max(began, spoken + 1)
                out.append(Transition(at, k, "raised", began, float(signal[row, k]), history))
            elif phase == CLEARING and at - since >= off_delay:
                phase = NORMAL
                out.append(Transition(at, k, "cleared", began, float(signal[row, k]), history, bool(self.revised[k])))
            elif phase == STANDING and late and not history:
                late = False
                out.append(Transition(at, k, "stands", began, float(signal[row, k]), False))
        self.phase[k], self.began[k], self.since[k], self.late[k] = phase, began, since, late
        self.spoken[k] = spoken
        self.revised[k] &= phase == CLEARING
        return out

    def _remember(self, signal: Floats, seen: Bools, live_from: int) -> None:
        """The last value that counted, for rules that a tick may raise or clear; of the others nothing is left."""
        waits = (self.phase & 1).astype(bool)
        self.value[~waits], self.last_late[~waits] = 0.0, False
        waiting = np.flatnonzero(waits)
        if not len(waiting):
            return
        part = seen[:, waiting]
        has = part.any(axis=0)
        rows = (len(part) - 1 - part[::-1].argmax(axis=0))[has]
        waiting = waiting[has]
        self.value[waiting] = signal[rows, waiting]
        self.last_late[waiting] = rows < live_from

    def _settle(self) -> None:
        pending, clearing = self.phase == PENDING, self.phase == CLEARING
        self._quiet = not self.phase.any()
        self._due = min(
            int((self.began + self.on_delay)[pending].min(initial=NEVER)),
            int((self.since + self.off_delay)[clearing].min(initial=NEVER)),
        )


def _floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), np.float64)
