"""Single readings as JSON over MQTT, to the log; and what a stage and the log take of small records."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from kafka import TopicPartition

from benchmarks import plants
from benchmarks.measures import MeasureError, Measures
from benchmarks.pipeline import DRAIN_S, send
from benchmarks.running import Plant, running
from bus.client import Producer, consumer
from events.codec import decode_record
from events.envelope import Chain, Decision
from events.requests import AcknowledgeIncident, Request, RequestRefused
from events.topics import CONDITIONS, INCIDENTS, PARTITIONS

REQUESTS = 20_000
MOST_S = 5.0
"""The broker gets slower with what waits in it (docs/benchmarks.md): a longer load drains for minutes."""


def measure(measures: Measures, folder: Path, seconds: float) -> None:
    with running(plants.write_load(folder / "load"), measures.console.print, "--no-simulator") as plant:
        single_readings(measures, plant, min(seconds, MOST_S))
        decisions(measures, plant, max(1000, min(REQUESTS, int(seconds * 1000))))


def single_readings(measures: Measures, plant: Plant, seconds: float) -> None:
    """One JSON message each, QoS 1, until every one is a value in the log.

    Raises:
        MeasureError: one is missing, or there are more than were sent.
    """
    sent = send(plant, "messages", "--seconds", str(seconds), within_s=seconds + DRAIN_S)
    end = time.monotonic() + DRAIN_S
    while (found := _gated(plant)) < sent.readings:
        if time.monotonic() > end:
            raise MeasureError(f"{found} of {sent.readings} single readings are in the log")
        time.sleep(0.02)
    logged = time.time()
    if found != sent.readings:
        raise MeasureError(f"{found} single readings in the log, {sent.readings} were sent")
    measures.note("pipeline_messages_per_s", sent.readings / (logged - sent.began))
    measures.note("pipeline_messages", sent.readings)


def decisions(measures: Measures, plant: Plant, count: int) -> None:
    """Requests that the incidents stage has to refuse: one input, one decision, one event each."""
    feed = consumer(plant.instance.kafka)
    parts = [TopicPartition(INCIDENTS, p) for p in range(PARTITIONS)]
    feed.assign(parts)
    feed.seek_to_end(*parts)
    for part in parts:
        feed.position(part)
    producer = Producer(plant.instance.kafka, linger_ms=2)
    now = datetime.now(UTC)
    names = plants.areas()
    nobody = UUID(int=0)
    wanted = {uuid5(nobody, f"{now.isoformat()} {i}") for i in range(count)}
    began = time.time()
    try:
        for i, id_ in enumerate(sorted(wanted)):
            body = AcknowledgeIncident(incident=nobody)
            expires = now + timedelta(hours=1)
            area = names[i % len(names)]
            request = Request(id=id_, area=area, at=now, by="bench", role="operator", expires=expires, body=body)
            producer.send(CONDITIONS, area, request)
        producer.flush(DRAIN_S)
        missing, chains = set(wanted), dict[int, Chain]()
        end = time.monotonic() + DRAIN_S
        while missing:
            if time.monotonic() > end:
                raise MeasureError(f"{len(missing)} of {count} requests were not answered")
            for tp, records in feed.poll(timeout_ms=100).items():
                for record in records:
                    decision = decode_record(record.value)
                    if not isinstance(decision, Decision):
                        continue
                    if chains.setdefault(tp.partition, Chain(decision.prev)).accept(decision):
                        missing -= {e.cause for e in decision.events if isinstance(e.fact, RequestRefused)}
        decided = time.time()
    finally:
        producer.close()
        feed.close()
    measures.note("stage_decisions_per_s", count / (decided - began))
    end = time.monotonic() + DRAIN_S
    sql = "select count(*) from events where type = 'request.refused'"
    while (found := plant.query(sql)[0][0]) < count:
        if time.monotonic() > end:
            raise MeasureError(f"{found} of {count} refusals are in the log")
        time.sleep(0.02)
    measures.note("log_events_per_s", 2 * count / (time.time() - began))


def _gated(plant: Plant) -> int:
    return int(plant.query("select count(*) from readings where device = :d", d=plants.GATE)[0][0])
