"""Laws of incidents under whatever alarms and people do: who belongs where is never in doubt.

The rig checks on the way that deciding changes nothing, that the events are the only state, and that a snapshot taken
at any moment changes nothing.
"""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from events import incidents as facts
from events.alarms import AlarmBecameLive, AlarmRaised
from events.requests import (
    AcknowledgeAlarm,
    AcknowledgeIncident,
    CloseIncident,
    ConfirmIncident,
    MergeIncidents,
    ReopenIncident,
    ResetAlarm,
    SetPriority,
    ShelveAlarm,
    SplitIncident,
    UnshelveAlarm,
)
from events.types import PRIORITIES, Priority
from incidents.case import Incident
from incidents.cases import Incidents
from incidents.definition import AlarmDefinition, Policy, Together
from tests.unit.incidents.plant import PRESS, occurrence
from tests.unit.incidents.shift import Shift

NAMES = ("a", "b", "c", "d")
ALARMS = (
    AlarmDefinition(name="a", area=PRESS, rules=("a",), device="x"),
    AlarmDefinition(name="b", area=PRESS, rules=("b",), device="x", sequence="M"),
    AlarmDefinition(name="c", area=PRESS, rules=("c",), device="y", auto_acknowledge=True),
    AlarmDefinition(name="d", area=PRESS, rules=("d",), device="z", sequence="R"),
)
POLICY = Policy(
    together=(Together(together="machine", by="device", within_s=40), Together(together="line", by="topology")),
    topology={"y": ("z",)}, confirm_after=2, reopen_s=30, close_after_s=100, close_by_person="high",
)  # fmt: skip


