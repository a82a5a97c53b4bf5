"""How much faster than life the example plant's history is decided again: from the database, with the law checked.

The history is made, as nobody waits for it: each device scanned as often as its file says, with noise, and now and then
too far. The plant's own stages decide it, the log writer's intake writes it into TimescaleDB.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from andon import instance as instances
from andon.publish import compile_folder
from andon.settings import read_environment
from andon.stack.process import stop_all
from andon.stack.services import build_all, services_of, start_all
from andon.stack.timescale import Timescale
from benchmarks.measures import REPOSITORY, MeasureError, Measures
from benchmarks.plants import EXAMPLE
from benchmarks.running import free_port_base
from bus.fold import Fold
from config import duration
from devices.plant import Device, Point
from eventlog.inboxes import TimescaleInboxes
from eventlog.intake import Intake
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog, opened
from events.codec import encode
from events.envelope import Configure, Record, Tick
from events.readings import Frame
from events.topics import PARTITIONS, READINGS, partition_of
from events.types import to_micros
from replay.run import SPECS, replay
from replay.told import alike

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Past:
    """A plant that lives as fast as it can. Attributes: log: where its topics are written."""

    def __init__(self, log: TimescaleLog, excess_every_s: float) -> None:
        self._chance, self._every = random.Random(1), excess_every_s
        self._plant = compile_folder(EXAMPLE)
        self._intake, self._log = Intake({}, {}), log
        self._offsets: dict[tuple[str, int], int] = defaultdict(int)
        self._folds = {(i, p): Fold(s.name, p, s.brain(p)) for i, s in SPECS.items() for p in range(PARTITIONS)}
        self._sequence: dict[str, int] = defaultdict(int)
        self._excess: dict[str, datetime] = {}

    def live(self, seconds: int) -> None:
        at = START
        for inbox, definition in self._plant.definitions.items():
            for p in range(PARTITIONS):
                self._give(inbox, p, Configure(definition.version, at, "bench", definition.pack()), at)
        for second in range(seconds):
            at = START + second * SECOND
            for inbox in reversed(SPECS):
                for p in range(PARTITIONS):
                    self._give(inbox, p, Tick(at), at)
            self._disturb(at)
            frames = [f for d in self._plant.plant.devices.values() for f in self._scans(d, at)]
            for frame in sorted(frames, key=lambda f: int(f.times[0])):
                self._give(READINGS, partition_of(frame.area), frame.pack(), at)
            if second % 30 == 0:
                self._log.append(self._intake.batch())
        self._log.append(self._intake.batch())

    def _disturb(self, at: datetime) -> None:
        if self._chance.random() < 1 / self._every:
            point = self._chance.choice(sorted(self._plant.plant.points))
            self._excess[point] = at + self._chance.uniform(5, 20) * SECOND

    def _scans(self, device: Device, at: datetime) -> Iterator[Frame]:
        every = round(duration.seconds(device.modbus.every if device.modbus else "1s") * 1e6)
        points = [(f"{device.device}.{p.point}", p.range or (0.0, 1.0), _counts(p)) for p in device.points]
        for micros in range(0, 1_000_000, every):
            self._sequence[device.device] += 1
            yield Frame(
                area=device.area, device=device.device, source=f"edge-1:{device.device}",
                sequence=self._sequence[device.device], points=tuple(name for name, _, _ in points),
                times=np.array([to_micros(at) + micros], np.int64),
                values=np.array([[self._value(name, *within, at, exact=states) for name, within, states in points]]),
                qualities=np.zeros((1, len(points)), np.uint8),
            )  # fmt: skip

    def _value(self, point: str, low: float, high: float, at: datetime, *, exact: bool) -> float:
        if at < self._excess.get(point, START):
            return high
        return low if exact else low + (high - low) * (0.3 + 0.001 * self._chance.random())

    def _give(self, topic: str, partition: int, record: Record, at: datetime) -> None:
        raw, key = encode(record), (topic, partition)
        offset = self._offsets[key]
        self._offsets[key] += 1
        self._intake.take(key, offset, at, raw)
        if key in self._folds:
            fold = self._folds[key]
            fold.position = offset
            if (decision := fold.decide(offset, raw)) is not None:
                self._give(SPECS[topic].output, partition, decision, at)


def _counts(point: Point) -> bool:
    """Whether it has no noise: a state, or a counter."""
    return bool(point.states) or (point.register is not None and point.register.type == "uint32")


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of a database with our tables, on a server of its own."""
    environment = read_environment()
    made = instances.create(folder / "home", free_port_base(), environment=environment)
    runtime = environment.runtime or REPOSITORY / ".andon" / "runtime"
    every = services_of(made, instances.service_passwords(made.home), runtime)
    services = [service for service in every if isinstance(service, Timescale)]
    build_all(services, lambda _: None)
    running = start_all(services, lambda _: None)
    try:
        upgrade(made.database_url)
        yield made.database_url
    finally:
        stop_all(running.values())


def measure(measures: Measures, folder: Path, seconds: int = 1800) -> None:
    """`seconds` of history: once all quiet, once with something too far every other minute."""
    for name, every in (("quiet", 1e9), ("busy", 120.0)):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
        with database(folder / name) as url, opened(url) as log:
            Past(log, every).live(seconds)
            scans = log.connection.execute("SELECT count(*) FROM scans").fetchone()
            log.connection.commit()
            began = time.perf_counter()
            again = replay(TimescaleInboxes(log), START, START + (seconds - 10) * SECOND)
            spent = time.perf_counter() - began
        before, after = again.history.answers, again.replay.answers
        if len(before) != len(after) or not all(alike(a.events, b.events) for a, b in zip(before, after, strict=True)):
            raise MeasureError("history was decided otherwise")
        measures.note(f"replay_{name}_times_real_time", (seconds - 10) / spent)
        measures.note(f"replay_{name}_scans_per_s", (scans[0] if scans else 0) / spent)
