"""Laws of the playbooks brain, on any order of incidents, answers, ticks, repetitions, pauses and restarts.

`Rig.give` holds in every step: deciding changes nothing, the same input gives the same bytes, no id stands twice, and
a brain that saw only the events is in the same state.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from events.devices import CommandFailed, CommandRefused
from events.envelope import Event, Record, Reported
from events.incidents import AlarmGrouped, IncidentMerged, IncidentOpened, IncidentReopened, IncidentResolved
from events.notifications import NotificationIssued
from events.playbooks import (
    CommandIssued,
    LockOutIssued,
    RunFinished,
    RunRefused,
    RunStarted,
    StepFinished,
    StepStarted,
)
from events.types import make_id
from playbooks.plan import PlaybookSet
from playbooks.run import LATE
from tests.unit.incidents.rig import at
from tests.unit.playbooks.shop import PRESS, Shop, examples, incident, said, succeeded

INCIDENTS = 12
RULES = st.sampled_from(["press_pressure.H", "press_pressure.HH", "oil_temperature.H"])


class Shift(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop()
        self.clock = 0.0
        self.number = 0
        self.open: dict[int, int] = {}
        """Number of the incident -> its opening."""
        self.over: dict[int, int] = {}
        self.occurrences = 0
        self.locked = False
        self.given: list[Record] = []

    def give(self, record: Record) -> list[Any]:
        self.given.append(record)
        return self.shop.give(record)

    @precondition(lambda self: len(self.open) < 2 and self.number < INCIDENTS)
    @rule(name=RULES, age=st.sampled_from([0, 1, 59, 61, 600]))
    def an_incident_opens(self, name: str, age: float) -> None:
        self.number += 1
        self.open[self.number] = 1
        fact = IncidentOpened(incident=incident(self.number), number=self.number, title="Too high", priority="high",
                              alarm=make_id("alarm", self.number), rule=name, point="press.pressure")  # fmt: skip
        facts = self.give(said(fact, when=self.clock - age))
        heard = self.shop.brain.now
        if name.startswith("press_pressure") and heard - at(self.clock - age) <= LATE and not self.locked:
            opens = (isinstance(f, CommandIssued) and f.point == "press.relief_valve" for f in facts)
            assert any(opens) or any(map(is_cut, facts))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def an_incident_is_resolved(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.over[number] = opening = self.open.pop(number)
        self.give(said(IncidentResolved(incident=incident(number), opening=opening), when=self.clock))

    @precondition(lambda self: self.over)
    @rule(data=st.data(), name=RULES)
    def an_incident_is_reopened(self, data: st.DataObject, name: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.over)))
        self.open[number] = opening = self.over.pop(number) + 1
        reopened = IncidentReopened(incident=incident(number), opening=opening, by="", reason="came again", rule=name,
                                    point="press.pressure", alarm=self.occurrence())  # fmt: skip
        grouped = self.grouping(number, name, opening)
        facts = self.give(said(reopened, grouped, when=self.clock))
        assert any(isinstance(f, RunStarted) or is_cut(f) for f in facts) == name.startswith("press_pressure")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), name=RULES)
    def an_alarm_joins_or_comes_again(self, data: st.DataObject, name: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.occurrences += 1
        self.give(said(self.grouping(number, name, self.open[number]), when=self.clock))

    @precondition(lambda self: len(self.open) == 2)
    @rule()
    def an_incident_is_merged_into_the_other(self) -> None:
        source, into = sorted(self.open)
        del self.open[source]
        merged = IncidentMerged(incident=incident(source), into=incident(into), by="anna", reason="one fault")
        facts = self.give(said(merged, self.grouping(into, "press_pressure.H", self.open[into]), when=self.clock))
        assert not any(isinstance(f, CommandIssued) for f in facts)

    @precondition(lambda self: len(self.open) == 1 and self.number < INCIDENTS)
    @rule()
    def an_incident_is_split(self) -> None:
        (source,), self.number = self.open, self.number + 1
        self.open[self.number] = 1
        opened = IncidentOpened(incident=incident(self.number), number=self.number, title="Split", priority="high",
                                alarm=self.occurrence(), rule="press_pressure.H", point="press.pressure",
                                split_from=incident(source))  # fmt: skip
        facts = self.give(said(opened, self.grouping(self.number, "press_pressure.H", 1), when=self.clock))
        assert not any(isinstance(f, CommandIssued) for f in facts)

    @rule()
    def the_press_is_locked_out_or_released(self) -> None:
        self.clock += 0.01
        self.locked = not self.locked
        facts = (self.shop.locked_out if self.locked else self.shop.released)("press", self.clock)
        assert [type(f) for f in facts] == [LockOutIssued]

    def occurrence(self) -> UUID:
        return make_id("occurrence", self.occurrences)

    def grouping(self, number: int, name: str, opening: int) -> AlarmGrouped:
        return AlarmGrouped(incident=incident(number), alarm=self.occurrence(), rule=name, reason="same area",
                            point="press.pressure", priority="high", name=name.partition(".")[0],
                            opening=opening)  # fmt: skip

    @precondition(lambda self: self.shop.all(CommandIssued))
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "late: ", "too often: ", "locked out: "]))
    def an_edge_answers_a_command(self, data: st.DataObject, how: str) -> None:
        commands = self.shop.all(CommandIssued)
        command = commands[-1 - data.draw(st.integers(0, min(3, len(commands) - 1)))]
        outcome: Any = {"succeeded": succeeded, "failed": lambda c: lost(c, CommandFailed, "no answer")}.get(
            how, lambda c: lost(c, CommandRefused, how)
        )(command)
        awaited = set(self.shop.brain.index.awaited)
        e = Event(make_id("answer", outcome, self.clock), at(self.clock), PRESS, command.command, "edge", outcome)
        facts = self.give(Reported("edge-1:J", 1, (e,)))
        assert facts == [] or command.command in awaited

    @rule()
    def the_edge_does_what_it_is_told(self) -> None:
        while awaited := list(self.shop.brain.index.awaited):
            command = next(c for c in self.shop.all(CommandIssued) if c.command == awaited[0])
            done = succeeded(command)
            e = Event(make_id("done", command.command), at(self.clock), PRESS, command.command, "edge", done)
            assert self.give(Reported("edge-1:J", 1, (e,)))

    @rule(seconds=st.sampled_from([0.1, 0.5, 1, 1, 1, 2, 5, 70, 3600]))
    def time_passes(self, seconds: float) -> None:
        self.clock += seconds
        self.shop.tick(self.clock)

    @rule(seconds=st.sampled_from([0.5, 5, 70]))
    def time_passes_unheard(self, seconds: float) -> None:
        self.clock += seconds

    @rule(other=st.booleans())
    def the_playbooks_change(self, other: bool) -> None:
        books = examples().playbooks
        if other:
            books = tuple(replace(b, version="other", steps=tuple(replace(s, retry=0) for s in b.steps)) for b in books)
        self.clock += 0.1
        self.shop.configure(PlaybookSet(books), self.clock)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def something_is_delivered_again(self, data: st.DataObject) -> None:
        assert self.shop.give(data.draw(st.sampled_from(self.given))) == []

    @rule()
    def the_stage_restarts(self) -> None:
        self.shop.restart()

    @invariant()
    def no_command_is_issued_twice_and_none_outlives_its_attempt(self) -> None:
        commands = self.shop.all(CommandIssued)
        assert len({c.command for c in commands}) == len(commands)
        due = {(s.run, s.step, s.attempt): s.due for s in self.shop.all(StepStarted)}
        assert all(c.not_after <= due[c.run, c.step, c.attempt] for c in commands)

    @invariant()
    def every_run_is_one_line_of_steps_that_ends_once_and_never_in_silence(self) -> None:
        for facts in self.lines().values():
            assert isinstance(facts[0], RunStarted)
            assert sum(isinstance(f, RunStarted | RunFinished) for f in facts[1:]) <= 1
            for one, next_ in pairwise(facts):
                assert not isinstance(one, RunFinished)
                if isinstance(one, CommandIssued):
                    ends = isinstance(next_, StepFinished) and (next_.step, next_.attempt) == (one.step, one.attempt)
                    assert ends or (isinstance(next_, RunFinished) and next_.outcome == "cancelled")
                if isinstance(next_, RunFinished) and next_.outcome == "failed":
                    assert isinstance(one, NotificationIssued) and one.to == "shift_lead"

    @invariant()
    def nothing_is_sent_to_a_locked_device(self) -> None:
        locked = False
        for e in self.shop.log:
            locked = bool(e.fact.reason) if isinstance(e.fact, LockOutIssued) else locked
            assert not (locked and isinstance(e.fact, CommandIssued) and e.fact.device == "press")

    @invariant()
    def no_reset_closes_the_valve_while_an_incident_stands_that_opened_it(self) -> None:
        starts = [e.fact for e in self.shop.log if isinstance(e.fact, RunStarted)]
        opened = {s.incident: s.opening for s in starts if s.playbook == "press_overpressure"}
        standing = {incident(n) for n, opening in self.open.items() if opened.get(incident(n)) == opening}
        resetting = [r for a in self.shop.brain.areas.values() for r in a.runs.values() if r.playbook == "press_reset"]
        assert not standing or not resetting

    @invariant()
    def nothing_moves_for_what_is_history(self) -> None:
        due: dict[UUID, Any] = {}
        late: dict[UUID, tuple[Any, Any]] = {}
        for e in self.shop.log:
            if isinstance(e.fact, StepStarted):
                run, behind = e.fact.run, e.at - due.get(e.fact.run, e.at)
                at, before = late.get(run, (e.at, behind))
                late[run] = e.at, max(behind, before) if at == e.at else behind
                due[run] = e.fact.due
            elif isinstance(e.fact, CommandIssued):
                assert late[e.fact.run][1] <= LATE

    @invariant()
    def a_reset_never_works_beside_the_playbook_it_resets(self) -> None:
        working = [r.playbook for a in self.shop.brain.areas.values() for r in a.runs.values() if not r.waits]
        assert not {"press_overpressure", "press_reset"} <= set(working)

    def lines(self) -> dict[UUID, list[Any]]:
        lines: dict[UUID, list[Any]] = defaultdict(list)
        for e in self.shop.log:
            if (run := getattr(e.fact, "run", None)) is not None:
                lines[run].append(e.fact)
        return lines

    def teardown(self) -> None:
        """Whatever happened: with nobody answering, every run ends in bounded time."""
        for _ in range(240):
            self.clock += 1
            self.shop.tick(self.clock)
        assert self.shop.running == []
        assert all(isinstance(facts[-1], RunFinished) for facts in self.lines().values())


def is_cut(fact: Any) -> bool:
    """It came so often within a minute that it passes for a loop."""
    return isinstance(fact, RunRefused) and fact.reason.startswith("it sets itself off")


def lost(command: CommandIssued, how: type[Any], reason: str) -> Any:
    return how(command=command.command, device=command.device, point=command.point, reason=reason)


assert timedelta(seconds=60) == LATE
Shift.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestShift = Shift.TestCase
