"""`andon playbook explain | test`: what a playbook would do, told or tried, without any service."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from andon.playbook_cli import app, out, plant_of
from config.findings import underlined
from config.yamlfile import ConfigError
from devices.plant import Plant, load_plant
from events.envelope import Event
from playbooks import plan

Here = Annotated[Path, typer.Option("--plant", help="A plant folder, or a file in one. \\[default: here]")]
Schemas = Annotated[
    Path | None, typer.Option("--schemas", help="The folder `schemas` of OASIS's repository cacao-json-schemas: what"
                              " they refuse is not exported.")
]  # fmt: skip


@app.command()
def explain(
    playbook: Annotated[str, typer.Argument(help="Its id, or its file.")],
    plant: Here = Path(),
    mermaid: Annotated[bool, typer.Option("--mermaid", help="A flow diagram, as Mermaid takes it.")] = False,
) -> None:
    """A playbook in plain sentences, or as a diagram."""
    from playbooks import diagram, explaining

    path = Path(playbook)
    root = plant_of(path if path.is_file() else plant)
    loaded, books = usable(root)
    for book in find(root, playbook, loaded, books):
        said = diagram.mermaid(book, loaded) if mermaid else "\n".join(explaining.explain(book, loaded)) + "\n"
        sys.stdout.write(said)


@app.command()
def export(
    playbook: Annotated[str, typer.Argument(help="Its id, or its file.")],
    plant: Here = Path(),
    schemas: Schemas = None,
) -> None:
    """A playbook as OASIS CACAO 2.0, for other systems to read. Exit code 1 when the standard's schemas refuse it."""
    from playbooks import cacao

    path = Path(playbook)
    root = plant_of(path if path.is_file() else plant)
    loaded, books = usable(root)
    exports = []
    for book in find(root, playbook, loaded, books):
        file = root / books.files[book.playbook]
        changed = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        exports.append(cacao.export(book, loaded, changed, changed))
    if schemas is not None:
        _hold_against(schemas, exports)
    for made in exports:
        sys.stdout.write(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


@app.command()
def test(
    paths: Annotated[list[Path] | None, typer.Argument(help="Tests, or plant folders. \\[default: here]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="What came, step by step.")] = False,
) -> None:
    """Run the authors' tests (playbooks/tests/*.yaml) with the real engine. Exit code 1 when one fails."""
    from andon.playbook_telling import tell

    began, rows, failed = time.perf_counter(), [], 0
    for path in paths or [Path()]:
        for name, wrong, said in _judged(path):
            failed += bool(wrong)
            rows.append({"test": name, "passed": not wrong, "wrong": [str(w) for w in wrong]})
            if as_json:
                continue
            out.print(f"{'[red]failed[/]' if wrong else '[green]passed[/]'}  {escape(name)}")
            for error in wrong:
                _show(plant_of(path), error)
            for line in tell(said) if verbose or wrong else ():
                out.print(f"    [dim]{escape(line)}[/]")
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    else:
        count = f"{len(rows) - failed} passed, {failed} failed in {time.perf_counter() - began:.2f} s"
        out.print(count if rows else "[yellow]no tests found[/]")
    raise typer.Exit(1 if failed or not rows else 0)


def _hold_against(schemas: Path, exports: list[dict[str, Any]]) -> None:
    """Exits where the standard does not allow one of them."""
    from playbooks.cacao_check import SchemasError, violations

    try:
        wrong = [f"{made['name']}: {line}" for made in exports for line in violations(made, schemas)]
    except SchemasError as error:
        die(str(error))
    for line in wrong:
        Console(stderr=True, highlight=False).print(f"[red]not CACAO 2.0:[/] {escape(line)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


def _judged(path: Path) -> Iterator[tuple[str, tuple[ConfigError, ...], tuple[Event, ...]]]:
    """Each test of a file or a plant folder: its name, what is wrong, and what the engine said."""
    from playbooks.cases import read
    from playbooks.judging import judge

    root = plant_of(path)
    plant, books = usable(root)
    files = [path.absolute()] if path.is_file() else sorted((root / "playbooks" / "tests").glob("*.y*ml"))
    found, errors = read(files, root, plant, books)
    for error in errors:
        yield error.file, (error,), ()
    for case in found:
        name = f"{case.playbook}: {case.case.test}"
        try:
            verdict = judge(case, books, plant)
        except ConfigError as error:
            yield name, (error,), ()
        else:
            yield name, verdict.wrong, verdict.said


def usable(root: Path) -> tuple[Plant, plan.PlaybookSet]:
    """The plant and the playbooks that can be used; what cannot be used is said."""
    from playbooks.loading import load

    plant, errors = load_plant(root)
    books, bad = load(root / "playbooks", plant)
    for error in [*errors, *bad]:
        Console(stderr=True, highlight=False).print(f"[yellow]left out:[/] {escape(str(error))}", soft_wrap=True)
    return plant, books


def find(root: Path, playbook: str, plant: Plant, books: plan.PlaybookSet) -> list[plan.Playbook]:
    """The playbook of that name, those of a class, or those of a file; exits where there is none."""
    path = Path(playbook)
    if path.is_file():
        found = _of_file(root, path, plant)
    else:
        found = [b for b in books.playbooks if playbook in (b.playbook, b.playbook.partition(".")[0])]
    if not found:
        there = ", ".join(b.playbook for b in books.playbooks)
        die(f"no playbook '{playbook}' in {root}: there are {there or 'none'}")
    return found


def _of_file(root: Path, path: Path, plant: Plant) -> list[plan.Playbook]:
    from playbooks.loading import load_files

    loaded = load_files(sorted((root / "playbooks").glob("*.y*ml")), root, plant)
    name = path.absolute().relative_to(root).as_posix()
    return [c.book for c in loaded.found.values() if c.book is not None and c.document.file == name]


def _show(root: Path, error: ConfigError) -> None:
    out.print(f"    {escape(str(error))}")
    lines = (root / error.file).read_text("utf-8").splitlines() if (root / error.file).is_file() else []
    if error.line <= len(lines):
        for line in underlined(lines[error.line - 1], error.column).split("\n"):
            out.print(f"      {escape(line)}")


def die(reason: str) -> NoReturn:
    """Say why, and end with exit code 2."""
    Console(stderr=True, highlight=False).print(f"[bold red]andon:[/] {escape(reason)}", soft_wrap=True)
    raise typer.Exit(2)
