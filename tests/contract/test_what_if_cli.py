"""`andon replay` as a user calls it, over a history in TimescaleDB: other points, and against the present files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from andon import instance as instances
from andon.cli import app
from andon.settings import Environment
from eventlog.intake import Intake
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from tests.unit.replay.lived import PLANT, Lived, at

pytestmark = pytest.mark.integration
Replayed = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def replayed(database: str, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """`andon replay --json` of an instance whose plant lived for 80 seconds."""
    lived, intake = Lived(2, restarts=False, late=False), Intake({}, {})
    lived.live(80)
    upgrade(database)
    log = TimescaleLog(database)
    for key, records in lived.topics.items():
        for offset, raw in enumerate(records):
            intake.take(key, offset, at(lived.now), raw)
        log.append(intake.batch())
    log.close()
    home = tmp_path_factory.mktemp("home")
    instances.create(home, plant=PLANT, environment=Environment(database_url=database))

    def run(*options: str, status: int = 0) -> dict[str, Any]:
        span = ("--from", at(0.5).isoformat(), "--to", at(70).isoformat())
        done = CliRunner().invoke(app, ["replay", "--json", *span, *options, "--home", str(home)])
        assert done.exit_code == status, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_history_is_decided_again_as_it_was(replayed: Replayed) -> None:
    found = replayed()
    assert found["same"], found["first"]
    assert found["before"]["incidents"]
    assert found["before"]["commands"]


def test_the_present_files_do_what_they_did_when_nobody_changed_them(replayed: Replayed) -> None:
    found = replayed("--against", "present")
    assert (found["before"]["name"], found["after"]["name"]) == ("history", "present files")
    assert (found["added"], found["lost"], found["moved"]) == ([], [], [])
    assert (found["commands_added"], found["commands_lost"]) == ([], [])


def test_points_that_say_the_same_change_nothing_and_others_turn_the_gate(replayed: Replayed, tmp_path: Path) -> None:
    points = tmp_path / "points"
    shutil.copytree(PLANT / "points", points)
    options = ("--against", "present", "--points", str(points))
    found = replayed(*options)
    assert found["same"], found["first"]
    assert (found["before"]["name"], found["after"]["name"]) == ("present files", "with other points")
    assert ("diverter.gate", 1.0) in moves(found["before"]["commands"])
    text = (points / "diverter.yaml").read_text()
    (points / "diverter.yaml").write_text(text.replace("{straight: 0, divert: 1}", "{divert: 0, straight: 1}"))
    found = replayed(*options)
    assert ("diverter.gate", 1.0) in moves(found["commands_lost"])
    assert ("diverter.gate", 0.0) in moves(found["commands_added"])
    assert any("diverter.gate" in line for line in found["command"]["before"])
    assert any("as they were recorded" in line for line in found["notes"])


def moves(commands: list[dict[str, Any]]) -> set[tuple[str, float]]:
    return {(c["point"], c["value"]) for c in commands}
