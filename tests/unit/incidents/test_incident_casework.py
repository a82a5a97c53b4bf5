"""What people ask of incidents: assign, comment, attach, merge, split; and who may ask for what."""

from __future__ import annotations

import pytest

from events.alarms import AlarmRaised
from events.incidents import (
    AlarmGrouped,
    IncidentAssigned,
    IncidentAttached,
    IncidentConfirmed,
    IncidentMerged,
    IncidentOpened,
    IncidentPriorityChanged,
    IncidentResolved,
)
from events.requests import (
    AcknowledgeIncident,
    AssignIncident,
    AttachToIncident,
    CloseIncident,
    CommentIncident,
    ConfirmIncident,
    MergeIncidents,
    SetPriority,
    ShelveAlarm,
    SplitIncident,
    SuppressAlarm,
    TakeOutOfService,
)
from events.types import make_id
from incidents.definition import AlarmDefinition, Policy, Together
from incidents.errors import RefusedError
from incidents.permissions import check
from tests.unit.incidents.plant import COOLING, PRESS, occurrence
from tests.unit.incidents.shift import Shift, kinds

ALONE = Policy(together=())


def two(policy: Policy = ALONE) -> Shift:
    """Two incidents of one alarm each."""
    plant = Shift(policy)
    plant.fire("a", 1, priority="medium")
    plant.fire("b", 2, priority="high")
    return plant


def test_assignment_names_who_and_by_whom_and_is_taken_back() -> None:
    plant = two()
    assert plant.ask(AssignIncident(incident=plant.id(), to="Ben", comment="you know the seal"), 3) == [
        IncidentAssigned(incident=plant.id(), to="Ben", by="Ada", comment="you know the seal")
    ]
    assert plant.incident().assigned == "Ben" and plant.log[-1].author == "person Ada"
    assert plant.refused(AssignIncident(incident=plant.id(), to="Ben"), 4) == "it is assigned to Ben already"
    plant.ask(AssignIncident(incident=plant.id(), to=""), 5)
    assert plant.incident().assigned == ""


def test_comment_and_attachment_are_kept_with_their_author() -> None:
    plant = two()
    facts = plant.ask(CommentIncident(incident=plant.id(), text="oil on the floor"), 3)
    assert kinds(facts) == ["IncidentCommented"] and facts[0].by == "Ada"
    assert plant.refused(CommentIncident(incident=plant.id(), text="  "), 4) == "the comment is empty"
    photo = AttachToIncident(incident=plant.id(), name="floor.jpg", ref="photos/17/floor.jpg", media_type="image/jpeg")
    assert plant.ask(photo, 5) == [IncidentAttached(
        incident=plant.id(), by="Ada", name="floor.jpg", ref="photos/17/floor.jpg", media_type="image/jpeg"
    )]  # fmt: skip
    bytes_ = AttachToIncident(incident=plant.id(), name="x", ref="data:image/png;base64,AAAA")
    assert "its bytes do not go into the log" in plant.refused(bytes_, 6)


def test_merged_incident_ends_and_its_alarms_and_priority_go_on_in_the_other() -> None:
    plant = two()
    facts = plant.ask(MergeIncidents(incident=plant.id(2), into=plant.id(1), reason="one hose"), 3)
    assert kinds(facts) == ["IncidentMerged", "AlarmGrouped", "IncidentPriorityChanged"]
    assert facts[0] == IncidentMerged(incident=plant.id(2), into=plant.id(1), by="Ada", reason="one hose")
    assert facts[1].reason == "merged from incident 2 by Ada: one hose" and facts[1].name == "b"
    assert plant.incident(1).alarms == plant.incident(1).standing == 2
    assert plant.incident(2).status == "merged"
    assert plant.refused(CommentIncident(incident=plant.id(2), text="?"), 4) == (
        "incident 2 was merged into incident 1"
    )
    plant.restart()
    plant.over("a", 1, 5)
    assert plant.all(IncidentResolved) == []
    assert kinds(plant.over("b", 2, 6))[-1] == "IncidentResolved"
    assert plant.all(IncidentResolved) == [IncidentResolved(incident=plant.id(1))]


def test_alarm_of_a_merged_incident_comes_back_into_the_one_that_took_it() -> None:
    plant = two()
    plant.ask(MergeIncidents(incident=plant.id(2), into=plant.id(1), reason="one hose"), 3)
    plant.over("a", 1, 4)
    plant.over("b", 2, 5)
    assert kinds(plant.fire("b", 6))[1] == "IncidentReopened"
    assert plant.incident(1).opening == 2


