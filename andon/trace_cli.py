"""`andon trace`: the story of one incident or run on a terminal, or as JSON for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics.cli import tell
from andon import instance as instances
from andon.cli import AsJson, Home

HELP = "Its id or the beginning of it, 'AREA NUMBER', latest; or a run: its id, its playbook."
Which = Annotated[str, typer.Argument(help=HELP)]


def main(incident: Which = "latest", home: Home = None, as_json: AsJson = False) -> None:
    """Everything about one incident or run, in the order of time."""
    instance = instances.load(home or instances.default_home())
    raise typer.Exit(0 if tell(instance.database_url, incident, as_json=as_json) else 1)
