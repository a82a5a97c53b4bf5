"""Watches: conditions of playbooks over points, rules of kind "watch". They make no alarm; a device may move by them.

So they lean to the other side: a watch is raised only while its expression is KNOWN to be true. It ends at once when a
value becomes bad, when a device that it needs falls silent, and when that sends history; none of these ends an alarm.
How long silence may last says the device's rule of kind no_data, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detection.bank import NEVER, Bank, Transition
from detection.detector import NORMAL, Band
from detection.ruleset import Formula, Rule, Silence, digest

Bools = NDArray[np.bool_]
Times = NDArray[np.int64]

KIND = "watch"
PATIENCE_S = 60.0
"""A device without a rule of kind no_data is silent after that [s]."""
_NEVER_HEARD = -(2**62)


def watch_rule(area: str, id_: str, text: str, for_s: float, points: Sequence[str]) -> Rule:
    """The rule that holds while the expression, over these `points` of the area, has been known to be true `for_s`."""
    rule = Rule(
        rule=f"watch.{id_}", version="", area=area, kind=KIND, point=points[0], message=text, priority="low", unit="",
        limit=None, low=0.5, on_delay_us=round(for_s * 1e6), signal=Formula(text),
    )  # fmt: skip
    return structs.replace(rule, version=digest(rule))


class Watches:
    """`w` watches of an area, and the `s` sources that they need: devices, and points that have a no_data rule.

    Attributes: rules, points: (w,) the rules and the points of each; sources: (s,) names; heard: (s,) int64, our clock
    when its last good live value came [us].
    """

    STATE = ("heard",)

    def __init__(
        self, rules: list[Rule], points: list[tuple[str, ...]], device_of: Mapping[str, str], silences: Sequence[Rule]
    ) -> None:
        self.rules, self.points = rules, points
        self.bank = Bank(Band(low=0.5, on_delay=r.on_delay_us) for r in rules)
        patience = {(s.point or s.device): r.low or 0.0 for r in silences if isinstance(s := r.signal, Silence)}
        needed = [{*(device_of[p] for p in own), *(p for p in own if p in patience)} for own in points]
        self.sources = tuple(sorted(set[str]().union(*needed)))
        self._index = {s: i for i, s in enumerate(self.sources)}
        self.of_device = {
            device: [i for i, own in enumerate(points) if device in {device_of[p] for p in own}]
            for device in {device_of[p] for own in points for p in own}
        }  # fmt: skip
        self._needs: Bools = np.zeros((len(rules), len(self.sources)), bool)
        for i, own in enumerate(needed):
            self._needs[i] = [s in own for s in self.sources]
        self._patience: Times = np.array(
            [round(patience.get(s, PATIENCE_S) * 1e6) for s in self.sources], np.int64
        )  # fmt: skip
        self.heard: Times = np.full(len(self.sources), _NEVER_HEARD, np.int64)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.STATE}

    @property
    def due(self) -> int:
        """The first moment at which a tick would change anything [us]."""
        begun = self.bank.phase != NORMAL
        return min(self.bank.due, int(self._silent_at()[begun].min(initial=NEVER)))

    def needed(self, sources: Iterable[str]) -> tuple[Times, Times]:
        """Of those of the sources that a watch needs: when each was heard, and its patience [us]."""
        here = [i for s in sources if (i := self._index.get(s)) is not None]
        return self.heard[here], self._patience[here]

    def hear(self, sources: Iterable[str], clock: int) -> None:
        """A good live value of each came when our clock said `clock` [us]; those that nothing needs are passed over."""
        for i in (self._index[s] for s in sources if s in self._index):
            self.heard[i] = max(int(self.heard[i]), clock)

    def step(self, times: Times, true: Bools, seen: Bools, live_from: int, clock: int) -> list[Transition]:
        """Take `n` scans of a device, at our time `clock` [us].

        Args:
            times: (n,) int64 [us]; live_from: those before that one are history.
            true: (n, w) bool, known to be true; seen: (n, w) bool, where the scan says anything.
        """
        said = self._end(np.logical_or.reduce(seen[:live_from], axis=0), clock)
        if live_from < len(times):
            true = true & (clock < self._silent_at())
            said += self.bank.step(times[live_from:], true[live_from:].astype(float), seen[live_from:])
        return said

    def tick(self, now: int) -> list[Transition]:
        """Time has come to `now` [us]."""
        if not len(self.rules):
            return []
        return self._end(now >= self._silent_at(), now) + self.bank.tick(now)

    def _silent_at(self) -> Times:
        """(w,) when the first source that it needs is silent [us]."""
        at: Times = np.where(self._needs, self.heard + self._patience, NEVER).min(axis=1, initial=NEVER)
        return at

    def _end(self, which: Bools, at: int) -> list[Transition]:
        which = which & (self.bank.phase != NORMAL)
        if not which.any():
            return []
        return self.bank.step(np.array([at], np.int64), np.zeros((1, len(which))), which[None])
