"""What playbooks wait for people with: the list "Waiting for you", one question in full, what may be answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from analytics.rows import Incident, Overview
from analytics.run_rows import Question
from board import words
from board.timeline import seat
from devices.plant import Plant
from events.requests import AnswerQuestion, Role
from playbooks.permissions import LADDER

KINDS = {"approval": "Approval", "choice": "Choice", "task": "Task"}


class Reply(NamedTuple):
    """One button. Attributes: label: on it; answer: what it says."""

    label: str
    answer: str


def replies(question: Question) -> tuple[Reply, ...]:
    """What may be said to it, the good first."""
    match question.kind:
        case "approval":
            return (Reply("Yes", "yes"), Reply("No", "no"))
        case "choice":
            return tuple(Reply(choice.replace("_", " "), choice) for choice in question.choices)
        case "task":
            return (Reply("Done", "done"), Reply("It cannot be done", "failed"))


def body(question: Question, reply: Reply, comment: str, ticked: Mapping[str, bool]) -> AnswerQuestion:
    """Attributes: ticked: each line of the checklist, and whether it was ticked off."""
    done = tuple(line for line in question.checklist if ticked.get(line))
    return AnswerQuestion(question=question.question, answer=reply.answer, comment=comment, ticked=done)


def lacks(question: Question, reply: Reply, ticked: Mapping[str, bool]) -> str:
    """Why this cannot be said yet, for a person; "" when it can."""
    left = [line for line in question.checklist if not ticked.get(line)] if reply.answer == "done" else []
    return f"not ticked off: {', '.join(left)}" if left else ""


def may_answer(question: Question, role: Role) -> bool:
    """As the brain decides; a role that it does not know is left to it."""
    if role not in LADDER:
        return False
    return question.role not in LADDER or LADDER.index(role) >= LADDER.index(question.role)


def waiting_list(overview: Overview, plant: Plant, chosen: str | None) -> dict[str, Any] | None:
    """What is due first stands first; None when nobody is waited for. `chosen`: the id of the row that is marked."""
    if not overview.questions:
        return None
    known = {i.incident: i for i in overview.incidents}
    return {
        "title": "Waiting for you", "count": str(len(overview.questions)), "chosen": chosen, "empty": "",
        "rows": [row(q, known.get(q.incident) if q.incident else None, plant) for q in overview.questions],
    }  # fmt: skip


def row(question: Question, incident: Incident | None, plant: Plant) -> dict[str, Any]:
    of = words.called(incident) if incident else ""
    said = so_far(question)
    detail = " · ".join(filter(None, (said, f"for {seat(question.to)}", words.area_title(plant, question.area))))
    who = f"{question.role} or higher" if question.role in LADDER[1:] else question.role
    return {
        "id": f"question:{question.question}", "mark": "?", "kind": KINDS[question.kind], "state": "standing",
        "number": of, "title": question.text, "detail": detail, "due": words.millis(question.due), "words": who,
        "label": f"{KINDS[question.kind]}, {question.text}, {detail}",
    }  # fmt: skip


def so_far(question: Question) -> str:
    """What people have said, and whether a second one is needed."""
    said = ", ".join(f"{a.by} said {a.answer}" for a in question.answers)
    if question.four_eyes and question.closed_at is None:
        return f"{said}, a second person is needed" if said else "two persons must say yes"
    return said


def headline(question: Question, plant: Plant) -> dict[str, Any]:
    """What is asked, in one look."""
    waits = question.closed_at is None
    ended = f"decided: {question.answer}" if question.answer else question.reason or "closed"
    words_ = (
        f"{seat(question.to).capitalize()} was asked", f"{question.role} or higher may answer", so_far(question)
    )  # fmt: skip
    return {
        "chosen": True, "mark": "?", "state": "standing" if waits else "over", "title": question.text,
        "kind": KINDS[question.kind], "badge": "" if waits else ended, "since": words.millis(question.asked_at),
        "due": words.millis(question.due) if waits else None,
        "kicker": f"playbook {question.playbook} waits at step {question.step} · "
                  f"{words.area_title(plant, question.area)}",
        "words": " · ".join(filter(None, words_)),
    }  # fmt: skip


def facts(question: Question) -> dict[str, Any]:
    """All that is known of it, as lines of the component `trace`."""
    lines: list[dict[str, Any]] = [{"label": "Run", "text": question.playbook, "id": f"run:{question.run}"}]
    if question.incident:
        lines.append({"label": "Incident", "text": "what it is about", "id": f"incident:{question.incident}"})
    if question.picture:
        lines.append({"label": "Picture", "text": question.picture, "link": _address(question.picture)})
    ticked = {line for a in question.answers for line in a.ticked}
    if question.answers:
        lines += [{"label": "Ticked off" if line in ticked else "To do", "text": line} for line in question.checklist]
    lines += [
        {"label": a.by, "text": f"{a.answer}{f', “{a.comment}”' if a.comment else ''}", "at": words.millis(a.at)}
        for a in question.answers
    ]  # fmt: skip
    if question.closed_at is not None:
        said = ": ".join(filter(None, (question.answer, question.reason)))
        lines.append({"label": "Closed", "text": said, "at": words.millis(question.closed_at)})
    return {"title": "Question", "facts": lines}


def _address(picture: str) -> str:
    """Only what is on the web can be followed; a path names a file of the plant's folder."""
    return picture if picture.startswith(("http://", "https://")) else ""
