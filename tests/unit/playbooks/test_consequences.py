"""What a playbook causes is, in the definition of alarms, a consequence of what sets it off."""

from __future__ import annotations

import shutil
from pathlib import Path

from msgspec.structs import replace

from definitions.compiling import compile_folder
from definitions.consequences import with_consequences
from devices.plant import load_plant
from incidents.definition import AlarmDefinition
from playbooks.plan import OnIncident, PlaybookSet
from tests.unit.playbooks.shop import EXAMPLE, example

OVERPRESSURE = "press_overpressure"


def alarm(name: str, *rules: str, area: str = "shop/press", consequence_of: tuple[str, ...] = ()) -> AlarmDefinition:
    return AlarmDefinition(name=name, area=area, rules=rules or (name,), consequence_of=consequence_of)


def merged(*alarms: AlarmDefinition, consequences: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    book = replace(example(OVERPRESSURE), triggers=(OnIncident("opened", ("pressure.H*",)),), consequences=consequences)
    found = with_consequences({a.name: a for a in alarms}, PlaybookSet((book,)))
    return {name: a.consequence_of for name, a in found.items()}


def test_alarm_follows_from_those_whose_rules_set_the_playbook_off() -> None:
    high, low = alarm("pressure.high", "pressure.H", "pressure.HH"), alarm("pressure.low", "pressure.L")
    speed = alarm("speed", consequence_of=("drive",))
    assert merged(high, low, speed, consequences=("pressure.low", "sp*")) == {
        "pressure.high": (), "pressure.low": ("pressure.high",), "speed": ("drive", "pressure.high"),
    }  # fmt: skip


def test_no_alarm_follows_from_itself_or_from_another_area() -> None:
    high, far = alarm("pressure.high", "pressure.H"), alarm("far", area="shop/cooling")
    assert merged(high, far, consequences=("pressure.*", "far")) == {"pressure.high": (), "far": ()}


def test_plant_is_compiled_with_what_its_playbooks_cause(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(EXAMPLE, folder)
    path = folder / "playbooks" / "press-overpressure.yaml"
    path.write_text(path.read_text() + "consequences: [press_oil_temperature]\n")
    compiled = compile_folder(folder, load_plant(folder)[0])
    assert compiled.errors == []
    assert "press_pressure" in compiled.incidents.alarms["press_oil_temperature"].consequence_of