class Cases(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plant = Shift(POLICY, alarms=ALARMS)
        self.now = 1.0
        self.began: dict[str, float] = {}

    @property
    def cases(self) -> Incidents:
        incidents: Incidents = self.plant.brain.areas[PRESS].incidents
        return incidents

    def known(self) -> list[Incident]:
        return [i for id_ in self.cases if (i := self.cases.get(id_)) is not None]

    def pick(self, n: int) -> UUID:
        """Of the newest: what is being worked on."""
        ids = list(self.cases)[-4:]
        return ids[n % len(ids)]

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1), priority=st.sampled_from(PRIORITIES), late=st.booleans())
    def alarms_come(self, names: set[str], priority: Priority, late: bool) -> None:
        for name in sorted(names - self.began.keys()):
            self.began[name] = self.now
            self.plant.fire(name, self.now, priority=priority, point="", late=late)
            self.now += 1

    @precondition(lambda self: self.began)
    @rule(n=st.integers(0, 9))
    def an_alarm_is_seen_live(self, n: int) -> None:
        name = sorted(self.began)[n % len(self.began)]
        self.plant.stands(name, self.began[name], self.now)
        self.now += 1

    @precondition(lambda self: self.began)
    @rule(n=st.integers(0, 9))
    def an_alarm_goes(self, n: int) -> None:
        name = sorted(self.began)[n % len(self.began)]
        self.plant.normal(name, self.began.pop(name), self.now)
        self.now += 1

    @precondition(lambda self: self.began)
    @rule(acknowledged=st.booleans())
    def all_is_normal_again(self, acknowledged: bool) -> None:
        for name, began in self.began.items():
            if acknowledged:
                self.plant.ask(AcknowledgeAlarm(alarm=occurrence(name, began)), self.now)
            self.plant.normal(name, began, self.now)
            self.plant.ask(ResetAlarm(alarm=occurrence(name, began)), self.now)
        self.began = {}
        self.now += 1

    @rule(seconds=st.sampled_from([1, 20, 50, 120]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.plant.tick(self.now)

    @rule(name=st.sampled_from(NAMES), how=st.sampled_from(["acknowledge", "reset", "shelve", "unshelve"]))
    def somebody_handles_an_alarm(self, name: str, how: str) -> None:
        alarm = self.plant.brain.areas[PRESS].alarms.get(name)
        id_ = alarm.alarm if alarm is not None and alarm.alarm is not None else occurrence(name, 0)
        body = {
            "acknowledge": AcknowledgeAlarm(alarm=id_), "reset": ResetAlarm(alarm=id_),
            "shelve": ShelveAlarm(name=name, reason="x", duration_s=45), "unshelve": UnshelveAlarm(name=name),
        }[how]  # fmt: skip
        self.plant.ask(body, self.now)
        self.now += 1

    @precondition(lambda self: self.known())
    @rule(n=st.integers(0, 9), data=st.data())
    def somebody_handles_an_incident(self, n: int, data: st.DataObject) -> None:
        one = self.pick(n)
        body = data.draw(st.sampled_from([
            AcknowledgeIncident(incident=one), ConfirmIncident(incident=one), ReopenIncident(incident=one, reason="x"),
            SetPriority(incident=one, priority=PRIORITIES[n % 4], reason="x"),
        ]))  # fmt: skip
        self.plant.ask(body, self.now)
        self.now += 1

    @precondition(lambda self: len(self.known()) > 1)
    @rule(n=st.integers(0, 9), m=st.integers(0, 9))
    def somebody_merges_two(self, n: int, m: int) -> None:
        self.plant.ask(MergeIncidents(incident=self.pick(n), into=self.pick(m), reason="x"), self.now)
        self.now += 1

    @precondition(lambda self: any(i.standing > 1 for i in self.known()))
    @rule(chosen=st.sets(st.integers(0, 3), min_size=1))
    def somebody_splits_one(self, chosen: set[int]) -> None:
        one = max(self.known(), key=lambda i: i.standing).incident
        standing = list(self.cases.cast(one).standing)
        some = tuple(id_ for i, id_ in enumerate(standing) if i in chosen)
        self.plant.ask(SplitIncident(incident=one, alarms=some, reason="x"), self.now)
        self.now += 1

    @precondition(lambda self: any(i.status == "resolved" for i in self.known()))
    @rule()
    def somebody_closes_what_is_resolved(self) -> None:
        one = next(i.incident for i in self.known() if i.status == "resolved")
        self.plant.ask(CloseIncident(incident=one, cause="x", action="y", useful=True), self.now)
        self.now += 1

    @precondition(lambda self: self.plant.log)
    @rule()
    def the_stage_restarts(self) -> None:
        self.plant.restart()

    @invariant()
    def every_alarm_that_is_shown_and_stands_belongs_to_one_incident_that_is_not_over(self) -> None:
        """But for one that latched and went while it was hidden: it is in the list, and nobody is called for it."""
        area = self.plant.brain.areas.get(PRESS)
        joined = {f.alarm for f in self.plant.all(facts.IncidentOpened, facts.AlarmGrouped)}
        for name in area.alarms if area is not None else ():
            alarm = area.alarms.get(name)
            if alarm.alarm is None or not (alarm.active or alarm.alarm in joined):
                continue
            if alarm.stands and not alarm.hidden and not alarm.late:
                incident = self.cases.of(alarm.alarm)
                assert incident is not None and incident.live, (alarm, incident)
        members = [o for i in self.cases for o in self.cases.cast(i).standing]
        assert len(members) == len(set(members))

    @invariant()
    def what_takes_the_place_of_an_alarm_of_an_incident_keeps_it_open_history_and_hidden_ones_too(self) -> None:
        area = self.plant.brain.areas.get(PRESS)
        joined = {f.alarm for f in self.plant.all(facts.IncidentOpened, facts.AlarmGrouped)}
        heirs = [f.alarm for f in self.plant.all(AlarmRaised) if f.replaces in joined]
        for occurrence_ in heirs:
            if area.alarms.stands(occurrence_):
                incident = self.cases.of(occurrence_)
                assert incident is not None and incident.live, occurrence_

    @invariant()
    def history_makes_no_incident_and_confirms_none(self) -> None:
        """The first word of an occurrence that was raised late is that it takes a place, or that it is live."""
        silent = {f.alarm for f in self.plant.all(AlarmRaised) if f.late}
        for fact in (e.fact for e in self.plant.log):
            if isinstance(fact, AlarmBecameLive):
                silent.discard(fact.alarm)
            elif isinstance(fact, facts.IncidentOpened) and fact.split_from is None:
                assert fact.alarm not in silent
            elif isinstance(fact, facts.AlarmGrouped) and fact.alarm in silent:
                assert fact.takes_over

    @invariant()
    def count_of_what_stands_is_what_stands(self) -> None:
        for incident in self.known():
            standing = self.cases.cast(incident.incident).standing
            assert incident.standing == len(standing) <= incident.alarms
            assert all(self.plant.brain.areas[PRESS].alarms.stands(o) for o in standing)
            assert incident.live or not standing

    @invariant()
    def priority_is_below_an_alarm_that_came_only_where_a_person_wanted_it(self) -> None:
        judged = {e.fact.incident for e in self.plant.log
                  if isinstance(e.fact, facts.IncidentPriorityChanged) and e.fact.by}  # fmt: skip
        for incident in self.known():
            if incident.incident not in judged and incident.into is None:
                assert incident.priority == incident.worst

    @invariant()
    def facts_of_an_incident_come_in_an_order_that_makes_sense(self) -> None:
        stories: dict[UUID, list[str]] = {}
        for e in self.plant.log:
            words = {
                facts.IncidentOpened: "opened", facts.IncidentResolved: "resolved", facts.IncidentClosed: "closed",
                facts.IncidentReopened: "reopened", facts.IncidentMerged: "merged",
            }  # fmt: skip
            if word := words.get(type(e.fact)):
                stories.setdefault(e.fact.incident, []).append(word)
        after = {
            "opened": {"resolved", "merged"}, "resolved": {"reopened", "closed", "merged"},
            "closed": {"reopened"}, "reopened": {"resolved", "merged"}, "merged": set(),
        }  # fmt: skip
        for story in stories.values():
            assert story[0] == "opened" and all(b in after[a] for a, b in pairwise(story)), story

    @invariant()
    def numbers_of_incidents_are_said_once(self) -> None:
        opened = self.plant.all(facts.IncidentOpened)
        assert [f.number for f in opened] == list(range(1, len(opened) + 1))
        assert len({f.incident for f in opened}) == len(opened)


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
