"""Kafka records → a batch for the log. Pure: knows how far each topic was taken, and what counts.

- Decisions count by the chain rule (`events.envelope.Chain`); their events are new.
- Reported events may be said again: the log knows them by their id.
- What is relayed to the plant-wide area is in the log already, in its own topic: only the position moves.
- Requests are lines too: what somebody asked for is part of the record, also when it was refused.
- Frames of a numbered source count once: a number at or below the last in the partition is a repetition.
- Bytes nobody can read become a dead letter.
- What the brains were given is kept as it lay (`given.py`): ticks, configurations, replies, and stages' snapshots
  now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from bus.fold import decode_snapshot
from eventlog.entry import Entry, entry_of, entry_of_request
from eventlog.given import Taking, inbox_of
from eventlog.log import Advance, Batch, Key, Position, SourceSeen
from eventlog.scans import UnusableFrameError, check
from events import topics
from events.codec import decode_dead_letter, decode_record
from events.envelope import Configure, DeadLetter, Decision, Event, Reported, Tick
from events.readings import Frame, FrameError, Packed, is_numbered, unpack
from events.requests import Request
from events.types import from_micros, make_id

REANCHOR = None
"""As `Position.last`: records were lost, the next decision counts whatever its `prev`."""


class Intake:
    """Attributes: refused: decisions that did not count; repeated: frames that were there already."""

    def __init__(
        self, positions: Mapping[Key, Position], marks: Mapping[Key, int],
        checkpoints: Mapping[Key, datetime] | None = None,
    ) -> None:  # fmt: skip
        """checkpoints: by inbox, the time of its newest."""
        self._positions, self._marks = dict(positions), dict(marks)
        self._given = Taking(checkpoints or {})
        self.refused = self.repeated = 0
        self._begin()

    def _begin(self) -> None:
        self._entries: list[Entry] = []
        self._frames: list[Frame] = []
        self._offsets: list[int] = []
        self._letters: list[DeadLetter] = []
        self._starts: dict[Key, int] = {}
        self._moved: dict[Key, int] = {}
        self._sources: dict[str, SourceSeen] = {}

    def position(self, key: Key) -> Position:
        return self._positions.get(key, Position())

    @property
    def says_something(self) -> bool:
        """Whether there is more to write than moved positions."""
        return bool(self._entries or self._frames or self._letters)

    @property
    def lines(self) -> int:
        """How many events and requests there are to write."""
        return len(self._entries)

    @property
    def empty(self) -> bool:
        return not self._starts

    def batch(self) -> Batch:
        """All that was taken since the last batch."""
        out = Batch(
            entries=self._entries, frames=self._frames, offsets=self._offsets, letters=self._letters,
            marks=self._moved, sources=self._sources, given=self._given.batch(),
            advances={k: Advance(start=start, to=self._positions[k]) for k, start in self._starts.items()},
        )  # fmt: skip
        self._begin()
        return out

    def take(self, key: Key, offset: int, published_at: datetime, raw: bytes) -> None:
        """One record. Nothing about it raises; what cannot be taken is a dead letter. An offset taken before does
        nothing, one further on tells that records between are gone (the caller says so: `lose`)."""
        before = self.position(key)
        if offset < before.next:
            return
        after = before
        try:
            after = self._take(key, offset, published_at, raw, before)
        except (FrameError, UnusableFrameError) as error:
            self._refuse(key, offset, published_at, error.field, error.reason, raw)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
            self._refuse(key, offset, published_at, "", str(error) or type(error).__name__, raw)
        self._advance(key, msgspec.structs.replace(after, next=offset + 1))

    def park(self, key: Key, offset: int, published_at: datetime, raw: bytes, reason: str) -> None:
        """Take a record that the database refused as a dead letter; the chain goes on behind it."""
        last = self.position(key).last
        try:
            record = decode_record(raw)
        except msgspec.MsgspecError:
            record = None
        if isinstance(record, Decision) and last in (REANCHOR, record.prev):
            last = record.cause
        self._refuse(key, offset, published_at, "", reason, raw)
        self._advance(key, msgspec.structs.replace(self.position(key), next=offset + 1, last=last))

    def lose(self, key: Key, first: int, at: datetime) -> None:
        """The topic begins at offset `first`, behind our position: what lay between is lost to the log, and is said."""
        gone = self.position(key).next
        reason = f"the records {gone} to {first - 1} had expired in Kafka before the log could take them"
        self._letters.append(_letter(key, gone, at, "", reason, b""))
        self._advance(key, Position(next=first, last=REANCHOR, whole_since=first))

    def _refuse(self, key: Key, offset: int, at: datetime, field: str, reason: str, raw: bytes) -> None:
        """A dead letter; the brain was given it nevertheless."""
        self._letters.append(_letter(key, offset, at, field, reason, raw))
        self._given.input(key, offset, at, raw)

    def _advance(self, key: Key, to: Position) -> None:
        self._starts.setdefault(key, self.position(key).next)
        self._positions[key] = to

    def _take(self, key: Key, offset: int, published_at: datetime, raw: bytes, before: Position) -> Position:
        """Raises: FrameError, UnusableFrameError, MsgspecError and the like: the record cannot be taken."""
        topic, partition = key
        if topic == topics.DEADLETTER:
            self._letters.append(decode_dead_letter(raw))
            return before
        if inbox := inbox_of(topic):
            self._snapshot((inbox, partition), raw)
            return before
        match decode_record(raw):
            case Packed() as packed:
                self._frame(unpack(packed), partition, offset)
            case Decision() as decision:
                if before.last not in (REANCHOR, decision.prev):
                    self.refused += 1
                    return before
                self._events(decision.events, key, offset, published_at)
                self._given.decision(key, offset, decision)
                return msgspec.structs.replace(before, last=decision.cause)
            case Reported(source=source) if source.startswith(topics.RELAY):
                self._given.input(key, offset, published_at, raw)  # copies of lines that come from their own topic
            case Reported() as reported:
                self._events(reported.events, key, offset, published_at)
                self._given.input(key, offset, published_at, raw)
                newest = max((e.at for e in reported.events), default=None)
                if newest is not None and is_numbered(reported.source):  # the others are services, not devices
                    self._see(reported.source, reported.sequence, newest)
            case Request() as request:
                line = entry_of_request(
                    request, published_at=published_at, topic=topic, partition=partition, offset=offset
                )
                self._entries.append(line)
                self._given.input(key, offset, published_at, raw)
            case Tick(at=at):
                self._given.tick(key, offset, at)
                newest = at if before.tick_at is None else max(at, before.tick_at)
                return msgspec.structs.replace(before, tick_at=newest)
            case Configure() as configure:  # the stage says `Configured` when it goes by it
                self._given.configure(key, offset, published_at, configure)
        return before

    def _events(self, events: tuple[Event, ...], key: Key, offset: int, published_at: datetime) -> None:
        topic, partition = key
        self._entries += [
            entry_of(e, published_at=published_at, topic=topic, partition=partition, offset=offset) for e in events
        ]

    def _frame(self, frame: Frame, partition: int, offset: int) -> None:
        check(frame)
        if is_numbered(frame.source):
            mark = (frame.source, partition)
            if frame.sequence <= self._marks.get(mark, -1):
                self.repeated += 1
                return
            self._marks[mark] = self._moved[mark] = frame.sequence
        self._frames.append(frame)
        self._offsets.append(offset)
        self._see(frame.source, frame.sequence, from_micros(int(frame.times[-1])))

    def _snapshot(self, inbox: Key, raw: bytes) -> None:
        try:
            snapshot = decode_snapshot(raw)
        except msgspec.MsgspecError:
            return  # of other code: its stage says so
        self._given.checkpoint(inbox, snapshot.position, snapshot.now, raw)

    def _see(self, source: str, sequence: int, time: datetime) -> None:
        number = sequence if is_numbered(source) else None
        if (seen := self._sources.get(source)) is not None:
            time = max(time, seen.time)
            number = None if number is None else max(number, seen.sequence or 0)
        self._sources[source] = SourceSeen(sequence=number, time=time)


def _letter(key: Key, offset: int, at: datetime, field: str, reason: str, raw: bytes) -> DeadLetter:
    topic, partition = key
    return DeadLetter(
        id=make_id("log", topic, partition, offset), at=at, origin=f"kafka {topic}/{partition} at {offset}",
        field=field, reason=reason[:2000].replace("\0", "\ufffd"), original=raw,
    )  # fmt: skip
