"""kill -9 of the incidents stage, again and again in a flood of alarms and requests: nothing lost, doubled or wrong.

FLOOD_KILLS says how often: 40 times in the gate, 100 by hand.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from bus.client import Producer, consumer
from bus.fold import Fold
from events.alarms import AlarmCleared, AlarmLevelChanged, AlarmRaised
from events.codec import decode_record
from events.envelope import Chain, Configured, Decision, Event, InputFailed
from events.topics import PARTITIONS
from incidents.brain import IncidentsBrain
from tests.chaos.flood import AREAS, Source
from tests.chaos.flood_worker import live, spec
from tests.chaos.test_stage import read
from tests.conftest import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(900)]
KILLS = int(os.environ.get("FLOOD_KILLS", "40"))
FAUST_EVERY = 10
"""So often the life that is ended is one of Faust's; the others need no consumer group, so they are short."""
INPUTS_A_SECOND = 100
STARVES_S = 30.0


class Stage:
    """The one worker there is, and how much the stage has said."""

    def __init__(self, kafka: str, name: str, home: Path) -> None:
        self._given, self._name = (kafka, name, str(home)), name
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.flood_worker"])
        self._reader: KafkaConsumer = consumer(kafka)
        self._output = [TopicPartition(spec(name).output, p) for p in range(PARTITIONS)]
        self.process: BaseProcess | None = None

    def start(self, *, faust: bool) -> None:
        self.process = self._context.Process(target=live, args=(*self._given, faust), daemon=True)
        self.process.start()

    def kill(self) -> None:
        assert self.process is not None and self.process.is_alive(), "it ended by itself"
        self.process.kill()
        self.process.join()

    def said(self) -> int:
        """Records in the output."""
        return sum(self._reader.end_offsets(self._output).values())

    def await_word(self, more_than: int) -> None:
        end = time.monotonic() + STARVES_S
        while self.said() <= more_than:
            assert time.monotonic() < end, f"nothing was decided in {STARVES_S} s"
            time.sleep(0.01)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self._reader.close()


@contextmanager
def flooding(kafka: str, inbox: str, source: Source) -> Iterator[None]:
    """Inputs at a steady rate, until the block ends; then most conditions clear."""
    producer, stop = Producer(kafka), threading.Event()
    for partition, record in source.configure(datetime.now(UTC)):
        producer.send_to(inbox, partition, record)

    def flow() -> None:
        began, count = time.monotonic(), 0
        while not stop.is_set():
            producer.send_to(inbox, *source.next(datetime.now(UTC)))
            count += 1
            if (ahead := count / INPUTS_A_SECOND - (time.monotonic() - began)) > 0.02:
                time.sleep(ahead)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for partition, record in source.end(datetime.now(UTC)):
            producer.send_to(inbox, partition, record)
        producer.flush(60)
        producer.close()


def test_kills_in_a_flood_lose_double_and_falsify_nothing(stack: Stack, short_home: Path) -> None:
    kafka, name = stack.instance.kafka, f"flood{uuid.uuid4().hex[:8]}"
    s, source, chance = spec(name), Source(11), random.Random(13)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    plain = {"num_partitions": PARTITIONS, "replication_factor": 1}
    compact = {**plain, "configs": {"cleanup.policy": "compact"}}
    admin.create_topics({s.inbox: plain, s.output: plain, s.snapshots: compact}, wait_for_metadata=True)
    stage = Stage(kafka, name, short_home)
    try:
        with flooding(kafka, s.inbox, source):
            for number in range(KILLS):
                before = stage.said()
                stage.start(faust=number % FAUST_EVERY == 0)
                stage.await_word(before)
                time.sleep(chance.choice((0.0, 0.02, 0.1, 0.4)))  # in the middle of its work, never before it
                stage.kill()
        stage.start(faust=False)
        inputs, outputs = await_all(kafka, s.inbox, s.output, source, stage)
    finally:
        stage.close()
        admin.delete_topics([s.inbox, s.output, s.snapshots])
        admin.close()
    said = judge(inputs, outputs)
    judge_without_the_brain(said, source)


Records = dict[int, list[tuple[int, bytes]]]


def await_all(kafka: str, inbox: str, output: str, source: Source, stage: Stage) -> tuple[Records, Records]:
    """The inbox, and the output when the last request of each partition is answered in it."""
    last = {r.id for r in source.requests[-PARTITIONS:]}
    end = time.monotonic() + 120
    while True:
        outputs = read(kafka, output)
        if last <= {e.cause for records in outputs.values() for e in _events(records[-100:])}:
            return read(kafka, inbox), outputs
        assert time.monotonic() < end, "it does not catch up"
        assert stage.process is not None and stage.process.is_alive(), "it ended by itself"
        time.sleep(0.5)


def _events(records: list[tuple[int, bytes]]) -> Iterator[Event]:
    for _, raw in records:
        if isinstance(decision := decode_record(raw), Decision):
            yield from decision.events


def judge(inputs: Records, outputs: Records) -> list[Event]:
    """Compare what counts in the output, and the state that it makes, with the pure brain; the events that count."""
    said: list[Event] = []
    vain = 0
    for p, records in inputs.items():
        chain, got = Chain(), []
        for _, raw in outputs[p]:
            if isinstance(d := decode_record(raw), Decision):
                got += [d] if (counts := chain.accept(d)) else []
                vain += not counts
        pure = Fold("incidents", p, IncidentsBrain(p))
        want = [d for offset, raw in records if offset <= chain.last and (d := pure.decide(offset, raw))]
        assert len(want) > 100
        assert got == want, f"partition {p}: other decisions"
        twin = IncidentsBrain(p)
        for d in got:
            twin.evolve(d.events)
        twin.now = pure.brain.now
        assert twin.save() == pure.brain.save(), f"partition {p}: the log gives another state"
        said += [e for d in got for e in d.events]
    print(f"\n{len(said)} events of {sum(map(len, inputs.values()))} inputs; {vain} decisions were said again, in vain")
    return said


def judge_without_the_brain(said: list[Event], source: Source) -> None:
    """What must hold whatever the brain thinks: every alarm once, every request answered, and the states at the end."""
    assert not [e for e in said if isinstance(e.fact, InputFailed)]
    said = [e for e in said if not isinstance(e.fact, Configured)]  # each partition says it, under one id
    assert len({e.id for e in said}) == len(said), "an event was said twice"
    begun = Counter(e.fact.alarm for e in said if isinstance(e.fact, AlarmRaised))
    begun.update(e.fact.condition for e in said if isinstance(e.fact, AlarmLevelChanged) and e.fact.holds)
    assert set(begun.values()) == {1}, "an occurrence was raised twice"
    unsaid = {rule for occurrence, rule in source.raised.items() if occurrence not in begun}
    assert all(rule.endswith("ladder.H") for rule in unsaid), "an alarm is lost"  # beneath its HH the H joins silently
    assert set(begun) <= set(source.raised)
    answers = {e.cause for e in said}
    assert {r.id for r in source.requests} <= answers, "a request has no answer"
    over = {e.fact.alarm for e in said if isinstance(e.fact, AlarmCleared)}
    raised = [e.fact for e in said if isinstance(e.fact, AlarmRaised)]
    standing = {f.rule.replace(".HH", ".H") for f in raised if f.alarm not in over}
    holds = {rule.replace(".HH", ".H") for _, rule in source.active if not rule.endswith("stopped")}
    assert standing == holds, "a state is wrong at the end"
    assert {area for area, _ in source.active} == {a for i, a in enumerate(AREAS) if i % 2 == 0}
