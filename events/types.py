"""The small words every event is made of: instants, ids, priorities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, convert, to_builtins

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment with its time zone: a naive time is refused on decode. We write UTC."""

Priority = Literal["low", "medium", "high", "critical"]
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "critical")
"""Ascending: `PRIORITIES.index` orders them."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMESPACE = UUID("b1f8f3f0-6f3b-5f53-9c57-0a5d0de5a1a5")
_PREFIX = NAMESPACE.bytes


def from_micros(micros: int) -> datetime:
    """The instant `micros` microseconds after the epoch; exact, unlike `fromtimestamp` of a float."""
    return EPOCH + timedelta(microseconds=micros)


def to_micros(at: datetime) -> int:
    """Microseconds since the epoch of an aware `at`; exact."""
    return (at - EPOCH) // timedelta(microseconds=1)


def make_id(*parts: object) -> UUID:
    """The id that these parts always get: said again, it is recognised (uuid5 over the joined parts)."""
    # as `uuid.uuid5`, but the slow turns between UUID, text and bytes are left to msgspec, which makes them in C
    name = "|".join([to_builtins(p) if type(p) is UUID else str(p) for p in parts])
    raw = bytearray(sha1(_PREFIX + name.encode(), usedforsecurity=False).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50  # version 5
    raw[8] = raw[8] & 0x3F | 0x80  # variant of RFC 9562
    return convert(raw, UUID)
