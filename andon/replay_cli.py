"""`andon replay`: the plant's own brains over its history, as it was or with other rules, playbooks and points."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import psycopg
import typer
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from andon import instance as instances
from andon.cli import AsJson, Home
from andon.publish import Compiled, compile_folder
from config import duration
from config.yamlfile import ConfigError
from eventlog.inboxes import Inboxes, TimescaleInboxes
from eventlog.timescale import opened
from events import topics
from incidents.definition import Definition
from replay.compare import Comparison, Parting, compare
from replay.inputs import describe
from replay.page import page, rows, verdict
from replay.run import EmptySpanError, Replayed, replay
from replay.start import NoStartError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Folder = Path | None


class Against(StrEnum):
    """What the replay is compared with."""

    history = "history"
    present = "present"


def main(
    since: Annotated[str, typer.Option("--from", help="A time (2026-03-01T06:00), or so long ago: 8h.")],
    until: Annotated[str, typer.Option("--to", help="As --from. [default: now]")] = "",
    rules: Annotated[Folder, typer.Option(help="Other rules than the plant's.")] = None,
    playbooks: Annotated[Folder, typer.Option(help="Other playbooks.")] = None,
    points: Annotated[Folder, typer.Option(help="Other points.")] = None,
    against: Annotated[Against, typer.Option(help="What happened, or what the present files would do.")] = (
        Against.history
    ),
    html: Annotated[Path | None, typer.Option(help="Write the report here: one file that needs nothing else.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What if: decide the past again, with other files, and compare. Without any it must be exactly what happened:
    exit code 1 if it is not."""
    instance = instances.load(home or instances.default_home())
    now = datetime.now(UTC)
    named = {"rules": rules, "playbooks": playbooks, "points": points}
    given = {name: folder for name, folder in named.items() if folder}
    try:
        begin, end = _time(since, now), _time(until, now) if until else now
        with opened(instance.database_url) as log:
            found = _what_if(TimescaleInboxes(log), instance.plant_in_force, given, begin, end, against)
    except (NoStartError, EmptySpanError, ConfigError, ValueError, psycopg.OperationalError) as error:
        err.print(f"[bold red]andon:[/] {escape(str(error))}")
        raise typer.Exit(2) from None
    if html is not None:
        html.write_text(page(found), "utf-8")
        err.print(f"[dim]report:[/] {escape(str(html))}")
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    else:
        _show(found)
    raise typer.Exit(1 if not given and against == Against.history and not found.same else 0)


def _what_if(
    inboxes: Inboxes, plant: Path, given: dict[str, Path], since: datetime, until: datetime, against: Against
) -> Comparison:  # fmt: skip
    present = compile_folder(plant)
    other = _with(plant, given) if given else present
    again = _run(inboxes, since, until, other if given or against == Against.present else None)
    before = again.history
    if against == Against.present and given:
        before = replace(_run(inboxes, since, until, present).replay, name="present files")
    after = replace(again.replay, name="with other " + ", ".join(given) if given else "replay")
    definition = other.definitions[topics.CONDITIONS]
    assert isinstance(definition, Definition)
    return compare(
        before, after, definition.positions, began=again.began, assumed=again.assumed, notes=_notes(other, given),
        describe=partial(describe, inboxes),
    )  # fmt: skip


def _run(inboxes: Inboxes, since: datetime, until: datetime, plant: Compiled | None) -> Replayed:
    with _progress(since, until) as tell:
        return replay(inboxes, since, until, plant.definitions if plant else None, tell)


def _with(plant: Path, given: dict[str, Path]) -> Compiled:
    """The plant's files with other folders in the place of its own.

    Raises:
        ConfigError: one of the files cannot be used.
    """
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "plant"
        shutil.copytree(plant, folder)
        for name, other in given.items():
            if not other.is_dir():
                raise ValueError(f"--{name} {other}: no such folder")
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(other, folder / name)
        compiled = compile_folder(folder)
    if compiled.errors:
        raise compiled.errors[0]
    return compiled


def _notes(plant: Compiled, given: dict[str, Path]) -> tuple[str, ...]:
    edges = sorted(a.area for a in plant.plant.areas.values() if a.home == "edge")
    notes = [f"Decided by their edge box, and not decided again here: {', '.join(edges)}"] if edges else []
    if "points" in given:
        notes.append("Readings are as they were recorded: other scales and ranges of points do not change them.")
    if given:
        notes.append("People ask for what they asked for then, at the same times; devices answer as they did then.")
    return tuple(notes)


@contextmanager
def _progress(since: datetime, until: datetime) -> Iterator[Callable[[datetime], None]]:
    share = TextColumn("{task.percentage:.0f} %")
    with Progress(
        TextColumn("{task.description}"), BarColumn(), share, TimeRemainingColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task("replay", total=(until - since).total_seconds())
        yield lambda at: bar.update(
            task, completed=max((at - since).total_seconds(), 0), description=f"{at.astimezone():%d %b %H:%M}"
        )  # fmt: skip


def _time(text: str, now: datetime) -> datetime:
    """Raises: ValueError: it is neither a time nor a span."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return now - duration.span(text)
    return (at if at.tzinfo else at.astimezone()).astimezone(UTC)


def _show(c: Comparison) -> None:
    out.print(f"[bold]{escape(c.after.name)}[/], compared with {escape(c.before.name)}")
    out.print(f"[dim]{_local(c.since)} to {_local(c.until)}[/]\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in (c.before.name, c.after.name, "difference"):
        table.add_column(escape(title), justify="right")
    for row in rows(c):
        table.add_row(*map(escape, row))
    out.print(table)
    for sign, colour, incidents in (("+", "red", c.added), ("−", "green", c.lost)):
        for i in incidents:
            out.print(f"[{colour}]{sign}[/] {_local(i.opened_at)} {escape(i.area)} {i.priority}: {escape(i.title)}")
    for m in c.moved:
        out.print(f"  {_local(m.before)} {escape(m.incident.area)}: {escape(m.incident.title)}: {m.seconds:+.1f} s")
    for sign, colour, commands in (("+", "red", c.commands_added), ("−", "green", c.commands_lost)):
        for x in commands:
            out.print(f"[{colour}]{sign}[/] {_local(x.at)} {escape(x.area)} {escape(str(x))}")
    for title, parting in (("They part first", c.first), ("The first command that differs", c.command)):
        if parting is not None:
            _part(title, parting)
    for title, lines in (("assumed", c.assumed), ("to know", c.notes)):
        for line in lines:
            out.print(f"[dim]{title}:[/] {escape(line)}")
    out.print(f"\n[{'green' if c.same else 'bold'}]{escape(verdict(c))}[/]")


def _part(title: str, parting: Parting) -> None:
    out.print(f"\n[bold]{title}[/] on input {parting.offset} of {parting.stage}: {escape(parting.input)}")
    for name, lines in (("before", parting.before), ("after", parting.after), ("because", parting.because)):
        for line in lines or (["said nothing"] if name != "because" else []):
            out.print(f"  {name:8} {escape(line)}")


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
