"""A stretch of an inbox in columns: its ticks, the frames of each device, and the few records beside them.

Most of an inbox are ticks and frames that nobody answers. So they stay in arrays for as long as they can be taken many
at a time; `items` gives what is left one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventlog.given import Decided, Input
from events.codec import encode
from events.readings import Packed

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ticks:
    """Ticks between which nothing else lies. Attributes: offsets: (t,) int64, ascending; micros: (t,) int64 [us]."""

    offsets: Ints
    micros: Ints

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, part: slice) -> Ticks:
        return Ticks(self.offsets[part], self.micros[part])


@dataclass(frozen=True)
class Block:
    """Frames of one device, source and list of points, in order; a row for each scan.

    Attributes: points: joined as in `Packed`; times (n,) int64, values (n, m), qualities (n, m) as in a frame; offsets,
    sequences (n,) int64 and replayed (n,): of the frame of each row.
    """

    area: str
    device: str
    source: str
    points: str
    times: Ints
    values: NDArray[np.float64]
    qualities: NDArray[np.uint8]
    offsets: Ints
    sequences: Ints
    replayed: NDArray[np.bool_]

    def between(self, first: int, end: int) -> Block:
        """The frames at `first` <= offset < `end`: views, no copies."""
        a, b = self.offsets.searchsorted((first, end))
        return Block(
            self.area, self.device, self.source, self.points, self.times[a:b], self.values[a:b], self.qualities[a:b],
            self.offsets[a:b], self.sequences[a:b], self.replayed[a:b],
        )  # fmt: skip

    def frames(self) -> Iterator[tuple[int, Scans]]:
        cuts = [0, *(np.flatnonzero(self.offsets[1:] != self.offsets[:-1]) + 1).tolist(), len(self.offsets)]
        places = self.offsets[cuts[:-1]].tolist()
        return ((at, Scans(self, a, b)) for at, (a, b) in zip(places, pairwise(cuts), strict=True))


class Scans(NamedTuple):
    """A frame: the rows first <= row < end of its block."""

    block: Block
    first: int
    end: int

    def raw(self) -> bytes:
        """As it lay in the topic."""
        block, a, b = self
        return encode(Packed(
            block.area, block.device, block.source, int(block.sequences[a]), bool(block.replayed[a]), block.points,
            block.times[a:b].tobytes(), block.values[a:b].tobytes(), block.qualities[a:b].tobytes(),
        ))  # fmt: skip


Single = tuple[int, Scans | Input | Decided]
Item = tuple[int, Ticks | Scans | Input | Decided]
"""Offset, and what lies there: ticks (the offset is that of the first), a frame, a decision of the stage before, or
another record (its body is whole)."""


@dataclass(frozen=True)
class Stretch:
    """What lies at `first` <= offset < `end`. Attributes: blocks: none is empty; others: in order."""

    first: int
    end: int
    ticks: Ticks
    blocks: Sequence[Block]
    others: Sequence[Single]

    def between(self, first: int, end: int) -> Stretch:
        a, b = self.ticks.offsets.searchsorted((first, end))
        blocks = [block.between(first, end) for block in self.blocks]
        others = [one for one in self.others if first <= one[0] < end]
        return Stretch(first, end, self.ticks[a:b], [block for block in blocks if len(block.offsets)], others)

    def cut(self, at: Iterable[int]) -> Iterator[Stretch]:
        """In parts, a new one at each of these offsets."""
        edges = sorted({self.first, self.end, *(o for o in at if self.first < o < self.end)})
        return (self.between(a, b) for a, b in pairwise(edges))

    def items(self) -> Iterator[Item]:
        """One after the other; ticks are together until something else comes."""
        return in_order(self.ticks, [*self.others, *(frame for block in self.blocks for frame in block.frames())])


def in_order(ticks: Ticks, singles: Iterable[Single]) -> Iterator[Item]:
    """Both as they lay: the ticks in as few pieces as there can be."""
    done = 0
    for single in sorted(singles, key=lambda one: one[0]):
        reached = int(ticks.offsets.searchsorted(single[0]))
        if reached > done:
            yield int(ticks.offsets[done]), ticks[done:reached]
            done = reached
        yield single
    if done < len(ticks):
        yield int(ticks.offsets[done]), ticks[done:]
