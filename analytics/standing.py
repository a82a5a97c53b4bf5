"""What stands now: alarms with their overrides, what is shelved, suppressed, out of service, locked, in flood.

`shown` is what an operator's list has: it stands, no override hides it, no flood holds it back.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, not_, or_, select

from analytics.asking import rows, within
from analytics.rows import Alarm, Chatterer, LockedDevice, OverrideRow, StandingFlood
from analytics.states import PRECEDENCE
from eventlog import tables as t
from events.alarms import Override

View = Literal["shown", "held back", "hidden", "all"]


class AlarmPage(Struct, frozen=True, kw_only=True):
    """Some of many. Attributes: total: how many there are in all."""

    alarms: tuple[Alarm, ...]
    total: int


class Counts(Struct, frozen=True, kw_only=True):
    """Attributes: active, unacknowledged, latched: of what is shown (`held_back` apart); sounding: with the horn on;
    shelved, suppressed, out_of_service: alarms, each under the override that counts, whether they are active or not."""

    active: int = 0
    unacknowledged: int = 0
    latched: int = 0
    sounding: int = 0
    held_back: int = 0
    shelved: int = 0
    suppressed: int = 0
    out_of_service: int = 0


_a, _n, _o = t.alarms.c, t.alarm_names.c, t.alarm_overrides.c
_HOLDS = and_(_o.ended_at.is_(None), _o.since.is_not(None))
_RANK = func.min(case({k: i for i, k in enumerate(PRECEDENCE)}, value=_o.kind))
"""The override that counts, as its place in PRECEDENCE."""
_OWN = and_(_HOLDS, _o.area == _a.area, _o.name == _a.name)
_HIDDEN = select(_RANK).where(_OWN).correlate(t.alarms).scalar_subquery()
_COVERED = select(_o.name).where(_OWN).correlate(t.alarms).exists()
"""An override holds. (Asked so, the planner finds its way along the order of the list, whatever stands.)"""
_UNSEEN = (
    select(_n.name).where(_n.area == _a.area, _n.name == _a.name, _n.shown_position >= _a.seen_position)
    .correlate(t.alarms).exists()
)  # fmt: skip
"""It went before an override of it ended."""
STANDS = and_(or_(_a.active, not_(_a.acknowledged), _a.latched), _a.replaced_by.is_(None), _a.raised_at.is_not(None))
"""What may still ask for somebody, whether it is hidden or not."""
_THERE = or_(_a.active, _a.latched)
OVER = or_(_a.replaced_by.is_not(None), and_(not_(_THERE), or_(_a.acknowledged, _COVERED, _UNSEEN)))
"""Nobody has to look at it any more."""
_SEEN = and_(STANDS, not_(_COVERED), or_(_THERE, not_(_UNSEEN)))
_VIEWS: dict[View, ColumnElement[bool]] = {
    "shown": and_(_SEEN, not_(_a.held_back)),
    "held back": and_(_SEEN, _a.held_back),
    "hidden": and_(STANDS, _COVERED, _THERE),
    "all": and_(STANDS, or_(_THERE, and_(not_(_COVERED), not_(_UNSEEN)))),
}


def occurrences(which: Select[Any] | None = None) -> Select[Any]:
    """Rows of `analytics.rows.Alarm`, of any occurrence that has been raised. `which`: selects their ids."""
    hidden = case(dict(enumerate(PRECEDENCE)), value=case((_n.alarm == _a.alarm, _HIDDEN)))
    joined = t.alarms.outerjoin(t.alarm_names, and_(_n.area == _a.area, _n.name == _a.name))
    if which is not None:
        ids = which.subquery("which")
        joined = joined.join(ids, ids.c.alarm == _a.alarm)
    columns = (t.alarms, _n.chattering, hidden.label("hidden"), OVER.label("over"))
    return select(*columns).select_from(joined).where(_a.raised_at.is_not(None))


def alarms(db: Connection, *, view: View = "shown", area: str = "", limit: int = 200, offset: int = 0) -> AlarmPage:
    """What stands: unacknowledged first, then by priority, then the newest. `area`: it and all below it."""
    page = foremost(db, view=view, area=area, limit=limit, offset=offset)
    if not offset and len(page) < limit:
        return AlarmPage(alarms=page, total=len(page))
    total = db.scalar(select(func.count()).select_from(t.alarms).where(*_which(view, area))) or 0
    return AlarmPage(alarms=page, total=total)


def foremost(
    db: Connection, *, view: View = "shown", area: str = "", limit: int = 200, offset: int = 0
) -> tuple[Alarm, ...]:
    """A page without the total, which takes longer than the page when much stands."""
    order = (_a.acknowledged, _a.urgency.desc(), _a.raised_at.desc(), _a.alarm)  # as alarms_standing_idx
    ids = select(_a.alarm).where(*_which(view, area)).order_by(*order).limit(limit).offset(offset)
    return tuple(rows(db, occurrences(ids).order_by(*order), Alarm))


def _which(view: View, area: str) -> list[ColumnElement[bool]]:
    return [_VIEWS[view], *([within(_a.area, area)] if area else [])]


def counts(db: Connection, *, area: str = "") -> Counts:
    shown, waits = not_(_a.held_back), not_(_a.acknowledged)
    sounds = and_(waits, not_(_a.silenced), not_(func.coalesce(_a.late, False)))
    one = select(
        func.count().filter(shown, _a.active), func.count().filter(shown, waits),
        func.count().filter(shown, _a.latched), func.count().filter(shown, sounds), func.count().filter(_a.held_back),
    ).select_from(t.alarms).where(_SEEN, *([within(_a.area, area)] if area else []))  # fmt: skip
    active, unacknowledged, latched, sounding, held_back = db.execute(one).one()
    which = [_HOLDS, *([within(_o.area, area)] if area else [])]
    each = select(_RANK.label("rank")).where(*which).group_by(_o.area, _o.name).subquery()
    found = db.execute(select(each.c.rank, func.count()).group_by(each.c.rank)).all()
    of = {PRECEDENCE[rank]: number for rank, number in found}
    return Counts(
        active=active, unacknowledged=unacknowledged, latched=latched, sounding=sounding, held_back=held_back,
        shelved=of.get("shelved", 0), suppressed=of.get("suppressed", 0), out_of_service=of.get("out of service", 0),
    )  # fmt: skip


def alarm(db: Connection, occurrence: UUID) -> Alarm | None:
    return next(iter(rows(db, occurrences().where(_a.alarm == occurrence), Alarm)), None)


def named(db: Connection, name: str, *, area: str = "") -> list[Alarm]:
    """The newest occurrence of the alarm of that name; several where areas use the same name."""
    which = [_n.alarm == _a.alarm, _n.name == name, *([within(_a.area, area)] if area else [])]
    return rows(db, occurrences().where(*which).order_by(_a.area), Alarm)


def overrides(
    db: Connection, *, kind: Override | None = None, area: str = "", name: str = "", limit: int = 1000
) -> list[OverrideRow]:
    """What is shelved, suppressed, out of service: newest first, one line for each cause."""
    since = _o.since.label("since")
    which = [_HOLDS, *([_o.kind == kind] if kind else []), *([within(_o.area, area)] if area else [])]
    which += [_o.name == name] if name else []
    columns = (_o.area, _o.name, _o.kind, _o.cause, _o.by, _o.reason, since, _o.until, _o.one_shot, _o.device)
    joined = t.alarm_overrides.outerjoin(t.alarm_names, and_(_n.area == _o.area, _n.name == _o.name)).outerjoin(
        t.alarms, _n.alarm == _a.alarm
    )
    active = func.coalesce(_a.active, literal(False)).label("active")
    query = select(*columns, _a.alarm, active, _a.priority, _a.message).select_from(joined).where(*which)
    return rows(db, query.order_by(since.desc(), _o.area, _o.name, _o.cause).limit(limit), OverrideRow)


def floods(db: Connection) -> list[StandingFlood]:
    f = t.floods.c
    query = select(t.floods).where(f.began_at.is_not(None), f.ended_at.is_(None))
    return rows(db, query.order_by(f.began_at), StandingFlood)


def locked(db: Connection) -> list[LockedDevice]:
    """Devices in maintenance."""
    d = t.devices.c
    return rows(db, select(t.devices).where(d.locked_at.is_not(None)).order_by(d.locked_at), LockedDevice)


def chattering(db: Connection) -> list[Chatterer]:
    query = select(
        _n.area, _n.name, _n.chattering_since.label("since"), _n.chatter_times.label("times"),
        _n.chatter_within_s.label("within_s"),
    ).where(_n.chattering)  # fmt: skip
    return rows(db, query.order_by(_n.chattering_since.desc()).limit(200), Chatterer)
