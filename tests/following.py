"""Where a topic stands, for tests that go on writing decisions into it."""

from __future__ import annotations

from kafka import TopicPartition

from bus.client import consumer
from config.instance import Instance
from events.codec import decode_record
from events.envelope import Chain, Decision
from events.topics import partition_of


def last_decision(instance: Instance, topic: str, area: str) -> int:
    """Cause of the last decision that counts in the area's partition: other tests may have written there."""
    reader, partition, chain = consumer(instance.kafka), TopicPartition(topic, partition_of(area)), Chain()
    reader.assign([partition])
    reader.seek_to_beginning()
    end = reader.end_offsets([partition])[partition]
    while reader.position(partition) < end:
        for records in reader.poll(timeout_ms=200).values():
            for record in map(decode_record, (r.value for r in records)):
                if isinstance(record, Decision):
                    chain.accept(record)
    reader.close()
    return chain.last
