"""`andon playbook new`: a file from a blueprint, that lints clean."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape

from andon.playbook_cli import app, out, plant_of
from andon.playbook_try_cli import Here, die
from config.yamlfile import Document
from devices.plant import load_plant
from playbooks.blueprints import Blueprints
from playbooks.loading import load_files

SCHEMA = "# yaml-language-server: $schema=playbook.schema.json  (andon playbook schema)\n"


@app.command()
def new(
    playbook: Annotated[str, typer.Argument(help="What it shall be called.")] = "",
    blueprint: Annotated[str, typer.Option("--from", help="The blueprint.")] = "",
    area: Annotated[str, typer.Option(help="Its area.")] = "",
    values: Annotated[list[str] | None, typer.Option("--set", help="PARAMETER=VALUE")] = None,
    plant: Here = Path(),
) -> None:
    """Write a playbook from a blueprint; without arguments: which blueprints there are, and what they need."""
    root = plant_of(plant)
    known = Blueprints(root).names()
    if not playbook:
        for name, document in known.items():
            _describe(name, document)
        return
    if blueprint not in known:
        die(f"no blueprint '{blueprint}': there are {', '.join(known)}")
    given = dict(_pair(text) for text in values or ())
    parameters = known[blueprint].data.get("parameters", {})
    if missing := [f"{n} ({p.get('help', '')})" for n, p in parameters.items() if n not in given and _needed(p)]:
        die(f"{blueprint} needs --set for: {'; '.join(missing)}")
    written = {"id": playbook, "use": blueprint, "area": area, "with": given}
    text = SCHEMA + yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=100)
    target = root / "playbooks" / f"{playbook.replace('_', '-')}.yaml"
    if target.exists():
        die(f"{target} is there already")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / target.name
        draft.write_text(text, "utf-8")
        loaded = load_files([draft], root, load_plant(root)[0])
    if own := [e for e in loaded.errors if e.file == draft.as_posix()]:
        die("; ".join(e.reason for e in own))
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    out.print(f"{escape(str(target))} is written. Read it aloud: andon playbook explain {escape(playbook)}")


def _describe(name: str, document: Document) -> None:
    out.print(f"[bold]{escape(name)}[/]  {escape(str(document.data.get('title', '')))}")
    for parameter, said in document.data.get("parameters", {}).items():
        need = "" if _needed(said) else f" (else {next((said[k] for k in ('number', 'text') if k in said), '')})"
        out.print(f"    {escape(parameter)}{escape(need)}: {escape(said.get('help', ''))}")


def _needed(parameter: dict[str, Any]) -> bool:
    return "point" in parameter or parameter.get("number", parameter.get("text")) is None


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        die(f"'{text}' is no PARAMETER=VALUE")
    return name, Document(text, value).data  # numbers are numbers, as in a file
