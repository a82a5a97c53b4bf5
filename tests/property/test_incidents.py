"""Laws of the incidents brain, on any order of conditions, requests, ticks, repetitions and restarts.

`Rig.give` holds in every step: deciding changes nothing, the same input gives the same bytes, no id stands twice, and
a brain that saw only the events is in the same state.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from events import requests as ask
from events.alarms import (
    AlarmAcknowledged,
    AlarmFact,
    AlarmLevelChanged,
    AlarmRaised,
    AlarmReset,
    ConditionRaised,
    ConditionStands,
)
from events.envelope import Configure, Record
from events.incidents import IncidentOpened
from events.requests import Request, RequestBody, RequestRefused, Role
from events.types import make_id
from incidents.alarm import Alarm
from incidents.brain import IncidentsBrain
from incidents.definition import AlarmDefinition, Definition, Flood, Policy
from tests.unit.incidents.plant import PRESS, Plant, clearing, occurrence, raising
from tests.unit.incidents.rig import at

NAMES = {
    "p.high": ("p.H", "p.HH"), "trip": ("trip",), "door": ("door",), "flow": ("flow",), "temp": ("temp",),
    "oil": ("oil",), "plain": ("plain",),
}  # fmt: skip
NAME_OF = {r: name for name, rules in NAMES.items() for r in rules}
PRIORITY = {"p.HH": "critical", "trip": "critical", "plain": "low"}
STOPPED = "stopped"
OVERRIDES = {"G": "shelved", "H": "suppressed", "I": "out of service"}


def _alarm(name: str, **attributes: object) -> AlarmDefinition:
    return AlarmDefinition(name=name, area=PRESS, rules=NAMES[name], device="press", **attributes)  # type: ignore[arg-type]


FILES = Definition(
    areas=(PRESS,),
    alarms={d.name: d for d in (
        _alarm("p.high", chatter=3, chatter_s=20.0),
        _alarm("trip", safety=True, sequence="M"),
        _alarm("door", sequence="R", group="guards", chatter=2, chatter_s=30.0, chatter_shelve_s=40.0),
        _alarm("flow", suppressed_by=("trip",), consequence_of=("p.high",)),
        _alarm("temp", suppressing=(STOPPED,), re_alarm_s=25.0, stale_s=60.0, consequence_of=("trip", "flow")),
        _alarm("oil", auto_acknowledge=True, group="guards", suppressed_by=("te*", "plain")),
    )},
    policies={PRESS: Policy(flood=Flood(above=2, below=2, window_s=25.0), confirm_after=2, reopen_s=30.0)},
)  # fmt: skip
OTHER = Definition(areas=(PRESS,), alarms={"flow": _alarm("flow", suppressing=(STOPPED,))})
ROLES: tuple[Role, ...] = ("operator", "supervisor", "engineer", "auditor")


class Operations(RuleBasedStateMachine):
    """Beside the brain runs the simplest model of what is true: which conditions hold."""

    def __init__(self) -> None:
        super().__init__()
        self.plant = Plant(definition=FILES)
        self.files = FILES
        self.clock = 0.0
        self.given: list[Record] = []
        self.holds: dict[str, float] = {}
        """Rule -> when its condition began."""
        self.live: set[str] = set()
        self.raised: list[UUID] = []

    @property
    def brain(self) -> IncidentsBrain:
        brain: IncidentsBrain = self.plant.brain
        return brain

    def alarms(self) -> dict[str, Alarm]:
        alarms = self.brain.areas[PRESS].alarms
        return {n: a for n in alarms if (a := alarms.get(n)) is not None}

    def give(self, record: Record) -> list[object]:
        self.given.append(record)
        return list(self.plant.give(record))

    # --- what happens ----------------------------------------------------------------------------------------------

    @rule(rules=st.lists(st.sampled_from(sorted(NAME_OF)), min_size=1, max_size=4, unique=True), late=st.booleans())
    def conditions_begin(self, rules: list[str], late: bool) -> None:
        self.clock += 1
        new = [r for r in rules if r not in self.holds]
        facts = [raising(r, self.clock, priority=PRIORITY.get(r, "high"), late=late) for r in new]  # type: ignore[arg-type]
        if not facts:
            return
        said = self.give(self.plant.said(*facts, when=self.clock))
        fired = [f.alarm for f in said if isinstance(f, AlarmRaised)]
        fired += [f.condition for f in said if isinstance(f, AlarmLevelChanged) and f.holds]
        assert Counter(fired) == Counter(f.occurrence for f in facts), "each firing is said, once"
        for r in new:
            self.holds[r] = self.clock
        self.raised += [f.alarm for f in said if isinstance(f, AlarmRaised)]

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), seconds=st.sampled_from([0.5, 5.0]))
    def a_condition_ends(self, data: st.DataObject, seconds: float) -> None:
        ended = data.draw(st.sampled_from(sorted(self.holds)))
        self.clock += seconds
        assert self.give(self.plant.said(clearing(ended, self.holds.pop(ended)), when=self.clock))

    @rule()
    def the_press_stops_or_starts(self) -> None:
        self.clock += 1
        if STOPPED in self.holds:
            self.give(self.plant.said(clearing(STOPPED, self.holds.pop(STOPPED)), when=self.clock))
        else:
            self.give(self.plant.said(raising(STOPPED, self.clock, kind="suppression"), when=self.clock))
            self.holds[STOPPED] = self.clock

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def a_condition_is_seen_live(self, data: st.DataObject) -> None:
        seen = data.draw(st.sampled_from(sorted(self.holds)))
        fact = ConditionStands(occurrence=occurrence(seen, self.holds[seen]), rule=seen, point="press.p", value=None)
        self.clock += 1
        self.give(self.plant.said(fact, when=self.clock))

    @rule(seconds=st.sampled_from([1.0, 11.0, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock += seconds
        self.plant.tick(self.clock)
        assert self.plant.tick(self.clock) == [], "a second owner's tick"
        self.clock += 0.5
        self.plant.tick(self.clock)
        due = self.brain.areas[PRESS].due
        assert due is None or due > at(self.clock), "what was due is done"

    @precondition(lambda self: self.raised)
    @rule(data=st.data(), role=st.sampled_from(ROLES))
    def somebody_acknowledges_an_occurrence_maybe_an_old_one(self, data: st.DataObject, role: Role) -> None:
        id_ = data.draw(st.sampled_from(self.raised))
        before = self.alarms()
        current = next((a for a in before.values() if a.alarm == id_), None)
        said = self.ask(ask.AcknowledgeAlarm(alarm=id_), role)
        taken = [f.alarm for f in said if isinstance(f, AlarmAcknowledged)]
        if role == "auditor" or current is None or current.acknowledged:
            assert [type(f) for f in said] == [RequestRefused] and taken == []
            assert self.alarms() == before
        else:
            assert taken == [id_]
            others = {n: a.acknowledged for n, a in before.items() if a.alarm != id_}
            assert {n: a.acknowledged for n, a in self.alarms().items() if n in others} == others

    @rule()
    def somebody_acknowledges_whatever_waits(self) -> None:
        for alarm in self.alarms().values():
            if alarm.alarm is not None and not alarm.acknowledged:
                (fact, *_) = self.ask(ask.AcknowledgeAlarm(alarm=alarm.alarm), "operator")
                assert isinstance(fact, AlarmAcknowledged)

    @precondition(lambda self: any(a.latched for a in self.alarms().values()))
    @rule()
    def somebody_resets_what_is_latched(self) -> None:
        for alarm in self.alarms().values():
            if alarm.alarm is not None and alarm.latched and alarm.acknowledged:
                (fact, *_) = self.ask(ask.ResetAlarm(alarm=alarm.alarm), "operator")
                assert isinstance(fact, AlarmReset)

    @precondition(lambda self: self.raised)
    @rule(data=st.data())
    def somebody_resets_an_occurrence(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.raised))
        current = next((a for a in self.alarms().values() if a.alarm == id_), None)
        may = current is not None and current.latched and current.acknowledged and not current.active
        refused = any(isinstance(f, RequestRefused) for f in self.ask(ask.ResetAlarm(alarm=id_), "operator"))
        assert refused != may

    @rule(name=st.sampled_from(sorted(NAMES)), role=st.sampled_from(ROLES), one_shot=st.booleans(),
          what=st.sampled_from(["shelve", "unshelve", "suppress", "unsuppress", "out", "in", "device out", "device in",
                                "silence"]))  # fmt: skip
    def somebody_asks(self, name: str, role: Role, one_shot: bool, what: str) -> None:
        body: RequestBody
        match what:
            case "shelve":
                body = ask.ShelveAlarm(name=name, reason="repair", duration_s=15.0, one_shot=one_shot)
            case "unshelve":
                body = ask.UnshelveAlarm(name=name)
            case "suppress":
                body = ask.SuppressAlarm(name=name, reason="test", duration_s=10.0)
            case "unsuppress":
                body = ask.UnsuppressAlarm(name=name)
            case "out" | "device out":
                who = {"name": name} if what == "out" else {"device": "press"}
                body = ask.TakeOutOfService(reason="bearing", duration_s=20.0, **who)
            case "in" | "device in":
                body = ask.ReturnToService(**({"name": name} if what == "in" else {"device": "press"}))
            case _:
                body = ask.Silence()
        self.ask(body, role)

    @rule(data=st.data())
    def somebody_acknowledges_an_incident(self, data: st.DataObject) -> None:
        opened = [f.incident for f in self.plant.all(IncidentOpened)]
        if opened:
            self.ask(ask.AcknowledgeIncident(incident=data.draw(st.sampled_from(opened))), "operator")

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def something_is_delivered_again(self, data: st.DataObject) -> None:
        assert self.plant.give(data.draw(st.sampled_from(self.given))) == []

    @rule()
    def the_stage_restarts(self) -> None:
        before = self.brain.areas[PRESS].due
        self.plant.restart()
        assert self.brain.areas[PRESS].due == before

    @rule()
    def the_files_change(self) -> None:
        self.clock += 1
        self.files = OTHER if self.files is FILES else FILES
        self.plant.give(Configure(self.files.version, at(self.clock), "test", self.files.pack()))

    def ask(self, body: RequestBody, role: Role) -> list[object]:
        self.clock += 1
        request = Request(id=make_id("ask", self.clock), area=PRESS, at=at(self.clock), by="Ada", role=role,
                          expires=at(self.clock + 5), body=body)  # fmt: skip
        said = self.give(request)
        assert said, "each request is answered"
        return said

    # --- what is always so -----------------------------------------------------------------------------------------

    @invariant()
    def an_alarm_is_active_while_its_condition_holds_and_never_else(self) -> None:
        levels = Counter(v.condition for a in self.alarms().values() for v in a.levels)
        assert levels == Counter(occurrence(r, began) for r, began in self.holds.items() if r != STOPPED)
        assert all(a.active == bool(a.levels) for a in self.alarms().values())

    @invariant()
    def no_active_alarm_is_invisible(self) -> None:
        """It is shown, or in exactly one of the lists: held back, shelved, suppressed, out of service."""
        alarms = self.brain.areas[PRESS].alarms
        for name, alarm in self.alarms().items():
            assert (name in alarms.overridden) == bool(alarm.hidden)
            assert OVERRIDES.get(alarm.state, "") == alarm.hidden
            if alarm.active and not alarm.hidden:
                assert alarm.state == ("C" if alarm.acknowledged else "B")
            if alarm.behind:
                assert not alarm.hidden or alarm.active or alarm.latched
                assert not self.brain.areas[PRESS].index.of(PRESS, name).safety

    @invariant()
    def nothing_is_hidden_or_held_back_for_a_reason_that_is_gone(self) -> None:
        alarms, flooded = self.alarms(), self.brain.areas[PRESS].floods.flooded
        index, clock = self.brain.areas[PRESS].index, at(self.clock)

        def shown(name: str) -> bool:
            cause = alarms.get(name)
            return cause is not None and cause.active and not cause.hidden and not cause.late

        for name, alarm in alarms.items():
            for suppression in alarm.suppressions:
                kind, _, cause = suppression.cause.partition(" ")
                if suppression.until is None:
                    assert not index.of(PRESS, name).safety, "never by design"
                    assert cause in self.holds if kind == "while" else shown(cause), (name, suppression)
            assert not alarm.behind or not flooded or shown(alarm.behind)
            if self.plant.brain.now == clock:
                ends = [o.until for o in (alarm.shelf, alarm.maintenance, *alarm.suppressions) if o is not None]
                assert all(until is None or until > clock for until in ends), "it ends by itself"

    @invariant()
    def every_state_is_one_of_the_nine_and_follows_from_two_facts_and_the_overrides(self) -> None:
        for alarm in self.alarms().values():
            assert alarm.state in "BCDEFGHI", "a normal alarm is not kept"
            assert (alarm.alarm is not None) == (alarm.active or alarm.latched or not alarm.acknowledged)
            assert not (alarm.active and alarm.latched)

    @invariant()
    def what_is_counted_is_what_there_is(self) -> None:
        alarms, known = self.brain.areas[PRESS].alarms, self.alarms()
        assert alarms.standing == sum(a.alarm is not None and not a.hidden for a in known.values())
        assert alarms.unacknowledged == sum(not a.acknowledged and not a.hidden for a in known.values())
        assert dict(alarms.held) == dict(Counter(a.behind for a in known.values() if a.behind))
        assert dict(alarms.groups) == dict(Counter(a.group for a in known.values() if a.group))
        assert all(alarms.of(a.alarm) == a for a in known.values() if a.alarm is not None)

    @invariant()
    def every_live_alarm_that_is_shown_and_active_is_in_an_incident_that_is_open(self) -> None:
        incidents = self.brain.areas[PRESS].incidents
        for alarm in self.alarms().values():
            if alarm.alarm is not None and alarm.active and not alarm.late and not alarm.hidden:
                incident = incidents.of(alarm.alarm)
                assert incident is not None and incident.status in ("candidate", "open"), alarm

    @invariant()
    def no_fact_of_an_alarm_is_said_of_an_occurrence_that_was_not_raised(self) -> None:
        said = {f.alarm for e in self.plant.log if isinstance(f := e.fact, AlarmFact) and hasattr(f, "alarm")}
        assert said == {f.alarm for f in self.plant.all(AlarmRaised)}
        assert not self.plant.all(ConditionRaised)


Operations.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestOperations = Operations.TestCase
