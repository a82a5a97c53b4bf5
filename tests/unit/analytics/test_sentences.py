"""Every fact of an incident reads as a sentence."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from analytics.sentences import sentence
from eventlog.entry import entry_of
from events.alarms import AlarmFact
from events.envelope import Event
from events.errands import ErrandFact
from events.incidents import EscalationFact, IncidentFact
from events.notifications import NotificationFact
from events.playbooks import PlaybookFact
from events.requests import ReportErrand, RequestBody
from tests.contract.lives import VIBRATION, life, shelved, told_in_order
from tests.contract.runs import runs
from tests.contract.stories import event, raised, story


def said(one: Event) -> str:
    line = entry_of(one)
    return sentence(line.type, msgspec.json.decode(line.payload))


@pytest.mark.parametrize("one", [*story()[:18], *life(), *runs()], ids=lambda e: type(e.fact).__name__)
def test_each_fact_has_words_of_its_own(one: Event) -> None:
    assert not said(one).startswith(entry_of(one).type)


def test_no_kind_of_fact_about_alarms_incidents_calls_and_runs_is_without_words() -> None:
    told = {type(e.fact) for e in [*story(), *life(), *runs()]}
    kinds = (AlarmFact, IncidentFact, EscalationFact, NotificationFact, PlaybookFact, ErrandFact)
    assert {t for kind in kinds for t in get_args(kind)} <= told, "the story tells each of them"


@pytest.mark.parametrize("body", get_args(RequestBody), ids=lambda t: t.__name__)
def test_each_request_has_words_of_its_own(body: type[Any]) -> None:
    some = {"priority": "high", "duration_s": 5400.0, "useful": True, "alarms": ()}
    fields = {f.name: some.get(f.name, f.name) for f in msgspec.structs.fields(body)}
    tag = body.__struct_config__.tag
    said = sentence(f"request.{tag}", fields)
    assert said.startswith("reported" if body is ReportErrand else "asked")


def test_words_of_a_shelf_say_who_until_when_and_why() -> None:
    (one,) = told_in_order(shelved(VIBRATION))
    assert said(one) == "press_vibration shelved by anna until 07:00:00: guide is replaced"


def test_a_request_says_for_how_long() -> None:
    asked = {"name": "pump", "duration_s": 5400.0, "reason": "noise"}
    assert sentence("request.shelve_alarm", asked) == "asked to shelve pump for 1.5 h: noise"


def test_an_alarm_names_its_value_its_limit_and_its_unit() -> None:
    assert said(event(raised("pressure"))) == "alarm HIGH: pressure is high (201.5, limit 180 bar)"


def test_a_number_that_is_missing_is_left_out() -> None:
    fact = msgspec.structs.replace(raised("silent"), value=None, limit=None, unit="", late=True)
    assert said(event(fact)) == "alarm HIGH: silent is high, from history"


def test_a_fact_without_words_is_shown_as_it_is() -> None:
    assert sentence("moon.rose", {"a": 1}) == "moon.rose {'a': 1}"


def test_a_run_is_told_in_plain_words() -> None:
    told = [said(one) for one in runs()]
    assert told[2] == "calls POST https://cmms.example/tickets"
    assert told[6] == "asks shift_lead: Open it?, until 06:05:00, two persons must say yes"
    assert told[8] == "eva answers yes: I looked"
    assert told[16] == "asked to note: opened", "what a playbook asks the incidents stage for is told as of a person"
    assert told[18] == "shift_lead must look at step open: no answer: nobody knows where it is"
    assert told[-1] == "HANDS OFF by anna: no playbook acts, no device is moved: smoke again"
