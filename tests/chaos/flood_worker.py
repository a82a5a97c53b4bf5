"""The incidents stage as processes to be killed: forked from a server that has imported all, so that a life is short.

Two ways of life: as `andon up` runs it, fed by Faust; and fed straight from its partitions, without a consumer group
whose dead members must be waited for. What is under test is the same: the stage, its log, and the brain.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from bus import stage as stages
from bus.app import run_stage
from bus.stage import Spec, Stage
from config.instance import Instance, MqttAddress
from events.topics import PARTITIONS
from incidents.brain import IncidentsBrain

SNAPSHOT_INPUTS = 400
"""In lives of a second there would never be a snapshot."""


class AnyPort(Instance):
    """Several workers on one machine: each serves its health where it can."""

    def health_port(self, process: str) -> int:
        return 0


def spec(name: str) -> Spec:
    return Spec(name="incidents", inbox=f"{name}-in", output=f"{name}-out", snapshots=f"{name}-snap",
                brain=IncidentsBrain)  # fmt: skip


def live(kafka: str, name: str, home: str, faust: bool) -> None:
    """Until killed."""
    log = (Path(home) / "workers.log").open("a")
    sys.stdout = sys.stderr = log
    sys.argv = ["worker"]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
    stages.SNAPSHOT_INPUTS = SNAPSHOT_INPUTS
    if faust:
        mqtt = MqttAddress(host="127.0.0.1", port=1)
        instance = AnyPort(home=Path(home), plant=Path(home), kafka=kafka, database_url="", mqtt=mqtt)
        run_stage(instance, spec(name))
    else:
        asyncio.run(fed(kafka, spec(name)))


async def fed(kafka: str, of: Spec) -> None:
    stage = Stage(kafka, of)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    partitions = [TopicPartition(of.inbox, n) for n in range(PARTITIONS)]
    consumer.assign(partitions)
    ticking = asyncio.create_task(_tick(stage))
    await asyncio.gather(*(_begin(stage, consumer, p) for p in partitions))
    while not ticking.done():
        for records in (await consumer.getmany(timeout_ms=50)).values():
            for r in records:
                await stage.handle(r.partition, r.offset, r.value, _nothing)


async def _begin(stage: Stage, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
    part = stage.open(partition.partition)
    await part.ready
    consumer.seek(partition, part.fold.position)


async def _tick(stage: Stage) -> None:
    while True:
        await stage.tick()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1.0)


def _nothing() -> None: ...
