"""The process of the detection stage: reads readings, writes conditions."""

from __future__ import annotations

from bus.app import run_stage
from bus.stage import Spec
from config.instance import Instance
from detection.brain import AWAY, DetectionBrain
from events.topics import CONDITIONS, READINGS, SNAPSHOTS, partition_of


def brain_of(partition: int) -> DetectionBrain:
    """Only for the areas of this partition: it would miss the devices of all others."""
    return DetectionBrain(here=lambda area: partition_of(area) == partition, away_after=AWAY)


SPEC = Spec(name="detection", inbox=READINGS, output=CONDITIONS, snapshots=SNAPSHOTS[READINGS], brain=brain_of)


def run(instance: Instance) -> None:
    run_stage(instance, SPEC)
