"""Stories of rules that are changed while alarms stand and delays run."""

from __future__ import annotations

from pathlib import Path

import pytest

from detection.brain import DetectionBrain
from events.alarms import ConditionCleared, ConditionRaised
from tests.unit.detection.test_brain import HIGH, Rig, told


@pytest.fixture
def high(tmp_path: Path) -> Rig:
    """Above 10 bar for 2 s; clears below 9 bar for 1 s."""
    return Rig(tmp_path / "plant", HIGH)


@pytest.fixture
def standing(high: Rig) -> Rig:
    high.says(1, pressure=11)
    assert high.says(3, pressure=12) == ["raised high.H at 3 since 1"]
    return high


def reworded(text: str) -> str:
    return text.replace("kind: limits", "kind: limits, priority: critical, message: It bursts, title: Pressure")


def test_new_words_leave_a_standing_alarm_as_it_is(standing: Rig) -> None:
    assert told(standing.configure(reworded(HIGH), at=4)) == ["configured"]
    assert standing.says(5, pressure=12) == []
    standing.says(6, pressure=8)
    assert standing.says(7, pressure=8) == ["cleared high.H at 7"]


def test_the_clear_names_the_occurrence_that_was_raised_under_the_old_version(high: Rig) -> None:
    high.says(1, pressure=11)
    (raised,) = high.brain.decide(high.frame(3, pressure=12))
    high.configure(reworded(HIGH), at=4)
    high.says(5, pressure=1)
    (cleared,) = high.brain.decide(high.frame(6, pressure=1))
    assert isinstance(raised.fact, ConditionRaised) and isinstance(cleared.fact, ConditionCleared)
    assert cleared.fact.occurrence == raised.fact.occurrence
    high.says(7, pressure=20)
    (again,) = high.brain.decide(high.frame(9, pressure=20))
    assert isinstance(again.fact, ConditionRaised)
    assert again.fact.rule_version != raised.fact.rule_version, "the next one fires under the new words"


def test_a_limit_that_still_is_exceeded_keeps_the_alarm(standing: Rig) -> None:
    assert told(standing.configure(HIGH.replace("10 bar", "11 bar"), at=4)) == ["configured"]
    assert standing.tick(60) == []


def test_a_limit_that_is_not_exceeded_any_more_clears_after_the_off_delay_without_a_new_sample(standing: Rig) -> None:
    assert told(standing.configure(HIGH.replace("10 bar", "20 bar"), at=4)) == ["configured"]
    assert standing.tick(4.9) == []
    assert standing.tick(5) == ["cleared high.H at 5 (rule changed)"]
    standing.says(6, pressure=21)
    assert standing.says(8, pressure=21) == ["raised high.H at 8 since 6"]
    standing.says(9, pressure=1)
    assert standing.tick(10) == ["cleared high.H at 10"], "this time it is the value"


def test_value_above_the_new_limit_as_well_before_the_off_delay_is_over_clears_by_itself_later(standing: Rig) -> None:
    standing.configure(HIGH.replace("10 bar", "20 bar"), at=4)
    assert standing.says(4.5, pressure=25) == []
    standing.says(6, pressure=1)
    assert standing.tick(7) == ["cleared high.H at 7"]


def test_rule_without_an_off_delay_clears_as_it_is_changed(standing: Rig) -> None:
    higher = HIGH.replace("10 bar", "20 bar").replace("off_delay: 1s", "off_delay: 0s")
    assert told(standing.configure(higher, at=4)) == ["cleared high.H at 4 (rule changed)", "configured"]


def test_within_the_new_deadband_it_stands_on(standing: Rig) -> None:
    wider = HIGH.replace("10 bar", "12.5 bar")
    assert told(standing.configure(wider, at=4)) == ["configured"], "12 is above 12.5 - 1"
    assert standing.tick(60) == []


def test_a_limit_moved_below_the_value_raises_after_the_on_delay_without_a_new_sample(high: Rig) -> None:
    assert high.says(1, pressure=8) == []
    assert told(high.configure(HIGH.replace("10 bar", "7 bar"), at=4)) == ["configured"]
    assert high.tick(5) == []
    assert high.tick(6) == ["raised high.H at 6 since 4"]


def test_a_new_rule_judges_the_newest_value_at_once(high: Rig) -> None:
    high.says(1, pressure=11)
    low = "  - {rule: low, kind: limits, point: pump.pressure, limits: {L: {limit: 20 bar}}}\n"
    assert told(high.configure(HIGH + low, at=2)) == ["raised low.L at 2 since 2", "configured"]
    assert high.tick(3) == ["raised high.H at 3 since 1"], "the delay that ran was not touched"


def test_a_value_that_is_history_raises_late(high: Rig) -> None:
    high.tick(1000)
    high.says(1, pressure=8)
    high.says(2, "tank", level=1)
    now = HIGH.replace("10 bar", "7 bar").replace("on_delay: 2s", "on_delay: 0s")
    assert told(high.configure(now, at=1001)) == ["raised high.H at 1001 since 1001 late", "configured"]
    assert high.says(1002, pressure=8) == ["stands high.H at 1002"]