def test_merging_into_a_candidate_what_was_confirmed_confirms_it() -> None:
    plant = two(Policy(together=(), confirm_after=5))
    plant.ask(SetPriority(incident=plant.id(1), priority="low", reason="x"), 3)
    plant.ask(ConfirmIncident(incident=plant.id(2)), 4)
    plant.ask(MergeIncidents(incident=plant.id(2), into=plant.id(1), reason="same"), 5)
    assert plant.all(IncidentConfirmed)[-1].incident == plant.id(1) and plant.incident(1).status == "open"


def test_merging_into_itself_into_nothing_or_into_what_is_over_is_refused() -> None:
    plant = two()
    assert plant.refused(MergeIncidents(incident=plant.id(1), into=plant.id(1), reason="x"), 3) == (
        "an incident cannot be merged with itself"
    )
    nothing = MergeIncidents(incident=plant.id(1), into=make_id("nothing"), reason="x")
    assert "the area has no incident" in plant.refused(nothing, 4)
    plant.over("a", 1, 5)
    assert plant.refused(MergeIncidents(incident=plant.id(2), into=plant.id(1), reason="x"), 6) == (
        "incident 1 is resolved, and alarms of incident 2 stand: reopen it first"
    )
    plant.ask(MergeIncidents(incident=plant.id(1), into=plant.id(2), reason="x"), 7)
    assert plant.incident(2).alarms == 2 and plant.incident(2).standing == 1


def test_incidents_of_two_areas_are_not_merged() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("c", 2, area=COOLING)
    other = plant.id(1, COOLING)
    assert "the area has no incident" in plant.refused(MergeIncidents(incident=plant.id(), into=other, reason="x"), 3)


def test_split_makes_an_incident_of_the_chosen_alarms_with_the_most_urgent_as_its_name() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("b", 2, priority="low")
    plant.fire("c", 3, priority="critical")
    chosen = (occurrence("b", 2), occurrence("c", 3))
    facts = plant.ask(SplitIncident(incident=plant.id(), alarms=chosen, reason="another machine"), 4)
    assert kinds(facts) == ["IncidentOpened", "AlarmGrouped", "AlarmGrouped"]
    opened = facts[0]
    assert (opened.split_from, opened.number, opened.title, opened.priority) == (
        plant.id(), 2, "c is high", "critical",
    )  # fmt: skip
    assert {f.reason for f in facts[1:]} == {"split from incident 1: another machine"}
    assert (plant.incident(1).standing, plant.incident(2).standing, plant.incident(2).alarms) == (1, 2, 2)
    plant.over("a", 1, 5)
    assert plant.incident(1).status == "resolved" and plant.incident(2).status == "open"


def test_split_leaves_one_alarm_at_least_and_takes_only_what_stands_in_the_incident() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("b", 2)
    everything = (occurrence("a", 1), occurrence("b", 2))
    ask = SplitIncident(incident=plant.id(), alarms=everything, reason="x")
    assert plant.refused(ask, 3) == "at least one alarm must stay"
    stranger = SplitIncident(incident=plant.id(), alarms=(make_id("?"),), reason="x")
    assert "only alarms that stand in incident 1" in plant.refused(stranger, 4)
    assert "which alarms?" in plant.refused(SplitIncident(incident=plant.id(), alarms=(), reason="x"), 5)


def test_alarm_is_split_off_and_merged_back_again_and_again() -> None:
    plant = Shift()
    plant.fire("a", 1)
    plant.fire("b", 2)
    for n in range(2, 5):
        plant.ask(SplitIncident(incident=plant.id(1), alarms=(occurrence("b", 2),), reason="x"), 10 * n)
        plant.ask(MergeIncidents(incident=plant.id(n), into=plant.id(1), reason="y"), 10 * n + 1)
    assert plant.incident(1).standing == plant.incident(1).alarms == 2
    assert len({f.incident for f in plant.all(IncidentOpened)}) == 4
    assert len(plant.all(AlarmRaised)) == 2


def test_priority_by_a_person_needs_a_reason_and_a_change() -> None:
    plant = two()
    assert plant.refused(SetPriority(incident=plant.id(), priority="low", reason=""), 3) == (
        "to set priority needs a reason"
    )
    assert plant.refused(SetPriority(incident=plant.id(), priority="medium", reason="x"), 4) == (
        "its priority is medium already"
    )
    plant.ask(SetPriority(incident=plant.id(), priority="low", reason="x"), 5)
    assert plant.all(IncidentPriorityChanged)[-1].by == "Ada"


