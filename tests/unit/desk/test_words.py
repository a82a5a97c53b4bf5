from typing import Any, get_args

import pytest

from desk.words import KINDS, UnknownThingError, WordsError, body
from events import requests as r
from events.requests import RequestBody
from tests.unit.desk.plant import COOLING_17, OLDER_RUN, OVER, PRESS_17, PRESS_18, QUESTION, RUN, STANDING, Known


def read(**fields: Any) -> tuple[str, RequestBody]:
    return body(fields, Known())


def test_an_alarm_by_name_is_its_standing_occurrence_and_gives_the_area() -> None:
    area, asked = read(type="acknowledge", alarm="press_pressure.high", comment="seen", priority="high")
    assert area == "shop/press"
    assert asked == r.AcknowledgeAlarm(alarm=STANDING, comment="seen", priority="high")


def test_an_occurrence_by_id_stays_that_occurrence_also_when_it_is_over() -> None:
    assert read(type="acknowledge", alarm=str(OVER)) == ("shop/press", r.AcknowledgeAlarm(alarm=OVER))


def test_a_normal_alarm_has_no_occurrence_to_acknowledge_or_reset() -> None:
    for type_ in ("acknowledge", "reset"):
        with pytest.raises(UnknownThingError, match="alarm: 'press_vibration' is normal"):
            read(type=type_, alarm="press_vibration")


def test_a_normal_alarm_can_be_shelved() -> None:
    asked = r.ShelveAlarm(name="press_vibration", reason="guide", duration_s=1800)
    assert read(type="shelve", alarm="press_vibration", reason="guide", **{"for": "30min"}) == ("shop/press", asked)
    assert read(type="shelve_alarm", name="press_vibration", reason="guide", duration_s=1800)[1] == asked
    assert read(type="shelve", alarm=str(OVER), reason="guide", duration="0.5h")[1] == asked


def test_acknowledge_is_of_an_incident_when_it_names_one() -> None:
    asked = read(type="acknowledge", incident="shop/press#17", seen=["press_pressure.high", str(OVER)])
    assert asked == ("shop/press", r.AcknowledgeIncident(incident=PRESS_17, seen=(STANDING, OVER)))
    assert read(type="acknowledge", incident=18)[1] == r.AcknowledgeIncident(incident=PRESS_18, seen=None)


@pytest.mark.parametrize("words", ["shop/press#17", "press#17", str(PRESS_17)])
def test_an_incident_has_several_names(words: str) -> None:
    assert read(type="confirm", incident=words) == ("shop/press", r.ConfirmIncident(incident=PRESS_17))


def test_a_number_that_two_areas_have_is_not_guessed() -> None:
    with pytest.raises(WordsError, match="shop/cooling#17, shop/press#17"):
        read(type="confirm", incident=17)
    assert read(type="confirm", incident=17, area="cooling") == (
        "shop/cooling", r.ConfirmIncident(incident=COOLING_17)
    )  # fmt: skip


def test_incidents_of_two_areas_are_not_merged() -> None:
    with pytest.raises(WordsError, match="into: is of area 'shop/cooling', not 'shop/press'"):
        read(type="merge", incident=str(PRESS_17), into=str(COOLING_17), reason="same")
    merged = read(type="merge", incident="press#18", into=17, reason="same")
    assert merged == ("shop/press", r.MergeIncidents(incident=PRESS_18, into=PRESS_17, reason="same"))


def test_an_alarm_or_a_device_is_taken_out_of_service_not_both_and_not_nothing() -> None:
    whole = read(type="out_of_service", device="press", reason="seals", **{"for": "4h"})
    assert whole == ("shop/press", r.TakeOutOfService(device="press", reason="seals", duration_s=14400))
    for both in ({}, {"device": "press", "alarm": "press_vibration"}):
        with pytest.raises(WordsError, match="one of the two"):
            read(type="return_to_service", area="shop/press", **both)


def test_what_is_attached_keeps_its_own_name() -> None:
    asked = read(type="attach", incident=18, name="crack.jpg", ref="//share/crack.jpg")
    assert asked[1] == r.AttachToIncident(incident=PRESS_18, name="crack.jpg", ref="//share/crack.jpg")


def test_what_refers_to_nothing_needs_its_area() -> None:
    assert read(type="silence", area="shop/press") == ("shop/press", r.Silence())
    with pytest.raises(WordsError, match="area: which area"):
        read(type="silence")


def test_an_unknown_name_is_asked_for_only_where_its_area_is_given() -> None:
    with pytest.raises(UnknownThingError, match="the plant has no alarm 'new_rule'"):
        read(type="unshelve", alarm="new_rule")
    assert read(type="unshelve", alarm="new_rule", area="x") == ("x", r.UnshelveAlarm(name="new_rule"))
    with pytest.raises(UnknownThingError):
        read(type="acknowledge", alarm="new_rule", area="x")


