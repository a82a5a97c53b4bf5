"""What was taken over stays over a crash, and is done once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from errands import outcome
from errands.store import Store
from events.codec import decode_record
from events.errands import ErrandDone
from events.topics import INCIDENTS
from tests.unit.errands.errands import AREA, AT, http, issued, message


def test_an_errand_is_taken_over_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "errands.sqlite")
    later = issued(message(), at=AT + timedelta(seconds=1))
    assert [store.take(one) for one in (later, issued(http()), issued(http()))] == [True, True, False]
    assert [job.issued.fact for job in store.waiting()] == [http(), message()], "the oldest first"


def test_how_often_it_began_is_known_after_a_crash(tmp_path: Path) -> None:
    store = Store(tmp_path / "errands.sqlite")
    store.take(issued(http()))
    store.begin(http().errand)
    (job,) = Store(tmp_path / "errands.sqlite").waiting()
    assert job.begun == 1


def test_what_is_done_is_told_until_kafka_has_it_and_not_begun_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "errands.sqlite")
    store.take(issued(http()))
    told = outcome.report(issued(http()), ErrandDone(errand=http().errand, status=201), AT)
    with store.transaction():
        store.done(http().errand)
        store.say(str(told.id), INCIDENTS, AREA, told)
    again = Store(tmp_path / "errands.sqlite")
    assert again.waiting() == [] and not again.take(issued(http()))
    (unsaid,) = again.unsaid()
    assert (unsaid.topic, unsaid.area, decode_record(unsaid.record)) == (INCIDENTS, AREA, told)
    again.said([unsaid.id])
    assert again.unsaid() == []
    assert again.counts() == {"waiting": 0, "unsaid": 0}


def test_only_what_cannot_come_again_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "errands.sqlite")
    old, waiting = http("old"), http("waiting")
    for fact in (old, waiting):
        store.take(issued(fact))
    store.done(old.errand)
    store.prune(AT + timedelta(days=29))
    assert not store.take(issued(old))
    store.prune(AT + timedelta(days=31))
    assert store.take(issued(old)), "Kafka does not have it any more, nor do we"
    assert len(store.waiting()) == 2
