"""`andon incident`: what the shift works on, and what people do about it. Each request is answered from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape
from sqlalchemy import Connection

from analytics import live
from analytics.rows import IncidentStatus
from andon.alarm_cli import STYLES
from andon.cli import AsJson, Home
from andon.counter import AsRole, By, Person, Reason, clock, looked_up, out, print_json, print_rows
from desk import words
from desk.lookup import LogLookup, whole
from desk.seen import IncidentSeen, incident_detail, incident_review
from desk.words import UnknownThingError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What the shift works on.")
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help="AREA#NUMBER, its number, its id, latest.")]
STATUSES: tuple[IncidentStatus, ...] = get_args(IncidentStatus)
NOT_CLOSED = (*live.OPEN, "resolved")
"""A resolved incident still waits for somebody to say what it was."""
Other = Annotated[str, typer.Argument(metavar="INTO", help="The incident that its alarms go to.")]
Useful = Annotated[bool, typer.Option("--useful/--not-useful", help="Did the alarm tell what it should, in time?")]
Text = Annotated[str, typer.Argument(help="What you have to say.")]
Areas = Annotated[str, typer.Option("--area", help="This area and all below it.")]


@app.command(name="list")
def list_(
    status: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATUSES)}. \\[default: not closed]")] = None,
    area: Areas = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Incidents, the newest first."""
    for word in status or ():
        if word not in STATUSES:
            raise typer.BadParameter(f"'{word}' is none of {', '.join(STATUSES)}", param_hint="--status")
    chosen: Any = status or NOT_CLOSED
    with looked_up(home, as_json=as_json) as (_, db):
        found = live.incidents(db, status=chosen, area=area, limit=limit)
    if as_json:
        print_json(found)
        return
    titles = ("incident", "priority", "status", "opened", "alarms", "whose", "id", "title")
    rows = [
        (f"{i.area}#{i.number}", i.priority, i.status, clock(i.opened_at), f"{i.standing} of {i.alarm_count}",
         i.assigned_to or i.acknowledged_by or "", str(i.incident)[:8], i.title)
        for i in found
    ]  # fmt: skip
    if rows:
        print_rows(titles, rows, [STYLES[i.priority] for i in found])
    else:
        out.print("There is none." if status else "No incident is open, none waits to be closed.")


@app.command()
def show(incident: Which = "latest", home: Home = None, as_json: AsJson = False) -> None:
    """One incident with its alarms and all that happened. With readings and times of the bus: `andon trace`."""
    with looked_up(home, as_json=as_json) as (log, db):
        detail = incident_detail(db, words.incident(_whole(incident, log.lookup(db), db), log.lookup(db)))
    if as_json:
        print_json(detail)
    else:
        _show(detail)


def _show(detail: IncidentSeen) -> None:
    i = detail.incident
    out.print(f"[bold]{escape(f'{i.area}#{i.number}: {i.title}')}[/]  {i.priority.upper()}, {i.status}")
    out.print(f"[dim]{i.incident}  opened {i.opened_at:%Y-%m-%d %H:%M:%S} UTC[/]")
    if i.assigned_to:
        out.print(f"assigned to {escape(i.assigned_to)}")
    if i.closed_at:
        vote = {True: "useful", False: "not useful", None: "no vote"}[i.useful]
        out.print(escape(f"closed by {i.closed_by or 'itself'}: {i.cause}; {i.action} ({vote})"))
    for a in detail.alarms:
        out.print(f"  {a.state}  {a.priority:8}  {escape(a.name)}  {escape(a.message)}  since {clock(a.began)}")
    rows = [(f"{line.at:%m-%d %H:%M:%S.%f}"[:-3], line.author, line.text) for line in detail.timeline]
    if rows:
        print_rows(("time (UTC)", "who", "what"), rows)


def _whole(incident: str, lookup: LogLookup, db: Connection) -> str:
    """The word "latest" and the beginning of an id, as the whole id."""
    if incident == "latest":
        newest = live.find_incidents(db, "latest")
        if not newest:
            raise UnknownThingError("incident", "the log has no incident yet")
        return str(newest[0].incident)
    return str(whole("incident", incident, lookup))


def _ask(person: Person, type_: str, incident: str, **fields: Any) -> None:
    if incident == "latest":
        with looked_up(person.home, as_json=person.as_json) as (log, db):
            incident = _whole(incident, log.lookup(db), db)
    person.ask({"type": type_, "incident": incident, **fields})


