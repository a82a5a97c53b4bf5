"""kill -9 of each process and each service in the middle of a drill: the chain completes, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from tests.running_plant import RunningPlant, running_plant

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(400)]
VALVE = "press.relief_valve"
VICTIMS = (
    "edge", "bridge", "detection", "incidents", "playbooks", "dispatcher", "logwriter", "mosquitto", "kafka",
    "timescale",
)  # fmt: skip


@pytest.fixture(scope="module")
def plant() -> Iterator[RunningPlant]:
    with running_plant("--no-board") as plant:
        yield plant


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_drill_passes_though_this_is_killed_in_the_middle(plant: RunningPlant, victim: str) -> None:
    plant.wait_ready()
    with plant.simulator() as simulator:
        written = simulator.writes(VALVE)
    before, pid = executed(plant), plant.pid(victim)
    drill = plant.start("drill", "--json", "--timeout", "100")
    wait_for_rising_pressure(plant)
    os.kill(pid, signal.SIGKILL)
    out, err = drill.communicate(timeout=300)
    assert out, err
    report = json.loads(out)
    assert report["passed"] == 1, json.dumps(report, indent=1)
    with plant.simulator() as simulator:
        assert simulator.writes(VALVE) - written == executed(plant) - before, "each command moved the valve once"


def wait_for_rising_pressure(plant: RunningPlant) -> None:
    """Until the fault is on its way to the limit, so that the kill falls into the chain."""
    with plant.simulator() as simulator:
        end = time.monotonic() + 60
        while simulator.get("press.pressure") < 199:
            assert time.monotonic() < end, "the drill did not begin"
            time.sleep(0.01)


def executed(plant: RunningPlant) -> int:
    """Commands for the valve that were tried, by the log."""
    sql = "select count(*) from commands where point = :point and outcome in ('succeeded', 'failed')"
    end = time.monotonic() + 60
    while True:
        try:
            return int(plant.query(sql, point=VALVE)[0][0])
        except OperationalError:  # the database is one of the victims
            assert time.monotonic() < end
            time.sleep(0.2)


def test_after_all_that_the_log_holds_every_event_once(plant: RunningPlant) -> None:
    rows = plant.query("select count(*), count(distinct id) from events")
    assert rows[0][0] == rows[0][1] > 100
    heard = plant.query(
        "select count(*) from events where type = 'alarm.raised'"
        " or type in ('alarm.level_changed', 'condition.noted') and payload->>'holds' = 'true'"
    )[0][0]
    conditions = plant.query(
        "select count(*) from events where type = 'condition.raised' and payload->>'kind' <> 'watch'"
    )[0][0]
    assert heard == conditions, "every condition became an alarm, one more level of it, or steers others"
    commands = plant.query("select count(*), count(outcome) from commands")[0]
    assert commands[0] == commands[1], "every command has an outcome"
    assert not plant.query("select run from runs where outcome is null"), "no run is left running"


def test_what_edges_sent_is_complete_without_a_gap(plant: RunningPlant) -> None:
    opened = plant.query("select count(*) from events where type = 'source.gap_opened'")[0][0]
    closed = plant.query("select count(*) from events where type = 'source.gap_closed'")[0][0]
    assert opened == closed
    assert not plant.query("select id from events where type = 'source.records_lost'")
