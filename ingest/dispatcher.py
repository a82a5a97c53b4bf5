"""Commands, lock-outs and requests -> edges. The one process that sends them; playbooks only decide.

An offset is committed (with the cause of the last decision that counted) when the broker has the decision's commands,
or Kafka the report that they were late. A crash before that sends them again: executors know a command by its id.
Lock-outs are kept apart (`locks`), requests are carried by a thread of their own (`forwarding`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bus.client import Producer, consumer
from bus.following import Place, committed, follow, partitions_of
from bus.outbox import LostWriteError, Outbox
from bus.running import Job, until_signalled
from config.instance import Instance
from devices.plant import load_plant
from events.codec import decode_record, encode
from events.envelope import Decision, Event, Reported
from events.playbooks import CommandIssued, LockOutIssued
from events.topics import COMMANDS, INCIDENTS, command_topic, lock_topic
from ingest import dispatching, metrics
from ingest.courier import NOBODY, Courier
from ingest.forwarding import forward, homes_of
from ingest.locks import Locks
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

GROUP = "dispatcher"
_OPEN = 1000
"""So many decisions may be open; then no more are read."""
_KEEP_S = 600.0
"""Positions are committed at least so often: Kafka forgets those of a quiet group after a week."""
_POLL_MS = 50
_SLOW_S, _HUNG_S = 5.0, 15.0
_log = structlog.get_logger("ingest.dispatcher")


class Item:
    """One record of the topic. Attributes: place: behind it; open: commands of it that are neither handed over nor
    reported late."""

    __slots__ = ("open", "place")

    def __init__(self, place: Place) -> None:
        self.place, self.open = place, 0


class Sending:
    """A command under way. Attributes: tried: it was given to a connection once, so it may have been carried out."""

    __slots__ = ("issued", "item", "mid", "tried")

    def __init__(self, issued: Event, item: Item) -> None:
        self.issued, self.item = issued, item
        self.tried, self.mid = False, 0


class Dispatcher:
    """Attributes: turned: monotonic time of the last turn; sending: commands under way, in the order of decisions."""

    def __init__(self, reader: KafkaConsumer, outbox: Outbox[Item], courier: Courier, locks: Locks) -> None:
        self.turned = self._committed_at = time.monotonic()
        self.sending: deque[Sending] = deque()
        self.courier, self.locks = courier, locks
        self._reader, self._outbox = reader, outbox
        self._followers = follow(reader, partitions_of(reader, COMMANDS), lambda p: committed(reader, p))
        self._items: dict[TopicPartition, deque[Item]] = {p: deque() for p in self._followers}
        self._done: dict[TopicPartition, Place] = {p: follower.place for p, follower in self._followers.items()}

    def turn(self) -> None:
        """Read, send, report, commit; takes at most some 50 ms without anything to do.

        Raises:
            LostWriteError: Kafka refuses a report for good.
        """
        self.turned = time.monotonic()
        if sum(map(len, self._items.values())) < _OPEN:
            for partition, records in self._reader.poll(timeout_ms=_POLL_MS, max_records=200).items():
                for record in records:
                    self._take(partition, record.offset, record.value)
        else:
            time.sleep(_POLL_MS / 1000)
        if self.courier.tend():
            for sending in self.sending:
                sending.mid = 0
            self.locks.connected()
        self._answered()
        self._send_locks()
        self._send()
        self._outbox.quiet()
        for item in self._outbox.durable():
            item.open -= 1
        if self._outbox.failed:
            raise LostWriteError(str(self._outbox.failed)) from self._outbox.failed
        self._commit()

    def oldest_s(self) -> float:
        """Age of the oldest command that the broker does not have [s]; any thread."""
        try:
            return (datetime.now(UTC) - self.sending[0].issued.at).total_seconds()
        except IndexError:
            return 0.0

    def _take(self, partition: TopicPartition, offset: int, value: bytes | None) -> None:
        follower = self._followers[partition]
        try:
            record = decode_record(value or b"")
        except msgspec.DecodeError as error:
            _log.error("record_unreadable", partition=partition.partition, offset=offset, reason=str(error))
            record = None
        follower.next = offset + 1
        counts = isinstance(record, Decision) and follower.counts(record)
        work = dispatching.work(record) if counts else dispatching.Work()
        self.locks.take(work.locks)
        item = Item(follower.place)
        self._items[partition].append(item)
        for issued in work.commands:
            item.open += 1
            self.sending.append(Sending(issued, item))

    def _send_locks(self) -> None:
        """Before the commands: what was released may be moved by the next one."""
        for key, issued in self.locks.unsent() if self.courier.connected else ():
            fact = issued.fact
            assert isinstance(fact, LockOutIssued)
            self.locks.sent(key, self.courier.retain(lock_topic(fact.edge, fact.device), encode(issued)))

    def _send(self) -> None:
        """Hand over what is not handed over on this connection, in order; report what is late."""
        kept: deque[Sending] = deque()
        now = datetime.now(UTC)
        for sending in self.sending:
            command = sending.issued.fact
            assert isinstance(command, CommandIssued)
            expiry_s = dispatching.expiry_s(command, now)
            if not expiry_s and sending.tried:
                sending.item.open -= 1  # it may have been carried out: the step's deadline tells
                _log.warning("command_unconfirmed", command=str(command.command), edge=command.edge)
            elif not expiry_s:
                self._refuse(sending, dispatching.late(sending.issued, now))
            else:
                if self.courier.connected and not sending.mid:
                    sending.tried = True
                    sending.mid = self.courier.send(command_topic(command.edge), encode(sending.issued), expiry_s)
                kept.append(sending)
        self.sending = kept

    def _answered(self) -> None:
        """What the broker has is done; what it has for nobody is reported."""
        answers = dict(self.courier.answers())
        if not answers:
            return
        for mid, said in answers.items():
            self.locks.answered(mid, str(said) if said.is_failure else "")
        kept: deque[Sending] = deque()
        for sending in self.sending:
            code = answers.get(sending.mid) if sending.mid else None
            if code is None:
                kept.append(sending)
            elif code.is_failure or code.value == NOBODY:
                why = f"edge {sending.issued.fact.edge}: {code}"  # type: ignore[union-attr]
                self._refuse(sending, dispatching.unreachable(sending.issued, why))
            else:
                metrics.COMMANDS.inc()
                sending.item.open -= 1
        self.sending = kept

    def _refuse(self, sending: Sending, report: Reported | None) -> None:
        if report is None:
            sending.item.open -= 1
            return
        metrics.COMMANDS_REFUSED.inc()
        _log.warning("command_refused", reason=report.events[0].fact.reason)  # type: ignore[union-attr]
        self._outbox.send(INCIDENTS, sending.issued.area, encode(report), sending.item)

    def _commit(self) -> None:
        moved = False
        for partition, items in self._items.items():
            while items and not items[0].open:
                self._done[partition] = items.popleft().place
                moved = True
        if not moved and self.turned - self._committed_at < _KEEP_S:
            return
        try:
            self._reader.commit({p: place.committed() for p, place in self._done.items()}, timeout_ms=5000)
        except KafkaError as error:
            _log.warning("commit_failed", reason=str(error))  # the next one says it all
            return
        self._committed_at = self.turned


def run(instance: Instance) -> None:
    """Dispatch until SIGTERM or SIGINT.

    Raises:
        ConfigError: `plant.yaml` cannot be used.
        LostWriteError, RuntimeError: start the process again; nothing is lost by it.
    """
    configure_logs("dispatcher")
    serve(instance, until_signalled())


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set."""
    job: Job[Dispatcher] = Job()

    def check() -> Health:
        if (dispatcher := job.running) is None:
            return unhealthy(job.reason)
        now = time.monotonic()
        reasons = [] if dispatcher.courier.connected else [f"MQTT: {dispatcher.courier.reason}"]
        if now - dispatcher.turned > _HUNG_S:
            reasons.append(f"the loop stands since {now - dispatcher.turned:.0f} s")
        if (age := dispatcher.oldest_s()) > _SLOW_S:
            reasons.append(f"a command waits for {age:.0f} s")
        reasons += [f"the broker refused the lock-out of {key}: {why}" for key, why in dispatcher.locks.refused.items()]
        facts = {"sending": len(dispatcher.sending), "lock_outs_unsent": dispatcher.locks.open}
        return unhealthy(*reasons, **facts) if reasons else healthy(**facts)

    health = serve_health(instance.health_port("dispatcher"), check)
    courier = Courier(instance.mqtt, "bridge", "dispatcher")
    locks = Locks(instance.data("dispatcher") / "locks.msgpack")
    carrier, forwarding = _forwarding(instance, stop)

    def begin(opened: ExitStack) -> Dispatcher:
        reader = opened.enter_context(closing(consumer(instance.kafka, group=GROUP)))
        outbox: Outbox[Item] = opened.enter_context(closing(Outbox(Producer(instance.kafka))))
        return Dispatcher(reader, outbox, courier, locks)

    try:
        if (dispatcher := job.begin(stop, begin)) is not None:
            while not stop.is_set():
                dispatcher.turn()
                if forwarding is not None and not forwarding.is_alive() and not stop.is_set():
                    raise RuntimeError("requests are no longer forwarded")  # its traceback is in the log; start again
            job.close()
            _log.info("dispatcher_stopped", sending=len(dispatcher.sending))
    finally:
        stop.set()
        if forwarding is not None:
            forwarding.join(10)
            carrier.close()
        courier.close()
        health.close()


def _forwarding(instance: Instance, stop: threading.Event) -> tuple[Courier, threading.Thread | None]:
    """The thread that carries requests; None where no area's home is an edge."""
    plant, errors = load_plant(instance.plant_in_force)
    for error in errors:
        _log.error("plant_file_refused", file=error.file, line=error.line, column=error.column, reason=error.reason)
    carrier = Courier(instance.mqtt, "bridge", "forwarder")
    if not (homes := homes_of(plant)):
        return carrier, None
    given = (instance.kafka, carrier, homes, stop)
    thread = threading.Thread(target=forward, args=given, name="forwarder", daemon=True)
    thread.start()
    return carrier, thread
