"""`andon playbook deploy | versions | diff | rollback`: what is in force, since when, by whom and why."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer
from rich.markup import escape

from analytics import deployed, live
from andon import instance as instances
from andon.cli import Home
from andon.playbook_cli import app, out
from andon.playbook_try_cli import die
from config.instance import Instance
from playbooks import plan, versions

Which = Annotated[str, typer.Argument(help="The playbook's id.")]
By = Annotated[str, typer.Option("--by", help="Who. \\[default: you]")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the log.")]


@app.command()
def deploy(home: Home = None, by: By = "", reason: Reason = "") -> None:
    """Put the plant's files in force, with author and reason in the log. A file with mistakes stays as it was."""
    _publish(instances.load(home or instances.default_home()), by, reason)


@app.command("versions")
def versions_(playbook: Which, home: Home = None) -> None:
    """Each version that was in force: since when, by whom and why."""
    for v in _versions(instances.load(home or instances.default_home()), playbook):
        why = f": {v.reason}" if v.reason else ""
        out.print(f"{v.version}  {v.at:%Y-%m-%d %H:%M:%S}  {escape(v.file)}  [dim]{escape(v.by + why)}[/]")


@app.command()
def diff(
    playbook: Which,
    a: Annotated[str, typer.Argument(help="A version. \\[default: the one before the newest]")] = "",
    b: Annotated[str, typer.Argument(help="Another. \\[default: the newest]")] = "",
    home: Home = None,
) -> None:
    """What changed in the file between two versions that were in force."""
    known = _versions(instances.load(home or instances.default_home()), playbook)
    first, second = versions.chosen(known, a, -2), versions.chosen(known, b, -1)
    if first is None or second is None:
        die(f"no such version of {playbook}: there are {', '.join(v.version for v in known)}")
    said = versions.diff(first, second)
    sys.stdout.write(said or "the same text\n")
    if first.blueprints != second.blueprints:
        out.print("[yellow]blueprints of the plant changed, too[/]")


@app.command()
def rollback(
    playbook: Which,
    reason: Annotated[str, typer.Option("--reason", help="Why: it stands in the log.")],
    version: Annotated[str, typer.Argument(help="\\[default: the one before the newest]")] = "",
    home: Home = None,
    by: By = "",
) -> None:
    """Write the file as it was in a former version, and put it in force. No other file is touched; the text that it
    had is kept beside it."""
    instance = instances.load(home or instances.default_home())
    known = _versions(instance, playbook)
    wanted = versions.chosen(known, version, -2)
    if wanted is None or not wanted.text:
        die(f"no such version of {playbook} in the log: there are {', '.join(v.version for v in known)}")
    file = instance.plant / wanted.file
    if file.exists():
        file.with_name(f"{file.name}.before-rollback").write_bytes(file.read_bytes())
    fresh = file.with_name(f".{file.name}.rollback")
    fresh.write_text(wanted.text, "utf-8")
    fresh.replace(file)
    out.print(f"{escape(wanted.file)} is as it was since {wanted.at:%Y-%m-%d %H:%M:%S} ({wanted.version})")
    if known[-1].blueprints != wanted.blueprints:
        out.print("[yellow]blueprints of the plant have changed since: the version may be another one[/]")
    _publish(instance, by, f"rollback of {playbook} to {wanted.version}: {reason}")


def _publish(instance: Instance, by: str, reason: str) -> None:
    from andon.publish import publish

    errors = publish(instance, by=by or getpass.getuser(), reason=reason, say=lambda line: out.print(escape(line)))
    for error in errors:
        out.print(f"[bold red]not in force, its last good text is:[/] {escape(str(error))}")
    raise typer.Exit(1 if errors else 0)


def _versions(instance: Instance, playbook: str) -> list[versions.Version]:
    """Exits where there is none."""
    engine = live.reader(instance.database_url)
    with engine.connect() as db:
        every = [(d.at, d.by, d.reason, plan.unpack(d.body)) for d in deployed.playbooks(db)]
    engine.dispose()
    if not (found := versions.of(playbook, every)):
        die(f"the log knows no playbook '{playbook}'")
    return found
