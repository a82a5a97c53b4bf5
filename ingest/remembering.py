"""What the bridge knew before it was started: read back from Kafka."""

from __future__ import annotations

import msgspec

from bus.client import consumer
from bus.following import partitions_of
from events.codec import decode_record
from events.readings import FrameError, Packed, unpack
from events.topics import LEDGER, READINGS
from ingest.gather import SOURCE, Recent
from ingest.ledger import Ledger
from ingest.roster import Roster


def read_back(kafka: str, roster: Roster, ledger: Ledger, recent: Recent, tail: int) -> None:
    """Fill the ledger from its topic, and `recent` with the last `tail` records of each partition of `readings`.

    Raises:
        KafkaError: Kafka is away, or its topics are not there yet.
    """
    reader = consumer(kafka)
    try:
        starts = dict.fromkeys(partitions_of(reader, LEDGER), 0)
        ends = reader.end_offsets(partitions_of(reader, READINGS))
        starts |= {p: max(0, end - tail) for p, end in ends.items()}
        ends |= reader.end_offsets(list(starts))
        beginnings = reader.beginning_offsets(list(starts))
        reader.assign(list(starts))
        for partition, start in starts.items():
            reader.seek(partition, max(start, beginnings[partition]))
        while any(reader.position(p) < end for p, end in ends.items()):
            for partition, records in reader.poll(timeout_ms=500).items():
                for record in records:
                    if partition.topic == LEDGER:
                        ledger.load(record.key.decode(), record.value)
                    else:
                        _remember(roster, recent, record.value)
    finally:
        reader.close()


def _remember(roster: Roster, recent: Recent, value: bytes | None) -> None:
    try:
        record = decode_record(value or b"")
        if isinstance(record, Packed) and record.source.startswith(SOURCE):
            recent.remember(roster, unpack(record))
    except (msgspec.DecodeError, FrameError):
        return  # foreign bytes in the topic: whoever reads the topic says so; here they are no reading to remember
