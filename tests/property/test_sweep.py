"""A stretch taken in one go leaves the state that its frames leave one after the other; or nothing at all is taken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

import pytest

from detection.agent import brain_of
from detection.brain import DetectionBrain
from eventlog.given import Input
from eventlog.inboxes import Item, Scans
from events.codec import decode_record
from events.envelope import Event, Record, Tick
from events.readings import Packed
from events.topics import PARTITIONS, READINGS
from replay.sweeping import thinned
from tests.unit.replay.lived import Lived


def steps(lived: Lived, partition: int) -> Iterator[Item]:
    return lived.inboxes.read((READINGS, partition), 0)


def given(item: Item) -> Record:
    match item[1]:
        case Scans() as scans:
            return decode_record(scans.raw())
        case datetime() as at:
            return Tick(at)
        case Input(body=body):
            return decode_record(body)
        case decided_:
            raise AssertionError(decided_)


def decided(brain: DetectionBrain, items: Iterator[Item]) -> tuple[list[Event], int]:
    """What it says, and how many frames it was given one by one."""
    said: list[Event] = []
    frames = 0
    for item in items:
        record = given(item)
        frames += isinstance(record, Packed)
        said += brain.decide(record)
    return said, frames


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("excess", [0.0, 0.00005])
def test_what_is_swept_leaves_the_state_and_says_what_is_said_frame_by_frame(seed: int, excess: float) -> None:
    lived = Lived(seed, excess=excess, restarts=False)
    lived.live(100)
    lived.logged()
    swept = 0
    for partition in range(PARTITIONS):
        one, many = brain_of(partition), brain_of(partition)
        said, frames = decided(one, steps(lived, partition))
        again, left = decided(many, thinned(steps(lived, partition), many, None))
        assert again == said
        assert many.save() == one.save()
        swept += frames - left
    assert swept > 100, "some of it was quiet"


def test_a_stretch_in_which_a_device_is_silent_for_too_long_is_not_swept() -> None:
    chance = random.Random(1)
    lived = Lived(1, excess=0.0, restarts=False)
    lived.live(60)
    for device in lived.plant.plant.devices:
        lived.lost[device] = lived.now + chance.uniform(2, 12)
    lived.live(60)
    lived.logged()
    silent = 0
    for partition in range(PARTITIONS):
        one, many = brain_of(partition), brain_of(partition)
        said, _ = decided(one, steps(lived, partition))
        again, _ = decided(many, thinned(steps(lived, partition), many, None))
        assert again == said
        assert many.save() == one.save()
        silent += sum(getattr(e.fact, "kind", "") == "no_data" for e in said)
    assert silent
