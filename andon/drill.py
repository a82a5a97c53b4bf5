"""The fire drill: a real fault in the example plant, and the time of each link of the chain until the log has it all.

It watches from outside: the simulator's own register history, Kafka's topics and the event log. It changes the plant as
a person would: by a fault in the machine, and by acknowledging afterwards so that the plant returns to normal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from kafka import TopicPartition
from msgspec import Struct
from sqlalchemy import Engine, create_engine, text

from bus.client import Producer, consumer
from config.instance import Instance
from devices.simulator.client import SimulatorClient
from events import topics
from events.alarms import AlarmRaised, ConditionRaised
from events.codec import decode_record
from events.devices import CommandSucceeded
from events.envelope import Chain, Decision, Event, Reported
from events.incidents import AlarmGrouped, IncidentOpened
from events.playbooks import CommandIssued, StepStarted
from events.readings import FrameError, Packed, unpack
from events.requests import AcknowledgeIncident, Request
from events.topics import partition_of
from events.types import from_micros

AREA, POINT, VALVE = "shop/press", "press.pressure", "press.relief_valve"
ASK_AGAIN_S = 2.0
STEPS = (
    "register changed", "polled", "in Kafka", "condition", "alarm", "incident", "playbook step", "command",
    "register written", "read back", "in the event log",
)  # fmt: skip


class Step(Struct):
    """Attributes: at: when, None if it was not seen; ms: since the register changed."""

    name: str
    at: datetime | None = None
    ms: float | None = None


class Run(Struct):
    ok: bool
    total_ms: float | None
    steps: list[Step]
    problem: str = ""


class Report(Struct):
    passed: int
    failed: int
    runs: list[Run]


class DrillError(Exception):
    """The drill cannot be held: the plant does not become normal, or something does not answer."""


F = TypeVar("F")


@dataclass(frozen=True)
class Seen(Generic[F]):
    """A fact that a topic said: its event, and when it was published."""

    fact: F
    event: Event
    published: datetime


class Watcher:
    """Reads what the topics say of the area from now on. `seen` is in order of reading."""

    def __init__(self, kafka: str) -> None:
        names = (topics.READINGS, topics.CONDITIONS, topics.INCIDENTS, topics.COMMANDS)
        self._consumer = consumer(kafka)
        here = [TopicPartition(name, partition_of(AREA)) for name in names]
        self._consumer.assign(here)
        self._consumer.seek_to_end(*here)
        for tp in here:
            self._consumer.position(tp)  # now, not at the first poll
        self._chains: dict[str, Chain | None] = dict.fromkeys(names)
        self.seen: list[Seen[Any]] = []
        self.published: dict[datetime, datetime] = {}
        """Time of the scan -> when its frame was published, of the drill's device."""

    def poll(self) -> None:
        for tp, records in self._consumer.poll(timeout_ms=50).items():
            for r in records:
                self._take(tp.topic, r.value, datetime.fromtimestamp(r.timestamp / 1000, UTC))

    def find(self, type_: type[F], **where: object) -> Seen[F] | None:
        """The first fact of that type whose fields are so."""
        return next(self.all(type_, **where), None)

    def all(self, type_: type[F], **where: object) -> Iterator[Seen[F]]:
        for seen in self.seen:
            if isinstance(seen.fact, type_) and all(getattr(seen.fact, k) == v for k, v in where.items()):
                yield seen

    def first_condition(self) -> Seen[ConditionRaised] | None:
        """The one that became an alarm: the lowest level of a ladder that was crossed, and no rule that only steers."""
        for seen in self.all(ConditionRaised, point=POINT):
            if seen.fact.kind not in ("suppression", "correlation", "watch"):
                return seen
        return None

    def attempt(
        self, incident: UUID
    ) -> tuple[Seen[StepStarted] | None, Seen[CommandIssued] | None, Seen[CommandSucceeded] | None]:
        """The attempt to open the valve that succeeded, else the newest: one that came late, because a stage was away,
        is refused and made again."""
        step: Seen[StepStarted] | None = None
        command: Seen[CommandIssued] | None = None
        for command in self.all(CommandIssued, incident=incident, point=VALVE):
            c = command.fact
            step = self.find(StepStarted, run=c.run, step=c.step, attempt=c.attempt)
            if done := self.find(CommandSucceeded, command=c.command):
                return step, command, done
        return step, command, None

    def close(self) -> None:
        self._consumer.close()

    def _take(self, topic: str, raw: bytes, published: datetime) -> None:
        match decode_record(raw):
            case Packed() as packed if packed.device == POINT.partition(".")[0]:
                try:
                    frame = unpack(packed)
                except FrameError:
                    return
                self.published |= {from_micros(int(t)): published for t in frame.times}
            case Decision() as decision:
                chain = self._chains[topic]
                if chain is None:  # the first one seen: those before it are not ours to judge
                    chain = self._chains[topic] = Chain(decision.prev)
                if chain.accept(decision):
                    self.seen += [Seen(e.fact, e, published) for e in decision.events]
            case Reported() as reported:
                self.seen += [Seen(e.fact, e, published) for e in reported.events]


