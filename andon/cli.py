"""The command line. Commands of other packages are named in andon/subcommands.py."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from andon import instance as instances
from andon import records
from andon.processes import in_order
from andon.settings import SettingsError, read_environment
from andon.stack.errors import StackError
from andon.stack.process import start_ticks
from andon.subcommands import Commands
from config.instance import Instance, InstanceError

STOP_WITHIN_S = 20.0

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Alarms and incidents of a factory, from the machine to the people and back.",
)
out = Console(highlight=False, soft_wrap=True)

Home = Annotated[
    Path | None, typer.Option(help="Folder of data, logs and passwords. \\[default: $ANDON_HOME, else .andon here]")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def main() -> None:
    """Entry point: what an operator can mend is said in one message, without a traceback."""
    try:
        app()
    except (SettingsError, StackError, InstanceError) as e:
        Console(stderr=True, highlight=False).print(f"[bold red]andon:[/] {escape(str(e))}", soft_wrap=True)
        sys.exit(1)


@app.command()
def up(
    home: Home = None,
    port_base: Annotated[int | None, typer.Option(help="First of 60 ports. \\[default: as before, else 19090]")] = None,
    plant: Annotated[Path | None, typer.Option(help="Folder of the plant's files. \\[default: the example]")] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="For scripts and service managers: plain lines, nothing for a person.")
    ] = False,
    no_board: Annotated[bool, typer.Option("--no-board", help="Without the board.")] = False,
    no_simulator: Annotated[
        bool, typer.Option("--no-simulator", help="Ask the real devices, not simulated ones.")
    ] = False,
) -> None:
    """Start everything and keep it running; Ctrl-C stops everything."""
    from andon.up import Plan
    from andon.up import up as bring_up

    environment = read_environment()
    began = time.monotonic()

    def say(line: str) -> None:
        out.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {escape(line)}")

    def ready(instance: Instance, waiting: list[str]) -> None:
        if headless:
            say(f"up, but not ready: {', '.join(waiting)}" if waiting else "ready")
        else:
            _announce(instance, waiting, time.monotonic() - began, board=not no_board, simulator=not no_simulator)

    folder = (home or instances.default_home(environment)).expanduser().absolute()
    say(f"home {folder}")
    plan = Plan(home=folder, port_base=port_base, plant=plant, board=not no_board, simulator=not no_simulator)
    bring_up(plan, environment, say, ready)
    say("stopped, nothing is left running")


def _announce(instance: Instance, waiting: list[str], seconds: float, *, board: bool, simulator: bool) -> None:
    if waiting:
        out.print(f"\n[bold yellow]Up after {seconds:.1f} s, but not all is well[/]: {', '.join(waiting)}")
        out.print(f"  `andon doctor --home {instance.home}` says what and why; logs are in {instance.home}/logs")
    else:
        out.print(f"\n[bold green]Ready after {seconds:.1f} s.[/]")
    if board:
        out.print(f"  Board:    http://127.0.0.1:{instance.board_port}")
    out.print(f"  API:      http://127.0.0.1:{instance.api_port}     (andon token create)")
    if simulator:
        out.print(f"  Try:      andon drill --home {instance.home}     (a fault in the press, each step timed)")
    out.print(f"  Look:     andon status --home {instance.home}")
    out.print("  End:      Ctrl-C here, or `andon stop`\n")


@app.command()
def run(
    names: Annotated[str, typer.Argument(metavar="NAME[,NAME]", help="Processes, for instance detection,incidents.")],
    home: Home = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="End when this process, our parent, has.")] = None,
) -> None:
    """Run processes in the foreground, without services, until SIGTERM: for service managers and the supervisor."""
    from andon.foreground import end_with, run_one, run_several

    environment = read_environment()
    instance = instances.load(home or instances.default_home(environment), environment=environment)
    processes = in_order(name.strip() for name in names.split(","))
    if parent is not None:
        end_with(parent)
    if len(processes) == 1:
        raise typer.Exit(run_one(processes[0], instance, environment.log_level))
    raise typer.Exit(run_several(processes, instance))


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """What runs and how it is. Exit code 0 when all is ready."""
    from andon.status import gather

    found = gather(instances.load(home or instances.default_home()))
    if as_json:
        print(json.dumps(found, indent=1))
        raise typer.Exit(0 if found["ready"] else 1)
    for one in found["hands_off"] or ():
        said = f"{one['area']} since {one['stopped_at'][:19]} by {one['stopped_by']}: {one['reason']}"
        out.print(f"[bold red]HANDS OFF[/]  {escape(said)}")
    table = Table(box=None, pad_edge=False)
    for title in ("", "state", "pid", "restarts", ""):
        table.add_column(title)
    for name, service in found["services"].items():
        state = "answers" if service["ok"] else "[red]does not answer[/]"
        place = f"{service['address']}{' (external)' if service['external'] else ''}"
        table.add_row(name, state, str(service["pid"] or ""), str(service["restarts"]), place)
    for name, process in found["processes"].items():
        state = process["state"] if process["health"]["ok"] else f"[red]{process['state']}[/]"
        facts = "; ".join(process["health"]["reasons"]) or _short(found["stages"].get(name, {}))
        table.add_row(name, state, str(process["pid"] or ""), str(process["restarts"]), escape(facts))
    out.print(table)
    verdict = "[green]ready[/]" if found["ready"] else "[red]not ready[/]" if found["up"] else "[red]not up[/]"
    out.print(f"\n{verdict}  {found['home']}  {found['board'] or ''}")
    raise typer.Exit(0 if found["ready"] else 1)


def _short(facts: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value not in ({}, [], None))[:100]


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Look for what is wrong, and say how to mend it. Exit code 1 when something was found."""
    from andon.doctor import examine

    findings = examine(instances.load(home or instances.default_home()))
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        for finding in findings:
            out.print(f"[bold red]{finding.area}[/]: {escape(finding.wrong)}\n    mend: {escape(finding.mend)}")
        if not findings:
            out.print("[green]Nothing was found.[/]")
    raise typer.Exit(1 if findings else 0)


@app.command()
def stop(home: Home = None) -> None:
    """Stop what `andon up` runs in this home."""
    folder = (home or instances.default_home()).expanduser().absolute()
    pid = records.supervisor_pid(folder)
    if pid is not None:
        ticks = start_ticks(pid)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        while start_ticks(pid) == ticks != "":
            if time.monotonic() > deadline:
                raise StackError(f"the supervisor (pid {pid}) did not stop within {STOP_WITHIN_S:.0f} s")
            time.sleep(0.05)
    left: list[str] = []
    if (folder / "run").is_dir():
        with records.the_only_one(folder):
            left = records.end_leftovers(folder)
    ended = f", with what was left over: {', '.join(left)}" if left else ""
    out.print(f"stopped{ended}" if pid or left else f"{folder} is not up")


@app.command()
def publish(home: Home = None, plant: Annotated[Path | None, typer.Option(help="Another folder.")] = None) -> None:
    """Put the plant's files in force, without a restart. Exit code 1 when a file cannot be used."""
    from dataclasses import replace

    from andon.publish import publish as give_to_stages

    instance = instances.load(home or instances.default_home())
    if plant is not None:
        instance = replace(instance, plant=plant.expanduser().absolute())
    errors = give_to_stages(instance, by="andon publish", say=lambda line: out.print(escape(line)))
    for error in errors:
        out.print(f"[bold red]not in force, its last good text is:[/] {escape(str(error))}")
    raise typer.Exit(1 if errors else 0)
