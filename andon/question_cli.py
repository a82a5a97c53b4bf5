"""`andon question`: what playbooks wait for people with, and the answers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from analytics import runs
from analytics.run_rows import Question
from andon.cli import AsJson, Home
from andon.counter import AsRole, By, Person, clock, looked_up, out, print_json, print_rows
from desk.seen import one_question

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What playbooks wait for people with; answer it.")
Which = Annotated[
    str, typer.Argument(metavar="QUESTION", help="Its id (the beginning will do), latest, its playbook, its incident.")
]


@app.command(name="list")
def list_(
    area: Annotated[str, typer.Option(help="This area and all below it.")] = "",
    closed: Annotated[bool, typer.Option("--closed", help="What was decided, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What is due first before the rest."""
    with looked_up(home, as_json=as_json) as (_, db):
        found = runs.questions(db, area=area, open_only=not closed, limit=limit)
    if as_json:
        print_json(found)
        return
    titles = ("due", "playbook", "area", "to", "role", "id", "question", "answers")
    rows = [
        (clock(q.due), q.playbook, q.area, q.to, q.role, str(q.question)[:8], q.text, _so_far(q)) for q in found
    ]  # fmt: skip
    if rows:
        print_rows(titles, rows)
    else:
        out.print("No playbook waits for anybody.")


def _so_far(q: Question) -> str:
    said = ", ".join(f"{a.by}: {a.answer}" for a in q.answers)
    if q.closed_at is not None:
        return f"{q.answer or q.reason} ({said})" if said else q.answer or q.reason
    return said or " | ".join(answers(q))


def answers(q: Question) -> tuple[str, ...]:
    """What may be said to it."""
    return {"approval": ("yes", "no"), "choice": q.choices, "task": ("done", "failed")}[q.kind]


@app.command()
def show(question: Which = "latest", home: Home = None, as_json: AsJson = False) -> None:
    """One question, with what must be ticked off and what was answered."""
    with looked_up(home, as_json=as_json) as (_, db):
        q = one_question(db, question)
    if as_json:
        print_json(q)
        return
    out.print(f"[bold]{escape(q.text)}[/]  {escape(q.playbook)}, step {escape(q.step)}")
    out.print(f"[dim]{q.question}  {escape(q.area)}  due {q.due:%Y-%m-%d %H:%M:%S} UTC[/]")
    out.print(escape(f"for {q.to}; {q.role} or higher may answer: {' | '.join(answers(q))}"))
    if q.four_eyes:
        out.print("two different persons must say yes")
    for one in q.checklist:
        ticked = any(one in a.ticked for a in q.answers)
        out.print(f"  {'x' if ticked else '-'} {one}", markup=False)
    if q.picture:
        out.print(escape(f"picture: {q.picture}"))
    for a in q.answers:
        out.print(escape(f"{clock(a.at)} {a.by}: {a.answer} {a.comment}"))
    if q.closed_at is not None:
        out.print(escape(f"closed {clock(q.closed_at)}: {q.answer} {q.reason}"))


@app.command()
def answer(question: Which, answer: Annotated[str, typer.Argument(help="yes, no, done, failed, or a choice.")],
           comment: Annotated[str, typer.Option(help="What you saw.")] = "",
           ticked: Annotated[list[str] | None, typer.Option("--tick", help="A line of the checklist, each.")] = None,
           home: Home = None, by: By = None, role: AsRole = "operator", as_json: AsJson = False) -> None:  # fmt: skip
    """Say it. A question for two pairs of eyes takes two persons."""
    fields = {"type": "answer", "question": question, "answer": answer, "comment": comment, "ticked": ticked or []}
    Person(home, by, role, as_json=as_json).ask(fields)
