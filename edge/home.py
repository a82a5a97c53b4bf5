"""This edge as the home of areas: it decides for them, cut off or not. Nothing decided is lost or decided twice.

Events, the brains' state after them, the commands and lock-outs among them are one transaction; only then do commands
go to the executor. What a kill interrupts is taken up: scans above the state's position are in the journal still
(`position` keeps them there), replies and commands without a reply in the executor's memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from msgspec import Struct

from edge.executor import Executor
from edge.journal import Journal
from edge.mind import Definition, Mind
from edge.transaction import RECORD_LIMIT, Transaction
from events import codec
from events.envelope import Event, InputFailed, Reported, Tick, event
from events.playbooks import CommandIssued, LockOutIssued
from events.readings import Frame, Packed
from events.requests import Request
from events.types import EPOCH, from_micros, make_id

Input = Packed | Tick | Reported | Request
STATE = "home"
SAVE_EVERY = timedelta(seconds=2)
_EVENTS_A_RECORD, _BYTES_A_RECORD = 100, RECORD_LIMIT // 2
_log = structlog.get_logger("edge.home")


class Kept(Struct, frozen=True, array_like=True):
    """Attributes: position: scans up to this number of the journal are in the state; mind: the brains."""

    position: int
    mind: bytes


_decode = msgspec.msgpack.Decoder(Kept).decode


class Home:
    """Attributes:
    areas: those that are decided here. position: the journal must keep what is above it. waiting: inputs to decide.
    """

    def __init__(self, areas: frozenset[str], mind: Mind, journal: Journal, executor: Executor) -> None:
        self.areas, self.mind, self.position = areas, mind, 0
        self._journal, self._executor = journal, executor
        self._queue: asyncio.Queue[tuple[Input, int, Callable[[], None]]] = asyncio.Queue()
        self._seen = 0
        self._saved = EPOCH
        self._recovered = False
        executor.answered = self.answered

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def saw(self, frame: Frame) -> None:
        """A scan was journalled."""
        if frame.area in self.areas:
            self._queue.put_nowait((frame.pack(), frame.sequence, _nothing))

    def answered(self, reply: Event) -> None:
        """A command's outcome was journalled."""
        if reply.area in self.areas:
            self._queue.put_nowait((Reported(self._journal.source, 0, (reply,)), 0, _nothing))

    def ask(self, request: Request, decided: Callable[[], None]) -> None:
        """Somebody asks; `decided` is called once the answer is on disk."""
        self._queue.put_nowait((request, 0, decided))

    async def recover(self, definitions: Mapping[str, Definition], doubtful: Sequence[str], now: datetime) -> None:
        """Be what this home was, decide what was left undecided, then take the definitions over.

        Before the executor runs: it finds the commands in its memory.

        Args: doubtful: stages with files that cannot be used: what was in force there stays in force.
        """
        if (raw := self._journal.state(STATE)) is not None:
            kept = _decode(raw)
            self.mind.load(kept.mind)
            self.position = self._seen = kept.position
        undecided = 0
        for given, sequence in self._undecided():
            undecided += isinstance(given, Packed)
            await self._take(given, sequence)
        stay = self.mind.configured & set(doubtful)
        taken = {stage: definition for stage, definition in definitions.items() if stage not in stay}
        await self._keep(self.mind.configure(taken, now, f"edge {self._journal.edge}"), now)
        self._recovered = True
        _log.info("home_recovered", areas=sorted(self.areas), position=self.position, undecided=undecided)

    async def run(self) -> None:
        """For ever, until cancelled: decide, with a tick each second."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.work())
            while True:
                await asyncio.sleep(1.0 - time.time() % 1.0)
                await self.tick(datetime.now(UTC).replace(microsecond=0))

    async def work(self) -> None:
        """Decide what comes, one after the other."""
        while True:
            given, sequence, decided = await self._queue.get()
            await self._take(given, sequence)
            decided()

    async def tick(self, at: datetime) -> None:
        # Scans up to this number were put into the queue before: their futures were resolved before this one.
        last = await asyncio.wrap_future(self._journal.write(lambda t: t.counters.last))
        self._queue.put_nowait((Tick(at), last, _nothing))

    async def _take(self, given: Input, sequence: int) -> None:
        now = given.at if isinstance(given, Tick) else None
        try:
            events = self.mind.decide(given)
        except Exception as error:  # noqa: BLE001  said in the log; the brains go on from what they were
            events = [self._failed(given, error)]
            if (raw := self._journal.state(STATE)) is not None:
                self.mind.load(_decode(raw).mind)
        self._seen = max(self._seen, sequence)
        if events or (now is not None and now - self._saved >= SAVE_EVERY):
            await self._keep(events, now)

    async def _keep(self, events: list[Event], now: datetime | None) -> None:
        """Journal the events with the state after them; then let their commands go."""
        position = self._seen
        state = msgspec.msgpack.encode(Kept(position, self.mind.save()))
        commands = [(e, e.fact) for e in events if isinstance(e.fact, CommandIssued)]
        locks = [e.fact for e in events if isinstance(e.fact, LockOutIssued)]
        parts = list(_parts(events, f"edge {self._journal.edge}"))

        def operation(t: Transaction) -> None:
            for part in parts:
                t.append("events", lambda source, n, part=part: codec.encode(Reported(source, n, part)))  # type: ignore[misc]
            for issued, command in commands:
                self._executor.memory.expect(t, issued, command)
            for lock in locks:
                self._executor.memory.lock_out_in(t, lock)
            t.put(STATE, state)

        await asyncio.wrap_future(self._journal.write(operation, durable=bool(locks)))
        for lock in locks:
            self._executor.hold(lock)
        self.position = position
        self._saved = now or self._saved
        for issued, _ in commands if self._recovered else ():
            self._executor.submit(issued)

    def _undecided(self) -> Iterator[tuple[Input, int]]:
        """What may not have been decided: replies first (known ones change nothing), then scans in their order."""
        for reply in self._executor.memory.outcomes(since=timedelta(hours=1)):
            if reply.area in self.areas:
                yield Reported(self._journal.source, 0, (reply,)), 0
        after = self.position
        while entries := self._journal.unconfirmed(after, 1000):
            after = entries[-1].sequence
            for entry in entries:
                record = codec.decode_record(entry.body) if entry.kind == "frame" else None
                if isinstance(record, Packed) and record.area in self.areas:
                    yield record, entry.sequence

    def _failed(self, given: Input, error: Exception) -> Event:
        raw = codec.encode(given)
        stage = f"edge {self._journal.edge}"
        _log.error("input_failed", exc_info=error)
        fact = InputFailed(stage=stage, error=f"{type(error).__name__}: {error}"[:1000], input=raw[:500_000])
        at = given.at if isinstance(given, Tick | Request) else from_micros(self._journal.clock())
        return event(fact, at=at, area="*", cause=make_id("input", stage, raw.hex()), author=stage, index=0)


def _parts(events: Sequence[Event], stage: str) -> Iterator[tuple[Event, ...]]:
    """The events in portions that fit into a record. One that fits into none (files of a plant, compiled, could be that
    large) is told as a failure: it is in the state, and waiting for it to become smaller would stop everything."""
    part: list[Event] = []
    size = 0
    for e in events:
        raw = codec.encode(e)
        if len(raw) > RECORD_LIMIT - 1000:
            error = f"{type(e.fact).__name__} of {len(raw)} bytes: a record takes {RECORD_LIMIT}"
            fact = InputFailed(stage=stage, error=error, input=raw[:_BYTES_A_RECORD])
            e = event(fact, at=e.at, area=e.area, cause=e.id, author=stage, index=0)
            raw = codec.encode(e)
        if part and (len(part) == _EVENTS_A_RECORD or size + len(raw) > _BYTES_A_RECORD):
            yield tuple(part)
            part, size = [], 0
        part.append(e)
        size += len(raw)
    if part:
        yield tuple(part)


def _nothing() -> None: ...
