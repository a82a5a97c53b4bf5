"""The processes of a plant: what each is called, what runs in it, and which start before it."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import andon
from andon.settings import SettingsError
from andon.stack.process import Command
from config.instance import HEALTH_OFFSETS, Instance


class UnknownProcessError(SettingsError):
    """No process is called so."""

    def __init__(self, name: str) -> None:
        closest = difflib.get_close_matches(name, PROCESSES, n=1)
        hint = f"did you mean {closest[0]}?" if closest else f"known: {', '.join(PROCESSES)}"
        super().__init__(f"no process is called {name!r}: {hint}")
        self.name = name


@dataclass(frozen=True)
class Process:
    """One entry of the registry.

    Attributes:
        main: "module:function"; imported only in the process itself. `function(instance)` runs until SIGTERM.
        after: started after these (and stopped before them); none waits until they are healthy, all retry.
        health_port_offset: from the instance's port base; None for a process without /health.
    """

    name: str
    main: str
    after: tuple[str, ...] = ()
    health_port_offset: int | None = None

    def load(self) -> Callable[[Instance], None]:
        """Import `main`."""
        module, _, function = self.main.partition(":")
        run: Callable[[Instance], None] = getattr(importlib.import_module(module), function)
        return run


def _process(name: str, main: str, *after: str) -> Process:
    return Process(name, main, after, HEALTH_OFFSETS[name])


PROCESSES: Mapping[str, Process] = MappingProxyType(
    {
        process.name: process
        for process in (
            _process("simulator", "devices.simulator.main:run"),
            _process("logwriter", "eventlog.writer:run"),
            _process("bridge", "ingest.bridge:run"),
            _process("detection", "detection.agent:run"),
            _process("incidents", "incidents.agent:run"),
            _process("relay", "incidents.relay:run"),
            _process("playbooks", "playbooks.agent:run"),
            _process("dispatcher", "ingest.dispatcher:run"),
            _process("notifier", "notify.main:run"),
            _process("errands", "errands.main:run"),
            _process("edge", "edge.main:run", "simulator", "bridge"),
            _process("board", "board.main:run", "logwriter"),
            _process("api", "api.main:run", "logwriter"),
        )
    }
)


def in_order(names: Iterable[str], registry: Mapping[str, Process] = PROCESSES) -> list[Process]:
    """These processes, each behind those it starts after; otherwise as the registry lists them.

    Raises:
        UnknownProcessError: a name is not in the registry.
    """
    wanted = set(names)
    for name in sorted(wanted):
        if name not in registry:
            raise UnknownProcessError(name)
    ordered: list[Process] = []

    def place(process: Process) -> None:
        if process in ordered:
            return
        for before in process.after:
            if before in wanted:
                place(registry[before])
        ordered.append(process)

    for name, process in registry.items():
        if name in wanted:
            place(process)
    return ordered


def command_of(process: Process, instance: Instance) -> Command:
    """How a process is started: this Python, this code, in the folder that holds its packages."""
    run = (sys.executable, "-m", "andon", "run", process.name)
    argv = (*run, "--home", str(instance.home), "--parent", str(os.getpid()))
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    code = Path(andon.__file__).resolve().parent.parent
    return Command(name=process.name, argv=argv, cwd=code, log=instance.log_file(process.name), env=env)
