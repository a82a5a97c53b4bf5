"""The benchmarks still run and say what they promise. What the numbers are is not tested: machines differ."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import pipeline, plants
from benchmarks.load import Sample, Sent
from benchmarks.measures import MeasureError, Measures, percentile
from benchmarks.running import running
from events.topics import PARTITIONS, partition_of
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_the_load_uses_every_partition() -> None:
    assert {partition_of(area) for _, area, _ in plants.devices()} == set(range(PARTITIONS))


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.25, 0.5, 0.99, 1.0)] == [1.0, 2.0, 4.0, 4.0]


def test_a_short_run_writes_flat_numbers_with_machine_and_commit(tmp_path: Path) -> None:
    out = tmp_path / "latest.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "pure", "--seconds", "0.4", "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(out.read_text())
    assert written["detection_bank_readings_per_s"] > 0
    assert set(written["machine"]) == {"cpu", "cores", "memory_gb", "kernel", "python"}
    assert written["commit"]
    assert not written["failed"]


def test_the_pipeline_counts_only_what_the_log_has_and_finds_what_it_has_not(short_home: Path) -> None:
    measures = Measures(Console(file=io.StringIO()))
    with running(plants.write_load(short_home / "load"), lambda _: None, "--no-simulator", "--no-board") as plant:
        pipeline.run(measures, plant, "rate", 1.0, 10, costs=True)
        pipeline.memory(measures, plant)
        sent = pipeline.send(plant, "frames", "--seconds", "0.5", "--rate", "20000", within_s=60)
        pipeline.compare_when_logged(plant, sent)
        with pytest.raises(MeasureError, match="scans"):
            pipeline.compare(plant, _with_one_more_scan(sent))
        with pytest.raises(MeasureError, match="not in the log as it was sent"):
            pipeline.compare(plant, _with_a_foreign_sample(sent))
    assert measures.numbers["rate"] > 0
    assert measures.numbers["cpu_bridge_s_per_million_readings"] > 0
    assert measures.numbers["rss_total_mb"] > measures.numbers["rss_kafka_mb"] > 0


def _with_one_more_scan(sent: Sent) -> Sent:
    return _changed(sent, scans={**sent.scans, "m0": sent.scans["m0"] + 1})


def _with_a_foreign_sample(sent: Sent) -> Sent:
    foreign = Sample(device="m0", source=next(iter(sent.sources)), sequence=1, at=0, values=[1.0])
    return _changed(sent, samples=[foreign])


def _changed(sent: Sent, **fields: object) -> Sent:
    return Sent(**{name: fields.get(name, getattr(sent, name)) for name in sent.__struct_fields__})  # type: ignore[arg-type]
