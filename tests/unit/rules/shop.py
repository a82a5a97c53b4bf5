"""A small plant folder for tests of its rules: what is written is what is there."""

from __future__ import annotations

from pathlib import Path

from definitions.compiling import Compiled, compile_folder
from devices.plant import load_plant
from incidents.definition import AlarmDefinition

PLANT = """
plant: test
areas: [{area: hall}, {area: box, home: edge, edge: edge-1}]
"""
PRESS = """
device: press
area: hall
points:
  - {point: pressure, unit: bar, range: [0, 400]}
  - {point: setpoint, unit: bar, range: [0, 200]}
  - {point: temperature, unit: °C, range: [-20, 150]}
  - {point: running, states: {stopped: 0, running: 1}, range: [0, 1]}
"""
BOX = "device: fan\narea: box\npoints: [{point: speed}]\n"
HEAD = "area: hall\nrules:\n"

WORDS = "cause: c, consequence: d, action: a, response_time: 10min, owner: shift_lead, severity: moderate"
QUIET = f"  - {{rule: quiet, kind: no_data, device: press, for: 5s, {WORDS}}}\n"


def write(folder: Path, **files: str) -> Path:
    """A plant folder. Args: files: `rules`, `rules_more`, `classes`, `incidents`, `people`: text of one file each."""
    for name in ("points", "rules", "classes", "incidents", "people", "playbooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "plant.yaml").write_text(PLANT)
    (folder / "points/press.yaml").write_text(PRESS)
    (folder / "points/fan.yaml").write_text(BOX)
    for name, text in files.items():
        (folder / name.split("_")[0] / f"{name}.yaml").write_text(text)
    return folder


def compiled(folder: Path, edge: str = "", **files: str) -> Compiled:
    write(folder, **files)
    plant, errors = load_plant(folder)
    assert errors == []
    return compile_folder(folder, plant, edge)


def alarms(done: Compiled) -> dict[str, AlarmDefinition]:
    """Those that the files define."""
    return {name: a for name, a in done.incidents.alarms.items() if a.klass != "system"}


def errors(folder: Path, **files: str) -> list[str]:
    return [str(e) for e in compiled(folder, **files).errors]
