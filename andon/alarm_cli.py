"""`andon alarm`: what stands, and what people ask of it. Each request is answered from the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from analytics import standing
from analytics.rows import Alarm, OverrideRow
from analytics.standing import View
from andon.cli import AsJson, Home
from andon.counter import Area, AsRole, By, Person, Reason, clock, looked_up, out, print_json, print_rows
from desk import words
from desk.lookup import whole
from desk.seen import alarm_detail, page_seen
from desk.words import UnknownThingError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What stands, and what you ask of it.")
Which = Annotated[
    str, typer.Argument(metavar="ALARM", help="Its name, or the id of an occurrence (its beginning will do).")
]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long: 30min, 2h.")]
STYLES = {"critical": "red", "high": "magenta", "medium": "yellow", "low": ""}


@app.command(name="list")
def list_(
    area: Annotated[str, typer.Option(help="This area and all below it.")] = "",
    view: Annotated[View, typer.Option(help="What is shown to an operator, or the rest.")] = "shown",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What stands, unacknowledged first; then what is shelved, suppressed, out of service."""
    with looked_up(home, as_json=as_json) as (_, db):
        page = page_seen(standing.alarms(db, view=view, area=area, limit=limit))
        overrides = standing.overrides(db, area=area)
        counts = standing.counts(db, area=area)
    if as_json:
        print_json({"alarms": page.alarms, "total": page.total, "overrides": overrides, "counts": counts})
        return
    titles = ("", "priority", "alarm", "area", "since", "occurrence", "message", "")
    rows = [
        (a.state, a.priority, a.name, a.area, clock(a.began), str(a.alarm)[:8], a.message, _marks(a))
        for a in page.alarms
    ]
    if rows:
        print_rows(titles, rows, [STYLES[a.priority] + ("" if a.acknowledged else " bold") for a in page.alarms])
    else:
        out.print("No alarm stands.")
    if page.total > len(page.alarms):
        out.print(f"… and {page.total - len(page.alarms)} more: --limit")
    if counts.held_back and view == "shown":
        out.print(f"[yellow]{counts.held_back} held back in a flood:[/] --view 'held back'")
    for override in overrides:
        out.print(_override(override))


def _marks(a: Alarm) -> str:
    marks = (("first", a.first_out), ("stale", a.stale), ("chatters", a.chattering), ("silenced", a.silenced),
             ("history", a.late), (f"{a.times} times", a.times > 1))  # fmt: skip
    return ", ".join(mark for mark, holds in marks if holds)


def _override(o: OverrideRow) -> str:
    until = f", until {clock(o.until)}" if o.until else ""
    who = f" by {o.by}" if o.by else f" {o.cause}" if o.cause else ""
    reason = f": {o.reason}" if o.reason else ""
    stands = "  [bold](active)[/]" if o.active else ""
    return f"[cyan]{o.kind}[/]  {escape(o.name)}{escape(who)}{until}{escape(reason)}{stands}"


@app.command()
def show(alarm: Which, home: Home = None, as_json: AsJson = False) -> None:
    """One alarm: its newest occurrence, and what keeps it from the operator."""
    with looked_up(home, as_json=as_json) as (log, db):
        lookup = log.lookup(db)
        word = whole("alarm", alarm, lookup)
        id_ = words.uuid_of(word)
        at = lookup.occurrence(id_) if id_ else lookup.alarm(word)
        if at is None:
            raise UnknownThingError("alarm", f"the plant has no alarm '{alarm}'")
        detail = alarm_detail(db, at, id_)
    if as_json:
        print_json(detail)
        return
    out.print(f"[bold]{escape(detail.name)}[/]  {escape(detail.area)}")
    if (a := detail.newest) is None:
        out.print("never raised")
    else:
        out.print(
            f"{a.state}  {a.priority}  {escape(a.message)}  since {clock(a.began)}  {_marks(a)}  [dim]{a.alarm}[/]"
        )
        if a.acknowledged_at:
            out.print(
                f"acknowledged by {escape(a.acknowledged_by or '')} {clock(a.acknowledged_at)} {escape(a.comment)}"
            )
        if a.incident:
            out.print(f"incident {a.incident}")
    for override in detail.overrides:
        out.print(_override(override))


