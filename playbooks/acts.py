"""What a step does when it begins: commands, questions and errands are issued, the rest is done at once. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite
from typing import assert_never

from events import requests as ask
from events.errands import HttpIssued, MessageIssued, RequestIssued
from events.playbooks import CommandIssued, QuestionAsked, Scalar
from events.types import make_id
from playbooks import names
from playbooks.places import general, inside
from playbooks.recipe import (
    Ask,
    Choose,
    Delay,
    Group,
    Http,
    Notify,
    OfIncident,
    Parallel,
    Publish,
    Read,
    Repeat,
    Set,
    Step,
    Stop,
    Task,
    WaitFor,
    Write,
)
from playbooks.run import LATE
from playbooks.turn import Turn

_CALL_S = 10.0
"""An HTTP call takes no longer, so that a retry fits into the step's time."""


def begin(turn: Turn, step: Step, place: str, attempt: int, *, first: bool) -> None:
    """One attempt. first: of this round: only then it may be skipped."""
    turn.start(place, attempt, turn.now + lasts(step))
    if place in turn.run.done:
        _take_up(turn, place)
    elif first and step.only_if is not None and not turn.holds(step.only_if):
        turn.skip(place, f"not so: {step.only_if.said}")
    else:
        _act(turn, step, place, attempt)


def _take_up(turn: Turn, place: str) -> None:
    """It ended so in the run that this one takes up."""
    if turn.run.scope.get(f"steps.{general(place)}.outcome") == "skipped":
        turn.skip(place, "skipped by the run that this one takes up")
    else:
        turn.done(place, "done by the run that this one takes up")


def lasts(step: Step) -> timedelta:
    """How long an attempt may go on. What holds others and says nothing itself: as long as all of them, and a little
    more, since time is heard once a second."""
    match step.act:
        case Delay(seconds=seconds):
            return timedelta(seconds=seconds)
        case Group() | Choose() | Parallel() | Repeat() if not step.timeout_s:
            times = step.act.most if isinstance(step.act, Repeat) else 1
            within = (_all_of(steps) for prefix, steps in inside(step, "") if not prefix.endswith("!."))
            return LATE + times * sum(within, timedelta())
        case _:
            return timedelta(seconds=step.timeout_s)


def _all_of(steps: tuple[Step, ...]) -> timedelta:
    return sum(
        ((step.retry + 1) * (lasts(step) + timedelta(seconds=step.pause_s)) + _all_of(step.handler) for step in steps),
        timedelta(),
    )


def _act(turn: Turn, step: Step, place: str, attempt: int) -> None:
    run, now, act = turn.run, turn.now, step.act
    match act:
        case Write():
            _write(turn, step, act, place, attempt)
        case Read(edge=edge, device=device, point=point):
            turn.say(CommandIssued(
                command=make_id("command", run.run, place, attempt), run=run.run, incident=run.incident, step=place,
                attempt=attempt, edge=edge, device=device, point=point, value=0.0, tolerance=0.0,
                not_after=now + timedelta(seconds=step.timeout_s), author=turn.playbook.author, kind="read",
            ))  # fmt: skip
        case Notify(to=to, text=text, priority=priority):
            about = (place,) if attempt == 1 else (place, attempt)
            turn.notify(place, to, turn.text(text), priority, *about)
            turn.done(place)
        case Ask() | Task():
            _ask(turn, act, place, attempt)
        case Http():
            _http(turn, step, act, place, attempt)
        case Publish(topic=topic, payload=payload, retain=retain):
            turn.say(MessageIssued(
                errand=make_id("errand", run.run, place, attempt), run=run.run, step=place, attempt=attempt,
                topic=turn.text(topic), payload=_body(turn, payload), retain=retain, incident=run.incident,
                not_after=now + timedelta(seconds=step.timeout_s), author=turn.playbook.author,
            ))  # fmt: skip
        case OfIncident():
            _of_incident(turn, step, act, place, attempt)
        case Set():
            _set(turn, step, act, place)
        case Stop(text=text):
            turn.done(place, turn.text(text))
        case WaitFor() | Delay() | Group() | Choose() | Parallel() | Repeat():
            pass  # the walk goes on from here
        case _:
            assert_never(act)


