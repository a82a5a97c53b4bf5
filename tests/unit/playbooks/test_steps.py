"""What each kind of step does, how it fails, and what comes after: rehearsed on plans made by hand."""

from __future__ import annotations

from typing import Any

from events import requests as ask
from events.errands import HttpIssued, MessageIssued, RequestIssued
from events.incidents import IncidentOpened
from events.notifications import NotificationIssued
from events.playbooks import (
    CommandIssued,
    QuestionAnswered,
    QuestionAsked,
    QuestionClosed,
    RunEnding,
    RunEscalated,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from events.types import make_id
from playbooks import names
from playbooks.plan import Playbook
from playbooks.recipe import (
    Case,
    Choose,
    Delay,
    Group,
    Http,
    OfIncident,
    Parallel,
    Publish,
    Read,
    Repeat,
    Step,
    Stop,
    WaitFor,
)
from playbooks.rehearsal import rehearse
from playbooks.script import Asks, Device, Happens, Person, Script, Shows, System
from tests.unit.playbooks.plans import (
    AREA,
    OPENED,
    asks,
    back,
    book,
    does,
    moves,
    plant,
    sets,
    so,
    step,
    tells,
    watch,
    write,
    written,
)

INCIDENT = make_id("incident", 1)
START = Asks(0.0, "anna", "operator", ask.StartRun(playbook="p"))
OPENS = Happens(0.0, (IncidentOpened(
    incident=INCIDENT, number=17, title="Too \"high\"", priority="high", alarm=make_id("alarm", 1), rule="pressure.H",
    point="press.pressure",
),))  # fmt: skip


def play(plan: Playbook, *asks: Asks, **script: Any) -> list[Any]:
    """The facts of a run that anna asked for."""
    said = rehearse(plant(plan), Script(AREA, asks=(START, *asks), **script))
    return [e.fact for e in said if type(e.fact).__name__ != "Configured"]


def play_incident(plan: Playbook, **script: Any) -> list[Any]:
    return [e.fact for e in rehearse(plant(plan), Script(AREA, happens=(OPENS,), **script))][1:]


def lasts(plan: Playbook, **script: Any) -> float:
    """How long the run goes [s]."""
    said = rehearse(plant(plan), Script(AREA, asks=(START,), **script))
    began, ended = [e.at for e in said if isinstance(e.fact, RunStarted | RunFinished)]
    return (ended - began).total_seconds()


def ends(facts: list[Any]) -> tuple[str, str]:
    (end,) = [f for f in facts if isinstance(f, RunFinished)]
    return end.outcome, end.detail


def places(facts: list[Any]) -> list[str]:
    return [f.step for f in facts if isinstance(f, StepStarted)]


def outcomes(facts: list[Any]) -> dict[str, str]:
    return {f.step: f.outcome for f in facts if isinstance(f, StepFinished)}


def only(facts: list[Any], kind: type) -> Any:
    (found,) = [f for f in facts if isinstance(f, kind)]
    return found


# --- writing and reading -------------------------------------------------------------------------------------------


def test_steps_are_done_one_after_the_other_each_when_the_one_before_is_confirmed() -> None:
    facts = play(book(moves("valve"), moves("lamp"), tells()))
    assert [type(f) for f in facts] == [
        RunStarted, StepStarted, CommandIssued, StepFinished, StepStarted, CommandIssued, StepFinished, StepStarted,
        NotificationIssued, StepFinished, RunFinished,
    ]  # fmt: skip
    assert ends(facts) == ("completed", "")


def test_value_of_a_write_may_be_worked_out_and_is_refused_outside_the_range() -> None:
    steps = (sets("speed", v=60.0), moves("valve", "vars.v / 2"), moves("lamp", "vars.v * 2"))
    facts = play(book(*steps))
    assert written(facts) == [("press.valve", 30.0)]
    assert ends(facts) == ("failed", "failed at step lamp: 120 is out of range for press.lamp: 0 to 100")


def test_what_was_read_from_the_device_is_a_variable() -> None:
    read = step("look", Read("edge-1", "press", "press.speed", "speed"))
    facts = play(book(read, moves("valve", "vars.speed / 10")), shows=(Shows(0.0, {"press.speed": 420.0}),))
    assert [f.kind for f in facts if isinstance(f, CommandIssued)] == ["read", "write"]
    assert written(facts) == [("press.valve", 42.0)]
    assert next(f for f in facts if isinstance(f, StepFinished)).result == {"value": 420.0}


def test_failed_attempt_is_repeated_after_its_pause_under_a_new_command() -> None:
    plan = book(moves("valve", retry=2, pause_s=5.0))
    facts = play(plan, devices={"press.valve": (Device("fails", "no answer"), Device())})
    first, second = [f for f in facts if isinstance(f, CommandIssued)]
    assert first.command != second.command and second.attempt == 2
    assert (second.not_after - first.not_after).total_seconds() == 5.1
    assert ends(facts) == ("completed", "")


def test_precondition_goes_with_the_command_and_its_refusal_is_not_repeated() -> None:
    plan = book(step("valve", write("press.valve", precondition="press.position < 10"), retry=3))
    facts = play(plan, devices={"press.valve": (Device("refuses", "precondition: press.position is 12"),)})
    assert only(facts, CommandIssued).precondition == "press.position < 10"
    assert ends(facts) == ("failed", "failed at step valve: precondition: press.position is 12")


# --- when something fails --------------------------------------------------------------------------------------------


def test_failed_run_undoes_what_it_did_last_step_first() -> None:
    plan = book(
        moves("a", undo=back("a")), moves("b", undo=back("b")), moves("c"), moves("d", undo=back("d")), moves("e")
    )
    facts = play(plan, devices={"press.e": (Device("refuses", "not writable"),)})
    assert written(facts)[-3:] == [("press.d", 0.0), ("press.b", 0.0), ("press.a", 0.0)]
    assert only(facts, RunEnding).undo == ("d", "b", "a")
    assert places(facts)[-3:] == ["undo:d.back", "undo:b.back", "undo:a.back"]
    assert ends(facts) == ("failed", "failed at step e: not writable")


def test_step_that_never_began_to_act_is_not_undone() -> None:
    plan = book(moves("a", "vars.unknown", undo=back("a")), moves("b"))
    facts = play(plan)
    assert written(facts) == [] and ends(facts)[0] == "failed"


def test_refused_write_moved_nothing_so_nothing_is_undone() -> None:
    facts = play(book(moves("a", undo=back("a"))), devices={"press.a": (Device("refuses", "interlock: gate"),)})
    assert written(facts) == [("press.a", 1.0)] and not [f for f in facts if isinstance(f, RunEscalated)]
    twice = book(moves("a", undo=back("a"), retry=1))
    facts = play(twice, devices={"press.a": (Device("fails", "no answer"), Device("refuses", "interlock: gate"))})
    assert written(facts)[-1] == ("press.a", 0.0), "the first attempt may have moved it"


def test_undo_whose_time_is_up_stops_all_that_goes_on_in_it() -> None:
    branches = Parallel(((moves("a", 0.0, timeout_s=30.0),), (moves("b", 0.0, timeout_s=30.0),)))
    plan = book(moves("a", undo=(step("both", branches, 10.0),)), step("no", Stop("failed", "enough")))
    facts = play(plan, devices={"press.a": (Device(), Device("no answer")), "press.b": (Device("no answer"),)})
    assert set(places(facts)) == set(outcomes(facts)), "no step stays open"
    assert [f.step for f in facts if isinstance(f, RunEscalated)] == [
        "a", "undo:a.both.branch1.a", "undo:a.both.branch2.b"
    ]  # fmt: skip


def test_write_that_nobody_could_verify_ends_in_an_escalation_and_one_notification() -> None:
    facts = play(book(moves("valve"), escalate_to="chief"), devices={"press.valve": (Device("no answer"),)})
    escalated, told = only(facts, RunEscalated), only(facts, NotificationIssued)
    assert (escalated.step, escalated.to) == ("valve", "chief")
    assert told.to == "chief" and told.priority == "critical" and "Go and look at step valve" in told.text
    assert ends(facts) == ("failed", "failed at step valve: no answer by the deadline")


def test_refused_write_is_no_doubt_nothing_was_moved() -> None:
    facts = play(book(moves("valve")), devices={"press.valve": (Device("refuses", "locked out: seals"),)})
    assert not [f for f in facts if isinstance(f, RunEscalated)]
    assert ends(facts)[0] == "failed"


def test_doubt_of_an_earlier_attempt_stays_when_the_next_one_is_refused() -> None:
    devices = {"press.valve": (Device("fails", "no answer"), Device("refuses", "locked out: seals"))}
    facts = play(book(moves("valve", retry=1)), devices=devices)
    assert only(facts, RunEscalated).step == "valve"


def test_undo_that_fails_is_escalated_and_the_others_are_done_nevertheless() -> None:
    plan = book(moves("a", undo=back("a")), moves("b", undo=back("b")), step("no", Stop("failed", "enough")))
    facts = play(plan, devices={"press.b": (Device(), Device("refuses", "not writable"))})
    assert written(facts) == [("press.a", 1.0), ("press.b", 1.0), ("press.b", 0.0), ("press.a", 0.0)]
    assert only(facts, RunEscalated).reason == "it could not be undone: not writable"
    assert ends(facts) == ("failed", "failed at step no: enough")


def test_step_that_may_fail_lets_the_run_go_on_and_its_undo_waits_for_a_real_end() -> None:
    plan = book(moves("a", undo=back("a"), on_error="continue"), moves("b"))
    facts = play(plan, devices={"press.a": (Device("refuses", "not writable"),)})
    assert written(facts) == [("press.a", 1.0), ("press.b", 1.0)]
    assert ends(facts) == ("failed", "failed at step a: not writable")


def test_handler_stands_in_for_a_failed_step_and_then_the_run_goes_on() -> None:
    plan = book(moves("a", handler=(moves("other"), tells())), moves("b"))
    facts = play(plan, devices={"press.a": (Device("refuses", "not writable"),)})
    assert places(facts) == ["a", "a!.other", "a!.tell", "b"]
    assert ends(facts) == ("completed", "")


def test_handler_that_fails_ends_the_run() -> None:
    plan = book(moves("a", handler=(moves("other"),)), moves("b"))
    facts = play(plan, devices={p: (Device("refuses", "not writable"),) for p in ("press.a", "press.other")})
    assert ends(facts) == ("failed", "failed at step a!.other: not writable")


# --- waiting ---------------------------------------------------------------------------------------------------------

LOW = {"wlow": watch("press.pressure < 100"), "wrest": watch("press.pressure < 100", 2.0)}


def test_wait_ends_when_the_plant_shows_what_was_waited_for() -> None:
    plan = book(step("falls", WaitFor(so("watch.wlow")), 30.0), tells(), watches=LOW)
    facts = play(plan, shows=(Shows(0.0, {"press.pressure": 180.0}), Shows(7.0, {"press.pressure": 90.0})))
    assert ends(facts) == ("completed", "")
    assert lasts(plan, shows=(Shows(7.0, {"press.pressure": 90.0}),)) == 7.0


def test_wait_for_what_is_so_already_ends_at_once_and_for_a_time_only_after_it() -> None:
    for watch_, seconds in (("wlow", 0.0), ("wrest", 2.0)):
        plan = book(step("falls", WaitFor(so(f"watch.{watch_}")), 30.0), watches=LOW)
        assert lasts(plan, shows=(Shows(0.0, {"press.pressure": 90.0}),)) == seconds


def test_wait_in_vain_fails_the_step() -> None:
    plan = book(step("falls", WaitFor(so("watch.wlow", "press.pressure < 100")), 30.0), watches=LOW)
    facts = play(plan)
    assert ends(facts) == ("failed", "failed at step falls: it did not become true in time: press.pressure < 100")


def test_delay_lasts_as_long_as_it_says() -> None:
    assert lasts(book(step("rest", Delay(10.0), 20.0), tells())) == 10.0


# --- people ----------------------------------------------------------------------------------------------------------


def test_approval_goes_on_with_yes_and_names_who_said_it() -> None:
    plan = book(asks(), step("look", Choose((Case(so("steps.ask.by == 'ben'"), (moves("valve"),)),))))
    facts = play(plan, people={"ask": (Person("ben", "yes"),)})
    asked, told, answered, closed = [
        f for f in facts if isinstance(f, QuestionAsked | NotificationIssued | QuestionAnswered | QuestionClosed)
    ]
    assert (asked.kind, asked.role, told.to) == ("approval", "operator", "lead")
    assert (answered.by, closed.answer) == ("ben", "yes")
    assert written(facts) == [("press.valve", 1.0)]


def test_no_and_silence_both_mean_no() -> None:
    plan = book(asks(), moves("valve"))
    said_no = play(plan, people={"ask": (Person("ben", "no", comment="too hot"),)})
    assert ends(said_no) == ("failed", "failed at step ask: ben said no: too hot")
    silent = play(plan)
    assert ends(silent) == ("failed", "failed at step ask: no answer in time")
    assert only(silent, QuestionClosed).reason == "no answer in time"
    assert written(said_no) == written(silent) == []


def test_four_eyes_need_two_different_persons() -> None:
    plan = book(asks(four_eyes=True), moves("valve"))
    once = play(plan, people={"ask": (Person("ben", "yes"), Person("ben", "yes", after_s=2.0))})
    assert written(once) == [] and "second person" in only(once, ask.RequestRefused).reason
    twice = play(plan, people={"ask": (Person("ben", "yes"), Person("cleo", "yes", after_s=2.0))})
    assert written(twice) == [("press.valve", 1.0)]


def test_choice_is_taken_and_silence_takes_what_the_file_says() -> None:
    way = step("way", Choose((Case(so("steps.ask.answer == 'left'"), (moves("left"),)),), (moves("right"),)))
    plan = book(asks(choices=("left", "right"), otherwise="right"), way)
    assert written(play(plan, people={"ask": (Person("ben", "left"),)})) == [("press.left", 1.0)]
    assert written(play(plan)) == [("press.right", 1.0)]
    wrong = play(plan, people={"ask": (Person("ben", "up"),)})
    assert only(wrong, ask.RequestRefused).reason == "'up' is no answer to that: left, right"


def test_task_is_done_when_all_is_ticked() -> None:
    plan = book(does("swap", "isolated", "tested"))
    half = play(plan, people={"swap": (Person("ben", "done", ticked=("isolated",)),)})
    assert only(half, ask.RequestRefused).reason == "not ticked: tested" and ends(half)[0] == "failed"
    assert ends(play(plan, people={"swap": (Person("ben", "done"),)})) == ("completed", "")
    assert ends(play(plan, people={"swap": (Person("ben", "failed", comment="no seal"),)})) == (
        "failed", "failed at step swap: ben said failed: no seal"
    )  # fmt: skip


def test_question_for_a_supervisor_is_not_answered_by_an_operator() -> None:
    facts = play(book(asks(role="supervisor")), people={"ask": (Person("ben", "yes", role="operator"),)})
    assert "needs at least the role supervisor" in only(facts, ask.RequestRefused).reason


# --- other systems ---------------------------------------------------------------------------------------------------


def http(**more: Any) -> Step:
    act = Http("POST", "https://cmms/{incident.title}", {"Authorization": "Bearer {secret.cmms}"},
               '{"title": "{incident.title}"}', (201,), {"ticket": "/id"})  # fmt: skip
    return step("ticket", act, 10.0, **more)


def test_http_call_carries_names_escaped_where_they_stand_and_secrets_untouched() -> None:
    plan = book(http(), tells(text="ticket {steps.ticket.ticket}"), triggers=(OPENED,))
    facts = play_incident(plan, systems={"ticket": (System(201, {"ticket": 4711.0}),)})
    call = only(facts, HttpIssued)
    assert call.url == "https://cmms/Too%20%22high%22" and call.body == '{"title": "Too \\"high\\""}'
    assert call.headers == {"Authorization": "Bearer {secret.cmms}"}
    assert only(facts, NotificationIssued).text == "ticket 4711"


def test_http_call_is_retried_under_the_same_key_unless_that_is_in_vain() -> None:
    plan = book(http(retry=2, pause_s=3.0), triggers=(OPENED,))
    facts = play_incident(plan, systems={"ticket": (System(500, reason="status 500"), System(201))})
    first, second = [f for f in facts if isinstance(f, HttpIssued)]
    assert first.key == second.key and first.errand != second.errand
    assert ends(facts) == ("completed", "")
    final = play_incident(plan, systems={"ticket": (System(403, reason="status 403", final=True),)})
    assert ends(final) == ("failed", "failed at step ticket: status 403")


def test_message_is_published_and_what_is_not_confirmed_fails() -> None:
    plan = book(step("tell", Publish("factory/info", "{playbook.title} in {area}"), 5.0))
    facts = play(plan)
    assert only(facts, MessageIssued).payload == f"P in {AREA}" and ends(facts) == ("completed", "")
    assert ends(play(plan, systems={"tell": (System(silent=True),)}))[0] == "failed"


def test_incident_is_commented_through_a_request_that_its_stage_answers() -> None:
    plan = book(step("note", OfIncident("comment", "done by {playbook}"), 10.0), triggers=(OPENED,))
    facts = play_incident(plan)
    request = only(facts, RequestIssued).request
    assert request.body == ask.CommentIncident(incident=INCIDENT, text="done by p")
    assert (request.by, request.role, request.area) == ("playbook p", "system", AREA)
    assert ends(facts) == ("completed", "")


def test_run_without_an_incident_has_none_to_comment() -> None:
    plan = book(step("note", OfIncident("comment", "x"), 10.0))
    assert ends(play(plan)) == ("failed", "failed at step note: the run has no incident")


# --- steps that hold others ------------------------------------------------------------------------------------------


def test_only_the_case_that_holds_is_done_and_the_step_says_which() -> None:
    cases = (Case(so("vars.n > 5"), (moves("high"),)), Case(so("vars.n > 1"), (moves("mid"),)))
    for n, place, branch in ((9.0, "pick.case1.high", 1), (3.0, "pick.case2.mid", 2), (0.0, "pick.else.low", 0)):
        facts = play(book(sets("s", n=n), step("pick", Choose(cases, (moves("low"),)), 0.0)))
        assert places(facts) == ["s", "pick", place]
        assert next(f for f in facts if isinstance(f, StepFinished) and f.step == "pick").result == {"branch": branch}


def test_if_without_else_does_nothing_where_its_condition_is_not_known() -> None:
    plan = book(step("if1", Choose((Case(so("vars.unknown > 1"), (moves("a"),)),)), 0.0), tells())
    facts = play(plan)
    assert written(facts) == [] and ends(facts) == ("completed", "")


def test_branches_go_beside_each_other_and_all_end_before_one_failure_counts() -> None:
    both = Parallel(((moves("a"), moves("c")), (moves("b"),)))
    facts = play(book(step("both", both, 0.0), tells()), devices={"press.b": (Device("refuses", "no"),)})
    assert places(facts) == ["both", "both.branch1.a", "both.branch2.b", "both.branch1.c"]
    assert ends(facts) == ("failed", "failed at step both.branch2.b: no")


def test_repeat_runs_until_it_is_so_and_fails_where_it_never_is() -> None:
    count_up = (sets("up", n="vars.n + 1"),)
    until = Repeat(count_up, 10, until=so("vars.n >= 3"))
    facts = play(book(sets("s", n=0.0), step("rep", until, 0.0)))
    assert places(facts) == ["s", "rep", "rep[1].up", "rep[2].up", "rep[3].up"]
    facts = play(book(sets("s", n=0.0), step("rep", Repeat(count_up, 2, until=so("vars.n >= 3")), 0.0)))
    assert ends(facts) == ("failed", "failed at step rep: not so after 2 passes: vars.n >= 3")


def test_repeat_while_begins_no_pass_where_it_is_not_so() -> None:
    for most, passes in ((10, 2), (1, 1)):
        act = Repeat((sets("up", n="vars.n + 1"),), most, while_=so("vars.n < 2"))
        facts = play(book(sets("s", n=0.0), step("rep", act, 0.0)))
        assert len(places(facts)) == 2 + passes and ends(facts)[0] == "completed"


def test_group_that_is_tried_again_gives_its_commands_new_numbers() -> None:
    group = step("call", Group((moves("a"), moves("b")), "other"), 0.0, retry=1)
    facts = play(book(group), devices={"press.b": (Device("fails", "no"), Device())})
    commands = [f for f in facts if isinstance(f, CommandIssued)]
    assert [(c.step, c.attempt) for c in commands] == [("call.a", 1), ("call.b", 1), ("call.a", 2), ("call.b", 2)]
    assert len({c.command for c in commands}) == 4 and ends(facts) == ("completed", "")


def test_group_whose_time_is_up_stops_what_goes_on_in_it() -> None:
    group = step("call", Group((asks("ask", 60.0),)), 5.0)
    facts = play(book(group))
    assert outcomes(facts) == {"call.ask": "cancelled", "call": "failed"}
    assert only(facts, QuestionClosed).answer == ""


def test_stop_ends_the_run_as_it_says() -> None:
    for outcome in ("completed", "cancelled"):
        facts = play(book(step("s", Stop(outcome, "nothing to do")), moves("a")))  # type: ignore[arg-type]
        assert ends(facts) == (outcome, "nothing to do") and written(facts) == []


def test_step_is_skipped_where_its_condition_is_not_known_to_hold() -> None:
    facts = play(book(moves("a", only_if=so("vars.n > 1")), tells()))
    assert outcomes(facts)["a"] == "skipped" and written(facts) == []


def test_result_of_a_step_in_a_branch_is_known_by_its_own_name() -> None:
    inner = step("if1", Choose((Case(so("true"), (asks("deep"),)),)), 0.0)
    facts = play(book(inner, tells(text="{steps.deep.by} {steps.if1.then.deep.answer} {vars.nothing}")),
                 people={"deep": (Person("ben", "yes"),)})  # fmt: skip
    assert [f for f in facts if isinstance(f, NotificationIssued)][-1].text == "ben yes ?"


def test_a_value_cannot_call_for_a_secret() -> None:
    filled = names.fill("{steps.ask.comment} {secret.mes}", {"steps.ask.comment": "{secret.cmms}"})
    assert filled == "{ secret.cmms} {secret.mes}"
