"""One line of the log: an event or a request with where it came from, and its link in the hash chain of its area.

    hash = sha256(hash of the line before in the area || canonical bytes of this line)

The first line follows 32 zero bytes. The canonical bytes are JSON that survives the database and any JSON reader:
`[position, id, time, published_at, recorded_at, area, stream, type, author, cause, payload]`, times in microseconds
since the epoch, keys sorted, no spaces, UTF-8, numbers without a fraction as integers. So a stranger can check the
chain with what the table shows.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from events.codec import encode_json
from events.envelope import Event, Fact
from events.playbooks import ActingAllowed, ActingStopped
from events.requests import Request
from events.types import to_micros

_FACTS_OF_REQUESTS = frozenset({"request.refused", "request.issued"})
"""The other types that begin so are requests themselves."""
GENESIS = bytes(32)
"""What the first line of an area follows."""


class Entry(Struct, frozen=True, kw_only=True):
    """What is appended.

    Attributes:
        time: when it happened, UTC; with `id` it is the identity of the line.
        stream: what it is about: "alarm:UUID", "name:ALARM", "incident:UUID", "run:UUID", "device:NAME", …
        type: the tag of the fact; "request.…" for a request.
        payload: the fact as JSON.
        published_at: the time of its Kafka record; None where it did not come through Kafka.
    """

    id: UUID
    time: datetime
    published_at: datetime | None = None
    area: str
    stream: str
    type: str
    author: str
    cause: UUID
    payload: bytes
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class Recorded(Entry, frozen=True, kw_only=True):
    """A line that is in the log. Attributes: position: its number, ascending in the order of commits, without holes."""

    position: int
    recorded_at: datetime
    hash: bytes

    @property
    def fact(self) -> Fact | None:
        """The fact; None for a request."""
        asked = self.type.startswith("request.") and self.type not in _FACTS_OF_REQUESTS
        return None if asked else fact_of(self.payload)

    @property
    def event(self) -> Event | None:
        """The event; None for a request."""
        fact = self.fact
        return Event(self.id, self.time, self.area, self.cause, self.author, fact) if fact is not None else None


def entry_of(
    event: Event,
    *,
    published_at: datetime | None = None,
    topic: str | None = None,
    partition: int | None = None,
    offset: int | None = None,
) -> Entry:
    fact = event.fact
    return Entry(
        id=event.id, time=event.at.astimezone(UTC), published_at=published_at, area=_text(event.area),
        stream=_text(stream_of(fact, event.area)), type=_tag(fact), author=_text(event.author), cause=event.cause,
        payload=_json(fact), topic=topic, partition=partition, offset=offset,
    )  # fmt: skip


def entry_of_request(
    request: Request,
    *,
    published_at: datetime | None = None,
    topic: str | None = None,
    partition: int | None = None,
    offset: int | None = None,
) -> Entry:
    """A request as a line: what was asked, by whom, until when. Its cause is itself."""
    author = request.by if request.role == "system" else f"person {request.by}"
    asked = {"role": request.role, "expires": request.expires, **msgspec.to_builtins(request.body)}
    return Entry(
        id=request.id, time=request.at.astimezone(UTC), published_at=published_at, area=_text(request.area),
        stream=f"request:{request.id}", type=f"request.{_tag(request.body)}", author=_text(author),
        cause=request.id, payload=_json(asked), topic=topic, partition=partition, offset=offset,
    )  # fmt: skip


_STREAMS: tuple[tuple[str, str], ...] = (
    ("command", "command"), ("run", "run"), ("incident", "incident"), ("notification", "notification"),
    ("occurrence", "alarm"), ("alarm", "alarm"), ("request", "request"), ("name", "name"), ("device", "device"),
    ("source", "source"), ("stage", "stage"), ("position", "position"), ("scope", "flood"), ("condition", "alarm"),
    ("errand", "errand"), ("playbook", "playbook"),
)  # fmt: skip
"""Field of a fact → the kind of stream it names. The first field that says something decides: a notification of a run
belongs to the run, one without run or incident to itself. "name" is an alarm whatever its occurrence."""
OF_AREA = ActingStopped | ActingAllowed
"""Facts about a whole area, which stands in their event."""


def stream_of(fact: Fact, area: str = "") -> str:
    """What the fact, of this area, is about: "alarm:UUID" and the like."""
    if isinstance(fact, OF_AREA):
        return f"acting:{area}"
    for field, kind in _STREAMS:
        if getattr(fact, field, None) is not None:
            return f"{kind}:{getattr(fact, field)}"
    raise TypeError(f"{type(fact).__name__} belongs to no stream: name its field in _STREAMS")


def link(before: bytes, line: Recorded) -> bytes:
    """The hash of `line`, which follows the line with the hash `before`. Ignores `line.hash`."""
    return sha256(before + canonical(line)).digest()


def canonical(line: Recorded) -> bytes:
    times = (line.time, line.published_at, line.recorded_at)
    row = [
        line.position, str(line.id), *(None if t is None else to_micros(t) for t in times), line.area, line.stream,
        line.type, line.author, str(line.cause), _read(line.payload.decode()),
    ]  # fmt: skip
    return _write(row).encode()


_EXACT = 2**53


def _number(text: str) -> float | int:
    """The same number, however it is written: the database writes 1e22 as 10000000000000000000000, and 5.0 as 5.0."""
    if text.lstrip("-").isdigit() and len(text) < 16:
        return int(text)
    number = float(text)
    return int(number) if math.isfinite(number) and number.is_integer() and abs(number) < _EXACT else number


_read = json.JSONDecoder(parse_float=_number, parse_int=_number).decode
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


_decode_fact: Callable[[bytes], Fact] = msgspec.json.Decoder(Fact).decode
_NULL = re.compile(r"got `null` - at `\$\.(\w+)(\[\.\.\.\])?`")


def fact_of(payload: bytes) -> Fact:
    """The fact of a payload. JSON has no NaN: a null where the type wants a number is one.

    Raises:
        msgspec.ValidationError: it is no fact that this version knows.
    """
    plain: dict[str, Any] | None = None
    while True:
        try:
            return _decode_fact(payload) if plain is None else msgspec.convert(plain, Fact)
        except msgspec.ValidationError as error:
            null = _NULL.search(str(error))
            if null is None or "float" not in str(error):
                raise
            plain = msgspec.json.decode(payload) if plain is None else plain
            if null[2]:
                plain[null[1]] = {k: math.nan if v is None else v for k, v in plain[null[1]].items()}
            else:
                plain[null[1]] = math.nan


def _tag(fact: object) -> str:
    return str(fact.__struct_config__.tag)  # type: ignore[attr-defined]


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def _json(value: object) -> bytes:
    """JSON without the NUL character: PostgreSQL refuses it, and one such text must not stop the log."""
    raw = encode_json(value)
    return _NUL.sub(rb"\1\\ufffd", raw) if b"\\u0000" in raw else raw


def _text(text: str) -> str:
    return text.replace("\0", "\ufffd")
