"""What was measured: flat names to numbers, the machine they were measured on, a table and a file."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results" / "latest.json"
MARKS: Mapping[str, float] = {
    "pipeline_frames_of_100_readings_per_s": 140_000,
    "pipeline_messages_per_s": 25_000,
}
"""The strongest of the others on two cores, lossless at QoS 1: frames of 100, single readings."""


class MeasureError(Exception):
    """The run is worth nothing: something was lost, or did not come in time. No number is written for it."""


class Measures:
    """Numbers by name, in the order in which they were measured; `said` sees each."""

    def __init__(self, console: Console) -> None:
        self.console, self.commit = console, commit()  # now: the tree may move on while we measure
        self.numbers: dict[str, float] = {}
        self.failed: dict[str, str] = {}

    def note(self, name: str, value: float) -> None:
        self.numbers[name] = _rounded(value)
        self.console.print(f"    {name:<54} [bold]{shown(value):>14}[/]")

    def fail(self, part: str, reason: str) -> None:
        self.failed[part] = reason
        self.console.print(f"    [bold red]{part} failed[/]: {reason}", markup=True)

    def table(self) -> Table:
        table = Table(title="Andon on this machine", title_justify="left", box=None, pad_edge=False)
        table.add_column("")
        table.add_column("", justify="right")
        table.add_column("mark", justify="right", style="dim")
        for name, value in self.numbers.items():
            mark = MARKS.get(name)
            table.add_row(name, shown(value), shown(mark) if mark else "")
        return table

    def write(self, path: Path) -> None:
        """Whole or not at all. Numbers of parts that were not run this time are not kept."""
        content = {**self.numbers, "machine": machine(), "commit": self.commit, "failed": self.failed}
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(content, indent=1) + "\n")
        fresh.replace(path)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the (ascending) values do not exceed."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def machine() -> dict[str, object]:
    """The machine the numbers belong to."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.split()[1]) / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, marked where the tree differs from it; "unknown" outside a repository."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return f"{head}+changes" if _git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def _git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
