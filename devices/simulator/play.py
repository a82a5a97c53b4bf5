"""Plays a recording into the simulator's registers: `andon simulate --recording FILE.csv`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from devices.simulator import recording as recordings
from devices.simulator.client import SimulatorClient, SimulatorError
from devices.simulator.recording import BadLine, Recording, RecordingError

OFF_S = 1.0
"""So long the machine stands still before and after: long enough for every poller to see it."""


def play(
    recording: Recording, mapping: Mapping[str, str], speed: float, client: SimulatorClient, *, switch: str = "",
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    on_row: Callable[[], None] = lambda: None, on_bad: Callable[[BadLine], None] = lambda _: None,
) -> None:
    """Set the rows' values at their original spacing divided by `speed`; afterwards the points are released.

    A row that comes late does not push back those after it.

    Args:
        mapping: column -> full point name.
        switch: the point that says whether the machine runs. It stands still for a moment before and after, because
            the recorded machine is another one than the simulated: what learns the behaviour of a machine begins anew.
        on_bad: told of rows that a register cannot hold; they are skipped.

    Raises:
        OSError: the simulator left.
    """
    chosen = [(i, mapping[c]) for i, c in enumerate(recording.columns) if c in mapping]
    if switch:
        client.set({switch: 0})
        sleep(OFF_S)
        client.set({point: v for i, point in chosen if (v := recording.rows[0].values[i]) is not None})
        client.set({switch: 1})
    began, first_s = clock(), recording.rows[0].at_s
    try:
        for row in recording.rows:
            wait = began + (row.at_s - first_s) / speed - clock()
            if wait > 0:
                sleep(wait)
            values = {point: v for i, point in chosen if (v := row.values[i]) is not None}
            try:
                client.set(values)
            except SimulatorError as error:
                on_bad(BadLine(row.line, str(error)))
            on_row()
    finally:
        if switch:
            client.set({switch: 0})
            client.release(*mapping.values())
            sleep(OFF_S)
            client.set({switch: 1})
            client.release(switch)
        else:
            client.release(*mapping.values())


def fastest(recording: Recording, every_s: float) -> float:
    """How many times faster the recording can be played so that a poll every `every_s` still sees each row."""
    steps = sorted(b.at_s - a.at_s for a, b in pairwise(recording.rows) if b.at_s > a.at_s)
    return steps[len(steps) // 2] / every_s if steps and every_s else float("inf")


def switch_of(points: Mapping[str, Mapping[str, Any]], mapped: Collection[str]) -> str:
    """The point of the mapped device that says whether it runs: one with the states stopped 0 and running 1."""
    devices = {p.partition(".")[0] for p in mapped}
    meant = {"stopped": 0, "running": 1}
    return next(
        (p for p, about in points.items()
         if p.partition(".")[0] in devices and p not in mapped and about["states"] == meant), "",
    )  # fmt: skip


def play_file(recording: Path, port: int, *, speed: float, device: str, map: str) -> None:
    """Play the file into the simulator whose control port is `port`, visibly.

    Raises:
        typer.Exit: it cannot be; the reason was printed.
    """
    console = Console()
    try:
        parsed = recordings.parse(recording.read_text("utf-8").splitlines())
    except (OSError, UnicodeDecodeError, RecordingError) as error:
        _fail(console, f"{recording}: {error}")
    for bad in parsed.bad:
        console.print(f"{recording}:{bad.line}: {bad.reason}, skipped", style="yellow", markup=False)
    try:
        with SimulatorClient("127.0.0.1", port) as client:
            mapping = _mapping(console, parsed, client, device, map)
            points = client.points()
            most = fastest(parsed, max(points[p]["every_s"] for p in mapping.values()))
            if speed > most:
                console.print(f"×{speed:g} is faster than the devices are polled: played at ×{most:g}, so that each "
                              "row is seen", style="yellow")  # fmt: skip
            switch = switch_of(points, mapping.values())
            _play_visibly(console, recording, parsed, mapping, min(speed, most), client, switch)
    except RecordingError as error:
        _fail(console, f"{recording}: {error}")
    except OSError as error:
        _fail_unheard(console, port, error)


def start_fault(port: int, fault: str, *, point: str, device: str) -> None:
    """Let a fault begin in the simulator whose control port is `port`; "none" ends all.

    Raises:
        typer.Exit: it cannot be; the reason, with the faults that there are, was printed.
    """
    console = Console()
    try:
        with SimulatorClient("127.0.0.1", port) as client:
            client.fault(fault, point=point, device=device)
    except SimulatorError as error:
        _fail(console, str(error))
    except OSError as error:
        _fail_unheard(console, port, error)
    console.print("all faults have ended" if fault == "none" else f"{fault} until `andon simulate --fault none`")


def _play_visibly(
    console: Console, file: Path, parsed: Recording, mapping: Mapping[str, str], speed: float, client: SimulatorClient,
    switch: str,
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{file.name} ×{speed:g}", total=len(parsed.rows))

        def report(bad: BadLine) -> None:
            progress.console.print(f"{file}:{bad.line}: {bad.reason}, skipped", style="yellow", markup=False)

        advance = partial(progress.advance, task)
        play(parsed, mapping, speed, client, switch=switch, on_row=advance, on_bad=report)
    console.print(f"played {len(parsed.rows)} rows; the simulated process moves {len(mapping)} points again")


def _mapping(console: Console, parsed: Recording, client: SimulatorClient, device: str, given: str) -> dict[str, str]:
    points = client.points()
    if given:
        mapping = recordings.read_map(given, parsed.columns, list(points), device)
    else:
        device = device or recordings.best_device(parsed.columns, points)
        mapping = recordings.match_columns(parsed.columns, [p for p in points if p.startswith(f"{device}.")])
    for column in parsed.columns:
        fate = mapping.get(column) or ("a label, ignored" if recordings.is_label(column) else "not mapped")
        console.print(f"  {column} → {fate}", markup=False, highlight=False)
    if not mapping:
        raise RecordingError("no column matches a point: give --map column=point,…")
    return mapping


def _fail_unheard(console: Console, port: int, error: OSError) -> NoReturn:
    _fail(console, f"no simulator on 127.0.0.1:{port} ({error}): start the plant with `andon up`")


def _fail(console: Console, message: str) -> NoReturn:
    console.print(message, style="red", markup=False)
    raise typer.Exit(1)
