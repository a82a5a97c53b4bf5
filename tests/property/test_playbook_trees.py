"""Laws of runs, on any playbook: any tree of steps, any answers, any order, pauses, locks, restarts and repetitions.

`Rig.give` holds in every step: deciding changes nothing, the same input gives the same bytes, no id stands twice, and
a brain that saw only the events is in the same state.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events import requests as ask
from events.alarms import ConditionCleared, ConditionRaised, DeviceLockedOut, DeviceReleased
from events.devices import CommandFailed, CommandRefused
from events.envelope import Configure, Event, Record, Reported
from events.errands import HttpIssued, MessageIssued
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
    RunStarted,
    StepFinished,
    StepStarted,
)
from events.requests import Request
from events.types import make_id
from playbooks.brain import PlaybooksBrain
from playbooks.places import undo
from playbooks.plan import Playbook
from playbooks.recipe import Case, Choose, Delay, Group, Http, Parallel, Publish, Repeat, Step, Stop, WaitFor
from tests.unit.incidents.rig import Rig, at
from tests.unit.playbooks.plans import AREA, asks, back, book, does, moves, plant, sets, so, step, tells, watch
from tests.unit.playbooks.shop import said, succeeded

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Not made smaller: a life is long, and what went wrong in it stands in its log."""
CONDITIONS = st.sampled_from([so("true"), so("false"), so("watch.w1"), so("vars.n >= 2"), so("vars.nothing > 1")])


def leaves(name: str) -> st.SearchStrategy[Step]:
    return st.one_of(
        st.builds(lambda p, u: moves(p, undo=back(p) if u else ()), st.sampled_from("ab"), st.booleans()),
        st.sampled_from([
            tells(), sets("set", n="vars.n + 1"), sets("set", n=1.0), step("rest", Delay(3.0), 10.0),
            step("waits", WaitFor(so("watch.w1")), 8.0), asks("ask", 9.0), asks("both", 9.0, four_eyes=True),
            asks("way", 9.0, choices=("l", "r"), otherwise="l"), does("task", "x", timeout_s=9.0),
            step("call", Http("GET", "https://x"), 5.0), step("say", Publish("t", "p"), 5.0),
            step("end", Stop("failed", "no")),
        ]),
    ).map(lambda s: replace(s, step=name))  # fmt: skip


@st.composite
def steps(draw: st.DrawFn, deep: int, names: Any) -> tuple[Step, ...]:
    return tuple(draw(one(deep, names)) for _ in range(draw(st.integers(1, 3 if deep else 2))))


@st.composite
def one(draw: st.DrawFn, deep: int, names: Any) -> Step:
    name = f"x{next(names)}"
    kind = draw(st.sampled_from(["leaf"] * 4 + (["group", "choose", "parallel", "repeat"] if deep else [])))
    inner = steps(deep - 1, names)
    match kind:
        case "leaf":
            made = draw(leaves(name))
        case "group":
            made = step(name, Group(draw(inner)), 0.0)
        case "choose":
            cases = tuple(Case(draw(CONDITIONS), draw(inner)) for _ in range(draw(st.integers(1, 2))))
            made = step(name, Choose(cases, draw(inner) if draw(st.booleans()) else ()), 0.0)
        case "parallel":
            made = step(name, Parallel((draw(inner), draw(inner))), 0.0)
        case _:
            until = draw(CONDITIONS) if draw(st.booleans()) else None
            made = step(name, Repeat(draw(inner), draw(st.integers(1, 3)), until=until), 0.0)
    return replace(
        made, retry=draw(st.sampled_from([0, 0, 1, 2])), pause_s=draw(st.sampled_from([0.0, 0.0, 4.0])),
        on_error=draw(st.sampled_from(["stop", "stop", "continue"])),
        handler=draw(steps(0, names)) if deep and draw(st.booleans()) and draw(st.booleans()) else (),
        only_if=draw(CONDITIONS) if draw(st.integers(0, 4)) == 0 else None,
    )  # fmt: skip


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    mode = draw(st.sampled_from(["parallel", "parallel", "queue", "single", "restart"]))
    return book(*draw(steps(2, count())), watches={"w1": watch("press.pressure < 1")}, mode=mode)


