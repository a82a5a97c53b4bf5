"""Requests -> the edges that are the home of their areas. Answers, refusals too, come back from the edge as mirrors.

They lie in the inboxes of the two stages that answer them in the plant. A request is carried until it expires: then
nobody waits for it, and the broker, which keeps it for an edge that is away, forgets it as well. Where the broker knows
no such edge the request is refused here. Positions are committed when the broker has what came before; a crash carries
some again, which the home knows by their ids.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import msgspec
import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from bus.client import Producer, consumer
from bus.following import partitions_of
from bus.running import Job
from devices.plant import Plant
from events.codec import decode_record
from events.requests import Request
from events.topics import CONDITIONS, INCIDENTS, request_topic
from ingest import dispatching
from ingest.courier import NOBODY, Courier

GROUP = "forwarder"
_POLL_MS = 50
_COMMIT_S = 2.0
_LOOK_BACK_S = 900
"""So far back the first start looks for requests; afterwards it goes on where it was, however long it was away."""
_REPORT_S = 10.0
_TAG = b"\xa7request"
_log = structlog.get_logger("ingest.forwarding")


def homes_of(plant: Plant) -> dict[str, str]:
    """Area -> the edge that decides for it."""
    return {area.area: area.edge for area in plant.areas.values() if area.home == "edge" and area.edge}


def request_in(value: bytes) -> Request | None:
    """The request in a record of the topic; None for all else, which is not decoded.

    Raises:
        msgspec.DecodeError: it is one, and broken.
    """
    if value[1:9] != _TAG:
        return None
    record = decode_record(value)
    return record if isinstance(record, Request) else None


class Forwarder:
    """Attributes: carried: requests that the broker took; waiting: the one that is held up by a broker away."""

    def __init__(
        self, reader: KafkaConsumer, producer: Producer, courier: Courier, homes: Mapping[str, str]
    ) -> None:
        self.carried, self.waiting = 0, False
        self._reader, self._producer, self._courier, self._homes = reader, producer, courier, homes
        self._committed_at = 0.0
        self._moved = False
        _assign(reader)

    def turn(self, stop: threading.Event) -> None:
        """Read and carry; takes at most some 50 ms without anything to do.

        Raises:
            KafkaError: it takes no refusal: what was not committed is carried again.
        """
        self._courier.tend()
        for _, records in self._reader.poll(timeout_ms=_POLL_MS, max_records=500).items():
            for record in records:
                try:
                    request = request_in(record.value or b"")
                except msgspec.DecodeError as error:  # the incidents stage reports it as a dead letter
                    _log.error("request_unreadable", offset=record.offset, reason=str(error))
                    continue
                edge = self._homes.get(request.area) if request is not None else None
                if request is not None and edge and not self._carry(request, edge, record.value, stop):
                    return  # not committed: it is carried by the next process
            self._moved = True
        self._commit()

    def _carry(self, request: Request, edge: str, raw: bytes, stop: threading.Event) -> bool:
        """Until the broker has it or it expires; False when told to stop before."""
        sent = 0
        self.waiting = True
        try:
            while (left_s := dispatching.left_s(request.expires, datetime.now(UTC))) > 0:
                if stop.is_set():
                    return False
                if self._courier.tend():
                    sent = 0
                if self._courier.connected and not sent:
                    sent = self._courier.send(request_topic(edge), raw, left_s)
                for mid, code in self._courier.answers():
                    if mid == sent:
                        if code.value == NOBODY or code.is_failure:
                            self._refuse(request, edge, str(code))
                        else:
                            self.carried += 1
                        return True
                time.sleep(0.002)
            _log.warning("request_expired", request=str(request.id), edge=edge)
            return True
        finally:
            self.waiting = False

    def _refuse(self, request: Request, edge: str, reason: str) -> None:
        _log.warning("request_not_delivered", request=str(request.id), edge=edge, reason=reason)
        report = dispatching.not_delivered(request, f"edge {edge}: {reason}")
        self._producer.send(INCIDENTS, request.area, report).get(timeout=_REPORT_S)

    def _commit(self) -> None:
        now = time.monotonic()
        if not self._moved or now - self._committed_at < _COMMIT_S:
            return
        offsets = {p: OffsetAndMetadata(self._reader.position(p), "", -1) for p in self._reader.assignment()}
        try:
            self._reader.commit(offsets, timeout_ms=5000)
        except KafkaError as error:
            _log.warning("commit_failed", reason=str(error))  # the next one says it all
            return
        self._moved, self._committed_at = False, now


def forward(kafka: str, courier: Courier, homes: Mapping[str, str], stop: threading.Event) -> None:
    """Carry requests until `stop` is set; Kafka may be away meanwhile."""

    def work(opened: ExitStack) -> None:
        reader = opened.enter_context(closing(consumer(kafka, group=GROUP)))
        forwarder = Forwarder(reader, opened.enter_context(closing(Producer(kafka))), courier, homes)
        _log.info("forwarding", homes=dict(homes))
        while not stop.is_set():
            forwarder.turn(stop)

    Job[None]().begin(stop, work)


def _assign(reader: KafkaConsumer) -> None:
    """All partitions, from what was committed; at the first start from a while ago."""
    partitions = partitions_of(reader, CONDITIONS, INCIDENTS)
    reader.assign(partitions)
    since = int((time.time() - _LOOK_BACK_S) * 1000)
    found = reader.offsets_for_times(dict.fromkeys(partitions, since))
    ends, begins = reader.end_offsets(partitions), reader.beginning_offsets(partitions)
    for partition in partitions:
        known = reader.committed(partition)
        fits = known is not None and begins[partition] <= known <= ends[partition]
        recent = found[partition].offset if found.get(partition) else ends[partition]
        reader.seek(partition, known if fits else recent)
