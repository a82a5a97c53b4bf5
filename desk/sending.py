"""The way of a request to the home of its area: the inbox of the stage that answers it, or an error that says it cannot
be relied on."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Protocol, get_args

from kafka.errors import KafkaError, KafkaTimeoutError

from bus.client import Producer
from events.requests import Request, RunRequest
from events.topics import CONDITIONS, INCIDENTS

_OF_RUNS = get_args(RunRequest)


def topic_of(request: Request) -> str:
    """The inbox of the stage that answers: of the playbooks stage for runs, else of the incidents stage."""
    return INCIDENTS if isinstance(request.body, _OF_RUNS) else CONDITIONS


class NotSentError(Exception):
    """The request is not durable: tell the operator that it cannot be relied on."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not sent: {reason}")
        self.reason = reason


class Sender(Protocol):
    def send(self, request: Request) -> None:
        """Return when the request is durable.

        Raises:
            NotSentError: it is not known to be. It may still arrive until it expires.
        """


class KafkaSender:
    """One producer per process, made when the first request needs it: whoever asks also runs without Kafka."""

    def __init__(self, kafka: str, *, timeout_s: float = 2.0) -> None:
        self._kafka, self._timeout_s = kafka, timeout_s
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Connect now, so that the first operator need not wait for it; without Kafka, `send` tries again."""
        with suppress(KafkaError):
            self._connected()

    def _connected(self) -> Producer:
        """Raises: KafkaError: Kafka is away; of many who ask meanwhile none waits for all before him."""
        if self._producer is not None:
            return self._producer
        if not self._lock.acquire(timeout=self._timeout_s):
            raise KafkaTimeoutError("another request is still connecting")
        try:
            if self._producer is None:
                self._producer = Producer(self._kafka, block_s=self._timeout_s)
            return self._producer
        finally:
            self._lock.release()

    def send(self, request: Request) -> None:
        try:
            self._connected().send(topic_of(request), request.area, request).get(timeout=self._timeout_s)
        except KafkaError as error:
            raise NotSentError(f"Kafka does not answer ({type(error).__name__})") from error

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout_s=1.0)