def _write(turn: Turn, step: Step, act: Write, place: str, attempt: int) -> None:
    value = turn.value(act.value)
    if isinstance(value, str) or value is None or not isfinite(value):
        turn.fail(step, place, f"the value for {act.point} is not known: {act.value}", again=False)
        return
    value = float(value)
    if not act.low <= value <= act.high:
        reason = f"{value:g} is out of range for {act.point}: {act.low:g} to {act.high:g}"
        turn.fail(step, place, reason, again=False)
        return
    if (obstacle := turn.world.obstacle(turn.run, turn.book, act)) is not None:
        turn.fail(step, place, obstacle.reason, again=obstacle.passes)
        return
    run, due = turn.run, turn.state(place).due or turn.now
    valid = turn.now + timedelta(seconds=step.valid_s or step.timeout_s)
    turn.say(CommandIssued(
        command=make_id("command", run.run, place, attempt), run=run.run, incident=run.incident, step=place,
        attempt=attempt, edge=act.edge, device=act.device, point=act.point, value=value, tolerance=act.tolerance,
        not_after=min(valid, due), author=turn.playbook.author, precondition=act.precondition,
    ))  # fmt: skip


def _ask(turn: Turn, act: Ask | Task, place: str, attempt: int) -> None:
    run, due, text = turn.run, turn.state(place).due or turn.now, turn.text(act.text)
    match act:
        case Task(checklist=checklist, picture=picture):
            more: dict[str, object] = {"kind": "task", "checklist": checklist, "picture": picture}
        case Ask(choices=choices, four_eyes=four_eyes):
            more = {"kind": "choice" if choices else "approval", "choices": choices, "four_eyes": four_eyes}
    turn.say(QuestionAsked(
        question=make_id("question", run.run, place, attempt), run=run.run, step=place, text=text, to=act.to,
        role=act.role, due=due, incident=run.incident, **more,  # type: ignore[arg-type]  # as the kind says
    ))  # fmt: skip
    turn.notify(place, act.to, text, act.priority, place, attempt, due=due)


def _http(turn: Turn, step: Step, act: Http, place: str, attempt: int) -> None:
    run, known = turn.run, turn.names()
    turn.say(HttpIssued(
        errand=make_id("errand", run.run, place, attempt), key=make_id("errand", run.run, place), run=run.run,
        step=place, attempt=attempt, method=act.method, url=names.fill(act.url, known, names.in_url),
        headers={name: names.fill(text, known, names.in_header) for name, text in act.headers.items()},
        body=_body(turn, act.body), expect=act.expect, save=act.save, timeout_s=min(step.timeout_s, _CALL_S),
        not_after=turn.now + timedelta(seconds=step.timeout_s), author=turn.playbook.author, incident=run.incident,
    ))  # fmt: skip


def _body(turn: Turn, text: str) -> str:
    """What stands between the quotes of a JSON text stays there, whatever it is."""
    return names.fill(text, turn.names(), names.in_json if text.lstrip().startswith(("{", "[")) else str)


def _of_incident(turn: Turn, step: Step, act: OfIncident, place: str, attempt: int) -> None:
    run = turn.run
    if run.incident is None:
        turn.fail(step, place, "the run has no incident", again=False)
        return
    text = turn.text(act.text)
    match act.do:
        case "comment":
            body: ask.IncidentRequest = ask.CommentIncident(incident=run.incident, text=text)
        case "assign":
            body = ask.AssignIncident(incident=run.incident, to=turn.text(act.to), comment=text)
        case "escalate":
            body = ask.SetPriority(incident=run.incident, priority=act.priority, reason=text)
        case "close":
            body = ask.CloseIncident(incident=run.incident, cause=text, action=turn.text(act.action), useful=True)
    due: datetime = turn.state(place).due or turn.now
    request = ask.Request(
        id=make_id("request", run.run, place, attempt), area=turn.playbook.area, at=turn.now,
        by=f"playbook {run.playbook}", role="system", expires=due, body=body,
    )  # fmt: skip
    turn.say(RequestIssued(run=run.run, step=place, attempt=attempt, request=request))


def _set(turn: Turn, step: Step, act: Set, place: str) -> None:
    known: dict[str, Scalar] = dict(act.values)
    for name, text in act.expressions.items():
        value = names.value(text, turn.names() | {f"vars.{n}": v for n, v in known.items()})
        if value is None:
            turn.fail(step, place, f"{name} is not known: {text}", again=False)
            return
        known[name] = value
    turn.done(place, variables=known)
