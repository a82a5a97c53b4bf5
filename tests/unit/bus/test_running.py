"""A process waits for Kafka, says why, and can be stopped meanwhile."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from kafka.errors import KafkaError

from bus.running import Job


def test_it_is_tried_until_kafka_answers_and_what_was_opened_in_vain_is_closed() -> None:
    closed: list[str] = []
    reasons: list[str] = []
    job: Job[str] = Job()

    def make(opened: ExitStack) -> str:
        reasons.append(job.reason)
        opened.callback(closed.append, f"try {len(reasons)}")
        if len(reasons) == 1:
            raise KafkaError("away")
        return "made"

    assert job.begin(threading.Event(), make) == job.running == "made"
    assert reasons[0] == "starting" and "away" in reasons[1]
    assert closed == ["try 1"]
    job.close()
    assert closed == ["try 1", "try 2"]


def test_told_to_stop_while_kafka_is_away_it_makes_nothing() -> None:
    stop, job = threading.Event(), Job[str]()

    def make(_: ExitStack) -> str:
        stop.set()
        raise KafkaError("away")

    assert job.begin(stop, make) is None and job.running is None
