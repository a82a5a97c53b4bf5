"""Lines of the log by what people ask for: area, type, cause, time; or behind a position, to follow it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from analytics.asking import happened, within
from analytics.rows import Happened
from eventlog import tables as t


def lines(
    db: Connection, *, types: Sequence[str] = (), area: str = "", cause: UUID | None = None,
    since: datetime | None = None, until: datetime | None = None, after: int | None = None, limit: int = 200,
) -> list[Happened]:  # fmt: skip
    """The newest first; with `after` those behind that position, the oldest first. `since` <= time < `until`."""
    e = t.events.c
    which = [
        *([e.type.in_(types)] if types else []), *([within(e.area, area)] if area else []),
        *([e.cause == cause] if cause is not None else []), *([e.time >= since] if since is not None else []),
        *([e.time < until] if until is not None else []), *([e.position > after] if after is not None else []),
    ]  # fmt: skip
    order = [e.position] if after is not None else [e.time.desc(), e.position.desc()]
    return [happened(r) for r in db.execute(select(t.events).where(*which).order_by(*order).limit(limit)).mappings()]
