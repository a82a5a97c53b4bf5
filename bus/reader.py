"""Reading a stretch of one partition, as often as the broker's restarts demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bus.topics import MEGA

log = structlog.get_logger()


class TruncatedError(Exception):
    """The topic does not hold what was read before: made anew, truncated, or its retention is too short."""


class Reader:
    def __init__(self, kafka: str) -> None:
        self.kafka = kafka

    async def read(
        self, topic: str, partition: int, start: int, end: int | None, wanted: Callable[[], bool],
        *, gone_is_error: bool = True,
    ) -> AsyncIterator[list[tuple[int, bytes]]]:  # fmt: skip
        """Batches of (offset, value) of the records start..end-1; to the present end if `end` is None; only the newest
        if `start` is -1. Ends early when it is no longer `wanted`.

        Raises:
            TruncatedError: `start` is beyond the topic's end, or before its beginning.
        """
        tp = TopicPartition(topic, partition)
        while wanted():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.kafka, enable_auto_commit=False, fetch_max_wait_ms=50,
                max_partition_fetch_bytes=16 * MEGA,
            )  # fmt: skip
            try:
                await consumer.start()
                consumer.assign([tp])
                first = (await consumer.beginning_offsets([tp]))[tp]
                now = (await consumer.end_offsets([tp]))[tp]
                end = now if end is None else end
                if start > now:
                    raise TruncatedError(f"{topic}[{partition}] ends at {now}, but {start} was already read")
                start = max(end - 1, first) if start < 0 else start
                if start < first and start < end:
                    if gone_is_error:
                        raise TruncatedError(f"{topic}[{partition}] begins at {first}, but {start} is needed")
                    log.error("inputs_gone", topic=topic, partition=partition, first=start, last=first - 1)
                    start = first
                consumer.seek(tp, start)
                while wanted() and start < end:
                    batch = (await consumer.getmany(tp, timeout_ms=200)).get(tp)
                    if batch:
                        yield [(r.offset, r.value) for r in batch if r.offset < end and r.value is not None]
                        start = batch[-1].offset + 1
                    else:
                        start = max(start, await consumer.position(tp))
                return
            except (KafkaError, OSError) as error:
                log.warning("read_interrupted", topic=topic, partition=partition, error=repr(error))
                await asyncio.sleep(0.5)
            finally:
                await consumer.stop()
