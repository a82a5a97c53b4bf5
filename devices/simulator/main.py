"""The simulator's process: serves every Modbus device of a plant folder, and the control port."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import structlog

from config.instance import Instance
from devices.plant import Plant, load_plant
from devices.simulator import control
from devices.simulator.server import DeviceServer
from devices.simulator.world import World
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

HOST = "127.0.0.1"
STEP_S = 0.05
STALLED_S = 2.0
"""A step that took longer means that the process hangs."""
SEED = 20240229

log = structlog.get_logger()


@dataclass
class Simulation:
    """A running one.

    Attributes:
        addresses: device name -> (host, port) of its Modbus server.
        control_port: where `SimulatorClient` connects.
        stepped_at: `time.monotonic()` of the last step of the physics.
        stepping: the task that steps it; done only if the physics failed.
    """

    world: World
    addresses: dict[str, tuple[str, int]]
    control_port: int
    stepped_at: float
    stepping: asyncio.Task[None] | None = None


class PortTakenError(RuntimeError):
    """Somebody else listens there: stop it, or choose another port base."""

    def __init__(self, what: str, port: int) -> None:
        super().__init__(f"port {port} for {what} is taken: stop who listens there, or choose another --port-base")
        self.what, self.port = what, port


@asynccontextmanager
async def simulate(plant: Plant, port_of: Callable[[int], int], control_port: int) -> AsyncIterator[Simulation]:
    """Serve the plant's Modbus devices for the length of the block.

    Args:
        port_of: port of the n-th of them, in the order of the files; 0 takes a free one, as does control_port 0.

    Raises:
        PortTakenError: a port is taken.
    """
    world = World(plant, lambda: time.time_ns() // 1000, Random(SEED))
    async with AsyncExitStack() as stack:
        addresses: dict[str, tuple[str, int]] = {}
        for index, (name, simulated) in enumerate(world.devices.items()):
            server = DeviceServer(simulated, HOST, port_of(index))
            try:
                await server.serve_forever(background=True)
            except RuntimeError:
                raise PortTakenError(f"device {name}", port_of(index)) from None
            stack.push_async_callback(server.shutdown)
            addresses[name] = (HOST, server.port)
        try:
            bound = await stack.enter_async_context(control.serve(world, HOST, control_port))
        except OSError:
            raise PortTakenError("the simulator's control", control_port) from None
        running = Simulation(world, addresses, bound, time.monotonic())
        running.stepping = asyncio.create_task(_step_for_ever(running))
        stack.callback(running.stepping.cancel)
        yield running


async def _step_for_ever(running: Simulation) -> None:
    due = time.monotonic()
    while True:
        now = time.monotonic()
        # after a pause of the whole process the physics goes on from where it was, it does not jump
        running.world.step(min(now - running.stepped_at, 4 * STEP_S))
        running.stepped_at = now
        due = max(due + STEP_S, now)
        await asyncio.sleep(due - time.monotonic())


def run(instance: Instance) -> None:
    """Simulate the instance's plant until SIGTERM or SIGINT; `<home>/simulator.json` says where each device listens."""
    configure_logs("simulator")
    asyncio.run(_run(instance))


async def _run(instance: Instance) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    plant, errors = load_plant(instance.plant_in_force)
    for error in errors:
        log.warning("file_skipped", file=error.file, reason=str(error))
    file = instance.simulator_file
    if not instance.simulated:
        log.warning("nobody_asks_us", reason="the edge asks the real devices: only `andon up` without --no-simulator"
                                             " makes a simulated plant")
    async with simulate(plant, instance.device_port, instance.simulator_port) as running:

        def check() -> Health:
            still_s = time.monotonic() - running.stepped_at
            facts = {"devices": len(running.addresses), "config_errors": [str(e) for e in errors]}
            if still_s > STALLED_S:
                return unhealthy(f"the simulated process has not moved for {still_s:.0f} s", **facts)
            return healthy(**facts)

        health = serve_health(instance.health_port("simulator"), check)
        _write(file, running.addresses)
        log.info("simulator_listening", control=running.control_port, devices=running.addresses)
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait(filter(None, (stopping, running.stepping)), return_when=asyncio.FIRST_COMPLETED)
            if running.stepping and running.stepping.done():
                running.stepping.result()  # the physics failed: end with its error, the supervisor starts us again
        finally:
            file.unlink(missing_ok=True)  # or edges would ask us for real devices
            health.close()


def _write(file: Path, addresses: dict[str, tuple[str, int]]) -> None:
    """Whole or not at all: edges read it while we start."""
    whole = file.with_name(file.name + ".new")
    whole.write_text(json.dumps(addresses, indent=1) + "\n", "utf-8")
    whole.replace(file)
