"""Stories of the detection brain: what it says to frames, ticks and new rules."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detection import rules
from detection.brain import AWAY, DetectionBrain
from detection.ruleset import RuleSet
from devices.plant import load_plant
from events.alarms import ConditionCleared, ConditionRaised, ConditionStands
from events.envelope import Configure, Configured, Event, Tick
from events.readings import Frame, Packed, Quality
from events.types import from_micros, make_id

T0 = 1_700_000_000_000_000
SECOND = 1_000_000
NAN = float("nan")

PLANT = """
plant: test
areas: [{area: hall}, {area: yard}]
"""
PUMP = """
device: pump
area: hall
points:
  - {point: pressure, unit: bar}
  - {point: setpoint, unit: bar}
  - {point: valve, states: {closed: 0, open: 1}}
"""
TANK = """
device: tank
area: hall
points: [{point: level, unit: m}]
"""


class Rig:
    """A brain with rules, fed by the second."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        (folder / "points").mkdir(parents=True)
        (folder / "rules").mkdir()
        (folder / "plant.yaml").write_text(PLANT)
        (folder / "points" / "pump.yaml").write_text(PUMP)
        (folder / "points" / "tank.yaml").write_text(TANK)
        self.brain = DetectionBrain()
        self.sequence = 0
        self.configure(text)

    def rules(self, text: str) -> RuleSet:
        (self.folder / "rules" / "rules.yaml").write_text("area: hall\nrules:\n" + text)
        plant, bad = load_plant(self.folder)
        loaded, errors = rules.load(self.folder, plant)
        assert [*map(str, bad), *map(str, errors)] == []
        return loaded

    def configure(self, text: str, at: float = 0) -> list[Event]:
        loaded = self.rules(text)
        return self.brain.decide(Configure(loaded.version, from_micros(T0 + int(at * SECOND)), "test", loaded.pack()))

    def frame(self, at: float, device: str = "pump", **values: float) -> Packed:
        self.sequence += 1
        row = np.array([list(values.values())])
        return Frame(
            area="hall", device=device, source="edge-1:j", sequence=self.sequence,
            points=tuple(f"{device}.{name}" for name in values), times=np.array([T0 + round(at * SECOND)]),
            values=row, qualities=np.where(np.isnan(row), Quality.BAD, Quality.GOOD).astype(np.uint8),
        ).pack()  # fmt: skip

    def says(self, at: float, device: str = "pump", **values: float) -> list[str]:
        return told(self.brain.decide(self.frame(at, device, **values)))

    def tick(self, at: float) -> list[str]:
        return told(self.brain.decide(Tick(from_micros(T0 + round(at * SECOND)))))


def seconds(at: datetime) -> float:
    return round((at - from_micros(T0)).total_seconds(), 3)


def told(events: list[Event]) -> list[str]:
    """ "raised pump_high at 3 since 1 late"."""
    lines = []
    for e in events:
        match e.fact:
            case ConditionRaised(rule=rule, began=began, late=late):
                lines.append(f"raised {rule} at {seconds(e.at):g} since {seconds(began):g}{' late' * late}")
            case ConditionCleared(rule=rule, late=late, reason=reason):
                why = "" if reason == "returned to normal" else f" ({reason})"
                lines.append(f"cleared {rule} at {seconds(e.at):g}{' late' * late}{why}")
            case ConditionStands(rule=rule):
                lines.append(f"stands {rule} at {seconds(e.at):g}")
            case Configured():
                lines.append("configured")
            case other:
                raise AssertionError(other)
    return lines


HIGH = """
  - {rule: high, kind: limits, point: pump.pressure, limits: {H: {limit: 10 bar}}, deadband: 1 bar,
     on_delay: 2s, off_delay: 1s}
"""


@pytest.fixture
def high(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "plant", HIGH)


def test_alarm_is_raised_by_the_sample_that_still_meets_after_the_on_delay(high: Rig) -> None:
    assert high.says(1, pressure=11) == []
    assert high.says(2, pressure=12) == []
    assert high.says(3, pressure=12) == ["raised high.H at 3 since 1"]
    assert high.says(4, pressure=13) == []


