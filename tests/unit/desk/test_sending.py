"""Whoever asks while Kafka is away hears so within his time, however many ask with him."""

from __future__ import annotations

import threading
import time

import pytest
from kafka.errors import KafkaTimeoutError
from msgspec.structs import replace

from desk import sending
from desk.sending import KafkaSender, NotSentError, topic_of
from events.requests import CancelRun, ReportErrand, Request, RequestBody, ShelveAlarm, Silence, StopActing
from events.topics import CONDITIONS, INCIDENTS
from events.types import EPOCH, make_id

ASKED = Request(id=make_id("r"), area="shop/press", at=EPOCH, by="anna", role="operator", expires=EPOCH, body=Silence())


def test_nobody_waits_behind_another_who_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    connecting, away = threading.Event(), threading.Event()

    def connect(_kafka: str, *, block_s: float) -> None:
        connecting.set()
        away.wait(10)
        raise KafkaTimeoutError("Unable to bootstrap")

    monkeypatch.setattr(sending, "Producer", connect)
    sender = KafkaSender("127.0.0.1:1", timeout_s=0.05)
    first = threading.Thread(target=sender.warm_up)
    first.start()
    connecting.wait(10)
    began = time.monotonic()
    with pytest.raises(NotSentError, match="Kafka does not answer"):
        sender.send(ASKED)
    assert time.monotonic() - began < 5
    away.set()
    first.join(10)
    assert not first.is_alive()


@pytest.mark.parametrize(
    ("body", "topic"),
    [(Silence(), CONDITIONS), (ShelveAlarm(name="x", reason="y", duration_s=1), CONDITIONS),
     (CancelRun(run=make_id("run"), reason="wrong press"), INCIDENTS), (StopActing(reason="smoke"), INCIDENTS),
     (ReportErrand(errand=make_id("errand")), INCIDENTS)],
)  # fmt: skip
def test_a_request_goes_to_the_inbox_of_the_stage_that_answers_it(body: RequestBody, topic: str) -> None:
    assert topic_of(replace(ASKED, body=body)) == topic
