from __future__ import annotations

from pathlib import Path

import pytest

from andon import instance as instances
from andon.drill import Drill, DrillError
from andon.up import choose_devices


def test_no_drill_is_held_where_devices_are_real(tmp_path: Path) -> None:
    instance = instances.create(tmp_path)
    choose_devices(instance, simulated=False)
    with pytest.raises(DrillError, match="are real"):
        Drill(instance).hold(1, lambda *_: None)
