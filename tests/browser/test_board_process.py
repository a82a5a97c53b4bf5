"""The board's own process over real services: from a click to a request in Kafka, and from the log to the page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import msgspec
import pytest
from kafka import TopicPartition
from playwright.sync_api import Page, expect

from bus import topics
from bus.client import consumer
from config.instance import Instance
from eventlog.log import Batch, SourceSeen
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from events.alarms import AlarmAcknowledged
from events.codec import decode_record
from events.envelope import Event
from events.requests import AcknowledgeIncident, Request
from events.topics import CONDITIONS, partition_of
from events.types import make_id
from tests.contract.stories import entries, raised, story

pytestmark = [pytest.mark.browser, pytest.mark.integration]
SOON = 20_000
AREA = "shop/press"
WHO = "Ann Lee"


@pytest.fixture(scope="module")
def log(services: Instance) -> Iterator[TimescaleLog]:
    topics.create(services.kafka)
    upgrade(services.database_url)
    log = TimescaleLog(services.database_url)
    yield log
    log.close()


@pytest.fixture
def board(services: Instance, log: TimescaleLog) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "andon", "run", "board", "--home", str(services.home)], env=os.environ
    )
    deadline = monotonic() + 60
    while not health(services).get("ok"):
        assert process.poll() is None and monotonic() < deadline, "the board did not become healthy"
        sleep(0.2)
    yield process
    process.kill()
    process.wait(10)


def health(services: Instance) -> dict[str, object]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{services.health_port('board')}/health", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))
    except OSError:
        return {}


def live(facts: list[Event]) -> list[Event]:
    """The facts as if they happened just now."""
    now = datetime.now(UTC)
    return [msgspec.structs.replace(e, at=now + timedelta(milliseconds=i)) for i, e in enumerate(facts)]


def test_a_click_becomes_a_request_and_the_log_s_answer_is_shown(
    board: subprocess.Popen[bytes], services: Instance, log: TimescaleLog, page: Page, console_errors: list[str]
) -> None:
    seen = {"edge-1:j": SourceSeen(sequence=1, time=datetime.now(UTC) + timedelta(minutes=5))}
    log.append(Batch(entries=entries(live(story("board", area=AREA)[:2])), sources=seen))
    page.goto(f"http://127.0.0.1:{services.board_port}")
    page.get_by_role("row", name="press 1, high").click()
    page.get_by_label("Your name").fill(WHO)
    page.get_by_role("button", name="Acknowledge press 1").click()
    expect(page.get_by_text("Sent, waiting for the answer…")).to_be_visible(timeout=SOON)

    request = sent(services)
    alarm = raised("board").alarm
    assert request.body == AcknowledgeIncident(incident=make_id("incident", alarm), seen=(alarm,))
    assert (request.by, request.area) == (WHO, AREA)

    answer = Event(make_id(request.id, "incidents", 0), datetime.now(UTC), AREA, request.id, "incidents",
                   AlarmAcknowledged(alarm=alarm, by="Ann Lee"))  # fmt: skip
    log.append(Batch(entries=entries([answer])))
    expect(page.get_by_text("Acknowledged by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)

    assert console_errors == []
    board.send_signal(signal.SIGTERM)
    assert board.wait(10) == 0, "it leaves cleanly although somebody is looking"
    page.close()
    console_errors.clear()  # 'connection refused' is the browser's own report of the ended server


def sent(services: Instance) -> Request:
    """The one request in Kafka that the board sent; other tests write there too."""
    partition = TopicPartition(CONDITIONS, partition_of(AREA))
    reader = consumer(services.kafka)
    try:
        reader.assign([partition])
        reader.seek_to_beginning(partition)
        found: list[Request] = []
        deadline = monotonic() + 20
        while not found and monotonic() < deadline:
            for records in reader.poll(timeout_ms=500).values():
                requests = [r for r in map(decode_record, (x.value for x in records)) if isinstance(r, Request)]
                found += [r for r in requests if r.by == WHO]
    finally:
        reader.close()
    assert len(found) == 1
    return found[0]
