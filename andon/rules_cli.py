"""`andon rules`: look at the plant's alarm definitions before they are in force, and put them there."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look the plant's rules over, put them in force.")
out = Console(highlight=False, soft_wrap=True)


class Kind(StrEnum):
    """Folders of a plant that have a schema here."""

    rules = "rules"
    classes = "classes"
    incidents = "incidents"
    people = "people"
    playbooks = "playbooks"


@app.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="A plant folder.")] = None,
    plant: Annotated[Path | None, typer.Option(help="The same, as other commands call it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Is every alarm rationalised, reachable and one of its kind? Exit code 1 when not."""
    from definitions.lint import lint as look_over

    where = folder or plant
    if where is None or not (where / "plant.yaml").is_file():
        wrong = "name a plant folder" if where is None else f"{where} has no plant.yaml"
        Console(stderr=True, highlight=False).print(f"[bold red]andon:[/] {escape(wrong)}", soft_wrap=True)
        raise typer.Exit(2)
    findings = look_over(where)
    errors = sum(f.weight == "error" for f in findings)
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(findings), indent=1, ensure_ascii=False) + "\n")
    else:
        for f in findings:
            colour = "red" if f.weight == "error" else "yellow"
            out.print(f"{escape(f'{f.file}:{f.line}:{f.column}')}: [{colour}]{f.weight}[/]: {escape(f.wrong)}")
            out.print(f"    {escape(f.todo)}  [dim]{escape(f.check)}[/]")
        out.print(f"{errors} errors, {len(findings) - errors} warnings" if findings else "[green]nothing was found[/]")
    raise typer.Exit(1 if errors or (strict and findings) else 0)


@app.command()
def schema(kind: Annotated[Kind, typer.Option(help="Of which folder's files.")] = Kind.rules) -> None:
    """The JSON Schema of the files, made from the model that checks them: for editors."""
    from definitions.schemas import json_schema

    sys.stdout.write(json.dumps(json_schema(kind.value), indent=1, ensure_ascii=False) + "\n")


@app.command()
def reload(
    home: Annotated[Path | None, typer.Option(help="Folder of data, logs and passwords.")] = None,
    plant: Annotated[Path | None, typer.Option(help="Another plant folder.")] = None,
) -> None:
    """Put the plant's files in force, without a restart: the same as `andon publish`."""
    from andon.cli import publish

    publish(home=home, plant=plant)
