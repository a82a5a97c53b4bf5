"""The inbox of detection, thinned: frames that say nothing are taken many in one go, the rest are given.

What is said is said when its frame is given; the rest nobody hears: so a stretch may be taken before its ticks. The
ticks themselves are given all; those that only tell the time cost little. Where an area cannot be taken in one go, its
halves are tried, and theirs: a fault costs the seconds around it, and only in its own area.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from detection.brain import AWAY, DetectionBrain
from detection.sweep import Run, Ticks
from eventlog.stretch import Block, Ints, Item, Scans, Single, Stretch, in_order
from events.readings import is_numbered, split_points
from events.types import to_micros

MOST, LEAST = 128, 2
"""Ticks that are tried in one go: so many, and no fewer than these."""
Frame = tuple[int, Scans]
_AWAY_US = round(AWAY.total_seconds() * 1e6)


def thinned(stretches: Iterable[Stretch], brain: DetectionBrain) -> Iterator[Item]:
    """The items that are left; frames of areas that are not decided here are not."""
    for stretch in stretches:
        beside = (cut for offset, _ in stretch.others for cut in (offset, offset + 1))
        for part in stretch.cut([*stretch.ticks.offsets[::MOST].tolist(), *beside]):
            if part.others:
                yield from part.items()
            else:
                yield from _left(part, brain, {b.area for b in part.blocks} & brain.areas.keys(), [])


def _left(part: Stretch, brain: DetectionBrain, areas: Collection[str], spoken: Sequence[Single]) -> Iterator[Item]:
    """areas: those that are not taken yet; spoken: the frames of the others that say something."""
    blocks = {area: [block for block in part.blocks if block.area == area] for area in sorted(areas)}
    taken = _taken(part, brain, blocks)
    spoken = [*spoken, *(frame for frames in taken.values() for frame in frames)]
    failed = blocks.keys() - taken.keys()
    if failed and len(part.ticks) >= 2 * LEAST:
        half = int(part.ticks.offsets[len(part.ticks) // 2])
        for first, end in ((part.first, half), (half, part.end)):
            here = [frame for frame in spoken if first <= frame[0] < end]
            yield from _left(part.between(first, end), brain, failed, here)
    else:
        given = (frame for area in failed for block in blocks[area] for frame in block.frames())
        yield from in_order(part.ticks, [*spoken, *given])
    for source, (_, sequences) in _numbered(b for area in taken for b in blocks[area]).items():
        brain.passed(source, int(sequences[-1]))  # only now: a frame of another area may have come before


def _taken(part: Stretch, brain: DetectionBrain, blocks: Mapping[str, Sequence[Block]]) -> dict[str, list[Frame]]:
    """Of the areas that could be taken, the frames that say something."""
    arrived, began = part.ticks.offsets, to_micros(brain.now)
    # a tick older than the newest, of a second owner, counts for nothing
    at = np.maximum.accumulate(np.maximum(part.ticks.micros, began))
    if not len(at) or (np.diff(at, prepend=began) > _AWAY_US).any():
        return {}
    numbered = _numbered(block for own in blocks.values() for block in own)
    again = {source for source, of_one in numbered.items() if not _is_new(*of_one, brain.newest(source))}
    known = np.concatenate(([began], at))
    taken: dict[str, list[Frame]] = {}
    for area, own in blocks.items():
        if again & {block.source for block in own} or len({block.device for block in own}) < len(own):
            continue  # of two blocks of a device the rows are not in order
        runs = [
            Run(b.device, split_points(b.points), b.times, b.values, b.qualities, b.offsets,
                known[arrived.searchsorted(b.offsets)]) for b in own
        ]  # fmt: skip
        told = brain.sweep(area, runs, Ticks(arrived, at), began)
        if told is None:
            continue
        taken[area] = [frame for block in own for frame in _frames(block, told)]
        for place, (block, row, _) in taken[area]:
            brain.foretell(area, block.source, int(block.sequences[row]), told[place])
    return taken


def _frames(block: Block, places: Iterable[int]) -> Iterator[Frame]:
    for place in places:
        first, end = (int(block.offsets.searchsorted(place, side)) for side in ("left", "right"))
        if first < end:
            yield place, Scans(block, first, end)


def _numbered(blocks: Iterable[Block]) -> dict[str, tuple[Ints, Ints]]:
    """Of each numbered source, offsets and sequences of all rows, as they came."""
    of_source: dict[str, list[Block]] = {}
    for block in blocks:
        if is_numbered(block.source):
            of_source.setdefault(block.source, []).append(block)
    out: dict[str, tuple[Ints, Ints]] = {}
    for source, own in of_source.items():
        offsets = np.concatenate([block.offsets for block in own])
        order = offsets.argsort(kind="stable")
        out[source] = offsets[order], np.concatenate([block.sequences for block in own])[order]
    return out


def _is_new(offsets: Ints, sequences: Ints, newest: int) -> bool:
    """Whether no frame was sent again."""
    ascends = (np.diff(sequences) > 0) | (np.diff(offsets) == 0)
    return bool(sequences[0] > newest and ascends.all())
