"""Kafka records into batches: what counts, what is a repetition, what is a dead letter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from eventlog.intake import Intake
from eventlog.log import Batch, Position
from eventlog.memory import MemoryLog
from events import topics
from events.codec import encode
from events.devices import DeviceLost
from events.envelope import Configure, DeadLetter, Decision, Event, Record, Reported, Tick
from events.readings import Packed
from events.types import make_id
from tests.contract.stories import at, event, frame, raised

INCIDENTS, READINGS = (topics.INCIDENTS, 1), (topics.READINGS, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def alarm(n: int) -> Event:
    return event(raised(f"a{n}"), n)


def taken(records: Iterable[Record | bytes], key: tuple[str, int] = INCIDENTS, intake: Intake | None = None) -> Batch:
    intake = intake or Intake({}, {})
    for offset, record in enumerate(records):
        intake.take(key, offset, NOW, record if isinstance(record, bytes) else encode(record))
    return intake.batch()


def ids(batch: Batch) -> list[UUID]:
    return [e.id for e in batch.entries]


def test_a_decision_counts_once_and_only_behind_the_one_before() -> None:
    first, second = Decision(0, -1, -1, (alarm(0),)), Decision(7, 0, -1, (alarm(1),))
    stray = Decision(5, 3, -1, (alarm(9),))
    batch = taken([first, first, stray, second, first, second])
    assert ids(batch) == [alarm(0).id, alarm(1).id]
    assert batch.advances[INCIDENTS].to == Position(next=6, last=7)


def test_ticks_and_configurations_only_move_the_position() -> None:
    batch = taken([Tick(at(5)), Configure("v", at(1), "Ada", b""), Tick(at(4))])
    assert not batch.entries
    assert batch.advances[INCIDENTS].to == Position(next=3, tick_at=at(5))


def test_a_repeated_offset_is_ignored() -> None:
    intake = Intake({INCIDENTS: Position(next=5, last=2)}, {})
    intake.take(INCIDENTS, 4, NOW, encode(Decision(3, 2, -1, (alarm(0),))))
    assert intake.empty
    intake.take(INCIDENTS, 5, NOW, encode(Decision(3, 2, -1, (alarm(0),))))
    assert intake.batch().advances[INCIDENTS].start == 5


def test_reported_facts_are_passed_on_for_the_log_to_recognise() -> None:
    said = Reported("edge-1:j", 3, (event(DeviceLost(device="d", reason="r"), 9),))
    batch = taken([said, said])
    assert len(batch.entries) == 2
    assert (batch.sources["edge-1:j"].sequence, batch.sources["edge-1:j"].time) == (3, at(9))


def test_what_a_service_reports_is_no_sign_of_life_of_a_device() -> None:
    batch = taken([Reported("mqtt:dispatcher", 3, (event(DeviceLost(device="d", reason="r"), 9),))])
    assert (len(batch.entries), batch.sources) == (1, {})


def test_copies_that_are_relayed_to_the_plant_are_not_taken_again() -> None:
    """They would come out of order with what their own topic says of the same alarm."""
    copy = Reported(f"{topics.RELAY}2", 3, (alarm(0),))
    batch = taken([copy])
    assert (batch.entries, batch.sources) == ([], {})
    assert [step.to.next for step in batch.advances.values()] == [1], "the position moves on"


def test_frames_of_a_numbered_source_count_once_per_number() -> None:
    frames = [frame([[1, 0]], sequence=n).pack() for n in (1, 2, 3, 2, 3, 4)]
    intake = Intake({}, {("edge-1:j", 1): 1})
    batch = taken(frames, READINGS, intake)
    assert [f.sequence for f in batch.frames] == [2, 3, 4]
    assert batch.marks == {("edge-1:j", 1): 4}
    assert intake.repeated == 3


def test_frames_of_unnumbered_sources_are_left_to_their_content() -> None:
    batch = taken([frame([[1, 0]], source="mqtt:press", sequence=9).pack()] * 2, READINGS)
    assert len(batch.frames) == 2
    assert (batch.marks, batch.sources["mqtt:press"].sequence) == ({}, None)


def test_a_frame_that_cannot_be_stored_is_a_dead_letter_with_its_bytes() -> None:
    good = frame([[1, 0]]).pack()
    wild = Packed(good.area, "press\0", *(getattr(good, f) for f in good.__struct_fields__[2:]))
    late = Packed(
        *(getattr(good, f) for f in good.__struct_fields__[:6]), (2**62).to_bytes(8, "little"), good.values, b"\0\0"
    )
    batch = taken([wild, late, good], READINGS)
    assert [(x.field, x.original) for x in batch.letters] == [("device", encode(wild)), ("times", encode(late))]
    assert len(batch.frames) == 1


def test_a_dead_letter_of_others_is_kept_as_it_is() -> None:
    letter = DeadLetter(id=make_id("l"), at=at(0), origin="mqtt x", field="value", reason="text", original=b"\xff")
    assert list(taken([encode(letter)], (topics.DEADLETTER, 0)).letters) == [letter]


def test_a_loss_is_said_and_the_chain_begins_anew() -> None:
    intake = Intake({INCIDENTS: Position(next=3, last=2)}, {})
    intake.lose(INCIDENTS, 10, NOW)
    intake.take(INCIDENTS, 10, NOW, encode(Decision(12, 11, -1, (alarm(0),))))
    intake.take(INCIDENTS, 11, NOW, encode(Decision(14, 11, -1, (alarm(1),))))
    batch = intake.batch()
    assert ids(batch) == [alarm(0).id]
    assert "3 to 9" in batch.letters[0].reason
    assert batch.advances[INCIDENTS].to == Position(next=12, last=12, whole_since=10)


def test_a_parked_decision_does_not_break_the_chain() -> None:
    intake = Intake({}, {})
    intake.park(INCIDENTS, 0, NOW, encode(Decision(4, -1, -1, (alarm(0),))), "too long")
    intake.take(INCIDENTS, 1, NOW, encode(Decision(5, 4, -1, (alarm(1),))))
    batch = intake.batch()
    assert ids(batch) == [alarm(1).id]
    assert batch.letters[0].reason == "too long"


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_stop_the_intake(raws: list[bytes]) -> None:
    for key in (INCIDENTS, READINGS, (topics.DEADLETTER, 0)):
        batch = taken(raws, key)
        assert len(batch.letters) <= len(raws)
        assert not raws or batch.advances[key].to.next == len(raws)


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(1, 5), min_size=1, max_size=10))
def test_whatever_is_said_again_the_log_has_each_event_once(steps: list[int], cuts: list[int]) -> None:
    """A stage's output with repetitions of runs of any length, in batches of any size, with a restart after each."""
    topic: list[Decision] = []
    said = 0
    for back in [*steps, *[0] * 13]:
        if back:
            topic += [Decision(n, n - 1, -1, (alarm(n),)) for n in range(max(0, said - back), said)]
        else:
            topic.append(Decision(said, said - 1, -1, (alarm(said),)))
            said += 1
    log, offset = MemoryLog(now=lambda: NOW), 0
    while offset < len(topic):
        intake = Intake(log.positions(), log.marks())
        for record in topic[offset : offset + cuts[offset % len(cuts)]]:
            intake.take(INCIDENTS, offset, NOW, encode(record))
            offset += 1
        log.append(intake.batch())
    assert [line.id for line in log.read()] == [alarm(n).id for n in range(said)]
