"""From the scan that shows a fault to the register that a playbook writes, while 10,000 readings/s go by.

Without the poll interval: the clock starts at the time that the causing scan carries (when its poll began), and stops
at the moment at which the simulated device's register changed, as the simulator itself noted it.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from rich.progress import Progress

from andon.drill import AREA, ASK_AGAIN_S, POINT, VALVE, Drill, Run
from benchmarks import plants
from benchmarks.load import connected
from benchmarks.measures import MeasureError, Measures, percentile
from benchmarks.pipeline import start
from benchmarks.running import Plant, running
from bus.client import Producer
from events import topics
from events.codec import encode
from events.requests import AcknowledgeIncident, Request
from events.topics import request_topic

FAULT, HEALTHY = 240.0, 150.0
"""Pressure [bar]: above the limit HH, which has no delay; and below all limits."""
HH = 230.0
BACKGROUND = 10_000
WITHIN_S = 20.0
_WARM_UP_S = 3.0
_HOPS = (
    "condition.raised", "alarm.raised", "incident.alarm_grouped", "run.step_started", "command.issued",
    "command.succeeded",
)  # fmt: skip
_CHAIN_WITHIN = timedelta(seconds=1.5)
"""What was published later than that after the scan belongs to the recovery."""


def measure(measures: Measures, folder: Path, repetitions: int, drills: int, *, at_edge: bool) -> None:
    home = "edge" if at_edge else "plant"
    with running(plants.write_example(folder / home, at_edge=at_edge), measures.console.print) as plant:
        load = start(plant, "frames", "--scans", "1", "--seconds", "3600", "--rate", str(BACKGROUND))
        try:
            time.sleep(_WARM_UP_S)
            before, began = plant.cpu_seconds(), time.monotonic()
            times, hops = _repeat(measures, plant, repetitions)
            seconds, after = time.monotonic() - began, plant.cpu_seconds()
            if load.poll() is not None:
                raise MeasureError(f"the load beside ended: {load.communicate()[1][-500:]}")
        finally:
            load.send_signal(signal.SIGTERM)
            try:
                load.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                load.kill()
        measures.note(f"{home}_latency_p50_ms", percentile(times, 0.5))
        measures.note(f"{home}_latency_p99_ms", percentile(times, 0.99))
        measures.note(f"{home}_latency_max_ms", times[-1])
        measures.note(f"{home}_latency_repetitions", len(times))
        for name, spent in after.items():
            measures.note(f"{home}_cpu_{name}_percent", 100 * (spent - before.get(name, 0.0)) / seconds)
        for name, size in plant.rss_mb().items():
            measures.note(f"{home}_rss_{name}_mb", size)
        if not at_edge:
            for name in _HOPS:
                if seen := sorted(h[name] for h in hops if name in h):
                    measures.note(f"plant_hop_{name.replace('.', '_')}_p50_ms", percentile(seen, 0.5))
        if drills:
            _drill(measures, plant, drills)
        if restarts := plant.restarts():
            raise MeasureError(f"processes were started again meanwhile: {restarts}")


def _repeat(
    measures: Measures, plant: Plant, repetitions: int
) -> tuple[list[float], list[dict[str, float]]]:
    """The latencies [ms], ascending; and by repetition when each event was published, since the scan [ms]."""
    times: list[float] = []
    scans: list[datetime] = []
    with Progress(console=measures.console, transient=True) as progress:
        task = progress.add_task("repetitions", total=repetitions + 1)
        for i in range(repetitions + 1):
            _settle(plant)
            scan, written = _once(plant)
            if i:  # the first one warms everything up
                times.append((written - scan) / timedelta(milliseconds=1))
                scans.append(scan)
            progress.advance(task)
    _settle(plant)
    return sorted(times), [_published(plant, scan) for scan in scans]


def _published(plant: Plant, scan: datetime) -> dict[str, float]:
    """By type of event: when the first one after that scan was published, since the scan [ms]."""
    rows = plant.query(
        "select type, min(published_at) from events where area = :a and published_at between :t and :e group by type",
        a=AREA, t=scan, e=scan + _CHAIN_WITHIN,
    )  # fmt: skip
    return {type_: (at - scan) / timedelta(milliseconds=1) for type_, at in rows}


def _once(plant: Plant) -> tuple[datetime, datetime]:
    """One fault: when the scan was that showed it, and when the relief valve's register changed.

    Raises:
        MeasureError: the valve did not open.
    """
    began = datetime.now(UTC)
    with plant.simulator() as simulator:
        simulator.set({POINT: FAULT})
        end = time.monotonic() + WITHIN_S
        while not (opened := [at for at, value in simulator.history(VALVE) if at >= began and value >= 1.0]):
            if time.monotonic() > end:
                raise MeasureError(f"{VALVE} did not open within {WITHIN_S:.0f} s")
            time.sleep(0.02)
        simulator.set({POINT: HEALTHY})
        simulator.release(POINT)
    return _scan(plant, began), opened[0]


def _scan(plant: Plant, began: datetime) -> datetime:
    """The time of the first scan with the fault, from the log. Its poll may have begun just before the fault did."""
    end = time.monotonic() + WITHIN_S
    sql = "select min(time) from readings where device = :d and time >= :t and point = :p and value >= :v"
    wanted = {"d": POINT.partition(".")[0], "t": began - timedelta(milliseconds=500), "p": POINT, "v": HH}
    while True:
        at: datetime | None = plant.query(sql, **wanted)[0][0]
        if at is not None:
            return at
        if time.monotonic() > end:
            raise MeasureError("the scan that showed the fault is not in the log")
        time.sleep(0.02)


def _settle(plant: Plant) -> None:
    """Acknowledge what is open, and wait until the reset has closed the valve.

    Raises:
        MeasureError: the plant does not become normal.
    """
    end = time.monotonic() + 60
    asked: dict[UUID, float] = {}
    standing = "select rule from alarms where area = :a and active"
    while True:
        open_ = {r[0] for r in plant.query(
            "select incident from incidents where area = :a and status = 'open'", a=AREA)}  # fmt: skip
        running_ = plant.query("select count(*) from runs where area = :a and outcome is null", a=AREA)[0][0]
        with plant.simulator() as simulator:
            valve = simulator.get(VALVE)
        if not open_ and not running_ and not valve:
            return
        if time.monotonic() > end:
            raise MeasureError(
                f"the plant does not become normal: {len(open_)} incidents open, {running_} runs, valve {valve:g};"
                f" alarms standing: {[r[0] for r in plant.query(standing, a=AREA)]}"
            )
        now = time.monotonic()
        due = [i for i in open_ if now - asked.get(i, 0.0) > ASK_AGAIN_S]  # one more alarm may have come
        _acknowledge(plant, sorted(due))
        asked |= dict.fromkeys(due, now)
        time.sleep(0.05)


def _acknowledge(plant: Plant, incidents: Sequence[UUID]) -> None:
    now = datetime.now(UTC)
    for incident in incidents:
        request = Request(
            id=uuid4(), area=AREA, at=now, by="bench", role="operator", expires=now + timedelta(minutes=1),
            body=AcknowledgeIncident(incident=incident, comment="benchmark"),
        )  # fmt: skip
        if plant.home_of(AREA) == "edge":
            _tell_edge(plant, request)
        else:
            _tell_plant(plant, request)


def _tell_plant(plant: Plant, request: Request) -> None:
    producer = Producer(plant.instance.kafka)
    try:
        producer.send(topics.CONDITIONS, AREA, request).get(timeout=10)
    finally:
        producer.close()


def _tell_edge(plant: Plant, request: Request) -> None:
    client = connected(plant.instance, "bridge", "bench")
    try:
        client.publish(request_topic("edge-1"), encode(request), qos=1).wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()


def _drill(measures: Measures, plant: Plant, count: int) -> None:
    def show(number: int, run: Run) -> None:
        measures.console.print(f"    [dim]drill {number}: {run.total_ms or run.problem}[/]")

    report = Drill(plant.instance).hold(count, show)
    totals = sorted(r.total_ms for r in report.runs if r.total_ms is not None)
    if report.failed or not totals:
        raise MeasureError(f"{report.failed} of {count} drills failed")
    measures.note("drill_total_p50_ms", percentile(totals, 0.5))
    measures.note("drill_total_max_ms", totals[-1])
