"""A plant that lived for some minutes in memory: its topics, its stages, its log. Each stage reads late or early by
chance, as processes do; chance comes from a seed."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

import examples
from andon.publish import Compiled, compile_folder
from bus.fold import Fold
from eventlog.inboxes import MemoryInboxes
from eventlog.intake import Intake
from eventlog.memory import MemoryLog
from events import topics
from events.alarms import AlarmRaised
from events.codec import decode_record, encode
from events.devices import CommandSucceeded
from events.envelope import Configure, Decision, Record, Reported, Tick, event
from events.errands import RequestIssued
from events.playbooks import CommandIssued
from events.readings import Frame
from events.requests import AcknowledgeAlarm, Request
from events.topics import CONDITIONS, INCIDENTS, READINGS, partition_of
from events.types import make_id, to_micros
from incidents.relay import told
from replay.run import SPECS

PLANT = Path(examples.__file__).resolve().parent / "press-shop"
START = datetime(2026, 3, 1, 6, tzinfo=UTC)
Key = tuple[str, int]


@cache
def example() -> Compiled:
    return compile_folder(PLANT)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Lived:
    """Attributes: log: in memory; now: its time [s]; restarts: stages are killed now and then; late: they lag behind;
    excess: chance of a point to go too far at a scan; lost: by device, until when it is silent [s]."""

    def __init__(
        self, seed: int, *, plant: Compiled | None = None, restarts: bool = True, excess: float = 0.004,
        late: bool = True,
    ) -> None:  # fmt: skip
        self.chance, self.plant, self.restarts = random.Random(seed), plant or example(), restarts
        self.excess, self.late = excess, late
        self.lost: dict[str, float] = {}
        self.topics: dict[Key, list[bytes]] = defaultdict(list)
        self.taken: dict[Key, int] = defaultdict(int)
        self.folds = {(i, p): self._fold(i, p) for i in SPECS for p in range(topics.PARTITIONS)}
        self.log = MemoryLog(now=lambda: at(self.now))
        self.intake = Intake({}, {})
        self.now, self._sequence = 0.0, defaultdict(int)  # type: ignore[var-annotated]
        self._excess: dict[str, float] = {}
        self._asked: set[object] = set()
        self.configure()

    @property
    def inboxes(self) -> MemoryInboxes:
        return MemoryInboxes(self.log)

    def _fold(self, inbox: str, partition: int) -> Fold:
        spec = SPECS[inbox]
        return Fold(spec.name, partition, spec.brain(partition))

    def configure(self, plant: Compiled | None = None) -> None:
        self.plant = plant or self.plant
        for inbox, definition in self.plant.definitions.items():
            for p in range(topics.PARTITIONS):
                self.write(inbox, p, Configure(definition.version, at(self.now), "test", definition.pack()))

    def write(self, topic: str, partition: int, record: Record | bytes) -> None:
        self.topics[topic, partition].append(record if isinstance(record, bytes) else encode(record))

    def live(self, seconds: float) -> None:
        """Half a second after the other."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self._scan()
            if self.now % 1 == 0:
                for inbox in SPECS:
                    for p in range(topics.PARTITIONS):
                        self.write(inbox, p, Tick(at(self.now + self.chance.uniform(0, 0.2))))
            in_order = [(inbox, p) for inbox in SPECS for p in range(topics.PARTITIONS)]
            for key in self.chance.sample(in_order, k=9) if self.late else in_order:
                self._work(key)
            if self.now % 20 == 0:
                self._save()

    def _save(self) -> None:
        """All have read all; a snapshot of each."""
        for inbox, p in 3 * sorted(self.folds, key=lambda key: list(SPECS).index(key[0])):
            self._work((inbox, p))
        for (inbox, p), fold in self.folds.items():
            self.write(SPECS[inbox].snapshots, p, encode(fold.snapshot()))

    def logged(self) -> MemoryInboxes:
        """All that happened so far is in the log: in batches, topic by topic, as the lanes of the writer do it."""
        for (topic, p), records in self.topics.items():
            for offset in range(self.intake.position((topic, p)).next, len(records)):
                self.intake.take((topic, p), offset, at(self.now), records[offset])
                if offset % 50 == 49:
                    self.log.append(self.intake.batch())
        self.log.append(self.intake.batch())
        return self.inboxes

    # --- what the world does -----------------------------------------------------------------------------------------

    def _scan(self) -> None:
        for name, device in self.plant.plant.devices.items():
            if self.chance.random() < 0.05 or self.now < self.lost.get(name, 0):
                continue
            row = [self._value(f"{name}.{p.point}", p.range) for p in device.points]
            self._sequence["frames"] += 1
            late = 300 if self.chance.random() < min(self.excess, 0.01) else 0
            frame = Frame(
                area=device.area, device=name, source="edge-1:journal", sequence=self._sequence["frames"],
                points=tuple(f"{name}.{p.point}" for p in device.points),
                times=np.array([to_micros(at(self.now - late))], np.int64), values=np.array([row]),
                qualities=np.zeros((1, len(row)), np.uint8),
            )  # fmt: skip
            self.write(READINGS, partition_of(device.area), frame.pack())
            if self.chance.random() < 0.02:  # said again
                self.write(READINGS, partition_of(device.area), frame.pack())

    def _value(self, point: str, within: tuple[float, float] | None) -> float:
        low, high = within or (0.0, 1.0)
        if self.chance.random() < self.excess:
            self._excess[point] = self.now + self.chance.uniform(1, 20)
        usual = low + 0.3 * (high - low) + self.chance.random() / 100
        return high if self.now < self._excess.get(point, 0) else usual

    # --- what the stages do ------------------------------------------------------------------------------------------

    def _work(self, key: Key) -> None:
        if self.restarts and self.chance.random() < 0.003:
            self._restart(key)
        inbox, p = key
        fold, records = self.folds[key], self.topics[key]
        for offset in range(fold.position, len(records)):
            decision = fold.decide(offset, records[offset])
            if decision is not None:
                self.write(SPECS[inbox].output, p, decision)
                self._react(inbox, p, decision)

    def _restart(self, key: Key) -> None:
        """Killed, and begun anew from nothing but its topics."""
        fold = self.folds[key] = self._fold(*key)
        for raw in self.topics[SPECS[key[0]].output, key[1]]:
            record = decode_record(raw)
            if isinstance(record, Decision):
                fold.read_back(record)

    def _react(self, inbox: str, p: int, decision: Decision) -> None:
        offset = len(self.topics[SPECS[inbox].output, p]) - 1
        if inbox == CONDITIONS and (report := told(INCIDENTS, p, offset, decision)) is not None:
            self.write(CONDITIONS, partition_of(topics.PLANT_WIDE), report)
        for e in decision.events:
            fact = e.fact
            if isinstance(fact, CommandIssued) and self.chance.random() < 0.9:
                when = at(self.now)
                done = CommandSucceeded(
                    command=fact.command, device=fact.device, point=fact.point, value=fact.value, read_back=fact.value,
                    written_at=when, confirmed_at=when,
                )  # fmt: skip
                self._sequence["replies"] += 1
                reply = event(done, at=when, area=e.area, cause=fact.command, author="edge edge-1", index=0)
                self.write(INCIDENTS, p, Reported("edge-1:j", self._sequence["replies"], (reply,)))
            if isinstance(fact, RequestIssued):
                self.write(CONDITIONS, p, fact.request)
            if isinstance(fact, AlarmRaised) and self.chance.random() < 0.5:
                asked = Request(
                    id=make_id("ack", fact.alarm), area=e.area, at=at(self.now), by="anna", role="operator",
                    expires=at(self.now + 30), body=AcknowledgeAlarm(alarm=fact.alarm),
                )  # fmt: skip
                self.write(CONDITIONS, p, asked)
