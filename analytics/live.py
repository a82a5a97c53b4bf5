"""What the log says now, as typed rows: for the board, the command line and the doctor. Reads only.

A row of a projection can be there in part (facts of different topics come in no common order), so each question asks
for the column that the row's first fact sets. Within one connection of a `reader` all answers are of one moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, Text, and_, case, cast, create_engine, func, or_, select, text

from analytics import runs, standing
from analytics.asking import rows, within
from analytics.rows import (
    Alarm,
    Answer,
    Behind,
    DeadLetters,
    Feed,
    Incident,
    IncidentStatus,
    LostDevice,
    Overview,
    Sample,
    Story,
)
from analytics.run_rows import Notification, Refusal
from analytics.timeline import timeline
from eventlog import tables as t
from events import topics

ALARMS_SHOWN, INCIDENTS_SHOWN, RESOLVED_SHOWN, OVERRIDES_SHOWN, HAPPENED_SHOWN = 200, 100, 12, 200, 1000
OPEN: tuple[IncidentStatus, ...] = ("candidate", "open")
RESOLVED_FOR = timedelta(hours=8)
"""A shift: so long a resolved incident stays in the overview."""
BUCKETS = 300
_I = t.incidents.c
_STATUS = case((and_(_I.status == "open", _I.unconfirmed), "candidate"), else_=_I.status)
_INCIDENTS = select(*(c for c in _I if c is not _I.status), _STATUS.label("status")).where(_I.opened_at.is_not(None))
"""Rows of `analytics.rows.Incident`."""


def reader(database_url: str, *, timeout_s: float = 10.0) -> Engine:
    """An engine that can only read, and gives up on a question after `timeout_s`. Thread-safe."""
    options = f"-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout={int(timeout_s * 1000)}"
    connect = {"connect_timeout": round(timeout_s / 2), "application_name": "andon analytics", "options": options}
    return create_engine(
        database_url, pool_size=4, max_overflow=8, pool_pre_ping=True, pool_timeout=timeout_s,
        isolation_level="REPEATABLE READ", connect_args=connect,
    )  # fmt: skip


def overview(db: Connection) -> Overview:
    i = t.incidents.c
    now: datetime = db.execute(select(func.clock_timestamp())).scalar_one()
    over = and_(i.status == "resolved", i.resolved_at > now - RESOLVED_FOR, i.opened_at.is_not(None))
    last = _INCIDENTS.where(over).order_by(i.resolved_at.desc()).limit(RESOLVED_SHOWN)
    both = [*incidents(db), *rows(db, last, Incident)]
    counted, most = standing.counts(db), standing.foremost(db, limit=ALARMS_SHOWN)
    relayed = t.sources.c.source.startswith(topics.RELAY)
    return Overview(
        read_at=now, unacknowledged=counted.unacknowledged, active=counted.active, sounding=counted.sounding,
        held_back=counted.held_back, shelved=counted.shelved, suppressed=counted.suppressed,
        out_of_service=counted.out_of_service,
        open_incidents=db.scalar(select(func.count()).select_from(t.incidents).where(i.status == "open")) or 0,
        incidents=tuple(sorted(both, key=lambda i: i.opened_at, reverse=True)),
        alarms=tuple(sorted(most, key=lambda a: a.raised_at, reverse=True)),
        overrides=tuple(standing.overrides(db, limit=OVERRIDES_SHOWN)), floods=tuple(standing.floods(db)),
        locked=tuple(standing.locked(db)), chattering=tuple(standing.chattering(db)),
        lost=tuple(rows(db, select(t.devices).where(t.devices.c.lost), LostDevice)),
        feeds=tuple(rows(db, select(t.sources).where(~relayed), Feed)), stages=tuple(stage_lag(db)),
        runs=tuple(runs.going(db)), questions=tuple(runs.questions(db)), hands_off=tuple(runs.hands_off(db)),
    )  # fmt: skip


def incidents(
    db: Connection, *, status: Sequence[IncidentStatus] = OPEN, area: str = "", assigned_to: str = "",
    since: datetime | None = None, until: datetime | None = None, limit: int = INCIDENTS_SHOWN, offset: int = 0,
) -> list[Incident]:  # fmt: skip
    """Incidents of these states, the newest first, with how many alarms they have; `since` <= opened < `until`."""
    i, a = t.incidents.c, t.alarms.c
    stored = {"open" if one == "candidate" else one for one in status}
    which = [
        i.status.in_(stored), _STATUS.in_(status), *([within(i.area, area)] if area else []),
        *([i.assigned_to == assigned_to] if assigned_to else []),
        *([i.opened_at >= since] if since is not None else []), *([i.opened_at < until] if until is not None else []),
    ]  # fmt: skip
    page = _INCIDENTS.where(*which).order_by(i.opened_at.desc()).limit(limit).offset(offset)
    found = rows(db, page, Incident)
    stands = func.count().filter(standing.STANDS, ~standing.OVER)
    own = select(a.incident, func.count(), stands).group_by(a.incident)
    counted = db.execute(own.where(a.incident.in_([one.incident for one in found]), a.raised_at.is_not(None)))
    of = {incident_: (number, still) for incident_, number, still in counted} if found else {}
    return [
        replace(one, alarm_count=of.get(one.incident, (0, 0))[0], standing=of.get(one.incident, (0, 0))[1])
        for one in found
    ]  # fmt: skip


def stage_lag(db: Connection) -> list[Behind]:
    """How old the newest tick of each stage's inbox is, as the log has it: a stage that stands still shows here."""
    p = t.positions.c
    oldest = func.min(p.tick_at)
    age = func.extract("epoch", func.clock_timestamp() - oldest)
    query = select(p.topic, oldest.label("tick_at"), age.label("seconds")).where(p.tick_at.is_not(None))
    return rows(db, query.group_by(p.topic).order_by(p.topic), Behind)


