"""MQTT and HTTP -> Kafka. One loop owns all state; Kafka's and HTTP's threads only ring its bell.

A message is acknowledged, in the order of arrival, when all that it gave is in Kafka; an edge is told that it may
delete when also the ledger says so. While Kafka is away nothing is acknowledged, the broker and the journals keep it.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
import structlog

from bus.outbox import LostWriteError, Outbox
from events import codec
from events.devices import GapClosed, GapOpened, RecordsLost
from events.envelope import Reported, event
from events.topics import DEADLETTER, INCIDENTS, LEDGER, READINGS, confirm_topic
from events.types import Instant, make_id
from ingest import gateway, metrics
from ingest.gateway import Reading
from ingest.gather import SOURCE, Gather, Recent, content_number, frames
from ingest.intake import Numbered, Refused, Write, dead_letter, judge
from ingest.ledger import Account, Duplicate, Ledger, Taken
from ingest.ledger import encode as encode_account
from ingest.link import Link, Receipt
from ingest.roster import EVERYWHERE, Roster
from ingest.routes import FromEdge, Routes

GATHER_S = 0.005
CONFIRM_S = 0.05
HELD_MESSAGES, HELD_BYTES = 4000, 32 << 20
"""So much may wait for Kafka; then MQTT is left unread."""
_IDLE_S = 0.05
_log = structlog.get_logger("ingest.pump")
_encode_json = msgspec.json.Encoder().encode


class Message:
    """Something that arrived and waits until all it gave is durable.

    Attributes: waiting: records of it that are not; number: (source, sequence) of an edge's record that was taken.
    """

    __slots__ = ("answer", "arrived", "number", "receipt", "size", "waiting")

    def __init__(self, size: int, arrived: float, receipt: Receipt | None, answer: Callable[[], None] | None) -> None:
        self.size, self.arrived, self.receipt, self.answer = size, arrived, receipt, answer
        self.waiting = 0
        self.number: tuple[str, int] | None = None


class Post(msgspec.Struct, frozen=True):
    """Readings that came over HTTP; `answer` is called when Kafka has them."""

    readings: tuple[Reading, ...]
    size: int
    answer: Callable[[], None]


class Kept(msgspec.Struct, frozen=True):
    """The ledger's record of a source is durable up to a number."""

    source: str
    up_to: int


Waits: TypeAlias = tuple[Message, ...] | Kept
"""What a record that is on its way to Kafka is for."""


