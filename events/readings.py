"""Frames: the readings of one device over a short span, as columns. What travels and what is stored.

A frame is a matrix: `n` scans (rows, ascending time) of `m` points (columns). A single reading is a 1 x 1 frame;
a gateway message is one row. A value that is not there in a scan has the quality ABSENT.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from events.types import make_id

Micros = NDArray[np.int64]
Values = NDArray[np.float64]
Qualities = NDArray[np.uint8]


class Quality(IntEnum):
    """How far a value can be believed. Only GOOD values decide; a value that is not GOOD may be NaN."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    """The device or the range check says that the value is wrong."""
    NO_ANSWER = 3
    """The device did not answer: the value is not known."""
    ABSENT = 255
    """This scan did not read the point. Not a statement about it."""


def is_numbered(source: str) -> bool:
    """Whether frames of the source are numbered in ascending order, so that a lower number was seen before.

    What comes from devices without a journal ("mqtt:DEVICE") has a digest of its content in the place of the number.
    """
    return not source.startswith("mqtt:")


class FrameError(ValueError):
    """The bytes are no frame; keep them as a dead letter. `field` says where."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class Packed(Struct, frozen=True, array_like=True, tag="frame"):
    """A frame on the wire (msgpack array). The arrays are little-endian, row by row."""

    area: str
    device: str
    source: str
    sequence: int
    replayed: bool
    points: str
    times: bytes
    values: bytes
    qualities: bytes


class Frame:
    """The readings of one device of one area.

    Attributes:
        area, device: where they belong.
        source: who numbered the frame: "EDGE:JOURNAL" or the bridge's own source.
        sequence: its number there, ascending where the source `is_numbered`; with `source` the identity of the frame.
        replayed: sent again or from a journal after an outage: the record takes it, nothing live is shown from it.
        points: (m,) names, "device.point".
        times: (n,) int64, microseconds since the epoch, ascending.
        values: (n, m) float64, in the unit of the point; NaN only where the quality is not GOOD.
        qualities: (n, m) uint8, see `Quality`.
    """

    __slots__ = ("area", "device", "points", "qualities", "replayed", "sequence", "source", "times", "values")

    def __init__(
        self, *, area: str, device: str, source: str, sequence: int, points: tuple[str, ...], times: Micros,
        values: Values, qualities: Qualities, replayed: bool = False,
    ) -> None:
        self.area, self.device, self.source, self.sequence, self.replayed = area, device, source, sequence, replayed
        self.points, self.times, self.values, self.qualities = points, times, values, qualities

    @property
    def id(self) -> UUID:
        return make_id("frame", self.source, self.sequence)

    @property
    def readings(self) -> int:
        """How many values were read: cells that are not ABSENT."""
        return int(np.count_nonzero(self.qualities != Quality.ABSENT))

    def pack(self) -> Packed:
        return Packed(
            self.area, self.device, self.source, self.sequence, self.replayed, "\n".join(self.points),
            np.ascontiguousarray(self.times, "<i8").tobytes(), np.ascontiguousarray(self.values, "<f8").tobytes(),
            np.ascontiguousarray(self.qualities, np.uint8).tobytes(),
        )


def unpack(packed: Packed) -> Frame:
    """The frame that was packed; the arrays are read-only views.

    Raises:
        FrameError: the columns do not fit together, times run backwards, or a GOOD value is not finite.
    """
    points = split_points(packed.points)
    if len(packed.times) % 8 or len(packed.values) % 8:
        raise FrameError("times" if len(packed.times) % 8 else "values", "not a whole number of 8-byte values")
    times = np.frombuffer(packed.times, "<i8")
    n, m = len(times), len(points)
    if not n or not m:
        raise FrameError("times" if not n else "points", "an empty frame")
    if len(packed.values) != 8 * n * m:
        raise FrameError("values", f"{len(packed.values) // 8} values for {n} scans of {m} points")
    if len(packed.qualities) != n * m:
        raise FrameError("qualities", f"{len(packed.qualities)} qualities for {n} scans of {m} points")
    values = np.frombuffer(packed.values, "<f8").reshape(n, m)
    qualities = np.frombuffer(packed.qualities, np.uint8).reshape(n, m)
    if n > 1 and (times[1:] < times[:-1]).any():
        raise FrameError("times", "they run backwards")
    wrong = ~np.isfinite(values) & (qualities == Quality.GOOD)
    if wrong.any():
        raise FrameError("values", f"{points[int(np.argwhere(wrong)[0][1])]} is not finite, yet its quality is GOOD")
    return Frame(
        area=packed.area, device=packed.device, source=packed.source, sequence=packed.sequence,
        replayed=packed.replayed, points=points, times=times, values=values, qualities=qualities,
    )


@lru_cache(maxsize=4096)
def split_points(joined: str) -> tuple[str, ...]:
    """The point names of a frame. Remembered: a device sends the same list for ever.

    Raises:
        FrameError: a name is empty or stands twice.
    """
    points = tuple(joined.split("\n")) if joined else ()
    if len(set(points)) != len(points) or "" in points:
        raise FrameError("points", "a name is empty or stands twice")
    return points
