"""`andon token`: who may use the HTTP API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from andon import instance as instances
from andon.cli import AsJson, Home
from andon.counter import err, out, print_json
from config.duration import span
from config.instance import Instance
from desk.tokens import ROLES, TokenError, Tokens

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who may use the HTTP API.")


def _instance(home: Home) -> Instance:
    return instances.load(home or instances.default_home())


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The person or program; it signs with this name.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    expires: Annotated[str | None, typer.Option(help="After so long, such as 30d. \\[default: never]")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once."""
    instance, now = _instance(home), datetime.now(UTC)
    try:
        until = now + span(expires) if expires else None
        secret = Tokens(instance.home).create(name, role, now=now, expires=until)  # type: ignore[arg-type]
    except (TokenError, ValueError, OverflowError) as error:
        err.print(f"[bold red]andon:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    if as_json:
        print_json({"name": name, "role": role, "expires": until, "token": secret})
        return
    print_secret = f"{secret}\n"
    out.print(print_secret, end="", markup=False)
    err.print("[dim]Keep it now: it is not shown again.[/]")
    err.print(f'[dim]curl -H "Authorization: Bearer …" http://127.0.0.1:{instance.api_port}/alarms[/]')


@app.command(name="list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """The tokens, without their secrets."""
    now = datetime.now(UTC)
    try:
        tokens = Tokens(_instance(home).home).all()
    except TokenError as error:
        err.print(f"[bold red]andon:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    if as_json:
        print_json([{"name": t.name, "role": t.role, "created": t.created, "expires": t.expires} for t in tokens])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("name", "role", "created", "expires"):
        table.add_column(title)
    for t in tokens:
        until = "never" if t.expires is None else f"{t.expires:%Y-%m-%d %H:%M}" + ("" if t.holds(now) else " (expired)")
        table.add_row(escape(t.name), t.role, f"{t.created:%Y-%m-%d %H:%M}", until)
    out.print(table if tokens else "There is no token yet: andon token create --name anna --role operator")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose.")], home: Home = None) -> None:
    """From the next request on it holds no longer."""
    try:
        gone = Tokens(_instance(home).home).revoke(name)
    except TokenError as error:
        err.print(f"[bold red]andon:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    out.print(f"revoked: {escape(gone.name)} ({gone.role})")
