"""The law of replay, on a real plant: what was decided is decided again, exactly; and with other rules it is not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import examples
from tests.running_plant import RunningPlant, running_plant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
EXAMPLE = Path(examples.__file__).resolve().parent / "press-shop"
OLD, NEW = "H: {limit: 200 bar,", "H: {limit: 190 bar,"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    """A plant that saw a fault, a person, a stage killed, other rules, and another fault."""
    with running_plant("--no-board") as plant:
        overpressure(plant)
        plant.kill("detection")
        plant.wait_ready()
        other = tmp_path_factory.mktemp("plant") / "press-shop"
        shutil.copytree(EXAMPLE, other)
        rules = other / "rules" / "press.yaml"
        rules.write_text(rules.read_text().replace(OLD, NEW))
        said = plant.andon("publish", "--plant", str(other))
        assert said.returncode == 0, said.stdout
        overpressure(plant)
        time.sleep(8)  # the log has it all, and a replay leaves the newest seconds alone
        yield plant


def overpressure(plant: RunningPlant) -> None:
    """A fault, until its alarm is in the log, something was done about it, and it is over."""
    (before,) = plant.query("SELECT count(*) FROM events WHERE type = 'alarm.raised'")[0]
    with plant.simulator() as simulator:
        simulator.fault("overpressure")
    eventually(plant, "SELECT count(*) FROM events WHERE type = 'alarm.raised'", before + 1)
    eventually(plant, "SELECT count(*) FROM commands WHERE outcome = 'succeeded'", 2)
    with plant.simulator() as simulator:
        simulator.fault("none")
    for (alarm,) in plant.query("SELECT alarm FROM alarms WHERE NOT acknowledged"):
        asked = plant.andon("alarm", "acknowledge", str(alarm), "--by", "anna")
        assert asked.returncode == 0, asked.stdout + asked.stderr
    eventually(plant, "SELECT bool_and(status <> 'open') FROM incidents", True)
    eventually(plant, "SELECT count(*) = 0 FROM runs WHERE outcome IS NULL", True)


def eventually(plant: RunningPlant, query: str, least: int | bool) -> None:
    end = time.monotonic() + 60
    while (found := plant.query(query)[0][0]) is None or found < least:
        assert time.monotonic() < end, f"{query}: {found}"
        time.sleep(0.3)


def replayed(plant: RunningPlant, *options: str, status: int = 0) -> dict[str, Any]:
    done = plant.andon("replay", "--json", *options)
    assert done.returncode == status, done.stdout[:2000] + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_history_is_decided_again_exactly_as_it_was(lived: RunningPlant) -> None:
    found = replayed(lived, "--from", "1h")
    assert found["same"], found["first"]
    assert found["before"]["incidents"]
    assert len(found["before"]["commands"]) >= 2


def test_it_may_begin_in_the_middle_of_history(lived: RunningPlant) -> None:
    first, last = lived.query("SELECT min(raised_at), max(raised_at) FROM alarms")[0]
    between = first + (last - first) / 2
    found = replayed(lived, "--from", between.isoformat())
    assert found["same"], found["first"]
    assert found["began"] < between.isoformat(), "at a checkpoint before it, or with the first day where there is none"
    assert found["before"]["alarms"]


def test_other_rules_and_playbooks_are_compared_with_what_happened(lived: RunningPlant, tmp_path: Path) -> None:
    rules, playbooks, page = tmp_path / "rules", tmp_path / "playbooks", tmp_path / "report.html"
    shutil.copytree(EXAMPLE / "rules", rules)
    text = (rules / "press.yaml").read_text().replace(OLD, "H: {limit: 248 bar,")
    (rules / "press.yaml").write_text(text.replace("HH: {limit: 230 bar,", "HH: {limit: 249 bar,"))
    playbooks.mkdir()
    found = replayed(lived, "--from", "1h", "--rules", str(rules), "--playbooks", str(playbooks), "--html", str(page))
    assert not found["same"]
    assert found["commands_lost"]
    assert not found["after"]["commands"]
    assert "press.relief_valve" in found["command"]["before"][0]
    assert found["command"]["because"]
    assert "http" not in page.read_text().replace("http-equiv", ""), "it needs no network"