def test_alarm_is_raised_by_a_tick_when_no_newer_sample_came(high: Rig) -> None:
    high.says(1, pressure=11)
    assert high.tick(2.9) == []
    assert high.tick(3) == ["raised high.H at 3 since 1"]


def test_contrary_sample_starts_the_on_delay_again(high: Rig) -> None:
    high.says(1, pressure=11)
    high.says(2, pressure=9.9)
    assert high.says(3.5, pressure=11) == []
    assert high.says(5.5, pressure=11) == ["raised high.H at 5.5 since 3.5"]


def test_value_within_the_deadband_does_not_clear(high: Rig) -> None:
    high.says(1, pressure=11)
    high.says(3, pressure=11)
    assert high.says(4, pressure=9.5) == []
    assert high.says(5, pressure=8.9) == []
    assert high.says(6, pressure=8.9) == ["cleared high.H at 6"]


def test_bad_value_neither_raises_nor_clears(high: Rig) -> None:
    high.says(1, pressure=11)
    assert high.says(4, pressure=NAN) == []
    assert high.says(5, pressure=12) == ["raised high.H at 5 since 1"]
    assert high.says(9, pressure=NAN) == []
    assert high.tick(20) == []


def test_sample_older_than_the_last_one_is_ignored(high: Rig) -> None:
    high.says(5, pressure=1)
    assert high.says(1, pressure=99) + high.says(4, pressure=99) == []


def test_frame_that_is_sent_again_says_nothing(high: Rig) -> None:
    high.says(1, pressure=11)
    frame = high.frame(4, pressure=11)
    assert told(high.brain.decide(frame)) == ["raised high.H at 4 since 1"]
    assert high.brain.decide(frame) == []


def test_identity_of_a_standing_is_area_rule_point_and_begin(high: Rig) -> None:
    high.says(1, pressure=11)
    (raised,) = high.brain.decide(high.frame(3, pressure=11))
    assert isinstance(raised.fact, ConditionRaised)
    assert raised.fact.occurrence == make_id("hall", "high.H", "pump.pressure", T0 + SECOND)
    assert (raised.fact.value, raised.fact.limit, raised.fact.unit) == (11.0, 10.0, "bar")


def test_history_is_marked_late_and_stands_at_the_first_live_sample(high: Rig) -> None:
    high.tick(1000)
    high.says(1, pressure=11)
    assert high.says(3, pressure=11) == ["raised high.H at 3 since 1 late"]
    assert high.says(5, pressure=11) == []
    assert high.says(999, pressure=11) == ["stands high.H at 999"]
    assert high.says(1000, pressure=11) == []


def test_history_that_cleared_itself_is_late_as_well(high: Rig) -> None:
    high.tick(1000)
    for at in (1, 3):
        high.says(at, pressure=11)
    high.says(4, pressure=1)
    assert high.says(6, pressure=1) == ["cleared high.H at 6 late"]


def test_restart_in_the_middle_of_a_delay_continues_it(high: Rig) -> None:
    high.says(1, pressure=11)
    again = DetectionBrain()
    again.load(high.brain.save())
    high.brain = again
    assert high.tick(2.5) == []
    assert high.tick(3) == ["raised high.H at 3 since 1"]
    assert again.save() != b""


def test_only_a_rule_that_is_withdrawn_clears_what_stood(high: Rig) -> None:
    low = "  - {rule: low, kind: limits, point: pump.pressure, limits: {L: {limit: 20 bar}}}\n"
    high.configure(HIGH + low)
    assert high.says(1, pressure=11) == ["raised low.L at 1 since 1"]
    high.says(3, pressure=11)
    lower = low.replace("20 bar", "19 bar")
    assert told(high.configure(HIGH + lower, at=4)) == ["configured"], "11 bar is too low by either"
    assert high.says(5, pressure=11) == []
    assert told(high.configure(lower, at=6)) == ["cleared high.H at 6 (rule withdrawn)", "configured"]
    assert high.configure(lower, at=7) == []


