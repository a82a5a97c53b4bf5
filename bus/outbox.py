"""A thread's way to Kafka: what is sent, and who waits until it is durable."""

from __future__ import annotations

import os
from collections import deque
from typing import Generic, TypeVar

from bus.client import Producer

T = TypeVar("T")


class LostWriteError(Exception):
    """Kafka refuses a record for good: end the process. Nothing of it was acknowledged, so it comes again."""


class Outbox(Generic[T]):
    """Sends records; `T` is what waits for each. One thread uses it; Kafka's thread only reports.

    Attributes:
        wake: descriptor that becomes readable when something is durable.
        failed: the error of a record that Kafka refuses for good.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._durable: deque[T] = deque()
        self._rung = False
        self.failed: BaseException | None = None
        self.wake, self._bell = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._bell, False)

    def send(self, topic: str, area: str, record: bytes, waiting: T, *, key: bytes | None = None) -> None:
        """Write it; `waiting` comes out of `durable` when Kafka has it on its disk's way (acks=all).

        Raises:
            KafkaError: Kafka is away and there is no room to wait.
        """
        future = self._producer.send(topic, area, record, key=key)
        future.add_callback(lambda _metadata: self._came(waiting))
        future.add_errback(self._refused)

    def durable(self) -> list[T]:
        """What became durable since the last call, in the order in which Kafka said so."""
        out = []
        while self._durable:
            out.append(self._durable.popleft())
        return out

    def ring(self) -> None:
        """Make `wake` readable; any thread."""
        self._rung = True
        try:
            os.write(self._bell, b"!")
        except BlockingIOError:
            pass  # the pipe is full of rings: it is readable

    def quiet(self) -> None:
        """Take the rings out of `wake`; call before looking at what they may have announced."""
        try:
            while len(os.read(self.wake, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        self._rung = False  # after the read: who comes in between has appended already, and is seen now

    def close(self) -> None:
        self._producer.close()
        os.close(self.wake)
        os.close(self._bell)

    def _came(self, waiting: T) -> None:
        self._durable.append(waiting)
        if not self._rung:
            self.ring()

    def _refused(self, error: BaseException) -> None:
        self.failed = error
        self.ring()
