"""kill -9 of stage and executor at every boundary of every step: each step is executed exactly once."""

from __future__ import annotations

import multiprocessing
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from bus.client import Producer, consumer
from events.codec import decode_record
from events.envelope import Chain, Configure, Decision, Event
from events.playbooks import CommandIssued, RunFinished, StepFinished, StepStarted
from events.requests import Request, StartRun
from events.topics import PARTITIONS
from events.types import make_id
from tests.chaos.ten_steps import AREA, PARTITION, decide, obey, playbooks, spec
from tests.conftest import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(300)]
STARVES_S = 60.0


class Pair:
    """The stage and the executor, one process each."""

    def __init__(self, *given: str) -> None:
        self._given = given
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.ten_steps"])
        self.processes: list[BaseProcess] = []
        self.start()

    def start(self) -> None:
        lives: tuple[Callable[[str, str, str], None], ...] = (decide, obey)
        self.processes = [self._context.Process(target=live, args=self._given, daemon=True) for live in lives]
        for process in self.processes:
            process.start()

    def kill(self) -> None:
        for process in self.processes:
            assert process.is_alive(), "it ended by itself"
            process.kill()
        for process in self.processes:
            process.join()


class Heard:
    """What the stage has said, each decision that counts once."""

    def __init__(self, kafka: str, output: str) -> None:
        self._reader: KafkaConsumer = consumer(kafka)
        partition, self._chain = TopicPartition(output, PARTITION), Chain()
        self._reader.assign([partition])
        self._reader.seek_to_beginning(partition)
        self.events: list[Event] = []

    def boundaries(self) -> int:
        """How often a step has begun or ended so far."""
        for records in self._reader.poll(timeout_ms=50).values():
            for record in records:
                decision = decode_record(record.value)
                if isinstance(decision, Decision) and self._chain.accept(decision):
                    self.events += decision.events
        return sum(isinstance(e.fact, StepStarted | StepFinished) for e in self.events)

    def close(self) -> None:
        self._reader.close()

    def of(self, kind: type) -> list[Event]:
        return [e for e in self.events if isinstance(e.fact, kind)]


def test_ten_steps_with_a_kill_at_every_boundary_are_each_executed_once(stack: Stack, short_home: Path) -> None:
    kafka, name, chance = stack.instance.kafka, f"ten{uuid.uuid4().hex[:8]}", random.Random(5)
    s, books, now = spec(name), playbooks(), datetime.now(UTC)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    plain = {"num_partitions": PARTITIONS, "replication_factor": 1}
    compact = {**plain, "configs": {"cleanup.policy": "compact"}}
    admin.create_topics({s.inbox: plain, s.output: plain, s.snapshots: compact}, wait_for_metadata=True)
    producer = Producer(kafka)
    producer.send_to(s.inbox, PARTITION, Configure(books.version, now, "test", books.pack()))
    producer.send_to(s.inbox, PARTITION, Request(
        id=make_id("start", name), area=AREA, at=now, by="anna", role="operator", expires=now + timedelta(minutes=5),
        body=StartRun(playbook="p"),
    ))  # fmt: skip
    producer.flush(30)
    producer.close()
    heard, pair, kills = Heard(kafka, s.output), Pair(kafka, name, str(short_home)), 0
    try:
        seen, end = 0, time.monotonic() + STARVES_S
        while not heard.of(RunFinished):
            if (now_ := heard.boundaries()) > seen:
                seen, end = now_, time.monotonic() + STARVES_S
                time.sleep(chance.choice((0.0, 0.01, 0.05, 0.1)))  # before, while and after it is written
                pair.kill()
                kills += 1
                pair.start()
            assert time.monotonic() < end, (short_home / "workers.log").read_text()[-3000:]
    finally:
        pair.kill()
        heard.close()
        admin.delete_topics([s.inbox, s.output, s.snapshots])
        admin.close()
    written = (short_home / "writes").read_text().splitlines()
    assert Counter(written) == dict.fromkeys(
        ("p0 1", "p1 1", "p2 1", "p3 1", "p4 1", "p5 1", "p6 1", "p7 2", "p7 3", "p8 1"), 1
    ), [str(e.fact) for e in heard.events]
    assert written.index("p3 1") < written.index("p4 1") < written.index("p6 1") < written.index("p8 1")
    (finished,) = heard.of(RunFinished)
    assert finished.fact == RunFinished(run=make_id("run", "p", make_id("start", name)), outcome="completed")
    ended = Counter(e.fact.step for e in heard.of(StepFinished) if e.fact.again is None)
    assert set(ended.values()) == {1} and len(ended) == 19
    commands = [e.fact.command for e in heard.of(CommandIssued)]
    assert len(set(commands)) == len(commands)
    assert kills >= 6, "the steps followed each other faster than they could be interrupted"
    print(f"\n{kills} kills of two processes, {len(ended)} steps")
