"""`andon runs`: playbooks that go on or went, and what people ask of them. Each request is answered from the log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from analytics import runs
from analytics.run_rows import Errand, HandsOff, Run
from andon.cli import AsJson, Home
from andon.counter import AsRole, By, Person, Reason, clock, looked_up, out, print_json, print_rows
from desk.seen import RunSeen, one_run, run_detail, run_seen

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Playbooks that go on or went; stop them, try again."
)
WORDS = "Its id (the beginning will do), latest, its playbook, or its incident: press#17."
Which = Annotated[str, typer.Argument(metavar="RUN", help=WORDS)]
STYLES = {"failed": "red", "paused": "yellow", "running": "bold", "completed": "", "cancelled": "dim"}


@app.command(name="list")
def list_(
    going: Annotated[bool, typer.Option("--going", help="Only what goes on now.")] = False,
    playbook: Annotated[str, typer.Option(help="Only this playbook.")] = "",
    area: Annotated[str, typer.Option(help="This area and all below it.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Runs, the newest first; and where hands are off."""
    with looked_up(home, as_json=as_json) as (_, db):
        found = runs.runs(db, going=going or None, playbook=playbook, area=area, limit=limit)
        off = runs.hands_off(db, area=area)
    if as_json:
        print_json({"runs": [run_seen(one) for one in found], "hands_off": off})
        return
    for one in off:
        out.print(hands_off(one))
    titles = ("playbook", "state", "began", "ended", "incident", "id", "title", "")
    rows = [
        (r.playbook, r.phase, clock(r.started_at), clock(r.finished_at), _incident(r), str(r.run)[:8], r.title,
         r.detail or r.pause_reason)
        for r in found
    ]  # fmt: skip
    if rows:
        print_rows(titles, rows, [STYLES.get(r.phase, "magenta") for r in found])
    else:
        out.print("No playbook runs." if going else "No playbook has run yet.")


def hands_off(one: HandsOff) -> str:
    """In rich's markup."""
    said = f"{one.area} since {clock(one.stopped_at)} by {one.stopped_by}: {one.reason}"
    return f"[bold red]HANDS OFF[/]  {escape(said)}"


def _incident(run: Run) -> str:
    return f"{run.area}#{run.number}" if run.number is not None else ""


@app.command()
def show(run: Which = "latest", home: Home = None, as_json: AsJson = False) -> None:
    """One run: each attempt at its steps, what it asked, wrote and called. With times of the bus: `andon trace RUN`."""
    with looked_up(home, as_json=as_json) as (_, db):
        detail = run_detail(db, one_run(db, run))
    if as_json:
        print_json(detail)
    else:
        _show(detail)


def _show(r: RunSeen) -> None:
    out.print(f"[bold]{escape(r.title)}[/]  {escape(r.playbook)}@{r.version}, {r.phase}")
    out.print(f"[dim]{r.run}  {escape(r.area)}  began {r.started_at:%Y-%m-%d %H:%M:%S} UTC  {_incident(r)}[/]")
    for said in about(r):
        out.print(escape(said))
    rows = [
        (s.step, str(s.attempt), clock(s.started_at), s.outcome or f"until {clock(s.due)}", s.by, s.detail)
        for s in r.steps
    ]  # fmt: skip
    if rows:
        print_rows(("step", "attempt", "began", "", "by", "detail"), rows)
    for c in r.commands:
        what = "read" if c.kind == "read" else f"write {c.value:g}"
        out.print(escape(f"{c.step}: {what} {c.point}: {c.outcome or 'no answer yet'}{_why(c.reason)}"))
    for q in r.questions:
        said = ", ".join(f"{a.by} {a.answer}" for a in q.answers)
        out.print(escape(f"{q.step}: asked {q.to}: {q.text} ({q.answer or 'open'}){_why(said or q.reason)}"))
    for e in r.errands:
        out.print(escape(f"{e.step}: {e.target}: {_errand(e)}{_why(e.reason)}"))


def about(r: Run) -> list[str]:
    """Who asked for it, who holds it up, how it ends; a line each."""
    lines = [
        f"asked for by {r.asked_by}" if r.asked_by else "",
        f"takes up run {r.retry_of}, without {', '.join(r.done) or 'nothing'}" if r.retry_of else "",
        f"paused by {r.paused_by}: {r.pause_reason}; cancelled at {clock(r.pause_due)} if nobody resumes it"
        if r.paused and r.outcome is None
        else "",
        f"ended by {r.ended_by}" if r.ended_by else "",
        f"{r.outcome}: {r.detail}" if r.outcome and r.detail else "",
        f"{r.escalated_to} must look at step {r.escalated_step}: {r.escalated_reason}" if r.escalated_reason else "",
    ]
    return [line for line in lines if line]


def _errand(e: Errand) -> str:
    return f"{e.outcome or 'no answer yet'}{f', HTTP {e.status}' if e.status else ''}"


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""


@app.command()
def start(playbook: Annotated[str, typer.Argument(help="Its id; one of its triggers must let people ask for it.")],
          incident: Annotated[str | None, typer.Option(help="For this incident: AREA#NUMBER.")] = None,
          reason: Reason = "", area: Annotated[str, typer.Option(help="Its area.")] = "", home: Home = None,
          by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Run it now."""
    fields = {"type": "start", "playbook": playbook, "incident": incident, "reason": reason, "area": area}
    Person(home, by, role, as_json=as_json).ask(fields)


@app.command()
def cancel(run: Which, reason: Reason, home: Home = None, by: By = None, role: AsRole = "operator",
           as_json: AsJson = False) -> None:  # fmt: skip
    """Go no further, and undo what was done, as its file says."""
    Person(home, by, role, as_json=as_json).ask({"type": "cancel", "run": run, "reason": reason})


@app.command()
def pause(run: Which, reason: Reason, for_: Annotated[
              str, typer.Option("--for", metavar="DURATION", help="Cancelled if nobody resumes it by then.")] = "1h",
          home: Home = None, by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """The step that goes on may end; no other begins."""
    Person(home, by, role, as_json=as_json).ask({"type": "pause", "run": run, "reason": reason, "for": for_})


@app.command()
def resume(run: Which, home: Home = None, by: By = None, role: AsRole = "supervisor",
           as_json: AsJson = False) -> None:  # fmt: skip
    """Let it go on."""
    Person(home, by, role, as_json=as_json).ask({"type": "resume", "run": run})


@app.command()
def retry(run: Which, step: Annotated[str, typer.Option(help="From here on. \\[default: what failed]")] = "",
          reason: Reason = "", home: Home = None, by: By = None, role: AsRole = "supervisor",
          as_json: AsJson = False) -> None:  # fmt: skip
    """A new run that takes up one that failed or was cancelled."""
    Person(home, by, role, as_json=as_json).ask({"type": "retry", "run": run, "step": step, "reason": reason})