ACTIONS = st.lists(st.tuples(st.sampled_from(
    ["answer"] * 8 + ["tick"] * 4 + ["start", "cancel", "pause", "resume", "retry", "off", "on", "lock", "watch",
                                     "restart", "again"]
), st.integers(0, 99)), max_size=40)  # fmt: skip


class Life(Rig):
    """A plant in which anything happens. Attributes: given: all inputs so far; clock: seconds."""

    def __init__(self, plan: Playbook) -> None:
        super().__init__(PlaybooksBrain)
        books = plant(plan)
        self.given: list[Record] = []
        self.clock, self.asked, self.locked, self.low = 1.0, 0, False, False
        self.hear(Configure(books.version, at(0), "test", books.pack()))
        self.asks(ask.StartRun(playbook="p"))

    def hear(self, record: Record) -> list[Any]:
        self.given.append(record)
        return self.give(record)

    def asks(self, body: Any, by: str = "anna", role: str = "engineer") -> list[Any]:
        self.asked += 1
        return self.hear(Request(
            id=make_id("asked", self.asked), area=AREA, at=at(self.clock), by=by, role=role, body=body,
            expires=at(self.clock + 60),
        ))  # fmt: skip

    @property
    def runs(self) -> list[Any]:
        return [run for area in self.brain.areas.values() for run in area.runs.values()]

    def do(self, action: str, n: int) -> None:
        self.clock += 0.01
        run = self.runs[n % len(self.runs)] if self.runs else None
        ended = [e.fact.run for e in self.log if isinstance(e.fact, RunFinished)]
        match action:
            case "answer":
                self.answer(n)
            case "tick":
                self.clock += (0.5, 1, 2, 5, 12, 70)[n % 6]
                self.hear_tick()
            case "start":
                self.asks(ask.StartRun(playbook="p"))
            case "cancel" if run is not None:
                self.asks(ask.CancelRun(run=run.run, reason="x"))
            case "pause" if run is not None:
                self.asks(ask.PauseRun(run=run.run, reason="x", duration_s=10.0))
            case "resume" if run is not None:
                self.asks(ask.ResumeRun(run=run.run))
            case "retry" if ended:
                self.asks(ask.RetryRun(run=ended[n % len(ended)]))
            case "off":
                self.asks(ask.StopActing(reason="x"))
            case "on":
                self.asks(ask.AllowActing())
            case "lock":
                self.locked = not self.locked
                lock = DeviceLockedOut(device="press", by="ben", reason="seals", until=at(9e6))
                fact = lock if self.locked else DeviceReleased(device="press", by="ben", reason="done")
                self.give(said(fact, when=self.clock, area=AREA))  # never "again": the topic's chain drops old ones
            case "watch":
                self.low = not self.low
                raised = ConditionRaised(
                    occurrence=make_id("w", n), rule="watch.w1", rule_version="", kind="watch", point="", value=None,
                    priority="low", message="", limit=None, unit="", began=at(self.clock),
                )  # fmt: skip
                cleared = ConditionCleared(occurrence=make_id("w", n), rule="watch.w1", point="", value=None)
                self.hear(said(raised if self.low else cleared, when=self.clock, area=AREA))
            case "restart":
                self.restart()
            case "again":
                assert self.give(self.given[n % len(self.given)]) == []
            case _:
                pass

    def hear_tick(self) -> None:
        self.tick(self.clock)

    def answer(self, n: int) -> None:
        """Somebody answers what was asked of him, now or long ago."""
        waiting = CommandIssued | QuestionAsked | HttpIssued | MessageIssued
        asked = [e.fact for e in self.log if isinstance(e.fact, waiting)]
        if not asked:
            return
        match asked[-1 - n % min(3, len(asked))]:
            case CommandIssued() as c:
                about = {"command": c.command, "device": c.device, "point": c.point}
                outcome = (
                    succeeded(c), succeeded(c), CommandFailed(**about, reason="no answer"),
                    CommandRefused(**about, reason=("late: 1 s", "not writable")[n % 2]),
                )[n // 3 % 4]  # fmt: skip
                e = Event(make_id("a", c.command, n, self.clock), at(self.clock), AREA, c.command, "edge", outcome)
                self.hear(Reported("edge-1:J", 1, (e,)))
            case QuestionAsked() as q:
                answers = {"approval": ("yes", "yes", "no"), "choice": ("l", "r", "l"), "task": ("done", "", "failed")}
                body = ask.AnswerQuestion(question=q.question, answer=answers[q.kind][n % 3], ticked=q.checklist)
                self.asks(body, by=("ben", "cleo")[n // 3 % 2])
            case HttpIssued(errand=errand) | MessageIssued(errand=errand):
                reason = ("", "", "status 500")[n % 3]
                self.asks(ask.ReportErrand(errand=errand, status=200, reason=reason), by="errands", role="system")

    def rest(self) -> None:
        """Nobody answers any more; time goes on."""
        for _ in range(3000):
            if not self.runs:
                return
            due = self.brain.due
            assert due is not None, "a run goes, and no time ends it"
            self.clock = max(self.clock, (due - at(0)).total_seconds())
            self.hear_tick()
        raise AssertionError("it never ends")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(playbooks(), ACTIONS)
def test_every_run_ends_and_nothing_is_done_twice_or_against_an_order(plan: Playbook, actions: Any) -> None:
    life = Life(plan)
    for action, n in actions:
        life.do(action, n)
    life.rest()
    facts = [e.fact for e in life.log]
    _each_once(facts)
    _nothing_against_hands_off_or_lock(facts)
    _undone_in_reverse_order(facts)
    _doubts_are_told(facts)
    for run in [f.run for f in facts if isinstance(f, RunStarted)]:
        own = [f for f in facts if getattr(f, "run", None) == run]
        ends = [i for i, f in enumerate(own) if isinstance(f, RunFinished)]
        assert ends == [len(own) - 1], "it ends once, and last"
        begun = {f.step for f in own if isinstance(f, StepStarted)}
        assert begun == {f.step for f in own if isinstance(f, StepFinished)}, "a step stays open"
        asked = {f.question for f in own if isinstance(f, QuestionAsked)}
        assert asked == {f.question for f in own if isinstance(f, QuestionClosed)}, "a question stays open"


def _each_once(facts: list[Any]) -> None:
    attempts = [(f.run, f.step, f.attempt) for f in facts if isinstance(f, StepStarted)]
    assert len(set(attempts)) == len(attempts)
    for kind, id_ in ((CommandIssued, "command"), (HttpIssued, "errand"), (MessageIssued, "errand")):
        ids = [getattr(f, id_) for f in facts if isinstance(f, kind)]
        assert len(set(ids)) == len(ids)


def _nothing_against_hands_off_or_lock(facts: list[Any]) -> None:
    off, locked = False, set()
    for f in facts:
        match f:
            case ActingStopped():
                off = True
            case ActingAllowed():
                off = False
            case LockOutIssued(device=device, reason=reason):
                locked = locked | {device} if reason else locked - {device}
            case CommandIssued(device=device):
                assert not off and device not in locked
            case StepStarted():
                assert not off
            case _:
                pass


def _doubts_are_told(facts: list[Any]) -> None:
    """A write of which nobody knows whether it took effect is named, unless it was undone, or the run that begins in
    place of this one writes it."""
    newest = {(f.run, f.step): f for f in facts if isinstance(f, StepFinished)}
    told = {(f.run, f.step) for f in facts if isinstance(f, RunEscalated)}
    undone = {(f.run, place) for f in facts if isinstance(f, RunEnding) for place in f.undo}
    anew = {f.run for f in facts if isinstance(f, RunFinished) and f.detail == "it begins anew"}
    for key in (key for key, f in newest.items() if f.unsure):
        assert key in told | undone or key[0] in anew


def _undone_in_reverse_order(facts: list[Any]) -> None:
    for ending in (f for f in facts if isinstance(f, RunEnding)):
        own = [f for f in facts if getattr(f, "run", None) == ending.run]
        begun = list(dict.fromkeys(f.step for f in own if isinstance(f, StepStarted)))
        order = [begun.index(place) for place in ending.undo]
        assert order == sorted(order, reverse=True)
        undone = [f.step for f in own if isinstance(f, StepStarted) and f.step.startswith("undo:")]
        prefixes = [undo(place) for place in ending.undo]
        reached = [i for prefix in prefixes for i, step in enumerate(undone) if step.startswith(prefix)]
        assert reached == sorted(reached)
