"""The main job as a user has it: `andon up`, drills, trace, doctor, the recording that lights the lamp."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.running_plant import RunningPlant, running_plant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
RECORDING = REPOSITORY.parent / "shared" / "data" / "skab" / "valve1" / "0.csv"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    """The example plant, with files of its own to change."""
    folder = tmp_path_factory.mktemp("shop") / "press-shop"
    shutil.copytree(REPOSITORY / "examples" / "press-shop", folder)
    with running_plant("--no-board", "--plant", str(folder)) as plant:
        yield plant


def test_drills_pass_and_say_when_each_step_happened(plant: RunningPlant) -> None:
    done = plant.andon("drill", "--json", "--count", "3")
    report = json.loads(done.stdout)
    assert done.returncode == 0, json.dumps(report, indent=1)
    assert (report["passed"], report["failed"]) == (3, 0)
    for run in report["runs"]:
        assert run["total_ms"] == max(s["ms"] for s in run["steps"])
        steps = {s["name"]: s["ms"] for s in run["steps"]}
        assert steps["register changed"] == 0
        assert steps["polled"] <= steps["read back"]
        assert steps["register written"] <= steps["read back"] <= steps["in the event log"] + 1


def test_the_healthy_plant_raises_no_alarm_of_its_own(plant: RunningPlant) -> None:
    rules = plant.query("select distinct rule from alarms")
    assert {r[0].split(".")[0] for r in rules} <= {"press_pressure"}, "only what the drills caused"


def test_trace_tells_what_happened_and_why(plant: RunningPlant) -> None:
    incident = plant.query("select incident from incidents order by opened_at desc limit 1")[0][0]
    told = plant.andon("trace", str(incident))
    assert told.returncode == 0, told.stderr
    for word in ("press.pressure", "press_pressure", "press.relief_valve", "done:"):
        assert word in told.stdout
    assert json.loads(plant.andon("trace", str(incident), "--json").stdout)


def test_a_dry_run_over_what_happened_shows_what_was_done_and_sends_nothing(plant: RunningPlant) -> None:
    incident = plant.query("select incident from incidents order by opened_at desc limit 1")[0][0]
    count = "select count(*) from events where type in ('command.issued', 'notification.issued')"
    before = plant.query(count)
    options = ("--incident", str(incident), "--plant", str(plant.instance.plant))
    told = plant.andon("playbook", "dry-run", "press_overpressure", *options)
    assert told.returncode == 0, told.stderr
    assert "command: press.relief_valve = 1" in told.stdout
    assert "Nothing was sent" in told.stdout
    failing = plant.andon("playbook", "dry-run", "press_overpressure", *options, "--fail", "press.relief_valve")
    assert "as you said with --fail" in failing.stdout
    assert plant.query(count) == before


def test_a_playbook_is_deployed_with_a_reason_compared_and_rolled_back(plant: RunningPlant) -> None:
    file = plant.instance.plant / "playbooks" / "press-overpressure.yaml"
    text = file.read_text("utf-8")
    versions = "select count(*) from events where type = 'stage.configured' and payload ->> 'stage' = 'playbooks'"
    before = plant.query(versions)[0][0]
    file.write_text(text + "escalate_to: maintenance\n", "utf-8")
    deployed = plant.andon("playbook", "deploy", "--by", "anna", "--reason", "the fitter must know")
    assert deployed.returncode == 0, deployed.stdout
    wait_for(lambda: plant.query(versions)[0][0] == before + 1)
    assert "the fitter must know" in plant.andon("playbook", "versions", "press_overpressure").stdout
    assert "+escalate_to: maintenance" in plant.andon("playbook", "diff", "press_overpressure").stdout
    back = plant.andon("playbook", "rollback", "press_overpressure", "--by", "ben", "--reason", "not at night")
    assert back.returncode == 0, back.stdout
    wait_for(lambda: plant.query(versions)[0][0] == before + 2)
    assert file.read_text("utf-8") == text
    assert "rollback of press_overpressure" in plant.andon("playbook", "versions", "press_overpressure").stdout


def test_doctor_finds_nothing_in_a_healthy_plant(plant: RunningPlant) -> None:
    found = plant.andon("doctor")
    assert found.returncode == 0, found.stdout


def test_the_recorded_pump_fault_opens_an_incident_during_its_anomaly_and_lights_the_lamp(plant: RunningPlant) -> None:
    if not RECORDING.exists():
        pytest.skip("the recordings lie beside the repository, and are not here")
    speed = 10.0
    before = time.time()
    player = plant.start("simulate", "--recording", str(RECORDING), "--speed", str(speed), "--device", "cooling")
    lit = False
    while player.poll() is None:
        with plant.simulator() as simulator:
            lit = lit or simulator.get("cooling_light.red") == 1 or simulator.get("cooling_light.amber") == 1
        time.sleep(0.2)
    assert player.returncode == 0, player.communicate()[1]
    began, ended = labelled(RECORDING)
    opened = [
        (at.timestamp() - before) * speed
        for (at,) in plant.query("select opened_at from incidents where area = 'shop/cooling' order by opened_at")
    ]
    slack = 5 * speed  # the player starts a moment after `before`
    assert any(began <= at <= ended + slack for at in opened), f"opened at {opened} s, labelled {began}..{ended} s"
    assert not [at for at in opened if at < began], "no alarm before the fault"
    assert lit, "the andon light turned on"


def wait_for(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def labelled(recording: Path) -> tuple[float, float]:
    """Seconds from the recording's beginning to the first and the last row labelled as anomaly."""

    rows = list(csv.DictReader(recording.open(), delimiter=";"))
    times = [datetime.fromisoformat(r["datetime"]).timestamp() for r in rows if float(r["anomaly"])]
    first = datetime.fromisoformat(rows[0]["datetime"]).timestamp()
    return times[0] - first, times[-1] - first
