"""Readings a second from MQTT to TimescaleDB, with detection and alarms on; nothing lost, values compared."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from benchmarks import plants
from benchmarks.load import Sample, Sent
from benchmarks.measures import REPOSITORY, MeasureError, Measures
from benchmarks.running import Plant, running

DRAIN_S = 240.0
_POLL_S = 0.02
_SETTLE_S = 3.0
_STAGES = ("bridge", "detection", "logwriter", "mosquitto", "kafka", "timescale", "incidents", "playbooks")
_decode = msgspec.json.Decoder(Sent).decode


def measure(measures: Measures, folder: Path, seconds: float) -> None:
    """All that is measured on the plant of the load: the pipeline in its variants, memory after it."""
    plant_folder = plants.write_load(folder / "load")
    with running(plant_folder, measures.console.print, "--no-simulator") as plant:
        run(measures, plant, "pipeline_readings_per_s", seconds, 10, costs=True)
        memory(measures, plant)
        run(measures, plant, "pipeline_frames_of_100_readings_per_s", seconds / 2, 1)
        average(measures, plant, plant_folder, seconds)
        if restarts := plant.restarts():
            raise MeasureError(f"processes were started again meanwhile: {restarts}")


def average(measures: Measures, plant: Plant, folder: Path, seconds: float) -> None:
    """The same points with a sliding mean over 10 s each; published as an engineer would, without a restart."""
    plants.write_rules(folder, average=True)
    command = [sys.executable, "-m", "andon", "publish", "--home", str(plant.home)]
    subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True)
    time.sleep(_SETTLE_S)
    run(measures, plant, "pipeline_readings_hysteresis_average_per_s", seconds, 10)


def run(
    measures: Measures, plant: Plant, name: str, seconds: float, scans: int, *, costs: bool = False
) -> None:
    """Send for so long, wait until the log has all of it and every alarm that it causes, compare, note the rate.

    Raises:
        MeasureError: something is missing, wrong, or twice.
    """
    alarms = _alarms(plant)
    before = plant.cpu_seconds()
    sent = send(plant, "frames", "--scans", str(scans), "--seconds", str(seconds), within_s=seconds + DRAIN_S)
    _await_frames(plant, sent)
    logged = time.time()
    _await_alarms(plant, alarms + sent.excesses)
    decided = time.time()
    after = plant.cpu_seconds()
    compare(plant, sent)
    if (found := _alarms(plant)) != alarms + sent.excesses:
        raise MeasureError(f"{found - alarms} alarms for {sent.excesses} excesses")
    measures.note(name, sent.readings / (max(logged, decided) - sent.began))
    if costs:
        measures.note("pipeline_log_readings_per_s", sent.readings / (logged - sent.began))
        measures.note("pipeline_accepted_readings_per_s", sent.readings / (sent.ended - sent.began))
        measures.note("pipeline_readings", sent.readings)
        for stage in _STAGES:
            spent = after[stage] - before.get(stage, 0.0)
            measures.note(f"cpu_{stage}_s_per_million_readings", spent / sent.readings * 1e6)


def memory(measures: Measures, plant: Plant) -> None:
    """Resident memory of each process, right after the load."""
    sizes = plant.rss_mb()
    for name, size in sizes.items():
        measures.note(f"rss_{name}_mb", size)
    measures.note("rss_total_mb", sum(sizes.values()))


def send(plant: Plant, kind: str, *options: str, within_s: float) -> Sent:
    """Run the load to its end.

    Raises:
        MeasureError: it failed, or the plant did not take it in time.
    """
    process = start(plant, kind, *options)
    try:
        out, errors = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        raise MeasureError(f"the plant did not take the load within {within_s:.0f} s") from None
    finally:
        process.kill()
    if process.returncode:
        raise MeasureError(f"the load ended with {process.returncode}: {errors.strip()[-500:]}")
    return _decode(out)


def start(plant: Plant, kind: str, *options: str) -> subprocess.Popen[str]:
    """The load as a process beside us; SIGTERM ends it."""
    command = [sys.executable, "-m", "benchmarks.load", kind, str(plant.home), *options]
    return subprocess.Popen(command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def compare_when_logged(plant: Plant, sent: Sent) -> None:
    """As `compare`, once the newest of each source is in the log."""
    _await_frames(plant, sent)
    compare(plant, sent)


def compare(plant: Plant, sent: Sent) -> None:
    """What lies in the log is what was sent: every scan once, the samples to the last bit.

    Raises:
        MeasureError: it is not.
    """
    rows = plant.query(
        "select device, count(*), count(distinct time) from scans where source = any(:s) group by device",
        s=list(sent.sources),
    )
    found = {device: count for device, count, _ in rows}
    if found != sent.scans:
        wrong = {d: (n, found.get(d, 0)) for d, n in sent.scans.items() if found.get(d, 0) != n}
        raise MeasureError(f"scans (sent, in the log): {wrong}")
    if twice := [device for device, count, times in rows if count != times]:
        raise MeasureError(f"scans stand twice of {twice}")
    for sample in sent.samples[:: max(1, len(sent.samples) // 200)]:
        _compare(plant, sample)


def _compare(plant: Plant, sample: Sample) -> None:
    rows = plant.query(
        "select values from scans where device = :d and time = to_timestamp(0) + :at * interval '1 microsecond'"
        " and source = :s and sequence = :n",
        d=sample.device, at=sample.at, s=sample.source, n=sample.sequence,
    )  # fmt: skip
    if [list(r[0]) for r in rows] != [sample.values]:
        raise MeasureError(f"frame {sample.sequence} of {sample.source} is not in the log as it was sent")


def _await_frames(plant: Plant, sent: Sent) -> None:
    """Until the newest number of each source is in the log; numbers and rows are one transaction."""
    sql = "select source, max(sequence) from marks where source = any(:s) group by source"

    def there() -> Mapping[str, int]:
        return dict(plant.query(sql, s=list(sent.sources)))

    _await(lambda: there() == sent.sources, lambda: f"of {sent.sources} the log has {there()}")


def _await_alarms(plant: Plant, wanted: int) -> None:
    _await(lambda: _alarms(plant) >= wanted, lambda: f"of {wanted} alarms the log has {_alarms(plant)}")


def _alarms(plant: Plant) -> int:
    return int(plant.query("select count(*) from alarms where rule like 'm%'")[0][0])


def _await(done: Callable[[], bool], missing: Callable[[], str]) -> None:
    end = time.monotonic() + DRAIN_S
    while not done():
        if time.monotonic() > end:
            raise MeasureError(f"after {DRAIN_S:.0f} s {missing()}")
        time.sleep(_POLL_S)
