"""A person at the command line asks: what `andon alarm` and `andon incident` share.

Who can read the home of an instance can do anything to it, so `--by` and `--role` are taken at their word. Over HTTP a
token says who asks.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy import Connection

from andon import instance as instances
from config.instance import Instance
from desk.asking import Desk, Reply
from desk.log import Log, LogAwayError
from desk.lookup import AreasOnly, everywhere, plant_of, understood, whole
from desk.sending import KafkaSender, NotSentError
from desk.tokens import ROLES
from desk.words import WordsError

out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)

REFUSED, UNKNOWN = 1, 3
"""Exit codes: it was not done; nobody knows yet whether it was."""
CODES = {"accepted": 0, "refused": REFUSED, "not sent": UNKNOWN, "unanswered": UNKNOWN}

By = Annotated[str | None, typer.Option(help="Who asks. \\[default: your name on this machine]")]
AsRole = Annotated[str, typer.Option("--role", help=f"As what: {', '.join(ROLES)}. What each may do: docs/alarms.md")]
Area = Annotated[str, typer.Option(help="Its area, where the name alone is not clear.")]
Reason = Annotated[str, typer.Option(help="Why: it stands in the log and in every list.")]


class Person:
    """Who asks and how the answer is to be told."""

    def __init__(self, home: Path | None, by: str | None, role: str, *, as_json: bool) -> None:
        self.home, self.by, self.role, self.as_json = home, by or getpass.getuser(), role, as_json
        if role not in ROLES:
            _give_up(f"there is no role '{role}'; known: {', '.join(ROLES)}", as_json=as_json, field="role")

    def ask(self, fields: Mapping[str, Any]) -> None:
        """Ask, tell the answer, and leave with its exit code."""
        instance = instances.load(self.home or instances.default_home())
        with reading(instance, as_json=self.as_json) as (log, db):
            lookup = log.lookup(db)
            given = {k: whole(k, v, lookup) for k, v in fields.items() if v is not None and not (k == "area" and not v)}
            area, body = understood(given, lookup)
            db.close()
            sender = KafkaSender(instance.kafka)
            try:
                reply = Desk(sender, log).ask(area, body, by=self.by, role=self.role)  # type: ignore[arg-type]
            finally:
                sender.close()
        if self.as_json:
            print_json(reply)
        self._leave([reply])

    def ask_areas(self, fields: Mapping[str, Any]) -> None:
        """As `ask`, what needs no more than an area: of the field `area`, or of all. The log may be away; all are sent
        before the first answer is waited for."""
        instance = instances.load(self.home or instances.default_home())
        log = Log(instance.database_url, lambda: plant_of(instance.plant_in_force))
        sender = KafkaSender(instance.kafka)
        try:
            areas = AreasOnly(log.areas())
            found = [understood(fields, areas)] if "area" in fields else everywhere(fields, log.areas())
            asked = [(area, body, None) for area, body in found]
            replies = Desk(sender, log).ask_each(asked, by=self.by, role=self.role)  # type: ignore[arg-type]
        except WordsError as error:
            _give_up(str(error), as_json=self.as_json, field=error.field)
        finally:
            sender.close()
            log.close()
        if self.as_json:
            print_json(replies)
        self._leave(replies)

    def _leave(self, replies: Sequence[Reply]) -> NoReturn:
        """Tell the answers, and leave with the worst exit code."""
        for reply in () if self.as_json else replies:
            self._tell(reply, f"{reply.area}: " if len(replies) > 1 else "")
        raise typer.Exit(max(CODES[reply.outcome] for reply in replies))

    def _tell(self, reply: Reply, whose: str) -> None:
        where = escape(whose)
        if reply.outcome == "accepted":
            out.print(
                f"{where}[green]done[/]  {escape(', '.join(reply.facts))}  [dim]({reply.waited_s * 1000:.0f} ms)[/]"
            )
        elif reply.outcome == "refused":
            err.print(f"{where}[bold red]refused:[/] {escape(reply.reason)}")
        elif reply.outcome == "not sent":
            err.print(f"{where}[bold red]not sent:[/] {escape(reply.reason)}")
        else:
            until = f"{reply.expires:%H:%M:%S} UTC" if reply.expires else "it expires"
            said = f"until {until} it may still be done. Look before you repeat it."
            err.print(f"{where}[yellow]sent, no answer yet:[/] {said}")


@contextmanager
def reading(instance: Instance, *, as_json: bool) -> Iterator[tuple[Log, Connection]]:
    """The log at one moment. What a person can mend is said in one line, and the command ends."""
    log = Log(instance.database_url, lambda: plant_of(instance.plant_in_force))
    try:
        with log.read() as db:
            yield log, db
    except WordsError as error:
        _give_up(str(error), as_json=as_json, field=error.field)
    except (LogAwayError, NotSentError) as error:
        _give_up(f"{error}. Is it running? (andon status)", as_json=as_json)
    finally:
        log.close()


def looked_up(home: Path | None, *, as_json: bool) -> Any:
    """`reading` of the instance in `home`."""
    return reading(instances.load(home or instances.default_home()), as_json=as_json)


def print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_rows(titles: Sequence[str], rows: Sequence[tuple[str, ...]], styles: Sequence[str] = ()) -> None:
    """A table that cuts nothing off: names are there to be copied. A narrow terminal breaks its lines."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row, style in zip((tuple(titles), *rows), ("dim", *(styles or [""] * len(rows))), strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print("  ".join(cells).rstrip(), style=style, markup=False)


def clock(at: datetime | None) -> str:
    """For a table: the time, with the day if that is not today. UTC."""
    if at is None:
        return ""
    form = "%H:%M:%S" if at.astimezone(UTC).date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M"
    return f"{at.astimezone(UTC):{form}}"


def _give_up(reason: str, *, as_json: bool, field: str = "") -> NoReturn:
    if as_json:
        print_json({"outcome": "impossible", "field": field, "reason": reason})
    else:
        err.print(f"[bold red]andon:[/] {escape(reason)}")
    raise typer.Exit(REFUSED)
