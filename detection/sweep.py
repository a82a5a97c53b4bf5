"""A stretch of an area's frames in one go, where no tick changes anything: in a replay, most of history.

The scans of a device are stepped as one frame, with what the other devices were at each of them. What a rule says it
says at a scan, whatever ticks lie between, unless one of them ends a delay; and it makes no odds whose scans are taken
first, unless it is a rule over several devices. Where that cannot be told, all is put back as it was, and frames and
ticks must be taken one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detection.area import Area
from detection.bank import Bank, Transition
from detection.detector import CLEARING, PENDING
from detection.lane import Lane, Piece
from detection.ruleset import Normal, Rule, Silence
from events.readings import Quality

Ints = NDArray[np.int64]
_NEVER_HEARD = -(2**62)
_STEADY = ("phase", "began", "since", "late", "spoken")
"""Of a bank, what no step leaves as it was that changes anything, be it for a moment."""
Told = list[tuple[Rule, Transition]]


class Run(Struct, frozen=True):
    """Scans of one device, in the order in which they came.

    Attributes: points, times, values, qualities: as in a frame; arrived: (n,) int64, ascending: a place among all
    frames and ticks, the same for the scans of one frame; now: (n,) int64, the newest tick then [us].
    """

    device: str
    points: tuple[str, ...]
    times: Ints
    values: NDArray[np.float64]
    qualities: NDArray[np.uint8]
    arrived: Ints
    now: Ints


class Ticks(Struct, frozen=True):
    """Attributes: arrived: (t,) int64, as in `Run`; at: (t,) int64 [us]."""

    arrived: Ints
    at: Ints


def sweep(area: Area, runs: Sequence[Run], ticks: Ticks, began: int, late_after: int) -> dict[int, Told] | None:
    """Take the runs, at most one of each device: what is said, by the place of its frame. None: nothing was taken, as
    ticks or the order of the frames may change something.

    began: the newest tick before the stretch [us]; late_after: scans so much older than the tick are history, which is
    not for here [us].
    """
    runs = [run for run in runs if run.device in area.lanes]
    if not (_is_steady(area, int(ticks.at[-1])) and all(_is_live(run, late_after) for run in runs)):
        return None
    if not all(_is_heard(area, device, runs, ticks, began) for device in area.lanes):
        return None
    kept = [(part, {name: a.copy() for name, a in part.state().items()}) for _, part, _ in area.parts()]
    told = _take(area, runs)
    if told is not None and all(_is_sure(area, part, was, runs, ticks) for part, was in kept if isinstance(part, Bank)):
        for run in runs:
            area.lanes[run.device].keep()
        return told
    for part, was in kept:
        for name, array in was.items():
            setattr(part, name, array)
        if isinstance(part, Bank):
            part.restored()
    return None


def _is_steady(area: Area, last: int) -> bool:
    """Whether ticks up to `last` [us] change nothing but the time: no delay ends, nobody is silent."""
    silences = area.silences
    return not (
        any(bank.due <= last for _, bank in area.banks())
        or silences.bank.phase.any()
        or (silences.heard == _NEVER_HEARD).any()
    )


def _is_live(run: Run, late_after: int) -> bool:
    """Whether times ascend, and nothing is history."""
    ascends = (run.times[1:] > run.times[:-1]).all()
    return bool(ascends and (run.times >= run.now - late_after).all() and run.now[0] > 0)


def _is_heard(area: Area, device: str, runs: Sequence[Run], ticks: Ticks, began: int) -> bool:
    """Whether at each tick the device had been heard lately enough for all who listen; each of its scans is good."""
    of_device, of_points, _ = area.no_data_rules(device)
    rules = np.concatenate((of_device, of_points))
    run = next((run for run in runs if run.device == device), None)
    heard, patience = area.watches.needed((device, *area.lanes[device].points))
    if run is None:  # what was never heard of makes no watch begin
        heard, patience = heard[heard != _NEVER_HEARD], patience[heard != _NEVER_HEARD]
    heard = np.concatenate((area.silences.heard[rules], heard))
    patience = np.concatenate((area.silences.after[rules], patience))
    if not len(heard):
        return True
    at = np.concatenate(([began], ticks.at))
    last = np.full(len(at), _NEVER_HEARD)
    if run is not None:
        place = np.concatenate(([0], np.searchsorted(run.arrived, ticks.arrived)))
        last[place > 0] = run.now[place[place > 0] - 1]
    return bool((at[:, None] - np.maximum(last[:, None], heard) < patience).all())


def _take(area: Area, runs: Sequence[Run]) -> dict[int, Told] | None:
    """What the runs make the rules say, by frame; None where it is not known which."""
    pieces = [Piece(run.times, run.values, run.qualities, run.points) for run in runs]
    read = [area.lanes[run.device].read(piece) for run, piece in zip(runs, pieces, strict=True)]
    if not all(_is_good(area, run) for run in runs):
        return None
    for run in runs:  # at each tick all were heard: nobody's silence ends a watch, whose scans are taken first or last
        area.watches.hear((run.device, *area.lanes[run.device].points), int(run.now[-1]))
    by_lane = {id(area.lanes[run.device]): run for run in runs}
    usual, area.columns = area.columns, lambda lane: _AsOf(area, by_lane, lane)
    told: dict[int, Told] = {}
    try:
        for run, piece, signals in zip(runs, pieces, read, strict=True):
            said = area.in_order(area.take(run.device, piece, signals, 0, int(run.now[-1])))
            if any(isinstance(rule.signal, Normal | Silence) for rule, _ in said):
                return None
            for rule, t in said:
                told.setdefault(int(run.arrived[np.searchsorted(run.times, t.at)]), []).append((rule, t))
    finally:
        area.columns = usual
    return told


def _is_good(area: Area, run: Run) -> bool:
    """Whether each scan ends the silence of whoever listens to the device or to a point of it."""
    lane = area.lanes[run.device]
    of_device, _, columns = area.no_data_rules(run.device)
    listened = len(of_device) or run.device in area.watches.of_device
    if listened and not (run.qualities == Quality.GOOD).any(axis=1).all():
        return False
    own = lane.good[:, [lane.points.index(p) for p in lane.points if p in area.watches.sources]]
    return bool(lane.good[:, columns].all() and own.all())


def _is_sure(area: Area, bank: Bank, was: dict[str, NDArray[Any]], runs: Sequence[Run], ticks: Ticks) -> bool:
    """Whether the rules of the bank would have done the same frame by frame, with the ticks between them."""
    changed = np.zeros(len(bank), bool)
    for name in _STEADY:
        changed |= getattr(bank, name) != was[name]
    delays = np.concatenate((bank.on_delay[changed], bank.off_delay[changed]))
    began = min((int(run.times[0]) for run in runs), default=0)  # no delay begins sooner
    if (began + delays[delays > 0] <= ticks.at[-1]).any():
        return False  # a tick may have ended it
    waiting = (bank.phase == PENDING) | (bank.phase == CLEARING)
    return not ((changed | waiting) & _of_several(area, bank, runs)).any()


def _of_several(area: Area, bank: Bank, runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Which rules of the bank read points of more than one device that has scans: their order counts."""
    rules = area.of_device if bank is area.formulas else area.watches.of_device if bank is area.watches.bank else {}
    readers = np.zeros(len(bank), int)
    for run in runs:
        readers[rules.get(run.device, [])] += 1
    return readers > 1


class _AsOf(dict[str, Any]):
    """What an expression of a lane sees at each of its scans: its own, and what the other devices were then."""

    def __init__(self, area: Area, runs: dict[int, Run], lane: Lane) -> None:
        super().__init__()
        self._area, self._runs, self._lane = area, runs, lane

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = self._lane.column(key) or self._of_others(key) or default
        return self[key]

    def _of_others(self, key: str) -> Any:
        for lane in self._area.lanes.values():
            before = lane.current(key)
            if before is None:
                continue
            if (run := self._runs.get(id(lane))) is None:
                return before
            since = lane.column(key)
            assert since is not None
            place = np.searchsorted(run.arrived, self._runs[id(self._lane)].arrived)
            return tuple(np.concatenate(([old], new))[place] for old, new in zip(before, since, strict=True))
        return None