def test_request_that_is_sent_again_is_answered_once() -> None:
    plant = two()
    body = CommentIncident(incident=plant.id(), text="oil")
    assert kinds(plant.ask(body, 3)) == ["IncidentCommented"]
    plant.count -= 1
    assert plant.ask(body, 4) == []


@pytest.mark.parametrize("body", [
    AcknowledgeIncident(incident=make_id(1)), CommentIncident(incident=make_id(1), text="x"),
    CloseIncident(incident=make_id(1), cause="x", action="y", useful=True),
])  # fmt: skip
def test_auditor_looks_and_asks_for_nothing(body: AcknowledgeIncident) -> None:
    with pytest.raises(RefusedError, match="an auditor may not"):
        check(body, "auditor")


def test_role_that_nobody_knows_may_nothing() -> None:
    with pytest.raises(RefusedError, match="nobody may comment an incident as 'guest'"):
        check(CommentIncident(incident=make_id(1), text="x"), "guest")


def test_shelving_is_limited_by_role_and_the_refusal_names_the_limit() -> None:
    alarm = AlarmDefinition(name="a", area=PRESS, rules=("a",))
    check(ShelveAlarm(name="a", reason="x", duration_s=3600), "operator", alarm)
    with pytest.raises(RefusedError, match="a may be shelved by operator for 1 h at most, asked was 2 h"):
        check(ShelveAlarm(name="a", reason="x", duration_s=7200), "operator", alarm)
    check(ShelveAlarm(name="a", reason="x", duration_s=7200), "supervisor", alarm)
    with pytest.raises(RefusedError, match="for 3 d at most, asked was a little more"):
        check(ShelveAlarm(name="a", reason="x", duration_s=73 * 3600), "engineer", alarm)
    never = AlarmDefinition(name="a", area=PRESS, rules=("a",), shelve_s={"engineer": 60.0})
    with pytest.raises(RefusedError, match="a may not be shelved by operator, only by engineer"):
        check(ShelveAlarm(name="a", reason="x", duration_s=1), "operator", never)


def test_alarm_without_a_definition_may_be_shelved_as_any_other() -> None:
    check(ShelveAlarm(name="a", reason="x", duration_s=3600), "operator")
    with pytest.raises(RefusedError, match="1 h at most"):
        check(ShelveAlarm(name="a", reason="x", duration_s=3601), "operator")


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_override_needs_a_time_after_which_it_ends(duration_s: float) -> None:
    with pytest.raises(RefusedError, match="needs a time after which it ends by itself"):
        check(ShelveAlarm(name="a", reason="x", duration_s=duration_s), "operator")
    with pytest.raises(RefusedError, match="needs a time after which it ends by itself"):
        check(SuppressAlarm(name="a", reason="x", duration_s=duration_s), "engineer")


def test_suppression_and_maintenance_are_for_supervisors_and_engineers() -> None:
    suppress = SuppressAlarm(name="a", reason="x", duration_s=60)
    with pytest.raises(RefusedError, match="an operator may not suppress an alarm"):
        check(suppress, "operator")
    check(suppress, "supervisor")
    check(TakeOutOfService(device="press", reason="x", duration_s=60), "engineer")
    with pytest.raises(RefusedError, match="for 90 d at most"):
        check(TakeOutOfService(device="press", reason="x", duration_s=1e9), "engineer")
    with pytest.raises(RefusedError, match="to suppress an alarm needs a reason"):
        check(SuppressAlarm(name="a", reason=" ", duration_s=60), "engineer")


def test_text_of_any_length_does_not_go_into_the_log() -> None:
    with pytest.raises(RefusedError, match="attach a file"):
        check(CommentIncident(incident=make_id(1), text="x" * 10_001), "operator")


def test_incident_of_grouping_by_hand_takes_part_in_grouping() -> None:
    plant = Shift(Policy(together=(Together(together="dev", by="device"),)))
    plant.fire("a", 1, point="x.p")
    plant.fire("b", 2, point="y.p")
    plant.ask(MergeIncidents(incident=plant.id(2), into=plant.id(1), reason="one hose"), 3)
    plant.fire("c", 4, point="y.q")
    assert plant.all(AlarmGrouped)[-1].incident == plant.id(1)
    plant.ask(SplitIncident(incident=plant.id(1), alarms=(occurrence("b", 2),), reason="no"), 5)
    plant.over("b", 2, 6)
    plant.fire("d", 7, point="y.r")
    assert plant.all(AlarmGrouped)[-1].incident == plant.id(1), "c, of y too, stayed there"
