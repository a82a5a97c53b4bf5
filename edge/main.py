"""The edge's process: builds the parts, connects them, and leaves cleanly."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import time
from datetime import UTC, datetime

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from config.instance import Instance
from devices.plant import Plant, load_plant
from edge.executor import Executor
from edge.field import FieldDevice
from edge.home import Home
from edge.inbox import receivers
from edge.journal import DEFAULT_LIMIT, Journal
from edge.memory import Memory
from edge.mind import Mind, definitions_of
from edge.poller import Poller
from edge.status import Metrics, Status
from edge.uplink import Uplink
from telemetry import configure_logs, serve_health

_log = structlog.get_logger("edge")
SWITCH_S = 0.0005
"""How long a thread may hold the interpreter while another waits: the default of 5 ms would show in every reply."""
APART = 0.618
"""Of a period from device to device: however many there are, and whatever their paces, few scans fall together."""


def run(instance: Instance, edge: str = "edge-1") -> None:
    """Be the edge of that name until SIGTERM or SIGINT.

    Raises:
        ConfigError: plant.yaml cannot be used. EdgeError: the journal cannot.
    """
    configure_logs(edge)
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # it dumps its traffic; we say what was lost
    sys.setswitchinterval(SWITCH_S)
    uvloop.run(_serve(instance, edge))


async def _serve(instance: Instance, edge: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    in_force = instance.plant_in_force
    plant, errors = load_plant(in_force)
    definitions, troubles = definitions_of(in_force, plant, edge)
    folder = instance.home / edge
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.sqlite3", edge, limit=min(DEFAULT_LIMIT, shutil.disk_usage(folder).free // 2))
    fields = _fields(plant, edge, instance)
    devices = {name: field.device for name, field in fields.items()}
    executor = Executor(devices, fields, Memory(journal))
    home = Home(_decided_here(plant, edge), Mind(), journal, executor)
    uplink = Uplink(journal, instance.mqtt, receivers(loop, journal, executor, home))
    if home.areas:
        uplink.keep = lambda up_to: min(up_to, home.position)
        errors += [error for trouble in troubles.values() for error in trouble]
    for error in errors:
        _log.error("file_unusable", reason=str(error))
    pollers = [
        Poller(field.device, field, journal, seen=home.saw, phase=number * APART % 1.0)
        for number, field in enumerate(fields.values())
    ]
    status = Status(journal, uplink, executor, home, pollers, errors, time.monotonic())
    registry = CollectorRegistry()
    registry.register(Metrics(status))
    server = serve_health(instance.health_port("edge"), status.health, registry)
    try:
        if home.areas:
            await home.recover(definitions, [stage for stage, bad in troubles.items() if bad], datetime.now(UTC))
        uplink.start()
        _log.info("edge_started", source=journal.source, devices=list(devices), homes=sorted(home.areas),
                  simulated=instance.simulated)
        await asyncio.gather(*(field.settle() for field in fields.values()))
        parts = [executor.run(), _turn(status), *(poller.run() for poller in pollers)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in (*parts, *([home.run()] if home.areas else []))]
            await stopped.wait()
            for task in tasks:
                task.cancel()
    finally:
        server.close()
        await asyncio.to_thread(uplink.close)
        await asyncio.gather(*(field.close() for field in fields.values()))
        await asyncio.to_thread(journal.close)
        _log.info("edge_stopped", source=journal.source)


def _decided_here(plant: Plant, edge: str) -> frozenset[str]:
    return frozenset(a.area for a in plant.areas.values() if a.home == "edge" and a.edge == edge)


def _fields(plant: Plant, edge: str, instance: Instance) -> dict[str, FieldDevice]:
    """The devices whose session this edge holds."""
    simulator = instance.simulator_file if instance.simulated else None
    own = (d for d in plant.devices.values() if d.edge == edge and d.modbus is not None)
    return {d.device: FieldDevice(d, simulator) for d in own}


async def _turn(status: Status) -> None:
    while True:
        status.turned = time.monotonic()
        await asyncio.sleep(1)
