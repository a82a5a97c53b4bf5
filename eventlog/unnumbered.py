"""Scans of sources without a journal (third-party devices over MQTT): their number says nothing, their content does.

After a crash the broker delivers a message again, and the bridge may gather its readings into other frames than before.
So what was said is recognised reading by reading: same device, point, time and value. What differs is kept.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import numpy as np

from events.readings import Frame, Quality

Cell = tuple[int, str]
"""Time in microseconds, and point: one reading of a device."""
Said = tuple[float | None, int]
"""Value (None: not a number) and quality."""


class Newest:
    """The newest reading of each point: what lies above it cannot have been said before. A cache; empty is safe."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}

    def surely_new(self, frame: Frame) -> bool:
        return all(self._newest.get((frame.device, p), _NEVER) < t for p, t in _ends(frame, first=True))

    def note(self, frame: Frame) -> None:
        for point, time in _ends(frame, first=False):
            at = (frame.device, point)
            self._newest[at] = max(self._newest.get(at, 0), time)

    def clear(self) -> None:
        self._newest.clear()


_NEVER = 1 << 62
"""A point nothing is known of: nothing is above it."""


def _ends(frame: Frame, *, first: bool) -> Iterable[tuple[str, int]]:
    """For each point that was read: the time of its first (last) reading in the frame."""
    read = frame.qualities != Quality.ABSENT
    rows = read.argmax(0) if first else len(read) - 1 - read[::-1].argmax(0)
    return ((p, int(frame.times[rows[c]])) for c, p in enumerate(frame.points) if read[rows[c], c])


def cells(frame: Frame) -> Iterable[tuple[int, int, Cell, Said]]:
    """Its readings: row, column, what was read when, and what was said."""
    rows, columns = np.nonzero(frame.qualities != Quality.ABSENT)
    for r, c in zip(rows.tolist(), columns.tolist(), strict=True):
        yield r, c, (int(frame.times[r]), frame.points[c]), said(frame.values[r, c], frame.qualities[r, c])


def said(value: float, quality: int) -> Said:
    return (None if value != value else float(value)), int(quality)


def without(frame: Frame, known: Mapping[Cell, Container[Said]]) -> Frame | None:
    """The frame without the readings that are known with the same value and quality; None if nothing is left."""
    qualities = frame.qualities.copy()
    for row, column, cell, now in cells(frame):
        if now in known.get(cell, ()):
            qualities[row, column] = Quality.ABSENT
    kept = (qualities != Quality.ABSENT).any(1)
    if not kept.any():
        return None
    return Frame(
        area=frame.area, device=frame.device, source=frame.source, sequence=frame.sequence, replayed=frame.replayed,
        points=frame.points, times=frame.times[kept], values=frame.values[kept], qualities=qualities[kept],
    )  # fmt: skip
