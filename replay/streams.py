"""One partition of one inbox, given again to the brain that decided it. Pure: records come from an iterator.

What lay in the inbox is given in its order, at its offset, behind the same `Fold` as in the plant: so the same brain
says the same with the same ids. A decision of the stage before is not taken from the log: the replay of that stage says
it, and it goes where it lay in history (`Decided` marks the place). What history does not have goes in before the first
tick that is newer than the one it was decided at.

Who needs something of another stream first drives it as far (`through`, `until`): decisions look back in time, so this
ends. A stream that is at work already is not driven: what it will say lies later. Ticks that only tell the time are
passed over together, as far as nobody who is heard here can say anything (`silent_until`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heappop, heappush
from itertools import count

import msgspec
import numpy as np
from msgspec import Struct

from bus.fold import Fold
from detection.brain import AWAY, DetectionBrain
from eventlog.given import Decided, Input
from eventlog.log import Key
from eventlog.stretch import Ints, Item, Scans, Stretch, Ticks
from events.codec import decode_record, encode
from events.envelope import Configure, Decision, Record, Reported, Tick
from events.types import from_micros, to_micros
from replay.due import due
from replay.sweeping import thinned

_AWAY = round(AWAY.total_seconds() * 1e6)
_END = 2**62


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
        self, key: Key, fold: Fold, stretches: Iterable[Stretch], recorded: Mapping[int, Decided],
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
        self._due_at: int | None = None
        """None: it is to be asked for anew."""
        self._detection = fold.brain if isinstance(fold.brain, DetectionBrain) else None
        self._items = self._given(stretches)
        self._next = next(self._items, None)

    # --- how far ---------------------------------------------------------------------------------------------------

    def through(self, offset: int) -> None:
        """Decide all inputs up to this offset."""
        while not self._busy and self._next is not None and self._next[0] <= offset:
            given, end = self._next[1], _END
            if isinstance(given, Ticks) and given.offsets[-1] > offset:
                end = int(given.micros[given.offsets > offset][0])
            self._step(end)

    def until(self, at: datetime) -> None:
        """Decide all inputs before the first tick that is not before `at`."""
        end = to_micros(at)
        while not self._busy and self._next is not None:
            given = self._next[1]
            if isinstance(given, Ticks) and given.micros[0] >= end:
                return
            self._step(end)

    def silent_until(self) -> int:
        """Driven to a time that is not later, it says nothing, as far as it is known without driving it [us]."""
        if self._busy or self._next is None:
            return _END
        offset, given = self._next
        if not isinstance(given, Ticks) or self._changes(offset):
            return -1
        self._busy = True  # who is heard here may hear it, too
        quiet = self._quiet(given)
        self._busy = False
        return int(given.micros[min(quiet, len(given) - 1)])

    def later(self, at: datetime, record: Record) -> None:
        """An input that history does not have, to be given when it is so late."""
        heappush(self._later, (at, next(self._order), encode(record)))

    # --- one after the other ---------------------------------------------------------------------------------------

    def _step(self, end: int = _END) -> None:
        """Decide the next input, or pass over the next ticks as far as they are before `end` [us]."""
        assert self._next is not None
        offset, given = self._next
        self._busy = True
        if self._change is not None and self._changes(offset):
            self.changed = True
            self._decide(offset, encode(self._change[1]), extra=True)
        left: Ticks | None = None
        match given:
            case Ticks():
                left = self._tick(given, end)
            case Decided(cause=cause):
                self._hear(offset, cause)
            case Input(body=body):
                self._input(offset, body)
            case Scans():
                self._decide(offset, given.raw())
        while self._later and self._later[0][0] <= self.clock:
            self._decide(offset, heappop(self._later)[2], extra=True)
        self._next = (int(left.offsets[0]), left) if left else next(self._items, None)
        self._busy = False

    def _tick(self, ticks: Ticks, end: int) -> Ticks:
        """Take the first, or as many as only tell the time and are before `end`; those that are left."""
        if quiet := self._quiet(ticks, end):
            self._pass(ticks.micros[:quiet])
            return ticks[quiet:]
        offset, at = int(ticks.offsets[0]), from_micros(int(ticks.micros[0]))
        for feeder in self.feeders:
            feeder.until(at)
        while self.heard and self.heard[0].offset is None and self.heard[0].at < at:
            self._decide(offset, encode(self.heard.popleft().decision), extra=True)
        while self._later and self._later[0][0] < at:
            self._decide(offset, heappop(self._later)[2], extra=True)
        if self._only_tell(ticks.micros[:1]):
            self._pass(ticks.micros[:1])
        else:
            self._decide(offset, encode(Tick(at)), tick=at)
            self.clock = max(self.clock, at)
        return ticks[1:]

    def _pass(self, micros: Ints) -> None:
        at = from_micros(int(micros.max()))
        self.fold.now = self.fold.brain.now = max(at, self.fold.now)
        self.clock = max(self.clock, at)

    def _quiet(self, ticks: Ticks, end: int = _END) -> int:
        """How many from the first on only tell the time, and bring nothing that is to be heard."""
        for feeder in self.feeders:
            end = min(end, feeder.silent_until() + 1)
        if self.heard and self.heard[0].offset is None:
            end = min(end, to_micros(self.heard[0].at) + 1)
        if self._later:
            end = min(end, to_micros(self._later[0][0]))
        return self._only_tell(ticks.micros[: _before(ticks.micros, end)])

    def _only_tell(self, micros: Ints) -> int:
        """How many from the first on only tell the time: nothing is due, and nobody was away."""
        quiet = _before(micros, self._due())
        if self._detection is not None and quiet:
            now = to_micros(self.fold.now)
            told = np.maximum.accumulate(np.maximum(micros[:quiet], now))
            quiet = _before(np.diff(told, prepend=now), _AWAY + 1)
        return quiet

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
        self._due_at = None
        place = None if extra else self._recorded.get(offset)
        said = Said(self.key, self.clock, tick or raw, extra, place.offset if place else None, decision)
        if place is not None:
            self._placed[place.offset] = decision
        self.tell(said)

    def _due(self) -> int:
        """The first time at which a tick would make the brain say something [us]."""
        if self._detection is not None:
            return self._detection.due  # its state changes with frames, too
        if self._due_at is None:
            at = due(self.fold.brain)
            self._due_at = _END if at is None else to_micros(at)
        return self._due_at

    def _changes(self, offset: int) -> bool:
        """Whether the other configuration comes before what lies there."""
        return self._change is not None and not self.changed and offset >= self._change[0]

    def _given(self, stretches: Iterable[Stretch]) -> Iterator[Item]:
        """One after the other. No ticks are together over the change."""
        cuts = [self._change[0]] if self._change else []
        parts = (part for stretch in stretches for part in stretch.cut(cuts))
        if self._detection is not None:
            return thinned(parts, self._detection)
        return (item for part in parts for item in part.items())


def _before(micros: Ints, end: int) -> int:
    """How many from the first on are before `end`."""
    late = micros >= end
    return int(late.argmax()) if late.any() else len(micros)
