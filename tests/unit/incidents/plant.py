"""What detection and operators say, in short, for the stories of one small plant."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from events.alarms import ConditionCleared, ConditionFact, ConditionRaised, ConditionStands
from events.envelope import Configure, Decision, Event
from events.requests import AcknowledgeAlarm, AcknowledgeIncident, Request
from events.types import Priority, make_id
from incidents.brain import IncidentsBrain
from incidents.definition import Definition
from tests.unit.incidents.rig import Rig, at

PRESS, COOLING = "shop/press", "shop/cooling"


def occurrence(rule: str, began: float) -> UUID:
    return make_id(PRESS, rule, began)


class Plant(Rig):
    def __init__(self, *areas: str, definition: Definition | None = None) -> None:
        super().__init__(IncidentsBrain)
        definition = definition or Definition(areas=areas or (PRESS, COOLING))
        self.give(Configure(definition.version, at(0), "test", definition.pack()))

    def said(self, *facts: ConditionFact, when: float, area: str = PRESS) -> Decision:
        """One decision of detection."""
        events = (Event(make_id("said", area, f, i), at(when), area, make_id("frame"), "detection", f)
                  for i, f in enumerate(facts))  # fmt: skip
        return Decision(0, -1, -1, tuple(events))

    def raised(self, rule: str, when: float, *, area: str = PRESS, priority: Priority = "high", late: bool = False):
        return self.give(self.said(raising(rule, when, priority=priority, late=late), when=when, area=area))

    def cleared(self, rule: str, began: float, when: float, *, area: str = PRESS):
        return self.give(self.said(clearing(rule, began), when=when, area=area))

    def stands(self, rule: str, began: float, when: float):
        fact = ConditionStands(occurrence=occurrence(rule, began), rule=rule, point="press.pressure", value=1.0)
        return self.give(self.said(fact, when=when))

    def acknowledge(self, what: UUID, when: float, *, by: str = "Ada", area: str = PRESS, expires: float = 30,
                    incident: bool = False, seen: tuple[UUID, ...] | None = None, request: str = ""):  # fmt: skip
        body = (AcknowledgeIncident(incident=what, seen=seen) if incident
                else AcknowledgeAlarm(alarm=what, comment="seen"))  # fmt: skip
        return self.give(Request(
            id=make_id("request", what, when, request), area=area, at=at(when), by=by, role="operator",
            expires=at(when) + timedelta(seconds=expires), body=body,
        ))  # fmt: skip

    def states(self, area: str = PRESS) -> dict[str, str]:
        """Rule -> ISA-18.2 state, of what an operator sees."""
        alarms = self.brain.areas[area].alarms
        return {a.rule or a.name: a.state for name in alarms if (a := alarms.get(name)) is not None}


def raising(
    rule: str, began: float, *, priority: Priority = "high", late: bool = False, kind: str = "limit"
) -> ConditionRaised:
    return ConditionRaised(
        occurrence=occurrence(rule, began), rule=rule, rule_version="v1", kind=kind, point="press.pressure",
        priority=priority, message=f"{rule} is high", value=1.0, limit=0.5, unit="bar", began=at(began), late=late,
    )  # fmt: skip


def clearing(rule: str, began: float) -> ConditionCleared:
    return ConditionCleared(occurrence=occurrence(rule, began), rule=rule, point="press.pressure", value=0.1)
