"""Interlocks, preconditions, reads and hands off, at an edge with its real broker and simulated devices."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.instance import Instance
from events import codec
from events.devices import CommandFailed, CommandRefused, CommandSucceeded
from events.readings import Packed
from tests.integration.edge_box import Bridge, Plant, answer, facts, health_of, outcome, until, write

pytestmark = pytest.mark.integration

VALVE = "writable: {range: [0, 1]}}\n  - {point: running"
GUARDED = "cooling.flow > 10 && press.position < 100"
MANY = [f"device_{n}" for n in range(29)]


@pytest.fixture
def bridge(services: Instance) -> Iterator[Bridge]:
    running = Bridge(services, "edge-1")
    yield running
    for device in ("press", *MANY):
        running.forget(device)
    running.close()


@pytest.fixture
def plant(services: Instance, short_home: Path, port_base: int, bridge: Bridge) -> Iterator[Plant]:
    """The example, its relief valve guarded by the cooling's flow and the ram's position."""
    folder = short_home / "shop"
    shutil.copytree(services.plant, folder)
    file = folder / "points" / "press.yaml"
    assert VALVE in file.read_text()
    guarded = VALVE.replace("[0, 1]}", f'[0, 1], interlock: "{GUARDED}"}}')
    file.write_text(file.read_text().replace(VALVE, guarded))
    made = Plant(replace(services, home=short_home, port_base=port_base, plant=folder))
    made.start("edge", "edge.main")
    made.start("simulator", "devices.simulator.main")
    until(lambda: {r.device for r in bridge.records if isinstance(r, Packed)} >= {"press", "cooling"})
    yield made
    codes = made.stop()
    assert codes == [0] * len(codes)


def valve(name: str, value: float = 1.0, **other: object):
    return write(name, value, point="press.relief_valve", **other)


def test_an_interlock_across_two_devices_is_judged_by_what_they_say_at_that_moment(plant, bridge) -> None:
    simulator = plant.simulator()
    simulator.set({"cooling.flow": 50.0, "press.position": 40.0})
    assert isinstance(outcome(bridge, valve("true")), CommandSucceeded)
    simulator.set({"press.position": 250.0})
    refused = outcome(bridge, valve("false", 0.0))
    assert isinstance(refused, CommandRefused)
    assert refused.reason == (
        f"interlock: {GUARDED} is not true (cooling.flow is 50, press.position is 250)"
    )
    simulator.set({"press.position": 40.0})
    simulator.behave("cooling", "silent")
    refused = outcome(bridge, valve("silent", 0.0, expires_s=10))
    assert isinstance(refused, CommandRefused)
    assert refused.reason.startswith(f"interlock: {GUARDED} is not known: cooling.flow: no ")
    simulator.behave("cooling", "exception")
    refused = outcome(bridge, valve("exception", 0.0, expires_s=10))
    assert isinstance(refused, CommandRefused) and "cooling.flow: exception reply 6" in refused.reason
    assert simulator.writes("press.relief_valve") == 1


def test_a_precondition_holds_beside_the_interlock_and_expires_with_its_command(plant, bridge) -> None:
    simulator = plant.simulator()
    simulator.set({"cooling.flow": 50.0, "press.position": 40.0, "press.pressure": 210.0})
    refused = outcome(bridge, valve("high", precondition="press.pressure < 200 && press.running == 'stopped'"))
    assert isinstance(refused, CommandRefused)
    assert refused.reason.startswith("precondition: press.pressure < 200 && press.running == 'stopped' is not true")
    assert "press.pressure is 210" in refused.reason
    assert isinstance(outcome(bridge, valve("low", precondition="press.pressure > 200")), CommandSucceeded)
    simulator.behave("cooling", "delay", 0.4)
    late = outcome(bridge, valve("late", 0.0, expires_s=0.3))
    assert isinstance(late, CommandRefused) and late.reason.startswith("late: ")
    assert simulator.writes("press.relief_valve") == 1


def test_a_read_on_command_tells_the_value_or_that_there_is_none(plant, bridge) -> None:
    simulator = plant.simulator()
    simulator.set({"press.pressure": 123.0})
    read = outcome(bridge, write("read", 0.0, point="press.pressure", kind="read"))
    assert isinstance(read, CommandSucceeded)
    assert read.read_back == pytest.approx(123.0, abs=0.01)
    simulator.behave("press", "silent")
    silent = outcome(bridge, write("silent", 0.0, point="press.pressure", kind="read", expires_s=10))
    assert isinstance(silent, CommandFailed)
    assert simulator.writes("press.pressure") == 0


def test_hands_off_stops_a_slow_device_within_a_second_and_holds_over_a_kill_until_it_ends(plant, bridge) -> None:
    simulator = plant.simulator()
    simulator.behave("press", "silent")
    under_way = [write(f"slow-{n}", 50.0 + n, expires_s=60) for n in range(150)]  # more than the broker sends at once
    for issued in under_way:
        bridge.command(codec.encode(issued))
    time.sleep(0.3)
    began = time.monotonic()
    for device in ("press", *MANY):
        bridge.lock_out(device, "hands off by anna: people are in the machine")
    url = f"http://127.0.0.1:{plant.instance.health_port('edge')}/health"

    def locked() -> set[str]:
        return {r.split()[1] for r in health_of(url).get("reasons", []) if "is locked out: hands off by anna" in r}

    until(lambda: locked() == {"press", *MANY})
    print(f"\n30 devices locked out after {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 3, "on a busy machine; a second otherwise"
    until(lambda: {e.cause for e in facts(bridge)} >= {e.id for e in under_way})
    outcomes = [answer(bridge, issued) for issued in under_way]
    refused = [o for o in outcomes if isinstance(o, CommandRefused)]
    assert len(refused) >= len(under_way) - 4, "one was under way, few before it"
    assert {o.reason for o in refused} == {"locked out: press: hands off by anna: people are in the machine"}
    simulator.behave("press", "normal")
    plant.kill("edge")
    plant.start("edge", "edge.main")
    still = outcome(bridge, write("after the kill", 99.0, expires_s=30))
    assert isinstance(still, CommandRefused) and still.reason.startswith("locked out: press: hands off by anna")
    assert simulator.writes("press.pressure_setpoint") == 0
    bridge.lock_out("press", "")
    until(lambda: "press" not in locked())
    assert isinstance(outcome(bridge, write("released", 97.0)), CommandSucceeded)
