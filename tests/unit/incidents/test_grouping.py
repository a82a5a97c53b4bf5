"""To which incident an alarm belongs, as the people of the plant would say it."""

from __future__ import annotations

import pytest

from events.incidents import AlarmGrouped
from incidents.definition import Policy, Together
from incidents.grouping import span
from tests.unit.incidents.plant import PRESS
from tests.unit.incidents.shift import Shift, defined, kinds

ALARMS = (
    defined("pressure", "press", factor="machine"),
    defined("vibration", "press", factor="machine"),
    defined("parts", "diverter", factor="material"),
    defined("flow", "cooling", factor="machine"),
    defined("operator_absent", "gate", factor="man"),
)


def shift(*together: Together, **policy: object) -> Shift:
    return Shift(Policy(together=together, **policy), alarms=ALARMS)


def grouped(plant: Shift) -> list[tuple[str, str]]:
    return [(f.name, f.reason) for f in plant.all(AlarmGrouped)]


def test_without_a_rule_that_fits_an_alarm_opens_an_incident_of_its_own() -> None:
    plant = shift()
    plant.fire("pressure", 1)
    assert kinds(plant.fire("vibration", 2)) == ["AlarmRaised", "IncidentOpened"]
    assert plant.incident(2).title == "vibration is high"


def test_alarms_of_one_device_belong_together_and_the_reason_names_device_window_and_rule() -> None:
    plant = shift(Together(together="hydraulics", by="device", within_s=300))
    plant.fire("pressure", 1)
    plant.fire("vibration", 2)
    assert grouped(plant) == [("vibration", "same device press, within 5 min (rule 'hydraulics')")]
    assert kinds(plant.fire("parts", 3))[1] == "IncidentOpened"


def test_window_counts_from_the_last_alarm_that_joined_and_not_from_the_first() -> None:
    plant = shift(Together(together="burst", by="area", within_s=60))
    plant.fire("pressure", 1)
    plant.fire("vibration", 60)
    plant.fire("parts", 119)
    assert len(plant.all(AlarmGrouped)) == 2
    assert kinds(plant.fire("flow", 180))[1] == "IncidentOpened"


def test_devices_of_which_one_feeds_the_other_belong_together_in_both_directions() -> None:
    rule = Together(together="line", by="topology")
    plant = shift(rule, topology={"press": ("diverter",)})
    plant.fire("pressure", 1)
    plant.fire("parts", 2)
    plant.fire("flow", 3)
    assert grouped(plant) == [("parts", "press is upstream of diverter, while incident 1 is open (rule 'line')")]
    other = shift(rule, topology={"press": ("diverter",)})
    other.fire("parts", 1)
    other.fire("pressure", 2)
    assert grouped(other) == [("pressure", "diverter is downstream of press, while incident 1 is open (rule 'line')")]


def test_named_alarms_belong_together_and_the_reason_names_both() -> None:
    plant = shift(Together(together="jam", by="alarms", alarms=("pressure", "par*")))
    plant.fire("pressure", 1)
    plant.fire("parts", 2)
    plant.fire("vibration", 3)
    assert grouped(plant) == [("parts", "parts and pressure, while incident 1 is open (rule 'jam')")]


def test_expression_groups_only_while_it_holds() -> None:
    rule = Together(together="start", by="expression", alarms=("pressure", "flow"), condition="start_up")
    plant = shift(rule)
    plant.fire("pressure", 1)
    assert kinds(plant.fire("flow", 2))[1] == "IncidentOpened"
    other = shift(rule)
    assert kinds(other.fire("start_up", 0, kind="correlation")) == ["ConditionNoted"]
    other.fire("pressure", 1)
    other.fire("flow", 2)
    assert grouped(other) == [
        ("flow", "flow and pressure, as its condition holds, while incident 1 is open (rule 'start')")
    ]
    third = shift(rule)
    third.fire("start_up", 0, kind="correlation")
    third.fire("pressure", 1)
    third.normal("start_up", 0, 2)
    assert kinds(third.fire("flow", 3))[1] == "IncidentOpened"


def test_rule_about_factors_leaves_other_alarms_alone() -> None:
    plant = shift(Together(together="machines", by="area", factors=("machine",)))
    plant.fire("operator_absent", 1)
    assert kinds(plant.fire("pressure", 2))[1] == "IncidentOpened"
    plant.fire("flow", 3)
    assert kinds(plant.fire("parts", 4))[1] == "IncidentOpened"
    assert [(f.name, f.incident) for f in plant.all(AlarmGrouped)] == [("flow", plant.id(2))]


def test_first_rule_that_fits_decides_and_the_newest_incident_is_asked_first() -> None:
    named = Together(together="jam", by="alarms", alarms=("parts", "flow"))
    plant = shift(named, Together(together="hydraulics", by="device"))
    plant.fire("pressure", 1)
    plant.fire("parts", 2)
    plant.fire("flow", 3)
    plant.fire("vibration", 4)
    assert [(f.name, f.incident) for f in plant.all(AlarmGrouped)] == [
        ("flow", plant.id(2)), ("vibration", plant.id(1)),
    ]  # fmt: skip
    newest = shift(Together(together="same area", by="area", within_s=10))
    newest.fire("pressure", 1)
    newest.fire("parts", 20)
    newest.fire("flow", 21)
    assert newest.all(AlarmGrouped)[0].incident == newest.id(2)


def test_alarm_whose_device_no_file_names_goes_by_its_point() -> None:
    plant = Shift(Policy(together=(Together(together="device", by="device"),)))
    plant.fire("a", 1, point="pump.flow")
    plant.fire("b", 2, point="pump.speed")
    plant.fire("c", 3, point="")
    plant.fire("d", 4, point="")
    assert grouped(plant) == [("b", "same device pump, while incident 1 is open (rule 'device')")]
    assert plant.brain.areas[PRESS].incidents.number == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (45, "45 s"), (60, "1 min"), (90, "90 s"), (300, "5 min"), (3600, "1 h"), (5400, "90 min"),
     (43200, "12 h"), (86400, "1 d"), (259200, "3 d")],
)  # fmt: skip
def test_span_is_said_as_people_do(seconds: float, words: str) -> None:
    assert span(seconds) == words
