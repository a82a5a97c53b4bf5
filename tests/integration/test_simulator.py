"""The simulator as a process of its own, spoken to as the drill, the edge and `andon simulate` do."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from pymodbus.client import ModbusTcpClient
from typer.testing import CliRunner

from andon import instance as instances
from andon import simulate_cli
from config.instance import DEVICES_END, Instance, MqttAddress
from devices.plant import load_plant
from devices.simulator.client import SimulatorClient, SimulatorError

ROOT = Path(__file__).parents[2]
PLANT, _ = load_plant(ROOT / "examples" / "press-shop")
RECORDING = ROOT.parent / "shared" / "data" / "skab" / "other" / "12.csv"

CHILD = """
import sys
from pathlib import Path
from config.instance import Instance, MqttAddress
from devices.simulator.main import run
home, plant, base = sys.argv[1:]
mqtt = MqttAddress(host="", port=0)
run(Instance(home=Path(home), plant=Path(plant), kafka="", database_url="", mqtt=mqtt, port_base=int(base)))
"""


@dataclass
class Process:
    instance: Instance
    child: subprocess.Popen[bytes]

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        return {d: tuple(a) for d, a in json.loads((self.instance.home / "simulator.json").read_text()).items()}

    def client(self) -> SimulatorClient:
        return SimulatorClient("127.0.0.1", self.instance.simulator_port)

    def health(self) -> dict[str, object]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.instance.health_port('simulator')}/health") as answer:
            health: dict[str, object] = json.load(answer)
            return health


def free_base() -> int:
    while True:
        base = random.randrange(20_000, 32_000, 100)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(base, base + DEVICES_END):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return base


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    instance = Instance(home=tmp_path, plant=ROOT / "examples" / "press-shop", kafka="", database_url="",
                        mqtt=MqttAddress(host="", port=0), port_base=free_base())
    arguments = [str(instance.home), str(instance.plant), str(instance.port_base)]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT)
    try:
        until = time.monotonic() + 20
        while not (tmp_path / "simulator.json").exists():
            assert child.poll() is None, "the simulator died"
            assert time.monotonic() < until, "the simulator does not listen"
            time.sleep(0.05)
        yield Process(instance, child)
    finally:
        child.kill()
        child.wait()


def modbus(process: Process, device: str) -> ModbusTcpClient:
    host, port = process.addresses[device]
    client = ModbusTcpClient(host, port=port, timeout=1, retries=0)
    assert client.connect()
    return client


def test_each_device_listens_on_its_port_in_file_order_and_the_process_is_healthy(process: Process) -> None:
    assert list(process.addresses) == list(PLANT.devices)
    ports = [port for _, port in process.addresses.values()]
    assert ports == [process.instance.device_port(i) for i in range(len(PLANT.devices))]
    assert process.health()["ok"] is True


def test_it_leaves_cleanly_on_sigterm_and_takes_its_addresses_with_it(process: Process) -> None:
    held = modbus(process, "press")
    with process.client():
        process.child.send_signal(signal.SIGTERM)
        assert process.child.wait(5) == 0
    held.close()
    assert not (process.instance.home / "simulator.json").exists()


def test_a_taken_port_is_named(process: Process) -> None:
    arguments = [str(process.instance.home), str(process.instance.plant), str(process.instance.port_base)]
    second = subprocess.run([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, capture_output=True, timeout=30,
                            check=False, env={**os.environ, "COLUMNS": "200"})
    assert second.returncode != 0
    assert f"port {process.instance.device_port(0)} for device cooling_light is taken".encode() in second.stderr
    assert process.addresses, "the first one's addresses stay"


def test_a_modbus_write_stands_in_the_history_with_its_time(process: Process) -> None:
    press = modbus(process, "press")
    with process.client() as control:
        assert control.history("press.relief_valve") == []
        before = datetime.now(UTC)
        assert not press.write_coil(0, True, device_id=1).isError()
        after = datetime.now(UTC)
        ((at, value),) = control.history("press.relief_valve")
        assert before <= at <= after
        assert value == 1
        assert not press.write_coil(0, True, device_id=1).isError()
        assert control.writes("press.relief_valve") == 2
        assert len(control.history("press.relief_valve")) == 1, "the second write changed nothing"
    press.close()


def test_the_scripted_overpressure_ends_with_the_relief_valve_or_with_the_fault(process: Process) -> None:
    press = modbus(process, "press")
    with process.client() as control:
        control.fault("overpressure")
        wait_until(lambda: control.get("press.pressure") > 245)
        press.write_coil(0, True, device_id=1)
        wait_until(lambda: control.get("press.pressure") < 40)
        press.write_coil(0, False, device_id=1)
        control.fault("none")
        wait_until(lambda: 100 < control.get("press.pressure") < 185)
    press.close()


def test_a_point_that_was_set_still_obeys_a_modbus_write(process: Process) -> None:
    light = modbus(process, "press_light")
    with process.client() as control:
        control.set({"press_light.red": 1})
        assert light.read_coils(0, count=4, device_id=2).bits[:4] == [True, False, True, False]
        light.write_coil(0, False, device_id=2)
        time.sleep(0.15)
        assert control.get("press_light.red") == 0
    light.close()


def test_behaviours_are_seen_by_a_modbus_client_and_end_with_fault_none(process: Process) -> None:
    press = modbus(process, "press")
    with process.client() as control:
        control.behave("press", "exception")
        assert press.read_coils(0, count=1, device_id=1).exception_code == 6
        control.behave("press", "delay", 0.3)
        began = time.monotonic()
        assert not press.write_coil(0, True, device_id=1).isError()
        assert 0.3 <= time.monotonic() - began < 0.6, "the delay counts once, also for a write"
        control.fault("none")
        began = time.monotonic()
        assert press.read_coils(0, count=1, device_id=1).bits[0] is True
        assert time.monotonic() - began < 0.3
    press.close()


def test_a_refused_request_says_why_and_the_connection_stays(process: Process) -> None:
    with process.client() as control:
        with pytest.raises(SimulatorError, match="unknown point"):
            control.get("press.presure")
        with pytest.raises(SimulatorError, match="uint16"):
            control.set({"cooling.inlet_valve": -5})
        about = control.points()
        assert about["press.pressure"] == {"title": "Hydraulic pressure", "unit": "bar", "states": {}, "every_s": 0.1}
        assert about["cooling.pump"]["states"] == {"stopped": 0, "running": 1}
        with socket.create_connection(("127.0.0.1", process.instance.simulator_port)) as raw:
            raw.sendall(b"nonsense\n[1]\n")
            answers = raw.makefile()
            assert "not JSON" in answers.readline()
            assert "JSON object" in answers.readline()
        assert control.get("press.running") == 1


def play_file(process: Process, file: Path, *options: str) -> tuple[int, str]:
    return simulate(process, "--recording", str(file), *options)


def simulate(process: Process, *options: str) -> tuple[int, str]:
    """`andon simulate`, as the command line calls it."""
    instances.create(process.instance.home, process.instance.port_base)
    app = typer.Typer()
    app.command()(simulate_cli.main)
    result = CliRunner().invoke(app, ["--home", str(process.instance.home), *options],
                                env={"COLUMNS": "250"})
    return result.exit_code, result.output


@pytest.mark.skipif(not RECORDING.exists(), reason="the recordings of the pump testbed are not beside the repository")
def test_a_real_recording_is_played_into_the_registers_in_order_and_then_released(
    process: Process, tmp_path: Path
) -> None:
    lines = RECORDING.read_text().splitlines()
    part = tmp_path / "part.csv"
    part.write_text("\n".join([*lines[:101], "broken;line", *lines[101:201]]))
    code, output = play_file(process, part, "--speed", "200")
    assert code == 0, output
    assert f"{part}:102: 2 columns" in output
    assert "Volume Flow RateRMS → cooling.flow" in output
    assert "anomaly → a label, ignored" in output
    flows = [float(line.split(";")[8]) for line in lines[1:201]]
    moved = [flow for i, flow in enumerate(flows) if i == 0 or flow != flows[i - 1]]
    with process.client() as control:
        seen = [value for _, value in control.history("cooling.flow")]
        at = seen.index(moved[0])
        assert seen[at : at + len(moved)] == moved, "every row once, in order, nothing of the physics between"
        wait_until(lambda: control.get("cooling.flow") not in flows)


def test_playing_without_a_simulator_or_a_match_says_what_to_do(process: Process, tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text("t,Torque\n1,2\n")
    assert play_file(process, file)[0] == 1
    code, output = play_file(process, file, "--device", "cooling")
    assert code == 1
    assert "Torque → not mapped" in output
    assert "--map" in output
    assert play_file(process, file, "--map", "Torque=diverter.belt_speed")[0] == 0
    assert play_file(process, file, "--speed", "0")[0] == 2
    process.child.terminate()
    process.child.wait(5)
    code, output = play_file(process, file, "--map", "Torque=diverter.belt_speed")
    assert code == 1
    assert "andon up" in output


def test_a_fault_begins_and_ends_on_the_command_line(process: Process) -> None:
    code, output = simulate(process, "--fault", "earthquake")
    assert code == 1
    assert "unknown fault 'earthquake', there are" in output
    assert "gas_leak" in output
    assert simulate(process)[0] == 2
    code, output = simulate(process, "--fault", "gas_leak")
    assert (code, output) == (0, "gas_leak until `andon simulate --fault none`\n")
    with process.client() as control:
        wait_until(lambda: control.get("hall.gas") > 30)
        assert simulate(process, "--fault", "none")[0] == 0
        wait_until(lambda: control.get("hall.gas") < 30)


def wait_until(true: object, seconds: float = 8.0) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
