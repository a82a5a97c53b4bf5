"""Stories of calls: who is called when nobody takes an incident, and who is left in peace."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from events.alarms import AlarmHeldBack, AlarmReleased, FloodBegan, FloodEnded
from events.envelope import Configure, Fact
from events.incidents import EscalationEnded, EscalationStepped
from events.notifications import NotificationIssued
from events.requests import (
    AcknowledgeAlarm,
    AcknowledgeIncident,
    AssignIncident,
    ConfirmIncident,
    HandOver,
    MergeIncidents,
    SetPriority,
    ShelveAlarm,
    UnshelveAlarm,
)
from events.types import make_id
from incidents.definition import AlarmDefinition, Definition, Escalation, Flood, Policy, Position, Shift, Step, Together
from tests.unit.incidents.plant import PRESS, Plant, occurrence
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import Shift as Stage
from tests.unit.incidents.shift import defined

DAILY = tuple(range(7))
LEAD = Position(
    position="lead",
    shifts=(
        Shift(shift="day", days=DAILY, begins="06:00", ends="22:00", persons=("anna",)),
        Shift(shift="night", days=DAILY, begins="22:00", ends="06:00", persons=("carl",)),
    ),
)
ALWAYS = Shift(shift="day", days=DAILY, begins="00:00", ends="00:00", persons=("emil",))
WORKS = Position(position="works", shifts=(ALWAYS,))
CALLS = Escalation(
    policy="calls", steps=(Step(120, ("lead",)), Step(600, ("lead", "works"))), rounds=2, round_s=1800,
    min_priority="medium",
)  # fmt: skip
NIGHT = 16 * 3600
"""22:00: the day begins at 06:00 at second 0."""


PLAIN = Policy()


class Night(Stage):
    def __init__(
        self, policy: Policy = PLAIN, calls: Escalation | None = CALLS, *,
        alarms: dict[str, AlarmDefinition] | None = None, **positions: Position,
    ) -> None:  # fmt: skip
        self.policy, self.positions = policy, positions or {"lead": LEAD, "works": WORKS}
        self.alarms = alarms or {"pressure": defined("pressure")}
        Plant.__init__(self, definition=self.definition(calls))
        self.count = 0

    def definition(self, calls: Escalation | None) -> Definition:
        policy = replace(self.policy, escalation="" if calls is None else calls.policy)
        return Definition(
            areas=(PRESS,), policies={PRESS: policy}, escalations={} if calls is None else {calls.policy: calls},
            positions=self.positions, alarms=self.alarms,
        )  # fmt: skip

    def wait(self, until: float, since: float) -> list[Fact]:
        """The ticks of (since, until], one a second; left out are those by which nothing is due."""
        facts: list[Fact] = []
        for second in range(int(since) + 1, int(until) + 1):
            due = self.brain.areas[PRESS].due
            if second == int(until) or (due is not None and due <= at(second)):
                facts += self.tick(second)
        return facts

    @property
    def told(self) -> list[tuple[float, str, tuple[str, ...]]]:
        """(second, to, persons) of every notification so far."""
        return [((e.at - at(0)).total_seconds(), e.fact.to, e.fact.persons)
                for e in self.log if isinstance(e.fact, NotificationIssued)]  # fmt: skip

    @property
    def ended(self) -> list[str]:
        return [f.reason for f in self.all(EscalationEnded)]


def at_night(seconds: float) -> float:
    return NIGHT + seconds


def test_at_night_who_is_on_call_is_told_then_others_and_an_acknowledgement_ends_it() -> None:
    plant = Night()
    plant.tick(at_night(0))
    plant.fire("pressure", at_night(0))
    [begun] = plant.all(EscalationStepped)
    assert (begun.step, begun.to, begun.next_at) == (0, (), at(at_night(120)))
    plant.wait(at_night(900), at_night(0))
    assert plant.told == [
        (at_night(120), "lead", ("carl",)),
        (at_night(600), "lead", ("carl",)), (at_night(600), "works", ("emil",)),
    ]  # fmt: skip
    first, *_ = plant.all(NotificationIssued)
    assert first.text == "shop/press #1: pressure is high."
    assert (first.priority, first.kind, first.incident) == ("high", "escalation", plant.id())
    assert first.not_after == datetime(2024, 5, 1, 23, 2, tzinfo=UTC)
    assert plant.all(NotificationIssued)[1].text == "shop/press #1: pressure is high. Nobody has taken it for 10 min."
    plant.acknowledge(plant.id(), at_night(901), incident=True)
    assert plant.ended == ["acknowledged by Ada"]
    plant.wait(at_night(7200), at_night(901))
    assert len(plant.told) == 3


def test_who_takes_it_in_time_spares_everybody_the_call() -> None:
    plant = Night()
    plant.fire("pressure", 0)
    plant.wait(100, 0)
    plant.acknowledge(occurrence("pressure", 0), 101)
    plant.wait(3600, 101)
    assert plant.told == []
    assert plant.ended == ["all its alarms are acknowledged"]


def test_all_rounds_are_gone_through_and_then_it_is_exhausted_until_a_new_alarm_comes() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(5000, 0)
    assert [second for second, _, _ in plant.told] == [120, 600, 600, 1920, 2400, 2400]
    assert plant.ended == ["exhausted"]
    plant.fire("vibration", 5000)
    plant.wait(5130, 5000)
    assert [second for second, _, _ in plant.told][6:] == [5120]
    assert len({f.notification for f in plant.all(NotificationIssued)}) == 7


def test_a_restart_between_two_steps_changes_nothing() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(300, 0)
    plant.restart()
    plant.wait(700, 300)
    assert [second for second, _, _ in plant.told] == [120, 600, 600]


def test_steps_that_come_late_after_a_standstill_keep_their_distance() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(10000, 9999)
    plant.wait(10600, 10000)
    assert [second for second, _, _ in plant.told] == [10000, 10480, 10480]


def test_an_incident_of_low_priority_calls_nobody_unless_a_person_says_otherwise() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("filter", 0, priority="low")
    plant.wait(300, 0)
    assert plant.all(EscalationStepped) == []
    plant.ask(SetPriority(incident=plant.id(), priority="high", reason="no filter left"), 300, role="supervisor")
    plant.wait(430, 300)
    assert plant.told == [(420, "lead", ("anna",))]
    plant.ask(SetPriority(incident=plant.id(), priority="low", reason="found one"), 430, role="supervisor")
    assert plant.ended == ["its priority is low now"]


def test_an_alarm_that_joins_a_taken_incident_calls_only_if_it_would_have_called_alone() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.acknowledge(plant.id(), 10, incident=True)
    plant.fire("filter", 20, priority="low")
    plant.wait(400, 20)
    assert plant.told == []
    plant.fire("vibration", 400)
    plant.wait(530, 400)
    assert plant.told == [(520, "lead", ("anna",))]


def test_nobody_is_called_for_a_candidate_until_it_is_confirmed() -> None:
    plant = Night(Policy(confirm_after=3))
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(600, 0)
    assert plant.all(EscalationStepped, NotificationIssued) == []
    plant.ask(ConfirmIncident(incident=plant.id(), reason="I hear it"), 600)
    plant.wait(730, 600)
    assert plant.told == [(720, "lead", ("anna",))]


def test_assigned_ends_the_calls_and_taken_back_begins_them_anew() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(130, 0)
    plant.ask(AssignIncident(incident=plant.id(), to="ben"), 131)
    plant.wait(1000, 131)
    assert (len(plant.told), plant.ended) == (1, ["assigned to ben"])
    plant.ask(AssignIncident(incident=plant.id(), to=""), 1000)
    plant.wait(1130, 1000)
    assert [second for second, _, _ in plant.told] == [120, 1120]


def test_an_acknowledgement_of_what_was_shown_leaves_the_newer_alarm_calling() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.fire("vibration", 50)
    plant.tick(60)
    plant.ask(AcknowledgeIncident(incident=plant.id(), seen=(occurrence("pressure", 0),)), 60)
    assert plant.ended == ["acknowledged by Ada"]
    plant.wait(200, 60)
    assert [second for second, _, _ in plant.told] == [180]


def test_a_shelved_alarm_calls_nobody_also_not_after_a_restart_and_its_end_calls_afresh() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(130, 0)
    plant.ask(ShelveAlarm(name="pressure", reason="sensor is being changed", duration_s=1800), 130)
    assert plant.ended == ["pressure is shelved"]
    plant.restart()
    plant.wait(1929, 130)
    assert [second for second, _, _ in plant.told] == [120]
    plant.wait(2100, 1929)
    assert [second for second, _, _ in plant.told] == [120, 2050]
    first, second = plant.all(NotificationIssued)
    assert first.notification != second.notification


def test_unshelved_by_hand_while_it_stands_it_calls_as_well() -> None:
    plant = Night()
    plant.tick(0)
    plant.ask(ShelveAlarm(name="pressure", reason="test", duration_s=1800), 1)
    plant.fire("pressure", 10)
    plant.wait(500, 10)
    assert plant.all(EscalationStepped) == []
    plant.ask(UnshelveAlarm(name="pressure"), 500)
    plant.wait(630, 500)
    assert [second for second, _, _ in plant.told] == [620]


def test_history_calls_nobody_until_a_live_sample_confirms_it() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0, late=True)
    plant.wait(300, 0)
    assert plant.all(EscalationStepped) == []
    plant.stands("pressure", 0, 300)
    plant.wait(430, 300)
    assert [second for second, _, _ in plant.told] == [420]


def test_an_incident_that_is_reopened_calls_again_under_new_ids() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(130, 0)
    plant.over("pressure", 0, 131)
    plant.fire("pressure", 200)
    plant.wait(330, 200)
    told = plant.all(NotificationIssued)
    assert len(told) == 2 and told[0].incident == told[1].incident
    assert told[0].notification != told[1].notification


def test_what_is_merged_goes_on_in_the_other_incident() -> None:
    each = Policy(together=(Together(together="alone", by="alarms", alarms=("none",)),))
    plant = Night(each)
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.fire("vibration", 10)
    plant.acknowledge(plant.id(2), 20, incident=True)
    plant.ask(MergeIncidents(incident=plant.id(1), into=plant.id(2), reason="one cause"), 30, role="supervisor")
    assert plant.ended == ["acknowledged by Ada", "merged into another incident"]
    plant.wait(200, 30)
    assert [f.incident for f in plant.all(NotificationIssued)] == [plant.id(2)]


def test_where_nobody_is_on_call_the_next_step_follows_at_once() -> None:
    nights_only = Position(position="lead", shifts=LEAD.shifts[1:])
    plant = Night(lead=nights_only, works=WORKS)
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(130, 0)
    assert plant.told == [(120, "lead", ()), (121, "lead", ()), (121, "works", ("emil",))]


def test_a_policy_that_is_new_calls_about_what_waits_already_and_a_withdrawn_one_ends() -> None:
    plant = Night(calls=None)
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.wait(300, 0)
    new = plant.definition(CALLS)
    plant.give(Configure(new.version, at(300), "test", new.pack()))
    plant.wait(430, 300)
    assert [second for second, _, _ in plant.told] == [421]
    old = plant.definition(None)
    plant.give(Configure(old.version, at(430), "test", old.pack()))
    plant.wait(1000, 430)
    assert len(plant.told) == 1
    assert plant.ended == ["the policy was withdrawn"]


FLOOD = Policy(
    together=(Together(together="alone", by="alarms", alarms=("none",)),),
    flood=Flood(above=5, below=3, window_s=600, show_from="critical", digest_s=300),
)


def flooded(alarms: int = 8) -> Night:
    """Each alarm is an incident of its own; the sixth begins the flood."""
    plant = Night(FLOOD)
    plant.tick(0)
    for i in range(alarms):
        plant.fire(f"alarm{i}", i)
    assert len(plant.all(FloodBegan)) == 1
    return plant


def test_in_a_flood_there_is_one_quiet_digest_for_each_position_instead_of_a_call_for_each_incident() -> None:
    plant = flooded()
    plant.wait(430, 8)
    [digest] = plant.all(NotificationIssued)
    assert (digest.kind, digest.to, digest.persons, digest.priority) == ("digest", "lead", ("anna",), "high")
    assert digest.text == (
        "Flood of alarms in shop/press: 8 incidents wait for somebody. #1 alarm0 is high (high); #2 alarm1 is high "
        "(high); #3 alarm2 is high (high); #4 alarm3 is high (high); #5 alarm4 is high (high); and 3 more."
    )


def test_a_digest_leaves_out_what_was_taken_meanwhile_and_is_not_sent_empty() -> None:
    plant = flooded()
    plant.wait(200, 8)
    for number in range(1, 8):
        plant.acknowledge(plant.id(number), 200, incident=True)
    plant.wait(430, 200)
    [digest] = plant.all(NotificationIssued)
    assert "1 incident waits for somebody. #8 alarm7" in digest.text
    quiet = flooded()
    quiet.wait(200, 8)
    for number in range(1, 9):
        quiet.acknowledge(quiet.id(number), 200, incident=True)
    quiet.wait(1300, 200)
    assert quiet.told == []


def test_a_critical_incident_goes_out_at_once_in_any_flood() -> None:
    plant = flooded()
    plant.fire("fire", 10, priority="critical")
    plant.wait(140, 10)
    [told] = plant.all(NotificationIssued)
    assert (told.kind, told.priority, told.text) == ("escalation", "critical", "shop/press #9: fire is high.")


def test_what_becomes_critical_while_it_is_gathered_goes_out_at_once_and_not_again_in_the_digest() -> None:
    plant = flooded()
    plant.wait(200, 8)
    plant.ask(SetPriority(incident=plant.id(3), priority="critical", reason="smoke"), 200, role="supervisor")
    [told] = plant.all(NotificationIssued)
    assert (told.kind, told.incident) == ("escalation", plant.id(3))
    plant.wait(430, 200)
    assert "#3" not in plant.all(NotificationIssued)[1].text


def test_the_end_of_the_flood_sends_what_is_gathered_and_later_calls_go_out_as_always() -> None:
    plant = flooded()
    plant.wait(1000, 8)
    ended = next(e.at for e in plant.log if isinstance(e.fact, FloodEnded))
    at_the_end = [e.fact for e in plant.log if isinstance(e.fact, NotificationIssued) and e.at == ended]
    assert [f.kind for f in at_the_end] == ["digest", "digest"]  # one for lead, one for works
    assert [f.kind for f in plant.all(NotificationIssued)].count("escalation") == 0
    for number in range(1, 6):
        plant.acknowledge(plant.id(number), 1000, incident=True)
    plant.wait(1950, 1000)
    assert [f.kind for f in plant.all(NotificationIssued)[-3:]] == ["escalation"] * 3  # few call now


def test_what_is_released_at_the_end_of_a_flood_comes_in_its_digest_and_not_as_a_burst_of_calls() -> None:
    at_once = Escalation(policy="calls", steps=(Step(0, ("lead",)),))
    follows = {f"flow{i}": defined(f"flow{i}", consequence_of=("pump",)) for i in range(4)}
    plant = Night(FLOOD, at_once, alarms={"pump": defined("pump"), **follows})
    plant.tick(0)
    plant.fire("pump", 0)
    for i in range(5):
        plant.fire(f"alarm{i}", 1 + i)
    for name in follows:
        plant.fire(name, 6)
    assert len(plant.all(AlarmHeldBack)) == 4
    before = len(plant.told)
    plant.wait(700, 6)
    ended = next(e.at for e in plant.log if isinstance(e.fact, FloodEnded))
    assert len(plant.all(AlarmReleased)) == 4
    [digest] = [e.fact for e in plant.log if isinstance(e.fact, NotificationIssued) and e.at >= ended]
    assert digest.text.startswith("After a flood of alarms in shop/press: 4 incidents wait for somebody. #7 flow0")
    assert before <= 6


def test_more_incidents_than_anybody_can_take_are_told_in_digests_without_a_flood() -> None:
    plant = Night(FLOOD)
    for i in range(9):
        plant.tick(i * 300)
        plant.fire(f"alarm{i}", i * 300)
    plant.wait(4000, 2400)
    assert plant.all(FloodBegan) == []
    kinds = [f.kind for f in plant.all(NotificationIssued)]
    assert "digest" in kinds and len(kinds) < 9 * 6
    digest = next(f for f in plant.all(NotificationIssued) if f.kind == "digest")
    assert digest.text.startswith("Many calls in shop/press: ")


def test_who_took_the_position_over_by_hand_is_called_until_the_next_change_of_shift() -> None:
    plant = Night()
    plant.tick(0)
    plant.ask(HandOver(position="lead", to="ben"), 1, role="supervisor")
    plant.fire("pressure", 2)
    plant.wait(130, 2)
    assert plant.told[-1][1:] == ("lead", ("ben",))
    plant.acknowledge(plant.id(), 131, incident=True)
    plant.tick(at_night(1))
    plant.fire("vibration", at_night(2))
    plant.wait(at_night(130), at_night(2))
    assert [t[1:] for t in plant.told if t[0] > at_night(100)] == [("lead", ("carl",))]


def test_a_restart_in_a_flood_keeps_what_is_gathered() -> None:
    plant = flooded()
    plant.wait(300, 8)
    plant.restart()
    plant.wait(430, 300)
    assert [f.kind for f in plant.all(NotificationIssued)] == ["digest"]


def test_acknowledging_one_alarm_after_the_other_ends_it_with_the_last() -> None:
    plant = Night()
    plant.tick(0)
    plant.fire("pressure", 0)
    plant.fire("vibration", 1)
    plant.ask(AcknowledgeAlarm(alarm=occurrence("pressure", 0)), 2)
    assert plant.ended == []
    plant.ask(AcknowledgeAlarm(alarm=occurrence("vibration", 1)), 3)
    assert plant.ended == ["all its alarms are acknowledged"]
    assert make_id("incident", occurrence("pressure", 0)) == plant.id()
