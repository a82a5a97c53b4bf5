"""What the brains were given, as the log keeps it: enough to give it to them again in the same order. Pure.

Frames are in `scans`, with their offset; events of decisions are lines of the log. Beside them are kept:

- `Ticks`: the time as each partition heard it, a minute of it to a row (10 bytes a tick);
- `Decided`: which input a decision answers, and where the decision lies: the stage behind finds it by that;
- `Input`: every other record of an inbox as it was, also what could not be read;
- `Checkpoint`: a stage's snapshot now and then, so that a replay need not begin with the first day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from events import topics
from events.codec import decode_record, encode
from events.envelope import Configure, Decision
from events.types import from_micros, to_micros

Key = tuple[str, int]
"""Topic and partition."""
INBOXES = frozenset(topics.SNAPSHOTS)
CHECKPOINT_EVERY = timedelta(hours=1)
TICKS_A_ROW = 64
_FAR = 2**31


class Input(Struct, frozen=True):
    """A record of the inbox `key`. Attributes: body: its bytes; of a `Configure` with the digest for a body."""

    key: Key
    offset: int
    published_at: datetime
    body: bytes


class Ticks(Struct, frozen=True):
    """Ticks of the inbox `key`, in order. Attributes: offsets: (n,); micros: (n,) [us since the epoch]."""

    key: Key
    offsets: tuple[int, ...]
    micros: tuple[int, ...]


class Decided(Struct, frozen=True):
    """Attributes: key: topic and partition of the decision; cause: offset of its input; offset: its own; events: ids of
    its events, in order, also of those that it passes on and the log has from elsewhere."""

    key: Key
    cause: int
    offset: int
    events: tuple[UUID, ...]


class Checkpoint(Struct, frozen=True):
    """Attributes: key: the inbox; position: the first input that is not in it; at: its newest tick; snapshot: packed
    `bus.fold.Snapshot`."""

    key: Key
    position: int
    at: datetime
    snapshot: bytes


class Given(Struct, frozen=True):
    """What one batch adds. Attributes: definitions: bodies of `Configure`, by their digest."""

    inputs: Sequence[Input] = ()
    ticks: Sequence[Ticks] = ()
    decided: Sequence[Decided] = ()
    checkpoints: Sequence[Checkpoint] = ()
    definitions: Mapping[bytes, bytes] = {}


class Taking:
    """Gathers what a batch adds. Attributes: kept: by inbox, the time of its newest checkpoint."""

    def __init__(self, kept: Mapping[Key, datetime]) -> None:
        self._kept = dict(kept)
        self._open: dict[Key, tuple[list[int], list[int]]] = {}
        self._begin()

    def _begin(self) -> None:
        self._inputs: list[Input] = []
        self._rows: dict[tuple[Key, int], Ticks] = {}
        self._ticked: set[Key] = set()
        self._decided: list[Decided] = []
        self._checkpoints: list[Checkpoint] = []
        self._definitions: dict[bytes, bytes] = {}

    def batch(self) -> Given:
        """All since the last batch. A row of ticks that goes on is given again, longer."""
        for key in self._ticked:
            self._close(key)
        given = Given(
            self._inputs, list(self._rows.values()), self._decided, self._checkpoints, self._definitions
        )  # fmt: skip
        self._begin()
        return given

    def input(self, key: Key, offset: int, published_at: datetime, raw: bytes) -> None:
        """Any record of an inbox that is kept nowhere else; a record of another topic is not."""
        if key[0] in INBOXES:
            self._inputs.append(Input(key, offset, published_at, raw))

    def configure(self, key: Key, offset: int, published_at: datetime, given: Configure) -> None:
        """Its body is the same for all partitions and at every start: it is kept once."""
        digest = sha256(given.body).digest()
        self._definitions[digest] = given.body
        self.input(key, offset, published_at, encode(structs.replace(given, body=digest)))

    def tick(self, key: Key, offset: int, at: datetime) -> None:
        if key[0] not in INBOXES:
            return
        micros = to_micros(at)
        offsets, times = self._open.setdefault(key, ([], []))
        if offsets and (
            len(offsets) == TICKS_A_ROW or offset - offsets[0] >= _FAR or abs(micros - times[0]) >= _FAR
        ):  # fmt: skip
            self._close(key)
            offsets, times = self._open[key] = ([], [])
        offsets.append(offset)
        times.append(micros)
        self._ticked.add(key)

    def decision(self, key: Key, offset: int, decision: Decision) -> None:
        """One that counts."""
        self._decided.append(Decided(key, decision.cause, offset, tuple(e.id for e in decision.events)))

    def checkpoint(self, key: Key, position: int, at: datetime, raw: bytes) -> None:
        """Keep it, if the one before is old enough."""
        before = self._kept.get(key)
        if before is None or at - before >= CHECKPOINT_EVERY:
            self._kept[key] = at
            self._checkpoints.append(Checkpoint(key, position, at, raw))

    def _close(self, key: Key) -> None:
        offsets, times = self._open[key]
        self._rows[key, offsets[0]] = Ticks(key, tuple(offsets), tuple(times))


def whole(body: bytes, definitions: Mapping[bytes, bytes]) -> bytes:
    """The bytes of an input as the brain was given them. `definitions`: see `Given`."""
    try:
        record = decode_record(body)
    except msgspec.MsgspecError:
        return body  # the brain could not read it either
    if isinstance(record, Configure):
        return encode(structs.replace(record, body=definitions[record.body]))
    return body


def inbox_of(snapshots: str) -> str:
    """The inbox whose stage keeps its snapshots in that topic; "" for another topic."""
    return next((inbox for inbox, name in topics.SNAPSHOTS.items() if name == snapshots), "")


def tick_row(ticks: Ticks) -> tuple[object, ...]:
    """Its row: the arrays are differences from the first."""
    first, at = ticks.offsets[0], ticks.micros[0]
    return (
        *ticks.key, first, from_micros(at), [o - first for o in ticks.offsets], [m - at for m in ticks.micros],
    )  # fmt: skip
