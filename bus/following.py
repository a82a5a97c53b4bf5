"""Following decisions where no stage does: which partitions there are, where to go on, which decisions count.

For processes that are alone in their job: they assign all partitions and need no group's rebalancing, so after a crash
the next one begins at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from events.envelope import Chain, Decision

_log = structlog.get_logger("bus.following")


class NotReadyError(KafkaError):  # type: ignore[misc]
    """Kafka answers, but our topics are not there yet: try again."""


class Place(NamedTuple):
    """How far a partition was read. Attributes: next: offset to be read; last: cause of the last decision that counted,
    None where that is not known."""

    next: int
    last: int | None

    def committed(self) -> OffsetAndMetadata:
        """As it is committed to Kafka."""
        return OffsetAndMetadata(self.next, "" if self.last is None else f"last={self.last}", -1)


class Follower:
    """One partition of a topic with decisions. Attributes: next, last: as in `Place`; with `last` None the next
    decision is believed."""

    __slots__ = ("last", "next")

    def __init__(self, next_: int = 0, last: int | None = -1) -> None:
        self.next, self.last = next_, last

    @property
    def place(self) -> Place:
        return Place(self.next, self.last)

    def counts(self, decision: Decision) -> bool:
        """Whether the decision counts, by the chain rule; if so it is the last one now."""
        chain = Chain(decision.prev if self.last is None else self.last)
        if not chain.accept(decision):
            return False
        self.last = chain.last
        return True


def partitions_of(reader: KafkaConsumer, *topics: str) -> list[TopicPartition]:
    """All partitions of the topics, in order.

    Raises:
        NotReadyError: one of the topics is not there yet.
    """
    out: list[TopicPartition] = []
    for topic in topics:
        numbers = reader.partitions_for_topic(topic)
        if not numbers:
            raise NotReadyError(f"topic '{topic}' is not there yet")
        out += [TopicPartition(topic, n) for n in sorted(numbers)]
    return out


def committed(reader: KafkaConsumer, partition: TopicPartition) -> Place | None:
    """Where the reader's group is in the partition; None: it never was there."""
    known = reader.committed(partition, metadata=True)
    if not known or known.offset < 0:
        return None
    last = re.fullmatch(r"last=(-?\d+)", known.metadata or "")
    return Place(known.offset, int(last[1]) if last else None)


def follow(
    reader: KafkaConsumer, partitions: Sequence[TopicPartition], known: Callable[[TopicPartition], Place | None]
) -> dict[TopicPartition, Follower]:
    """Assign the partitions, and go on in each where it is known to have been read to."""
    reader.assign(list(partitions))
    beginnings, ends = reader.beginning_offsets(partitions), reader.end_offsets(partitions)
    out: dict[TopicPartition, Follower] = {}
    for partition in partitions:
        place = known(partition)
        follower = out[partition] = begin(place, beginnings[partition], ends[partition])
        if place is not None and follower.next != place.next:
            _log.error("records_skipped", topic=partition.topic, partition=partition.partition, known=place.next,
                       beginning=follower.next)  # fmt: skip
        reader.seek(partition, follower.next)
    return out


def begin(known: Place | None, beginning: int, end: int) -> Follower:
    """Where to go on in a partition that now holds `beginning`..`end`."""
    if known is None or known.next > end:  # never read, or the topic was made anew
        return Follower(beginning, -1 if beginning == 0 else None)
    if known.next < beginning:
        return Follower(beginning, None)
    return Follower(known.next, -1 if known.last is None and known.next == 0 else known.last)