@app.command()
def acknowledge(
    alarm: Which,
    comment: Annotated[str, typer.Option(help="What you saw, what you do.")] = "",
    seen: Annotated[
        str | None, typer.Option(metavar="PRIORITY", help="The priority you saw. \\[default: as it is now]")
    ] = None,
    area: Area = "",
    home: Home = None,
    by: By = None,
    role: AsRole = "operator",
    as_json: AsJson = False,
) -> None:
    """I have seen it. Refused when it has come again, or has risen above the priority you saw."""
    with looked_up(home, as_json=as_json) as (log, db):
        lookup = log.lookup(db)
        _, body = words.body({"type": "acknowledge", "alarm": whole("alarm", alarm, lookup), "area": area}, lookup)
        occurrence: Any = getattr(body, "alarm")  # noqa: B009  of the union only this kind has it
        row = standing.alarm(db, occurrence)
    if row is not None and not as_json:
        out.print(f"{row.state}  {row.priority}  {escape(row.name)}  {escape(row.message)}  since {clock(row.began)}")
    priority = seen or (row.priority if row is not None else None)
    fields = {"type": "acknowledge", "alarm": str(occurrence), "priority": priority, "comment": comment, "area": area}
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command()
def reset(alarm: Which, area: Area = "", home: Home = None, by: By = None, role: AsRole = "operator",
          as_json: AsJson = False) -> None:  # fmt: skip
    """Let go of an alarm that latches, after it has gone and was acknowledged."""
    Person(home, by, role, as_json=as_json).ask({"type": "reset", "alarm": alarm, "area": area})


@app.command()
def shelve(alarm: Which, for_: For, reason: Reason, area: Area = "",
           one_shot: Annotated[bool, typer.Option("--one-shot", help="Ends when it returns to normal, too.")] = False,
           home: Home = None, by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Quiet for a time: a nuisance that you know of. For how long at most: by role and by alarm."""
    fields = {"type": "shelve", "alarm": alarm, "for": for_, "reason": reason, "one_shot": one_shot, "area": area}
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command()
def unshelve(alarm: Which, reason: Reason = "", area: Area = "", home: Home = None, by: By = None,
             role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """End shelving now."""
    Person(home, by, role, as_json=as_json).ask({"type": "unshelve", "alarm": alarm, "reason": reason, "area": area})


@app.command()
def suppress(alarm: Which, for_: For, reason: Reason, area: Area = "", home: Home = None, by: By = None,
             role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """By hand, beside what the design suppresses. For supervisors and engineers."""
    fields = {"type": "suppress", "alarm": alarm, "for": for_, "reason": reason, "area": area}
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command()
def unsuppress(alarm: Which, reason: Reason = "", area: Area = "", home: Home = None, by: By = None,
               role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """End what a person suppressed."""
    Person(home, by, role, as_json=as_json).ask({"type": "unsuppress", "alarm": alarm, "reason": reason, "area": area})


Perhaps = Annotated[str | None, typer.Argument(metavar="[ALARM]", help="An alarm; or --device.")]
Device = Annotated[str | None, typer.Option(help="All alarms of the device; it is locked out and gets no command.")]


@app.command(name="out-of-service")
def out_of_service(for_: For, reason: Reason, alarm: Perhaps = None, device: Device = None, area: Area = "",
                   home: Home = None, by: By = None, role: AsRole = "operator",
                   as_json: AsJson = False) -> None:  # fmt: skip
    """Maintenance of an alarm or of a whole device. For engineers and supervisors."""
    fields = {
        "type": "out_of_service", "alarm": alarm, "device": device, "for": for_, "reason": reason, "area": area,
    }  # fmt: skip
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command(name="return-to-service")
def return_to_service(alarm: Perhaps = None, device: Device = None, reason: Reason = "", area: Area = "",
                      home: Home = None, by: By = None, role: AsRole = "operator",
                      as_json: AsJson = False) -> None:  # fmt: skip
    """Maintenance is over."""
    fields = {"type": "return_to_service", "alarm": alarm, "device": device, "reason": reason, "area": area}
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command()
def silence(area: Annotated[str, typer.Argument(help="Whose horn.")], home: Home = None, by: By = None,
            role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """The horn off, for the alarms that sound now. Nothing is acknowledged."""
    Person(home, by, role, as_json=as_json).ask({"type": "silence", "area": area})
