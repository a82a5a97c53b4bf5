"""The bridge against the real broker and the real Kafka: nothing lost, nothing twice, whatever dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import numpy as np
import pytest
from kafka import KafkaConsumer, TopicPartition
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from bus import topics as bus_topics
from bus.client import consumer
from config.instance import Instance
from events.codec import decode_dead_letter, decode_record, encode
from events.devices import DeviceLost, GapClosed, GapOpened
from events.envelope import DeadLetter, Reported, event
from events.readings import Frame, Packed, Quality, unpack
from events.topics import DEADLETTER, INCIDENTS, READINGS, confirm_topic, up_topic
from events.types import make_id, to_micros
from tests.conftest import Stack

pytestmark = pytest.mark.integration

POINTS = ("cooling_light.red", "cooling_light.amber", "cooling_light.siren")
START = (
    "import sys; from pathlib import Path; from andon import instance; from ingest.bridge import run;"
    "run(instance.load(Path(sys.argv[1])))"
)


class Topic:
    """What is written to a topic from now on."""

    def __init__(self, instance: Instance, topic: str) -> None:
        self._reader: KafkaConsumer = consumer(instance.kafka)
        partitions = [TopicPartition(topic, n) for n in range(4)]
        self._reader.assign(partitions)
        self._reader.seek_to_end()
        for p in partitions:
            self._reader.position(p)
        self.values: list[bytes] = []

    def until(self, enough: Callable[[list[bytes]], bool], within_s: float = 30.0) -> list[bytes]:
        """All values, as soon as they are enough."""
        until = time.monotonic() + within_s
        while not enough(self.values):
            assert time.monotonic() < until, f"only {len(self.values)} records within {within_s} s"
            for records in self._reader.poll(timeout_ms=200).values():
                self.values += [r.value for r in records]
        return self.values

    def rest(self, quiet_s: float = 1.0) -> list[bytes]:
        """All values, when nothing came for a while."""
        until = time.monotonic() + quiet_s
        while time.monotonic() < until:
            for records in self._reader.poll(timeout_ms=100).values():
                self.values += [r.value for r in records]
                until = time.monotonic() + quiet_s
        return self.values

    def rewind(self) -> None:
        self._reader.seek_to_beginning()

    def close(self) -> None:
        self._reader.close()


class Peer:
    """An MQTT client that publishes with QoS 1 and keeps what it is sent."""

    def __init__(self, instance: Instance, user: str, *subscriptions: str) -> None:
        self.received: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"{user}-{uuid4().hex[:6]}", protocol=MQTTv5)
        self.client.username_pw_set(*instance.mqtt.credentials(user))
        self.client.max_queued_messages_set(0)
        self.client.on_message = lambda _c, _u, m: self.received.append((m.topic, m.payload))
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect(instance.mqtt.host, instance.mqtt.port)
        self.client.loop_start()
        for s in subscriptions:
            self._ready.clear()
            self.client.subscribe(s, qos=1)
            assert self._ready.wait(5)

    def publish(self, topic: str, payload: bytes) -> None:
        info = self.client.publish(topic, payload, qos=1)
        info.wait_for_publish(20)
        assert info.is_published()

    def confirmed(self, source: str) -> int:
        """The highest number that was confirmed."""
        said = [json.loads(p) for t, p in list(self.received) if t.endswith("/confirm")]
        return max([c["up_to"] for c in said if c["source"] == source], default=0)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Running:
    """The bridge as a process of its own."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", START, str(self._instance.home)])
        wait_for(lambda: self.health()[0] == 200, 30)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def health(self) -> tuple[int, dict[str, object]]:
        url = f"http://127.0.0.1:{self._instance.health_port('bridge')}/health"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}


