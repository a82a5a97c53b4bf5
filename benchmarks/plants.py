"""Plants for the benchmarks: 1,000 points on 10 devices in 4 areas, one for each partition; or the example beside them.

Files are written as JSON, which is YAML too.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import examples
from events.topics import PARTITIONS, partition_of

DEVICES, POINTS = 10, 100
EDGES = ("load-1", "load-2")
FLOOD_DEVICES, FLOOD_POINTS = 20, 500
FIRST_CALL = "5s"
"""In the plant of many alarms; in the example it is minutes, and the flood would be over before."""
GATE, GATE_POINTS = "gate", 50
"""The device whose readings come as single messages."""
NORMAL, NOISE = 50.0, 4.0
HIGH, LOW, DEADBAND, HIGH_MEAN = 80.0, 20.0, 2.0, 70.0
EXCESS = 90.0
EXAMPLE = Path(examples.__file__).resolve().parent / "press-shop"


def areas() -> list[str]:
    """Four areas, of partition 0, 1, 2, 3."""
    names = (f"load/{i}" for i in itertools.count(1))
    found: dict[int, str] = {}
    while len(found) < PARTITIONS:
        name = next(names)
        found.setdefault(partition_of(name), name)
    return [found[p] for p in sorted(found)]


def devices() -> Iterator[tuple[str, str, str]]:
    """(device, its area, its edge) of the load."""
    for i in range(DEVICES):
        yield f"m{i}", areas()[i % PARTITIONS], EDGES[i % len(EDGES)]


def write_load(folder: Path, *, average: bool = False) -> Path:
    """A plant of the load alone, with the gate; `andon up --no-simulator` has nothing to poll in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _write_areas(folder, {"plant": "load", "areas": [], "sources": [{"topic": "plain/#", "format": "plain"}]})
    _write_devices(folder, average=average)
    idle = {"device": "idle", "area": areas()[0], "edge": "edge-1", "points": [{"point": "p0"}]}
    _write(folder / "points" / "idle.yaml", idle)  # so that edge-1 has an account
    gate = {"device": GATE, "area": areas()[0], "points": [{"point": f"p{i}"} for i in range(GATE_POINTS)]}
    _write(folder / "points" / "gate.yaml", gate)
    return folder


def write_example(folder: Path, *, at_edge: bool) -> Path:
    """The example plant with the load beside it; `at_edge`: its own areas are decided by their edge box."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLE, folder)
    head = yaml.safe_load((folder / "plant.yaml").read_text())
    for area in head["areas"] if at_edge else ():
        area |= {"home": "edge", "edge": "edge-1"}
    _write_areas(folder, head)
    _write_devices(folder, average=False)
    return folder


def flood_devices() -> Iterator[tuple[str, str]]:
    """(device, its area) of the plant of many alarms: one alarm for each of its points."""
    for i in range(FLOOD_DEVICES):
        yield f"f{i}", areas()[i % PARTITIONS]


BOOKS = 3
"""Playbooks of an area of the plant of many runs: of one no more than 100 runs go at once."""


def book_of(area: str, number: int) -> str:
    """A playbook of an area of the plant of many runs."""
    return f"read_{area.rpartition('/')[2]}_{number % BOOKS}"


def write_books(folder: Path, steps: int) -> Path:
    """A plant with playbooks in each area, that ask its device for a value so many times."""
    shutil.rmtree(folder, ignore_errors=True)
    _write_areas(folder, {"plant": "books", "areas": []})
    for i, area in enumerate(areas()):
        device = {"device": f"b{i}", "area": area, "edge": "edge-1", "points": [{"point": "p0"}]}
        _write(folder / "points" / f"b{i}.yaml", device)
        step = {"timeout": "5min", "retry": 0}
        for number in range(BOOKS):
            book = {
                "id": book_of(area, number), "area": area, "trigger": {"request": {"role": "operator"}}, "most": 100,
                "steps": [{"read": {"value": f"b{i}.p0"}, **step} for _ in range(steps)],
            }  # fmt: skip
            _write(folder / "playbooks" / f"b{i}-{number}.yaml", book)
    return folder


def write_flood(folder: Path) -> Path:
    """10,000 points with a limit each, in 4 areas whose incidents are escalated as in the example plant, but sooner."""
    shutil.rmtree(folder, ignore_errors=True)
    _write(folder / "plant.yaml", {"plant": "flood", "areas": [{"area": a} for a in areas()], "sources": []})
    for device, area in flood_devices():
        points = [{"point": f"p{i}", "unit": "bar", "range": [-1000, 1000]} for i in range(FLOOD_POINTS)]
        content = {"device": device, "area": area, "edge": EDGES[0], "points": points}
        _write(folder / "points" / f"{device}.yaml", content)
    idle = {"device": "idle", "area": areas()[0], "edge": "edge-1", "points": [{"point": "p0"}]}
    _write(folder / "points" / "idle.yaml", idle)
    for area in areas():
        rules = [
            {"rule": f"{device}_p{i}", "kind": "limits", "point": f"{device}.p{i}", "deadband": DEADBAND,
             "message": "Too far", "limits": {"H": {"limit": HIGH}}}
            for device in (d for d, of in flood_devices() if of == area)
            for i in range(FLOOD_POINTS)
        ]  # fmt: skip
        name = area.replace("/", "-")
        _write(folder / "rules" / f"{name}.yaml", {"area": area, "rules": rules})
        _write(folder / "incidents" / f"{name}.yaml", {"area": area, "escalation": "press_shop"})
    for path in (EXAMPLE / "people").glob("*.yaml"):
        people = yaml.safe_load(path.read_text())
        for position in people["positions"]:
            position["areas"] = ["load/*"]
        people["escalations"][0]["steps"][0]["after"] = FIRST_CALL
        _write(folder / "people" / path.name, json.loads(json.dumps(people, default=str)))
    return folder


def write_rules(folder: Path, *, average: bool) -> None:
    """Limits with a deadband on each point of the load; `average`: and a limit on its mean over 10 s."""
    for area in areas():
        rules: list[dict[str, Any]] = []
        for device in (d for d, of, _ in devices() if of == area):
            for i in range(POINTS):
                limits: dict[str, Any] = {"H": {"limit": HIGH}} | ({} if average else {"L": {"limit": LOW}})
                common = {"kind": "limits", "point": f"{device}.p{i}", "deadband": DEADBAND}
                rules.append({"rule": f"{device}_p{i}", "message": "Too far", "limits": limits, **common})
                if average:
                    mean = {"of": "mean", "over": "10s", "limits": {"H": {"limit": HIGH_MEAN}}}
                    rules.append({"rule": f"{device}_p{i}_mean", "message": "Mean is high", **common, **mean})
        _write(folder / "rules" / f"{area.replace('/', '-')}.yaml", {"area": area, "rules": rules})


def _write_areas(folder: Path, head: dict[str, Any]) -> None:
    _write(folder / "plant.yaml", {**head, "areas": [*head["areas"], *({"area": a} for a in areas())]})


def _write_devices(folder: Path, *, average: bool) -> None:
    for device, area, edge in devices():
        points = [{"point": f"p{i}", "unit": "bar", "range": [-1000, 1000]} for i in range(POINTS)]
        content = {"device": device, "area": area, "edge": edge, "points": points}
        _write(folder / "points" / f"{device}.yaml", content)
    write_rules(folder, average=average)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + "\n")
