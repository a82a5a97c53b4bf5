"""`andon replay`: the plant's own brains over its history, as it was or with other rules, playbooks and points."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

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
from replay.figures import Command, Incident
from replay.inputs import describe
from replay.page import page, rows, verdict
from replay.run import EmptySpanError, Replayed, replay
from replay.start import NoStartError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Folder = Path | None


class AskedError(Exception):
    """What was asked for cannot be: the text says what."""


class Against(StrEnum):
    """What the replay is compared with."""

    history = "history"
    present = "present"


def main(
    since: Annotated[str, typer.Option("--from", help="A time (2026-03-01T06:00), or so long ago: 8h.")],
    until: Annotated[str, typer.Option("--to", help="As --from. \\[default: now]")] = "",
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
        begin, end = _span(since, until, now)
        _check_folders(given, html)
        present = compile_folder(instance.plant_in_force)
        other = _with(instance.plant_in_force, given, present) if given else present
        with opened(instance.database_url) as log:
            found = _what_if(TimescaleInboxes(log), begin, end, present, other, tuple(given), against)
    except (AskedError, NoStartError, EmptySpanError, ConfigError) as error:
        _refuse(str(error))
    except psycopg.OperationalError as error:
        _refuse(f"the database does not answer: {str(error).splitlines()[0]}")
    if html is not None:
        html.write_text(page(found), "utf-8")
        err.print(f"[dim]report:[/] {escape(str(html))}")
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    else:
        _show(found)
    raise typer.Exit(1 if not given and against == Against.history and not found.same else 0)


def _what_if(
    inboxes: Inboxes, since: datetime, until: datetime, present: Compiled, other: Compiled, given: Collection[str],
    against: Against,
) -> Comparison:  # fmt: skip
    """given: which of its folders `other` has from elsewhere."""
    again = _run(inboxes, since, until, other if given or against == Against.present else None)
    before, after = again.history, again.replay
    if given:
        after = replace(after, name="with other " + ", ".join(given))
    elif against == Against.present:
        after = replace(after, name="present files")
    if given and against == Against.present:
        before = replace(_run(inboxes, since, until, present).replay, name="present files")
    definition = other.definitions[topics.CONDITIONS]
    assert isinstance(definition, Definition)
    return compare(
        before, after, definition.positions, began=again.began, assumed=again.assumed, notes=_notes(other, given),
        describe=partial(describe, inboxes),
    )  # fmt: skip


def _run(inboxes: Inboxes, since: datetime, until: datetime, plant: Compiled | None) -> Replayed:
    with _progress(since, until) as tell:
        return replay(inboxes, since, until, plant.definitions if plant else None, tell)


def _with(plant: Path, given: dict[str, Path], present: Compiled) -> Compiled:
    """The plant's files with other folders in the place of its own.

    Raises:
        ConfigError: one of the files cannot be used, and at present it can.
    """
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "plant"
        shutil.copytree(plant, folder)
        for name, other in given.items():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(other, folder / name)
        compiled = compile_folder(folder)
    known = {str(error) for error in present.errors}
    for error in compiled.errors:
        if str(error) not in known:
            raise _of_given(error, given)
    return compiled


def _of_given(error: ConfigError, given: dict[str, Path]) -> ConfigError:
    """The error with the file as its author knows it."""
    folder, _, file = error.file.partition("/")
    if folder in given:
        return ConfigError(str(given[folder] / file), error.line, error.column, error.reason)
    return error


def _notes(plant: Compiled, given: Collection[str]) -> tuple[str, ...]:
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


def _span(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """Raises: AskedError: one of them is no time, or there is no time between them."""
    begin, end = _time("--from", since, now), _time("--to", until, now) if until else now
    if begin >= now:
        raise AskedError(f"--from {since} has not come yet: only what has happened can be decided again")
    if end <= begin:
        raise AskedError(f"--to {until} is not after --from {since}")
    return begin, end


def _time(option: str, text: str, now: datetime) -> datetime:
    """Raises: AskedError: it is neither a time nor a span."""
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.astimezone()).astimezone(UTC)
    with suppress(ValueError, OverflowError):
        return now - duration.span(text)
    raise AskedError(f"{option} {text}: neither a time (2026-03-01T06:00) nor a span (8h)")


def _check_folders(given: dict[str, Path], html: Path | None) -> None:
    """Raises: AskedError: one of them does not exist."""
    for name, folder in given.items():
        if not folder.is_dir():
            raise AskedError(f"--{name} {folder}: no such folder")
    if html is not None and not html.absolute().parent.is_dir():
        raise AskedError(f"--html {html}: no such folder")


def _refuse(why: str) -> NoReturn:
    err.print(f"[bold red]andon:[/] {escape(why)}")
    raise typer.Exit(2)


def _show(c: Comparison) -> None:
    out.print(f"[bold]{escape(c.after.name)}[/], compared with {escape(c.before.name)}")
    out.print(f"[dim]{_when(c.since)} to {_when(c.until)}, all times in UTC[/]\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in (c.before.name, c.after.name, "difference"):
        table.add_column(escape(title), justify="right")
    for row in rows(c):
        table.add_row(*map(escape, row))
    out.print(table)
    incidents = [
        *((i.opened_at, f"[red]+ {_incident(i.opened_at, i)}[/]") for i in c.added),
        *((i.opened_at, f"[green]− {_incident(i.opened_at, i)}[/]") for i in c.lost),
        *((m.before, f"  {_incident(m.before, m.incident)}: {m.seconds:+.1f} s") for m in c.moved),
    ]
    commands = [
        *((x.at, f"[red]+ {_command(x)}[/]") for x in c.commands_added),
        *((x.at, f"[green]− {_command(x)}[/]") for x in c.commands_lost),
    ]
    key = f"[dim]+ only {escape(c.after.name)}, − only {escape(c.before.name)}[/]"
    for title, lines in (("Incidents", incidents), ("Commands", commands)):
        if lines:
            out.print(f"\n[bold]{title}[/]  {key}")
        for _, line in sorted(lines):
            out.print(line)
    for title, parting in (("They part first", c.first), ("The first command that differs", c.command)):
        if parting is not None:
            _part(title, parting)
    for title, lines_ in (("Assumed, as nobody answered it then", c.assumed), ("To know", c.notes)):
        if lines_:
            out.print(f"\n[bold]{title}[/]")
        for line in lines_:
            out.print(escape(line))
    out.print(f"\n[{'green' if c.same else 'bold'}]{escape(verdict(c))}[/]")


def _incident(at: datetime, incident: Incident) -> str:
    return escape(f"{_when(at)} {incident.area} {incident.priority}: {incident.title}")


def _command(command: Command) -> str:
    return escape(f"{_when(command.at)} {command.area} {command}")


def _part(title: str, parting: Parting) -> None:
    out.print(f"\n[bold]{title}[/] on input {parting.offset} of {parting.stage}: {escape(parting.input)}")
    for name, lines in (("before", parting.before), ("after", parting.after), ("because", parting.because)):
        for line in lines or (["said nothing"] if name != "because" else []):
            out.print(f"  {name:8} {escape(line)}")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
