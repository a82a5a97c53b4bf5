"""Playbook runs as the log has them: what goes on and what went, what they ask of people, where hands are off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, and_, cast, false, or_, select

from analytics.asking import Row, rows, within
from analytics.run_rows import (
    Answered,
    Command,
    Delivery,
    Errand,
    HandsOff,
    Notification,
    Question,
    Run,
    Step,
)
from eventlog import tables as t

SHOWN = 100
SHORTEST = 4
"""So many characters of an id must be given."""
_R, _Q, _I = t.runs.c, t.questions.c, t.incidents.c
_RUNS = select(t.runs, _I.number).outerjoin(t.incidents, _I.incident == _R.incident).where(_R.started_at.is_not(None))
_QUESTIONS = (
    select(t.questions, _R.playbook).outerjoin(t.runs, _R.run == _Q.run).where(_Q.asked_at.is_not(None))
)  # fmt: skip
_GOING = and_(_R.started_at.is_not(None), _R.finished_at.is_(None))
_OPEN = and_(_Q.asked_at.is_not(None), _Q.closed_at.is_(None))


def runs(
    db: Connection, *, going: bool | None = None, playbook: str = "", area: str = "", incident: UUID | None = None,
    since: datetime | None = None, until: datetime | None = None, limit: int = SHOWN, offset: int = 0,
) -> list[Run]:  # fmt: skip
    """The newest first, without their steps: that go on (or, False, have ended); `since` <= began < `until`."""
    which: list[ColumnElement[bool]] = [
        *([_GOING if going else _R.finished_at.is_not(None)] if going is not None else []),
        *([_R.playbook == playbook] if playbook else []), *([within(_R.area, area)] if area else []),
        *([_R.incident == incident] if incident is not None else []),
        *([_R.started_at >= since] if since is not None else []),
        *([_R.started_at < until] if until is not None else []),
    ]  # fmt: skip
    return _newest(db, _RUNS.where(*which), limit, offset)


def going(db: Connection) -> list[Run]:
    """Those that go on, the newest first, each with the steps that it is at."""
    found, s = runs(db, going=True), t.steps.c
    here = [s.run.in_([one.run for one in found]), s.started_at.is_not(None), s.finished_at.is_(None)]
    at = rows(db, select(t.steps).where(*here).order_by(s.started_at), _Under) if found else []
    return [replace(one, steps=tuple(step for step in at if step.run == one.run)) for one in found]


def run(db: Connection, id_: UUID) -> Run | None:
    """One run with all that belongs to it."""
    found = rows(db, _RUNS.where(_R.run == id_), Run)
    return whole(db, found[0]) if found else None


def of_incident(db: Connection, incident: UUID) -> tuple[Run, ...]:
    """The runs of the incident with all that belongs to them, the oldest first."""
    found = rows(db, _RUNS.where(_R.incident == incident).order_by(_R.started_at, _R.run), Run)
    return tuple(whole(db, one) for one in found)


def find_runs(db: Connection, words: str) -> list[Run]:
    """The runs that a person means: "latest", an id or its beginning, a playbook, an incident ("17", "press#17"). Of
    the last two those that go on, else the newest; several when it is not clear."""
    words = words.strip()
    if words == "latest":
        return _newest(db, _RUNS, 1)
    by_id = _newest(db, _RUNS.where(_begins(_R.run, words)), 2)
    if by_id:
        return by_id
    named = _newest(db, _RUNS.where(or_(_R.playbook == words, _of_incident(_R.incident, words))), SHOWN)
    return [one for one in named if one.outcome is None] or named[:1]


def questions(
    db: Connection, *, open_only: bool = True, area: str = "", run: UUID | None = None, limit: int = SHOWN
) -> list[Question]:
    """What runs ask of people, what is due first before the rest."""
    which: list[ColumnElement[bool]] = [
        *([_OPEN] if open_only else []), *([within(_Q.area, area)] if area else []),
        *([_Q.run == run] if run is not None else []),
    ]  # fmt: skip
    return _asked(db, _QUESTIONS.where(*which).order_by(_Q.due, _Q.question).limit(limit))


def question(db: Connection, id_: UUID) -> Question | None:
    return next(iter(_asked(db, _QUESTIONS.where(_Q.question == id_))), None)


def find_questions(db: Connection, words: str) -> list[Question]:
    """The questions that a person means: an id (of a question or a run) or its beginning, also when it is closed; the
    newest open one for "latest"; the open ones of a playbook or of an incident ("17", "press#17")."""
    words = words.strip()
    newest = _QUESTIONS.order_by(_Q.asked_at.desc(), _Q.question)
    if words == "latest":
        return _asked(db, newest.where(_OPEN).limit(1))
    if by_id := _asked(db, newest.where(_begins(_Q.question, words)).limit(2)):
        return by_id
    named = or_(_begins(_Q.run, words), _R.playbook == words, _of_incident(_Q.incident, words))
    return _asked(db, newest.where(_OPEN, named).limit(SHOWN))


def hands_off(db: Connection, *, area: str = "") -> list[HandsOff]:
    """Where nothing acts until a person allows it, the newest first."""
    a = t.acting.c
    off = [a.stopped_at.is_not(None), a.allowed_at.is_(None), *([within(a.area, area)] if area else [])]
    return rows(db, select(t.acting).where(*off).order_by(a.stopped_at.desc(), a.area), HandsOff)


def whole(db: Connection, found: Run) -> Run:
    """The run with its steps, commands, questions, errands and whom it told."""
    return replace(
        found, steps=_of_run(db, t.steps, "started_at", Step, found.run),
        commands=_of_run(db, t.commands, "issued_at", Command, found.run),
        questions=tuple(questions(db, open_only=False, run=found.run)),
        errands=_of_run(db, t.errands, "issued_at", Errand, found.run),
        notifications=delivered(db, _of_run(db, t.notifications, "issued_at", Notification, found.run)),
    )  # fmt: skip


def delivered(db: Connection, told: Sequence[Notification]) -> tuple[Notification, ...]:
    """With what became of each."""
    d = t.deliveries.c
    query = select(t.deliveries).where(d.notification.in_([n.notification for n in told])).order_by(d.at)
    found = rows(db, query, _Sent) if told else []
    return tuple(replace(n, deliveries=tuple(d for d in found if d.notification == n.notification)) for n in told)


class _Sent(Delivery, frozen=True, kw_only=True):
    notification: UUID


class _Under(Step, frozen=True, kw_only=True):
    run: UUID


class _Said(Answered, frozen=True, kw_only=True):
    question: UUID


def _newest(db: Connection, query: Select[Any], limit: int, offset: int = 0) -> list[Run]:
    return rows(db, query.order_by(_R.started_at.desc(), _R.run).limit(limit).offset(offset), Run)


def _asked(db: Connection, query: Select[Any]) -> list[Question]:
    """With what people have answered."""
    found = rows(db, query, Question)
    a = t.answers.c
    own = select(t.answers).where(a.question.in_([q.question for q in found])).order_by(a.at)
    said = rows(db, own, _Said) if found else []
    return [replace(q, answers=tuple(s for s in said if s.question == q.question)) for q in found]


def _of_run(db: Connection, table: Table, said: str, type_: type[Row], run_: UUID) -> tuple[Row, ...]:
    """The rows whose first fact has come: it sets the column `said`, which gives the order."""
    c = table.c
    return tuple(rows(db, select(table).where(c[said].is_not(None), c.run == run_).order_by(c[said]), type_))


def _begins(id_: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    start = words.lower()
    if not SHORTEST <= len(start) <= 36 or start.isdecimal() or set(start) - set("0123456789abcdef-"):
        return false()
    return cast(id_, Text).startswith(start)


def _of_incident(incident: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    area, _, number = words.rpartition("#")
    if not (number.isascii() and number.isdecimal()) or len(number) > 9:
        return false()
    own = select(_I.incident).where(_I.number == int(number))
    if area:
        own = own.where(or_(_I.area == area, _I.area.endswith(f"/{area}", autoescape=True)))
    return incident.in_(own)
