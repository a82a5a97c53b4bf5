"""The process of the playbooks stage: reads incidents (and replies), writes intents. It cannot send anything itself."""

from __future__ import annotations

from bus.app import run_stage
from bus.stage import Spec
from config.instance import Instance
from events.topics import COMMANDS, INCIDENTS, SNAPSHOTS
from playbooks.brain import PlaybooksBrain

SPEC = Spec(
    name="playbooks", inbox=INCIDENTS, output=COMMANDS, snapshots=SNAPSHOTS[INCIDENTS],
    brain=PlaybooksBrain,
)  # fmt: skip


def run(instance: Instance) -> None:
    run_stage(instance, SPEC)
