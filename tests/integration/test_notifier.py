"""The notifier with the real Kafka, a real SMTP server and real webhooks: who is told, and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from kafka import TopicPartition

from bus import topics as bus_topics
from bus.client import Producer, consumer
from bus.following import Place
from config.instance import Instance
from events.codec import decode_record
from events.envelope import Decision, Event, Fact, Reported, event
from events.incidents import IncidentAcknowledged, ShiftHandedOver
from events.notifications import (
    NotificationDelivered,
    NotificationFact,
    NotificationFailed,
    NotificationIssued,
    NotificationKind,
    NotificationWithdrawn,
)
from events.topics import COMMANDS, INCIDENTS, MIRRORS, PARTITIONS, partition_of
from events.types import Priority, make_id
from notify import main
from notify.reading import TOPICS
from notify.store import Store
from tests.conftest import REPOSITORY
from tests.following import last_decision
from tests.integration.channels import Hook, Mailbox

pytestmark = pytest.mark.integration

AREA = "shop/press"
PERSONS = """
positions:
  - {{position: lead, shifts: [{{shift: all, from: "00:00", to: "00:00", persons: [anna]}}]}}
persons:
  - person: anna
    channels:
      - {{channel: mail, url: "{mail}"}}
      - {{channel: hook, url: "{hook}"}}
  - person: ben
    channels: [{{channel: hook, url: "${{BEN_HOOK}}"}}]
  - {{person: carl}}
