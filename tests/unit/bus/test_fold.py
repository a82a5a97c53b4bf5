"""The fold of a stage, without Kafka: toy brains whose whole state depends on every input they were given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

import msgspec
import pytest

from bus.fold import BrokenBrainError, Fold
from bus.stage import Spec, Stage
from events.alarms import AlarmCleared
from events.codec import encode
from events.envelope import Configured, Decision, Event, InputFailed, Record, Tick, event
from events.types import EPOCH, make_id


class Counting:
    """Says something about every second tick; its answer depends on all that it said before."""

    folds: ClassVar[bool] = True

    def __init__(self) -> None:
        self.total, self.now = 0, EPOCH

    def decide(self, given: Record) -> list[Event]:
        assert isinstance(given, Tick)
        self.now = max(self.now, given.at)
        second = int(given.at.timestamp())
        if second % 2:
            return []
        value = float((self.total * 31 + second) % 1_000_003)
        fact = AlarmCleared(alarm=make_id("toy", second), value=value)
        return [event(fact, at=given.at, area="a", cause=given.id_for("a"), author="toy", index=0)]

    def evolve(self, events: Sequence[Event]) -> None:
        for e in events:
            if isinstance(e.fact, AlarmCleared):
                self.total = int(e.fact.value or 0)

    def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
        return [] if list(said) == list(redone) else [*redone[-1:]]

    def save(self) -> bytes:
        return encode(self.total)

    def load(self, raw: bytes) -> None:
        self.total = __import__("msgspec").msgpack.decode(raw)


class Filtering(Counting):
    """The same, but every input changes its state, also those that it says nothing about."""

    folds: ClassVar[bool] = False

    def decide(self, given: Record) -> list[Event]:
        assert isinstance(given, Tick)
        self.total = (self.total * 31 + int(given.at.timestamp())) % 1_000_003
        if self.total % 2:
            return []
        fact = AlarmCleared(alarm=make_id("toy", given.at), value=float(self.total))
        return [event(fact, at=given.at, area="a", cause=given.id_for("a"), author="toy", index=0)]

    def evolve(self, events: Sequence[Event]) -> None:
        """Nothing: `decide` has done it."""


BRAINS = [Counting, Filtering]


def tick(second: int) -> bytes:
    return encode(Tick(EPOCH + timedelta(seconds=second)))


def run(fold: Fold, inputs: list[bytes]) -> list[Decision]:
    return [d for offset, raw in enumerate(inputs[fold.position :], fold.position) if (d := fold.decide(offset, raw))]


@pytest.mark.parametrize("brain", BRAINS)
def test_reading_back_the_output_gives_the_live_state_and_says_nothing_twice(brain: type[Counting]) -> None:
    inputs = [tick(i) for i in range(50)]
    live = Fold("toy", 0, brain())
    said = run(live, inputs[:40])

    again = Fold("toy", 0, brain())
    assert all(again.read_back(d) for d in said)
    assert not any(again.read_back(d) for d in said), "a record that was said twice counts once"
    more = run(again, inputs)

    assert more == run(live, inputs)
    assert again.brain.save() == live.brain.save()


@pytest.mark.parametrize("brain", BRAINS)
@pytest.mark.parametrize("at", range(0, 40, 7))
def test_a_snapshot_taken_anywhere_leads_to_the_same_decisions(brain: type[Counting], at: int) -> None:
    inputs = [tick(i) for i in range(50)]
    live = Fold("toy", 0, brain())
    said = run(live, inputs[:at])
    snapshot = live.snapshot()
    said += run(live, inputs[:40])

    again = Fold("toy", 0, brain())
    again.restore(snapshot)
    for d in said:
        again.read_back(d)
    assert run(again, inputs) == run(live, inputs)


def test_a_decision_whose_forerunner_never_arrived_does_not_count() -> None:
    said = run(Fold("toy", 0, Counting()), [tick(i) for i in range(10)])
    reader = Fold("toy", 0, Counting())
    assert reader.read_back(said[0])
    assert not reader.read_back(said[2])
    assert reader.read_back(said[1])
    assert reader.position == said[1].cause + 1


def test_bytes_that_are_no_record_become_one_fact_and_nothing_stops() -> None:
    fold = Fold("toy", 0, Counting())
    decision = fold.decide(0, b"\xc1 not msgpack")
    assert decision is not None
    fact = decision.events[0].fact
    assert isinstance(fact, InputFailed)
    assert fact.input == b"\xc1 not msgpack"
    assert fold.decide(1, tick(2)) is not None


def test_a_record_the_brain_does_not_take_becomes_a_fact_too() -> None:
    fold = Fold("toy", 0, Counting())
    decision = fold.decide(0, encode(Decision(3, -1, -1, ())))
    assert decision is not None
    assert isinstance(decision.events[0].fact, InputFailed)


def test_an_upstream_decision_is_taken_once() -> None:
    class Echo(Counting):
        def decide(self, given: Record) -> list[Event]:
            assert isinstance(given, Decision)
            fact = Configured(stage="echo", version=str(given.cause), body=b"")
            return [event(fact, at=EPOCH, area="a", cause=make_id(given.cause), author="echo", index=0)]

    upstream = [encode(Decision(4, -1, -1, ())), encode(Decision(9, 4, -1, ()))]
    fold = Fold("echo", 0, Echo())
    said = run(fold, [upstream[0], upstream[0], upstream[1], upstream[0], upstream[1]])
    assert [d.cause for d in said] == [0, 2]
    assert [d.upstream for d in said] == [4, 9]

    again = Fold("echo", 0, Echo())
    for d in said:
        again.read_back(d)
    assert again.upstream == 9, "known again after a restart, so that a late duplicate is not taken for new"


def test_a_brain_that_breaks_while_it_takes_its_own_decision_over_says_so() -> None:
    class Broken(Counting):
        def evolve(self, events: Sequence[Event]) -> None:
            raise ZeroDivisionError

    with pytest.raises(BrokenBrainError) as caught:
        Fold("toy", 0, Broken()).decide(0, tick(2))
    assert isinstance(caught.value.decision.events[0].fact, InputFailed)
    reader = Fold("toy", 0, Counting())
    assert reader.read_back(caught.value.decision)
    assert reader.position == 1, "the next owner goes on behind it"


def test_what_is_read_back_knows_the_time_it_was_decided_at() -> None:
    said = run(Fold("toy", 0, Counting()), [tick(1), tick(5), tick(2), b"?"])
    again = Fold("toy", 0, Counting())
    for d in said:
        again.read_back(d)
    assert again.brain.now == again.now == EPOCH + timedelta(seconds=5)
    assert said[-1].events[0].at == again.now, "the failed input too, whoever decides it"


def test_newer_code_that_decides_otherwise_is_asked_to_reconcile_what_was_said() -> None:
    class Newer(Filtering):
        def decide(self, given: Record) -> list[Event]:
            return super().decide(given)[:0]

        def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
            return list(said) if list(said) != list(redone) else []

    inputs = [tick(i) for i in range(30)]
    said = run(Fold("toy", 0, Filtering()), inputs[:20])
    newer = Fold("toy", 0, Newer())
    for d in said:
        newer.read_back(d)
    after = run(newer, inputs)
    assert len(after) == 1, "once, with the first input that nobody decided before"
    assert after[0].cause == said[-1].cause + 1
    assert after[0].prev == said[-1].cause
    assert after[0].events == tuple(e for d in said for e in d.events)


def test_a_snapshot_that_newer_code_cannot_read_is_passed_over_where_the_output_says_all() -> None:
    class Newer(Counting):
        def load(self, raw: bytes) -> None:
            raise msgspec.ValidationError("written by older code")

    class Deaf(Newer):
        folds: ClassVar[bool] = False

    older = Fold("toy", 0, Counting())
    raw = encode(older.snapshot())
    restored = Stage("nowhere:1", Spec("toy", "in", "out", "snapshots", lambda _: Newer()))._restored(0, raw)
    assert (restored.position, restored.covers) == (0, 0), "it reads the whole output back"
    with pytest.raises(msgspec.ValidationError):
        Stage("nowhere:1", Spec("toy", "in", "out", "snapshots", lambda _: Deaf()))._restored(0, raw)