def test_the_area_must_be_that_of_what_is_named() -> None:
    with pytest.raises(WordsError, match="is of area 'shop/press', not 'shop/cooling'"):
        read(type="reset", alarm="press_pressure.high", area="shop/cooling")


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"type": "shelf"}, "type", "did you mean 'shelve'"),
        ({}, "type", "is no request"),
        ({"type": ["shelve"]}, "type", "is no request"),
        ({"type": "comment", "incident": 18}, "text", "is needed"),
        ({"type": "comment", "incident": 18, "text": "x", "txt": "y"}, "txt", "did you mean 'text'"),
        ({"type": "comment", "incident": 18, "text": 5}, "text", "Expected `str`"),
        ({"type": "comment", "incident": 18, "text": "x" * 5000}, "text", "at most 4000"),
        ({"type": "comment", "incident": 18, "text": "\udcff"}, "text", "is no text"),
        ({"type": "comment", "incident": "eighteen", "text": "x"}, "incident", "AREA#NUMBER"),
        ({"type": "comment", "incident": True, "text": "x"}, "incident", "text is needed"),
        ({"type": "shelve", "alarm": "press_vibration", "reason": "x"}, "for", "is needed"),
        ({"type": "shelve", "alarm": "press_vibration", "for": "long", "reason": "x"}, "for", "no duration"),
        ({"type": "shelve", "alarm": "press_vibration", "for": -1, "reason": "x"}, "for", "no duration"),
        ({"type": "shelve", "alarm": "press_vibration", "for": True, "reason": "x"}, "for", "a duration is needed"),
        ({"type": "shelve", "alarm": "press_vibration", "for": "999999999999d", "reason": "x"}, "for", "a year"),
        ({"type": "shelve", "alarm": "press_vibration", "for": 1, "duration_s": 2}, "duration_s", "'for' is given"),
        ({"type": "shelve", "alarm": "a", "name": "b"}, "name", "not both"),
        ({"type": "acknowledge", "alarm": "press_pressure.high", "priority": "urgent"}, "priority", "critical"),
        ({"type": "close", "incident": 18, "cause": "a", "action": "b", "useful": "yes"}, "useful", "Expected `bool`"),
        ({"type": "close", "incident": 18, "cause": "a", "action": "b"}, "useful", "is needed"),
        ({"type": "split", "incident": 18, "alarms": "all", "reason": "x"}, "alarms", "a list"),
    ],
)
def test_what_is_no_request_is_told_by_its_field(fields: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(WordsError, match=reason) as told:
        body(fields, Known())
    assert told.value.field == field


def test_every_request_has_a_short_word_and_its_tag() -> None:
    of_people = set(get_args(RequestBody)) - {r.ReportErrand}
    assert set(KINDS.values()) | {r.AcknowledgeIncident} == of_people
    for kind in of_people:
        with pytest.raises(WordsError) as told:
            read(type=kind.__struct_config__.tag, no_such_field=1)
        assert told.value.field != "type"


@pytest.mark.parametrize("words", ["latest", "press_overpressure", str(RUN)])
def test_a_run_has_several_names_and_gives_the_area(words: str) -> None:
    asked = read(type="cancel", run=words, reason="the wrong press")
    assert asked == ("shop/press", r.CancelRun(run=RUN, reason="the wrong press"))
    paused = read(type="pause", run=str(OLDER_RUN), reason="look first", **{"for": "10min"})[1]
    assert paused == r.PauseRun(run=OLDER_RUN, reason="look first", duration_s=600)


def test_a_run_that_is_not_clear_is_not_guessed() -> None:
    with pytest.raises(WordsError, match=r"of 06:00:00 .*; press_overpressure of 05:00:00"):
        read(type="cancel", run="of five or six", reason="?")
    with pytest.raises(UnknownThingError, match="there is no run 'cooling_failover'"):
        read(type="retry", run="cooling_failover", area="shop/press")


def test_a_question_is_answered_by_its_playbook() -> None:
    asked = r.AnswerQuestion(question=QUESTION, answer="yes", comment="I looked", ticked=("isolated",))
    said = read(type="answer", question="press_overpressure", answer="yes", comment="I looked", ticked=["isolated"])
    assert said == ("shop/press", asked)


def test_a_playbook_is_started_where_it_belongs() -> None:
    asked = read(type="start", playbook="press_overpressure", incident="press#17", reason="drill")
    assert asked == ("shop/press", r.StartRun(playbook="press_overpressure", incident=PRESS_17, reason="drill"))
    assert read(type="start", playbook="cooling_failover") == (
        "shop/cooling", r.StartRun(playbook="cooling_failover")
    )  # fmt: skip
    with pytest.raises(UnknownThingError, match="no playbook 'press_overpresure'"):
        read(type="start", playbook="press_overpresure")
    with pytest.raises(WordsError, match="of area 'shop/cooling', not 'shop/press'"):
        read(type="start", playbook="press_overpressure", incident="shop/cooling#17")


def test_hands_off_names_an_area() -> None:
    assert read(type="hands_off", area="shop/press", reason="smoke") == ("shop/press", r.StopActing(reason="smoke"))
    assert read(type="hands_on", area="shop/press")[1] == r.AllowActing()
    with pytest.raises(WordsError, match="which area"):
        read(type="hands_off", reason="smoke")


def test_nobody_reports_an_errand_by_words() -> None:
    with pytest.raises(WordsError, match="is no request"):
        read(type="report_errand", errand=str(RUN), area="shop/press")
