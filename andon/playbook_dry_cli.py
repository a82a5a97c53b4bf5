"""`andon playbook dry-run`: the real engine over a real incident, without a dispatcher. It has nothing to act with."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from sqlalchemy import Connection

from analytics import facts, live
from analytics.rows import Incident
from andon import instance as instances
from andon.cli import AsJson, Home
from andon.playbook_cli import app, out, plant_of
from andon.playbook_telling import tell
from andon.playbook_try_cli import Here, die, find, usable
from config.yamlfile import ConfigError
from events.envelope import Configured, Event
from playbooks import dryrun, plan

BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=10)
"""So much around an incident is looked at for what the points showed."""


@app.command("dry-run")
def dry_run(
    playbook: Annotated[str, typer.Argument(help="Its id, or its file.")],
    incident: Annotated[str, typer.Option(help="A real one: its id, 'AREA NUMBER', or latest.")] = "",
    event: Annotated[Path | None, typer.Option(help="Or a file with given: and then:, as in a test.")] = None,
    plant: Here = Path(),
    answer: Annotated[list[str] | None, typer.Option(help="STEP=ANSWER: what people say.")] = None,
    fail: Annotated[list[str] | None, typer.Option(help="POINT that does not obey.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What a playbook would do: each step, each command, each message, with times. Nothing is sent."""
    path = Path(playbook)
    root = plant_of(path if path.is_file() else plant)
    loaded, books = usable(root)
    found = find(root, playbook, loaded, books)
    if bool(incident) == (event is not None):
        die("over what? Give it --incident or --event")
    said: list[Event] = []
    for book in found:
        if event is not None:
            said += _over_file(root, event, book, books)
        else:
            answers = dict(pair.split("=", 1) for pair in answer or () if "=" in pair)
            said += _over_incident(home, incident, book, books, answers, fail or ())
    if as_json:
        told = (e for e in said if not isinstance(e.fact, Configured))
        rows = [{"at": e.at.isoformat(), **msgspec.to_builtins(e.fact)} for e in told]
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False, default=str) + "\n")
        return
    lines = list(tell(said))
    for line in lines:
        out.print(escape(line))
    out.print("[dim]" + ("" if lines else "It would do nothing. ") + f"Nothing was sent. {dryrun.ASSUMED}[/]")


def _over_file(root: Path, file: Path, book: plan.Playbook, books: plan.PlaybookSet) -> list[Event]:
    from config import yamlfile
    from devices.plant import load_plant
    from playbooks.cases import Beginning, Case, Expect, Placed
    from playbooks.judging import told

    try:
        document = yamlfile.read(file.absolute(), root)
        begins = document.into(Beginning)
        case = Case(test="dry run", given=begins.given, then=begins.then, expect=Expect())
        return list(told(Placed(document, -1, case, book.playbook), book, books, load_plant(root)[0]))
    except ConfigError as error:
        die(str(error))


def _over_incident(
    home: Path | None, words: str, book: plan.Playbook, books: plan.PlaybookSet, answers: dict[str, str],
    failing: Sequence[str],
) -> list[Event]:  # fmt: skip
    instance = instances.load(home or instances.default_home())
    engine = live.reader(instance.database_url)
    own = dryrun.alone(books, book.playbook)
    with engine.connect() as db:
        incidents = live.find_incidents(db, words)
        if len(incidents) != 1:
            die(f"'{words}' is not exactly one incident")
        happened = facts.of_incident(db, incidents[0])
        shown = _shown(db, incidents[0], dryrun.points_of(own))
    engine.dispose()
    if incidents[0].area != book.area:
        die(f"the incident is of area {incidents[0].area}, the playbook of {book.area}")
    return dryrun.over(own, book.area, [(s.at, s.facts) for s in happened], shown, answers, failing)


def _shown(
    db: Connection, incident: Incident, points: Sequence[str]
) -> dict[str, list[tuple[datetime, float | None]]]:
    """What the points showed around the incident; None where it was not known."""
    since = incident.opened_at - BEFORE
    until = (incident.resolved_at or incident.opened_at) + AFTER
    return {
        point: [(s.time, s.value if s.quality == 0 else None) for s in live.samples(db, point, since, until)]
        for point in points
    }
