"""`andon playbook`: look playbooks over before they are in force."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from config.findings import Finding, end_column, underlined

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look playbooks over before they are in force.")
out = Console(highlight=False, soft_wrap=True)
COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


@app.command()
def lint(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Plant folders or playbook files. \\[default: here]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For editors and programs.")] = False,
) -> None:
    """What is wrong with playbooks, or likely to be: where, and what to do. Exit code 1 when something is wrong."""
    found = {finding: line for path in paths or [Path()] for finding, line in _findings(path)}
    if as_json:
        rows = [msgspec.to_builtins(f) | {"end_column": end_column(line, f.column)} for f, line in found.items()]
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    else:
        for finding, line in found.items():
            _show(finding, line)
        count = [f"{sum(f.weight == w for f in found)} {w}s" for w in ("error", "warning", "info")]
        out.print(", ".join(count).replace("infos", "hints") if found else "[green]nothing was found[/]")
    fails = ("error", "warning") if strict else ("error",)
    raise typer.Exit(1 if any(f.weight in fails for f in found) else 0)


@app.command()
def schema() -> None:
    """The JSON Schema of a playbook or blueprint file, made from the model that checks it: for editors."""
    from definitions.schemas import json_schema

    sys.stdout.write(json.dumps(json_schema("playbooks"), indent=1, ensure_ascii=False) + "\n")


def plant_of(path: Path) -> Path:
    """The plant folder that a file or folder is in; exits where there is none."""
    at = path.absolute()
    for folder in (at, *at.parents):
        if (folder / "plant.yaml").is_file():
            return folder
    wrong = f"{path} is in no plant folder: none above it has a plant.yaml"
    Console(stderr=True, highlight=False).print(f"[bold red]andon:[/] {escape(wrong)}", soft_wrap=True)
    raise typer.Exit(2)


def _findings(path: Path) -> list[tuple[Finding, str]]:
    """Of a plant folder all, of a file only its own; each with the line that it is about, "" where there is none."""
    from definitions.playbook_lint import lint_playbooks

    root, at = plant_of(path), path.absolute()
    if not at.exists():
        Console(stderr=True, highlight=False).print(f"[bold red]andon:[/] no file {escape(str(path))}", soft_wrap=True)
        raise typer.Exit(2)
    every = lint_playbooks(root, [at] if at.is_file() else [])
    own = [f for f in every if at.is_dir() or f.file == at.relative_to(root).as_posix()]
    lines = {f.file: _lines(root / f.file) for f in own}
    return [(f, lines[f.file][f.line - 1] if f.line <= len(lines[f.file]) else "") for f in own]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []


def _show(finding: Finding, line: str) -> None:
    place, colour = f"{finding.file}:{finding.line}:{finding.column}", COLOURS[finding.weight]
    out.print(f"{escape(place)}: [{colour}]{finding.weight}[/]: {escape(finding.wrong)}")
    if line:
        code, mark = underlined(line, finding.column).split("\n")
        out.print(f"    {escape(code)}\n    [{colour}]{mark}[/]")
    out.print(f"    {escape(finding.todo)}  [dim]{escape(finding.check)}[/]")