def alarm(db: Connection, id_: UUID) -> Alarm | None:
    return standing.alarm(db, id_)


def incident(db: Connection, id_: UUID) -> Incident | None:
    return next(iter(rows(db, _INCIDENTS.where(t.incidents.c.incident == id_), Incident)), None)


def alarms_of(db: Connection, incident_id: UUID, *, limit: int | None = None) -> list[Alarm]:
    """The alarms of an incident, oldest first."""
    a = t.alarms.c
    own = standing.occurrences().where(a.incident == incident_id)
    return rows(db, own.order_by(a.raised_at, a.alarm).limit(limit), Alarm)


def story(db: Connection, incident_id: UUID) -> Story | None:
    """All about one incident; of what happened the last `HAPPENED_SHOWN` lines, and as many alarms."""
    found = incident(db, incident_id)
    if found is None:
        return None
    happened = timeline(db, found, limit=HAPPENED_SHOWN)
    n = t.notifications.c
    own = and_(n.incident == incident_id, n.run.is_(None), n.issued_at.is_not(None))
    called = rows(db, select(t.notifications).where(own).order_by(n.issued_at), Notification)
    return Story(
        incident=found, alarms=tuple(alarms_of(db, incident_id, limit=HAPPENED_SHOWN)),
        runs=runs.of_incident(db, incident_id),
        refusals=tuple(
            Refusal(at=h.at, author=h.author, playbook=h.facts["playbook"], reason=h.facts["reason"])
            for h in happened if h.type == "run.refused"
        ),
        notifications=runs.delivered(db, called), happened=happened,
    )  # fmt: skip


def find_incidents(db: Connection, words: str) -> list[Incident]:
    """The incidents that a person means: "latest", an id or the beginning of one, or "AREA NUMBER" ("press 17"; the
    area may be given by its end). Newest first; several when it is not clear."""
    i = t.incidents.c
    query = _INCIDENTS.order_by(i.opened_at.desc()).limit(20)
    area, _, number = words.strip().rpartition(" ")
    if words.strip() == "latest":
        query = query.limit(1)
    elif area and number.isdecimal():
        ends = or_(i.area == area, i.area.endswith("/" + area, autoescape=True))
        query = query.where(i.number == int(number), ends)
    else:
        query = query.where(cast(i.incident, Text).startswith(words.strip().lower(), autoescape=True))
    return rows(db, query, Incident)


_READINGS = """SELECT s.time, s.values[p.i] AS value, get_byte(s.qualities, p.i - 1) AS quality
    FROM scans s JOIN (SELECT id, array_position(points, :point) AS i FROM layouts) p ON p.id = s.layout
    WHERE s.device = :device AND p.i IS NOT NULL AND s.time >= :since AND s.time < :until"""
_SAMPLES = text(f"SELECT * FROM ({_READINGS}) r WHERE quality <> 255 ORDER BY time LIMIT :most")
_TREND = text(
    f"""SELECT first(time, value), min(value), last(time, value), max(value) FROM ({_READINGS}) r WHERE quality = 0
    GROUP BY floor(extract(epoch FROM time - :since) / :bucket)"""
)
"""Of each bucket the lowest and the highest reading with their times: no peak is lost."""


def samples(db: Connection, point: str, since: datetime, until: datetime, *, most: int = 100_000) -> list[Sample]:
    """Every reading of "device.point", oldest first, at most `most`."""
    return [Sample(*row) for row in db.execute(_SAMPLES, {**_span(point, since, until), "most": most})]


def trend(db: Connection, point: str, since: datetime, until: datetime) -> list[Sample]:
    """The shape of the good readings of "device.point", oldest first: at most a few hundred, peaks kept."""
    bucket = max((until - since).total_seconds() / BUCKETS, 0.001)
    found = db.execute(_TREND, {**_span(point, since, until), "bucket": bucket})
    return [Sample(*one) for one in sorted({pair for row in found for pair in ((row[0], row[1]), (row[2], row[3]))})]


def _span(point: str, since: datetime, until: datetime) -> dict[str, Any]:
    return {"point": point, "device": point.partition(".")[0], "since": since, "until": until}


def answer(db: Connection, request: UUID) -> Answer | None:
    """The facts that a request caused; None while the log has none."""
    e = t.events.c
    query = select(e.time, e.type, e.payload).where(e.cause == request, e.id != request).order_by(e.position)
    said = db.execute(query).all()
    if not said:
        return None
    refused = [payload["reason"] for _, type_, payload in said if type_ == "request.refused"]
    types = tuple(type_ for _, type_, _ in said)
    return Answer(at=said[0][0], accepted=not refused, facts=types, reason=refused[0] if refused else "")


def dead_letter_summary(db: Connection, *, since: datetime | None = None) -> DeadLetters:
    """Who sends what cannot be taken, for the doctor."""
    d = t.dead_letters.c
    newest = func.last(d.reason, d.at)  # TimescaleDB's: the reason of the newest
    query = select(d.origin, newest, func.count(), func.max(d.at)).group_by(d.origin).order_by(func.count().desc())
    found = db.execute(query if since is None else query.where(d.at >= since)).all()
    return DeadLetters(
        count=sum(r[2] for r in found), newest=max((r[3] for r in found), default=None),
        by_origin=tuple((r[0], r[1], r[2]) for r in found),
    )  # fmt: skip