def test_a_bad_value_is_no_reason_to_raise_or_clear(standing: Rig) -> None:
    standing.says(4, pressure=float("nan"))
    assert told(standing.configure(HIGH.replace("10 bar", "20 bar"), at=5)) == ["configured"]
    assert standing.tick(60) == []
    assert standing.says(61, pressure=15) == []
    assert standing.tick(62) == ["cleared high.H at 62"]


def test_a_running_on_delay_goes_on_when_words_change(high: Rig) -> None:
    high.says(1, pressure=11)
    high.configure(reworded(HIGH), at=2)
    assert high.tick(3) == ["raised high.H at 3 since 1"]


def test_a_running_on_delay_goes_on_under_a_limit_that_is_still_exceeded(high: Rig) -> None:
    high.says(1, pressure=11)
    high.configure(HIGH.replace("10 bar", "10.5 bar"), at=2)
    assert high.tick(3) == ["raised high.H at 3 since 1"]


def test_a_running_on_delay_ends_under_a_limit_that_is_not_exceeded(high: Rig) -> None:
    high.says(1, pressure=11)
    high.configure(HIGH.replace("10 bar", "12 bar"), at=2)
    assert high.tick(60) == []


def test_a_delay_made_longer_counts_from_the_same_begin(high: Rig) -> None:
    high.says(1, pressure=11)
    high.configure(HIGH.replace("on_delay: 2s", "on_delay: 10s"), at=2)
    assert high.tick(10.9) == []
    assert high.tick(11) == ["raised high.H at 11 since 1"]


def test_a_delay_made_shorter_than_what_has_passed_raises_at_once(high: Rig) -> None:
    high.says(1, pressure=11)
    short = HIGH.replace("on_delay: 2s", "on_delay: 500ms")
    assert told(high.configure(short, at=2)) == ["raised high.H at 2 since 1", "configured"]


def test_a_running_off_delay_goes_on_when_words_change(standing: Rig) -> None:
    standing.says(4, pressure=1)
    standing.configure(reworded(HIGH), at=4.5)
    assert standing.tick(5) == ["cleared high.H at 5"]


def test_a_running_off_delay_ends_when_the_value_is_too_high_by_the_new_limit(standing: Rig) -> None:
    standing.says(4, pressure=8)
    assert told(standing.configure(HIGH.replace("10 bar", "7 bar"), at=4.5)) == ["configured"]
    assert standing.tick(60) == []


def test_a_rule_that_watches_another_point_is_another_one(standing: Rig) -> None:
    other = HIGH.replace("pump.pressure", "pump.setpoint")
    assert told(standing.configure(other, at=4)) == ["cleared high.H at 4 (rule withdrawn)", "configured"]


def test_a_gate_that_is_known_to_be_closed_lets_a_standing_alarm_end(high: Rig) -> None:
    of_valve = "  - {rule: v, kind: state, point: pump.valve, is: open}\n"
    high.configure(HIGH + of_valve)
    high.says(1, pressure=11)
    high.says(3, pressure=12, valve=0)
    gated = HIGH.replace("on_delay: 2s", "on_delay: 2s, while: pump.valve == 'open'")
    assert told(high.configure(gated + of_valve, at=4)) == ["configured"]
    assert high.tick(5) == ["cleared high.H at 5 (rule changed)"]


def test_silence_stays_known_when_its_words_change(tmp_path: Path) -> None:
    quiet = "  - {rule: quiet, kind: no_data, device: pump, for: 5s}\n"
    rig = Rig(tmp_path / "plant", quiet)
    rig.tick(0)
    rig.says(1, pressure=1)
    rig.tick(1)
    rig.configure(quiet.replace("no_data,", "no_data, priority: high,"), at=3)
    assert rig.tick(5) == ["raised quiet at 5 since 1"]
    assert told(rig.configure(quiet.replace("5s", "60s"), at=6)) == ["configured"]
    assert rig.tick(7) == ["cleared quiet at 7"], "7 s are no silence by the new words"


def test_what_was_learned_stays_when_only_its_threshold_changes(tmp_path: Path) -> None:
    normal = """
  - {rule: odd, kind: baseline, points: [pump.pressure], learn: 30 samples, smooth: 2 samples, unusual_by: 6}
"""
    rig = Rig(tmp_path / "plant", normal)
    for at in range(40):
        rig.says(at, pressure=10 + 0.1 * (at % 2))
    rig.configure(normal.replace("unusual_by: 6", "unusual_by: 4"), at=40)
    said = [line for at in range(41, 46) for line in rig.says(at, pressure=20 + 0.1 * at)]
    assert [line.split(" at ")[0] for line in said] == ["raised odd"], "it did not have to learn again"


def test_a_restart_after_a_reload_changes_nothing(standing: Rig) -> None:
    standing.configure(HIGH.replace("10 bar", "20 bar"), at=4)
    again = DetectionBrain()
    again.load(standing.brain.save())
    standing.brain = again
    assert standing.tick(5) == ["cleared high.H at 5 (rule changed)"]
