"""What the notifier keeps: each notification once, each delivery until it is done, each outcome until Kafka has it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kafka import TopicPartition

from bus.following import Place
from events.codec import decode_record
from events.envelope import Event, Reported
from events.notifications import (
    NotificationDelivered,
    NotificationFact,
    NotificationFailed,
    NotificationWithdrawn,
)
from events.topics import INCIDENTS
from notify.planning import plan
from notify.store import Job, Store
from notify.withdrawal import Over
from tests.unit.notify.notes import AT, INCIDENT, PEOPLE, issued, note

HERE = TopicPartition("incidents", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notifier" / "notifier.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def take(store: Store, given: Event, at: datetime = AT) -> bool:
    return store.take(given, plan(given, note(given), PEOPLE, at), at)


def outcomes(store: Store) -> list[NotificationFact]:
    out = []
    for unsaid in store.unsaid():
        record = decode_record(unsaid.record)
        assert isinstance(record, Reported)
        out.append(record.events[0].fact)
    return out  # type: ignore[return-value]


def job(store: Store, channel: str = "mail", at: datetime = AT) -> Job:
    found = store.next_job("anna", channel, at)
    assert isinstance(found, Job)
    return found


def delivered(job: Job) -> NotificationDelivered:
    return NotificationDelivered(
        notification=job.fact.notification, person=job.person, channel=job.channel, attempt=job.attempts + 1
    )


def failed(job: Job, *, final: bool = False) -> NotificationFailed:
    return NotificationFailed(
        notification=job.fact.notification, person=job.person, channel=job.channel, attempt=job.attempts + 1,
        reason="no route", final=final,
    )  # fmt: skip


def test_a_notification_is_taken_once_however_often_it_is_read(store: Store) -> None:
    assert take(store, issued())
    assert not take(store, issued())
    assert store.counts() == {"waiting": 2, "unsaid": 0}


def test_what_was_taken_and_where_reading_stands_survives_the_process(path: Path) -> None:
    first = Store(path)
    with first.transaction():
        take(first, issued())
        first.move(HERE, Place(43, 41))
    again = Store(path)  # without closing the first: kill -9
    assert again.place(HERE) == Place(43, 41)
    assert again.place(TopicPartition("incidents", 2)) is None
    assert again.waiting() == {("anna", "mail"), ("anna", "phone")}
    first.close()
    again.close()


def test_what_was_not_committed_never_was(path: Path) -> None:
    first = Store(path)
    with pytest.raises(RuntimeError), first.transaction():
        take(first, issued())
        first.move(HERE, Place(43, 41))
        raise RuntimeError("the process ends here")
    assert first.place(HERE) is None
    assert take(first, issued())
    first.close()


def test_a_record_of_an_edge_is_known_by_its_number_in_each_partition(path: Path) -> None:
    store = Store(path)
    assert store.is_new("edge-1:j", 0, 7) and store.is_new("edge-1:j", 3, 7) and store.is_new("edge-2:j", 0, 1)
    store.close()
    store = Store(path)
    assert not store.is_new("edge-1:j", 0, 7) and not store.is_new("edge-1:j", 0, 6) and store.is_new("edge-1:j", 0, 8)
    store.close()


def test_a_channel_gets_the_most_important_first_and_the_older_of_two(store: Store) -> None:
    for name, priority, after in (("a", "high", 2), ("b", "critical", 3), ("c", "high", 1)):
        take(store, issued(name, priority=priority, after_s=after), AT)  # type: ignore[arg-type]
    order = []
    for _ in range(3):
        order.append(job(store).issued)
        store.done(job(store), delivered(job(store)), AT)
    assert [e.id for e in order] == [issued(n).id for n in "bca"]
    assert store.next_job("anna", "mail", AT) is None


def test_what_failed_comes_again_when_its_time_has_come_and_counts_its_attempts(store: Store) -> None:
    take(store, issued())
    retry_at = AT + timedelta(seconds=2)
    store.done(job(store), failed(job(store)), AT, retry_at)
    assert store.next_job("anna", "mail", AT + timedelta(seconds=1)) == retry_at
    assert job(store, at=retry_at).attempts == 1
    assert job(store, "phone").attempts == 0
    store.done(job(store, at=retry_at), failed(job(store, at=retry_at), final=True), retry_at)
    assert store.next_job("anna", "mail", retry_at + timedelta(days=1)) is None
    assert [f.final for f in outcomes(store) if isinstance(f, NotificationFailed)] in ([False, True], [True, False])


def test_an_outcome_stays_until_kafka_has_it(store: Store) -> None:
    take(store, issued())
    store.done(job(store), delivered(job(store)), AT)
    [unsaid] = store.unsaid()
    assert unsaid.area == "shop/press"
    store.said([unsaid.id])
    assert store.unsaid() == []


def test_what_is_acknowledged_is_withdrawn_and_not_tried_again(store: Store) -> None:
    take(store, issued())
    store.done(job(store), delivered(job(store)), AT)
    held = job(store, "phone")
    assert store.withdraw(Over(INCIDENT, "acknowledged by anna"), AT, AT) == 1
    assert store.next_job("anna", "phone", AT + timedelta(days=1)) is None
    store.done(held, failed(held), AT, AT + timedelta(seconds=1))  # it was being tried just then
    assert store.next_job("anna", "phone", AT + timedelta(days=1)) is None
    assert NotificationWithdrawn(
        notification=note(issued()).notification, reason="acknowledged by anna"
    ) in outcomes(store)


def test_what_a_playbook_says_of_a_critical_matter_is_told_in_any_case(store: Store) -> None:
    take(store, issued("kept", kind="playbook", priority="critical"))
    take(store, issued("gone", kind="playbook"))
    take(store, issued("digest", kind="digest", incident=None))
    assert store.withdraw(Over(INCIDENT, "resolved"), AT, AT) == 1
    assert {f.notification for f in outcomes(store)} == {note(issued("gone")).notification}


def test_the_end_of_the_calls_withdraws_calls_and_nothing_else(store: Store) -> None:
    take(store, issued("call"))
    take(store, issued("playbook", kind="playbook"))
    assert store.withdraw(Over(INCIDENT, "pressure is shelved", calls_only=True), AT, AT) == 1
    assert {f.notification for f in outcomes(store)} == {note(issued("call")).notification}


def test_a_playbook_whose_message_is_read_behind_the_acknowledgement_is_not_told(store: Store) -> None:
    store.withdraw(Over(INCIDENT, "acknowledged by anna"), AT + timedelta(seconds=5), AT)
    take(store, issued("before", kind="playbook", after_s=4))
    take(store, issued("after", kind="playbook", after_s=6))
    take(store, issued("call", kind="escalation", after_s=4))  # it lies in the topic of the acknowledgement, behind it
    assert {f.notification for f in outcomes(store)} == {note(issued("before")).notification}
    store.reopened(INCIDENT)
    take(store, issued("again", kind="playbook", after_s=4))
    assert len(outcomes(store)) == 1


def test_a_hand_over_holds_in_its_area_until_the_calendar_counts_again(store: Store) -> None:
    store.hand_over("shop/press", "lead", "ben")
    assert (store.holder("shop/press", "lead"), store.holder("shop/cooling", "lead")) == ("ben", "")
    store.hand_over("shop/press", "lead", "")
    assert store.holder("shop/press", "lead") == ""


def test_old_ones_are_forgotten_when_they_are_done(store: Store) -> None:
    take(store, issued("done"))
    for channel in ("mail", "phone"):
        store.done(job(store, channel), delivered(job(store, channel)), AT)
    take(store, issued("waiting"))
    store.prune(AT + timedelta(days=31))
    assert take(store, issued("done"))
    assert not take(store, issued("waiting"))


def test_what_an_older_version_had_not_said_yet_is_said(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE outcomes (id TEXT PRIMARY KEY, area TEXT, record BLOB) WITHOUT ROWID")
        old.execute("INSERT INTO outcomes VALUES ('1', 'shop/press', x'aa')")
        old.commit()
    with closing(Store(path)) as store:
        assert [(u.id, u.topic, u.area, u.record) for u in store.unsaid()] == [("1", INCIDENTS, "shop/press", b"\xaa")]
        store.said(["1"])
    with closing(Store(path)) as store:
        assert store.unsaid() == []
