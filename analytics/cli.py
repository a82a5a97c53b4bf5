"""`andon trace`: the story of one incident, or of one run, on a terminal, or as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import OperationalError, ProgrammingError

from analytics import live, runs
from analytics.rows import Happened, Incident, Sample
from analytics.run_rows import Run, Step
from analytics.sentences import sentence
from analytics.trace import Measured, RunTrace, Trace, trace, trace_run

out, err = Console(highlight=False), Console(stderr=True, highlight=False)


def tell(database_url: str, words: str, *, as_json: bool) -> bool:
    """Print the trace of the incident that `words` mean (`live.find_incidents`), else of the run that they mean
    (`runs.find_runs`); False if it cannot be."""
    engine = live.reader(database_url)
    try:
        with engine.connect() as db:
            found, also = live.find_incidents(db, words), runs.find_runs(db, words)
            whole: Trace | RunTrace
            if len(found) == 1:
                whole = trace(db, found[0])
            elif len(also) == 1 and not found:
                whole = trace_run(db, also[0])
            else:
                _say_which(words, found or live.find_incidents(db, ""), also)
                return False
    except (OperationalError, ProgrammingError) as error:
        reason = str(error.orig).strip().splitlines()[0]
        err.print(f"[bold red]andon:[/] the event log cannot be read: {escape(reason)}. Is it running? (andon status)")
        return False
    finally:
        engine.dispose()
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n")
    elif isinstance(whole, RunTrace):
        show_run(whole, out)
    else:
        show(whole, out)
    return True


def _say_which(words: str, others: list[Incident], also: list[Run]) -> None:
    for r in also:
        err.print(f"  {str(r.run)[:8]}  run of {escape(r.playbook)}  {r.started_at:%Y-%m-%d %H:%M:%S}  {r.phase}")
    if not others:
        err.print("The log has no incident yet.")
        return
    err.print(f"'{escape(words)}' is not exactly one incident or run. The newest incidents:")
    for i in others[:10]:
        when = f"{i.opened_at:%Y-%m-%d %H:%M:%S}"
        err.print(f"  {str(i.incident)[:8]}  {escape(i.area)} {i.number}  {when}  {escape(i.title)}")


def show(whole: Trace, console: Console) -> None:
    """The trace for people. Times are UTC; the columns on the right say how much later the bus and the log had it."""
    i = whole.incident
    console.print(f"[bold]{escape(i.area)} {i.number}: {escape(i.title)}[/]  {i.priority.upper()}, {i.status}")
    console.print(f"[dim]{i.incident}  opened {i.opened_at:%Y-%m-%d %H:%M:%S} UTC[/]")
    for line in _handling(i):
        console.print(escape(line))
    for fired in whole.rules:
        console.print(f"rule   {escape(fired.rule)}@{fired.version}  {escape(_definition(fired.definition))}")
    for m in whole.readings:
        console.print(f"{escape(m.point)}  {escape(_readings(m))}")
    _lines(whole.happened, console)


def show_run(whole: RunTrace, console: Console) -> None:
    """As `show`: each attempt at a step with what it was to do, when, and what became of it; then all that was said."""
    r = whole.run
    console.print(f"[bold]{escape(r.title)}[/]  {escape(r.playbook)}@{r.version}, {r.phase}")
    console.print(f"[dim]{r.run}  {escape(r.area)}  began {r.started_at:%Y-%m-%d %H:%M:%S} UTC[/]")
    if r.scope:
        console.print(escape("set off by " + ", ".join(f"{name} {value}" for name, value in sorted(r.scope.items()))))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("step", "attempt", "began (UTC)", "took", "what", "outcome"):
        table.add_column(title, overflow="fold")
    for s in r.steps:
        took = "" if s.finished_at is None else f"{(s.finished_at - s.started_at).total_seconds():.3f} s"
        ended = " ".join(filter(None, (s.outcome or f"due {s.due:%H:%M:%S}", f"by {s.by}" if s.by else "", s.detail)))
        cells = (s.step, str(s.attempt), f"{s.started_at:%H:%M:%S.%f}"[:-3], took, _did(r, s), ended)
        table.add_row(*map(escape, cells), style="red" if s.outcome == "failed" else "")
    console.print(table)
    _lines(whole.happened, console)


def _did(r: Run, s: Step) -> str:
    """What the attempt was to do, and what came back."""
    own = (s.step, s.attempt)
    said = [
        f"{'read' if c.kind == 'read' else f'write {c.value:g} to'} {c.point}"
        + ("" if c.read_back is None else f", reads {c.read_back:g}") + (f": {c.reason}" if c.reason else "")
        for c in r.commands if (c.step, c.attempt) == own
    ]  # fmt: skip
    said += [f"{e.target}{f', HTTP {e.status}' if e.status else ''}" for e in r.errands if (e.step, e.attempt) == own]
    asked = [
        f"asked {q.to}: {q.text}" + "".join(f"; {a.by}: {a.answer} {a.comment}".rstrip() for a in q.answers)
        for q in r.questions if q.step == s.step
    ]  # fmt: skip
    told = [] if asked else [f"told {n.to}: {n.text}" for n in r.notifications if n.step == s.step]
    return "; ".join((*said, *asked, *told)) or ", ".join(
        f"{name} = {value}" for name, value in {**s.result, **s.set}.items()
    )


def _lines(happened: Sequence[Happened], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("what", overflow="fold", ratio=1)
    table.add_column("who", overflow="fold")
    table.add_column("on the bus", justify="right", no_wrap=True)
    table.add_column("in the log", justify="right", no_wrap=True)
    for h in happened:
        style = "bold" if h.type in ("alarm.raised", "incident.opened") else ""
        cells = (f"{h.at:%H:%M:%S.%f}"[:-3], escape(sentence(h.type, h.facts)), escape(h.author))
        table.add_row(*cells, _later(h, h.published_at), _later(h, h.recorded_at), style=style)
    console.print(table)


def _handling(i: Incident) -> list[str]:
    """Who has it, how often it came back, whom the escalation called, what it was."""
    lines = []
    if i.assigned_to or i.openings > 1:
        again = f"opened {i.openings} times" if i.openings > 1 else ""
        lines.append(", ".join(filter(None, (f"assigned to {i.assigned_to}" if i.assigned_to else "", again))))
    if i.escalated_to:
        end = f", ended: {i.escalation_ended}" if i.escalation_ended else ""
        lines.append(f"escalation {i.policy} called {', '.join(i.escalated_to)} last{end}")
    if i.status == "closed":
        useful = {True: ", the alarm was useful", False: ", the alarm was a nuisance", None: ""}[i.useful]
        by = i.closed_by or "the area's policy"
        lines.append(f"closed by {by}. Cause: {i.cause or 'not said'}. Action: {i.action or 'not said'}{useful}")
    return lines


def _later(h: Happened, at: datetime | None) -> str:
    if at is None:
        return ""
    seconds = (at - h.at).total_seconds()
    return f"+{seconds * 1000:.0f} ms" if abs(seconds) < 10 else f"+{seconds:.0f} s"


def _definition(d: dict[str, Any] | None) -> str:
    if d is None:
        return "(the log does not have this version's definition)"
    limit = "" if d.get("limit") is None else f" limit {d['limit']:g} {d.get('unit', '')}"
    delay = f", on delay {d['on_delay_us'] / 1e6:g} s" if d.get("on_delay_us") else ""
    deadband = f", deadband {d['deadband']:g}" if d.get("deadband") else ""
    return f"{d.get('kind', '')} on {d.get('point', '')}{limit}{delay}{deadband}"


def _readings(m: Measured) -> str:
    if not m.count:
        return f"no readings in the log from {m.since:%H:%M:%S} to {m.until:%H:%M:%S}"

    def one(name: str, s: Sample | None) -> str:
        return "" if s is None else f", {name} {s.value:g} at {s.time:%H:%M:%S.%f}"[:-3]

    return f"{m.count} readings [{m.unit}]" + (
        one("before", m.before) + one("then", m.at) + one("lowest", m.lowest) + one("highest", m.highest)
    )
