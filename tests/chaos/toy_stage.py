"""A worker process of a toy stage, to be killed: `python -m tests.chaos.toy_stage KAFKA NAME BRAIN HOME [FAULT]`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bus import app, watch
from bus.app import run_stage
from bus.fold import Fold
from bus.stage import Spec, Stage
from config.instance import Instance, MqttAddress
from tests.unit.bus.test_fold import Counting, Filtering

BRAINS = {"counting": Counting, "filtering": Filtering}


class AnyPort(Instance):
    """Two workers of one stage on one machine: each serves its health where it can."""

    def health_port(self, process: str) -> int:
        return 0


def spec(name: str, brain: str) -> Spec:
    inbox, output, snapshots = f"{name}-in", f"{name}-out", f"{name}-snap"
    return Spec(name=name, inbox=inbox, output=output, snapshots=snapshots, brain=lambda _: BRAINS[brain]())


def _deaf() -> None:
    """Nothing of partition 0 reaches the stage, though Faust has it."""
    whole = Stage.handle

    async def handle(self: Stage, number: int, offset: int, raw: bytes, ack: Callable[[], object]) -> None:
        if number != 0:
            await whole(self, number, offset, raw, ack)

    Stage.handle = handle  # type: ignore[method-assign]
    watch.STILL_LOOKS = 10


def _hanging() -> None:
    """The first input is decided for ever, and the loop with it."""
    Fold.decide = lambda *_: time.sleep(3600)  # type: ignore[method-assign]
    watch.STILL_LOOKS, watch.STARTING_LOOKS = 10, 20


def _early() -> None:
    """It starts though the broker does not know its topics."""
    app.require = lambda *_: None  # type: ignore[attr-defined]


FAULTS = {"deaf": _deaf, "hanging": _hanging, "early": _early}


def break_once(fault: str, home: Path) -> None:
    """Give this process the fault, if it is the first of `home`."""
    if not (home / fault).exists():
        (home / fault).touch()
        FAULTS[fault]()


if __name__ == "__main__":
    kafka, name, brain, home, *faults = sys.argv[1:]
    for fault in faults:
        break_once(fault, Path(home))
    instance = AnyPort(
        home=Path(home), plant=Path(home), kafka=kafka, database_url="", mqtt=MqttAddress(host="127.0.0.1", port=1)
    )
    run_stage(instance, spec(name, brain))
