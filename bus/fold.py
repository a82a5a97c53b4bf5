"""One partition of a stage, without Kafka: the brain, and how far the inbox and the output have been taken. Pure.

**One input gives at most one `Decision` with all its events.** A decision counts if its `prev` is the cause of the last
one that counted (`events.envelope.Chain`); what is said again by a replay, a retry or a zombie does not fit, and does
no harm. The position in the inbox is ours: it follows from the output and the snapshot, never from committed offsets.

Two kinds of brain. One that *folds* changes only by its own events: the output topic is its state, and a restart reads
it back. The other (detection) changes with nearly every input: its state is in the snapshots alone, and a restart
decides the inputs since the snapshot again; what the output has already (`said`) is not said twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import msgspec
from msgspec import Struct

from events.codec import decode_record, encode
from events.envelope import Chain, Decision, Event, InputFailed, Record, Tick, event
from events.types import EPOCH, Instant, make_id

LIMIT = 12 << 20
"""Bytes of one decision; the broker refuses 16 MB, and would refuse it again at every restart."""


class Brain(Protocol):
    """The pure part of a stage. Deterministic: no clock, no randomness, no set order; time arrives as input."""

    folds: ClassVar[bool]
    now: datetime
    """The newest tick it was given. Of a brain that folds it is the one thing that `decide` may change, and it is set
    again when its decisions are read back: what is due, expired or late is then decided as it was."""

    def decide(self, given: Record) -> list[Event]:
        """What happens because of the input. A brain that folds changes nothing here."""

    def evolve(self, events: Sequence[Event]) -> None:
        """Take the own events over: the only way the state of a brain that folds changes."""

    def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
        """What to say after a restart where the inputs since the snapshot, decided again, gave `redone`, while the
        output has `said`. Nothing, unless another version of the code or a fault decided them otherwise. Only of a
        brain that does not fold."""

    def save(self) -> bytes: ...

    def load(self, raw: bytes) -> None: ...


class Snapshot(Struct, frozen=True, array_like=True):
    """Attributes: last: cause of the last decision; position: next input; covers: next output record to read back;
    upstream: cause of the last decision of the stage before that counted; now: as in `Decision`; state: the brain's."""

    last: int
    position: int
    covers: int
    upstream: int
    now: Instant
    state: bytes


decode_snapshot = msgspec.msgpack.Decoder(Snapshot).decode


class BrokenBrainError(Exception):
    """`evolve` failed: the memory is wrong. `decision` says so in the log; write it, then start anew from the log."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"the brain could not take over what it decided for input {decision.cause}")
        self.decision = decision


class Fold:
    def __init__(self, stage: str, partition: int, brain: Brain) -> None:
        self.stage, self.partition, self.brain = stage, partition, brain
        self.last = self.said = self.upstream = -1
        self.position = self.covers = 0
        self.now: datetime = EPOCH
        """Time of the newest tick that was decided."""
        self._read: list[Event] = []
        self._redone: list[Event] = []

    def restore(self, snapshot: Snapshot) -> None:
        self.last, self.position, self.covers = snapshot.last, snapshot.position, snapshot.covers
        self.said, self.upstream = snapshot.last, snapshot.upstream
        self.brain.load(snapshot.state)
        self.brain.now = self.now = snapshot.now

    def snapshot(self) -> Snapshot:
        return Snapshot(self.last, self.position, self.covers, self.upstream, self.now, self.brain.save())

    def read_back(self, decision: Decision) -> bool:
        """Take one record of the own output; False if it does not count."""
        if decision.prev != self.said:
            return False
        self.said = decision.cause
        if self.brain.folds:
            self.brain.evolve(decision.events)
            self.brain.now = self.now = decision.now
            self.last, self.upstream = decision.cause, decision.upstream
            self.position = max(self.position, decision.cause + 1)
        else:
            self._read += decision.events
        return True

    def decide(self, offset: int, raw: bytes) -> Decision | None:
        """Decide one input and go on; None if there is nothing (new) to say. A bad input becomes `InputFailed`.

        Raises:
            BrokenBrainError: see there.
        """
        assert offset == self.position, (offset, self.position)
        try:
            events = self._events(decode_record(raw))
            if offset > self.said and (self._read or self._redone):
                events += self.brain.reconcile(self._read, self._redone)
                self._read, self._redone = [], []
            if len(events) > 100 and len(encode(events)) > LIMIT:
                raise ValueError(f"{len(events)} events are too much for one record")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said in the log and nothing stops
            events = self._failed(offset, raw, error)
        self.position = offset + 1
        if not events:
            return None
        decision = Decision(offset, max(self.last, self.said), self.upstream, tuple(events), self.now)
        try:
            self.brain.evolve(events)
        except Exception as error:
            failed = tuple(self._failed(offset, raw, error))
            raise BrokenBrainError(Decision(offset, decision.prev, self.upstream, failed, self.now)) from error
        self.last = offset
        if offset > self.said:
            return decision
        self._redone += events
        return None

    def _events(self, given: Record) -> list[Event]:
        if isinstance(given, Tick):
            self.now = max(self.now, given.at)
        elif isinstance(given, Decision):
            chain = Chain(self.upstream)
            if not chain.accept(given):
                return []
            self.upstream = chain.last
        return self.brain.decide(given)

    def _failed(self, offset: int, raw: bytes, error: Exception) -> list[Event]:
        fact = InputFailed(stage=self.stage, error=f"{type(error).__name__}: {error}"[:1000], input=raw[: LIMIT // 2])
        cause = make_id("input", self.stage, self.partition, offset)
        return [event(fact, at=self.now, area="*", cause=cause, author=self.stage, index=0)]
