"""The log, as its users see it. Two make it: `memory.MemoryLog`, `timescale.TimescaleLog`; one contract suite
(tests/contract) holds them equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from eventlog.entry import Entry, Recorded
from eventlog.given import Given
from eventlog.given import Key as Key
from events.envelope import DeadLetter
from events.readings import Frame


class LogError(Exception):
    """Base of the log's refusals."""


class PositionConflictError(LogError):
    """Somebody else took the topic further: nothing of the batch was written. Read the positions and begin anew."""

    def __init__(self, batch: Mapping[Key, int]) -> None:
        super().__init__(f"the log is not at {dict(batch)}: another writer was here, or this batch was taken already")
        self.batch = dict(batch)


class ChainBrokenError(LogError):
    """A line was changed, removed or put in: nothing after `position` in the area can be believed."""

    def __init__(self, area: str, position: int, reason: str) -> None:
        super().__init__(f"the chain of {area!r} is broken at position {position}: {reason}")
        self.area, self.position, self.reason = area, position, reason


class Position(Struct, frozen=True, kw_only=True):
    """How far the log has taken one topic's partition.

    Attributes:
        next: the next offset to take.
        last: cause of the last decision that counted (see `events.envelope.Chain`), -1 before the first; None: records
            were lost before they could be logged, the next decision counts whatever its `prev`.
        tick_at: the newest tick seen: the log is complete up to then, as far as this partition goes.
        whole_since: from this offset on the log has all that a brain was given, in order.
    """

    next: int = 0
    last: int | None = -1
    tick_at: datetime | None = None
    whole_since: int = 0


class Advance(Struct, frozen=True, kw_only=True):
    """A step of one partition: it was at `start`, it will be at `to`."""

    start: int
    to: Position


class SourceSeen(Struct, frozen=True, kw_only=True):
    """Attributes: sequence: the highest number of the source in the batch, None if it numbers nothing; time: of its
    newest reading or fact."""

    sequence: int | None
    time: datetime


class Batch(Struct, frozen=True, kw_only=True):
    """What one transaction appends; all of it or nothing.

    Attributes:
        entries: events and requests, in order; what the log has already (same id and time) is left out.
        frames: scans. Of numbered sources each is new; of unnumbered ones (`unnumbered.py`) the log drops what it has.
        offsets: of the frames in their topic; empty for what does not come through Kafka.
        letters: what could not be taken.
        given: what the brains were given, beside frames and events.
        advances: steps of Kafka positions; empty for what does not come through Kafka.
        marks: (source, partition) → highest sequence number of its frames.
    """

    entries: Sequence[Entry] = ()
    frames: Sequence[Frame] = ()
    offsets: Sequence[int] = ()
    letters: Sequence[DeadLetter] = ()
    advances: Mapping[Key, Advance] = {}
    marks: Mapping[Key, int] = {}
    sources: Mapping[str, SourceSeen] = {}
    given: Given = Given()


class Appended(Struct, frozen=True, kw_only=True):
    """How much of a batch was new. Attributes: scans, readings: rows, and values in them that were read."""

    entries: int
    scans: int
    readings: int
    letters: int


class EventLog(Protocol):
    def append(self, batch: Batch) -> Appended:
        """Add the batch.

        Raises:
            PositionConflictError: an advance does not start where the log is.
        """

    def read(
        self,
        *,
        after: int = 0,
        area: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        cause: UUID | None = None,
        stream: str | None = None,
        limit: int = 1000,
    ) -> list[Recorded]:
        """Lines with a position above `after`, in order; at most `limit`: go on after the last one's position.
        `since` <= time < `until`; `type` may end in "*"."""

    def positions(self) -> dict[Key, Position]: ...

    def marks(self) -> dict[Key, int]: ...

    def checkpoints(self) -> dict[Key, datetime]:
        """By inbox, the time of its newest checkpoint."""

    def verify(self, area: str) -> int:
        """Follow the hash chain of the area from its first line to its head; the number of lines.

        Raises:
            ChainBrokenError: at the first line that does not fit.
        """

    def rebuild(self) -> int:
        """Drop the projections and fold them from the events again; the number of events."""

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a projection, ordered by key."""
