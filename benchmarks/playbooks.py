"""Playbooks: runs and steps of the pure engine; 1,000 runs at once through Kafka and Faust, and how fast they go on.

Each step asks a device for a value; the benchmark stands in for dispatcher, edge and device, and answers at once. So a
step is: decision, Kafka, the answer, Kafka, decision. What devices take on top, `latency` measures.
"""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from kafka import TopicPartition

from andon import records
from benchmarks import plants
from benchmarks.measures import MeasureError, Measures
from benchmarks.running import Plant, running
from bus.client import Producer, consumer
from devices.plant import load_plant
from events.codec import decode_record
from events.devices import CommandSucceeded
from events.envelope import Chain, Configure, Decision, Event, Reported, event
from events.playbooks import CommandIssued, RunFinished, RunStarted, StepFinished
from events.requests import Request, StartRun
from events.topics import COMMANDS, INCIDENTS, PARTITIONS
from events.types import make_id
from playbooks.brain import PlaybooksBrain
from playbooks.loading import load

RUNS, STEPS = 1000, 10
_WITHIN_S = 180.0
_BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def pure(measures: Measures, folder: Path) -> None:
    """RUNS runs at once in one brain, each answered in turn until all have ended."""
    brain = PlaybooksBrain()
    made = plants.write_books(folder / "books", STEPS)
    books = load(made / "playbooks", load_plant(made)[0])[0]
    brain.evolve(brain.decide(Configure(books.version, _BEGIN, "bench", books.pack())))
    areas, spent, steps = plants.areas(), 0.0, 0
    waiting: list[Event] = []
    given: list[Request | Reported] = [_start(areas[i % PARTITIONS], i, _BEGIN) for i in range(RUNS)]
    while given:
        began = time.perf_counter()
        for record in given:
            said = brain.decide(record)
            brain.evolve(said)
            waiting += said
        spent += time.perf_counter() - began
        steps += sum(isinstance(e.fact, StepFinished) for e in waiting)
        given = [Reported("bench", 0, (_answer(e, _BEGIN),)) for e in waiting if isinstance(e.fact, CommandIssued)]
        waiting = []
    if steps != RUNS * STEPS:
        raise MeasureError(f"{steps} of {RUNS * STEPS} steps were done")
    measures.note("playbook_steps_decided_per_s", steps / spent)


def measure(measures: Measures, folder: Path) -> None:
    """All that needs a plant."""
    made = plants.write_books(folder / "books", STEPS)
    with running(made, measures.console.print, "--no-simulator") as plant, _without(plant, "dispatcher"):
        edge = StandIn(plant)
        before = plant.rss_mb()["playbooks"]
        began = time.monotonic()
        edge.start(RUNS)
        edge.until(lambda: edge.started == RUNS and edge.open == RUNS, "not all runs began")
        measures.note("playbook_runs_started_per_s", RUNS / (time.monotonic() - began))
        measures.note("playbook_runs_at_once", edge.open)
        measures.note("rss_playbooks_1000_runs_mb", plant.rss_mb()["playbooks"])
        measures.note("rss_playbooks_idle_mb", before)
        began = time.monotonic()
        edge.answering = True
        edge.until(lambda: edge.ended == RUNS, "not all runs ended")
        took = time.monotonic() - began
        measures.note("playbook_steps_per_s", edge.steps / took)
        measures.note("playbook_runs_ended_per_s", RUNS / took)
        edge.latencies.clear()
        for number in range(RUNS + 1, RUNS + 21):  # one run alone: nothing waits for anything else
            edge.start(1)
            edge.until(functools.partial(edge.has_ended, number), "a run did not end")
        measures.note("playbook_step_p50_ms", float(np.percentile(edge.latencies, 50)) * 1000)
        measures.note("playbook_step_p99_ms", float(np.percentile(edge.latencies, 99)) * 1000)
        edge.close()
        if restarts := plant.restarts():
            raise MeasureError(f"processes were started again meanwhile: {restarts}")


