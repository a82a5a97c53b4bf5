"""Stories of runs: what a playbook does, and what it never does."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from events.envelope import Configured, Event, Reported
from events.notifications import NotificationIssued
from events.playbooks import (
    CommandIssued,
    RunEscalated,
    RunFinished,
    RunRefused,
    RunsHandedOn,
    RunStarted,
    StepFinished,
    StepStarted,
)
from events.types import make_id
from playbooks.plan import OnIncident, PlaybookSet
from playbooks.recipe import Notify
from tests.unit.incidents.rig import at
from tests.unit.playbooks.shop import PRESS, Shop, example, incident, succeeded

LATE = "late: 1.000 s after it expired"


def kinds(facts: list[object]) -> list[type]:
    return [type(f) for f in facts]


def strict(name: str = "press_overpressure"):
    """The playbook with steps that stop the run when they fail."""
    book = example(name)
    return replace(book, steps=tuple(replace(s, on_error="stop") for s in book.steps))


def test_opened_incident_starts_the_playbook_and_its_first_command() -> None:
    shop = Shop()
    started, step, command = shop.opened(1, 10)
    assert isinstance(started, RunStarted) and started.run == make_id("run", incident(1), "press_overpressure")
    assert started.title == "Relieve the press: Pressure very high" and started.version == example(
        "press_overpressure").version  # fmt: skip
    assert step == StepStarted(run=started.run, step="relieve", attempt=1, due=at(12))
    assert command == CommandIssued(
        command=make_id("command", started.run, "relieve", 1), run=started.run, incident=incident(1), step="relieve",
        attempt=1, edge="edge-1", device="press", point="press.relief_valve", value=1.0, tolerance=0.0,
        not_after=at(12), author=example("press_overpressure").author,
    )  # fmt: skip
    assert {e.author for e in shop.log[1:]} == {command.author} and shop.log[-1].area == PRESS


def test_each_command_waits_for_the_read_back_of_the_one_before() -> None:
    shop = Shop()
    shop.opened(1, 10)
    for point in ("press.relief_valve", "press_light.red", "press_light.siren"):
        assert shop.command.point == point
        last = shop.succeeds(shop.command, 11)
    assert kinds(last) == [StepFinished, StepFinished, StepStarted, NotificationIssued, StepFinished, RunFinished]
    assert [f.step for f in last[:2]] == ["show.2", "show"], "the last of its points, and the step itself"
    assert last[3].text == "Pressure very high: the relief valve was told to open. Go to shop/press."
    assert last[3].to == "shift_lead" and last[3].priority == "critical"
    assert last[-1].outcome == "completed" and shop.running == []


def test_incident_of_another_rule_or_area_starts_nothing() -> None:
    shop = Shop()
    assert shop.opened(1, 10, rule="oil_temperature.H") == []
    assert shop.opened(2, 10, area="shop/cooling") == []


def test_alarm_that_joins_an_incident_starts_the_playbook_too() -> None:
    shop = Shop()
    shop.opened(1, 10, rule="oil_temperature.H")
    started = shop.joined(1, 11, "press_pressure.HH")[0]
    assert isinstance(started, RunStarted) and started.title == "Relieve the press: Joined"
    assert shop.joined(1, 12, "press_pressure.L") == []


def test_trigger_that_comes_again_starts_nothing_while_the_run_goes_and_after_it_ended() -> None:
    shop = Shop()
    shop.opened(1, 10)
    assert shop.opened(1, 10) == []
    for when in (11, 12, 13):
        shop.succeeds(shop.command, when)
    assert shop.running == []
    assert shop.opened(1, 10) == [] and shop.joined(1, 14, "press_pressure.L") == []


def test_trigger_that_is_history_is_refused_and_said_so_once() -> None:
    shop = Shop()
    shop.tick(100)
    (refused,) = shop.opened(1, 39)
    assert refused == RunRefused(
        playbook="press_overpressure", incident=incident(1), reason="the trigger is history: it is 61 s old",
        alarm=make_id("alarm", 1), by=("press_pressure.HH",),
    )  # fmt: skip
    assert shop.opened(1, 39) == []
    assert kinds(shop.opened(2, 40)) == [RunStarted, StepStarted, CommandIssued]


def test_command_never_outlives_the_attempt_it_belongs_to() -> None:
    shop = Shop()
    shop.tick(15)
    facts = shop.opened(1, 10)
    assert facts[1].due == at(17) and facts[2].not_after == at(17)
    short = replace(example("press_overpressure"), steps=(replace(
        example("press_overpressure").steps[0], timeout_s=5.0, valid_s=0.5),))  # fmt: skip
    facts = Shop(short).opened(1, 10)
    assert facts[1].due == at(15) and facts[2].not_after == at(10.5)


def test_failed_command_is_tried_again_under_a_new_id() -> None:
    shop = Shop()
    first = shop.opened(1, 10)[-1]
    finished, started, second = shop.fails(first, 10.5)
    assert (finished.outcome, finished.attempt, finished.detail) == ("failed", 1, "no answer from the device")
    assert started.attempt == 2 and second.attempt == 2 and second.command != first.command
    assert second.not_after == at(12.5)


def test_command_that_was_refused_as_late_is_issued_again_when_the_time_is_known() -> None:
    shop = Shop()
    first = shop.opened(1, 10)[-1]
    (finished,) = shop.refuses(first, 12, LATE)
    assert finished.again > at(12), "nobody knows yet how late it is: the stage may have been away for long"
    second = shop.tick(21)[-1]
    assert second.attempt == 2 and second.not_after == at(23), "one attempt is spent, whatever time has passed"


def test_command_that_was_refused_for_good_is_not_tried_again() -> None:
    shop = Shop(strict())
    first = shop.opened(1, 10)[-1]
    facts = shop.refuses(first, 11, "locked out: press: maintenance")
    assert kinds(facts) == [StepFinished, NotificationIssued, RunFinished]
    assert facts[-1].outcome == "failed"
    assert facts[-1].detail == "failed at step relieve: locked out: press: maintenance"


def test_command_that_came_too_often_is_tried_again_when_it_is_due() -> None:
    shop = Shop()
    first = shop.opened(1, 10)[-1]
    (finished,) = shop.refuses(first, 10.1, "too often: once per 1s")
    assert (finished.outcome, finished.again, finished.unsure) == ("failed", at(12), False)
    assert kinds(shop.tick(12)) == [StepStarted, CommandIssued]


def test_no_answer_by_the_deadline_is_a_failed_attempt_and_ends_in_a_notification() -> None:
    shop = Shop(strict())
    shop.opened(1, 10)
    assert shop.tick(11.9) == []
    assert shop.tick(12)[0].detail == "no answer by the deadline"
    shop.tick(14)
    facts = shop.tick(16)
    assert kinds(facts) == [StepFinished, RunEscalated, NotificationIssued, RunFinished]
    assert facts[2].to == "shift_lead" and facts[2].priority == "critical"
    assert facts[2].text == (
        "Playbook failed at step relieve: no answer by the deadline (Relieve the press: Pressure very high). Go and "
        "look at step relieve: nobody knows whether it took effect"
    )
    assert len(shop.all(CommandIssued)) == 3 and shop.running == []
    assert shop.log[-1].cause != shop.log[-5].cause


def test_step_that_may_fail_lets_the_run_go_on_yet_it_ends_as_failed() -> None:
    shop = Shop()
    shop.opened(1, 10)
    for when in (12, 14, 16):
        shop.tick(when)
    assert shop.command.point == "press_light.red"
    shop.succeeds(shop.command, 17)
    facts = shop.succeeds(shop.command, 18)
    assert kinds(facts)[-2:] == [NotificationIssued, RunFinished]
    assert facts[-1].outcome == "failed" and facts[-1].detail == "failed at step relieve: no answer by the deadline"


def test_answer_that_comes_twice_or_after_the_deadline_changes_nothing() -> None:
    shop = Shop()
    first = shop.opened(1, 10)[-1]
    shop.tick(12)
    second = shop.command
    assert shop.succeeds(first, 12.5) == [] and shop.fails(first, 12.5) == []
    assert kinds(shop.succeeds(second, 13)) == [StepFinished, StepStarted, StepStarted, CommandIssued]
    assert shop.succeeds(second, 13) == [] and shop.refuses(second, 14, LATE) == []


def test_several_answers_in_one_report_are_taken_in_order() -> None:
    shop = Shop()
    first = shop.opened(1, 10)[-1]
    e = Event(make_id("answer"), at(11), PRESS, first.command, "edge edge-1", succeeded(first))
    facts = shop.give(Reported("edge-1:J", 1, (e, e)))
    assert [f.point for f in facts if isinstance(f, CommandIssued)] == ["press_light.red"]


def test_stage_that_was_away_too_long_moves_nothing_any_more() -> None:
    shop = Shop()
    shop.opened(1, 10)
    facts = shop.tick(3600)
    assert kinds(facts) == [StepFinished, RunEscalated, NotificationIssued, RunFinished]
    assert facts[-1].detail == "failed at step relieve: it was due at 06:00:12 and noticed too late to go on"
    shop.opened(2, 3600)
    shop.succeeds(shop.command, 7200)
    assert [c.attempt for c in shop.all(CommandIssued)] == [1, 1] and shop.running == []


def test_resolved_incident_resets_what_its_playbook_had_done() -> None:
    shop = Shop()
    shop.opened(1, 10)
    for when in (11, 12, 13):
        shop.succeeds(shop.command, when)
    started, _, _, command, handed_on = shop.resolved(1, 20)
    assert (handed_on.to, handed_on.why, handed_on.playbooks) == (None, "resolved", ("press_overpressure",))
    assert started.title == "Set the press back to normal: Pressure very high"
    assert (command.point, command.value) == ("press_light.siren", 0.0)
    assert shop.resolved(1, 20) == []
    for when in (21, 22, 23):
        last = shop.succeeds(shop.command, when)
    assert (shop.command.point, shop.command.value) == ("press.relief_valve", 0.0)
    assert last[-1].outcome == "completed"


def test_resolved_incident_for_which_no_playbook_ran_resets_nothing() -> None:
    shop = Shop()
    shop.opened(1, 10, rule="oil_temperature.H")
    assert shop.resolved(1, 20) == []


def test_reset_waits_until_the_playbook_that_still_runs_has_ended() -> None:
    shop = Shop()
    shop.opened(1, 10)
    assert kinds(shop.resolved(1, 11)) == [RunStarted, RunsHandedOn]
    shop.succeeds(shop.command, 11.5)
    shop.succeeds(shop.command, 11.8)
    facts = shop.succeeds(shop.command, 12)
    assert [f.value for f in facts if isinstance(f, CommandIssued)] == [0.0]
    assert shop.running == ["press_reset"]


def test_reset_that_waited_for_a_run_nobody_saw_through_ends_with_it() -> None:
    shop = Shop()
    shop.opened(1, 10)
    shop.resolved(1, 11)
    shop.tick(3600)
    assert [f.outcome for f in shop.all(RunFinished)] == ["failed", "failed"]
    assert len(shop.all(CommandIssued)) == 1 and shop.running == []


def test_new_incident_cancels_the_reset_of_the_one_before() -> None:
    shop = Shop()
    shop.opened(1, 10)
    for when in (11, 12, 13):
        shop.succeeds(shop.command, when)
    shop.resolved(1, 20)
    reset = shop.command
    facts = shop.opened(2, 20.5)
    assert kinds(facts)[2:] == [RunFinished, RunsHandedOn, RunStarted, StepStarted, CommandIssued]
    assert [(f.step, f.outcome) for f in facts[:2]] == [("quiet.1", "cancelled"), ("quiet", "cancelled")]
    assert facts[2].outcome == "cancelled" and "press.relief_valve" in facts[2].detail
    assert shop.succeeds(reset, 21) == []
    assert (shop.command.point, shop.command.value) == ("press.relief_valve", 1.0)


def test_run_ends_under_the_version_it_began_with() -> None:
    shop = Shop()
    shop.opened(1, 10)
    before = shop.command.author
    other = replace(strict(), version="other", steps=strict().steps[:1])
    shop.configure(PlaybookSet((other,)))
    shop.restart()
    shop.succeeds(shop.command, 11)
    assert shop.command.point == "press_light.red" and shop.command.author == before
    shop.opened(2, 12)
    assert shop.command.author == "playbook press_overpressure@other"


def test_configuration_is_said_once_and_old_versions_are_forgotten_when_no_run_needs_them() -> None:
    shop = Shop()
    assert shop.configure(shop.books) == [] and len(shop.all(Configured)) == 1
    other = PlaybookSet((replace(strict(), version="other"),))
    assert kinds(shop.configure(other)) == [Configured]
    assert list(shop.brain.books) == [("press_overpressure", "other")]


def test_playbook_of_notifications_alone_ends_at_once() -> None:
    book = replace(example("press_overpressure"), triggers=(OnIncident("opened", min_priority="high"),), steps=(replace(
        strict().steps[-1], act=Notify("shift_lead", "{playbook.title} in {area}", "low")),))  # fmt: skip
    shop = Shop(book)
    assert shop.opened(1, 10, rule="x", priority="medium") == []
    facts = shop.opened(2, 11, rule="x", priority="high")
    assert kinds(facts) == [RunStarted, StepStarted, NotificationIssued, StepFinished, RunFinished]
    assert facts[2].text == "Relieve the press in shop/press"


def test_run_goes_on_from_the_snapshot() -> None:
    shop = Shop()
    shop.tick(9)
    shop.opened(1, 10)
    shop.restart()
    assert shop.brain.now == at(9)
    assert shop.tick(12)[-1].attempt == 2
    shop.restart()
    assert shop.tick(12) == []
    assert shop.all(StepStarted)[-1].due - at(12) == timedelta(seconds=2)
