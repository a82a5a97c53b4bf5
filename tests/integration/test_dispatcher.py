"""The dispatcher against the real Kafka and broker: each command reaches its edge, late ones never do."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bus import topics as bus_topics
from bus.client import Producer, consumer
from config.instance import Instance
from events.codec import decode_event, decode_record
from events.devices import CommandRefused
from events.envelope import Decision, Event, Fact, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.requests import AcknowledgeAlarm, Request, RequestBody, RequestRefused, StopActing
from events.topics import (
    COMMANDS,
    CONDITIONS,
    INCIDENTS,
    command_topic,
    lock_topic,
    partition_of,
    request_topic,
)
from events.types import make_id
from ingest import dispatcher
from tests.conftest import Stack
from tests.following import last_decision

pytestmark = pytest.mark.integration

AREA = "shop/press"


class Edge:
    """An edge that keeps the commands it is sent, with their expiry."""

    def __init__(self, instance: Instance) -> None:
        self.commands: list[Event] = []
        self.locks: list[LockOutIssued] = []
        self.requests: list[Request] = []
        self.expiries: list[int] = []
        self._instance = instance
        self.open()

    def open(self) -> None:
        instance, ready = self._instance, threading.Semaphore(0)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="edge-2", protocol=MQTTv5)
        self._client.username_pw_set(*instance.mqtt.credentials("edge-2"))
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: ready.release()
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect(instance.mqtt.host, instance.mqtt.port, clean_start=False, properties=session)
        self._client.loop_start()
        for topic in (command_topic("edge-2"), lock_topic("edge-2", "+"), request_topic("edge-2")):
            self._client.subscribe(topic, qos=1)
            assert ready.acquire(timeout=5)

    def _on_message(self, _c: object, _u: object, message: object) -> None:
        if message.topic == command_topic("edge-2"):
            self.commands.append(decode_event(message.payload))
            self.expiries.append(message.properties.MessageExpiryInterval)
        elif message.topic == request_topic("edge-2"):
            self.requests.append(decode_record(message.payload))
        else:
            self.locks.append(decode_event(message.payload).fact)

    def ids(self) -> list[UUID]:
        return [c.id for c in self.commands]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Stage:
    """Writes decisions to `commands`, each the successor of the one before."""

    def __init__(self, instance: Instance) -> None:
        self._producer = Producer(instance.kafka)
        self._cause = self._prev = last_decision(instance, COMMANDS, AREA)

    def decide(self, *facts: Fact, author: str = "playbook p@1") -> tuple[Event, ...]:
        cause = make_id(uuid4())
        events = tuple(
            event(f, at=datetime.now(UTC), area=AREA, cause=cause, author=author, index=i) for i, f in enumerate(facts)
        )
        self._cause += 7
        self.write(Decision(self._cause, self._prev, -1, events))
        self._prev = self._cause
        return events

    def write(self, decision: Decision) -> None:
        self._producer.send(COMMANDS, AREA, decision).get(timeout=20)

    def close(self) -> None:
        self._producer.close()


class Running:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.start()

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=dispatcher.serve, args=(self._instance, self._stop))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive()


def command(edge: str = "edge-2", seconds: float = 30.0) -> CommandIssued:
    run = uuid4()
    return CommandIssued(
        command=make_id(run, "s1", 1), run=run, incident=uuid4(), step="s1", attempt=1, edge=edge, device="press",
        point="press.relief_valve", value=1.0, tolerance=0.0,
        not_after=datetime.now(UTC) + timedelta(seconds=seconds), author="playbook p@1",
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def instance(services: Instance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    bus_topics.create(services.kafka)
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(services.plant, home / "shop")
    text = (home / "shop" / "plant.yaml").read_text()
    for area, edge in (("shop/cooling", "edge-2"), ("shop/hall", "edge-9")):
        assert f"area: {area}," in text
        text = text.replace(f"area: {area},", f"area: {area}, home: edge, edge: {edge},")
    (home / "shop" / "plant.yaml").write_text(text)
    return replace(services, home=home, plant=home / "shop")


@pytest.fixture(scope="module")
def stage(instance: Instance) -> Iterator[Stage]:
    stage = Stage(instance)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def edge(instance: Instance) -> Iterator[Edge]:
    edge = Edge(instance)
    yield edge
    edge.close()


@pytest.fixture
def running(instance: Instance, stage: Stage, edge: Edge) -> Iterator[Running]:
    running = Running(instance)
    yield running
    running.stop()


@pytest.fixture
def refusals(instance: Instance) -> Iterator[Callable[[UUID], list[Event]]]:
    """What topic `incidents` says of a command, from the beginning of the test."""
    reader = consumer(instance.kafka)
    partition = TopicPartition(INCIDENTS, partition_of(AREA))
    reader.assign([partition])
    reader.seek_to_end()
    reader.position(partition)
    told: list[Event] = []

    def find(command: UUID) -> list[Event]:
        told.extend(_reported(reader))
        return [e for e in told if isinstance(e.fact, CommandRefused) and e.fact.command == command]

    yield find
    reader.close()


def _reported(reader: KafkaConsumer) -> Iterator[Event]:
    for records in reader.poll(timeout_ms=200).values():
        for record in map(decode_record, (r.value for r in records)):
            if isinstance(record, Reported):
                yield from record.events


@pytest.fixture
def told_of_hall(instance: Instance) -> Iterator[Callable[[], list[Event]]]:
    reader = consumer(instance.kafka)
    reader.assign([TopicPartition(INCIDENTS, partition_of("shop/hall"))])
    reader.seek_to_end()
    told: list[Event] = []

    def find() -> list[Event]:
        told.extend(_reported(reader))
        return told

    yield find
    reader.close()


def test_a_command_reaches_its_edge_with_its_expiry(running: Running, stage: Stage, edge: Edge) -> None:
    [issued] = stage.decide(command(seconds=30))
    wait_for(lambda: issued.id in edge.ids())
    assert edge.commands[edge.ids().index(issued.id)] == issued
    assert 15 <= edge.expiries[edge.ids().index(issued.id)] <= 30


def test_a_decision_that_does_not_count_moves_nothing(running: Running, stage: Stage, edge: Edge) -> None:
    fake = event(command(), at=datetime.now(UTC), area=AREA, cause=make_id("zombie"), author="x", index=0)
    stage.write(Decision(10_000, 9_999, -1, (fake,)))
    [real] = stage.decide(command())
    wait_for(lambda: real.id in edge.ids())
    assert fake.id not in edge.ids()


def test_a_late_command_is_refused_and_never_sent(
    running: Running, stage: Stage, edge: Edge, refusals: Callable[[UUID], list[Event]]
) -> None:
    late, on_time = stage.decide(command(seconds=-1), command())
    wait_for(lambda: bool(refusals(late.fact.command)))
    [told] = refusals(late.fact.command)
    assert told.fact.reason.startswith("late")
    assert told.cause == late.id
    assert told.at == late.fact.not_after
    wait_for(lambda: on_time.id in edge.ids())
    assert late.id not in edge.ids()


def test_a_command_for_an_edge_that_nobody_knows_is_refused(
    running: Running, stage: Stage, refusals: Callable[[UUID], list[Event]]
) -> None:
    [issued] = stage.decide(command(edge="edge-9"))
    wait_for(lambda: bool(refusals(issued.fact.command)))
    assert refusals(issued.fact.command)[0].fact.reason.startswith("unreachable: edge edge-9")


def test_a_restart_goes_on_behind_what_was_done(instance: Instance, stage: Stage, edge: Edge) -> None:
    first = Running(instance)
    [done] = stage.decide(command())
    wait_for(lambda: done.id in edge.ids())
    first.stop()
    [waiting] = stage.decide(command())
    second = Running(instance)
    wait_for(lambda: waiting.id in edge.ids())
    second.stop()
    assert edge.ids().count(done.id) == 1


def test_a_broker_killed_meanwhile_gets_the_command_when_it_is_back(
    running: Running, stage: Stage, edge: Edge, stack: Stack
) -> None:
    stack.kill("mosquitto")
    [issued] = stage.decide(command())
    stack.restart("mosquitto")
    wait_for(lambda: issued.id in edge.ids())


def test_a_command_that_became_late_while_the_broker_was_away_is_refused(
    running: Running, stage: Stage, edge: Edge, stack: Stack, refusals: Callable[[UUID], list[Event]]
) -> None:
    stack.kill("mosquitto")
    time.sleep(0.2)  # the dispatcher notices that the connection ended
    [issued] = stage.decide(command(seconds=1))
    wait_for(lambda: bool(refusals(issued.fact.command)))
    stack.restart("mosquitto")
    [after] = stage.decide(command())
    wait_for(lambda: after.id in edge.ids())
    assert issued.id not in edge.ids()


def lock_out(reason: str, seconds: float, device: str = "press") -> LockOutIssued:
    since = datetime.now(UTC) + timedelta(seconds=seconds)
    return LockOutIssued(edge="edge-2", device=device, reason=reason, since=since)


def test_a_lock_out_reaches_an_edge_that_is_there_and_one_that_comes_later(
    running: Running, stage: Stage, edge: Edge, instance: Instance
) -> None:
    first, second = lock_out("by anna: seals", 0), lock_out("", 1)
    stage.decide(first)
    wait_for(lambda: first in edge.locks)
    stage.decide(second)
    wait_for(lambda: second in edge.locks)
    edge.close()
    edge.open()  # its session does not matter: what is retained comes with the subscription
    wait_for(lambda: edge.locks.count(second) >= 2)
    assert edge.locks.count(first) == 1, "an older one is gone"


def test_a_broker_that_lost_its_memory_is_told_again(
    instance: Instance, running: Running, stage: Stage, edge: Edge, stack: Stack
) -> None:
    fact = lock_out("by anna: seals", 10, device="diverter")
    stack.kill("mosquitto")
    stage.decide(fact)
    time.sleep(0.5)  # read and kept, while there is nobody to tell
    running.stop()
    stack.restart("mosquitto")
    running.start()
    wait_for(lambda: fact in edge.locks)
    before = edge.locks.count(fact)
    stack.kill("mosquitto")
    stack.restart("mosquitto")
    wait_for(lambda: edge.locks.count(fact) > before)


def test_a_request_goes_to_the_edge_that_decides_for_its_area_until_it_expires(
    instance: Instance, running: Running, edge: Edge
) -> None:
    asked = [request("shop/cooling"), request("shop/press"), request("shop/cooling", -1), request("shop/cooling")]
    producer = Producer(instance.kafka)
    for one in asked:
        producer.send(CONDITIONS, one.area, one).get(timeout=20)
    producer.close()
    wait_for(lambda: asked[3] in edge.requests)
    assert [r for r in edge.requests if r in asked] == [asked[0], asked[3]]


def test_a_request_waits_for_the_broker_and_a_restart_carries_it_once_more_at_most(
    instance: Instance, running: Running, edge: Edge, stack: Stack
) -> None:
    producer = Producer(instance.kafka)
    stack.kill("mosquitto")
    asked = request("shop/cooling")
    producer.send(CONDITIONS, asked.area, asked).get(timeout=20)
    producer.close()
    time.sleep(0.3)
    running.stop()
    running.start()
    stack.restart("mosquitto")
    wait_for(lambda: asked in edge.requests)
    assert edge.requests.count(asked) <= 2


def test_hands_off_waits_at_the_broker_for_an_edge_that_is_away(
    instance: Instance, running: Running, edge: Edge
) -> None:
    asked = request("shop/cooling", 3600.0, StopActing(reason="people are in the machine"))
    edge.close()
    producer = Producer(instance.kafka)
    producer.send(INCIDENTS, asked.area, asked).get(timeout=20)
    producer.close()
    time.sleep(0.5)
    running.stop()  # what the broker has it keeps, and it is not carried a second time
    running.start()
    edge.open()
    wait_for(lambda: asked in edge.requests)


def test_hands_off_that_was_asked_while_nobody_carried_requests_is_carried_after_all(
    instance: Instance, stage: Stage, edge: Edge
) -> None:
    asked = request("shop/cooling", 3600.0, StopActing(reason="people are in the machine"))
    producer = Producer(instance.kafka)
    producer.send(INCIDENTS, asked.area, asked).get(timeout=20)
    producer.close()
    running = Running(instance)
    wait_for(lambda: asked in edge.requests)
    running.stop()


def test_a_request_to_an_edge_that_the_broker_does_not_know_is_refused(
    instance: Instance, running: Running, told_of_hall: Callable[[], list[Event]]
) -> None:
    asked = request("shop/hall", 30.0)
    producer = Producer(instance.kafka)
    producer.send(CONDITIONS, asked.area, asked).get(timeout=20)
    producer.close()
    wait_for(lambda: any(e.cause == asked.id for e in told_of_hall()))
    (refused,) = [e.fact for e in told_of_hall() if e.cause == asked.id]
    assert isinstance(refused, RequestRefused)
    assert refused.reason.startswith("unreachable: edge edge-9: ")


def request(area: str, seconds: float = 30.0, body: RequestBody | None = None) -> Request:
    now = datetime.now(UTC)
    return Request(
        id=uuid4(), area=area, at=now, by="anna", role="operator", expires=now + timedelta(seconds=seconds),
        body=body or AcknowledgeAlarm(alarm=uuid4()),
    )  # fmt: skip
