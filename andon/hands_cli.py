"""`andon hands-off`, `andon hands-on`: no playbook acts, no device is moved, in an area or in all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from andon.cli import AsJson, Home
from andon.counter import AsRole, By, Person, Reason

Where = Annotated[str | None, typer.Argument(metavar="[AREA]", help="An area, with nothing below it; or --all.")]
All = Annotated[bool, typer.Option("--all", help="Every area of the plant.")]


def off(reason: Reason, area: Where = None, all_: All = False, home: Home = None, by: By = None,
        role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Hands off: runs end where they are, nothing is undone, no device is moved until somebody says hands-on."""
    _ask("hands_off", area, all_, reason, Person(home, by, role, as_json=as_json))


def on(area: Where = None, all_: All = False, reason: Reason = "", home: Home = None, by: By = None,
       role: AsRole = "supervisor", as_json: AsJson = False) -> None:  # fmt: skip
    """Hands off is over: playbooks may act again. What was cut off does not go on by itself: `andon runs retry`."""
    _ask("hands_on", area, all_, reason, Person(home, by, role, as_json=as_json))


def _ask(type_: str, area: str | None, all_: bool, reason: str, person: Person) -> None:
    if (area is None) != all_:
        raise typer.BadParameter("name an area, or --all")
    where = {} if area is None else {"area": area}
    person.ask_areas({"type": type_, "reason": reason, **where})
