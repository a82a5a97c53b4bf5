"""The incidents stage with very many alarms that stand: memory, restart, and how soon a request is answered.

The stage runs as it does in the plant (Faust, snapshots, the log read back), on topics of its own in the plant's Kafka,
so that 100,000 points need not be polled for it: `python -m benchmarks.standing KAFKA NAME HOME` is that process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from kafka import KafkaAdminClient, TopicPartition

from benchmarks import plants
from benchmarks.measures import REPOSITORY, MeasureError, Measures, percentile
from benchmarks.running import Plant, resident_mb
from bus.app import run_stage
from bus.client import Producer, consumer
from bus.stage import Spec
from config.instance import Instance, MqttAddress
from events.alarms import AlarmRaised, ConditionRaised
from events.codec import decode_record
from events.envelope import Chain, Configure, Decision, Event, event
from events.requests import AcknowledgeAlarm, Request
from events.topics import PARTITIONS, partition_of
from events.types import make_id
from incidents.brain import IncidentsBrain
from incidents.definition import Definition

REQUESTS = 50
_TOGETHER = 100
_WITHIN_S = 240.0
_SNAPSHOT_S = 15.0


def measure(measures: Measures, plant: Plant, folder: Path, alarms: int) -> None:
    """Raise so many, ask, kill, ask again.

    Raises:
        MeasureError: not all of them stand, or a request is not answered.
    """
    kafka, home = plant.instance.kafka, folder / "standing"
    home.mkdir(exist_ok=True)
    with _topics(kafka) as of:
        worker = _start(kafka, of, home)
        feed = Feed(kafka, of)
        try:
            began = time.monotonic()
            feed.raise_alarms(alarms)
            measures.note("standing_alarms", alarms)
            measures.note("standing_raised_per_s", alarms / (time.monotonic() - began))
            time.sleep(_SNAPSHOT_S)  # as it would be in the plant: there is a snapshot, and hardly anything after it
            measures.note("standing_memory_mb", resident_mb(worker.pid))
            times = sorted(feed.ask() for _ in range(REQUESTS))
            measures.note("standing_answer_p50_ms", percentile(times, 0.5) * 1e3)
            measures.note("standing_answer_max_ms", times[-1] * 1e3)
            worker.kill()
            worker.wait()
            began = time.monotonic()
            worker = _start(kafka, of, home)
            feed.ask()
            measures.note("standing_restart_s", time.monotonic() - began)
        finally:
            worker.kill()
            worker.wait()
            feed.close()


class Feed:
    """Says conditions to the stage as detection would, asks it as people would, and reads what it says."""

    def __init__(self, kafka: str, of: Spec) -> None:
        self._producer, self._of = Producer(kafka, linger_ms=2), of
        self._reader = consumer(kafka)
        self._parts = [TopicPartition(of.output, p) for p in range(PARTITIONS)]
        self._reader.assign(self._parts)
        self._reader.seek_to_beginning(*self._parts)
        self._chains = {p: Chain() for p in range(PARTITIONS)}
        self._occurrences: list[tuple[str, UUID]] = []
        definition = Definition(areas=tuple(plants.areas()))
        given = Configure(definition.version, datetime.now(UTC), "bench", definition.pack())
        for partition in range(PARTITIONS):
            self._producer.send_to(of.inbox, partition, given)

    def raise_alarms(self, count: int) -> None:
        """So many alarms, evenly over the areas; returns when all of them are decided."""
        prev = dict.fromkeys(plants.areas(), -1)
        for first in range(0, count, _TOGETHER):
            area = plants.areas()[first // _TOGETHER % PARTITIONS]
            events = tuple(self._raised(area, n, first) for n in range(first, min(first + _TOGETHER, count)))
            cause = first + 1
            decision, prev[area] = Decision(cause, prev[area], -1, events), cause
            self._producer.send_to(self._of.inbox, partition_of(area), decision)
        self._producer.flush(60)
        raised, end = 0, time.monotonic() + _WITHIN_S
        while raised < count:
            raised += sum(isinstance(e.fact, AlarmRaised) for e in self._read())
            if time.monotonic() > end:
                raise MeasureError(f"{raised} of {count} alarms were raised")

    def ask(self) -> float:
        """Acknowledge one alarm: how long the answer takes [s].

        Raises:
            MeasureError: there is none.
        """
        area, alarm = self._occurrences.pop(len(self._occurrences) // 2)
        now = datetime.now(UTC)
        request = Request(
            id=uuid4(), area=area, at=now, by="bench", role="operator", expires=now + timedelta(minutes=5),
            body=AcknowledgeAlarm(alarm=alarm),
        )  # fmt: skip
        began = time.monotonic()
        self._producer.send_to(self._of.inbox, partition_of(area), request)
        while not any(e.cause == request.id for e in self._read()):
            if time.monotonic() - began > _WITHIN_S:
                raise MeasureError("a request was not answered")
        return time.monotonic() - began

    def close(self) -> None:
        self._producer.close()
        self._reader.close()

    def _raised(self, area: str, number: int, frame: int) -> Event:
        at, occurrence = datetime.now(UTC), make_id(area, number)
        self._occurrences.append((area, occurrence))
        fact = ConditionRaised(
            occurrence=occurrence, rule=f"rule{number}", rule_version="v1", kind="limits", point=f"device.p{number}",
            priority="high", message="Too far", value=90.0, limit=80.0, unit="bar", began=at,
        )  # fmt: skip
        return event(fact, at=at, area=area, cause=make_id("frame", frame), author="detection", index=number - frame)

    def _read(self) -> Iterator[Event]:
        """The events that came; waits a little for them."""
        for part, records in self._reader.poll(timeout_ms=10).items():
            for record in records:
                decision = decode_record(record.value)
                if isinstance(decision, Decision) and self._chains[part.partition].accept(decision):
                    yield from decision.events


@contextmanager
def _topics(kafka: str) -> Iterator[Spec]:
    """Topics of its own, and their spec."""
    of = _spec(f"bench{uuid4().hex[:8]}")
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    plain = {"num_partitions": PARTITIONS, "replication_factor": 1}
    compact = {**plain, "configs": {"cleanup.policy": "compact", "max.message.bytes": "20971520"}}
    large = {**plain, "configs": {"max.message.bytes": "20971520"}}
    admin.create_topics({of.inbox: large, of.output: large, of.snapshots: compact}, wait_for_metadata=True)
    try:
        yield of
    finally:
        admin.delete_topics([of.inbox, of.output, of.snapshots])
        admin.close()


def _spec(name: str) -> Spec:
    return Spec(name=name, inbox=f"{name}-in", output=f"{name}-out", snapshots=f"{name}-snap", brain=IncidentsBrain)


def _start(kafka: str, of: Spec, home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.standing", kafka, of.name, str(home)]
    log = (home / "worker.log").open("ab")
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)


class _AnyPort(Instance):
    def health_port(self, process: str) -> int:
        return 0


if __name__ == "__main__":
    kafka, name, home = sys.argv[1:]
    mqtt = MqttAddress(host="127.0.0.1", port=1)
    sys.argv = sys.argv[:1]
    instance = _AnyPort(home=Path(home), plant=Path(home), kafka=kafka, database_url="", mqtt=mqtt)
    run_stage(instance, _spec(name))
