"""What the incidents stage said of one incident, as the facts themselves: to give them to a brain once more."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, or_, select

from analytics import live
from analytics.rows import Incident
from eventlog import tables as t
from eventlog.entry import fact_of
from events.envelope import Fact
from events.types import Instant


class Said(Struct, frozen=True):
    """The facts of one decision. Attributes: at: when the first of them happened."""

    at: Instant
    cause: UUID
    facts: tuple[Fact, ...]


def of_incident(db: Connection, incident: Incident) -> list[Said]:
    """Its own facts and those of its alarms, in the order of the log, those of one decision together."""
    c = t.events.c
    streams = [f"incident:{incident.incident}", *(f"alarm:{a.alarm}" for a in live.alarms_of(db, incident.incident))]
    query = (
        select(c.time, c.cause, c.payload)
        .where(c.stream.in_(streams), or_(c.type.like("alarm.%"), c.type.like("incident.%")))
        .order_by(c.position)
    )
    found: list[Said] = []
    for at, cause, payload in db.execute(query):
        fact = fact_of(msgspec.json.encode(payload))
        if found and found[-1].cause == cause:
            last = found[-1]
            found[-1] = Said(last.at, cause, (*last.facts, fact))
        else:
            found.append(Said(at, cause, (fact,)))
    return found