def test_ladder_raises_each_level_by_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - rule: p
    kind: limits
    point: pump.pressure
    limits: {LL: {limit: 1, priority: high}, L: {limit: 2}, H: {limit: 8}, HH: {limit: 9, priority: critical}}
""")
    assert rig.says(1, pressure=8) == ["raised p.H at 1 since 1"]
    assert rig.says(2, pressure=9) == ["raised p.HH at 2 since 2"]
    assert rig.says(3, pressure=1) == [
        "raised p.LL at 3 since 3", "raised p.L at 3 since 3", "cleared p.H at 3", "cleared p.HH at 3",
    ]  # fmt: skip
    assert rig.says(4, pressure=5) == ["cleared p.LL at 4", "cleared p.L at 4"]


def test_deviation_uses_the_newest_value_of_the_other_point(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: dev,
     kind: deviation, point: pump.pressure, from: pump.setpoint, more_than: 3 bar, deadband: 1 bar}
""")
    assert rig.says(1, pressure=50) == []
    assert rig.says(2, setpoint=48) == []
    assert rig.says(3, setpoint=53) == ["raised dev at 3 since 3"]
    assert rig.says(4, pressure=50.5) == []
    assert rig.says(5, pressure=52) == ["cleared dev at 5"]


def test_state_must_last(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: open,
     kind: state, point: pump.valve, is: open, for: 10s}
""")
    rig.says(1, valve=1)
    assert rig.tick(10) == []
    assert rig.tick(11) == ["raised open at 11 since 1"]
    assert rig.says(12, valve=0) == ["cleared open at 12"]


def test_expression_joins_devices_of_the_area(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: dry,
     kind: expression, when: pump.pressure > 5 && tank.level < 1, for: 2s}
""")
    assert rig.says(1, pressure=6) == []
    assert rig.says(2, "tank", level=0.5) == []
    assert rig.says(3, "tank", level=NAN) == []
    assert rig.says(4.5, pressure=7) == []
    assert rig.says(5, "tank", level=0.5) == ["raised dry at 5 since 2"]
    assert rig.says(6, "tank", level=2) == ["cleared dry at 6"]


def test_rate_and_its_direction(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: fall,
     kind: rate, point: pump.pressure, direction: down, faster_than: 2 bar/s, over: 3 samples}
""")
    said = [rig.says(at, pressure=p) for at, p in enumerate((10, 14, 18, 17, 15, 11, 5, 5, 5, 5))]
    assert [s for s in said if s] == [["raised fall at 5 since 5"], ["cleared fall at 8"]]


def test_flatline_needs_its_whole_span(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: stuck,
     kind: flatline, point: pump.pressure, moves_less_than: 0.5 bar, over: 4 samples}
""")
    said = [rig.says(at, pressure=p) for at, p in enumerate((1, 1.1, 1.2, 1.3, 1.4, 2.0))]
    assert said == [[], [], [], ["raised stuck at 3 since 3"], [], ["cleared stuck at 5"]]


def test_mean_over_a_window_raises_where_single_values_would_flicker(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: m,
     kind: limits, point: pump.pressure, of: mean, over: 2 samples, limits: {H: {limit: 10}}}
""")
    said = [rig.says(at, pressure=p) for at, p in enumerate((20, 1, 1, 19, 1, 1))]
    assert [s for s in said if s] == [
        ["raised m.H at 1 since 1"], ["cleared m.H at 2"], ["raised m.H at 3 since 3"], ["cleared m.H at 5"],
    ]  # fmt: skip


def test_rule_watches_only_while_its_gate_is_open(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: low,
     kind: limits, point: pump.pressure, limits: {L: {limit: 2}}, while: pump.valve == 'open'}
""")
    assert rig.says(1, pressure=1, valve=0) == []
    assert rig.says(2, pressure=1, valve=1) == ["raised low.L at 2 since 2"]
    assert rig.says(3, valve=0) == ["cleared low.L at 3"]