class Pump:
    """Attributes:
    pending: what arrived and is not yet done, in order of arrival.
    turned: monotonic time of the last turn, for the health check.
    """

    def __init__(
        self, roster: Roster, routes: Routes, ledger: Ledger, recent: Recent,
        outbox: Outbox[Waits], make_link: Callable[[Pump], Link],
    ) -> None:
        self.pending: deque[Message] = deque()
        self.turned = time.monotonic()
        self._roster, self._routes, self._ledger, self._recent, self._outbox = roster, routes, ledger, recent, outbox
        self._posts: queue.SimpleQueue[Post] = queue.SimpleQueue()
        self._gather: Gather[Message] = Gather(roster)
        self._gathering_since = self._confirmed_at = 0.0
        self._held = 0
        self._done: dict[str, int] = {source: a.up_to for source, a in ledger.accounts.items()}
        self._kept: dict[str, int] = dict(self._done)
        self._changed: set[str] = set()
        self._again: set[str] = set()
        self.link = make_link(self)

    def turn(self) -> None:
        """Move everything that can be moved; returns after at most some 50 ms without anything to do.

        Raises:
            LostWriteError, KafkaError: end the process; what was not acknowledged comes again.
        """
        reading = len(self.pending) < HELD_MESSAGES and self._held < HELD_BYTES
        self.link.turn(self._outbox.wake, GATHER_S / 2 if self._gather else _IDLE_S, reading=reading)
        self._outbox.quiet()
        while not self._posts.empty():
            self._posted(self._posts.get())
        self.turned = now = time.monotonic()
        if self._gather and now - self._gathering_since >= GATHER_S:
            self._flush()
        self._settle()
        if (self._changed or self._again) and now - self._confirmed_at >= CONFIRM_S:
            self._confirmed_at = now
            self._keep()
        if self._outbox.failed:
            raise LostWriteError(str(self._outbox.failed)) from self._outbox.failed

    def post(self, post: Post) -> None:
        """What HTTP brings; any thread."""
        self._posts.put(post)
        self._outbox.ring()

    def received(self, topic: str, payload: bytes, receipt: Receipt | None) -> None:
        """One MQTT message."""
        message = self._arrived(len(payload), receipt, None)
        now = time.time_ns() // 1000
        origin = f"mqtt {topic}"
        match self._routes.of(topic):
            case FromEdge(edge, kind):
                metrics.MESSAGES.labels("edge").inc()
                judged = judge(self._roster, edge, kind, payload, now)
                if isinstance(judged, Numbered):
                    self._numbered(judged, message, origin, payload, now)
                else:
                    self._refuse((judged,), message, origin, payload, now)
            case "neuron" | "plain" as form:
                metrics.MESSAGES.labels(form).inc()
                read = gateway.read(self._roster, form, topic, payload, now)
                if read.refused:
                    self._refuse(read.refused, message, origin, payload, now)
                self._readings(read.good, message, gather=form == "plain")
            case None:
                nobody = Refused("topic", "no source in plant.yaml has this topic")
                self._refuse((nobody,), message, origin, payload, now)

    def confirm_all(self) -> None:
        """Tell every edge again what is there: it may have missed it."""
        self._again.update(self._kept)

    def oldest_waits(self, now: float) -> float:
        """For how long the oldest message waits for Kafka [s]; any thread."""
        try:
            return now - self.pending[0].arrived
        except IndexError:
            return 0.0

    def complete_up_to(self) -> dict[str, int]:
        """By source, the number up to which Kafka has everything; any thread."""
        return dict(self._kept)

    def drain(self, until: float) -> None:
        """Before the end: let what arrived become durable, until the monotonic time `until`."""
        self._flush()
        while self.pending and time.monotonic() < until and not self._outbox.failed:
            self.link.turn(self._outbox.wake, _IDLE_S, reading=False)
            self._outbox.quiet()
            self._settle()
        self._keep()

    def _arrived(self, size: int, receipt: Receipt | None, answer: Callable[[], None] | None) -> Message:
        message = Message(size, time.monotonic(), receipt, answer)
        self.pending.append(message)
        self._held += size
        return message

    def _posted(self, post: Post) -> None:
        metrics.MESSAGES.labels("http").inc()
        self._readings(post.readings, self._arrived(post.size, None, post.answer), gather=True)

    def _numbered(self, record: Numbered, message: Message, origin: str, payload: bytes, now: int) -> None:
        verdict = self._ledger.take(record.source, record.sequence, time.monotonic(), record.lost)
        if isinstance(verdict, Taken):
            message.number = record.source, record.sequence
            self._write(record.writes, message)
            if record.refused:
                self._refuse(record.refused, message, origin, payload, now)
            self._tell(record.source, record.at, verdict.facts, message)
            metrics.READINGS.inc(record.readings)
            return
        self._again.add(record.source)
        if isinstance(verdict, Duplicate):
            metrics.DUPLICATES.inc()
        elif verdict.facts:
            metrics.GAPS.inc()
            _log.warning("gap_opened", source=record.source, missing=[f"{f.first}-{f.last}" for f in verdict.facts])
            self._tell(record.source, record.at, verdict.facts, message)

    def _readings(self, readings: Sequence[Reading], message: Message, *, gather: bool) -> None:
        new = [r for r in readings if self._recent.first_time(r)]
        metrics.REPEATED.inc(len(readings) - len(new))
        metrics.READINGS.inc(len(new))
        if not new:
            return
        if not gather:
            self._flush()  # so that the frames of a device stay in the order of arrival
            rows: dict[int, dict[int, Reading]] = {}
            for reading in new:
                rows.setdefault(reading.time, {})[reading.column] = reading
            for frame in frames(self._roster, new[0].device, rows):
                self._send_for((message,), Write(READINGS, frame.area, codec.encode(frame.pack())))
            return
        for reading in new:
            if self._gather.clashes(reading):
                self._flush()
            if not self._gather:
                self._gathering_since = time.monotonic()
            if self._gather.add(reading, message):
                message.waiting += 1

    def _flush(self) -> None:
        """The gathered readings go out as frames."""
        for gathered, waiting in self._gather.flush():
            for frame in gathered:
                self._send_for(waiting, Write(READINGS, frame.area, codec.encode(frame.pack())))
            for message in waiting:
                message.waiting -= 1

    def _refuse(
        self, refused: Iterable[Refused], message: Message, origin: str, payload: bytes, now: int
    ) -> None:
        letter = dead_letter(origin, refused, payload, now)
        metrics.REFUSED.inc()
        _log.warning("message_refused", origin=letter.origin, field=letter.field, reason=letter.reason)
        self._write((Write(DEADLETTER, letter.origin, codec.encode(letter)),), message)

    def _tell(
        self, source: str, at: Instant, facts: Sequence[GapOpened | GapClosed | RecordsLost], message: Message
    ) -> None:
        """Facts about a source, in the bridge's own name; the same facts always have the same ids."""
        told = tuple(
            event(f, at=at, area=EVERYWHERE, cause=make_id("gap", source, f.first), author="bridge",
                  index=0 if isinstance(f, GapOpened) else 1)
            for f in facts
        )
        if told:
            number = content_number((source,), *(e.id.bytes for e in told))
            report = codec.encode(Reported(f"{SOURCE}bridge", number, told))
            self._write((Write(INCIDENTS, EVERYWHERE, report),), message)

    def _write(self, writes: Iterable[Write], message: Message) -> None:
        for write in writes:
            self._send_for((message,), write)

    def _send_for(self, waiting: Sequence[Message], write: Write) -> None:
        for message in waiting:
            message.waiting += 1
        self._outbox.send(write.topic, write.area, write.record, tuple(waiting))

    def _settle(self) -> None:
        """Note what became durable; acknowledge from the front."""
        for durable in self._outbox.durable():
            if isinstance(durable, Kept):
                self._kept[durable.source] = durable.up_to
                self._confirm(durable.source)
            else:
                for message in durable:
                    message.waiting -= 1
        now = time.monotonic()
        while self.pending and not self.pending[0].waiting:
            message = self.pending.popleft()
            self._held -= message.size
            metrics.ACKNOWLEDGED.observe(now - message.arrived)
            if message.number:
                source, sequence = message.number
                self._done[source] = sequence
                self._changed.add(source)
            if message.receipt:
                self.link.acknowledge(message.receipt)
            if message.answer:
                message.answer()

    def _keep(self) -> None:
        """Write the ledger of what changed (the edge is told when that is durable); say again what was asked again."""
        for source in self._changed:
            up_to = self._done[source]
            missing = self._ledger.accounts[source].missing
            account = encode_account(Account(up_to, missing if missing[1] > up_to else (0, 0)))
            self._outbox.send(LEDGER, source, account, Kept(source, up_to), key=source.encode())
        for source in self._again - self._changed:
            self._confirm(source)
        self._changed, self._again = set(), set()

    def _confirm(self, source: str) -> None:
        if source in self._kept:
            confirmation = {"source": source, "up_to": self._kept[source]}
            self.link.publish(confirm_topic(source.rpartition(":")[0]), _encode_json(confirmation))
