from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from andon import instance as instances
from andon.drill import STEPS, Drill, DrillError, Step, measure
from andon.up import choose_devices


def test_no_drill_is_held_where_devices_are_real(tmp_path: Path) -> None:
    instance = instances.create(tmp_path)
    choose_devices(instance, simulated=False)
    with pytest.raises(DrillError, match="are real"):
        Drill(instance).hold(1, lambda *_: None)


def test_nothing_is_polled_before_it_changed() -> None:
    changed = datetime(2026, 9, 21, tzinfo=UTC)
    steps = {name: Step(name) for name in STEPS}
    steps["register changed"].at = changed
    steps["polled"].at = changed - timedelta(milliseconds=2)  # the request had left, the answer was under way
    steps["in Kafka"].at = changed + timedelta(milliseconds=5)
    measure(steps)
    assert [steps[name].ms for name in STEPS[:4]] == [0.0, 0.0, 5.0, None]