"""


class Topic:
    """A stage that writes decisions, each the successor of the one before."""

    def __init__(self, instance: Instance, topic: str) -> None:
        self.topic = topic
        self._producer = Producer(instance.kafka)
        self._cause = self._prev = last_decision(instance, topic, AREA)

    def decide(self, *facts: Fact) -> tuple[Event, ...]:
        events = said(*facts)
        self._cause += 7
        self.write(Decision(self._cause, self._prev, -1, events))
        self._prev = self._cause
        return events

    def write(self, record: Decision | Reported) -> None:
        self._producer.send(self.topic, AREA, record).get(timeout=20)

    def close(self) -> None:
        self._producer.close()


def said(*facts: Fact) -> tuple[Event, ...]:
    cause, now = make_id(uuid4()), datetime.now(UTC)
    return tuple(event(f, at=now, area=AREA, cause=cause, author="test", index=i) for i, f in enumerate(facts))


class Plant:
    """The notifier's surroundings. Attributes: incidents, commands, mirrors: the topics it reads."""

    def __init__(self, instance: Instance, mailbox: Mailbox, hook: Hook, other: Hook) -> None:
        self.instance, self.mailbox, self.hook, self.other = instance, mailbox, hook, other
        self.incidents, self.commands = Topic(instance, INCIDENTS), Topic(instance, COMMANDS)
        self.mirrors = Topic(instance, MIRRORS)
        self._partition = TopicPartition(INCIDENTS, partition_of(AREA))
        self._reader = consumer(instance.kafka)
        self._reader.assign([self._partition])
        self._reader.seek_to_end()
        self._reader.position(self._partition)
        self._told: list[Event] = []
        self._thread: threading.Thread | None = None
        self._skip_other_tests()

    def _skip_other_tests(self) -> None:
        """The notifier of this test begins at the end of what others left in Kafka."""
        store = Store(self.instance.data("notifier") / "notifier.sqlite")
        partitions = [TopicPartition(topic, n) for topic in TOPICS for n in range(PARTITIONS)]
        reader = consumer(self.instance.kafka)
        reader.assign(partitions)
        ends = {p: (reader.seek_to_end(p), reader.position(p))[1] for p in partitions}
        reader.close()
        for partition, end in ends.items():
            here = partition.partition == partition_of(AREA) and partition.topic != MIRRORS
            last = last_decision(self.instance, partition.topic, AREA) if here else None
            store.move(partition, Place(end, last))
        store.close()

    def start(self) -> None:
        self._stop = threading.Event()
        arguments = (self.instance, self._stop, {"BEN_HOOK": self.other.url})
        self._thread = threading.Thread(target=main.serve, args=arguments)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join(20)
            assert not self._thread.is_alive()
            self._thread = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """The notifier as a process, to be killed."""
        script = Path(__file__).with_name("notifier_process.py")
        home, plant = str(self.instance.home), str(self.instance.plant)
        command = [sys.executable, str(script), home, plant, self.instance.kafka, str(self.instance.port_base)]
        environment = {**os.environ, "BEN_HOOK": self.other.url, "PYTHONPATH": str(REPOSITORY)}
        with (self.instance.home / "notifier.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def outcomes(self, issued: Event) -> list[NotificationFact]:
        """What topic `incidents` says of the notification so far, each once."""
        for records in self._reader.poll(timeout_ms=100).values():
            for record in map(decode_record, (r.value for r in records)):
                if isinstance(record, Reported):
                    self._told.extend(record.events)
        return [e.fact for e in dict.fromkeys(self._told) if e.cause == issued.id]  # type: ignore[misc]

    def lines(self) -> list[dict[str, str]]:
        path = self.instance.home / "notifications.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def health(self) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.instance.health_port('notifier')}/health"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            return json.load(error)  # type: ignore[no-any-return]
        except urllib.error.URLError:
            return {"ok": False}  # it is starting

    def close(self) -> None:
        self.stop()
        self._reader.close()
        for topic in (self.incidents, self.commands, self.mirrors):
            topic.close()


@pytest.fixture
def plant(services: Instance, tmp_path: Path, port_base: int) -> Iterator[Plant]:
    bus_topics.create(services.kafka)
    mailbox, hook, other = Mailbox(), Hook(), Hook()
    folder = tmp_path / "plant"
    (folder / "people").mkdir(parents=True)
    people = PERSONS.format(mail=mailbox.url("anna@plant.example"), hook=hook.url)
    (folder / "people" / "people.yaml").write_text(people)
    instance = replace(services, home=tmp_path / "home", plant=folder, port_base=port_base)
    instance.home.mkdir()
    plant = Plant(instance, mailbox, hook, other)
    yield plant
    plant.close()
    for server in (mailbox, hook, other):
        server.close()


def note(
    text: str = "Press: look at it", *, to: str = "lead", priority: Priority = "high", incident: UUID | None = None,
    kind: NotificationKind = "escalation", seconds: float = 60.0,
) -> NotificationIssued:  # fmt: skip
    return NotificationIssued(
        notification=uuid4(), to=to, text=text, priority=priority, incident=incident, kind=kind,
        not_after=datetime.now(UTC) + timedelta(seconds=seconds),
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s"
        time.sleep(0.02)


def deliveries(facts: list[NotificationFact]) -> set[tuple[str, str, int]]:
    return {(f.person, f.channel, f.attempt) for f in facts if isinstance(f, NotificationDelivered)}


def test_who_is_on_call_is_told_over_every_channel_and_the_log_says_so(plant: Plant) -> None:
    plant.start()
    [issued] = plant.incidents.decide(note("Press 1: the relief valve is open · Ölleck"))
    wait_for(lambda: len(deliveries(plant.outcomes(issued))) == 2)
    assert deliveries(plant.outcomes(issued)) == {("anna", "mail", 1), ("anna", "hook", 1)}
    assert plant.hook.texts() == ["Press 1: the relief valve is open · Ölleck"]
    assert "the relief valve is open · Ölleck" in plant.mailbox.texts()[0]
    assert plant.mailbox.mails[0]["To"] == "anna@plant.example"
    assert [line["event"] for line in plant.lines()] == [str(issued.id)]


def test_notifications_of_playbooks_and_of_edges_that_are_homes_are_told_too(plant: Plant) -> None:
    plant.start()
    [playbook] = plant.commands.decide(note("from a playbook", to="ben", kind="playbook"))
    [edge] = said(note("from an edge", to="ben"))
    for _ in range(2):  # a mirror may come twice
        plant.mirrors.write(Reported("edge-1:mind", 1, (edge,)))
    wait_for(lambda: bool(deliveries(plant.outcomes(playbook))) and bool(deliveries(plant.outcomes(edge))))
    [after] = plant.incidents.decide(note("after", to="ben"))
    wait_for(lambda: bool(deliveries(plant.outcomes(after))))
    assert sorted(plant.other.texts()) == ["after", "from a playbook", "from an edge"]


def test_a_dead_and_a_hanging_channel_hold_up_no_other(plant: Plant) -> None:
    plant.hook.status, plant.mailbox.answer = "hang", "451 try later"
    plant.start()
    stuck = plant.incidents.decide(*[note(f"stuck {i}") for i in range(3)])
    wait_for(lambda: plant.hook.asked > 0)
    began = time.monotonic()
    [other] = plant.incidents.decide(note("free", to="ben"))
    wait_for(lambda: bool(deliveries(plant.outcomes(other))))
    assert time.monotonic() - began < 3.0
    plant.mailbox.answer = "250 OK"
    wait_for(lambda: len(plant.mailbox.mails) == 3)  # the mail goes while the hook still hangs
    assert plant.hook.posts == []
    assert all(not deliveries(plant.outcomes(e)) & {("anna", "hook", 1)} for e in stuck)


def test_what_failed_is_tried_again_and_each_attempt_is_in_the_log(plant: Plant) -> None:
    plant.other.status = 503
    plant.start()
    [issued] = plant.incidents.decide(note(to="ben"))
    wait_for(lambda: plant.other.asked >= 2)
    plant.other.status = 200
    wait_for(lambda: bool(deliveries(plant.outcomes(issued))))
    facts = plant.outcomes(issued)
    failures = [f for f in facts if isinstance(f, NotificationFailed)]
    assert [f.attempt for f in failures] == list(range(1, len(failures) + 1)) and len(failures) >= 2
    assert all(not f.final and "503" in f.reason for f in failures)
    assert deliveries(facts) == {("ben", "hook", len(failures) + 1)}
    assert len(plant.other.posts) == 1


def test_a_channel_that_stays_dead_is_given_up_when_it_is_too_late(plant: Plant) -> None:
    plant.other.status = 500
    plant.start()
    [issued] = plant.incidents.decide(note(to="ben", seconds=2))
    wait_for(lambda: any(isinstance(f, NotificationFailed) and f.final for f in plant.outcomes(issued)))
    asked = plant.other.asked
    plant.other.status = 200
    [after] = plant.incidents.decide(note("after", to="ben"))
    wait_for(lambda: bool(deliveries(plant.outcomes(after))))
    assert plant.other.texts() == ["after"]
    assert plant.other.asked == asked + 1


def test_late_ones_and_those_that_reach_nobody_are_failures_with_a_reason_and_stand_in_the_journal(
    plant: Plant,
) -> None:
    plant.start()
    late, nobody, carl = plant.incidents.decide(note(seconds=-1), note(to="leed"), note(to="carl"))
    wait_for(lambda: all(plant.outcomes(e) for e in (late, nobody, carl)))
    reasons = [f.reason for e in (late, nobody, carl) for f in plant.outcomes(e) if isinstance(f, NotificationFailed)]
    assert reasons[0].startswith("too late")
    assert reasons[1:] == ["people/*.yaml has no position or person 'leed'", "carl has no channel in people/*.yaml"]
    assert [line["event"] for line in plant.lines()] == [str(e.id) for e in (late, nobody, carl)]
    assert plant.mailbox.mails == [] and plant.hook.asked == 0


def test_what_is_acknowledged_before_it_went_out_is_withdrawn_also_when_the_notifier_was_away(plant: Plant) -> None:
    plant.other.status = 503
    plant.start()
    incident = uuid4()
    [tried] = plant.incidents.decide(note("tried", to="ben", incident=incident))
    wait_for(lambda: plant.other.asked > 0)
    plant.stop()
    [unread] = plant.incidents.decide(note("unread", to="ben", incident=incident))
    plant.incidents.decide(IncidentAcknowledged(incident=incident, by="anna"))
    plant.other.status = 200
    plant.start()
    [after] = plant.incidents.decide(note("after", to="ben"))
    wait_for(lambda: bool(deliveries(plant.outcomes(after))))
    for issued in (tried, unread):
        [withdrawn] = [f for f in plant.outcomes(issued) if isinstance(f, NotificationWithdrawn)]
        assert withdrawn.reason == "acknowledged by anna"
    assert plant.other.texts() == ["after"]


def test_who_took_the_position_over_by_hand_is_told_until_the_shift_changes(plant: Plant) -> None:
    plant.start()
    handed = ShiftHandedOver(position="lead", shift="", by="anna", to="ben", note="", open=(), standing=0,
                             unacknowledged=0, shelved=(), suppressed=(), out_of_service=())  # fmt: skip
    _, issued = plant.incidents.decide(handed, note("for ben"))
    wait_for(lambda: deliveries(plant.outcomes(issued)) == {("ben", "hook", 1)})
    _, later = plant.incidents.decide(msgspec.structs.replace(handed, shift="night"), note("for anna"))
    wait_for(lambda: ("anna", "hook", 1) in deliveries(plant.outcomes(later)))
    assert plant.other.texts() == ["for ben"]


def test_a_decision_that_does_not_count_tells_nobody(plant: Plant) -> None:
    plant.start()
    plant.incidents.write(Decision(10_000_000, 9_999_999, -1, said(note("a zombie's", to="ben"))))
    [real] = plant.incidents.decide(note("real", to="ben"))
    wait_for(lambda: bool(deliveries(plant.outcomes(real))))
    assert plant.other.texts() == ["real"]


def test_a_simulated_plant_calls_nobody(plant: Plant) -> None:
    plant.instance.simulated_mark.touch()
    plant.start()
    [issued] = plant.incidents.decide(note())
    wait_for(lambda: bool(plant.outcomes(issued)))
    [failed] = plant.outcomes(issued)
    assert isinstance(failed, NotificationFailed) and "simulated" in failed.reason
    assert plant.hook.asked == 0 and plant.mailbox.mails == []


def test_a_changed_file_counts_from_then_on_and_a_missing_secret_is_told_by_health(plant: Plant) -> None:
    plant.start()
    file = plant.instance.plant / "people" / "people.yaml"
    channels = 'channels: [{channel: hook, url: "${NO}"}]'
    file.write_text(file.read_text().replace("{person: carl}", f"{{person: carl, {channels}}}"))
    told = "channel hook of carl: ${NO} is not set in the environment of the notifier"
    wait_for(lambda: told in plant.health().get("reasons", []))  # type: ignore[operator]
    file.write_text(file.read_text().replace("${NO}", plant.other.url))
    wait_for(lambda: plant.health()["ok"] is True)
    [issued] = plant.incidents.decide(note("for carl", to="carl"))
    wait_for(lambda: deliveries(plant.outcomes(issued)) == {("carl", "hook", 1)})


def test_kill_9_in_the_middle_loses_nothing_and_doubles_nothing_that_was_said_to_be_delivered(plant: Plant) -> None:
    """At most the one message that was being sent at the moment of the kill may reach its channel twice."""
    expected: list[Event] = []
    kills = 4
    for i in range(kills):
        process = plant.spawn()
        for j in range(15):
            expected += plant.incidents.decide(note(f"{i}.{j}", to="ben"))
        target = len(plant.other.posts) + 5 + 2 * i
        wait_for(lambda: len(plant.other.posts) >= target, 30)  # noqa: B023  called at once
        process.kill()
        process.wait()
    process = plant.spawn()
    try:
        wait_for(lambda: all(deliveries(plant.outcomes(e)) for e in expected), 60)
    finally:
        process.terminate()
        process.wait(20)
    texts = plant.other.texts()
    assert set(texts) == {e.fact.text for e in expected if isinstance(e.fact, NotificationIssued)}
    assert len(texts) - len(set(texts)) <= kills
    for issued in expected:
        assert len([f for f in plant.outcomes(issued) if isinstance(f, NotificationDelivered)]) == 1
    lines = [line["event"] for line in plant.lines()]
    assert sorted(lines) == sorted(str(e.id) for e in expected)
