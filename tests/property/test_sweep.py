"""A stretch taken in one go leaves the state that its frames leave one after the other; or nothing at all is taken."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator

import pytest

from andon.publish import Compiled, compile_folder
from detection.agent import brain_of
from detection.brain import DetectionBrain
from eventlog.given import Input
from eventlog.stretch import Item, Scans, Stretch, Ticks
from events.codec import decode_record
from events.envelope import Event, Record, Tick
from events.readings import Packed
from events.topics import PARTITIONS, READINGS, partition_of
from events.types import from_micros
from replay.sweeping import thinned
from tests.unit.replay.lived import PLANT, Lived


def steps(lived: Lived, partition: int) -> list[Stretch]:
    return list(lived.inboxes.read((READINGS, partition), 0))


def one_by_one(stretches: list[Stretch]) -> Iterator[Item]:
    return (item for stretch in stretches for item in stretch.items())


def given(item: Item) -> list[Record]:
    match item[1]:
        case Scans() as scans:
            return [decode_record(scans.raw())]
        case Ticks(micros=micros):
            return [Tick(from_micros(at)) for at in micros.tolist()]
        case Input(body=body):
            return [decode_record(body)]
        case decided_:
            raise AssertionError(decided_)


def decided(brain: DetectionBrain, items: Iterator[Item]) -> tuple[list[Event], int]:
    """What it says, and how many frames it was given one by one."""
    said: list[Event] = []
    frames = 0
    for item in items:
        for record in given(item):
            frames += isinstance(record, Packed)
            said += brain.decide(record)
    return said, frames


ACROSS = """area: shop/press
rules:
  - rule: across
    kind: expression
    message: Both devices have a say
    when: press.vibration > 90[mm/s] || drive.speed > 1400[rpm]
    class: condition
    severity: major
    cause: c
    consequence: c
    action: a
    response_time: 10min
"""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The example with all its areas in one partition, and a rule over two devices that has no delay."""
    folder = tmp_path_factory.mktemp("plant") / "shop"
    shutil.copytree(PLANT, folder)
    (folder / "rules" / "across.yaml").write_text(ACROSS)
    for file in folder.rglob("*.yaml"):
        text = file.read_text().replace("shop/cooling", "shop/cooling-1").replace("shop/hall", "shop/hall-1")
        file.write_text(text)
    plant = compile_folder(folder)
    assert not plant.errors
    assert len({partition_of(area) for area in plant.plant.areas}) == 1
    return plant


@pytest.mark.parametrize("excess", [0.0, 0.00005, 0.0005])
@pytest.mark.parametrize("together", [False, True])
def test_what_is_swept_leaves_the_state_and_says_what_is_said_frame_by_frame(
    excess: float, together: bool, crowded: Compiled
) -> None:
    lived = Lived(1, excess=excess, restarts=False, plant=crowded if together else None)
    lived.live(100)
    lived.logged()
    swept = 0
    for partition in range(PARTITIONS):
        one, many = brain_of(partition), brain_of(partition)
        said, frames = decided(one, one_by_one(steps(lived, partition)))
        again, left = decided(many, thinned(steps(lived, partition), many))
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
        said, _ = decided(one, one_by_one(steps(lived, partition)))
        again, _ = decided(many, thinned(steps(lived, partition), many))
        assert again == said
        assert many.save() == one.save()
        silent += sum(getattr(e.fact, "kind", "") == "no_data" for e in said)
    assert silent