class StandIn:
    """In place of dispatcher, edge and devices.

    Attributes:
        answering: while False, commands wait. started, ended, steps: so far; open: commands that wait for an answer.
        latencies: from an answer to the next command of its run, or its end [s].
    """

    def __init__(self, plant: Plant) -> None:
        self.answering, self.started, self.ended, self.steps = False, 0, 0, 0
        self.latencies: list[float] = []
        self._plant, self._producer = plant, Producer(plant.instance.kafka)
        self._waiting: list[Event] = []
        self._answered: dict[UUID, float] = {}
        self._chains: dict[int, Chain] = {}
        self._sequence, self._asked = 0, 0
        self._source = f"bench:{uuid4().hex[:8]}"
        self._reader = consumer(plant.instance.kafka)
        parts = [TopicPartition(COMMANDS, p) for p in range(PARTITIONS)]
        self._reader.assign(parts)
        self._reader.seek_to_end(*parts)
        for part in parts:
            self._reader.position(part)

    @property
    def open(self) -> int:
        return len(self._waiting)

    def start(self, runs: int) -> None:
        areas = plants.areas()
        for _ in range(runs):
            self._asked += 1
            area = areas[self._asked % len(areas)]
            self._producer.send(INCIDENTS, area, _start(area, self._asked, datetime.now(UTC), self._source))
        self._producer.flush(30)

    def until(self, done, missing: str) -> None:  # type: ignore[no-untyped-def]  # () -> bool
        """Raises: MeasureError: it did not come to that in time."""
        end = time.monotonic() + _WITHIN_S
        while not done():
            if time.monotonic() > end:
                raise MeasureError(f"{missing}: {self.started} began, {self.ended} ended, {self.steps} steps done")
            self._poll()
            if self.answering and self._waiting:
                self._answer()

    def has_ended(self, runs: int) -> bool:
        return self.ended >= runs

    def close(self) -> None:
        self._producer.close()
        self._reader.close()

    def _poll(self) -> None:
        for part, found in self._reader.poll(timeout_ms=5).items():
            for decision in (decode_record(r.value) for r in found):
                if not isinstance(decision, Decision):
                    continue
                if self._chains.setdefault(part.partition, Chain(decision.prev)).accept(decision):
                    for e in decision.events:
                        self._hear(e)

    def _hear(self, e: Event) -> None:
        match e.fact:
            case RunStarted():
                self.started += 1
            case StepFinished():
                self.steps += 1
            case CommandIssued(run=run):
                self._waiting.append(e)
                self._took(run)
            case RunFinished(run=run, outcome=outcome, detail=detail):
                if outcome != "completed":
                    raise MeasureError(f"a run is {outcome}: {detail}")
                self.ended += 1
                self._took(run)
            case _:
                pass

    def _took(self, run: UUID) -> None:
        if (answered := self._answered.pop(run, None)) is not None:
            self.latencies.append(time.monotonic() - answered)

    def _answer(self) -> None:
        now = datetime.now(UTC)
        for e in self._waiting:
            assert isinstance(e.fact, CommandIssued)
            self._sequence += 1
            self._answered[e.fact.run] = time.monotonic()
            self._producer.send(INCIDENTS, e.area, Reported(self._source, self._sequence, (_answer(e, now),)))
        self._waiting = []


@contextmanager
def _without(plant: Plant, process: str) -> Iterator[None]:
    """The process stands still: the benchmark does its work."""
    pid = records.read_all(plant.home)[process].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _start(area: str, number: int, at: datetime, salt: str = "") -> Request:
    return Request(
        id=make_id("bench", salt, number), area=area, at=at, by="bench", role="engineer",
        expires=at + timedelta(minutes=5), body=StartRun(playbook=plants.book_of(area, number // PARTITIONS)),
    )  # fmt: skip


def _answer(issued: Event, at: datetime) -> Event:
    c = issued.fact
    assert isinstance(c, CommandIssued)
    fact = CommandSucceeded(
        command=c.command, device=c.device, point=c.point, value=0.0, read_back=1.0, written_at=at, confirmed_at=at
    )
    return event(fact, at=at, area=issued.area, cause=c.command, author="edge bench", index=0)
