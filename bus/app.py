"""Faust runs the stage: consumer groups, feeding the agent, the timer. It decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import faust
import structlog
import uvloop
from faust.types import TP, StreamT

from bus.client import METADATA_MS
from bus.stage import Spec, Stage, die
from bus.topics import require
from bus.watch import watch
from config.instance import Instance
from events.topics import PARTITIONS
from telemetry import Health, HealthServer, configure_logs, healthy, serve_health, unhealthy

log = structlog.get_logger()
TICK_SECONDS = 1.0
LEAVE_SECONDS = 3.0
TOO_OLD_SECONDS = 15.0


def make_app(kafka: str, spec: Spec, stage: Stage, data: Path) -> faust.App:
    """The app of one stage; `data` is a folder Faust may use."""
    app = faust.App(
        f"andon-{spec.name}", broker=f"kafka://{kafka}", store="memory://", datadir=str(data),
        topic_partitions=PARTITIONS, topic_replication_factor=1, topic_disable_leader=True, topic_allow_declare=False,
        broker_session_timeout=3.0, broker_heartbeat_interval=0.5, broker_rebalance_timeout=10.0,
        broker_request_timeout=20.0, broker_commit_interval=1.0, broker_max_poll_records=5000,
        consumer_auto_offset_reset="earliest", consumer_max_fetch_size=16 << 20, stream_buffer_maxsize=4096,
        consumer_metadata_max_age_ms=METADATA_MS, stream_wait_empty=False, producer_linger=0.0,
        processing_guarantee="at_least_once", web_enabled=False,
    )  # fmt: skip
    inbox = app.topic(
        spec.inbox, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw",
        partitions=PARTITIONS,
    )  # fmt: skip

    @app.agent(inbox, concurrency=1, name=spec.name)  # one: several share the stream and lose the order
    async def decide(stream: StreamT[bytes]) -> None:
        async for event in stream.noack().events():
            try:
                await stage.handle(event.message.partition, event.message.offset, event.value, event.ack)
            except Exception:  # noqa: BLE001 - Faust would restart the agent, and forget the message in hand
                die("the stage failed")

    @app.on_partitions_assigned.connect
    async def assigned(_app: Any, tps: set[TP], **_: object) -> None:
        stage.assigned = True
        for tp in tps:
            if tp.topic == spec.inbox:
                stage.open(tp.partition)  # as tasks, all at once: the rebalance does not wait for them

    @app.on_partitions_revoked.connect
    async def revoked(_app: Any, tps: set[TP], **_: object) -> None:
        stage.assigned = False
        await _in_time(stage.leave([tp.partition for tp in tps if tp.topic == spec.inbox]))
        stage.drop([tp.partition for tp in tps if tp.topic == spec.inbox])

    @app.on_before_shutdown.connect
    async def leaving(_app: Any, **_: object) -> None:
        await _in_time(stage.close())

    @app.timer(interval=TICK_SECONDS)
    async def tick() -> None:
        await stage.tick()

    return app


async def _in_time(work: Coroutine[Any, Any, None]) -> None:
    """Without a broker there is nothing to write to, and nothing is lost by not writing it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await work


def check(stage: Stage) -> Health:
    """A worker without partitions is idle, and well: others have them."""
    lags = {str(number): round(stage.behind(part), 1) for number, part in list(stage.partitions.items())}
    reading = [str(number) for number, part in list(stage.partitions.items()) if not part.ready.done()]
    reasons = [f"partition {n}: its state is being read back" for n in reading]
    reasons += [f"partition {n}: the newest tick that was decided is {lag:.0f} s old"
                for n, lag in lags.items() if lag > TOO_OLD_SECONDS]  # fmt: skip
    if not stage.assigned:
        reasons.append("no partition has been assigned yet")
    return unhealthy(*reasons, behind_s=lags) if reasons else healthy(behind_s=lags)


def _serve_health(port: int, stage: Stage) -> HealthServer:
    """On the stage's port; a second worker of the stage on this machine takes any free one."""
    try:
        return serve_health(port, lambda: check(stage))
    except OSError:
        server = serve_health(0, lambda: check(stage))
        log.info("health_on_another_port", stage=stage.spec.name, port=server.port)
        return server


def run_stage(instance: Instance, spec: Spec) -> None:
    """Run the stage as this process until SIGTERM or SIGINT.

    Raises:
        KafkaError: no broker answers. The supervisor tries again.
        NoTopicError: it does not know the stage's topics, yet. The same.
    """
    configure_logs(spec.name)
    require(instance.kafka, (spec.inbox, spec.output, spec.snapshots))
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    data = instance.data(spec.name)
    data.mkdir(parents=True, exist_ok=True)
    stage = Stage(instance.kafka, spec)
    health = _serve_health(instance.health_port(spec.name), stage)
    worker = faust.Worker(
        make_app(instance.kafka, spec, stage, data), loop=loop, loglevel="WARN", override_logging=False,
        redirect_stdouts=False, quiet=True,
    )  # fmt: skip
    worker.spinner = None
    watch(stage)
    try:
        worker.execute_from_commandline()
    finally:
        health.close()
