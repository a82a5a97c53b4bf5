"""`andon detect`: recordings in, events out, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from detection.cli import main
from detection.recording import Recording, match
from devices.plant import load_plant

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "press-shop"
SKAB = ROOT.parent / "shared" / "data" / "skab"

POINTS = """
device: tank
area: yard
points: [{point: level, unit: m, range: [0, 10]}, {point: flow, unit: l/min}]
"""
RULES = """
area: yard
rules:
  - {rule: level, kind: limits, point: tank.level, limits: {H: {limit: 5 m}}, on_delay: 2s}
  - {rule: quiet, kind: no_data, device: tank, for: 30s}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "points.yaml").write_text(POINTS)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def detect(folder: Path, text: str, *more: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, events, and what was printed for people."""
    (folder / "tape.csv").write_text(text)
    app = typer.Typer()
    app.command()(main)
    out = folder / "events.jsonl"
    arguments = ["--points", "points.yaml", "--rules", "rules.yaml", "tape.csv", "--out", "events.jsonl", *more]
    arguments = [str(folder / a) if a.endswith((".yaml", ".csv", ".jsonl")) else a for a in arguments]
    result = CliRunner().invoke(app, arguments)
    events = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return result.exit_code, events, result.output


def told(events: list[dict[str, object]]) -> list[tuple[str, str, str]]:
    return [(e["at"], e["fact"]["type"], e["fact"]["rule"]) for e in events]  # type: ignore[index]


WIDE = """time;Level;Flow Rate;anomaly
2024-01-01 00:00:00;1;0;0
2024-01-01 00:00:01;6;0;0
2024-01-01 00:00:02;6;0;0
2024-01-01 00:00:05;6;;1
2024-01-01 00:00:06;1;0;0
"""


def test_wide_recording_raises_and_clears_by_its_own_time(folder: Path) -> None:
    code, events, output = detect(folder, WIDE)
    assert code == 0
    assert told(events) == [
        ("2024-01-01T00:00:03Z", "condition.raised", "level.H"),
        ("2024-01-01T00:00:06Z", "condition.cleared", "level.H"),
    ]
    assert "5 rows" in output and "Flow Rate → tank.flow" in output


def test_long_recording_says_the_same(folder: Path) -> None:
    rows = [line.split(";") for line in WIDE.splitlines()[1:]]
    long = "".join(f"{r[0]},tank.level,{r[1]}\n" for r in rows)
    assert told(detect(folder, "time,point,value\n" + long)[1]) == told(detect(folder, WIDE)[1])


def test_bad_lines_are_named_and_kept_out(folder: Path) -> None:
    broken = WIDE.replace("00:00:02;6;0", "00:00:02;six;0") + "2024-13-01 00:00:00;1;0;0\n2024-01-01 00:00:07;1\n"
    code, events, output = detect(folder, broken)
    assert code == 0 and told(events) == told(detect(folder, WIDE)[1])
    assert "tape.csv:4: Level: 'six' is no number" in output
    assert "tape.csv:7: time: '2024-13-01 00:00:00'" in output
    assert "tape.csv:8: 2 cells" in output


def test_same_input_gives_the_same_bytes(folder: Path) -> None:
    detect(folder, WIDE)
    first = (folder / "events.jsonl").read_bytes()
    detect(folder, WIDE)
    assert (folder / "events.jsonl").read_bytes() == first != b""


def test_samples_are_counted_with_a_step(folder: Path) -> None:
    _, events, _ = detect(folder, "sample,level\n0,1\n1,6\n2,6\n3,1\n", "--step", "180")
    assert [t for t in told(events) if t[2] == "level.H"] == [
        ("1970-01-01T00:03:02Z", "condition.raised", "level.H"),
        ("1970-01-01T00:09:00Z", "condition.cleared", "level.H"),
    ]


def test_silence_in_a_recording_is_a_silence(folder: Path) -> None:
    _, events, _ = detect(folder, "time,level\n2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,1\n")
    assert told(events) == [
        ("2024-01-01T00:00:30Z", "condition.raised", "quiet"),
        ("2024-01-01T00:01:00Z", "condition.cleared", "quiet"),
    ]


def test_mistake_in_a_rule_is_said_and_the_others_run(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES + "  - {rule: x, kind: no_data, device: tnk, for: 5s}\n")
    code, events, output = detect(folder, WIDE)
    assert code == 1 and len(events) == 2
    assert "unknown device 'tnk', did you mean 'tank'?" in output


def test_recording_without_a_known_column_is_refused(folder: Path) -> None:
    code, events, output = detect(folder, "time,volts\n2024-01-01,3\n")
    assert code == 2 and events == [] and "no column matches a point" in output


def test_recording_of_which_nothing_can_be_read_is_refused(folder: Path) -> None:
    code, events, output = detect(folder, "time,level\n01.03.2024 12:00,3\n")
    assert code == 2 and events == [] and "tape.csv:2: time: '01.03.2024 12:00'" in output


def test_value_out_of_range_is_bad_and_an_empty_cell_no_answer(folder: Path) -> None:
    plant, _ = load_plant(EXAMPLE)
    (folder / "tape.csv").write_text("time,flow,pressure,thermocouple\n2024-01-01,9999,,20\n")
    (frame,) = Recording(folder / "tape.csv", plant).frames()
    quality = dict(zip(frame.points, frame.qualities[0].tolist(), strict=True))
    assert quality == {"cooling.flow": 2, "cooling.pressure": 3, "cooling.thermocouple": 0}


def test_columns_of_the_pump_recordings_find_their_points() -> None:
    plant, _ = load_plant(EXAMPLE)
    columns = ["Accelerometer1RMS", "Volume Flow RateRMS", "Thermocouple", "press.pressure", "Pressure"]
    assert match(columns, plant, {}) == {
        "Accelerometer1RMS": "cooling.accelerometer1", "Volume Flow RateRMS": "cooling.flow",
        "Thermocouple": "cooling.thermocouple", "press.pressure": "press.pressure", "Pressure": "cooling.pressure",
    }  # fmt: skip


@pytest.mark.skipif(not SKAB.exists(), reason="the pump recordings are not beside this repository")
@pytest.mark.parametrize("name", ["valve1/3", "valve1/8", "other/5"])
def test_anomaly_of_a_pump_recording_is_found_and_its_normal_part_is_quiet(tmp_path: Path, name: str) -> None:
    source = (SKAB / f"{name}.csv").read_text().splitlines()
    labels = [line.split(";")[-2] for line in source[1:]]
    begins = source[1 + labels.index("1.0")].split(";")[0].replace(" ", "T") + "Z"
    app = typer.Typer()
    app.command()(main)
    out = tmp_path / "events.jsonl"
    arguments = ["--plant", str(EXAMPLE), str(SKAB / f"{name}.csv"), "--out", str(out)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    raised = [json.loads(line) for line in out.read_text().splitlines()]
    first = next(e for e in raised if e["fact"]["rule"] == "cooling_behaviour")
    assert all(e["at"] >= begins for e in raised)
    assert first["fact"]["type"] == "condition.raised"
