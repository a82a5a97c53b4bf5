"""What begins, what waits, what is refused: modes, limits, priorities, loops, hands off, schedules, people."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from events import requests as ask
from events.alarms import AlarmCleared, AlarmRaised, ConditionCleared, ConditionRaised, DeviceLockedOut, DeviceReleased
from events.envelope import Configure, Event, Reported
from events.incidents import IncidentClosed, IncidentOpened, IncidentPriorityChanged, IncidentResolved
from events.notifications import NotificationIssued
from events.playbooks import (
    ActingAllowed,
    ActingStopped,
    CommandIssued,
    LockOutIssued,
    QuestionAsked,
    QuestionClosed,
    RunEnding,
    RunEscalated,
    RunFinished,
    RunLooped,
    RunPaused,
    RunRefused,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from events.requests import Request, RequestRefused
from events.types import Priority, make_id
from playbooks.brain import PlaybooksBrain
from playbooks.plan import Device, Limit, OnAlarm, OnIncident, OnRequest, OnSchedule, Playbook, PlaybookSet
from playbooks.recipe import Case, Choose, Delay, WaitFor
from tests.unit.incidents.rig import Rig, at
from tests.unit.playbooks.plans import AREA, OPENED, asks, back, book, moves, plant, so, step, tells, watch, written
from tests.unit.playbooks.shop import said, succeeded


class Plant(Rig):
    """A brain with these playbooks; inputs in short."""

    def __init__(self, *books: Playbook, limit: Limit | None = None) -> None:
        super().__init__(PlaybooksBrain)
        self.books = plant(*books, limit=limit)
        self.configure(self.books)
        self.asked = 0

    def configure(self, books: PlaybookSet, when: float = 0) -> list[Any]:
        return self.give(Configure(books.version, at(when), "test", books.pack()))

    def hears(self, *facts: Any, when: float) -> list[Any]:
        return self.give(said(*facts, when=when, area=AREA))

    def opens(self, number: int, when: float, name: str = "pressure") -> list[Any]:
        fact = IncidentOpened(
            incident=make_id("incident", number), number=number, title="Too high", priority="high", name=name,
            alarm=make_id("alarm", number), rule=f"{name}.H", point="press.pressure",
        )  # fmt: skip
        return self.hears(fact, when=when)

    def asks(self, body: Any, when: float, by: str = "anna", role: str = "supervisor") -> list[Any]:
        self.asked += 1
        return self.give(Request(
            id=make_id("asked", self.asked), area=AREA, at=at(when), by=by, role=role, expires=at(when + 60),
            body=body,
        ))  # fmt: skip

    def start(self, when: float, name: str = "p", **more: Any) -> list[Any]:
        return self.asks(ask.StartRun(playbook=name), when, **more)

    def obeys(self, when: float) -> list[Any]:
        """The device does the command that was issued last."""
        command = self.all(CommandIssued)[-1]
        return self.give(said_by_edge(command, when))

    @property
    def going(self) -> list[str]:
        return [run.playbook for area in self.brain.areas.values() for run in area.runs.values()]


def said_by_edge(command: CommandIssued, when: float) -> Any:
    e = Event(make_id("answer", command.command), at(when), AREA, command.command, "edge edge-1", succeeded(command))
    return Reported("edge-1:J", 1, (e,))


def kinds(facts: list[Any]) -> list[type]:
    return [type(f) for f in facts]


def reason(facts: list[Any]) -> str:
    (refused,) = [f for f in facts if isinstance(f, RunRefused | RequestRefused)]
    text: str = refused.reason
    return text


# --- modes and limits ------------------------------------------------------------------------------------------------


def test_parallel_runs_go_beside_each_other_one_for_each_incident() -> None:
    shop = Plant(book(moves("valve"), moves("lamp")))
    shop.opens(1, 10)
    shop.opens(2, 11)
    assert shop.going == ["p", "p"] and written(shop.all(CommandIssued)) == [("press.valve", 1.0)] * 2


def test_queue_lets_one_go_and_the_next_begins_when_it_has_ended() -> None:
    shop = Plant(book(moves("valve"), mode="queue", most=2))
    shop.opens(1, 10)
    assert kinds(shop.opens(2, 10.5)) == [RunStarted]
    assert reason(shop.opens(3, 10.6)) == "2 runs of it go or wait already"
    facts = shop.obeys(11)
    assert kinds(facts) == [StepFinished, RunFinished, StepStarted, CommandIssued]
    assert len(shop.all(CommandIssued)) == 2


def test_single_refuses_a_second_run_and_restart_puts_it_in_place_of_the_first() -> None:
    single = Plant(book(moves("valve"), mode="single"))
    single.opens(1, 10)
    assert reason(single.opens(2, 11)) == "a run of it goes already"
    restart = Plant(book(moves("valve", undo=back("valve")), mode="restart"))
    restart.opens(1, 10)
    facts = restart.opens(2, 11)
    assert kinds(facts) == [StepFinished, RunFinished, RunStarted, StepStarted, CommandIssued]
    assert facts[1].outcome == "cancelled" and restart.going == ["p"]


def test_playbook_is_refused_beyond_its_limit_and_a_device_gets_no_more_than_its_own() -> None:
    shop = Plant(book(tells(), limit=Limit(2, 60.0)))
    assert [kinds(shop.start(when))[0] for when in (1, 2, 3, 61)] == [
        RunStarted, RunStarted, RequestRefused, RunStarted
    ]  # fmt: skip
    shop = Plant(book(moves("valve"), moves("lamp")), limit=Limit(1, 60.0))
    shop.start(1)
    facts = shop.obeys(1.5)
    assert facts[-1].detail == "failed at step lamp: too often: press got 1 within 60 s"


def test_run_is_refused_where_its_condition_is_not_known_to_hold() -> None:
    auto = so("watch.wauto", "press.mode == 'auto'")
    shop = Plant(book(tells(), when=auto, watches={"wauto": watch("press.mode == 1")}))
    assert reason(shop.opens(1, 1)) == "not so: press.mode == 'auto'"
    shop.hears(watching("wauto"), when=2)
    assert kinds(shop.opens(2, 3))[0] is RunStarted


def watching(id_: str, late: bool = False) -> ConditionRaised:
    return ConditionRaised(
        occurrence=make_id(id_), rule=f"watch.{id_}", rule_version="", kind="watch", point="", priority="low",
        message="", value=None, limit=None, unit="", began=at(0), late=late,
    )  # fmt: skip


def test_watch_is_passed_on_as_it_was_said_once_and_not_when_it_is_history() -> None:
    shop = Plant(book(tells()))
    assert shop.hears(watching("w1", late=True), when=1) == []
    given = said(watching("w1"), when=1, area=AREA)
    assert shop.give(given) == [watching("w1")] and shop.log[-1] == given.events[0]
    assert shop.give(given) == []
    over = ConditionCleared(occurrence=make_id("w1"), rule="watch.w1", point="", value=None)
    assert shop.hears(over, when=2) == [over] and shop.hears(over, when=2) == []


# --- who holds a point -----------------------------------------------------------------------------------------------


def test_point_belongs_to_the_run_that_wrote_it_and_a_higher_priority_takes_it() -> None:
    low = book(moves("valve"), moves("lamp"), moves("again"), name="low", priority=20)
    low = replace(low, steps=(*low.steps[:2], replace(low.steps[0], step="again")))
    same = book(moves("valve"), name="same", priority=20)
    high = book(moves("valve", 5.0), asks(), name="high", priority=80)
    shop = Plant(low, same, high)
    shop.start(1, "low")
    assert shop.start(1.1, "same")[-1].detail == "failed at step valve: press.valve is held by low, priority 20"
    low_valve = shop.all(CommandIssued)[0]
    shop.give(said_by_edge(low_valve, 1.2))
    lamp = shop.all(CommandIssued)[-1]
    assert written(shop.start(1.3, "high")) == [("press.valve", 5.0)]
    facts = shop.give(said_by_edge(lamp, 1.5))
    assert facts[-1].detail == "failed at step again: press.valve is taken by high, priority 80"


def test_runs_of_one_playbook_do_not_keep_a_point_from_each_other() -> None:
    shop = Plant(book(moves("valve"), asks()))
    shop.opens(1, 1)
    shop.obeys(1.5)
    assert written(shop.opens(2, 2)) == [("press.valve", 1.0)]


# --- loops -----------------------------------------------------------------------------------------------------------


def test_playbook_that_sets_itself_off_again_and_again_is_cut_and_that_is_an_alarm() -> None:
    shop = Plant(book(moves("valve")))
    for number in range(1, 5):
        assert kinds(shop.opens(number, 20 * number))[0] is RunStarted
        shop.obeys(20 * number + 1)
    looped, raised, refused = shop.opens(5, 100)
    assert isinstance(looped, RunLooped) and looped.chain == ("p",) * 5 and looped.until == at(700)
    assert (raised.rule, raised.point, raised.priority) == ("playbook_loop", "p", "high")
    assert isinstance(refused, RunRefused)
    assert reason(shop.opens(6, 200)) == "it sets itself off: refused until 06:11:40"
    shop.restart()
    assert shop.brain.due == at(700) and shop.tick(699) == []
    (cleared,) = shop.tick(700)
    assert cleared.occurrence == raised.occurrence
    assert kinds(shop.opens(7, 701))[0] is RunStarted


@pytest.mark.parametrize(("by", "looped"), [("anna", False), ("", True)])
def test_what_passes_a_person_is_no_loop(by: str, looped: bool) -> None:
    """A drill, or a press that is too high again each time somebody set it back."""
    relieve = book(moves("valve"), name="relieve", triggers=(OPENED,))
    reset = book(moves("valve"), name="reset", triggers=(OnIncident("resolved", after=("relieve",)),))
    shop, cut = Plant(relieve, reset), False
    for number in range(1, 8):
        facts = shop.opens(number, 10 * number)
        shop.obeys(10 * number + 1)
        facts += shop.hears(IncidentResolved(incident=make_id("incident", number), by=by), when=10 * number + 2)
        if cut := any(isinstance(f, RunLooped | RunRefused) for f in facts):
            break
        shop.obeys(10 * number + 3)
    assert cut == looped


def test_two_playbooks_that_set_each_other_off_are_a_loop() -> None:
    a = book(moves("valve"), name="a", triggers=(OnIncident("opened", ("pressure*",)),))
    b = book(moves("pump"), name="b", triggers=(OnIncident("opened", ("flow*",)),))
    shop = Plant(a, b)
    for number in range(1, 9):
        shop.opens(number, 10 * number, "pressure" if number % 2 else "flow")
        shop.obeys(10 * number + 1)
    looped = [f for f in shop.opens(9, 90, "pressure") if isinstance(f, RunLooped)]
    assert looped[0].chain == ("a", "b") * 4 + ("a",)


def test_many_alarms_at_once_are_a_flood_and_no_loop() -> None:
    shop = Plant(book(moves("valve")))
    for number in range(1, 9):
        assert kinds(shop.opens(number, 10 + number, f"alarm{number}"))[0] is RunStarted
        shop.obeys(10.5 + number)


# --- hands off -------------------------------------------------------------------------------------------------------


def test_hands_off_ends_all_runs_as_they_are_locks_all_devices_and_tells_once() -> None:
    shop = Plant(book(moves("valve", undo=back("valve")), name="p"), book(asks(), name="q"))
    shop.start(1)
    shop.start(1, "q")
    facts = shop.asks(ask.StopActing(reason="smoke"), 2, role="operator")
    assert isinstance(facts[0], ActingStopped)
    assert [f.detail for f in facts if isinstance(f, RunFinished)] == ["hands off by anna: smoke"] * 2
    assert len([f for f in facts if isinstance(f, QuestionClosed)]) == 1
    locks = {f.device: f.reason for f in facts if isinstance(f, LockOutIssued)}
    assert locks == dict.fromkeys(("press", "lamp"), "hands off by anna: smoke")
    (told,) = [f for f in facts if isinstance(f, NotificationIssued)]
    assert "2 runs were ended" in told.text and "step valve of p" in told.text
    assert not [f for f in facts if isinstance(f, CommandIssued | RunEnding)]
    assert [f.reason for f in shop.opens(1, 3)] == ["hands off by anna: smoke"] * 2
    assert reason(shop.start(4)) == "hands off by anna: smoke"
    shop.restart()
    assert "already" in reason(shop.asks(ask.StopActing(reason="again"), 5))


def test_device_is_free_only_when_hands_are_on_and_maintenance_is_over() -> None:
    shop = Plant(book(tells()))
    shop.hears(DeviceLockedOut(device="press", by="ben", reason="seals", until=at(900)), when=1)
    shop.asks(ask.StopActing(reason="smoke"), 2)
    assert shop.all(LockOutIssued)[-1].reason == "by ben: seals; hands off by anna: smoke"
    facts = shop.asks(ask.AllowActing(reason="false alarm"), 3)
    assert isinstance(facts[0], ActingAllowed)
    assert {f.device: f.reason for f in facts[1:]} == {"press": "by ben: seals", "lamp": ""}
    (free,) = shop.hears(DeviceReleased(device="press", by="ben", reason="done"), when=4)
    assert (free.device, free.reason) == ("press", "")


def test_maintenance_that_ends_while_hands_are_off_frees_nothing() -> None:
    shop = Plant(book(tells()))
    shop.hears(DeviceLockedOut(device="press", by="ben", reason="seals", until=at(900)), when=1)
    shop.asks(ask.StopActing(reason="smoke"), 2)
    (still,) = shop.hears(DeviceReleased(device="press", by="ben", reason="done"), when=3)
    assert still.reason == "hands off by anna: smoke"


def test_new_device_is_locked_too_while_hands_are_off() -> None:
    shop = Plant(book(tells()))
    shop.asks(ask.StopActing(reason="smoke"), 2)
    more = PlaybookSet(shop.books.playbooks, {**shop.books.devices, "press2": Device("edge-2", AREA)})
    (lock,) = [f for f in shop.configure(more, 3) if isinstance(f, LockOutIssued)]
    assert (lock.device, lock.edge, lock.reason) == ("press2", "edge-2", "hands off by anna: smoke")


# --- people ----------------------------------------------------------------------------------------------------------


def test_request_is_answered_once_by_facts_of_its_author() -> None:
    shop = Plant(book(tells()))
    request = Request(id=make_id("r"), area=AREA, at=at(1), by="anna", role="operator", expires=at(60),
                      body=ask.StartRun(playbook="p"))  # fmt: skip
    (started, *_) = shop.give(request)
    assert started.asked_by == "anna" and started.scope["asked.by"] == "anna"
    assert (shop.log[1].author, shop.log[1].cause) == ("person anna", request.id)
    assert shop.give(request) == []
    shop.restart()
    assert shop.give(request) == []


@pytest.mark.parametrize(("body", "role", "why"), [
    (ask.StartRun(playbook="x"), "operator", "there is no playbook 'x'"),
    (ask.StartRun(playbook="boss"), "operator", "to start boss needs at least the role engineer"),
    (ask.StartRun(playbook="p"), "auditor", "nobody may start run as 'auditor'"),
    (ask.StartRun(playbook="p"), "system", "nobody may start run as 'system'"),
    (ask.CancelRun(run=make_id("x"), reason="enough"), "operator", "there is no such run"),
    (ask.CancelRun(run=make_id("x"), reason=" "), "operator", "needs a reason"),
    (ask.AllowActing(), "operator", "needs at least the role supervisor"),
    (ask.AllowActing(), "supervisor", "hands are not off"),
    (ask.ReportErrand(errand=make_id("x")), "engineer", "only Andon itself"),
    (ask.AnswerQuestion(question=make_id("x"), answer="yes"), "operator", "waits for no answer"),
    (ask.RetryRun(run=make_id("x")), "supervisor", "only a run that failed"),
])  # fmt: skip
def test_request_that_is_not_done_says_why(body: Any, role: str, why: str) -> None:
    shop = Plant(book(tells()), book(tells(), name="boss", triggers=(OnRequest("engineer"),)))
    assert why in reason(shop.asks(body, 1, role=role))


def test_request_that_expired_is_refused_and_one_of_another_area_is_left_to_its_home() -> None:
    shop = Plant(book(tells()))
    shop.tick(100)
    assert "expired" in reason(shop.start(1))
    other = Request(id=make_id("o"), area="far", at=at(100), by="a", role="operator", expires=at(200),
                    body=ask.StartRun(playbook="p"))  # fmt: skip
    assert shop.give(other) == []


def test_cancelled_run_is_undone_and_names_who_cancelled_it() -> None:
    shop = Plant(book(moves("valve", undo=back("valve")), asks()))
    run = shop.start(1)[0].run
    shop.obeys(1.5)
    facts = shop.asks(ask.CancelRun(run=run, reason="enough"), 2, role="operator")
    assert [f.by for f in facts if isinstance(f, RunEnding)] == ["anna"]
    assert written(facts) == [("press.valve", 0.0)] and shop.log[-1].author.startswith("playbook p@")
    assert "ending already" in reason(shop.asks(ask.CancelRun(run=run, reason="now"), 2.1))
    end = shop.obeys(2.5)[-1]
    assert (end.outcome, end.detail) == ("cancelled", "cancelled by anna: enough")


def test_replaced_run_says_what_nobody_knows_unless_the_new_one_settles_it() -> None:
    first = Case(so("incident.number < 2"), (moves("valve"),))
    shop = Plant(book(step("which", Choose((first,), (tells(),)), 0.0), mode="restart"))
    shop.opens(1, 10)
    facts = shop.opens(2, 11)
    assert [f.step for f in facts if isinstance(f, RunEscalated)] == ["which.then.valve"]
    told = next(f.text for f in facts if isinstance(f, NotificationIssued))
    assert "it begins anew" in told and "Go and look at step which.then.valve" in told


def test_hands_off_during_an_undo_says_all_that_stays_as_it_is() -> None:
    shop = Plant(book(*(moves(p, undo=back(p)) for p in ("a", "b", "c")), asks()))
    run = shop.start(1)[0].run
    for when in (1.5, 1.6, 1.7):
        shop.obeys(when)
    shop.asks(ask.CancelRun(run=run, reason="enough"), 2)
    shop.obeys(2.5)
    facts = shop.asks(ask.StopActing(reason="somebody is in there"), 3)
    assert [(f.step, f.outcome) for f in facts if isinstance(f, StepFinished)] == [("undo:b.back", "cancelled")]
    assert [f.step for f in facts if isinstance(f, RunEscalated)] == ["b", "a", "undo:b.back"]
    (told,) = [f.text for f in facts if isinstance(f, NotificationIssued)]
    assert told.endswith("Go and look at step b of p (it could not be undone), step a of p (it could not be undone), "
                         "step undo:b.back of p (nobody knows whether it took effect).")  # fmt: skip


def test_undo_that_was_noticed_too_late_says_only_what_was_not_undone() -> None:
    shop = Plant(book(*(moves(p, undo=back(p)) for p in ("a", "b", "c")), asks()))
    run = shop.start(1)[0].run
    for when in (1.5, 1.6, 1.7):
        shop.obeys(when)
    shop.asks(ask.CancelRun(run=run, reason="enough"), 2)
    shop.obeys(2.5)
    facts = shop.obeys(200)
    assert [f.step for f in facts if isinstance(f, RunEscalated)] == ["a"] and not written(facts)
    assert (facts[-1].outcome, facts[-1].detail) == ("cancelled", "cancelled by anna: enough")


def test_paused_run_ends_its_step_and_begins_no_other_until_it_is_resumed() -> None:
    shop = Plant(book(moves("valve"), moves("lamp")))
    run = shop.start(1)[0].run
    assert kinds(shop.asks(ask.PauseRun(run=run, reason="look", duration_s=100), 1.2)) == [RunPaused]
    assert kinds(shop.obeys(1.5)) == [StepFinished]
    assert shop.tick(50) == [] and "paused already" in reason(shop.asks(ask.PauseRun(run=run, reason="x"), 50))
    shop.restart()
    assert kinds(shop.asks(ask.ResumeRun(run=run), 60)) == [RunResumed, StepStarted, CommandIssued]


def test_run_that_nobody_resumes_is_cancelled() -> None:
    shop = Plant(book(moves("valve"), moves("lamp")))
    run = shop.start(1)[0].run
    shop.asks(ask.PauseRun(run=run, reason="look", duration_s=10), 1.2)
    shop.obeys(1.5)
    assert shop.brain.due == at(11.2)
    end = shop.tick(12)[-1]
    assert (end.outcome, end.detail) == ("cancelled", "it was paused for too long")


@pytest.mark.parametrize("resumed", [10.7, 12])
def test_run_that_is_paused_while_it_waits_for_another_begins_when_it_is_resumed(resumed: float) -> None:
    shop = Plant(book(moves("valve"), mode="queue"))
    shop.opens(1, 10)
    second = shop.opens(2, 10.5)[0].run
    shop.asks(ask.PauseRun(run=second, reason="look", duration_s=100), 10.6)
    shop.restart()
    facts: list[Any] = []
    for when, do in sorted([(11, shop.obeys), (resumed, lambda at: shop.asks(ask.ResumeRun(run=second), at))]):
        facts = do(when)
    assert kinds(facts)[-2:] == [StepStarted, CommandIssued] and facts[-1].run == second


def test_pause_does_not_count_for_who_waits() -> None:
    shop = Plant(book(asks("ask", 60.0)))
    run = shop.start(0)[0].run
    shop.asks(ask.PauseRun(run=run, reason="look", duration_s=600), 1)
    assert shop.tick(59) == []
    assert kinds(shop.tick(60))[:2] == [QuestionClosed, StepFinished], "a question goes on: it may end"


def test_failed_run_is_taken_up_from_where_it_failed() -> None:
    shop = Plant(book(moves("valve"), asks("ok", 5.0), moves("lamp")))
    old = shop.start(1)[0].run
    shop.obeys(1.5)
    shop.tick(7)
    shop.restart()
    facts = shop.asks(ask.RetryRun(run=old), 10)
    assert facts[0].retry_of == old and facts[0].done == ("valve",)
    assert [(f.step, f.outcome) for f in facts if isinstance(f, StepFinished)] == [("valve", "done")]
    assert kinds(facts)[-2:] == [QuestionAsked, NotificationIssued] and not written(facts)


def test_what_was_undone_is_done_again_when_the_run_is_taken_up() -> None:
    shop = Plant(book(moves("valve", undo=back("valve")), asks("ok", 5.0), moves("lamp")))
    old = shop.start(1)[0].run
    shop.obeys(1.5)
    shop.tick(7)
    shop.obeys(7.5)
    facts = shop.asks(ask.RetryRun(run=old, step="ok"), 10)
    assert facts[0].done == () and written(facts) == [("press.valve", 1.0)]


def test_run_that_took_up_another_undoes_what_that_one_did_and_leaves_what_it_skipped() -> None:
    skipped = replace(moves("lamp", undo=back("lamp")), only_if=so("vars.unknown"))
    shop = Plant(book(moves("valve", undo=back("valve")), skipped, asks("ok", 5.0)))
    old = shop.start(1)[0].run
    shop.obeys(1.5)
    shop.asks(ask.StopActing(reason="somebody is in there"), 2)
    shop.asks(ask.AllowActing(), 3)
    facts = shop.asks(ask.RetryRun(run=old), 4)
    ended = [(f.step, f.outcome) for f in facts if isinstance(f, StepFinished)]
    assert ended == [("valve", "done"), ("lamp", "skipped")] and not written(facts)
    assert written(shop.tick(10)) == [("press.valve", 0.0)]


# --- other triggers --------------------------------------------------------------------------------------------------


def alarm(number: int, priority: Priority = "high", hidden: Any = "") -> AlarmRaised:
    return AlarmRaised(
        alarm=make_id("alarm", number), rule="pressure.H", rule_version="v", kind="limit", point="press.pressure",
        priority=priority, message="Too high", value=180.0, limit=150.0, unit="bar", began=at(0), name="pressure",
        hidden=hidden,
    )  # fmt: skip


def test_alarm_by_itself_sets_off_once_with_what_is_known_of_it() -> None:
    shop = Plant(book(tells(text="{alarm.value} {alarm.unit}"), triggers=(OnAlarm("raised", ("pressure*",)),)))
    facts = shop.hears(alarm(1), when=1)
    assert facts[0].incident is None and facts[0].run == make_id("run", "p", make_id("alarm", 1))
    assert [f.text for f in facts if isinstance(f, NotificationIssued)] == ["180 bar"]
    assert shop.hears(alarm(1), when=1) == [] and shop.hears(alarm(2, hidden="shelved"), when=2) == []


def test_end_of_an_alarm_sets_off_too() -> None:
    shop = Plant(book(tells(), triggers=(OnAlarm("cleared", ("pressure",)),)))
    cleared = AlarmCleared(alarm=make_id("alarm", 1), value=1.0, rule="pressure.H", name="pressure",
                           point="press.pressure", priority="high")  # fmt: skip
    assert kinds(shop.hears(cleared, when=1))[0] is RunStarted
    assert shop.hears(cleared, when=1) == []


def test_change_of_an_incident_sets_off_by_its_new_priority() -> None:
    shop = Plant(book(tells(), triggers=(OnIncident("changed", min_priority="critical"),)))
    id_ = make_id("incident", 1)
    assert shop.hears(IncidentPriorityChanged(incident=id_, priority="high"), when=1) == []
    given = said(IncidentPriorityChanged(incident=id_, priority="critical"), when=2, area=AREA)
    assert kinds(shop.give(given))[0] is RunStarted and shop.give(given) == []


def test_close_of_an_incident_sets_off_once() -> None:
    shop = Plant(book(tells()), book(tells(), name="after", triggers=(OnIncident("closed", after=("p",)),)))
    shop.opens(1, 1)
    shop.hears(IncidentResolved(incident=make_id("incident", 1)), when=2)
    closed = IncidentClosed(incident=make_id("incident", 1), by="anna", cause="c", action="a", useful=True)
    given = said(closed, when=3, area=AREA)
    assert [f.playbook for f in shop.give(given) if isinstance(f, RunStarted)] == ["after"]
    assert shop.give(given) == []


def test_run_that_ends_with_its_incident_is_cancelled_and_undone() -> None:
    plan = book(moves("valve", undo=back("valve")), asks(), triggers=(OPENED,), ends_with_incident=True)
    shop = Plant(plan)
    shop.opens(1, 1)
    shop.obeys(1.5)
    facts = shop.hears(IncidentResolved(incident=make_id("incident", 1)), when=2)
    assert written(facts) == [("press.valve", 0.0)]
    assert shop.obeys(2.5)[-1].detail == "its incident is resolved"


def test_schedule_runs_at_its_times_and_what_was_missed_is_said_once() -> None:
    shop = Plant(book(tells(), triggers=(OnSchedule("*/10 * * * *"),)))
    assert shop.brain.due == at(600)
    assert shop.tick(599) == [] and kinds(shop.tick(600.4))[0] is RunStarted
    shop.restart()
    assert shop.tick(601) == [] and shop.brain.due == at(1200)
    assert "3 times were missed" in reason(shop.tick(2550))
    assert shop.brain.due == at(3000)


def test_schedule_is_looked_after_by_the_owner_of_the_area_alone() -> None:
    books = plant(book(tells(), triggers=(OnSchedule("*/10 * * * *"),)))
    dues = []
    for partition in range(4):
        brain = PlaybooksBrain(partition)
        brain.evolve(brain.decide(Configure(books.version, at(0), "test", books.pack())))
        dues.append(brain.due)
    assert sorted(dues, key=str) == sorted([None, None, None, at(600)], key=str)


def test_two_watches_of_one_scan_are_heard_one_after_the_other_by_the_run_that_waits_for_both() -> None:
    waits = [step(f"s{i}", WaitFor(so(f"watch.w{i}")), 60.0) for i in (1, 2)]
    shop = Plant(book(*waits, watches={"w1": watch("a > 1"), "w2": watch("b > 1")}))
    shop.start(1)
    assert isinstance(shop.hears(watching("w1"), watching("w2"), when=2)[-1], RunFinished)


def test_time_that_is_told_again_by_a_second_owner_causes_nothing() -> None:
    shop = Plant(book(step("rest", Delay(5.0), 10.0), tells()))
    shop.start(1)
    assert shop.tick(6) != [] and shop.tick(6) == []
    shop.start(6.5)
    shop.tick(20)
    assert shop.tick(12) == [] and shop.brain.now == at(20)
