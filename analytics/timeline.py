"""What the log says about one incident or one run, line by line: its own facts, those of its alarms (of their overrides
while it lasted), of runs, commands, errands and notifications, the requests of people, and what these were answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, literal_column, or_, select

from analytics.asking import happened
from analytics.rows import Happened, Incident
from eventlog import tables as t

_e = t.events.c
_ASKED: ColumnElement[bool] = literal_column("events.type LIKE 'request.%'")
_ABOUT: ColumnElement[str] = literal_column(
    "coalesce(events.payload ->> 'incident', events.payload ->> 'alarm', events.payload ->> 'name',"
    " events.payload ->> 'device', events.payload ->> 'run', events.payload ->> 'question',"
    " events.payload ->> 'errand')"
)
"""As events_request_idx has it."""


def timeline(db: Connection, incident: Incident, *, limit: int | None = None) -> tuple[Happened, ...]:
    """Oldest first; with a `limit` the last so many lines."""
    id_ = incident.incident
    alarms = db.execute(select(t.alarms.c.alarm, t.alarms.c.name).where(t.alarms.c.incident == id_)).all()
    ids = [str(a) for a, _ in alarms]
    runs = db.scalars(select(t.runs.c.run).where(t.runs.c.incident == id_)).all()
    n = t.notifications.c
    notes = db.scalars(select(n.notification).where(or_(n.incident == id_, n.run.in_(runs)))).all()
    streams = [f"incident:{id_}", *(f"alarm:{a}" for a in ids), *(f"notification:{one}" for one in notes)]
    streams += _streams(db, runs)
    names = sorted({name for _, name in alarms if name})
    while_it_lasted = and_(_e.area == incident.area, _e.time >= incident.opened_at, _e.time <= _end(incident))
    questions = [
        _e.stream.in_(streams),
        and_(_e.stream.in_([f"name:{name}" for name in names]), while_it_lasted),
        and_(_ASKED, _e.area == incident.area, _ABOUT.in_([str(id_), *ids, *_asked_about(db, runs)])),
        and_(_ASKED, while_it_lasted, _ABOUT.in_(names)),
    ]
    return _told(db, questions, limit)


def of_run(db: Connection, run: UUID, *, limit: int | None = None) -> tuple[Happened, ...]:
    """As `timeline`, of one run; what set it off comes with it."""
    started = and_(_e.stream == f"run:{run}", _e.type == "run.started")
    causes = select(_e.cause).where(started).scalar_subquery()
    own, asked = _e.stream.in_(_streams(db, [run])), and_(_ASKED, _ABOUT.in_(_asked_about(db, [run])))
    return _told(db, [own, _e.id.in_(causes), asked], limit)


def _streams(db: Connection, runs: Sequence[UUID]) -> list[str]:
    """Their own, and those of what they did."""
    streams = [f"run:{run}" for run in runs]
    for kind, table in (("command", t.commands), ("errand", t.errands), ("notification", t.notifications)):
        ids = db.scalars(select(table.c[kind]).where(table.c.run.in_(runs)))
        streams += [f"{kind}:{id_}" for id_ in ids]
    return streams


def _asked_about(db: Connection, runs: Sequence[UUID]) -> list[str]:
    """What requests to the runs name: them, or questions of theirs."""
    q = t.questions.c
    return [str(id_) for id_ in (*runs, *db.scalars(select(q.question).where(q.run.in_(runs))))]


def _told(db: Connection, questions: Sequence[ColumnElement[bool]], limit: int | None) -> tuple[Happened, ...]:
    """Oldest first, with the refusals of what was asked."""
    found = {(r["id"], r["time"]): r for question in questions for r in _some(db, question, limit)}
    requests = [r["id"] for r in found.values() if r["type"].startswith("request.") and r["type"] != "request.refused"]
    if requests:
        refused = and_(_e.cause.in_(requests), _e.type == "request.refused")
        found |= {(r["id"], r["time"]): r for r in _some(db, refused, limit)}
    lines = sorted(found.values(), key=lambda r: (r["time"], r["position"]))
    return tuple(happened(r) for r in lines[-limit if limit else None :])


def _some(db: Connection, which: ColumnElement[bool], limit: int | None) -> Sequence[RowMapping]:
    query = select(t.events).where(which).order_by(_e.time.desc(), _e.position.desc()).limit(limit)
    return db.execute(query).mappings().all()


def _end(incident: Incident) -> datetime:
    if incident.is_open:
        return datetime.max.replace(tzinfo=UTC)
    return incident.closed_at or incident.resolved_at or datetime.max.replace(tzinfo=UTC)
