"""A value that is not good is neither true nor false; and an alarm tells the time of the sample that caused it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from events.alarms import ConditionRaised
from events.envelope import Event, Tick
from events.readings import Frame, Quality
from events.types import from_micros
from tests.unit.detection.test_brain import HIGH, SECOND, T0, Rig, told

NOT_GOOD = [Quality.BAD, Quality.UNCERTAIN, Quality.NO_ANSWER]

KINDS = {
    "limits": "kind: limits, point: pump.pressure, limits: {H: {limit: 10}}",
    "low": "kind: limits, point: pump.pressure, limits: {L: {limit: 100}}",
    "deviation": "kind: deviation, point: pump.pressure, from: 0, more_than: 10",
    "expression": "kind: expression, when: pump.pressure > 10",
    "negated": "kind: expression, when: '!(pump.pressure < 10)'",
    "gated": "kind: limits, point: pump.pressure, limits: {H: {limit: 10}}, while: pump.setpoint < 5",
}


def scans(rig: Rig, rows: list[tuple[float, float, Quality]]) -> list[Event]:
    """One frame of the pressure: (seconds, value, quality) each."""
    rig.sequence += 1
    values = np.array([[v if q == Quality.GOOD else np.nan] for _, v, q in rows])
    return rig.brain.decide(Frame(
        area="hall", device="pump", source="edge-1:j", sequence=rig.sequence, points=("pump.pressure",),
        times=np.array([T0 + round(at * SECOND) for at, _, _ in rows], np.int64), values=values,
        qualities=np.array([[q] for _, _, q in rows], np.uint8),
    ).pack())  # fmt: skip


@pytest.mark.parametrize("quality", NOT_GOOD)
@pytest.mark.parametrize("kind", KINDS)
def test_value_that_is_not_good_raises_nothing_and_clears_nothing(tmp_path: Path, kind: str, quality: Quality) -> None:
    name = "r.L" if kind == "low" else "r.H" if "limits" in KINDS[kind] else "r"
    bad, met, not_met = ((1, 500.0, quality), 50.0, 500.0 if kind == "low" else 1.0)
    rig = Rig(tmp_path / "plant", f"  - {{rule: r, {KINDS[kind]}}}\n")
    assert scans(rig, [bad]) == [], "it raises nothing"
    assert told(scans(rig, [(2, met, Quality.GOOD)])) == [f"raised {name} at 2 since 2"]
    assert scans(rig, [(3, not_met, quality), (4, not_met, quality)]) == [], "it clears nothing"
    assert rig.tick(60) == []
    assert told(scans(rig, [(61, not_met, Quality.GOOD)])) == [f"cleared {name} at 61"]


@pytest.mark.parametrize("quality", NOT_GOOD)
def test_a_running_on_delay_is_neither_ended_nor_begun_by_a_bad_value(tmp_path: Path, quality: Quality) -> None:
    rig = Rig(tmp_path / "plant", HIGH)
    assert scans(rig, [(1, 99.0, quality)]) == []
    assert scans(rig, [(2, 11.0, Quality.GOOD), (3, 1.0, quality)]) == []
    assert told(scans(rig, [(4, 11.0, Quality.GOOD)])) == ["raised high.H at 4 since 2"]


def test_bad_value_of_one_device_leaves_an_expression_over_two_unknown(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", "  - {rule: e, kind: expression, when: pump.pressure > 5 || tank.level > 1}\n")
    assert rig.says(1, pressure=float("nan")) == []
    assert rig.says(2, "tank", level=0) == [], "false or unknown is unknown"
    assert rig.says(3, "tank", level=2) == ["raised e at 3 since 3"], "true or unknown is true"
    assert rig.says(4, "tank", level=0) == [], "unknown again: it stays"
    assert rig.says(5, pressure=1) == ["cleared e at 5"]


def test_silence_of_one_point_is_told_while_its_device_speaks(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: device_quiet, kind: no_data, device: pump, for: 5s}
  - {rule: point_quiet, kind: no_data, point: pump.setpoint, for: 5s}
""")
    said = []
    for at in range(12):
        said += rig.tick(at)
        said += rig.says(at + 0.1, pressure=1, setpoint=5 if at < 3 else float("nan"))
    assert said == ["raised point_quiet at 7 since 2.1"]


def test_alarm_has_the_time_and_the_value_of_the_samples_that_caused_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", HIGH)
    rig.tick(100)
    rows = [(90 + 0.5 * i, 9.0 if i < 3 else 20.0 + i, Quality.GOOD) for i in range(12)]
    (raised,) = scans(rig, rows)
    assert isinstance(raised.fact, ConditionRaised)
    assert raised.fact.began == from_micros(T0 + round(91.5 * SECOND)), "the first that was too high"
    assert raised.at == from_micros(T0 + round(93.5 * SECOND)), "the one that was too high for 2 s; not the tick, 100"
    assert raised.fact.value == 27.0


def test_alarm_that_a_tick_raises_has_the_value_of_the_last_good_sample(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", HIGH)
    scans(rig, [(1, 20.0, Quality.GOOD), (1.5, 30.0, Quality.GOOD), (2, 99.0, Quality.BAD)])
    (raised,) = rig.brain.decide(Tick(from_micros(T0 + 3 * SECOND)))
    assert isinstance(raised.fact, ConditionRaised)
    assert (raised.fact.value, raised.fact.began) == (30.0, from_micros(T0 + SECOND))


def test_two_samples_milliseconds_apart_raise_one_alarm(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", HIGH.replace("on_delay: 2s, ", ""))
    said = told(scans(rig, [(1, 20.0, Quality.GOOD), (1.002, 21.0, Quality.GOOD)]))
    said += told(scans(rig, [(1.004, 22.0, Quality.GOOD)]))
    assert said == ["raised high.H at 1 since 1"]
