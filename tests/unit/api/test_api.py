from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from analytics.rows import Answer
from api.acting import ACTIONS, EVERYWHERE, LARGEST
from desk.words import KINDS
from events import requests as r
from events.requests import RequestBody
from tests.unit.api.calling import NOW, World
from tests.unit.desk.plant import PRESS_17, QUESTION, RUN, STANDING

SHELVE = {"reason": "guide is being replaced", "for": "30min"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_request_is_answered_from_the_log(world: World) -> None:
    got = world.call("POST", "/alarms/press_pressure.high/acknowledge", {"priority": "high", "comment": "on it"})
    (asked,) = world.sent
    assert asked.body == r.AcknowledgeAlarm(alarm=STANDING, comment="on it", priority="high")
    assert (asked.area, asked.by, asked.role) == ("shop/press", "the operator", "operator")
    assert got.status == 200
    assert (got.body["outcome"], got.body["request"], got.body["facts"]) == (
        "accepted", str(asked.id), ["alarm.acknowledged"]
    )  # fmt: skip


def test_a_refusal_is_a_conflict_with_its_reason(world: World) -> None:
    world.answers = Answer(at=NOW, accepted=False, facts=("request.refused",), reason="at most 1 h for an operator")
    got = world.call("POST", "/alarms/press_vibration/shelve", SHELVE)
    assert (got.status, got.body["outcome"], got.body["reason"]) == (409, "refused", "at most 1 h for an operator")


def test_no_answer_in_time_is_accepted_not_done(world: World) -> None:
    world.answers = None
    got = world.call("POST", "/alarms/press_vibration/shelve", SHELVE)
    assert (got.status, got.body["outcome"]) == (202, "unanswered")
    assert got.body["expires"] == "2026-03-02T06:00:30Z"
    assert world.call("GET", f"/requests/{got.body['request']}").status == 404
    world.answers = Answer(at=NOW, accepted=True, facts=("alarm.shelved",))
    assert world.call("GET", f"/requests/{got.body['request']}").body["facts"] == ["alarm.shelved"]


def test_what_kafka_did_not_take_is_said(world: World) -> None:
    world.kafka = False
    got = world.call("POST", "/areas/shop/press/silence")
    assert (got.status, got.body["reason"]) == (503, "not sent: Kafka does not answer")


def test_nothing_is_sent_while_the_log_is_away(world: World) -> None:
    world.database = False
    assert world.call("POST", "/alarms/press_vibration/shelve", SHELVE).status == 503
    assert world.call("GET", "/alarms").status == 503
    assert world.call("GET", f"/requests/{STANDING}").status == 503, "not 404: there may be an answer"
    assert world.sent == []


@pytest.mark.parametrize(
    "address", ["/alarms", "/incidents", "/events", "/overrides", "/standing", "/handovers", "/runs", "/questions"]
)
def test_nobody_reads_without_a_token(world: World, address: str) -> None:
    got = world.call("GET", address, role=None)
    assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer")
    assert world.call("GET", address, role=None, headers={"Authorization": "Bearer andon_guess"}).status == 401
    assert world.call("GET", address, role=None, headers={"Authorization": "Basic YTpi"}).status == 401


def test_nobody_asks_without_a_token(world: World) -> None:
    for thing, (path, words) in ACTIONS.items():
        for word in words:
            address = path.replace(f"{{{thing}}}", "x").replace(f"{{{thing}:path}}", "x")
            got = world.call("POST", f"{address}/{word.replace('_', '-')}", {}, role=None)
            assert got.status == 401, address
    assert world.sent == []


def test_an_auditor_only_reads(world: World) -> None:
    got = world.call("POST", "/alarms/press_vibration/shelve", SHELVE, role="auditor")
    assert (got.status, got.body["reason"]) == (403, "role auditor only reads")
    assert world.sent == []


@pytest.mark.parametrize("role", ["operator", "supervisor", "engineer"])
def test_the_role_is_that_of_the_token(world: World, role: Any) -> None:
    assert world.call("POST", "/alarms/press_vibration/shelve", SHELVE, role=role).status == 200
    assert (world.sent[0].by, world.sent[0].role) == (f"the {role}", role)


@pytest.mark.parametrize("field", ["by", "role", "type", "alarm", "id", "expires"])
def test_the_body_cannot_say_what_the_token_and_the_path_say(world: World, field: str) -> None:
    got = world.call("POST", "/alarms/press_vibration/shelve", {**SHELVE, field: "engineer"})
    assert (got.status, got.body["field"]) == (422, field)
    assert world.sent == []


def test_an_incident_is_named_by_area_and_number_in_the_address(world: World) -> None:
    got = world.call("POST", "/incidents/shop/press%2317/comment", {"text": "seen"})
    assert got.status == 200
    assert world.sent[0].body == r.CommentIncident(incident=PRESS_17, text="seen")


def test_a_device_is_taken_out_of_service(world: World) -> None:
    assert world.call("POST", "/devices/press/out-of-service", SHELVE, role="engineer").status == 200
    asked = r.TakeOutOfService(device="press", reason=SHELVE["reason"], duration_s=1800)
    assert (world.sent[0].area, world.sent[0].body) == ("shop/press", asked)


@pytest.mark.parametrize(
    ("address", "field"),
    [("/alarms/nothing/acknowledge", "alarm"), ("/alarms/press_vibration/acknowledge", "alarm"),
     ("/incidents/99/confirm", "incident"), ("/areas/shop/paint/silence", "area")],
)  # fmt: skip
def test_what_is_not_there_is_not_found(world: World, address: str, field: str) -> None:
    got = world.call("POST", address)
    assert (got.status, got.body["field"]) == (404, field)
    assert world.sent == []


def test_the_closest_name_is_offered(world: World) -> None:
    got = world.call("POST", "/alarms/pres_pressure/reset")
    assert got.body["reason"] == "the plant has no alarm 'pres_pressure'; did you mean 'press_pressure.high'?"


@pytest.mark.parametrize(
    ("raw", "field"), [(b"{", ""), (b"[]", ""), (b'{"reason": 5, "for": "1h"}', "reason"), (b'{"reason": "x"}', "for"),
                       (b"[" * 60_000, ""), (b'{"reason": "x\\u0000", "for": "1h"}', "reason"),
                       (b'{"reason": "x", "for": "1h", "expires_in": "1h"}', "expires_in")],
)  # fmt: skip
def test_what_is_no_request_is_told_by_its_field(world: World, raw: bytes, field: str) -> None:
    got = world.call("POST", "/alarms/press_vibration/shelve", raw=raw)
    assert (got.status, got.body["field"]) == (422, field)


def test_a_body_larger_than_any_request_is_not_read_to_its_end(world: World) -> None:
    got = world.call("POST", "/alarms/press_vibration/shelve", raw=b" " * (LARGEST + 1))
    assert got.status == 413


def test_the_expiry_is_the_persons(world: World) -> None:
    world.call("POST", "/alarms/press_vibration/shelve", {**SHELVE, "expires_in": "5s"})
    assert (world.sent[0].expires - world.sent[0].at).total_seconds() == 5


def test_the_same_key_is_the_same_request(world: World) -> None:
    key, address = {"Idempotency-Key": "7f1c"}, "/alarms/press_pressure.high/acknowledge"
    first = world.call("POST", address, headers=key)
    again = world.call("POST", address, headers=key)
    assert len(world.sent) == 1, "it was answered: nothing is sent again"
    assert first.body["request"] == again.body["request"]


def test_the_same_key_of_another_person_or_for_something_else_is_another_request(world: World) -> None:
    key, address = {"Idempotency-Key": "7f1c"}, "/alarms/press_pressure.high/acknowledge"
    world.call("POST", address, headers=key)
    world.call("POST", address, headers=key, role="engineer")
    world.call("POST", address, {"comment": "now really"}, headers=key)
    assert len({one.id for one in world.sent}) == 3


def test_without_a_key_each_request_is_its_own(world: World) -> None:
    for _ in range(2):
        world.call("POST", "/areas/shop/press/silence")
    assert len({one.id for one in world.sent}) == 2


def test_a_wrong_query_names_its_field(world: World) -> None:
    got = world.call("GET", "/alarms?limit=0")
    assert (got.status, got.body["field"]) == (422, "limit")
    assert world.call("GET", "/events?since=2026-03-02T06:00").body["field"] == "since", "a naive time is refused"


def test_every_request_has_its_address(world: World) -> None:
    kinds = {KINDS[word] for _, words in ACTIONS.values() for word in words} | {r.AcknowledgeIncident}
    assert kinds == set(get_args(RequestBody)) - {r.ReportErrand}, "only a process of Andon reports an errand"


def test_openapi_names_every_address_and_resolves(world: World) -> None:
    made = world.call("GET", "/openapi.json", role=None).body
    posts = {p for p, methods in made["paths"].items() if "post" in methods}
    assert len(posts) == sum(len(words) for _, words in ACTIONS.values()) + len(EVERYWHERE)
    text = msgspec.json.encode(made).decode()
    named = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(made["components"]["schemas"])
    shelve = made["paths"]["/alarms/{alarm}/shelve"]["post"]
    schema = shelve["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["for", "reason"] and "alarm" not in schema["properties"]
    assert shelve["security"], "it says that a token is needed"


def test_a_run_is_cancelled_by_its_playbook_s_name(world: World) -> None:
    assert world.call("POST", "/runs/press_overpressure/cancel", {"reason": "the wrong press"}).status == 200
    assert world.sent[0].body == r.CancelRun(run=RUN, reason="the wrong press")
    assert world.sent[0].area == "shop/press"


def test_a_question_is_answered_by_the_person_of_the_token(world: World) -> None:
    got = world.call("POST", f"/questions/{QUESTION}/answer", {"answer": "yes", "by": "somebody else"})
    assert (got.status, got.body["field"]) == (422, "by")
    assert world.call("POST", f"/questions/{QUESTION}/answer", {"answer": "yes"}, role="supervisor").status == 200
    (asked,) = world.sent
    assert (asked.by, asked.role, asked.body) == (
        "the supervisor", "supervisor", r.AnswerQuestion(question=QUESTION, answer="yes")
    )  # fmt: skip


def test_a_playbook_is_started_with_or_without_an_incident(world: World) -> None:
    assert world.call("POST", "/playbooks/press_overpressure/start").status == 200
    assert world.call("POST", "/playbooks/press_overpressure/start", {"incident": "press#17"}).status == 200
    assert [one.body for one in world.sent] == [
        r.StartRun(playbook="press_overpressure"), r.StartRun(playbook="press_overpressure", incident=PRESS_17)
    ]  # fmt: skip
    assert world.call("POST", "/playbooks/nothing/start").status == 404


def test_hands_off_everywhere_is_one_request_for_each_area(world: World) -> None:
    key = {"Idempotency-Key": "smoke"}
    got = world.call("POST", "/hands-off", {"reason": "smoke"}, headers=key)
    assert got.status == 200
    assert [(one.area, one.body) for one in world.sent] == [
        ("shop/cooling", r.StopActing(reason="smoke")), ("shop/press", r.StopActing(reason="smoke"))
    ]  # fmt: skip
    assert [reply["area"] for reply in got.body] == ["shop/cooling", "shop/press"]
    world.call("POST", "/hands-off", {"reason": "smoke"}, headers=key)
    assert len(world.sent) == 2, "the same key is the same request"
    assert world.call("POST", "/hands-off", {"reason": "smoke"}, role="auditor").status == 403


def test_hands_off_that_one_area_did_not_take_is_no_success(world: World) -> None:
    world.answers = Answer(at=NOW, accepted=False, facts=("request.refused",), reason="hands are off already")
    assert world.call("POST", "/hands-off", {"reason": "smoke"}).status == 409
    world.kafka = False
    assert world.call("POST", "/hands-off", {"reason": "smoke"}).status == 503


def test_hands_off_is_said_also_while_the_log_is_away(world: World) -> None:
    world.database, world.answers = False, None
    assert world.call("POST", "/hands-off", {"reason": "smoke"}).status == 202
    assert world.call("POST", "/areas/shop/press/hands-off", {"reason": "smoke"}).status == 202
    assert len(world.sent) == 3
    assert world.call("POST", "/areas/shop/paint/hands-off", {"reason": "smoke"}).status == 404
