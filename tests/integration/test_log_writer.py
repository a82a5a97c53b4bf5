"""The log writer against real Kafka and TimescaleDB: killed, doubled, cut off from either, fed with nonsense."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, TopicPartition

import bus.topics
from benchmarks.running import free_port_base
from bus.client import Producer
from eventlog.log import Batch
from eventlog.migrate import upgrade
from eventlog.timescale import opened
from events import topics
from events.codec import encode
from events.devices import DeviceLost
from events.envelope import DeadLetter, Decision, Event, Reported, Tick
from events.requests import AcknowledgeAlarm, Request
from events.types import make_id
from tests.conftest import Stack
from tests.contract.stories import START, entries, event, frame, raised, story

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
REPOSITORY = Path(__file__).resolve().parents[2]


class Plant:
    """A log writer's surroundings: fresh topics, an empty database."""

    def __init__(self, stack: Stack, url: str) -> None:
        self.stack, self.url, self.port_base = stack, url, free_port_base()
        self.producer = Producer(stack.instance.kafka)
        self._last: dict[tuple[str, int], int] = {}

    def start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("log_writer_process.py")
        argv = [sys.executable, str(script), self.stack.instance.kafka, self.url, str(self.port_base)]
        return subprocess.Popen(argv, cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin"})

    def decide(self, topic: str, partition: int, events: list[Event], *, skip: bool = False) -> bytes:
        """The next decision of the stage that writes this partition; `skip`: it is not sent."""
        prev = self._last.get((topic, partition), -1)
        raw = encode(Decision(prev + 1, prev, -1, tuple(events)))
        self._last[topic, partition] = prev + 1
        if not skip:
            self.producer.send_to(topic, partition, raw)
        return raw

    def ask(self, query: str, *given: object) -> list[tuple[Any, ...]]:
        with opened(self.url) as log, log.connection.transaction():
            return list(log.connection.execute(query, given))  # type: ignore[arg-type]

    def count(self, table: str) -> int:
        return int(self.ask(f"SELECT count(*) FROM {table}")[0][0])

    def health(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port_base + 17}/health"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except OSError:
            return {"ok": False, "reasons": ["not there"]}


@pytest.fixture
def plant(stack: Stack, database: str) -> Iterator[Plant]:
    admin = KafkaAdminClient(bootstrap_servers=stack.instance.kafka)
    there = sorted(set(bus.topics.TOPICS) & set(admin.list_topics()))
    if there:
        admin.delete_topics(there)
        eventually(lambda: not set(there) & set(admin.list_topics()), "the old topics go")
    admin.close()
    bus.topics.create(stack.instance.kafka)
    with opened(database) as log, log.connection.transaction():
        log.connection.execute("DROP VIEW IF EXISTS readings")
        for name in log.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            log.connection.execute(f"DROP TABLE {name[0]} CASCADE")  # type: ignore[arg-type]
        log.connection.execute("DROP FUNCTION IF EXISTS refuse_change")
    upgrade(database)
    made = Plant(stack, database)
    yield made
    made.producer.close()


@contextmanager
def writing(plant: Plant) -> Iterator[subprocess.Popen[bytes]]:
    process = plant.start()
    try:
        eventually(lambda: plant.health()["ok"], "the writer is well", 30, plant.health)
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(true: Callable[[], object], what: str, seconds: float = 20.0, why: Callable[[], object] = str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what} {why()}"
        time.sleep(0.05)


def alarm(n: int, area: str = "plant/press") -> Event:
    return event(raised(f"alarm {area} {n}"), n * 0.001, area=area)


def test_every_kind_of_record_arrives_where_it_belongs(plant: Plant) -> None:
    for one in story():
        plant.decide(topics.INCIDENTS, 1, [one])
    again = plant.decide(topics.INCIDENTS, 1, [alarm(1)])
    stray = Decision(99, 77, -1, (alarm(2),))
    lost = event(DeviceLost(device="lathe", reason="timeout"), 5)
    asked = Request(
        id=uuid4(), area="plant/press", at=START, by="Ada", role="operator", expires=START + timedelta(seconds=20),
        body=AcknowledgeAlarm(alarm=make_id("a")),
    )  # fmt: skip
    send = plant.producer.send_to
    for record in (again, encode(stray), b"\xc1 no record", encode(Tick(START)), b""):
        send(topics.INCIDENTS, 1, record)
    for sequence in (1, 2):  # the edge says it twice
        send(topics.MIRRORS, 1, encode(Reported("edge-1:j", sequence, (lost,))))
    send(topics.CONDITIONS, 0, encode(asked))
    letter = DeadLetter(id=uuid4(), at=START, origin="mqtt plain/x", field="value", reason="text", original=b"\xff")
    send(topics.DEADLETTER, 0, encode(letter))
    for sequence in (1, 2, 3, 2, 3, 4):  # the bridge came back and said 2 and 3 again
        send(topics.READINGS, 2, encode(frame([[1, 0], [2, 1]], sequence=sequence, seconds=sequence).pack()))
    bad = frame([[1, 0]], sequence=5, points=("press.pressure", "press.pressure")).pack()
    send(topics.READINGS, 2, encode(bad))
    with writing(plant):
        eventually(lambda: plant.count("events") == len(story()) + 3, "all events are logged")
        eventually(lambda: plant.count("scans") == 8, "all scans are logged")
        eventually(lambda: plant.count("dead_letters") == 5, "the dead letters are kept")
        eventually(lambda: plant.ask("SELECT count(tick_at) FROM positions")[0][0] == 1, "the tick is noted")
    with opened(plant.url) as log:
        decided = [line.id for line in log.read(area="plant/press") if line.topic == topics.INCIDENTS]
        assert decided == [e.id for e in story()] + [alarm(1).id]
        assert [line.author for line in log.read(type="request.*")] == ["person Ada"]
        assert log.verify("plant/press") == len(story()) + 3
    assert plant.ask("SELECT complete_up_to FROM sources") == [(4,)]
    values = plant.ask("SELECT value FROM readings WHERE point = 'press.pressure' ORDER BY time")
    assert [v for (v,) in values] == [1, 2] * 4
    (refused,) = plant.ask("SELECT reason FROM dead_letters WHERE origin LIKE 'kafka readings%%'")
    assert "stands twice" in refused[0]


def test_killed_again_and_again_it_loses_nothing_and_repeats_nothing(plant: Plant) -> None:
    total, chance = 20_000, random.Random(7)
    process, kills, sent = plant.start(), 0, 0
    said: list[bytes] = []
    try:
        while sent < total:
            for _ in range(total // 40):
                partition = sent % 4
                raw = plant.decide(topics.INCIDENTS, partition, [alarm(sent, f"plant/{partition}")])
                said.append(raw)
                if chance.random() < 0.02:  # a zombie says something old again
                    n = chance.randrange(len(said))
                    plant.producer.send_to(topics.INCIDENTS, n % 4, said[n])
                sent += 1
                if sent % 20 == 0:
                    scan = frame([[sent, 0]], sequence=sent, seconds=sent)
                    plant.producer.send_to(topics.READINGS, 0, encode(scan.pack()))
            plant.producer.flush()
            if sent % (total // 10) == 0:
                time.sleep(chance.uniform(0.3, 1.2))
                process.kill()
                process.wait()
                kills += 1
                process = plant.start()
        eventually(lambda: plant.count("events") >= total, "all events are logged", 90)
        eventually(lambda: plant.count("scans") >= total // 20, "all scans are logged", 30)
    finally:
        process.kill()
        process.wait()
    assert kills == 10
    assert plant.count("events") == plant.count("alarms") == total
    assert plant.ask("SELECT count(DISTINCT sequence), count(*) FROM scans") == [(total // 20, total // 20)]
    assert plant.ask("SELECT count(DISTINCT position), max(position) FROM events") == [(total, total)]
    with opened(plant.url) as log:
        assert [log.verify(f"plant/{p}") for p in range(4)] == [total // 4] * 4
        live = log.rows("alarms")
        log.rebuild()
        assert log.rows("alarms") == live


def test_a_second_writer_waits_and_takes_over(plant: Plant) -> None:
    other = Plant(plant.stack, plant.url)
    with writing(plant) as first:
        second = other.start()
        try:
            eventually(lambda: any("another log writer" in r for r in other.health()["reasons"]), "it waits")
            for n in range(500):
                plant.decide(topics.INCIDENTS, 0, [alarm(n)])
            eventually(lambda: plant.count("events") == 500, "the first writes")
            first.kill()
            for n in range(500, 1000):
                plant.decide(topics.INCIDENTS, 0, [alarm(n)])
            eventually(lambda: plant.count("events") == 1000, "the second takes over")
            assert other.health()["ok"]
        finally:
            second.kill()
            second.wait()
            other.producer.close()


def test_a_record_that_the_database_refuses_becomes_a_dead_letter_and_the_rest_goes_on(plant: Plant) -> None:
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    for n in range(20):
        plant.decide(topics.INCIDENTS, 0, [alarm(n, noise if n == 13 else "plant/press")])
    with writing(plant):
        eventually(lambda: plant.count("events") == 19, "all others are logged")
        eventually(lambda: plant.count("dead_letters") == 1, "the one is kept")
        assert plant.health()["ok"]


def test_the_database_away_and_kafka_away_cost_only_time(plant: Plant) -> None:
    with writing(plant) as process:
        for n, name in enumerate(("timescale", "kafka")):
            plant.stack.kill(name)
            if name == "timescale":
                for i in range(200):
                    plant.decide(topics.INCIDENTS, 0, [alarm(i)])
                plant.producer.flush()
            eventually(lambda: not plant.health()["ok"], f"without {name} it is not well")
            plant.stack.restart(name)
            if name == "kafka":
                for i in range(200, 400):
                    plant.decide(topics.INCIDENTS, 0, [alarm(i)])
            eventually(lambda n=n: plant.count("events") == 200 * (n + 1), f"it goes on after {name} is back", 60)
        eventually(lambda: plant.health()["ok"], "it is well again", 30)
        process.terminate()
        assert process.wait(10) == 0


def test_records_that_expired_before_they_were_logged_are_said_and_the_chain_goes_on(plant: Plant) -> None:
    for n in range(10):
        plant.decide(topics.INCIDENTS, 3, [alarm(n)])
    plant.producer.flush()
    admin = KafkaAdminClient(bootstrap_servers=plant.stack.instance.kafka)
    admin.delete_records({TopicPartition(topics.INCIDENTS, 3): 6})
    admin.close()
    with writing(plant):
        eventually(lambda: plant.count("events") == 4, "what is left is logged")
    ((reason,),) = plant.ask("SELECT reason FROM dead_letters")
    assert "0 to 5" in reason


def test_an_alarm_reaches_an_idle_log_within_a_tenth_of_a_second(plant: Plant) -> None:
    with writing(plant):
        for n in range(20):
            plant.decide(topics.INCIDENTS, 0, [alarm(n)])
            time.sleep(0.1)
        eventually(lambda: plant.count("events") == 20, "all are logged")
    delays = plant.ask("SELECT extract(epoch FROM recorded_at - published_at) FROM events ORDER BY position")
    typical = sorted(float(d) for (d,) in delays)[len(delays) // 2]
    print(f"published to recorded: median {typical * 1000:.0f} ms")
    assert typical < 0.1


def test_appending_beside_a_running_writer_keeps_one_order(plant: Plant) -> None:
    with writing(plant), opened(plant.url) as log:
        for n in range(200):
            plant.decide(topics.INCIDENTS, 0, [alarm(n)])
            log.append(Batch(entries=entries([alarm(n + 1000)])))
        eventually(lambda: plant.count("events") == 400, "all are logged")
        assert log.verify("plant/press") == 400
