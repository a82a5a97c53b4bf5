"""Watches of playbooks: true only while it is known, and while everybody who must be heard is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec import structs

from detection.brain import DetectionBrain
from detection.rules import RuleSet
from detection.ruleset import digest
from detection.watching import watch_rule
from events.alarms import ConditionRaised
from events.readings import Frame, Packed, Quality
from tests.unit.detection.test_brain import NAN, SECOND, T0, Rig, told

LOW = "pump.pressure < 2"
OTHER = "  - {rule: other, kind: limits, point: tank.level, limits: {H: {limit: 1000}}}\n"
BOTH = "pump.pressure < 2 && tank.level > 1"


class Watched(Rig):
    """The rig with one watch, "w", over points of pump and tank; time begins at 0."""

    def __init__(self, folder: Path, text: str = LOW, for_s: float = 0.0, rules: str = "") -> None:
        self.text, self.for_s = text, for_s
        super().__init__(folder, rules or OTHER)
        self.tick(0)

    def rules(self, text: str) -> RuleSet:
        loaded = super().rules(text)
        points = [p for p in ("pump.pressure", "tank.level") if p in self.text]
        rule = watch_rule("hall", "w", self.text, self.for_s, points)
        made = structs.replace(loaded, version="", rules=(*loaded.rules, rule))
        return structs.replace(made, version=digest(made))

    def scans(self, *times: float) -> Packed:
        """One frame of the pump, its pressure low in all of them."""
        self.sequence += 1
        return Frame(
            area="hall", device="pump", source="edge-1:j", sequence=self.sequence, points=("pump.pressure",),
            times=np.array([T0 + round(at * SECOND) for at in times]), values=np.full((len(times), 1), 1.0),
            qualities=np.full((len(times), 1), Quality.GOOD, np.uint8),
        ).pack()  # fmt: skip

    def restart(self) -> None:
        raw, self.brain = self.brain.save(), DetectionBrain()
        self.brain.load(raw)
        assert self.brain.save() == raw


def test_watch_is_raised_and_cleared_with_what_it_says(tmp_path: Path) -> None:
    rig = Watched(tmp_path)
    (event,) = rig.brain.decide(rig.frame(1, pressure=1.0))
    assert isinstance(event.fact, ConditionRaised) and (event.fact.rule, event.fact.kind) == ("watch.w", "watch")
    assert rig.says(2, pressure=1.0) == []
    assert rig.says(3, pressure=2.0) == ["cleared watch.w at 3"]


def test_watch_ends_at_once_when_its_value_becomes_bad_and_is_not_true_before_it_is_good(tmp_path: Path) -> None:
    rig = Watched(tmp_path)
    rig.says(1, pressure=1.0)
    assert rig.says(2, pressure=NAN) == ["cleared watch.w at 2"]
    assert rig.tick(3) == [] and rig.says(4, pressure=NAN) == []
    assert rig.says(5, pressure=1.0) == ["raised watch.w at 5 since 5"]


def test_watch_ends_when_a_device_that_it_needs_has_been_silent_for_a_minute(tmp_path: Path) -> None:
    rig = Watched(tmp_path, BOTH)
    rig.says(1, "tank", level=3.0)
    assert rig.says(2, pressure=1.0) == ["raised watch.w at 2 since 2"]
    assert rig.brain.due == T0 + 60 * SECOND, "the tank was heard when our clock said 0"
    for at in range(10, 60, 10):
        assert rig.tick(at) + rig.says(at, pressure=1.0) == []
    assert rig.tick(60) == ["cleared watch.w at 60"]
    assert rig.says(61, pressure=1.0) == [], "what the tank said a minute ago is not known any more"
    assert rig.says(62, "tank", level=3.0) == ["raised watch.w at 62 since 62"]


def test_how_long_silence_may_last_says_the_no_data_rule_of_the_device_or_of_the_point(tmp_path: Path) -> None:
    silent = "  - {rule: pump_silent, kind: no_data, device: pump, for: 5s}\n"
    rig = Watched(tmp_path / "device", rules=silent)
    rig.says(1, pressure=1.0)
    assert rig.tick(4) == []
    assert rig.tick(5) == ["raised pump_silent at 5 since 1", "cleared watch.w at 5"]
    rig = Watched(tmp_path / "point", rules=silent.replace("device: pump", "point: pump.pressure"))
    rig.says(1, pressure=1.0)
    assert rig.tick(4) + rig.says(4, valve=1.0) == []
    assert "cleared watch.w at 5" in rig.tick(5), "the pump talks, of something else"


def test_watch_that_waits_for_its_time_is_not_raised_over_a_silence(tmp_path: Path) -> None:
    rig = Watched(tmp_path, for_s=90)
    rig.says(1, pressure=1.0)
    assert rig.tick(59) == rig.tick(60) == rig.tick(95) == []
    rig = Watched(tmp_path / "heard", for_s=90)
    for at in range(1, 91, 10):
        assert rig.says(at, pressure=1.0) == [] and rig.tick(at) == []
    assert rig.tick(91) == ["raised watch.w at 91 since 1"]


def test_history_raises_no_watch_and_ends_one_that_stands(tmp_path: Path) -> None:
    rig = Watched(tmp_path, rules="  - {rule: pump_silent, kind: no_data, device: pump, for: 10min}\n")
    rig.tick(100)
    assert rig.says(10, pressure=1.0) == [], "history"
    assert rig.says(100, pressure=1.0) == ["raised watch.w at 100 since 100"]
    rig.tick(200)
    assert rig.says(130, pressure=1.0) == ["cleared watch.w at 200"]
    assert rig.brain.decide(rig.scans(131, 132, 200.5))[0].fact.late is False
    assert rig.tick(300) == []
    assert told(rig.brain.decide(rig.scans(230, 300.5))) == [
        "cleared watch.w at 300", "raised watch.w at 300.5 since 300.5",
    ]  # fmt: skip


def test_watch_survives_a_restart_with_what_was_heard(tmp_path: Path) -> None:
    rig = Watched(tmp_path, for_s=5)
    rig.says(1, pressure=1.0)
    rig.restart()
    assert rig.tick(7) == ["raised watch.w at 7 since 1"]
    rig.restart()
    assert rig.brain.due == T0 + 60 * SECOND
    assert rig.tick(60) == ["cleared watch.w at 60"]


def test_watch_that_is_withdrawn_is_cleared_and_a_new_one_is_judged_at_once_if_its_device_is_heard(
    tmp_path: Path,
) -> None:
    rig = Watched(tmp_path)
    rig.says(1, pressure=3.0)
    rig.text = "pump.pressure < 5"
    assert "raised watch.w at 2 since 2" in told(rig.configure(OTHER, at=2))
    rig.text = "tank.level < 5"
    assert "cleared watch.w at 3 (rule withdrawn)" in told(rig.configure(OTHER, at=3))
