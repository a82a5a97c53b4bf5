"""What was: occurrences, overrides, floods, handovers, how people voted. Newest first, reads only."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, func, select

from analytics.asking import lines, rows, within
from analytics.rows import Alarm, Happened
from analytics.standing import AlarmPage, occurrences
from eventlog import tables as t
from events.types import Instant

OVERRIDE_TYPES = (
    "alarm.shelved", "alarm.unshelved", "alarm.suppressed", "alarm.unsuppressed", "alarm.taken_out_of_service",
    "alarm.returned_to_service", "device.locked_out", "device.released",
)  # fmt: skip


class PastFlood(Struct, frozen=True, kw_only=True):
    """Attributes: alarms, held_back: in all of it; peak: most within the window."""

    area: str
    scope: str
    since: Instant
    ended_at: Instant
    alarms: int
    held_back: int
    peak: int


class Handover(Struct, frozen=True, kw_only=True):
    """As `events.incidents.ShiftHandedOver`."""

    at: Instant
    area: str
    position: str
    shift: str
    by: str
    to: str
    note: str
    open: tuple[UUID, ...]
    standing: int
    unacknowledged: int
    shelved: tuple[str, ...]
    suppressed: tuple[str, ...]
    out_of_service: tuple[str, ...]


class Nuisance(Struct, frozen=True, kw_only=True):
    """How people voted on an alarm when they closed its incidents."""

    area: str
    name: str
    useless: int
    useful: int
    last_at: Instant


def alarms(
    db: Connection, *, name: str = "", area: str = "", since: datetime | None = None, until: datetime | None = None,
    limit: int = 200, offset: int = 0,
) -> AlarmPage:  # fmt: skip
    """Occurrences, by when they were raised: `since` <= it < `until`."""
    a = t.alarms.c
    which = [
        *([a.name == name] if name else []), *([within(a.area, area)] if area else []),
        *([a.raised_at >= since] if since is not None else []), *([a.raised_at < until] if until is not None else []),
    ]  # fmt: skip
    query = occurrences().where(*which).order_by(a.raised_at.desc(), a.alarm).limit(limit).offset(offset)
    total = db.scalar(select(func.count()).select_from(t.alarms).where(a.raised_at.is_not(None), *which)) or 0
    return AlarmPage(alarms=tuple(rows(db, query, Alarm)), total=total)


def overrides(
    db: Connection, *, name: str = "", area: str = "", since: datetime | None = None, until: datetime | None = None,
    limit: int = 200,
) -> list[Happened]:  # fmt: skip
    """Who shelved, suppressed or took out of service what, and when and why it ended."""
    stream = f"name:{name}" if name else ""
    return lines(db, OVERRIDE_TYPES, area=area, stream=stream, since=since, until=until, limit=limit)


def floods(
    db: Connection, *, area: str = "", since: datetime | None = None, until: datetime | None = None, limit: int = 200
) -> list[PastFlood]:
    """Those that are over. Those that last: `standing.floods`."""
    found = lines(db, ("flood.ended",), area=area, since=since, until=until, limit=limit)
    return [_typed(PastFlood, f, ended_at=f.at) for f in found]


def handovers(
    db: Connection, *, area: str = "", position: str = "", since: datetime | None = None,
    until: datetime | None = None, limit: int = 50,
) -> list[Handover]:  # fmt: skip
    stream = f"position:{position}" if position else ""
    found = lines(db, ("shift.handed_over",), area=area, stream=stream, since=since, until=until, limit=limit)
    return [_typed(Handover, f, at=f.at) for f in found]


def nuisances(
    db: Connection, *, area: str = "", since: datetime | None = None, until: datetime | None = None, limit: int = 100
) -> list[Nuisance]:
    """Alarms of incidents on which somebody voted when closing them; most votes against first."""
    a, i = t.alarms.c, t.incidents.c
    which = [
        i.useful.is_not(None), i.closed_at.is_not(None), *([within(i.area, area)] if area else []),
        *([i.closed_at >= since] if since is not None else []), *([i.closed_at < until] if until is not None else []),
    ]  # fmt: skip
    voted = func.count(i.incident.distinct())
    useless, useful = voted.filter(i.useful.is_(False)), voted.filter(i.useful.is_(True))
    query = (
        select(a.area, a.name, useless.label("useless"), useful.label("useful"),
               func.max(i.closed_at).label("last_at"))
        .select_from(t.incidents.join(t.alarms, and_(a.incident == i.incident, a.name.is_not(None)))).where(*which)
        .group_by(a.area, a.name).order_by(useless.desc(), useful, a.area, a.name).limit(limit)
    )  # fmt: skip
    return rows(db, query, Nuisance)


Past = TypeVar("Past", bound=Struct)


def _typed(type_: type[Past], line: Happened, **more: datetime) -> Past:
    return msgspec.convert({"area": line.area, **line.facts, **more}, type_, strict=False)
