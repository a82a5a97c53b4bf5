"""What the buttons ask for: the request of each, and who sees which."""

from __future__ import annotations

import pytest

from analytics.rows import OverrideRow
from board.actions import Action, of_alarm, of_incident, of_override
from events import requests as ask
from events.requests import Role
from events.types import make_id
from tests.unit.board.rows import START, alarm, told


def named(offered: tuple[Action, ...], label: str) -> Action:
    return next(a for a in offered if a.label == label)


def labels(offered: tuple[Action, ...]) -> list[str]:
    return [a.label for a in offered]


def override(**more: object) -> OverrideRow:
    given = {"area": "shop/press", "name": "press_pressure.high", "kind": "shelved", "since": START, "by": "Ann"}
    return OverrideRow(**(given | more))  # type: ignore[arg-type]


def test_shelving_names_the_alarm_and_not_its_occurrence_or_rule() -> None:
    shelve = named(of_alarm(alarm(name="press_pressure.high"), "operator"), "Shelve")
    given = {"for": "30 min", "reason": "guide is replaced", "one_shot": True}
    assert shelve.body(given) == ask.ShelveAlarm(
        name="press_pressure.high", reason="guide is replaced", duration_s=1800.0, one_shot=True
    )


@pytest.mark.parametrize("given", [{"for": "1 h", "reason": ""}, {"for": "1 h"}])
def test_without_a_reason_nothing_is_shelved(given: dict[str, str]) -> None:
    shelve = named(of_alarm(alarm(), "operator"), "Shelve")
    assert shelve.lacks(given) == "it needs reason"


def test_only_a_latched_acknowledged_alarm_offers_its_reset() -> None:
    latched = alarm(active=False, acknowledged=True, latched=True)
    assert named(of_alarm(latched, "operator"), "Reset").body({}) == ask.ResetAlarm(alarm=latched.alarm)
    for other in (alarm(), alarm(active=False, latched=True), alarm(acknowledged=True)):
        assert "Reset" not in labels(of_alarm(other, "operator"))


def test_silence_is_offered_while_the_horn_is_on() -> None:
    assert "Silence" in labels(of_alarm(alarm(), "operator"))
    assert "Silence" not in labels(of_alarm(alarm(silenced=True), "operator"))


@pytest.mark.parametrize(
    ("role", "sees"),
    [("auditor", []), ("operator", ["Silence", "Shelve"]),
     ("supervisor", ["Silence", "Shelve", "Suppress", "Out of service"]),
     ("engineer", ["Silence", "Shelve", "Suppress", "Out of service"])],
)  # fmt: skip
def test_a_role_sees_what_it_may_ask_for(role: Role, sees: list[str]) -> None:
    assert labels(of_alarm(alarm(), role)) == sees


def test_out_of_service_is_the_alarm_or_its_whole_device() -> None:
    out = named(of_alarm(alarm(name="press_pressure.high"), "engineer"), "Out of service")
    one = out.body({"for": "1 day", "reason": "inspection", "device": False})
    whole = out.body({"for": "1 day", "reason": "inspection", "device": True})
    assert one == ask.TakeOutOfService(name="press_pressure.high", reason="inspection", duration_s=86400.0)
    assert whole == ask.TakeOutOfService(device="press", reason="inspection", duration_s=86400.0)


def test_what_the_design_suppresses_cannot_be_ended_by_hand() -> None:
    assert of_override(override(kind="suppressed", by="", cause="while the pump stands"), "engineer") == ()
    by_hand = of_override(override(kind="suppressed", cause="by hand"), "engineer")
    assert by_hand[0].body({"reason": ""}) == ask.UnsuppressAlarm(name="press_pressure.high")


def test_a_device_returns_to_service_as_a_whole() -> None:
    (back,) = of_override(override(kind="out of service", device="press"), "engineer")
    assert back.body({"reason": "done"}) == ask.ReturnToService(device="press", reason="done")


def test_an_open_incident_is_not_closed_and_a_resolved_one_not_split() -> None:
    two = (alarm("a"), alarm("b"))
    assert "Close" not in labels(of_incident(told(alarms=two), {}, "operator"))
    resolved = labels(of_incident(told(alarms=two, status="resolved"), {}, "operator"))
    assert resolved[:2] == ["Close", "Reopen"] and "Split" not in resolved


def test_closing_demands_cause_action_and_a_vote() -> None:
    close = named(of_incident(told(status="resolved"), {}, "operator"), "Close")
    assert close.lacks({"cause": "stuck", "action": "replaced", "useful": None, "comment": ""}) == (
        "it needs was the alarm useful?"
    )
    body = close.body({"cause": "stuck", "action": "replaced", "useful": "no", "comment": ""})
    assert body == ask.CloseIncident(incident=make_id("incident"), cause="stuck", action="replaced", useful=False)


def test_splitting_names_the_alarms_that_were_picked() -> None:
    story = told(alarms=(alarm("a"), alarm("b", message="Oil temperature high")))
    split = named(of_incident(story, {}, "operator"), "Split")
    (picked,) = [o for o in split.fields[0].options if "Oil" in o]
    body = split.body({"alarms": [picked], "reason": "another machine"})
    assert body == ask.SplitIncident(incident=make_id("incident"), alarms=(make_id("b"),), reason="another machine")


def test_two_alarms_that_read_the_same_can_still_be_split_apart() -> None:
    story = told(alarms=(alarm("a"), alarm("b")))
    split = named(of_incident(story, {}, "operator"), "Split")
    assert len(split.fields[0].options) == 2


def test_merging_is_offered_only_where_there_is_another_open_incident() -> None:
    assert "Merge" not in labels(of_incident(told(), {}, "operator"))
    merge = named(of_incident(told(), {"press 18": make_id("other")}, "operator"), "Merge")
    assert merge.body({"into": "press 18", "reason": "same leak"}) == ask.MergeIncidents(
        incident=make_id("incident"), into=make_id("other"), reason="same leak"
    )
