"""Which versions of the playbooks were in force, since when, by whom and why."""

from __future__ import annotations

import base64

from msgspec import Struct
from sqlalchemy import Connection, select

from eventlog import tables as t
from events.types import Instant


class Deployed(Struct, frozen=True):
    """Attributes: version: of all playbooks together; body: as in `Configure`."""

    version: str
    at: Instant
    by: str
    reason: str
    body: bytes


def playbooks(db: Connection) -> list[Deployed]:
    """Each time that playbooks were put in force in the plant, oldest first."""
    c = t.events.c
    query = (
        select(c.time, c.payload)
        .where(c.type == "stage.configured", c.payload["stage"].astext == "playbooks", c.author == "playbooks")
        .order_by(c.position)
    )
    found: list[Deployed] = []
    for at, payload in db.execute(query):
        body = base64.b64decode(payload["body"])
        found.append(Deployed(payload["version"], at, payload.get("by", ""), payload.get("reason", ""), body))
    return found
