"""`andon drill`: holds drills and prints the chain with the time of each step."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from andon import instance as instances
from andon.cli import AsJson, Home
from andon.drill import STEPS, Drill, DrillError, Report, Run

console = Console()


def main(
    home: Home = None,
    count: Annotated[int, typer.Option(min=1, help="How many drills, one after the other.")] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds until a step counts as not seen.")] = 60.0,
    json: AsJson = False,
) -> None:
    """Fire drill: a real fault in the example plant, each link of the chain timed. Exit 0 only if all were seen."""
    instance = instances.load(home or instances.default_home())

    def show(number: int, run: Run) -> None:
        if not json:
            _print_run(number, run)

    try:
        report = Drill(instance, timeout_s=timeout).hold(count, show)
    except DrillError as error:
        if json:
            failed = Run(ok=False, total_ms=None, steps=[], problem=str(error))
            sys.stdout.write(msgspec.json.encode(Report(passed=0, failed=count, runs=[failed])).decode() + "\n")
        else:
            console.print(f"[bold red]The drill cannot be held:[/] {error}")
        raise typer.Exit(1) from None
    if json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print_distribution(report)
    raise typer.Exit(0 if report.failed == 0 else 1)


def _print_run(number: int, run: Run) -> None:
    table = Table(title=f"drill {number}: {'passed' if run.ok else 'FAILED'}", title_justify="left", box=None)
    table.add_column("step")
    table.add_column("at", style="dim")
    table.add_column("ms", justify="right")
    for step in run.steps:
        at = step.at.astimezone().strftime("%H:%M:%S.%f")[:-3] if step.at else "—"
        table.add_row(step.name, at, "not seen" if step.ms is None else f"{step.ms:.0f}",
                      style="" if step.at else "bold red")  # fmt: skip
    console.print(table)
    if run.problem:
        console.print(f"[red]{run.problem}[/]: see `andon doctor`")


def _print_distribution(report: Report) -> None:
    good = [r for r in report.runs if r.ok]
    console.print(f"{report.passed} passed, {report.failed} failed")
    if len(good) < 2:
        return
    table = Table(title="ms since the register changed", title_justify="left", box=None)
    for column in ("step", "least", "median", "most"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for i, name in enumerate(STEPS):
        ms = sorted(r.steps[i].ms or 0.0 for r in good)
        table.add_row(name, f"{ms[0]:.0f}", f"{ms[len(ms) // 2]:.0f}", f"{ms[-1]:.0f}")
    console.print(table)