def test_silence_is_raised_by_ticks_and_cleared_by_a_live_value(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: quiet,
     kind: no_data, device: pump, for: 5s}\n  - {rule: p, kind: no_data, point: pump.setpoint, for: 5s}
""")
    rig.tick(0)
    rig.says(1, pressure=1)
    rig.tick(1)
    assert rig.tick(4) == []
    assert rig.tick(5) == ["raised quiet at 5 since 1", "raised p at 5 since 0"]
    assert rig.says(5.5, pressure=NAN) == []
    assert rig.says(6, pressure=1) == ["cleared quiet at 6"]
    assert rig.tick(6) == []
    assert rig.says(7, setpoint=1) == ["cleared p at 7"]


def test_after_a_time_in_which_nobody_watched_silence_counts_anew(tmp_path: Path) -> None:
    quiet = "  - {rule: quiet, kind: no_data, device: pump, for: 5s}\n"
    rig = Rig(tmp_path / "plant", quiet)
    rig.brain = DetectionBrain(away_after=AWAY)
    rig.configure(quiet)
    assert [rig.tick(at) for at in range(31)] == [[]] * 31, "a plant that starts has half a minute"
    rig.says(31, pressure=1)
    assert [rig.tick(at) for at in range(31, 35)] == [[]] * 4
    assert rig.tick(35) == ["raised quiet at 35 since 31"]
    rig.says(37, pressure=1)
    assert rig.tick(3600) == [], "the plant was down for an hour: its devices are not to blame"
    assert [rig.tick(at) for at in range(3601, 3635)] == [[]] * 34
    assert rig.tick(3635) == ["raised quiet at 3635 since 37"], "this one did not come back"
    assert rig.tick(9000) == [], "what is known to be silent stays so"


def test_readings_of_a_device_without_a_journal_are_all_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", HIGH)
    digests = iter((7_000, 12, 9_999, 3))

    def frame(at: float, value: float) -> Packed:
        numbered = rig.frame(at, pressure=value)
        return msgspec.structs.replace(numbered, source="mqtt:pump", sequence=next(digests))

    first = frame(1, 99)
    said = [told(rig.brain.decide(f)) for f in (first, frame(3, 99), first, frame(5, 1), frame(7, 1))]
    assert said == [[], ["raised high.H at 3 since 1"], [], [], ["cleared high.H at 7"]], "an old one changes nothing"


def test_device_with_a_fast_clock_is_not_silent(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", """
  - {rule: quiet,
     kind: no_data, device: pump, for: 5s}
""")
    for at in range(30):
        assert rig.tick(at) == []
        assert rig.says(at + 20.5, pressure=1) == []


def test_areas_of_others_are_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "plant", HIGH)
    elsewhere = DetectionBrain(here=lambda area: area == "yard")
    loaded = rig.rules(HIGH)
    assert told(elsewhere.decide(Configure(loaded.version, from_micros(T0), "test", loaded.pack()))) == ["configured"]
    assert elsewhere.decide(rig.frame(1, pressure=99)) == elsewhere.decide(rig.frame(9, pressure=99)) == []


def test_what_was_said_by_other_code_before_a_restart_is_cleared_and_what_it_missed_is_raised(tmp_path: Path) -> None:
    low = HIGH.replace("limit: 10 bar", "limit: 50 bar")
    older, newer = Rig(tmp_path / "older", HIGH), Rig(tmp_path / "newer", low)
    said, redone = ([e for at in (1, 2, 3) for e in rig.brain.decide(rig.frame(at, pressure=20))]
                    for rig in (older, newer))  # fmt: skip
    assert (len(said), redone) == (1, [])
    cleared = newer.brain.reconcile(said, redone)
    assert isinstance(cleared[0].fact, ConditionCleared) and cleared[0].fact.reason.startswith("decided otherwise")
    raised = older.brain.reconcile(redone, said)
    assert [e.fact for e in raised] == [said[0].fact]
    assert older.brain.reconcile(said, said) == []
