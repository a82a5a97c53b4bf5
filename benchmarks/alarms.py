"""Alarms: decisions of the pure brain; transitions through Kafka and Faust to the log; a flood; 100,000 that stand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from kafka import TopicPartition

from benchmarks import plants, standing
from benchmarks.measures import MeasureError, Measures
from benchmarks.running import Plant, running
from bus.client import Producer, consumer
from events.alarms import AlarmCleared, AlarmRaised, ConditionCleared, ConditionRaised
from events.codec import decode_record
from events.envelope import Chain, Configure, Decision, Event, Record, Tick, event
from events.readings import Frame
from events.requests import AcknowledgeAlarm, Request
from events.topics import INCIDENTS, PARTITIONS, READINGS
from events.types import make_id
from incidents.brain import IncidentsBrain
from incidents.definition import Definition

FLOOD, FLOOD_S = 10_000, 10.0
AHEAD = 4000
"""Transitions under way while their rate is measured: what is older than the plant's limit would count as history."""
CALLS_S = 15.0
"""So long after the flood everybody was called that is called for it at once; what is gathered follows later."""
_WITHIN_S = 240.0
_LOOK_S = 0.5
"""Between two looks at the log: each counts a whole table on the cores that are being measured."""
_BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def pure(measures: Measures, seconds: float) -> None:
    """Inputs of one condition or one acknowledgement each, decided and taken over; 1,000 alarms in one area."""
    brain = _brain()
    count, said, spent = 0, 0, 0.0
    for given in _story():
        began = time.perf_counter()
        events = brain.decide(given)
        brain.evolve(events)
        spent += time.perf_counter() - began
        count, said = count + 1, said + len(events)
        if spent > seconds:
            break
    measures.note("incidents_decisions_per_s", count / spent)
    measures.note("incidents_events_per_s", said / spent)


def measure(measures: Measures, folder: Path, seconds: float, alarms: int) -> None:
    """All that needs a plant. `alarms`: how many stand in the last part."""
    with running(plants.write_flood(folder / "flood"), measures.console.print, "--no-simulator") as plant:
        flood(measures, plant)
        transitions(measures, plant, seconds)
        measures.note("rss_incidents_10000_alarms_mb", plant.rss_mb()["incidents"])
        standing.measure(measures, plant, folder, alarms)
        if restarts := plant.restarts():
            raise MeasureError(f"processes were started again meanwhile: {restarts}")


def flood(measures: Measures, plant: Plant) -> None:
    """10,000 alarms in 10 s: until the last is in the log, and how many people would have been bothered.

    Raises:
        MeasureError: an alarm is missing, or there is one too many.
    """
    load, before = Load(plant), _count(plant, "alarm.raised")
    per_turn = FLOOD // (plants.FLOOD_DEVICES * 100)
    began = time.time()
    for turn in range(100):
        for device in load.devices:
            load.values[device][turn * per_turn : (turn + 1) * per_turn] = plants.EXCESS
            load.send(device)
        time.sleep(max(0.0, began + (turn + 1) * FLOOD_S / 100 - time.time()))
    load.flush()
    ended = time.time()
    _await(lambda: _count(plant, "alarm.raised") - before >= FLOOD, lambda: f"{_count(plant, 'alarm.raised') - before}"
           f" of {FLOOD} alarms are in the log")  # fmt: skip
    logged = time.time()
    time.sleep(CALLS_S)
    if (found := _count(plant, "alarm.raised") - before) != FLOOD:
        raise MeasureError(f"{found} alarms in the log, {FLOOD} were raised")
    measures.note("flood_seconds", ended - began)
    measures.note("flood_until_logged_s", logged - began)
    measures.note("flood_notifications", _count(plant, "notification.issued"))
    measures.note("flood_incidents", _count(plant, "incident.opened"))
    load.calm()
    _await(lambda: _count(plant, "alarm.cleared") >= FLOOD, lambda: "not all alarms have cleared in the log")
    load.close()


def transitions(measures: Measures, plant: Plant, seconds: float) -> None:
    """Alarms raised and cleared again, all of a device at a time, as fast as they are decided; until all are logged.

    Raises:
        MeasureError: one is missing.
    """
    load, watch = Load(plant), Watch(plant)
    before = _count(plant, "alarm.raised", "alarm.cleared")
    began = time.time()
    sent = 0
    for device, value in itertools.cycle(itertools.product(load.devices, (plants.EXCESS, plants.NORMAL))):
        if time.time() > began + seconds and value == plants.EXCESS:
            break
        while sent - watch.seen > AHEAD:
            watch.poll()
            if time.time() > began + seconds + _WITHIN_S:
                raise MeasureError(f"{watch.seen} of {sent} transitions were decided")
        load.values[device][:] = value
        load.send(device)
        sent += plants.FLOOD_POINTS
    load.flush()
    end = time.time() + _WITHIN_S
    while watch.seen < sent and time.time() < end:
        watch.poll()
    decided = time.time()
    _await(lambda: _count(plant, "alarm.raised", "alarm.cleared") - before >= sent, lambda: "not all are in the log")
    measures.note("alarm_transitions_decided_per_s", sent / (decided - began))
    measures.note("alarm_transitions_per_s", sent / (time.time() - began))
    measures.note("alarm_transitions", sent)
    load.close()
    watch.close()


