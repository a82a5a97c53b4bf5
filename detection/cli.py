"""`andon detect`: the rules over a recording, with the very brain that runs live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from msgspec import structs
from rich.console import Console

from config import yamlfile
from config.yamlfile import ConfigError
from detection import classes
from detection import rules as rulebook
from detection.brain import DetectionBrain
from detection.recording import Recording, RecordingError, Times
from detection.ruleset import RuleSet, Silence
from devices.plant import Area, Device, Plant, load_plant
from events.alarms import ConditionRaised
from events.codec import encode_json
from events.envelope import Configure, Event, Tick
from events.types import EPOCH, from_micros

_SECOND = 1_000_000


def main(
    recording: Annotated[Path, typer.Argument(help="CSV: time first, then a column per point; or time, point, value.")],
    out: Annotated[Path | None, typer.Option(help="Write the events here, one JSON a line; default: stdout.")] = None,
    points: Annotated[list[Path] | None, typer.Option(help="A points file; may be given several times.")] = None,
    rules: Annotated[list[Path] | None, typer.Option(help="A rules file; may be given several times.")] = None,
    plant: Annotated[Path | None, typer.Option(help="A plant folder, in place of --points and --rules.")] = None,
    map: Annotated[list[str] | None, typer.Option(help="column=device.point; may be given several times.")] = None,
    step: Annotated[float | None, typer.Option(help="Seconds a sample, when the first column counts them.")] = None,
    time_format: Annotated[str, typer.Option(help="Of the first column, as '%d.%m.%Y %H:%M:%S'; default: ISO.")] = "",
) -> None:
    """Run the rules over a recording and write what they say."""
    console = Console(stderr=True, highlight=False)
    try:
        mapping = dict(_pair(text) for text in map or [])
        the_plant, ruleset, errors = load(plant, points or [], rules or [])
        for error in errors:
            console.print(str(error), style="yellow", markup=False, soft_wrap=True)
        tape = Recording(recording, the_plant, mapping=mapping, times=Times(step, time_format))
        for column, point in tape.points.items():
            console.print(f"  {column} → {point}", markup=False)
        for column in tape.unmapped:
            console.print(f"  {column} → not mapped", markup=False, style="dim")
        if not tape.points:
            _fail(console, f"{recording}: no column matches a point: give --map column=device.point")
        if not ruleset.rules:
            _fail(console, "no rule can be used: give --rules or --plant")
        _tell_bad(console, tape)
        if not tape.readings:
            _fail(console, f"{recording}: it has no reading that could be used")
        events = write(detect(ruleset, tape), out)
    except (OSError, RecordingError, ConfigError) as error:
        _fail(console, str(error))
    _summary(console, events, tape)
    if errors:
        raise typer.Exit(1)


def load(folder: Path | None, points: list[Path], rules: list[Path]) -> tuple[Plant, RuleSet, list[ConfigError]]:
    """The plant and the rules of a folder, of single files, or of both.

    Raises:
        ConfigError: `plant.yaml` of the folder, or a points file, cannot be used.
    """
    errors: list[ConfigError] = []
    plant = Plant("recording", 60.0, {}, [], {})
    if folder is not None:
        plant, errors = load_plant(folder)
    for path in points:
        document = yamlfile.read(path, Path())
        device = document.into(Device)
        if device.device in plant.devices:
            raise document.error("$.device", f"device '{device.device}' is defined in another file already")
        plant.areas.setdefault(device.area, Area(area=device.area))
        plant.devices[device.device] = device
    files = [*(sorted((folder / "rules").glob("*.y*ml")) if folder and not rules else []), *rules]
    root = folder if folder and not rules else Path()
    known, bad_classes = classes.load(folder) if folder is not None else (None, [])
    ruleset, problems = rulebook.load_files(files, root, plant, known)
    return plant, ruleset, [*errors, *bad_classes, *problems]


def detect(ruleset: RuleSet, recording: Recording) -> Iterator[Event]:
    """What the rules say to the recording; ticks come from its own times, a second apart.

    That a device is not in the recording at all is no silence: its no_data rules are left out.
    """
    there = tuple(r for r in ruleset.rules if not isinstance(r.signal, Silence) or r.signal.device in recording.devices)
    ruleset = structs.replace(ruleset, rules=there)
    brain = DetectionBrain()
    brain.decide(Configure(ruleset.version, EPOCH, "andon detect", ruleset.pack()))
    newest: int | None = None
    for frame in recording.frames():
        at = int(frame.times[0])
        yield from _pass_time(brain, newest, at)
        yield from brain.decide(frame.pack())
        newest = at
    yield from _pass_time(brain, newest, (newest or 0) + _SECOND)


def _pass_time(brain: DetectionBrain, since: int | None, until: int) -> Iterator[Event]:
    """The ticks of the whole seconds after `since` and up to `until` [us]: all that matter, and the last."""
    last = until // _SECOND
    second = last if since is None else since // _SECOND + 1
    while second <= last:
        second = min(max(second, -(-brain.due // _SECOND)), last)
        yield from brain.decide(Tick(from_micros(second * _SECOND)))
        second += 1


def write(events: Iterator[Event], out: Path | None) -> list[Event]:
    """The events, after each was written as a line of JSON. The same recording and rules give the same bytes."""
    said: list[Event] = []
    file = out.open("wb") if out else typer.get_binary_stream("stdout")
    try:
        for e in events:
            file.write(encode_json(_named(e)) + b"\n")
            said.append(e)
    finally:
        if out:
            file.close()
    return said


def _named(e: Event) -> dict[str, object]:
    return {"id": e.id, "at": e.at, "area": e.area, "cause": e.cause, "author": e.author, "fact": e.fact}


def _pair(text: str) -> tuple[str, str]:
    column, equals, point = text.rpartition("=")
    if not equals:
        raise RecordingError(f"--map {text}: write column=device.point")
    return column.strip(), point.strip()


def _tell_bad(console: Console, tape: Recording) -> None:
    for bad in tape.bad[:20]:
        console.print(str(bad), style="yellow", markup=False, soft_wrap=True)
    if len(tape.bad) > 20:
        console.print(f"… and {len(tape.bad) - 20} more that were kept out", style="yellow")


def _summary(console: Console, events: list[Event], tape: Recording) -> None:
    raised = Counter(e.fact.rule for e in events if isinstance(e.fact, ConditionRaised))
    console.print(
        f"{tape.rows} rows, {tape.readings} readings, {len(tape.bad)} kept out; "
        f"{sum(raised.values())} conditions raised, {len(events)} events"
    )
    for rule, count in raised.most_common():
        first = next(e.at for e in events if isinstance(e.fact, ConditionRaised) and e.fact.rule == rule)
        console.print(f"  {count:6}  {rule}  first at {first.astimezone(UTC):%Y-%m-%d %H:%M:%S}", markup=False)


def _fail(console: Console, message: str) -> NoReturn:
    console.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


