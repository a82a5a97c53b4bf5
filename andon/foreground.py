"""`andon run NAME[,NAME]`: processes in the foreground, as a service manager or the supervisor wants them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from types import FrameType

import structlog

from andon.processes import Process, command_of
from andon.stack.process import spawn, stop_all
from config.instance import Instance
from telemetry import configure_logs

log = structlog.get_logger(__name__)

PARENT_GONE_S = 8.0


def run_one(process: Process, instance: Instance, log_level: str) -> int:
    """Run it in this process until SIGTERM or SIGINT; the exit code. An error ends it and is logged."""
    configure_logs(process.name, log_level)
    signal.signal(signal.SIGTERM, _leave)  # most processes replace it by their event loop's own
    try:
        main = process.load()
        gc.collect()
        gc.freeze()  # modules live as long as we do: a full collection, which stops all threads, need not look at them
        main(instance)
    except KeyboardInterrupt:
        return 0
    except Exception:  # its last word: the supervisor starts it anew
        log.exception("process_failed", name=process.name)
        return 1
    return 0


def run_several(processes: list[Process], instance: Instance) -> int:
    """Run each as a child; when one ends, or a signal comes, stop all. The exit code of the first that ended."""
    ended: list[int] = []

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        ended.append(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    children = [spawn(command_of(process, instance)) for process in processes]
    while not ended:
        for child in children:
            if (code := child.exit_code()) is not None:
                ended.append(code or 1)  # a process that should run for ever and leaves has failed
        time.sleep(0.05)
    stop_all(children)
    return ended[0] if ended[0] >= 0 else 1


def end_with(parent: int) -> None:
    """Leave some seconds after `parent` has died, whatever this process is busy with.

    The kernel sends SIGTERM when the supervisor dies; but Kafka ends at the same moment, and a Faust worker whose
    broker is gone does not finish its stop.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        time.sleep(PARENT_GONE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