class Load:
    """Frames of one scan each, written as the bridge would. Attributes: values: by device, what it would read now."""

    def __init__(self, plant: Plant) -> None:
        self.devices = dict(plants.flood_devices())
        self.values = {d: np.full(plants.FLOOD_POINTS, plants.NORMAL) for d in self.devices}
        self._producer = Producer(plant.instance.kafka, linger_ms=2)
        self._source, self._sequence = f"bench:{uuid4().hex[:12]}", 0
        self._points = {d: tuple(f"{d}.p{i}" for i in range(plants.FLOOD_POINTS)) for d in self.devices}

    def send(self, device: str) -> None:
        self._sequence += 1
        frame = Frame(
            area=self.devices[device], device=device, source=self._source, sequence=self._sequence,
            points=self._points[device], times=np.array([time.time_ns() // 1000]), values=self.values[device][None, :],
            qualities=np.zeros((1, plants.FLOOD_POINTS), np.uint8),
        )  # fmt: skip
        self._producer.send(READINGS, frame.area, frame.pack())

    def calm(self) -> None:
        """Everything is normal."""
        for device in self.devices:
            self.values[device][:] = plants.NORMAL
            self.send(device)
        self.flush()

    def flush(self) -> None:
        self._producer.flush(60)

    def close(self) -> None:
        self._producer.close()


class Watch:
    """Counts the transitions that the incidents stage decides from now on."""

    def __init__(self, plant: Plant) -> None:
        self.seen = 0
        self._chains: dict[int, Chain] = {}
        self._reader = consumer(plant.instance.kafka)
        parts = [TopicPartition(INCIDENTS, p) for p in range(PARTITIONS)]
        self._reader.assign(parts)
        self._reader.seek_to_end(*parts)
        for part in parts:
            self._reader.position(part)

    def poll(self) -> None:
        for part, records in self._reader.poll(timeout_ms=20).items():
            for raw in (r.value for r in records):
                decision = decode_record(raw)
                if not isinstance(decision, Decision):
                    continue
                if self._chains.setdefault(part.partition, Chain(decision.prev)).accept(decision):
                    self.seen += sum(isinstance(e.fact, AlarmRaised | AlarmCleared) for e in decision.events)

    def close(self) -> None:
        self._reader.close()


def _count(plant: Plant, *types: str) -> int:
    return int(plant.query("select count(*) from events where type = any(:t)", t=list(types))[0][0])


def _await(done: Callable[[], bool], missing: Callable[[], str]) -> None:
    end = time.monotonic() + _WITHIN_S
    while not done():
        if time.monotonic() > end:
            raise MeasureError(f"after {_WITHIN_S:.0f} s {missing()}")
        time.sleep(_LOOK_S)


def _brain() -> IncidentsBrain:
    brain = IncidentsBrain()
    definition = Definition(areas=("bench",))
    given = Configure(definition.version, _BEGIN, "bench", definition.pack())
    brain.evolve(brain.decide(given))
    return brain


def _story() -> Iterator[Record]:
    """Each alarm is raised, acknowledged and cleared, in turn; a tick in each hundredth input."""
    for n in itertools.count():
        at = _BEGIN + timedelta(milliseconds=5 * n)
        rule, turn = f"rule{n % 1000}", n // 3000
        occurrence = make_id(rule, turn)
        match (n // 1000) % 3:
            case 0:
                yield _said(n, at, ConditionRaised(
                    occurrence=occurrence, rule=rule, rule_version="v1", kind="limits", point="p", priority="high",
                    message="Too far", value=9.0, limit=8.0, unit="bar", began=at,
                ))  # fmt: skip
            case 1:
                yield Request(
                    id=make_id("request", n), area="bench", at=at, by="anna", role="operator",
                    expires=at + timedelta(minutes=1), body=AcknowledgeAlarm(alarm=occurrence),
                )  # fmt: skip
            case _:
                yield _said(n, at, ConditionCleared(occurrence=occurrence, rule=rule, point="p", value=1.0))
        if n % 100 == 99:
            yield Tick(at)


def _said(n: int, at: datetime, fact: ConditionRaised | ConditionCleared) -> Decision:
    e: Event = event(fact, at=at, area="bench", cause=make_id("frame", n), author="detection", index=0)
    return Decision(n, n - 1, -1, (e,))


