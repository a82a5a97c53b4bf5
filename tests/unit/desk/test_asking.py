from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from analytics.rows import Answer
from desk.asking import EXPIRES_AFTER, HANDS_OFF_EXPIRES_AFTER, Desk, expiry
from desk.sending import NotSentError
from events.requests import AllowActing, Request, Silence, StopActing
from events.types import make_id

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DONE = Answer(at=NOW, accepted=True, facts=("alarm.silenced",))
RETRY = make_id("the same press of a button")


class World:
    """Kafka, the log and the clock of a test. Attributes: answers: what the log says, from when on [s]."""

    def __init__(self, answer: Answer | None = None, after_s: float = 0.0, *, kafka: bool = True) -> None:
        self.sent: list[Request] = []
        self.seconds, self.looked = 0.0, 0
        self._answer, self._after_s, self._kafka = answer, after_s, kafka
        self.desk = Desk(self, self, clock=lambda: NOW, timer=lambda: self.seconds, sleep=self.sleep)

    def send(self, request: Request) -> None:
        if not self._kafka:
            raise NotSentError("Kafka does not answer")
        self.sent.append(request)

    def answer(self, request: UUID) -> Answer | None:
        self.looked += 1
        known = {r.id for r in self.sent} | {RETRY}
        return self._answer if request in known and self.seconds >= self._after_s else None

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_request_carries_who_asks_as_what_and_until_when() -> None:
    world = World(DONE)
    reply = world.desk.ask("shop/press", Silence(), by="anna", role="operator", expires_after=timedelta(seconds=5))
    (asked,) = world.sent
    assert (asked.area, asked.by, asked.role, asked.at) == ("shop/press", "anna", "operator", NOW)
    assert asked.expires == NOW + timedelta(seconds=5) == reply.expires
    assert (reply.outcome, reply.request, reply.facts) == ("accepted", asked.id, ("alarm.silenced",))


def test_the_answer_is_waited_for_and_its_time_told() -> None:
    reply = World(DONE, after_s=0.3).desk.ask("a", Silence(), by="anna", role="operator")
    assert reply.outcome == "accepted" and 0.3 <= reply.waited_s < 0.4


def test_a_refusal_has_its_reason() -> None:
    refused = Answer(at=NOW, accepted=False, facts=("request.refused",), reason="an operator may not")
    reply = World(refused).desk.ask("a", Silence(), by="anna", role="operator")
    assert (reply.outcome, reply.reason) == ("refused", "an operator may not")


def test_no_answer_is_said_after_two_seconds_and_is_no_refusal() -> None:
    world = World()
    reply = world.desk.ask("a", Silence(), by="anna", role="operator")
    assert reply.outcome == "unanswered" and world.sent[0].id == reply.request
    assert 1.9 < world.seconds <= 2.0
    assert world.looked < 60, "the log has other things to do"


def test_what_kafka_did_not_take_is_an_error() -> None:
    with pytest.raises(NotSentError, match="Kafka does not answer"):
        World(DONE, kafka=False).desk.ask("a", Silence(), by="anna", role="operator")


def test_a_retry_keeps_its_id() -> None:
    world = World(None)
    world.desk.ask("a", Silence(), by="anna", role="operator", id_=RETRY)
    world.desk.ask("a", Silence(), by="anna", role="operator", id_=RETRY)
    assert [r.id for r in world.sent] == [RETRY, RETRY], "the brain knows it again"


def test_a_retry_that_was_answered_meanwhile_is_not_sent_again() -> None:
    world = World(DONE)
    reply = world.desk.ask("a", Silence(), by="anna", role="operator", id_=RETRY)
    assert reply.outcome == "accepted" and world.sent == []


def test_of_several_areas_all_are_sent_before_one_is_waited_for() -> None:
    world = World(DONE, after_s=0.3)
    asked = [(area, StopActing(reason="smoke"), None) for area in ("press", "cooling", "hall")]
    replies = world.desk.ask_each(asked, by="anna", role="operator")
    assert [(r.area, r.outcome) for r in replies] == [
        ("press", "accepted"),
        ("cooling", "accepted"),
        ("hall", "accepted"),
    ]
    assert world.seconds < 0.4, "they are waited for together"


def test_one_area_that_kafka_does_not_take_keeps_no_other_from_being_asked() -> None:
    world = World(kafka=False)
    replies = world.desk.ask_each([("press", Silence(), None), ("hall", Silence(), None)], by="anna", role="operator")
    assert [(r.outcome, r.reason) for r in replies] == [("not sent", "Kafka does not answer")] * 2


def test_hands_off_waits_for_an_edge_that_is_away() -> None:
    assert expiry(StopActing(reason="fire")) == expiry(AllowActing()) == HANDS_OFF_EXPIRES_AFTER
    assert expiry(Silence()) == EXPIRES_AFTER
