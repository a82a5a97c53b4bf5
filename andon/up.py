"""`andon up`: the services, then what must be there before any process, then every process; until a signal."""

from __future__ import annotations

import importlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from andon import instance as instances
from andon import records
from andon.processes import PROCESSES, Process, command_of, in_order
from andon.settings import Environment
from andon.stack.debian import Say
from andon.stack.process import Command, require_free, stop_all
from andon.stack.services import Service, build_all, services_of, start_all
from andon.status import ask_health, judge
from andon.supervisor import Supervisor, endings
from config.instance import Instance
from config.yamlfile import ConfigError
from devices.plant import load_plant
from telemetry import configure_logs

HEALTHY_WITHIN_S = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `up` was asked for; None means "as it was, or the default"."""

    home: Path
    port_base: int | None = None
    plant: Path | None = None
    board: bool = True
    simulator: bool = True

    def processes(self) -> list[Process]:
        left_out = {
            name for name, wanted in (("board", self.board), ("simulator", self.simulator)) if not wanted
        }
        return in_order(PROCESSES.keys() - left_out)


def up(plan: Plan, environment: Environment, say: Say, ready: Callable[[Instance, list[str]], None]) -> None:
    """Bring the plant up and keep it up until SIGTERM, SIGINT or SIGHUP.

    Args:
        say: receives one line of progress.
        ready: called once, with the processes that are not healthy yet.

    Raises:
        SettingsError, StackError: it cannot be brought up; nothing is left running.
    """
    home = plan.home
    with records.the_only_one(home):
        (home / "logs").mkdir(exist_ok=True)
        configure_logs("up", environment.log_level, home / "logs" / "up.log")
        _end_on_signals()
        if left := records.end_leftovers(home):
            say(f"ended what an `up` that was killed has left: {', '.join(left)}")
        instance = instances.create(home, plan.port_base, plan.plant, environment=environment)
        instance = instances.create(home, edges=edges_of(instance.plant), environment=environment)
        processes = plan.processes()
        for process in processes:
            for port in ports_of(process, instance):
                require_free(port, process.name)
        passwords = instances.service_passwords(home)
        services = services_of(instance, passwords, instances.runtime_folder(home, environment))
        build_all(services, say)
        children = start_all(services, say)
        supervisor = Supervisor(home, say)
        try:
            for service in services:
                supervisor.adopt(children[service.name], _restart(service))
        except BaseException:
            stop_all(children.values())
            raise
        try:
            choose_devices(instance, simulated=plan.simulator)
            _before_processes(instance, say)
            supervisor.stop_on_signals()
            for process in processes:
                supervisor.add(command_of(process, instance))
            waiting = _until_healthy(supervisor, processes, instance, say)
            if not supervisor.stopping:
                ready(instance, waiting)
            supervisor.run()
            say("stopping")
        except KeyboardInterrupt:
            say("interrupted: stopping")
        finally:
            supervisor.stop()


def ports_of(process: Process, instance: Instance) -> list[int]:
    """The fixed ports that a process will listen on."""
    own = {
        "board": [instance.board_port], "simulator": [instance.simulator_port], "bridge": [instance.intake_port],
        "api": [instance.api_port],
    }  # fmt: skip
    offset = process.health_port_offset
    return [*own.get(process.name, []), *([] if offset is None else [instance.port_base + offset])]


def edges_of(plant: Path) -> list[str]:
    """The ids of the edge boxes that the plant's files name; empty when plant.yaml itself cannot be read.

    Publishing then says what is wrong with it, and goes on with its last good text; the edges known before keep their
    passwords.
    """
    try:
        loaded, _ = load_plant(plant)
    except ConfigError:
        return []
    named = {area.edge for area in loaded.areas.values()} | {device.edge for device in loaded.devices.values()}
    return sorted(named - {""})


def choose_devices(instance: Instance, *, simulated: bool) -> None:
    """Tell the edges, before any runs, which devices are theirs: the simulated ones and no others, or the real ones.

    Addresses that a simulator left when its power failed go in both cases. The order is such that being cut off
    between two steps never makes a simulated plant a real one.
    """
    instance.simulator_file.unlink(missing_ok=True)
    if simulated:
        instance.simulated_mark.write_text("Devices are simulated. `andon up --no-simulator` removes this file.\n")
    else:
        instance.simulated_mark.unlink(missing_ok=True)


def _before_processes(instance: Instance, say: Say) -> None:
    """Topics, tables and the plant's configuration; imported here, as nothing else of `up` needs what they need."""
    began = time.monotonic()
    created = _call("bus.topics:create", instance.kafka)
    say(f"topics: {f'{len(created)} created' if created else 'all there'}")
    say(f"database: at migration {_call('eventlog.migrate:upgrade', instance.database_url)}")
    for error in _call("andon.publish:publish", instance):
        say(f"NOT IN FORCE, its last good text is: {error}")
    say(f"plant {instance.plant} published after {time.monotonic() - began:.1f} s")


def _call(target: str, argument: object) -> Any:
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)(argument)


def _until_healthy(supervisor: Supervisor, processes: list[Process], instance: Instance, say: Say) -> list[str]:
    """Supervise until every process is well or the time is over; those that are not well."""
    began = time.monotonic()
    waiting = [process.name for process in processes if process.health_port_offset is not None]
    while waiting and not supervisor.stopping and time.monotonic() - began < HEALTHY_WITHIN_S:
        supervisor.turn(time.monotonic())
        for name in list(waiting):
            record = records.read(instance.home, name)
            if record is not None and judge(record, ask_health(instance, name))["health"]["ok"]:
                waiting.remove(name)
                say(f"{name} is ready after {time.monotonic() - began:.1f} s")
        time.sleep(0.05)
    return waiting


def _restart(service: Service) -> Callable[[], Command]:
    def begin() -> Command:
        service.prepare()
        return service.command()

    return begin


def _end_on_signals() -> None:
    """While things are being fetched and started, a signal interrupts at once and what was started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in endings():
        signal.signal(number, interrupt)
