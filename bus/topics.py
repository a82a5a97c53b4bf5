"""The topics, created with their settings before any worker touches them; a client's typing error never makes one."""

from __future__ import annotations

from collections.abc import Iterable

from kafka import KafkaAdminClient

from events import topics

MEGA = 1 << 20
_DAY = 24 * 3600 * 1000
_DURABLE = {"flush.messages": "1"}
"""The broker waits for the disk before it acknowledges: for what hurts when power fails (events, not telemetry)."""
_COMPACT = {"cleanup.policy": "compact", "max.message.bytes": str(16 * MEGA), "segment.ms": str(3600 * 1000)}
_EVENTS = {"retention.ms": str(30 * _DAY), "max.message.bytes": str(16 * MEGA), **_DURABLE}

TOPICS: dict[str, dict[str, str]] = {
    topics.READINGS: {"retention.ms": str(3 * _DAY), "max.message.bytes": str(4 * MEGA)},
    topics.CONDITIONS: _EVENTS,
    topics.INCIDENTS: _EVENTS,
    topics.COMMANDS: _EVENTS,
    topics.MIRRORS: _EVENTS,
    topics.DEADLETTER: {"retention.ms": str(30 * _DAY), "max.message.bytes": str(20 * MEGA)},
    topics.LEDGER: _COMPACT,
    **dict.fromkeys(topics.SNAPSHOTS.values(), _COMPACT),
}


def create(kafka: str, partitions: int = topics.PARTITIONS) -> list[str]:
    """Create what is missing on the broker at `kafka` ("host:port"); the names of what was created.

    Raises:
        KafkaError: the broker does not answer, or refuses.
    """
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        there = set(admin.list_topics())
        new = {
            name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
            for name, configs in TOPICS.items()
            if name not in there
        }
        if new:
            admin.create_topics(new, wait_for_metadata=True)
        return list(new)
    finally:
        admin.close()


class NoTopicError(Exception):
    """The broker does not know a topic: it is not made yet, or the broker is still starting. Try again."""

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = sorted(missing)
        super().__init__(f"the broker does not know {', '.join(self.missing)}")


def require(kafka: str, names: Iterable[str]) -> None:
    """Wait until the broker is up, so far that it knows these topics: a Faust worker that meets it earlier hangs, as
    its metadata names no broker.

    Raises:
        KafkaError: no broker answers within 30 s.
        NoTopicError: it does not know one of them.
    """
    admin = KafkaAdminClient(bootstrap_servers=kafka, reconnect_backoff_max_ms=1000)
    try:
        if missing := set(names) - set(admin.list_topics()):
            raise NoTopicError(missing)
    finally:
        admin.close()
