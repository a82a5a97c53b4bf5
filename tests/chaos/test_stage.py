"""The stage on a real broker: workers killed and paused, the broker killed; what counts is the pure result."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from bus.client import Producer, consumer
from bus.fold import Fold
from bus.stage import Spec
from events.codec import decode_record
from events.envelope import Chain, Decision, Tick
from tests.chaos.toy_stage import BRAINS, spec
from tests.conftest import Stack
from tests.unit.bus.test_fold import tick

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(300)]
PARTITIONS, INPUTS, SECONDS = 4, 14_000, 32
STILL_SECONDS, LONGEST_SECONDS = 90, 180
"""So long there may be no decision: a worker starts for half a minute where others want the processor; and the longest
that all may take."""


class Workers:
    """Workers of one consumer group. What ends is started again, as the supervisor does: a worker that starts while
    the broker is away ends with an error."""

    def __init__(self, kafka: str, name: str, brain: str, home: Path, *faults: str, count: int = 2) -> None:
        self._command = [sys.executable, "-m", "tests.chaos.toy_stage", kafka, name, brain, str(home), *faults]
        self._log = (home / "workers.log").open("a")
        self.processes = [self._start() for _ in range(count)]
        self.exits: list[int] = []
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def _supervise(self) -> None:
        while not self._stopping.wait(0.2):
            for i, process in enumerate(self.processes):
                if (code := process.poll()) is not None:
                    self.exits.append(code)
                    self.processes[i] = self._start()

    def kill(self, i: int) -> None:
        self.processes[i].kill()

    def pause(self, i: int, seconds: float) -> None:
        """Past its session: the other takes over while this one still believes that it is the owner."""
        self.processes[i].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.processes[i].send_signal(signal.SIGCONT)

    def log(self) -> str:
        return Path(self._log.name).read_text()[-3000:]

    def stop(self) -> None:
        self._stopping.set()
        self._supervisor.join()
        for p in self.processes:
            p.kill()
            p.wait()
        self._log.close()


def create_topics(kafka: str, s: Spec) -> KafkaAdminClient:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    compact = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    plain = {"num_partitions": PARTITIONS, "replication_factor": 1}
    admin.create_topics({s.inbox: plain, s.output: plain, s.snapshots: compact}, wait_for_metadata=True)
    return admin


def read(kafka: str, topic: str) -> dict[int, list[tuple[int, bytes]]]:
    reader = consumer(kafka)
    tps = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    reader.assign(tps)
    ends = reader.end_offsets(tps)
    out: dict[int, list[tuple[int, bytes]]] = {tp.partition: [] for tp in tps}
    while any(reader.position(tp) < ends[tp] for tp in tps):
        for tp, records in reader.poll(timeout_ms=200).items():
            out[tp.partition] += [(r.offset, r.value) for r in records]
    reader.close()
    return out


@pytest.mark.parametrize("brain", sorted(BRAINS))
def test_kills_pauses_and_a_broker_crash_change_nothing_in_what_counts(
    stack: Stack, brain: str, short_home: Path
) -> None:
    kafka, name = stack.instance.kafka, f"toy{uuid.uuid4().hex[:8]}"
    s = spec(name, brain)
    admin = create_topics(kafka, s)
    workers = Workers(kafka, name, brain, short_home)
    r = random.Random(7)
    stop = threading.Event()

    def chaos() -> None:
        plan = ["kill"] * 10 + ["pause"] * 2
        r.shuffle(plan)
        for action in plan:
            if stop.wait(r.uniform(1.0, 3.0)):
                return
            if action == "kill":
                workers.kill(r.randrange(2))
            else:
                workers.pause(r.randrange(2), 4.5)

    havoc = threading.Thread(target=chaos)
    havoc.start()
    producer = Producer(kafka)
    try:
        began = time.monotonic()
        for i in range(INPUTS):
            if i == INPUTS // 2 and "kafka" in stack.services:  # from this thread: its child dies with its thread
                stack.kill("kafka")
                workers.kill(0)
                stack.restart("kafka")
            raw = b"\xc1" if i % 997 == 996 else tick(i)
            producer.send_to(s.inbox, i // 2 % PARTITIONS, raw)
            if (ahead := i * SECONDS / INPUTS - (time.monotonic() - began)) > 0.05:
                time.sleep(ahead)
        producer.flush(60)
        havoc.join()
        wait_until_decided(kafka, s, brain, workers)
    finally:
        stop.set()
        havoc.join()
        workers.stop()
        producer.close()
        admin.delete_topics([s.inbox, s.output, s.snapshots])
        admin.close()


def wait_until_decided(kafka: str, s: Spec, brain: str, workers: Workers, still_s: float = STILL_SECONDS) -> None:
    """As long as decisions are made: a slow machine is no fault, a partition that stands still is one."""
    before: dict[int, int] = {}
    began = since = time.monotonic()
    while behind := compare(kafka, s.inbox, s.output, brain):
        if behind != before:
            before, since = behind, time.monotonic()
        facts = f"decisions of what is behind {behind}, exits {workers.exits}\n{workers.log()}"
        assert time.monotonic() - since < still_s, f"it stands still: {facts}"
        assert time.monotonic() - began < LONGEST_SECONDS, f"it never gets there: {facts}"
        time.sleep(1)


def compare(kafka: str, inbox: str, output: str, brain: str) -> dict[int, int]:
    """What counts in the output is the beginning of the pure result over the inputs. Returns how many decisions there
    are of each partition that does not have all of them."""
    inputs, outputs = read(kafka, inbox), read(kafka, output)
    behind = {}
    for p in range(PARTITIONS):
        pure = Fold(output.removesuffix("-out"), p, BRAINS[brain]())
        want = [d for offset, raw in inputs[p] if (d := pure.decide(offset, raw))]
        chain = Chain()
        got = [d for _, raw in outputs[p] if isinstance(d := decode_record(raw), Decision) and chain.accept(d)]
        # ticks written by the stage itself go on while we read: the output may be a little longer or shorter
        assert len(want) > 500
        both = min(len(want), len(got))
        assert got[:both] == want[:both], f"partition {p}: other decisions"
        if len(got) < len(want) - 20:
            behind[p] = len(got)
    return behind


@pytest.mark.parametrize("fault", ["deaf", "hanging"])
def test_a_worker_that_stands_still_ends_itself_and_its_successor_decides_all(
    stack: Stack, fault: str, short_home: Path
) -> None:
    kafka, name = stack.instance.kafka, f"toy{uuid.uuid4().hex[:8]}"
    s = spec(name, "counting")
    admin = create_topics(kafka, s)
    producer = Producer(kafka)
    for i in range(1100 * PARTITIONS):
        producer.send_to(s.inbox, i // 2 % PARTITIONS, tick(i))
    producer.flush(60)
    workers = Workers(kafka, name, "counting", short_home, fault, count=1)
    try:
        wait_until_decided(kafka, s, "counting", workers, LONGEST_SECONDS)
    finally:
        workers.stop()
        producer.close()
        admin.delete_topics([s.inbox, s.output, s.snapshots])
        admin.close()
    assert set(workers.exits) == {70}


def test_partitions_that_a_starting_broker_did_not_know_find_their_worker(stack: Stack, short_home: Path) -> None:
    kafka, name = stack.instance.kafka, f"toy{uuid.uuid4().hex[:8]}"
    s = spec(name, "counting")
    workers = Workers(kafka, name, "counting", short_home, "early", count=1)
    try:
        end = time.monotonic() + 60
        while "Ignoring missing topic" not in workers.log():
            assert time.monotonic() < end, workers.log()
            time.sleep(0.2)
        admin = create_topics(kafka, s)
        end = time.monotonic() + 30
        while min(len(v) for v in read(kafka, s.inbox).values()) == 0:
            assert time.monotonic() < end, f"nobody has the partitions\n{workers.log()}"
            time.sleep(0.5)
    finally:
        workers.stop()
    assert workers.exits == []
    admin.delete_topics([s.inbox, s.output, s.snapshots])
    admin.close()


def test_an_idle_stage_writes_its_own_ticks(stack: Stack, short_home: Path) -> None:
    kafka, name = stack.instance.kafka, f"toy{uuid.uuid4().hex[:8]}"
    s = spec(name, "counting")
    admin = create_topics(kafka, s)
    workers = Workers(kafka, name, "counting", short_home)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end and min(len(v) for v in read(kafka, s.inbox).values()) < 3:
            time.sleep(0.5)
        ticks = read(kafka, s.inbox)
    finally:
        workers.stop()
        admin.delete_topics([s.inbox, s.output, s.snapshots])
        admin.close()
    for records in ticks.values():
        times = [t.at for _, raw in records if isinstance(t := decode_record(raw), Tick)]
        assert len(times) >= 3
        assert times == sorted(times)
        assert 0.5 < (times[-1] - times[-2]).total_seconds() < 3
