"""A stage on Kafka without Faust's tables: inbox in, decisions out, state read back. The shell around `fold`.

    inbox[p] --> brain.decide, evolve --> output[p]          snapshots[p] (compacted; its newest record counts)

Faust assigns partitions and feeds `handle`; it may skip, repeat or commit too far without harm, because the position is
our own. A worker paused past its session may write beside the new owner: it writes the very records the new owner
writes, and the fold takes each once. All that a decision depends on comes through the one inbox, time included: `tick`
writes it there. Two versions of a brain must not run at once: stop all workers of a stage before a new one starts.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from msgspec import Struct
from prometheus_client import Counter, Gauge, Histogram

from bus.fold import Brain, BrokenBrainError, Fold, decode_snapshot
from bus.reader import Reader, TruncatedError
from bus.topics import MEGA
from events.codec import decode_record, encode
from events.envelope import Decision, Tick

log = structlog.get_logger()

INPUTS = Counter("andon_stage_inputs_total", "Inputs decided", ["stage"])
EVENTS = Counter("andon_stage_events_total", "Events said", ["stage"])
SKIPPED = Counter("andon_stage_read_again_total", "Inputs that Faust left out and the stage read itself", ["stage"])
BEHIND = Gauge("andon_stage_behind_seconds", "Age of the newest tick that was decided", ["stage", "partition"])
DECIDE = Histogram("andon_stage_decide_seconds", "Time to decide one input", ["stage"],
                   buckets=(1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10))  # fmt: skip

SNAPSHOT_INPUTS, SNAPSHOT_SECONDS = 20_000, 10.0


class Spec(Struct, frozen=True):
    """Attributes: name: also the author of its events; inbox, output, snapshots: topics; brain: makes an empty one
    for the partition of that number."""

    name: str
    inbox: str
    output: str
    snapshots: str
    brain: Callable[[int], Brain]


def die(why: str, **facts: object) -> None:
    """Memory no longer says what the log says. The supervisor starts a new process, which reads the log."""
    log.critical("stage_gives_up", why=why, exc_info=True, **facts)
    os._exit(70)


class Partition:
    """What its owner holds: made on assignment, thrown away on revocation (`alive` tells those who still have it)."""

    def __init__(self, spec: Spec, number: int) -> None:
        self.number, self.alive = number, True
        self.fold = Fold(spec.name, number, spec.brain(number))
        self.ready: asyncio.Task[None]
        self.busy = asyncio.Lock()
        """Held from deciding an input until its decision is on its way: a snapshot in between would be ahead of it."""
        self.sent: asyncio.Future[Any] | None = None
        """The latest send; those of one partition finish in order."""
        self.saved, self.saved_at = 0, time.monotonic()
        self.tick: asyncio.Future[Any] | None = None
        """The latest tick that was sent to the inbox."""
        self.asked: int | None = None
        """Offset of the newest tick that Kafka took; None while it takes none."""

    @property
    def waiting(self) -> bool:
        """Whether the inbox has an input that is not decided: at least our own tick."""
        return self.asked is not None and self.asked >= self.fold.position

    @property
    def progress(self) -> tuple[int, int]:
        return self.fold.position, self.fold.covers

    def on_ticked(self, sent: asyncio.Future[Any]) -> None:
        if not sent.cancelled() and not sent.exception():
            self.asked = sent.result().offset


class Stage:
    def __init__(self, kafka: str, spec: Spec) -> None:
        self.kafka, self.spec, self.reader = kafka, spec, Reader(kafka)
        self.partitions: dict[int, Partition] = {}
        self.assigned, self.started = False, datetime.now(UTC)
        self.turns = 0
        """Of the timer; they end where the loop hangs."""
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def producer(self) -> AIOKafkaProducer:
        """Our own: idempotent, so it keeps the order and never gives a record up, which Faust's does after a while."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self.kafka, enable_idempotence=True, linger_ms=0, max_request_size=20 * MEGA
                )
                await producer.start()
                self._producer = producer
        return self._producer

    async def leave(self, numbers: Iterable[int]) -> None:
        """Give partitions up by plan, each with a snapshot: the next owner, maybe of newer code, has little to decide
        again."""
        for number in numbers:
            if part := self.partitions.get(number):
                async with part.busy:
                    if part.ready.done() and part.fold.position > part.saved:
                        await self._snapshot(part)
                self.drop([number])

    async def close(self) -> None:
        """Leave everything; what was written is durable then."""
        await self.leave(list(self.partitions))
        if self._producer is not None:
            await self._producer.stop()

    # --- partitions come and go ------------------------------------------------------------------------------------

    def open(self, number: int) -> Partition:
        """The partition, on assignment: its state is being read back."""
        part = self.partitions.get(number)
        if part is None:
            part = self.partitions[number] = Partition(self.spec, number)
            part.ready = asyncio.create_task(self._rebuild(part))
            part.ready.add_done_callback(functools.partial(_must_succeed, "cannot read the state back"))
        return part

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if part := self.partitions.pop(number, None):
                part.alive = False

    async def _rebuild(self, part: Partition) -> None:
        """State = newest snapshot + the decisions after it (and, for a brain that does not fold, the inputs after it,
        which Faust or `_fetch` brings again). All that counts was in the topic before we were assigned, but for a
        zombie's, which we say again ourselves."""
        began, read, fold = time.monotonic(), 0, part.fold
        wanted = functools.partial(getattr, part, "alive")
        async for batch in self.reader.read(self.spec.snapshots, part.number, -1, None, wanted):
            if batch:
                fold = part.fold = self._restored(part.number, batch[-1][1])
        part.saved = fold.position
        async for batch in self.reader.read(self.spec.output, part.number, fold.covers, None, wanted):
            for offset, raw in batch:
                record = decode_record(raw)
                if isinstance(record, Decision):  # others write to the output too: it is the inbox of the next stage
                    fold.read_back(record)
                    read += 1
                fold.covers = offset + 1
        log.info("partition_read_back", stage=self.spec.name, partition=part.number, decisions=read,
                 seconds=round(time.monotonic() - began, 3), position=fold.position, last=fold.last)  # fmt: skip

    def _restored(self, number: int, raw: bytes) -> Fold:
        """The state of a snapshot. One of older code may be unreadable: the output of a brain that folds says all that
        it said, if nothing of it is gone (`TruncatedError` else)."""
        fold = Fold(self.spec.name, number, self.spec.brain(number))
        try:
            fold.restore(decode_snapshot(raw))
        except (msgspec.DecodeError, zlib.error) as error:
            if not fold.brain.folds:
                raise
            log.warning("snapshot_unreadable", stage=self.spec.name, partition=number, error=str(error))
            return Fold(self.spec.name, number, self.spec.brain(number))
        return fold

    # --- one input after the other ---------------------------------------------------------------------------------

    async def handle(self, number: int, offset: int, raw: bytes, ack: Callable[[], object]) -> None:
        """One message from Faust, which may come again, or with others missing before it: our position decides. One of
        a partition that we have no longer is not for us; of one that we do not have yet, `_fetch` finds it later."""
        part = self.partitions.get(number)
        if part is not None:
            await self._take(part, offset, raw)
        if part is None or part.sent is None or part.sent.done():
            ack()
        else:  # in order, when everything up to here is durable
            part.sent.add_done_callback(lambda _: ack())

    async def _take(self, part: Partition, offset: int, raw: bytes) -> None:
        await part.ready
        async with part.busy:
            if part.alive and offset > part.fold.position:
                await self._fetch(part, offset)
            if part.alive and offset == part.fold.position:  # else revoked: the new owner does it
                await self._step(part, offset, raw)

    async def _fetch(self, part: Partition, end: int) -> None:
        """Read the inputs that Faust left out: its commit is ahead of the last decision, or it dropped some."""
        start = part.fold.position
        read = self.reader.read
        async for batch in read(self.spec.inbox, part.number, start, end, lambda: part.alive, gone_is_error=False):
            for offset, raw in batch:
                part.fold.position = offset  # offsets may have holes (compaction, transactions)
                await self._step(part, offset, raw)
        if part.alive:
            part.fold.position = end
        SKIPPED.labels(self.spec.name).inc(end - start)
        log.info("inputs_read_again", stage=self.spec.name, partition=part.number, first=start, last=end - 1)

    async def _step(self, part: Partition, offset: int, raw: bytes) -> None:
        began = time.perf_counter()
        try:
            decision = part.fold.decide(offset, raw)
        except BrokenBrainError as broken:
            await (await self._send(part, broken.decision))
            die("the brain is broken; its input is in the log", partition=part.number, offset=offset)
            return
        DECIDE.labels(self.spec.name).observe(time.perf_counter() - began)
        INPUTS.labels(self.spec.name).inc()
        if decision is not None:
            part.sent = await self._send(part, decision)
            part.sent.add_done_callback(functools.partial(self._on_sent, part))
            EVENTS.labels(self.spec.name).inc(len(decision.events))
        inputs = part.fold.position - part.saved
        if inputs >= SNAPSHOT_INPUTS or (inputs and time.monotonic() - part.saved_at > SNAPSHOT_SECONDS):
            await self._snapshot(part)

    async def _send(self, part: Partition, decision: Decision) -> asyncio.Future[Any]:
        producer = await self.producer()
        sent: asyncio.Future[Any] = await producer.send(self.spec.output, encode(decision), partition=part.number)
        return sent

    def _on_sent(self, part: Partition, sent: asyncio.Future[Any]) -> None:
        """State has gone on from a decision: it must be in the log, or this process is wrong from here on."""
        if sent.cancelled() or sent.exception():
            die(f"cannot write to {self.spec.output}[{part.number}]", sent=repr(sent))
        part.fold.covers = max(part.fold.covers, sent.result().offset + 1)

    async def _snapshot(self, part: Partition) -> None:
        """When all it contains is durable. A zombie's older one may replace a newer one: slower, still right."""
        if part.sent is not None:
            await asyncio.shield(part.sent)  # who no longer waits for it must not cancel it
            await asyncio.sleep(0)  # its callback, which moves `covers`, runs first
        if part.alive:
            part.saved, part.saved_at = part.fold.position, time.monotonic()
            raw = encode(part.fold.snapshot())
            producer = await self.producer()
            await producer.send(self.spec.snapshots, raw, key=b"%d" % part.number, partition=part.number)

    async def tick(self) -> None:
        """The only clock. Two owners for a moment, or a late tick, do no harm: an older time makes nothing due. While
        the broker is away one tick waits for it, and the next comes after."""
        self.turns += 1
        now = datetime.now(UTC)
        producer = await self.producer()
        for number, part in list(self.partitions.items()):
            if part.tick is None or part.tick.done():
                part.tick = await producer.send(self.spec.inbox, encode(Tick(now)), partition=number)
                part.tick.add_done_callback(part.on_ticked)
            else:
                part.asked = None
            BEHIND.labels(self.spec.name, number).set(self.behind(part))

    def behind(self, part: Partition) -> float:
        """Age of the newest tick that was decided [s]; since the start where none was yet."""
        newest = max(part.fold.now, self.started)
        return max(0.0, (datetime.now(UTC) - newest).total_seconds())


def _must_succeed(why: str, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("stage_failed", error=repr(error), truncated=isinstance(error, TruncatedError))
        die(why)
