"""One partition of one inbox, given again to the brain that decided it. Pure: records come from an iterator.

What lay in the inbox is given in its order, at its offset, behind the same `Fold` as in the plant: so the same brain
says the same with the same ids. A decision of the stage before is not taken from the log: the replay of that stage says
it, and it goes where it lay in history (`Decided` marks the place). What history does not have goes in before the first
tick that is newer than the one it was decided at.

Who needs something of another stream first drives it as far (`through`, `until`): decisions look back in time, so this
ends. A stream that is at work already is not driven: what it will say lies later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

import msgspec
from msgspec import Struct

from bus.fold import Fold
from detection.brain import AWAY, DetectionBrain
from eventlog.given import Decided, Input
from eventlog.inboxes import Item, Scans
from eventlog.log import Key
from events.codec import decode_record, encode
from events.envelope import Configure, Decision, Record, Reported, Tick
from events.types import EPOCH, to_micros
from replay.due import due
from replay.sweeping import thinned

_NO_TICK = timedelta(0)


class Said(Struct, frozen=True):
    """One decision. Attributes: key: the inbox of its stage; at: the newest tick then; input: what it decided; extra:
    history has no such input; offset: where history has the decision, None where it has none."""

    key: Key
    at: datetime
    input: datetime | bytes
    extra: bool
    offset: int | None
    decision: Decision


class Stream:
    """Attributes:
        key: topic and partition of the inbox; first: offset of the first input that is given.
        before: the stream whose decisions it takes; feeders: those to be as far as this one at each of its ticks.
        origins: by source, the stream whose decisions come here as reports (what is relayed).
        clock: the newest tick.
    """

    def __init__(
        self, key: Key, fold: Fold, items: Iterator[Item], recorded: Mapping[int, Decided],
        change: tuple[int, Configure] | None = None,
    ) -> None:  # fmt: skip
        """change: from this offset on another configuration is in force; those of history are left out from there."""
        self.key, self.fold, self.first, self.clock = key, fold, fold.position, fold.now
        self.before: Stream | None = None
        self.feeders: list[Stream] = []
        self.origins: dict[str, Stream] = {}
        self.tell: Callable[[Said], None] = lambda _: None
        self.changed = False
        """Whether the other configuration is in force."""
        self.admit: Callable[[Record], Record | None] = lambda record: record
        """What becomes of a record of history behind the change."""
        self.heard: deque[Said] = deque()
        self._later: list[tuple[datetime, int, bytes]] = []
        self._order = count()
        self._recorded = recorded
        self._causes = {d.offset: d.cause for d in recorded.values()}
        self._placed: dict[int, Decision] = {}
        self._change = change
        self._busy = False
        self._due: datetime | None = EPOCH
        self._detection = fold.brain if isinstance(fold.brain, DetectionBrain) else None
        if self._detection is not None:
            items = thinned(items, self._detection, change[0] if change else None)
        self._items = items
        self._next = next(self._items, None)

    # --- how far ---------------------------------------------------------------------------------------------------

    def through(self, offset: int) -> None:
        """Decide all inputs up to this offset."""
        while not self._busy and self._next is not None and self._next[0] <= offset:
            self._step()

    def until(self, at: datetime) -> None:
        """Decide all inputs before the first tick that is not before `at`."""
        while not self._busy and self._next is not None:
            given = self._next[1]
            if isinstance(given, datetime) and given >= at:
                return
            self._step()

    def later(self, at: datetime, record: Record) -> None:
        """An input that history does not have, to be given when it is so late."""
        heappush(self._later, (at, next(self._order), encode(record)))

    # --- one after the other ---------------------------------------------------------------------------------------

    def _step(self) -> None:
        assert self._next is not None
        offset, given = self._next
        self._busy = True
        if self._change is not None and not self.changed and offset >= self._change[0]:
            self.changed = True
            self._decide(offset, encode(self._change[1]), extra=True)
        match given:
            case datetime():
                self._tick(offset, given)
            case Decided(cause=cause):
                self._hear(offset, cause)
            case Input(body=body):
                self._input(offset, body)
            case Scans():
                self._decide(offset, given.raw())
        while self._later and self._later[0][0] <= self.clock:
            self._decide(offset, heappop(self._later)[2], extra=True)
        self._next = next(self._items, None)
        self._busy = False

    def _tick(self, offset: int, at: datetime) -> None:
        for feeder in self.feeders:
            feeder.until(at)
        while self.heard and self.heard[0].offset is None and self.heard[0].at < at:
            self._decide(offset, encode(self.heard.popleft().decision), extra=True)
        while self._later and self._later[0][0] < at:
            self._decide(offset, heappop(self._later)[2], extra=True)
        if self._is_quiet(at):
            self.fold.now = self.fold.brain.now = max(at, self.fold.now)
        else:
            self._decide(offset, encode(Tick(at)), tick=at)
        self.clock = max(self.clock, at)

    def _hear(self, offset: int, cause: int) -> None:
        """At this place lies the decision of the stage before on its input `cause`, if it says it again. What it said
        sooner goes first: a chain has an order."""
        assert self.before is not None
        self.before.through(cause)
        if not any(said.offset == offset for said in self.heard):
            return
        while True:
            said = self.heard.popleft()
            self._decide(offset, encode(said.decision), extra=said.offset != offset)
            if said.offset == offset:
                return

    def _input(self, offset: int, body: bytes) -> None:
        try:
            record: Record | None = decode_record(body)
        except msgspec.MsgspecError:
            self._decide(offset, body)
            return
        if isinstance(record, Reported) and (origin := self.origins.get(record.source)) is not None:
            record = None if self.changed else origin.said_again(record)
        elif self.changed:
            record = None if isinstance(record, Configure) else self.admit(record) if record is not None else None
        if record is not None:
            self._decide(offset, encode(record))

    def said_again(self, report: Reported) -> Reported | None:
        """The report on a decision of this stream, `report.sequence` its place, as the replay said it; None if not."""
        cause = self._causes.get(report.sequence)
        if cause is None or cause < self.first:
            return report  # of before the replay
        self.through(cause)
        decision = self._placed.get(report.sequence)
        if decision is None:
            return None
        wanted = {e.id for e in report.events}
        events = tuple(e for e in decision.events if e.id in wanted)
        return Reported(report.source, report.sequence, events) if events else None

    def _decide(self, offset: int, raw: bytes, *, extra: bool = False, tick: datetime | None = None) -> None:
        self.fold.position = offset  # several may be decided at one place, and places may be left out
        decision = self.fold.decide(offset, raw)
        if decision is None:
            return
        self._due = EPOCH
        place = None if extra else self._recorded.get(offset)
        said = Said(self.key, self.clock, tick or raw, extra, place.offset if place else None, decision)
        if place is not None:
            self._placed[place.offset] = decision
        self.tell(said)

    def _is_quiet(self, at: datetime) -> bool:
        """Whether the tick would only tell the time."""
        if at <= self.fold.now:
            return True
        if self._detection is not None:  # its state changes with frames; who was away watches anew
            return self._detection.due > to_micros(at) and _NO_TICK < at - self.fold.now <= AWAY
        if self._due == EPOCH:  # the others' only by what they say
            self._due = due(self.fold.brain)
        return self._due is None or self._due > at
