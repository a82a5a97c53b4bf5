"""The inbox of detection, thinned: frames that say nothing are taken many in one go, the rest are given.

What is said is said when its frame is given; the rest nobody hears: so a stretch may be taken before its ticks. The
ticks themselves are given all; those that only tell the time cost little.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from detection.brain import AWAY, DetectionBrain
from detection.sweep import Run, Ticks
from eventlog.inboxes import Block, Item, Scans
from events.readings import is_numbered, split_points
from events.types import to_micros

TICKS = 30
"""Of one stretch: about so many seconds."""
_AWAY_US = round(AWAY.total_seconds() * 1e6)


def thinned(items: Iterator[Item], brain: DetectionBrain, change: int | None) -> Iterator[Item]:
    """The items that are left. change: no stretch goes over this offset."""
    stretch: list[Item] = []
    ticks = 0
    for item in items:
        offset, given = item
        changes = change is not None and bool(stretch) and stretch[-1][0] < change <= offset
        if changes or not isinstance(given, datetime | Scans):
            yield from _left(stretch, brain)
            stretch, ticks = [], 0
        stretch.append(item)
        ticks += isinstance(given, datetime)
        if ticks == TICKS or not isinstance(given, datetime | Scans):
            yield from _left(stretch, brain)
            stretch, ticks = [], 0
    yield from _left(stretch, brain)


def _left(stretch: list[Item], brain: DetectionBrain) -> list[Item]:
    ticks = [(offset, to_micros(given)) for offset, given in stretch if isinstance(given, datetime)]
    if not ticks:
        return stretch
    arrived, at = np.array(ticks, np.int64).T
    began = to_micros(brain.now)
    at = np.maximum.accumulate(np.maximum(at, began))  # an older one, of a second owner, counts for nothing
    if (np.diff(at, prepend=began) > _AWAY_US).any():
        return stretch
    swept: dict[str, frozenset[int]] = {}
    for area, parts in _by_area(stretch).items():
        told = _sweep(brain, area, parts, Ticks(arrived, at), began) if parts else None
        if told is not None:
            swept[area] = told
    return [(offset, given) for offset, given in stretch if not isinstance(given, Scans)
            or given.block.area not in swept or offset in swept[given.block.area]]  # fmt: skip


Part = tuple[Block, int, int]


def _by_area(stretch: list[Item]) -> dict[str, list[Part]]:
    """The rows of each block; none of an area where a device has two blocks: their order is not in the rows."""
    parts: dict[str, dict[str, Part]] = {}
    mixed: set[str] = set()
    for _, given in stretch:
        if isinstance(given, Scans):
            block, first, end = given
            of_area = parts.setdefault(block.area, {})
            before = of_area.get(block.device)
            if before is not None and before[0] is not block:
                mixed.add(block.area)
            of_area[block.device] = (block, before[1] if before else first, end)
    return {area: [] if area in mixed else list(of_area.values()) for area, of_area in parts.items()}


def _sweep(brain: DetectionBrain, area: str, parts: list[Part], ticks: Ticks, began: int) -> frozenset[int] | None:
    """The places of those of its frames that say something; None: they must all be given."""
    known = np.concatenate(([began], ticks.at))
    runs: list[Run] = []
    sources: dict[str, tuple[int, int]] = {}
    for block, a, b in parts:
        arrived, sequences = block.offsets[a:b], block.sequences[a:b]
        now = known[np.searchsorted(ticks.arrived, arrived)]
        points = split_points(block.points)
        runs.append(
            Run(block.device, points, block.times[a:b], block.values[a:b], block.qualities[a:b], arrived, now)
        )
        if is_numbered(block.source):
            first, last = sources.get(block.source, (int(sequences[0]), 0))
            sources[block.source] = min(first, int(sequences[0])), max(last, int(sequences[-1]))
            if (np.diff(sequences) < 0).any():
                return None
    return brain.sweep(area, runs, ticks, _Names(parts), sources)


class _Names(dict[int, tuple[str, int]]):
    """By place, source and sequence of a frame: looked up where one says something."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self._parts = parts

    def __missing__(self, place: int) -> tuple[str, int]:
        for block, a, b in self._parts:
            row = a + int(np.searchsorted(block.offsets[a:b], place))
            if row < b and block.offsets[row] == place:
                return block.source, int(block.sequences[row])
        raise KeyError(place)
