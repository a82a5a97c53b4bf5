"""How a process that is no stage runs: until it is told to stop, and however long Kafka is away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

import structlog
from kafka.errors import KafkaError

T = TypeVar("T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_log = structlog.get_logger("bus.running")


def until_signalled() -> threading.Event:
    """What SIGTERM and SIGINT set from now on. Only in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class Job(Generic[T]):
    """What a process does, once Kafka answers. Attributes: running: None until then; reason: why it is not running."""

    def __init__(self) -> None:
        self.running: T | None = None
        self.reason = "starting"
        self._opened = ExitStack()

    def begin(self, stop: threading.Event, make: Callable[[ExitStack], T]) -> T | None:
        """What `make` gives, tried until it raises no KafkaError; None when told to stop before. What it opens it
        enters into the stack: before the next try that is closed."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                with ExitStack() as opened:
                    self.running = make(opened)
                    self._opened = opened.pop_all()
                return self.running
            except KafkaError as error:
                self.reason = f"Kafka: {error}"
                _log.warning("kafka_away", reason=str(error))
                stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        return None

    def close(self) -> None:
        """Close what was opened, the newest first."""
        self._opened.close()