@app.command()
def acknowledge(incident: Which, comment: Annotated[str, typer.Option(help="What you do.")] = "", home: Home = None,
                by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Take it: all its alarms that are shown here are acknowledged, and no other."""
    with looked_up(home, as_json=as_json) as (log, db):
        lookup = log.lookup(db)
        id_ = words.incident(_whole(incident, lookup, db), lookup)
        waiting = [a for a in live.alarms_of(db, id_) if not a.acknowledged and not a.over]
    for a in () if as_json else waiting:
        out.print(f"  {a.state}  {a.priority:8}  {escape(a.name)}  {escape(a.message)}  since {clock(a.began)}")
    seen = [str(a.alarm) for a in waiting]
    _ask(Person(home, by, role, as_json=as_json), "acknowledge", str(id_), seen=seen, comment=comment)


@app.command()
def assign(incident: Which, to: Annotated[str, typer.Option(help="A person or a position; '' takes it back.")],
           comment: Annotated[str, typer.Option()] = "", home: Home = None, by: By = None,
           role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Say whose it is."""
    _ask(Person(home, by, role, as_json=as_json), "assign", incident, to=to, comment=comment)


@app.command()
def comment(incident: Which, text: Text, home: Home = None, by: By = None, role: AsRole = "operator",
            as_json: AsJson = False) -> None:  # fmt: skip
    """Write into its story."""
    _ask(Person(home, by, role, as_json=as_json), "comment", incident, text=text)


@app.command()
def attach(incident: Which, ref: Annotated[str, typer.Argument(help="Path or address; the bytes stay there.")],
           name: Annotated[str, typer.Option(help="What it shows. \\[default: the end of REF]")] = "",
           media_type: Annotated[str, typer.Option()] = "", home: Home = None, by: By = None,
           role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """A file or an image, by reference."""
    title = name or ref.rstrip("/").rpartition("/")[2] or ref
    _ask(Person(home, by, role, as_json=as_json), "attach", incident, ref=ref, name=title, media_type=media_type)


@app.command()
def confirm(incident: Which, reason: Reason = "", home: Home = None, by: By = None, role: AsRole = "operator",
            as_json: AsJson = False) -> None:  # fmt: skip
    """A candidate is an incident: people are called for it."""
    _ask(Person(home, by, role, as_json=as_json), "confirm", incident, reason=reason)


@app.command()
def priority(incident: Which, priority: Annotated[str, typer.Argument(help="low, medium, high, critical")],
             reason: Reason, home: Home = None, by: By = None, role: AsRole = "operator",
             as_json: AsJson = False) -> None:  # fmt: skip
    """Raise it, or lower it until a higher alarm comes."""
    _ask(Person(home, by, role, as_json=as_json), "priority", incident, priority=priority, reason=reason)


@app.command()
def merge(incident: Which, into: Other, reason: Reason, home: Home = None, by: By = None,
          role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """It ends; its alarms and its story go on in another of the same area."""
    _ask(Person(home, by, role, as_json=as_json), "merge", incident, into=into, reason=reason)


@app.command()
def split(incident: Which, alarms: Annotated[list[str], typer.Argument(metavar="ALARM…", help="Names or ids.")],
          reason: Reason, home: Home = None, by: By = None, role: AsRole = "operator",
          as_json: AsJson = False) -> None:  # fmt: skip
    """These alarms become an incident of their own; at least one must stay."""
    _ask(Person(home, by, role, as_json=as_json), "split", incident, alarms=alarms, reason=reason)


@app.command()
def close(incident: Which, cause: Annotated[str, typer.Option(help="Why it came to this.")],
          action: Annotated[str, typer.Option(help="What was done.")], useful: Useful,
          comment: Annotated[str, typer.Option()] = "", home: Home = None, by: By = None,
          role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """The last word on it. Refused while any of its alarms stands."""
    fields = {"cause": cause, "action": action, "useful": useful, "comment": comment}
    _ask(Person(home, by, role, as_json=as_json), "close", incident, **fields)


@app.command()
def reopen(incident: Which, reason: Reason, home: Home = None, by: By = None, role: AsRole = "operator",
           as_json: AsJson = False) -> None:  # fmt: skip
    """It is not over after all."""
    _ask(Person(home, by, role, as_json=as_json), "reopen", incident, reason=reason)


@app.command()
def review(incident: Which = "latest", home: Home = None,
           file: Annotated[Path | None, typer.Option(help="Write it there. \\[default: print it]")] = None,
           zone: Annotated[str, typer.Option(help="Time zone of the page.")] = "UTC") -> None:  # fmt: skip
    """The post-incident review as Markdown, with the timeline filled in."""
    with looked_up(home, as_json=False) as (log, db):
        lookup = log.lookup(db)
        text = incident_review(db, words.incident(_whole(incident, lookup, db), lookup), zone)
    if file is None:
        out.print(text, markup=False, end="")
    else:
        file.write_text(text, "utf-8")


@app.command(name="hand-over")
def hand_over(position: Annotated[str, typer.Argument(help="The seat, as people/*.yaml names it.")],
              area: Annotated[str, typer.Option(help="In which area.")],
              to: Annotated[str, typer.Option(help="Who takes it.")],
              note: Annotated[str, typer.Option(help="What the next one must know.")] = "", home: Home = None,
              by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """A position goes to another person, with what is shelved, suppressed, out of service and open."""
    fields = {"type": "hand_over", "area": area, "position": position, "to": to, "note": note}
    Person(home, by, role, as_json=as_json).ask(fields)
