"""Kafka clients for what is no stage: the bridge, the dispatcher, the log writer, the board, the command line.

kafka-python, because its producer and consumer are plain threads' objects; stages use Faust and aiokafka (see `stage`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

from bus.topics import MEGA
from events.codec import encode
from events.envelope import Record
from events.topics import partition_of

BOOTSTRAP_MS = 5000
"""So long a new client waits for a Kafka that is away, then KafkaError: its process must hear SIGTERM in between."""

METADATA_MS = 3000
"""So often a consumer asks which partitions there are. A broker that is just starting may not know our topics yet, and
a group then gives their partitions to nobody until its leader asks again: by default for 5 minutes."""


class Producer:
    """Writes records, in order and durably: acks from all, idempotent, retried without end, no waiting for a batch.

    Thread-safe. `send` blocks when 64 MB wait for the broker (back pressure) and raises KafkaError after `block_s`.
    """

    def __init__(self, kafka: str, *, linger_ms: int = 0, block_s: float = 60.0) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=linger_ms,
            max_request_size=20 * MEGA, batch_size=MEGA // 4, max_block_ms=int(block_s * 1000),
            delivery_timeout_ms=2**31 - 1, allow_auto_create_topics=False, reconnect_backoff_max_ms=1000,
            request_timeout_ms=10_000, bootstrap_timeout_ms=min(30_000, max(BOOTSTRAP_MS, int(block_s * 1000))),
        )  # fmt: skip

    def send(self, topic: str, area: str, record: Record | bytes, *, key: bytes | None = None) -> Any:
        """Write to the area's partition. Returns kafka-python's future: `.add_callback(f)`, `.add_errback(f)`,
        `.get(timeout=s)`."""
        return self.send_to(topic, partition_of(area), record, key=key if key is not None else area.encode())

    def send_to(self, topic: str, partition: int, record: Record | bytes, *, key: bytes | None = None) -> Any:
        value = record if isinstance(record, bytes) else encode(record)
        return self._producer.send(topic, value=value, key=key, partition=partition)

    def flush(self, timeout_s: float | None = None) -> None:
        """Return when all that was sent is durable.

        Raises:
            KafkaTimeoutError: it took longer.
        """
        self._producer.flush(timeout=timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        self._producer.close(timeout=timeout_s)


def consumer(kafka: str, topics: Iterable[str] = (), *, group: str | None = None, **settings: Any) -> KafkaConsumer:
    """A consumer that commits only when told to and starts at the beginning; without topics: `assign` and `seek`.
    `settings` of kafka-python go before ours."""
    ours: dict[str, Any] = {
        "auto_offset_reset": "earliest", "fetch_max_wait_ms": 100, "max_partition_fetch_bytes": 4 * MEGA,
        "max_poll_records": 2000, "reconnect_backoff_max_ms": 1000, "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "metadata_max_age_ms": METADATA_MS,
    }  # fmt: skip
    if group:
        ours |= {"session_timeout_ms": 6000, "heartbeat_interval_ms": 1000}
    return KafkaConsumer(
        *topics, bootstrap_servers=kafka, group_id=group, enable_auto_commit=False, allow_auto_create_topics=False,
        **{**ours, **settings},
    )  # fmt: skip
