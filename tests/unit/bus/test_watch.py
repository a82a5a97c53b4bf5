"""What is taken for a standstill, and what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bus import stage as stages
from bus.app import _in_time
from bus.stage import Partition, Spec, Stage
from bus.watch import Watch, marks
from events.codec import decode_record
from events.envelope import Tick
from tests.unit.bus.test_fold import Counting, tick

SPEC = Spec("toy", "in", "out", "snapshots", lambda _: Counting())


class Kafka:
    """In place of a producer: takes records, or keeps them waiting."""

    def __init__(self) -> None:
        self.takes, self.waiting, self.records = True, list[asyncio.Future[Any]](), list[tuple[str, int, bytes]]()

    async def send(self, topic: str, value: bytes, *, partition: int, key: bytes | None = None) -> asyncio.Future[Any]:
        sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.records.append((topic, partition, value))
        if self.takes:
            sent.set_result(SimpleNamespace(offset=sum(r[:2] == (topic, partition) for r in self.records) - 1))
        else:
            self.waiting.append(sent)
        return sent


@pytest.fixture
def died(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons for which the process would have ended."""
    reasons: list[str] = []
    monkeypatch.setattr(stages, "die", lambda why, **_: reasons.append(why))
    return reasons


def assigned(kafka: Kafka, *numbers: int) -> Stage:
    """A stage that has these partitions, read back, of an empty inbox."""
    stage = Stage("nowhere:1", SPEC)
    stage._producer = kafka
    stage.assigned = True
    for number in numbers:
        part = stage.partitions[number] = Partition(SPEC, number)
        part.ready = asyncio.create_task(asyncio.sleep(0))
    return stage


def test_only_what_should_move_and_does_not_is_still() -> None:
    watch = Watch()
    assert watch.look({"timer": 1, "partition 0": (5, 5)}) == {"timer": 0, "partition 0": 0}
    assert watch.look({"timer": 2, "partition 0": (5, 5)}) == {"timer": 0, "partition 0": 1}
    assert watch.look({"timer": 2}) == {"timer": 1}
    assert watch.look({"timer": 2, "partition 0": (5, 5)}) == {"timer": 2, "partition 0": 0}, "it had caught up between"


async def _turn(stage: Stage) -> None:
    await stage.tick()
    await asyncio.sleep(0)  # what Kafka took is known


def test_a_partition_whose_own_tick_is_not_brought_is_expected_to_move_and_one_that_decided_it_is_not() -> None:
    async def story() -> None:
        stage = assigned(Kafka(), 0, 1)
        await _turn(stage)
        await stage.handle(1, 0, tick(0), lambda: None)
        assert set(marks(stage)) == {"timer", "partition 0"}
        before = marks(stage)
        await _turn(stage)
        await stage.handle(1, 1, tick(1), lambda: None)
        assert marks(stage)["partition 0"] == before["partition 0"]
        assert marks(stage)["timer"] != before["timer"]

    asyncio.run(story())


def test_while_kafka_takes_nothing_one_tick_waits_and_no_partition_is_still() -> None:
    async def story() -> None:
        kafka = Kafka()
        stage = assigned(kafka, 0)
        await _turn(stage)
        kafka.takes = False
        for _ in range(100):
            await _turn(stage)
        assert len(kafka.waiting) == 1
        assert set(marks(stage)) == {"timer"}

    asyncio.run(story())


def test_a_partition_that_waits_for_one_that_is_late_is_not_still_while_that_one_goes_on() -> None:
    async def story() -> None:
        stage = assigned(Kafka(), 0, 1)
        await _turn(stage)
        other = stage.partitions[1].fold
        stage.started = datetime.now(UTC) - timedelta(minutes=1)
        before = marks(stage)["partition 0"]
        other.position += 1
        assert marks(stage)["partition 0"] != before
        other.now = datetime.now(UTC)
        before = marks(stage)["partition 0"]
        other.position += 1
        assert marks(stage)["partition 0"] == before, "the other is in time, and takes nothing from this one"

    asyncio.run(story())


def test_a_worker_that_lost_its_assignment_is_expected_to_get_one_and_one_without_partitions_is_not() -> None:
    async def story() -> None:
        stage = assigned(Kafka())
        assert set(marks(stage)) == {"timer"}, "it is only starting"
        await _turn(stage)
        assert set(marks(stage)) == {"timer"}, "others have the partitions"
        stage.assigned = False
        assert set(marks(stage)) == {"timer", "assignment"}

    asyncio.run(story())


def test_a_message_of_a_partition_that_is_not_ours_is_let_go_and_gets_no_ticks() -> None:
    async def story() -> None:
        kafka, acks = Kafka(), list[int]()
        stage = assigned(kafka, 0)
        await stage.handle(3, 7, tick(2), lambda: acks.append(7))
        await _turn(stage)
        assert acks == [7]
        assert [(topic, partition) for topic, partition, _ in kafka.records] == [("in", 0)]
        assert isinstance(decode_record(kafka.records[0][2]), Tick)

    asyncio.run(story())


def test_who_leaves_while_kafka_takes_nothing_gives_up_waiting_and_does_not_cancel_what_was_decided(
    monkeypatch: pytest.MonkeyPatch, died: list[str]
) -> None:
    async def story() -> None:
        kafka = Kafka()
        kafka.takes = False
        stage = assigned(kafka, 0)
        await stage.handle(0, 0, tick(2), lambda: None)
        monkeypatch.setattr("bus.app.LEAVE_SECONDS", 0.0)
        await _in_time(stage.leave([0]))
        await asyncio.sleep(0)
        assert not kafka.waiting[0].cancelled()
        assert died == []

    asyncio.run(story())
