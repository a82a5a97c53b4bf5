from analytics.rows import Answer
from board.acknowledge import Receipt, Target, acknowledgement, request
from desk.asking import EXPIRES_AFTER
from events.requests import AcknowledgeAlarm, AcknowledgeIncident
from events.types import make_id
from tests.unit.board.rows import at

SENT = Receipt(make_id("request"), at(0), by="Ann")


def test_a_request_names_exactly_its_target_and_expires() -> None:
    body = acknowledgement(Target("alarm", make_id("a"), "shop/press", priority="high"), "seen")
    asked = request("shop/press", body, id_=make_id("r"), at=at(0), by="Ann", role="supervisor")
    assert asked.body == AcknowledgeAlarm(alarm=make_id("a"), comment="seen", priority="high")
    assert (asked.area, asked.by, asked.role, asked.expires) == (
        "shop/press", "Ann", "supervisor", at(0) + EXPIRES_AFTER,
    )  # fmt: skip
    whole = Target("incident", make_id("i"), "shop/press", seen=(make_id("a"),))
    assert acknowledgement(whole, "") == AcknowledgeIncident(incident=make_id("i"), seen=(make_id("a"),))


def test_nothing_is_called_acknowledged_before_the_log_says_so() -> None:
    assert SENT.tell(at(1))[0] == "sent"
    assert SENT._replace(answer=Answer(at=at(1), accepted=True)).tell(at(1))[0] == "done"


def test_a_refusal_tells_its_reason() -> None:
    refused = SENT._replace(answer=Answer(at=at(1), accepted=False, reason="already acknowledged"))
    assert refused.tell(at(1)) == ("refused", "Refused: already acknowledged")


def test_no_answer_until_it_expires_is_told_as_such() -> None:
    tone, text = SENT.tell(at(0) + EXPIRES_AFTER * 2)
    assert tone == "refused" and "expired" in text


def test_what_was_thought_lost_and_arrived_counts() -> None:
    doubtful = SENT._replace(failed="Kafka does not answer")
    assert doubtful.tell(at(1)) == ("refused", "Not sent: Kafka does not answer. Do not count on it.")
    assert doubtful._replace(answer=Answer(at=at(2), accepted=True)).tell(at(3))[0] == "done"


def test_an_incident_of_which_nothing_was_shown_is_not_acknowledged_as_a_whole() -> None:
    body = acknowledgement(Target("incident", make_id("i"), "shop/press"), "")
    assert isinstance(body, AcknowledgeIncident) and body.seen == (), "None would mean all of them"


def test_what_was_done_is_said_with_who_did_it() -> None:
    done = SENT._replace(answer=Answer(at=at(1), accepted=True), does="Shelved")
    assert done.tell(at(1)) == ("done", "Shelved by Ann: it stands in the log.")
