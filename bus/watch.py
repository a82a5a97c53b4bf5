"""A stage that stands still is found by its own process, which ends; the supervisor starts a new one.

Nobody else would: a worker that holds a partition and decides nothing keeps its session, so no other gets the
partition. Whatever the fault is (a loop that hangs, a rebalance that never ends, a partition that Faust does not
bring), something that should move does not. A thread of its own looks, because the loop may be what hangs.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from collections.abc import Hashable, Mapping

from bus.stage import Stage, die

LOOK_SECONDS, LATE_SECONDS = 1.0, 5.0
STILL_LOOKS, STARTING_LOOKS = 30, 120
"""Counted, not timed: a process that was stopped for an hour, or a starved one, has not looked meanwhile either. Until
the timer's first turn there are more: where a slow machine starts everything at once, starting again helps nobody."""


class Watch:
    """What has not moved, and for how many looks."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Hashable, int]] = {}

    def look(self, marks: Mapping[str, Hashable]) -> dict[str, int]:
        """For how many looks each of `marks` is the same; what is absent is not expected to move."""
        before = self._seen
        self._seen = {}
        for name, mark in marks.items():
            last, still = before.get(name, (mark, -1))
            self._seen[name] = (mark, still + 1 if mark == last else 0)
        return {name: still for name, (_, still) in self._seen.items()}


def marks(stage: Stage) -> dict[str, Hashable]:
    """What should change from look to look: the turns of the timer (it begins with the first assignment), later the
    assignment while there is none, and how far a partition is whose inbox has more than it decided. The one agent may
    be busy for long with others that are late too, which is no standstill while one of them goes on."""
    found: dict[str, Hashable] = {"timer": stage.turns}
    if stage.turns and not stage.assigned:
        found["assignment"] = None
    partitions = list(stage.partitions.items())
    late = tuple(part.progress for _, part in partitions if stage.behind(part) > LATE_SECONDS)
    for number, part in partitions:
        if part.waiting:
            found[f"partition {number}"] = (part.progress, late)
    return found


def watch(stage: Stage) -> None:
    """Look until the process ends, and end it where something is still."""

    def run() -> None:
        seen = Watch()
        while True:
            time.sleep(LOOK_SECONDS)
            limit = STILL_LOOKS if stage.turns else STARTING_LOOKS
            for name, still in seen.look(marks(stage)).items():
                if still >= limit:
                    faulthandler.dump_traceback(sys.stderr)  # where it hangs, for those who must find out why
                    die("it stands still", what=name, looks=still)

    threading.Thread(target=run, name="watch", daemon=True).start()
