"""All rules of one area, laid out in banks: what a frame or a tick makes them say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.bank import Bank, Transition
from detection.baseline import Baseline
from detection.detector import Band
from detection.lane import Lane, Piece
from detection.ruleset import Column, Formula, NamedPoint, Normal, Rule, Silence, digest
from detection.signals import Carried, Expression, Newest
from detection.silence import Silences
from detection.watching import KIND, Watches
from events.readings import Frame, Quality
from expressions import Columns, NameType

Said = list[tuple[Rule, Transition]]
State = dict[str, NDArray[Any]]
_OPEN = (np.array(True), np.array(True))


class Area:
    """State of one area.

    Attributes:
        rules: of this area, in the order of their files.
        lanes: by device: its columns and the rules that read one of them.
        of_device: by device: which `formulas` read any of its points.
    """

    def __init__(self, rules: list[Rule], points: dict[str, NamedPoint]) -> None:
        self.rules = rules
        self._types = {full: NameType(unit=p.unit, states=p.states) for full, p in points.items()}
        self._device = {full: p.device for full, p in points.items()}
        self._plain = [r for r in rules if isinstance(r.signal, Column) and not r.gate]
        self._derived = [
            r for r in rules
            if r.kind != KIND and (isinstance(r.signal, Formula) or (isinstance(r.signal, Column) and r.gate))
        ]  # fmt: skip
        watched = [r for r in rules if r.kind == KIND]
        self._silent = [r for r in rules if isinstance(r.signal, Silence)]
        self._normal = [r for r in rules if isinstance(r.signal, Normal)]
        self._truths = [Expression(_text(r), self._types) for r in watched]
        self._signals = [Expression(_text(r), self._types) for r in self._derived]
        self._gates = {r.rule: Expression(r.gate, self._types) for r in rules if r.gate}
        windowed = [r for r in self._plain if _text(r) not in points]
        self._direct = {r.rule: Expression(_text(r), self._types) for r in windowed}
        self.lanes = {device: self._lane(device) for device in sorted({p.device for p in points.values()})}
        self.columns: Callable[[Lane], Columns] = partial(Carried, self.lanes)
        """What expressions see while the scans of a lane are at hand."""
        self.of_device = {
            device: [i for i, r in enumerate(self._derived) if self._reads(r, self._signals[i], device)]
            for device in self.lanes
        }
        self.formulas = Bank(_band(r) for r in self._derived)
        after = [r.low or 0.0 for r in self._silent]
        self.silences = Silences(Bank(_band(r) for r in self._silent), after)
        self.watches = Watches(watched, [e.points for e in self._truths], self._device, self._silent)
        self._silent_in = {device: self._silent_of(device, lane) for device, lane in self.lanes.items()}
        self._order = {r.rule: i for i, r in enumerate(rules)}

    def frame(self, frame: Frame, now: int, live_after: int) -> Said:
        """What a frame of the area makes the rules say, by time. now: newest tick [us]; older than `live_after`
        [us] is history."""
        lane = self.lanes.get(frame.device)
        if lane is None:
            return []
        said: Said = []
        for piece in lane.pieces(frame):
            live_from = int(np.searchsorted(piece.times, live_after))
            said += self.take(frame.device, piece, lane.read(piece), live_from, now)
            lane.keep()
        return self.in_order(said)

    def take(self, device: str, piece: Piece, read: tuple[Any, Any], live_from: int, now: int) -> Said:
        """What the scans at hand of a device make the rules say. read: what its lane says they are."""
        lane = self.lanes[device]
        said = [(lane.rules[t.rule], t) for t in lane.bank.step(piece.times, *read, live_from)]
        said += self._baselines(lane, live_from)
        said += self._formulas(lane, device, live_from)
        said += self._hear(lane, device, piece, live_from, now)
        said += self._watched(lane, device, piece, live_from, now)
        return said

    def in_order(self, said: Said) -> Said:
        """By time, then in the order of the files."""
        return sorted(said, key=lambda s: (s[1].at, self._order[s[0].rule]))

    def no_data_rules(self, device: str) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Places in `silences` of the rules on the device, of those on its points, and the points' columns."""
        return self._silent_in[device]

    def tick(self, now: int) -> Said:
        """What the time `now` [us] makes the rules say."""
        said: Said = []
        for lane in self.lanes.values():
            said += [(lane.rules[t.rule], t) for t in lane.bank.tick(now)]
            for rule, _, bank in lane.baselines:
                said += [(rule, t) for t in bank.tick(now)]
        said += [(self._derived[t.rule], t) for t in self.formulas.tick(now)]
        if self._silent:
            said += [(self._silent[t.rule], t) for t in self.silences.tick(now)]
        said += [(self.watches.rules[t.rule], t) for t in self.watches.tick(now)]
        return self.in_order(said)

    def review(self, rules: set[str], at: int, live_after: int) -> Said:
        """What the newest values make these rules say, as if they came again now, `at` [us].

        A value of before `live_after` [us] is history still. Silences and baselines judge by themselves: at the next
        tick, at the next sample.
        """
        said: Said = []
        for lane in self.lanes.values():
            asked = [r.rule in rules for r in lane.rules]
            if any(asked):
                got = _again(lane.bank, *lane.newest_signals(), np.array(asked), at, live_after)
                said += [(lane.rules[t.rule], t) for t in got]
        asked = [r.rule in rules for r in self._derived]
        if any(asked):
            got = _again(self.formulas, *self._newest_signals(), np.array(asked), at, live_after)
            said += [(self._derived[t.rule], t) for t in got]
        asked = [r.rule in rules for r in self.watches.rules]
        if any(asked):
            truths = [truth.compute(Newest(self.lanes)) for truth in self._truths]
            true = np.array([[bool(value) and bool(known) for value, known in truths]])
            got = self.watches.step(np.array([at], np.int64), true, np.array([asked]), 0, at)
            said += [(self.watches.rules[t.rule], t) for t in got]
        return self.in_order(said)

    @property
    def due(self) -> int:
        """The first moment at which a tick would make a rule say something [us]."""
        return min(self.silences.due, self.watches.due, *(bank.due for _, bank in self.banks()))

    def blame(self, rule: Rule) -> str:
        """The point that a baseline rule finds farthest from normal; "" for other rules."""
        if not isinstance(rule.signal, Normal):
            return ""
        baseline = next(b for lane in self.lanes.values() for r, b, _ in lane.baselines if r.rule == rule.rule)
        return rule.signal.points[int(baseline.worst[0])]

    def standing(self) -> Iterator[tuple[Rule, int]]:
        """The rules whose condition stands, and since when it began [us]."""
        for rules, bank in self.banks():
            for k in np.flatnonzero(bank.phase >= 2).tolist():
                yield rules[k], int(bank.began[k])

    def banks(self) -> Iterator[tuple[list[Rule], Bank]]:
        for lane in self.lanes.values():
            yield lane.rules, lane.bank
            for rule, _, bank in lane.baselines:
                yield [rule], bank
        yield self._derived, self.formulas
        yield self._silent, self.silences.bank
        if self.watches.rules:
            yield self.watches.rules, self.watches.bank

    def parts(self) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
        """Everything with state: the identity of each row of its arrays (a rule and its point, a point, a window), the
        object, and whether the rows are independent (False: one row owns all of the arrays)."""
        for rules, bank in self.banks():
            yield tuple(f"rule {r.rule} {r.point}" for r in rules), bank, True
        yield tuple(f"silence {r.rule} {r.point} {r.kind}" for r in self._silent), self.silences, True
        for lane in self.lanes.values():
            yield lane.points, lane, True
            yield lane.windows.keys, lane.windows, True
            for rule, baseline, _ in lane.baselines:
                yield (f"baseline {rule.rule} {digest(rule.signal)}",), baseline, False
        if self.watches.rules:
            yield tuple(f"heard {source}" for source in self.watches.sources), self.watches, True

    # --- the parts of a frame --------------------------------------------------------------------------------------

    def _baselines(self, lane: Lane, live_from: int) -> Said:
        said: Said = []
        for rule, baseline, bank in lane.baselines:
            gate = self._gates[rule.rule].compute(self.columns(lane)) if rule.gate else _OPEN
            distance, new, closed = baseline.step(*lane.carried(), gate)
            got = bank.step(lane.times, distance[:, None], new[:, None], live_from, closed[:, None])
            said += [(rule, t) for t in got]
        return said

    def _formulas(self, lane: Lane, device: str, live_from: int) -> Said:
        here = self.of_device[device]
        if not here:
            return []
        n, k = len(lane.times), len(self._derived)
        signal, seen, gone = np.zeros((n, k)), np.zeros((n, k), bool), np.zeros((n, k), bool)
        columns = self.columns(lane)
        for i in here:
            rule, expression = self._derived[i], self._signals[i]
            values, known = expression.compute(columns)
            signal[:, i] = values
            fresh = lane.fresh(expression.points)
            if rule.gate:
                gate = self._gates[rule.rule]
                truth, sure = gate.compute(columns)
                gone[:, i] = ~truth.astype(bool) & sure
                fresh = fresh | lane.fresh(gate.points)
                known = known | gone[:, i]
            seen[:, i] = fresh & known
        return [(self._derived[t.rule], t) for t in self.formulas.step(lane.times, signal, seen, live_from, gone)]

    def _newest_signals(self) -> tuple[Any, Any, Any, Any]:
        """Of the formulas: (k,) value, whether it is known, its time [us], whether the gate is known to be false."""
        k = len(self._derived)
        value, known, newest, gone = np.zeros(k), np.zeros(k, bool), np.full(k, -(2**62)), np.zeros(k, bool)
        columns = Newest(self.lanes)
        for i, (rule, expression) in enumerate(zip(self._derived, self._signals, strict=True)):
            value[i], known[i] = expression.compute(columns)
            points = expression.points
            if rule.gate:
                gate = self._gates[rule.rule]
                truth, sure = gate.compute(columns)
                gone[i] = not truth and bool(sure)
                points = (*points, *gate.points)
            newest[i] = max((self.lanes[self._device[p]].newest_of(p) for p in points), default=-(2**62))
        return value, known | gone, newest, gone

    def _hear(self, lane: Lane, device: str, piece: Piece, live_from: int, now: int) -> Said:
        of_device, of_points, columns = self._silent_in[device]
        if not (len(of_device) or len(of_points)):
            return []
        got: list[Transition] = []
        if len(of_device):
            good = np.flatnonzero((piece.qualities[live_from:] == Quality.GOOD).any(axis=1))
            if len(good):
                at = np.full(len(of_device), piece.times[live_from + good[-1]])
                got += self.silences.hear(of_device, at, now if now > 0 else int(at[0]))
        if len(of_points):
            at = lane.newest_good(columns, live_from)
            heard = at > -(2**62)
            got += self.silences.hear(of_points[heard], at[heard], now if now > 0 else int(at.max()))
        return [(self._silent[t.rule], t) for t in got]

    def _watched(self, lane: Lane, device: str, piece: Piece, live_from: int, now: int) -> Said:
        here = self.watches.of_device.get(device)
        if here is None:
            return []
        clock = now if now > 0 else int(piece.times[-1])
        if (piece.qualities[live_from:] == Quality.GOOD).any():
            good = lane.good[live_from:].any(axis=0)
            self.watches.hear((device, *(p for p, is_good in zip(lane.points, good, strict=False) if is_good)), clock)
        true = np.zeros((len(piece.times), len(self.watches.rules)), bool)
        seen, columns = true.copy(), self.columns(lane)
        for i in here:
            value, known = self._truths[i].compute(columns)
            true[:, i], seen[:, i] = value.astype(bool) & known, lane.fresh(self.watches.points[i])
        said = self.watches.step(piece.times, true, seen, live_from, clock)
        return [(self.watches.rules[t.rule], t) for t in said]

    def _lane(self, device: str) -> Lane:
        """The columns of a device: the points that rules read, and the windows over them."""
        expressions = [*self._truths, *self._signals, *self._gates.values(), *self._direct.values()]
        wanted = {p for e in expressions for p in e.points}
        wanted |= {p for r in self._normal if isinstance(r.signal, Normal) for p in r.signal.points}
        wanted |= {_text(r) for r in self._plain if _text(r) in self._device}
        wanted |= {r.signal.point for r in self._silent if isinstance(r.signal, Silence)}
        points = [p for p in self._device if p in wanted and self._device[p] == device]
        window = {w.key: w for e in expressions for w in e.windows if self._device[w.name] == device}
        mine = [r for r in self._plain if self._device[r.point] == device]
        baselines = [
            (r, Baseline(r.signal, [points.index(p) for p in r.signal.points]), Bank([_band(r)]))
            for r in self._normal
            if isinstance(r.signal, Normal) and self._device[r.point] == device
        ]
        return Lane(points, list(window.values()), mine, [_text(r) for r in mine], Bank(_band(r) for r in mine),
                    baselines)  # fmt: skip

    def _silent_of(self, device: str, lane: Lane) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Which no_data rules watch the device, which its points, and the points' columns."""
        pairs = [(i, r.signal.point) for i, r in enumerate(self._silent)
                 if isinstance(r.signal, Silence) and r.signal.device == device]  # fmt: skip
        of_points = [(i, lane.points.index(point)) for i, point in pairs if point]
        return (
            np.array([i for i, point in pairs if not point], np.intp),
            np.array([i for i, _ in of_points], np.intp),
            np.array([column for _, column in of_points], np.intp),
        )

    def _reads(self, rule: Rule, signal: Expression, device: str) -> bool:
        gate = self._gates[rule.rule].points if rule.gate else ()
        return any(self._device[p] == device for p in (*signal.points, *gate))


def _again(
    bank: Bank, value: Any, known: Any, newest: Any, gone: Any, asked: NDArray[np.bool_], at: int, live_after: int
) -> list[Transition]:
    """The newest values of the rules that are `asked`, all of them (k,), once more at `at` [us]: history, then live."""
    said: list[Transition] = []
    asked &= known
    live = newest >= live_after
    for late, here in ((1, asked & ~live), (0, asked & live)):
        if here.any():
            moment = np.array([max(at, int(newest[here].max()))], np.int64)
            said += bank.revise(moment, value[None], here[None], late, gone[None] & here[None])
    return said


def _text(rule: Rule) -> str:
    return rule.signal.key if isinstance(rule.signal, Column) else rule.signal.text  # type: ignore[union-attr]


def _band(rule: Rule) -> Band:
    inf = float("inf")
    low, high = -inf if rule.low is None else rule.low, inf if rule.high is None else rule.high
    if isinstance(rule.signal, Silence):
        return Band(low, high)
    return Band(low, high, rule.deadband, rule.on_delay_us, rule.off_delay_us)
