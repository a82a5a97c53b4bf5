"""Readings of gateways and plain devices become frames, each reading once. Pure.

Such messages carry no number. Their identity is their content:
  - a reading said again (same point, time, value, quality) is dropped by `Recent`; the bridge loads it at its start
    with what lies at the end of the topic, so a message that came again after a crash adds nothing;
  - a frame's source is "mqtt:DEVICE", its sequence a hash of its content: the same frame always has the same id, and
    two different frames never share one, even where their first times agree. These sequences do not ascend.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct as Layout
from typing import Generic, TypeVar

import numpy as np

from events.readings import Frame, Quality
from ingest.gateway import NAN, Reading
from ingest.roster import Roster

SOURCE = "mqtt:"
"""Prefix of sources whose sequence is a hash of the content, not a count."""
_BLOCK = 64
_BEYOND = 2**32 - 1
"""Column of a point that the plant no longer has."""
_CELLS = 16_384
_pack = Layout("<IqdB").pack
T = TypeVar("T")


class Recent:
    """The readings of the last while: at least `size`, at most twice that. In memory, as 64-bit hashes."""

    def __init__(self, size: int = 200_000) -> None:
        self._size = size
        self._new: set[int] = set()
        self._old: set[int] = set()

    def first_time(self, reading: Reading) -> bool:
        """Whether the reading was not seen before; now it is."""
        device, column, time, value, quality = reading
        key = hash(_pack(column, time, NAN if value != value else value, quality) + device.encode())
        if key in self._new or key in self._old:
            return False
        self._new.add(key)
        if len(self._new) >= self._size:
            self._old, self._new = self._new, set()
        return True

    def remember(self, roster: Roster, frame: Frame) -> None:
        """Every reading of a frame that is on the bus already."""
        columns = [roster.points[p][1] if p in roster.points else _BEYOND for p in frame.points]
        for row, at in enumerate(frame.times.tolist()):
            for i in np.flatnonzero(frame.qualities[row] != Quality.ABSENT).tolist():
                cell = (float(frame.values[row, i]), int(frame.qualities[row, i]))
                self.first_time(Reading(frame.device, columns[i], at, *cell))


class Gather(Generic[T]):
    """Collects single readings for a few milliseconds: they become one frame of a device.

    `T` is what wants to know when the frame is on the bus: the messages whose readings it holds.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._rows: dict[str, dict[int, dict[int, Reading]]] = {}
        self._waiting: dict[str, list[T]] = {}

    def __len__(self) -> int:
        """How many devices have readings waiting."""
        return len(self._waiting)

    def add(self, reading: Reading, waiting: T) -> bool:
        """Take it on behalf of `waiting`; whether that waits for one more device now."""
        self._rows.setdefault(reading.device, {}).setdefault(reading.time, {})[reading.column] = reading
        entries = self._waiting.setdefault(reading.device, [])
        if entries and entries[-1] is waiting:
            return False
        entries.append(waiting)
        return True

    def clashes(self, reading: Reading) -> bool:
        """Whether it says otherwise than one that waits, or there is no room: `flush` before you `add`."""
        rows = self._rows.get(reading.device)
        return rows is not None and (
            reading.column in rows.get(reading.time, ())
            or len(rows) * len(self._roster.names[reading.device]) >= _CELLS
        )

    def flush(self) -> list[tuple[list[Frame], list[T]]]:
        """By device: its frames, and those who wait for them; afterwards nothing waits."""
        out = [(frames(self._roster, d, rows), self._waiting[d]) for d, rows in self._rows.items()]
        self._rows, self._waiting = {}, {}
        return out


def frames(roster: Roster, device: str, rows: dict[int, dict[int, Reading]]) -> list[Frame]:
    """Rows (time -> column -> reading) as frames in ascending time.

    All columns of the device where it is small or the rows are well filled, else only those blocks of 64 columns that
    are touched: few different lists of points, and no wide frame for a single reading.
    """
    names = roster.names[device]
    touched = sorted({column for cells in rows.values() for column in cells})
    if len(names) <= _BLOCK or len(touched) * 2 > len(names):
        parts = [(0, len(names))]
    else:
        parts = [(b * _BLOCK, min((b + 1) * _BLOCK, len(names))) for b in sorted({c // _BLOCK for c in touched})]
    return [_frame(roster, device, rows, start, stop) for start, stop in parts]


def _frame(roster: Roster, device: str, rows: dict[int, dict[int, Reading]], start: int, stop: int) -> Frame:
    times = sorted(t for t, cells in rows.items() if any(start <= c < stop for c in cells))
    values = np.full((len(times), stop - start), np.nan)
    qualities = np.full(values.shape, Quality.ABSENT, np.uint8)
    for i, time in enumerate(times):
        for column, reading in rows[time].items():
            if start <= column < stop:
                values[i, column - start], qualities[i, column - start] = reading.value, reading.quality
    points = roster.names[device][start:stop]
    micros = np.array(times, np.int64)
    return Frame(
        area=roster.devices[device].area, device=device, source=SOURCE + device,
        sequence=content_number(points, micros.tobytes(), values.tobytes(), qualities.tobytes()),
        points=points, times=micros, values=values, qualities=qualities,
    )


def content_number(points: tuple[str, ...], *columns: bytes) -> int:
    """The sequence of a frame that nobody numbered: 1 to 2^63 - 1, the same for the same content."""
    digest = blake2b("\n".join(points).encode(), digest_size=8)
    for column in columns:
        digest.update(column)
    return int.from_bytes(digest.digest()) >> 1 or 1
