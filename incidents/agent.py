"""The process of the incidents stage: reads conditions (and requests), writes incidents."""

from __future__ import annotations

from bus.app import run_stage
from bus.stage import Spec
from config.instance import Instance
from events.topics import CONDITIONS, INCIDENTS, SNAPSHOTS
from incidents.brain import IncidentsBrain

SPEC = Spec(
    name="incidents", inbox=CONDITIONS, output=INCIDENTS, snapshots=SNAPSHOTS[CONDITIONS],
    brain=IncidentsBrain,
)  # fmt: skip


def run(instance: Instance) -> None:
    run_stage(instance, SPEC)