def wait_for(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def bridge(services: Instance) -> Iterator[Running]:
    bus_topics.create(services.kafka)
    running = Running(services)
    yield running
    assert running.stop() == 0


@pytest.fixture
def edge(services: Instance, bridge: Running) -> Iterator[Peer]:
    peer = Peer(services, "edge-1", confirm_topic("edge-1"))
    yield peer
    peer.close()


@pytest.fixture
def gateway(services: Instance, bridge: Running) -> Iterator[Peer]:
    peer = Peer(services, "gateway")
    yield peer
    peer.close()


@pytest.fixture
def open_topic(services: Instance, bridge: Running) -> Iterator[Callable[[str], Topic]]:
    opened: list[Topic] = []

    def make(name: str) -> Topic:
        opened.append(Topic(services, name))
        return opened[-1]

    yield make
    for topic in opened:
        topic.close()


@pytest.fixture
def source() -> str:
    return f"edge-1:{uuid4().hex[:12]}"


def now() -> datetime:
    return datetime.now(UTC)


def frame(source: str, sequence: int) -> bytes:
    return encode(
        Frame(
            area="shop/cooling", device="cooling_light", source=source, sequence=sequence, points=POINTS,
            times=np.array([to_micros(now())]), values=np.array([[1.0, 0.0, float(sequence)]]),
            qualities=np.zeros((1, 3), np.uint8),
        ).pack()
    )


def numbers(values: list[bytes], source: str) -> list[int]:
    records = [decode_record(v) for v in values]
    return [r.sequence for r in records if isinstance(r, Packed | Reported) and r.source == source]


def facts(values: list[bytes], about: str) -> list[object]:
    records = [decode_record(v) for v in values]
    told = [e.fact for r in records if isinstance(r, Reported) for e in r.events]
    return [f for f in told if getattr(f, "source", None) == about]


def plain_values(values: list[bytes], point: str) -> list[float]:
    """Every value of the point in frames of senders without numbers, in the order of the topic."""
    out: list[float] = []
    for record in map(decode_record, values):
        if isinstance(record, Packed) and record.source.startswith("mqtt:") and point in record.points.split("\n"):
            f = unpack(record)
            column = f.points.index(point)
            there = f.qualities[:, column] != Quality.ABSENT
            out += f.values[there, column].tolist()
    return out


def letters(values: list[bytes], origin: str) -> list[DeadLetter]:
    return [x for x in map(decode_dead_letter, values) if x.origin == origin]


def test_a_valid_frame_is_forwarded_as_it_is_and_then_confirmed(
    edge: Peer, open_topic: Callable[[str], Topic], source: str
) -> None:
    readings = open_topic(READINGS)
    sent = frame(source, 1)
    edge.publish(up_topic("edge-1", "frame"), sent)
    assert sent in readings.until(lambda v: sent in v)
    wait_for(lambda: edge.confirmed(source) == 1)


def test_a_frame_sent_again_is_confirmed_again_and_not_written_twice(
    edge: Peer, open_topic: Callable[[str], Topic], source: str
) -> None:
    readings = open_topic(READINGS)
    edge.publish(up_topic("edge-1", "frame"), frame(source, 1))
    wait_for(lambda: edge.confirmed(source) == 1)
    edge.received.clear()
    edge.publish(up_topic("edge-1", "frame"), frame(source, 1))
    wait_for(lambda: edge.confirmed(source) == 1)
    assert numbers(readings.rest(), source) == [1]


def test_a_gap_is_a_fact_and_closes_when_the_edge_goes_back(
    edge: Peer, open_topic: Callable[[str], Topic], source: str
) -> None:
    readings, incidents = open_topic(READINGS), open_topic(INCIDENTS)
    for n in (1, 4, 5, 2, 3, 4, 5):
        edge.publish(up_topic("edge-1", "frame"), frame(source, n))
    wait_for(lambda: edge.confirmed(source) == 5)
    assert numbers(readings.rest(), source) == [1, 2, 3, 4, 5]
    told = facts(incidents.until(lambda v: len(facts(v, source)) == 2), source)
    assert told == [GapOpened(source=source, first=2, last=3), GapClosed(source=source, first=2, last=3)]


def test_what_an_edge_reports_goes_to_the_inbox_of_playbooks(
    edge: Peer, open_topic: Callable[[str], Topic], source: str
) -> None:
    incidents = open_topic(INCIDENTS)
    fact = event(DeviceLost(device="press", reason="no answer"), at=now(), area="shop/press", cause=make_id(source),
                 author="edge edge-1", index=0)  # fmt: skip
    sent = encode(Reported(source, 1, (fact,)))
    edge.publish(up_topic("edge-1", "events"), sent)
    assert sent in incidents.until(lambda v: sent in v)
    wait_for(lambda: edge.confirmed(source) == 1)


def test_a_bad_frame_is_a_dead_letter_with_its_bytes_and_the_edge_may_go_on(
    edge: Peer, open_topic: Callable[[str], Topic], source: str
) -> None:
    deadletter = open_topic(DEADLETTER)
    bad = encode(msgspec.structs.replace(decode_record(frame(source, 1)), area="shop/press"))
    edge.publish(up_topic("edge-1", "frame"), bad)
    origin = f"mqtt {up_topic('edge-1', 'frame')}"
    found = letters(deadletter.until(lambda v: any(x.original == bad for x in letters(v, origin))), origin)
    letter = next(x for x in found if x.original == bad)
    assert letter.field == "area"
    wait_for(lambda: edge.confirmed(source) == 1)


def test_ten_megabytes_become_a_dead_letter_complete(gateway: Peer, open_topic: Callable[[str], Topic]) -> None:
    deadletter = open_topic(DEADLETTER)
    huge = b"x" * (10 << 20)
    gateway.publish("plain/huge", huge)
    [letter] = letters(deadletter.until(lambda v: len(letters(v, "mqtt plain/huge")) == 1), "mqtt plain/huge")
    assert letter.original == huge
    assert "10485760 bytes" in letter.reason


def test_an_unknown_tag_of_a_gateway_does_not_take_the_good_ones_down(
    gateway: Peer, open_topic: Callable[[str], Topic]
) -> None:
    readings, deadletter = open_topic(READINGS), open_topic(DEADLETTER)
    at = int(time.time() * 1000)
    body = {"timestamp": at, "node": "press", "group": "g", "values": {"pressure": 81.25, "presure": 1},
            "errors": {"temperature": 3002}}  # fmt: skip
    topic = f"neuron/{uuid4().hex[:6]}/upload"
    gateway.publish(topic, json.dumps(body).encode())
    [letter] = letters(deadletter.until(lambda v: bool(letters(v, f"mqtt {topic}"))), f"mqtt {topic}")
    assert letter.field == "values.presure"
    values = readings.until(lambda v: 81.25 in plain_values(v, "press.pressure"))
    [row] = [f for f in (unpack(r) for r in map(decode_record, values) if isinstance(r, Packed))
             if f.source == "mqtt:press" and 81.25 in f.values]  # fmt: skip
    assert row.times.tolist() == [at * 1000]
    assert row.qualities[0, row.points.index("press.temperature")] == Quality.BAD


def test_kill_9_in_the_middle_loses_no_reading_and_doubles_none(
    gateway: Peer, bridge: Running, open_topic: Callable[[str], Topic]
) -> None:
    readings = open_topic(READINGS)
    at, count = time.time_ns() // 1000, 3000

    def publish() -> None:
        for i in range(count):
            time_ = datetime.fromtimestamp((at + i * 1000) / 1e6, UTC).isoformat()
            body = {"time": time_, "point": "diverter.parts", "value": i}
            gateway.client.publish("plain/diverter", json.dumps(body).encode(), qos=1)
            if i % 50 == 0:
                time.sleep(0.01)

    sender = threading.Thread(target=publish)
    sender.start()
    for _ in range(3):
        time.sleep(0.25)
        bridge.kill()
        bridge.restart()
    sender.join()
    readings.until(lambda v: len(set(plain_values(v, "diverter.parts"))) == count)
    said = Counter(plain_values(readings.rest(), "diverter.parts"))
    assert said == Counter(map(float, range(count)))


def test_a_restarted_bridge_goes_on_where_its_ledger_is(
    edge: Peer, bridge: Running, open_topic: Callable[[str], Topic], source: str
) -> None:
    readings = open_topic(READINGS)
    edge.publish(up_topic("edge-1", "frame"), frame(source, 1))
    wait_for(lambda: edge.confirmed(source) == 1)
    bridge.kill()
    edge.received.clear()
    bridge.restart()
    wait_for(lambda: edge.confirmed(source) == 1)  # said again without being asked
    edge.publish(up_topic("edge-1", "frame"), frame(source, 2))
    wait_for(lambda: edge.confirmed(source) == 2)
    assert numbers(readings.rest(), source) == [1, 2]


def test_http_answers_202_when_kafka_has_the_readings(
    services: Instance, bridge: Running, open_topic: Callable[[str], Topic]
) -> None:
    readings = open_topic(READINGS)
    body = [{"time": now().isoformat(), "point": "cooling.current", "value": v} for v in (1.5, 2.5)]
    status, answer = post(services, body)
    assert (status, answer) == (202, {"taken": 2})
    assert plain_values(readings.rest(0.5), "cooling.current") == [1.5, 2.5]
    assert post(services, body)[0] == 202
    assert plain_values(readings.rest(0.5), "cooling.current") == [1.5, 2.5]


def test_http_answers_400_naming_the_field_and_takes_nothing(
    services: Instance, bridge: Running, open_topic: Callable[[str], Topic]
) -> None:
    readings = open_topic(READINGS)
    good = {"time": now().isoformat(), "point": "cooling.voltage", "value": 7.125}
    status, answer = post(services, [good, {**good, "point": "cooling.volts"}])
    assert status == 400
    assert [e["field"] for e in answer["errors"]] == ["1.point"]
    assert plain_values(readings.rest(0.5), "cooling.voltage") == []


def test_a_killed_kafka_holds_messages_back_and_then_all_arrive_once(
    edge: Peer, gateway: Peer, stack: Stack, bridge: Running, services: Instance, source: str
) -> None:
    edge.publish(up_topic("edge-1", "frame"), frame(source, 1))
    wait_for(lambda: edge.confirmed(source) == 1)
    stack.kill("kafka")
    at, count = int(time.time() * 1000), 1000
    for n in range(2, 50):
        edge.client.publish(up_topic("edge-1", "frame"), frame(source, n), qos=1)
    for i in range(count):
        body = {"time": at + i, "point": "press.position", "value": i}
        gateway.client.publish("plain/press", json.dumps(body).encode(), qos=1)
    wait_for(lambda: any("Kafka" in str(r) for r in bridge.health()[1].get("reasons", [])), 30)
    assert edge.confirmed(source) == 1
    stack.restart("kafka")
    wait_for(lambda: edge.confirmed(source) == 49, 60)
    values = everything(services, lambda v: len(plain_values(v, "press.position")) >= count)
    assert Counter(plain_values(values, "press.position")) == Counter(map(float, range(count)))
    assert numbers(values, source) == list(range(1, 50))
    wait_for(lambda: bridge.health()[0] == 200)


def test_a_killed_broker_is_found_again_and_what_it_held_arrives_once(
    gateway: Peer, edge: Peer, stack: Stack, open_topic: Callable[[str], Topic], source: str
) -> None:
    readings = open_topic(READINGS)
    at, count = int(time.time() * 1000), 500
    for i in range(count):
        if i == count // 2:
            stack.kill("mosquitto")
            stack.restart("mosquitto")
        body = {"time": at + i, "point": "press.vibration", "value": i % 97}
        gateway.client.publish("plain/press", json.dumps(body).encode(), qos=1)
    readings.until(lambda v: len(plain_values(v, "press.vibration")) >= count)
    assert Counter(plain_values(readings.rest(), "press.vibration")) == Counter(float(i % 97) for i in range(count))


def everything(instance: Instance, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """All that the topic holds, once it is enough: a reader of its own, since Kafka was away."""
    topic = Topic(instance, READINGS)
    topic.rewind()
    try:
        topic.until(enough)
        return topic.rest()
    finally:
        topic.close()


def post(instance: Instance, body: object) -> tuple[int, dict[str, list[dict[str, str]]]]:
    url = f"http://127.0.0.1:{instance.intake_port}/v1/readings"
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


