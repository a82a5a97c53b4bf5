"""Questions to the log's tables: rows typed, areas by their tree, lines of the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, or_, select

from analytics.rows import Happened
from eventlog import tables as t

Row = TypeVar("Row", bound=Struct)


def rows(db: Connection, query: Select[Any], type_: type[Row]) -> list[Row]:
    """The rows as `type_`: columns it does not have are left out, NULL takes the field's default.

    Raises:
        msgspec.ValidationError: a row lacks what the type needs.
    """
    return [
        msgspec.convert({str(k): v for k, v in row.items() if v is not None}, type_, strict=False)
        for row in db.execute(query).mappings()
    ]


def within(column: ColumnElement[Any], area: str) -> ColumnElement[bool]:
    """In the area or below it: "shop" has "shop/press" in it."""
    return or_(column == area, column.startswith(area + "/", autoescape=True))


def lines(
    db: Connection, types: Sequence[str], *, area: str = "", stream: str = "", since: datetime | None = None,
    until: datetime | None = None, limit: int = 200,
) -> list[Happened]:  # fmt: skip
    """Lines of the log of these types, newest first; `since` <= time < `until`."""
    e = t.events.c
    query = select(t.events).where(e.type.in_(types))
    if area:
        query = query.where(within(e.area, area))
    if stream:
        query = query.where(e.stream == stream)
    if since is not None:
        query = query.where(e.time >= since)
    if until is not None:
        query = query.where(e.time < until)
    return [happened(r) for r in db.execute(query.order_by(e.time.desc(), e.position.desc()).limit(limit)).mappings()]


def happened(row: Any) -> Happened:
    """A row of `events`."""
    return Happened(
        at=row["time"], published_at=row["published_at"], recorded_at=row["recorded_at"], position=row["position"],
        type=row["type"], author=row["author"], id=row["id"], cause=row["cause"], area=row["area"],
        facts={k: v for k, v in row["payload"].items() if k != "type"},
    )  # fmt: skip
