"""Errands with the real Kafka, the real mosquitto and a real web server: what is done, once, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from kafka import TopicPartition
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from bus import topics as bus_topics
from bus.client import Producer, consumer
from bus.following import Place
from config.instance import Instance
from errands import main
from errands.reading import TOPICS
from errands.store import Store
from events.alarms import ConditionCleared
from events.codec import decode_record
from events.envelope import Decision, Event, Fact, Record, Reported, event
from events.errands import RequestIssued
from events.requests import CommentIncident, ReportErrand, Request
from events.topics import COMMANDS, CONDITIONS, INCIDENTS, MIRRORS, PARTITIONS, partition_of
from events.types import make_id
from tests.conftest import REPOSITORY
from tests.following import last_decision
from tests.unit.errands.errands import AREA, http, message

pytestmark = pytest.mark.integration
SECRET = "s3cr3t-t0ken"


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    body: str


class Cmms:
    """A web server. Attributes: calls: what came; answer: by path, (status, body), "hang" or a place to redirect to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: dict[str, Any] = {}
        self._released = threading.Event()
        cmms = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                cmms.calls.append(Call(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                said = cmms.answer.get(self.path, (201, '{"id": "T-1", "echo": "' + SECRET + '"}'))
                if said == "hang":
                    cmms._released.wait(60)
                    return
                if isinstance(said, str):
                    self.send_response(307)
                    self.send_header("Location", said)
                    self.end_headers()
                    return
                self.send_response(said[0])
                self.end_headers()
                self.wfile.write(said[1].encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()


class Plant:
    """The surroundings of the process, at the end of what other tests left in Kafka."""

    def __init__(self, instance: Instance, services: Instance) -> None:
        self.instance, self.services = instance, services
        self._producer = Producer(instance.kafka)
        self._cause = self._prev = last_decision(instance, COMMANDS, AREA)
        self._reader = consumer(instance.kafka)
        self._reader.assign([TopicPartition(topic, partition_of(AREA)) for topic in (INCIDENTS, CONDITIONS)])
        self._reader.seek_to_end()
        for partition in self._reader.assignment():
            self._reader.position(partition)
        self.told: list[tuple[str, Record]] = []
        self._running: Callable[[], None] | None = None
        self._skip_other_tests()

    def _skip_other_tests(self) -> None:
        store = Store(main.file(self.instance))
        partitions = [TopicPartition(topic, n) for topic in TOPICS for n in range(PARTITIONS)]
        reader = consumer(self.instance.kafka)
        for partition, end in reader.end_offsets(partitions).items():
            here = partition.partition == partition_of(AREA) and partition.topic == COMMANDS
            store.move(partition, Place(end, self._prev if here else None))
        reader.close()
        store.close()

    def decide(self, *facts: Fact, author: str = "playbook relief@1") -> tuple[Event, ...]:
        now, cause = datetime.now(UTC), make_id(uuid4())
        events = tuple(event(f, at=now, area=AREA, cause=cause, author=author, index=i) for i, f in enumerate(facts))
        self._cause += 7
        self._send(COMMANDS, Decision(self._cause, self._prev, -1, events))
        self._prev = self._cause
        return events

    def mirror(self, fact: Fact) -> None:
        one = event(fact, at=datetime.now(UTC), area=AREA, cause=uuid4(), author="playbook relief@1", index=0)
        self._send(MIRRORS, Reported("edge-1:events", uuid4().int % 10**9, (one,)))

    def _send(self, topic: str, record: Record) -> None:
        self._producer.send(topic, AREA, record).get(timeout=20)

    def start(self) -> None:
        """In a thread of this process."""
        stop = threading.Event()
        args = (self.instance, stop, {"ANDON_SECRET_CMMS": SECRET})
        thread = threading.Thread(target=main.serve, args=args, daemon=True)
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(15)
            assert not thread.is_alive()

        self._running = end
        self._until_it_is_well()

    def spawn(self) -> subprocess.Popen[bytes]:
        """As a process of its own."""
        script = REPOSITORY / "tests" / "integration" / "errands_process.py"
        argv = [sys.executable, str(script), str(self.services.home), str(self.instance.home),
                str(self.instance.port_base)]  # fmt: skip
        process = subprocess.Popen(argv, cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"})
        self._until_it_is_well()
        return process

    def _until_it_is_well(self) -> None:
        url = f"http://127.0.0.1:{self.instance.health_port('errands')}/health"

        def well() -> bool:
            try:
                with urllib.request.urlopen(url, timeout=2) as reply:
                    return bool(json.load(reply)["ok"])
            except OSError:
                return False

        until(well, "it is well", within_s=20)

    def outcome(self, errand: UUID, within_s: float = 15.0) -> ReportErrand:
        """What is told of the errand."""
        found: list[ReportErrand] = []

        def told() -> bool:
            found.extend(r.body for r in self.requests(INCIDENTS) if isinstance(r.body, ReportErrand)
                         and r.body.errand == errand)  # fmt: skip
            return bool(found)

        until(told, f"an outcome of {errand}", within_s)
        return found[0]

    def requests(self, topic: str) -> list[Request]:
        return [record for at, record in self._all() if at == topic and isinstance(record, Request)]

    def reported(self) -> list[Reported]:
        return [record for at, record in self._all() if at == CONDITIONS and isinstance(record, Reported)
                and record.source.startswith("playbooks:")]  # fmt: skip

    def _all(self) -> list[tuple[str, Record]]:
        for partition, records in self._reader.poll(timeout_ms=50).items():
            self.told += [(partition.topic, decode_record(r.value)) for r in records]
        return self.told

    def close(self) -> None:
        if self._running:
            self._running()
        self._producer.close()
        self._reader.close()


def until(holds: Callable[[], bool], what: str, within_s: float = 15.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def cmms() -> Iterator[Cmms]:
    made = Cmms()
    yield made
    made.close()


@pytest.fixture
def plant(services: Instance, tmp_path: Path, port_base: int) -> Iterator[Plant]:
    bus_topics.create(services.kafka)
    made = Plant(replace(services, home=tmp_path, port_base=port_base), services)
    yield made
    made.close()


def now() -> datetime:
    return datetime.now(UTC)


def test_a_call_carries_its_key_and_its_secret_and_what_is_saved_comes_back(plant: Plant, cmms: Cmms) -> None:
    plant.start()
    fact = http(
        uuid4().hex, at=now(), url=f"{cmms.url}/tickets?key={{secret.cmms}}", body='{"title": "Pressure"}',
        headers={"Authorization": "Bearer {secret.cmms}"}, expect=(201,), save={"ticket": "/id", "echo": "/echo"},
    )  # fmt: skip
    plant.decide(fact)
    outcome = plant.outcome(fact.errand)
    assert (outcome.status, outcome.reason) == (201, "")
    assert outcome.result == {"ticket": "T-1", "echo": "***"}, "a secret that the other side repeats is told to nobody"
    (call,) = cmms.calls
    assert (call.path, call.body) == (f"/tickets?key={SECRET}", '{"title": "Pressure"}')
    assert call.headers["idempotency-key"] == str(fact.key)
    assert (call.headers["authorization"], call.headers["content-type"]) == (f"Bearer {SECRET}", "application/json")
    (told,) = [r for r in plant.requests(INCIDENTS) if r.id == make_id("errand reported", fact.errand)]
    assert (told.by, told.role, told.area) == ("errands", "system", AREA)
    assert SECRET.encode() not in main.file(plant.instance).read_bytes()


def test_one_server_that_hangs_holds_up_no_other_errand(plant: Plant, cmms: Cmms) -> None:
    other = Cmms()
    cmms.answer["/slow"] = "hang"
    plant.start()
    hanging = [http(f"slow {uuid4()}", at=now(), url=f"{cmms.url}/slow", timeout_s=3.0, valid_s=1.0) for _ in range(9)]
    quick = http(f"quick {uuid4()}", at=now(), url=f"{other.url}/quick")
    told = message(f"tell {uuid4()}", at=now())
    plant.decide(*hanging, quick, told)
    began = time.monotonic()
    assert plant.outcome(quick.errand).status == 201
    assert plant.outcome(told.errand).reason == ""
    assert time.monotonic() - began < 2.5
    reasons = [plant.outcome(one.errand).reason for one in hanging]
    assert reasons.count("no answer within 3 s") == 4, "so many of one host at once"
    assert sum(reason.startswith("late: ") for reason in reasons) == 5, "the others are not begun when it is too late"
    assert len([c for c in cmms.calls if c.path == "/slow"]) == 4
    other.close()


@pytest.mark.parametrize(
    ("answer", "reason", "final"),
    [((500, "out of\norder " + SECRET), "answered 500: out of order ***", False),
     ((422, "no article"), "answered 422: no article", True),
     ("http://localhost:9/elsewhere", "redirected to another host, localhost: not followed", True),
     ((201, '{"number": 5}'), "the answer has no /id", True)],
)  # fmt: skip
def test_a_call_that_fails_is_told_with_its_reason(
    plant: Plant, cmms: Cmms, answer: Any, reason: str, final: bool
) -> None:
    cmms.answer["/tickets"] = answer
    plant.start()
    headers = {"X-Key": "{secret.cmms}"}
    fact = http(uuid4().hex, at=now(), url=f"{cmms.url}/tickets", headers=headers, save={"ticket": "/id"})
    plant.decide(fact)
    outcome = plant.outcome(fact.errand)
    assert (outcome.reason, outcome.final) == (reason, final)
    assert len(cmms.calls) == 1, "one call for one errand: whether it is tried again, the playbook decides"


def test_what_cannot_be_called_is_final_and_calls_nobody(plant: Plant, cmms: Cmms) -> None:
    plant.start()
    unknown = http(uuid4().hex, at=now(), url=cmms.url, headers={"X": "{secret.nobody}"})
    wrong = http(uuid4().hex, at=now(), url="file:///etc/passwd")
    late = http(uuid4().hex, at=now(), url=cmms.url, valid_s=-5)
    plant.decide(unknown, wrong, late)
    assert "no secret 'nobody'" in plant.outcome(unknown.errand).reason
    assert "does not begin with http" in plant.outcome(wrong.errand).reason
    assert plant.outcome(late.errand).reason.startswith("late: ")
    assert all(plant.outcome(one.errand).final for one in (unknown, wrong, late))
    closed = http(uuid4().hex, at=now(), url="http://127.0.0.1:9/")
    plant.decide(closed)
    assert not plant.outcome(closed.errand).final
    assert cmms.calls == []


def test_a_simulated_plant_calls_no_other_host(plant: Plant, cmms: Cmms) -> None:
    plant.instance.simulated_mark.touch()
    plant.start()
    outside, here = http(uuid4().hex, at=now()), http(uuid4().hex, at=now(), url=cmms.url + "/tickets")
    plant.decide(outside, here)
    assert "simulated" in plant.outcome(outside.errand).reason
    assert plant.outcome(here.errand).status == 201


def test_a_redirect_within_the_host_is_followed(plant: Plant, cmms: Cmms) -> None:
    cmms.answer["/old"] = "/new"
    plant.start()
    fact = http(uuid4().hex, at=now(), url=f"{cmms.url}/old", body="{}")
    plant.decide(fact)
    assert plant.outcome(fact.errand).status == 201
    assert [c.path for c in cmms.calls] == ["/old", "/new"]
    assert {c.headers["idempotency-key"] for c in cmms.calls} == {str(fact.key)}


def test_an_errand_of_an_edge_is_done_once_however_often_it_is_mirrored(plant: Plant, cmms: Cmms) -> None:
    plant.start()
    fact = http(uuid4().hex, at=now(), url=f"{cmms.url}/tickets")
    plant.mirror(fact)
    plant.mirror(fact)
    last = http(uuid4().hex, at=now(), url=f"{cmms.url}/last")
    plant.mirror(last)
    plant.outcome(last.errand)
    plant.outcome(fact.errand)
    assert [c.path for c in cmms.calls].count("/tickets") == 1


def test_killed_during_a_call_it_calls_once_more_with_the_same_key_and_then_never(plant: Plant, cmms: Cmms) -> None:
    cmms.answer["/tickets"] = "hang"
    fact = http(uuid4().hex, at=now(), url=f"{cmms.url}/tickets", timeout_s=50.0, valid_s=60.0)
    for times in (1, 2):
        process = plant.spawn()
        if times == 1:
            plant.decide(fact)
        until(lambda times=times: len(cmms.calls) == times, f"call {times}")  # type: ignore[misc]
        process.kill()
        process.wait()
    process = plant.spawn()
    outcome = plant.outcome(fact.errand)
    process.terminate()
    assert process.wait(10) == 0
    assert (outcome.reason, outcome.final) == ("cut off twice: nobody knows whether it was done", True)
    assert [c.headers["idempotency-key"] for c in cmms.calls] == [str(fact.key)] * 2


def test_what_the_incidents_stage_must_know_goes_into_its_inbox(plant: Plant) -> None:
    plant.start()
    asked = Request(
        id=uuid4(), area=AREA, at=now(), by="playbook relief", role="system", expires=now(),
        body=CommentIncident(incident=make_id("incident"), text="opened"),
    )  # fmt: skip
    plant.decide(RequestIssued(run=make_id("run"), step="note", attempt=1, request=asked))
    loop = ConditionCleared(occurrence=uuid4(), rule="playbook_loop", point="relief", value=None, reason="over")
    watch = ConditionCleared(occurrence=uuid4(), rule="watch.w1", point="press.pressure", value=1.0)
    first, _ = plant.decide(loop, loop, author="playbooks")
    plant.decide(watch, author="detection")
    plant.mirror(RequestIssued(run=make_id("run"), step="edge", attempt=1, request=replaced(asked)))
    end = message(uuid4().hex, at=now())
    plant.mirror(end)
    plant.outcome(end.errand)
    until(lambda: bool(plant.reported()), "the loop is told")
    assert [r.id for r in plant.requests(CONDITIONS)] == [asked.id], "an edge answers its own playbooks"
    (told,) = plant.reported()
    assert told.source == f"playbooks:{partition_of(AREA)}"
    assert [e.fact for e in told.events] == [loop, loop], "one record for one decision, none for what was passed on"
    assert told.events[0] == first


def replaced(request: Request) -> Request:
    return Request(
        id=uuid4(), area=request.area, at=request.at, by=request.by, role=request.role, expires=request.expires,
        body=request.body,
    )  # fmt: skip


class Listener:
    """Who hears what is published, as the monitor does."""

    def __init__(self, instance: Instance, user: str = "monitor") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self.client.username_pw_set(*instance.mqtt.credentials(user))
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _c, _u, m: self.heard.append((m.topic, bytes(m.payload)))
        self.client.connect(instance.mqtt.host, instance.mqtt.port)
        self.client.loop_start()
        assert self._ready.wait(10)

    def _subscribe(self, *_connected: Any) -> None:
        self.client.subscribe("#", qos=1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_message_is_published_and_what_moves_devices_is_not(plant: Plant) -> None:
    listener = Listener(plant.services)
    plant.start()
    topic = f"factory/{uuid4().hex}"
    told = message(uuid4().hex, at=now(), topic=topic, payload="the press is stopped")
    command = message(uuid4().hex, at=now(), topic="andon/v1/edge-1/down/command")
    plant.decide(told, command)
    assert plant.outcome(told.errand).reason == ""
    until(lambda: (topic, b"the press is stopped") in listener.heard, "the message is heard")
    refused = plant.outcome(command.errand)
    assert (refused.reason, refused.final) == ("topics of andon/ are not for playbooks", True)
    listener.close()


@pytest.mark.parametrize(
    "topic", ["andon/v1/edge-1/down/command", "andon/v1/errands/up/events", "neuron/press/write/x", "plain/press/x"]
)
def test_the_broker_itself_lets_the_user_of_errands_move_nothing(plant: Plant, topic: str) -> None:
    listener = Listener(plant.services)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.username_pw_set(*plant.services.mqtt.credentials("errands"))
    codes: list[Any] = []
    client.on_publish = lambda _c, _u, _mid, code, _p: codes.append(code)
    client.connect(plant.services.mqtt.host, plant.services.mqtt.port)
    client.loop_start()
    client.publish(topic, b"1", qos=1)
    client.publish("factory/after", topic.encode(), qos=1)
    until(lambda: len(codes) == 2, "the broker answers both")
    until(lambda: ("factory/after", topic.encode()) in listener.heard, "the second one is heard")
    assert codes[0].is_failure and not codes[1].is_failure
    assert topic not in [heard for heard, _ in listener.heard]
    client.disconnect()
    client.loop_stop()
    listener.close()