def measure(steps: Mapping[str, Step]) -> None:
    """Set how long after the first step each was seen.

    A scan bears the time of its request; a register that changed between that and the answer was polled as it changed.
    """
    changed, polled = steps["register changed"].at, steps["polled"].at
    if changed and polled:
        steps["polled"].at = max(changed, polled)
    for step in steps.values():
        if step.at and changed:
            step.ms = round((step.at - changed) / timedelta(milliseconds=1), 3)


class Drill:
    def __init__(self, instance: Instance, *, timeout_s: float = 60.0) -> None:
        self.instance, self.timeout_s = instance, timeout_s
        self.engine: Engine = create_engine(instance.database_url, pool_pre_ping=True)

    def hold(self, count: int, progress: Callable[[int, Run], None]) -> Report:
        """`count` runs, one after the other; `progress(number, run)` after each.

        Raises:
            DrillError: its devices are real, or the plant does not become normal before a run.
        """
        if not self.instance.simulated:
            raise DrillError(f"the devices of {self.instance.home} are real: `andon up` without --no-simulator"
                             " makes a simulated plant")
        runs: list[Run] = []
        for number in range(count):
            self._make_normal()
            runs.append(self._one())
            progress(number + 1, runs[-1])
        self._make_normal()
        good = sum(r.ok for r in runs)
        return Report(passed=good, failed=len(runs) - good, runs=runs)

    # --- one run -----------------------------------------------------------------------------------------------------

    def _one(self) -> Run:
        steps = {name: Step(name) for name in STEPS}
        began = datetime.now(UTC)
        with self._watching() as watcher:
            self._simulated(lambda s: s.fault("overpressure"))
            end = time.monotonic() + self.timeout_s
            while time.monotonic() < end and not self._look(watcher, began, steps):
                pass
        measure(steps)
        missing = [s.name for s in steps.values() if s.at is None]
        times = [s.ms for s in steps.values() if s.ms is not None]
        return Run(
            ok=not missing, total_ms=max(times) if not missing else None, steps=list(steps.values()),
            problem=f"not seen within {self.timeout_s:.0f} s: {', '.join(missing)}" if missing else "",
        )  # fmt: skip

    def _look(self, watcher: Watcher, began: datetime, steps: dict[str, Step]) -> bool:
        """Note what has happened by now; True when the log has all of it."""
        watcher.poll()
        condition = watcher.first_condition()
        if not condition:
            return False
        raised = condition.fact
        chain: list[Seen[Any]] = [condition]
        steps["condition"].at = condition.published
        if in_kafka := watcher.published.get(raised.began):  # from here to the condition the rule's on-delay runs
            steps["polled"].at, steps["in Kafka"].at = raised.began, in_kafka
        if alarm := watcher.find(AlarmRaised, alarm=raised.occurrence):
            steps["alarm"].at = alarm.published
            chain.append(alarm)
        incident: Seen[IncidentOpened] | Seen[AlarmGrouped] | None = watcher.find(
            IncidentOpened, alarm=raised.occurrence
        ) or watcher.find(AlarmGrouped, alarm=raised.occurrence)  # it reopened one, or another alarm opened it before
        if incident:
            steps["incident"].at = incident.published
            chain.append(incident)
            step, command, done = watcher.attempt(incident.fact.incident)
            if step and command:
                steps["playbook step"].at, steps["command"].at = step.published, command.published
                chain += [step, command]
                if done:
                    steps["read back"].at = done.fact.confirmed_at
                    chain.append(done)
                    self._look_at_registers(raised, began, steps)
        if len(chain) == 6 and (logged := self._logged([seen.event.id for seen in chain])):
            steps["in the event log"].at = logged
        return all(s.at is not None for s in steps.values())

    def _look_at_registers(self, raised: ConditionRaised, began: datetime, steps: dict[str, Step]) -> None:
        limit = raised.limit if raised.limit is not None else float("inf")
        for name, point, meant in (("register changed", POINT, limit), ("register written", VALVE, 1.0)):
            changes = self._simulated(partial(SimulatorClient.history, point=point))
            steps[name].at = next((at for at, value in changes if at >= began and value >= meant), None)

    def _logged(self, ids: list[UUID]) -> datetime | None:
        """When the last of these events was recorded, once all of them are."""
        rows = self._ask(lambda: self._query("select recorded_at from events where id = any(:ids)", ids=ids))
        return max(r[0] for r in rows) if len(rows) == len(ids) else None

    # --- before and after --------------------------------------------------------------------------------------------

    def _make_normal(self) -> None:
        """End the fault, acknowledge what the drill caused, and wait until the plant has settled."""
        end = time.monotonic() + self.timeout_s
        asked: dict[UUID, float] = {}
        self._simulated(lambda s: s.fault("none"))
        while True:
            open_ = [r[0] for r in self._ask(lambda: self._query(
                "select incident from incidents where area = :area and status = 'open'", area=AREA))]  # fmt: skip
            running = self._ask(lambda: self._query(
                "select count(*) from runs where area = :area and outcome is null", area=AREA))[0][0]  # fmt: skip
            valve = self._simulated(lambda s: s.get(VALVE))
            if not open_ and not running and not valve:
                return
            if time.monotonic() > end:
                raise DrillError(
                    f"the plant does not become normal: {len(open_)} open incidents in {AREA}, {running} playbook runs,"
                    f" {VALVE} is {valve:g}; look at the board, and at `andon doctor`"
                )
            for incident in open_:
                if time.monotonic() - asked.get(incident, -ASK_AGAIN_S) >= ASK_AGAIN_S:  # one more alarm may have come
                    self._acknowledge(incident)
                    asked[incident] = time.monotonic()
            time.sleep(0.1)

    def _acknowledge(self, incident: UUID) -> None:
        now = datetime.now(UTC)
        request = Request(
            id=uuid4(), area=AREA, at=now, by="drill", role="operator", expires=now + timedelta(minutes=1),
            body=AcknowledgeIncident(incident=incident, comment="fire drill"),
        )  # fmt: skip
        producer = Producer(self.instance.kafka)
        try:
            producer.send(topics.CONDITIONS, AREA, request).get(timeout=self.timeout_s)
        finally:
            producer.close()

    def _query(self, sql: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def _simulated(self, question: Callable[[SimulatorClient], Any]) -> Any:
        """The simulator's answer, on a new connection each time: it may have been started anew."""

        def once() -> Any:
            with SimulatorClient("127.0.0.1", self.instance.simulator_port) as simulator:
                return question(simulator)

        return self._ask(once)

    def _ask(self, question: Callable[[], Any]) -> Any:
        """The answer, asked again until the timeout: what is asked may be starting again (that is what drills test)."""
        end = time.monotonic() + self.timeout_s
        while True:
            try:
                return question()
            except Exception as error:
                if time.monotonic() > end:
                    raise DrillError(f"no answer: {error}") from error
                time.sleep(0.2)

    @contextmanager
    def _watching(self) -> Iterator[Watcher]:
        watcher = Watcher(self.instance.kafka)
        try:
            yield watcher
        finally:
            watcher.close()
