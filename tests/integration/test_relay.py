"""The relay against the real Kafka: what alarms do reaches the plant-wide area, once, and over restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from kafka import TopicPartition

from bus import topics as bus_topics
from bus.client import Producer, consumer
from config.instance import Instance
from events.alarms import AlarmCleared, AlarmRaised, AlarmsHeard, AlarmShelved
from events.codec import decode_record
from events.devices import DeviceLost
from events.envelope import Decision, Event, Fact, Reported, event
from events.topics import CONDITIONS, INCIDENTS, MIRRORS, PLANT_WIDE, partition_of
from events.types import make_id
from incidents import relay
from tests.conftest import Stack
from tests.following import last_decision

pytestmark = pytest.mark.integration

AREA = "shop/press"


def raised(name: str) -> AlarmRaised:
    return AlarmRaised(
        alarm=uuid4(), rule=name, rule_version="v", kind="limit", point="press.p", priority="high", message="m",
        value=None, limit=None, unit="", began=datetime.now(UTC), name=name,
    )  # fmt: skip


def events_of(facts: tuple[Fact, ...], area: str = AREA) -> tuple[Event, ...]:
    cause = make_id(uuid4())
    return tuple(event(f, at=datetime.now(UTC), area=area, cause=cause, author="incidents", index=i)
                 for i, f in enumerate(facts))  # fmt: skip


class Stage:
    """Writes decisions to `incidents`, each the successor of the one before."""

    def __init__(self, instance: Instance) -> None:
        self._producer = Producer(instance.kafka)
        self._cause = self._prev = last_decision(instance, INCIDENTS, AREA)

    def decide(self, *facts: Fact, area: str = AREA) -> tuple[Event, ...]:
        events = events_of(facts, area)
        self._cause += 3
        self.write(Decision(self._cause, self._prev, -1, events))
        self._prev = self._cause
        return events

    def write(self, record: Decision | Reported, topic: str = INCIDENTS) -> None:
        self._producer.send(topic, AREA, record).get(timeout=20)

    def close(self) -> None:
        self._producer.close()


class Running:
    def __init__(self, instance: Instance) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=relay.serve, args=(instance, self._stop))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def instance(services: Instance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    bus_topics.create(services.kafka)
    return replace(services, home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def stage(instance: Instance) -> Iterator[Stage]:
    stage = Stage(instance)
    yield stage
    stage.close()


@pytest.fixture
def running(instance: Instance) -> Iterator[Running]:
    running = Running(instance)
    yield running
    running.stop()


@pytest.fixture
def told(instance: Instance) -> Iterator[Callable[[], list[Reported]]]:
    """What the plant-wide area was told since the beginning of the test."""
    reader = consumer(instance.kafka)
    partition = TopicPartition(CONDITIONS, partition_of(PLANT_WIDE))
    reader.assign([partition])
    reader.seek_to_end()
    reader.position(partition)
    found: list[Reported] = []

    def read() -> list[Reported]:
        for records in reader.poll(timeout_ms=100).values():
            for record in map(decode_record, (r.value for r in records)):
                if isinstance(record, Reported) and record.source.startswith("relay:"):
                    found.append(record)
        return found

    yield read
    reader.close()


def ids(reports: list[Reported]) -> list[UUID]:
    return [e.id for r in reports for e in r.events]


def wait_for(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s"


Told = Callable[[], list[Reported]]


def test_alarms_of_an_area_are_told_with_the_place_they_stand_at(running: Running, stage: Stage, told: Told) -> None:
    [up] = stage.decide(raised("a"))
    shelved, lost = stage.decide(
        AlarmShelved(name="a", by="Ada", reason="x", until=datetime.now(UTC)), DeviceLost(device="press", reason="x")
    )
    wait_for(lambda: shelved.id in ids(told()))
    first, second = [r for r in told() if r.events[0].id in (up.id, shelved.id)]
    assert first.source == second.source == f"relay:incidents:{partition_of(AREA)}"
    assert second.sequence > first.sequence
    assert first.events == (up,) and lost.id not in ids(told())


def test_decision_that_does_not_count_and_what_the_plant_itself_says_are_not_told(
    running: Running, stage: Stage, told: Told
) -> None:
    fake = events_of((raised("zombie"),))
    stage.write(Decision(10_000_000, 9_999_999, -1, fake))
    heard = AlarmsHeard(source="relay:x", sequence=1, alarms=())
    [own, _] = stage.decide(raised("network"), heard, area=PLANT_WIDE)
    [real] = stage.decide(raised("b"))
    wait_for(lambda: real.id in ids(told()))
    assert fake[0].id not in ids(told()) and own.id not in ids(told())


def test_alarms_of_an_edge_keep_the_number_the_edge_gave_them(running: Running, stage: Stage, told: Told) -> None:
    events = events_of((raised("c"),))
    stage.write(Reported("edge-1:j", 77, events), MIRRORS)
    wait_for(lambda: events[0].id in ids(told()))
    [report] = [r for r in told() if r.events == events]
    assert (report.source, report.sequence) == (f"relay:edge-1:j:{partition_of(AREA)}", 77)


def test_restart_goes_on_behind_what_was_told(instance: Instance, stage: Stage, told: Told) -> None:
    first = Running(instance)
    [before] = stage.decide(raised("d"))
    wait_for(lambda: before.id in ids(told()))
    first.stop()
    [meanwhile] = stage.decide(AlarmCleared(alarm=before.fact.alarm, value=None))
    second = Running(instance)
    wait_for(lambda: meanwhile.id in ids(told()))
    second.stop()
    assert ids(told()).count(before.id) == 1


def test_kafka_that_is_killed_holds_it_up_and_nothing_more(
    running: Running, stage: Stage, told: Told, stack: Stack, instance: Instance
) -> None:
    [before] = stage.decide(raised("e"))
    wait_for(lambda: before.id in ids(told()))
    stack.kill("kafka")
    stack.restart("kafka")
    [after] = stage.decide(raised("f"))
    wait_for(lambda: after.id in ids(told()), within_s=40)
    assert [ids(told()).count(e.id) for e in (before, after)] == [1, 1]
