"""`python -m benchmarks`: runs the parts, shows what they give, writes benchmarks/results/latest.json."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import alarms, latency, messages, pipeline, playbooks, pure, replay
from benchmarks.measures import RESULTS, MeasureError, Measures

PARTS = ("pure", "pipeline", "messages", "alarms", "playbooks", "replay", "latency", "edge")
"""In that order; `latency` is of areas whose home is the plant, `edge` of areas whose home is the edge box."""


def main(
    only: Annotated[str, typer.Option(help=f"Parts, with commas between: {', '.join(PARTS)}.")] = ",".join(PARTS),
    seconds: Annotated[float, typer.Option(help="How long each load lasts.")] = 20.0,
    repetitions: Annotated[int, typer.Option(help="Of each latency.")] = 50,
    drills: Annotated[int, typer.Option(help="How many fire drills.")] = 10,
    standing: Annotated[int, typer.Option(help="How many alarms stand at once.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Where the numbers go.")] = RESULTS,
) -> None:
    """Rates, latencies and memory on this machine. Exit code 1 where a part failed."""
    chosen = [name.strip() for name in only.split(",")]
    if unknown := set(chosen) - set(PARTS):
        raise typer.BadParameter(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    console = Console(highlight=False, soft_wrap=True)
    measures = Measures(console)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="andon-bench-plants-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        parts: dict[str, Callable[[], None]] = {
            "pure": lambda: pure.measure(measures, folder, min(seconds, 3.0)),
            "pipeline": lambda: pipeline.measure(measures, folder, seconds),
            "messages": lambda: messages.measure(measures, folder, seconds),
            "alarms": lambda: alarms.measure(measures, folder, seconds, standing),
            "playbooks": lambda: (playbooks.pure(measures, folder), playbooks.measure(measures, folder)),
            "replay": lambda: replay.measure(measures, folder),
            "latency": lambda: latency.measure(measures, folder, repetitions, drills, at_edge=False),
            "edge": lambda: latency.measure(measures, folder, repetitions, 0, at_edge=True),
        }
        for part in (p for p in PARTS if p in chosen):
            console.print(f"[bold]{part}[/]  [dim]{time.monotonic() - began:.0f} s[/]")
            try:
                parts[part]()
            except MeasureError as error:
                measures.fail(part, str(error))
    console.print(measures.table())
    measures.write(out)
    console.print(f"[dim]{time.monotonic() - began:.0f} s; written to {out}[/]")
    sys.exit(1 if measures.failed else 0)


if __name__ == "__main__":
    typer.run(main)
