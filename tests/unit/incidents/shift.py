"""The small plant with a policy, and people who work on its incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from events.alarms import ConditionCleared, ConditionFact, ConditionRaised
from events.envelope import Fact
from events.incidents import IncidentOpened
from events.requests import Request, RequestBody, RequestRefused
from events.types import Priority, make_id
from incidents.case import Incident
from incidents.definition import Across, AlarmDefinition, Definition, Policy, Position
from tests.unit.incidents.plant import COOLING, PRESS, Plant, occurrence
from tests.unit.incidents.rig import at


def defined(name: str, device: str = "", area: str = PRESS, **more: Any) -> AlarmDefinition:
    return AlarmDefinition(name=name, area=area, rules=(name,), device=device, **more)


class Shift(Plant):
    """Attributes: count: requests so far."""

    def __init__(
        self, policy: Policy | None = None, *, alarms: Sequence[AlarmDefinition] = (), areas: Sequence[str] = (),
        policies: dict[str, Policy] | None = None, positions: Sequence[Position] = (), across: Sequence[Across] = (),
    ) -> None:  # fmt: skip
        super().__init__(definition=Definition(
            areas=tuple(areas) or (PRESS, COOLING), alarms={a.name: a for a in alarms},
            policies=policies or ({} if policy is None else {PRESS: policy}),
            positions={p.position: p for p in positions}, across=tuple(across),
        ))  # fmt: skip
        self.count = 0

    def ask(
        self, body: RequestBody, when: float, *, by: str = "Ada", role: str = "operator", area: str = PRESS
    ) -> list[Fact]:
        self.count += 1
        return self.give(Request(
            id=make_id("asked", self.count), area=area, at=at(when), by=by, role=role,
            expires=at(when) + timedelta(seconds=30), body=body,
        ))  # fmt: skip

    def refused(self, body: RequestBody, when: float, *, role: str = "operator", area: str = PRESS) -> str:
        """Why it was."""
        facts = self.ask(body, when, role=role, area=area)
        assert [type(f) for f in facts] == [RequestRefused], facts
        return facts[0].reason

    def fire(
        self, rule: str, when: float, *, point: str = "press.pressure", priority: Priority = "high", area: str = PRESS,
        kind: str = "limit", late: bool = False,
    ) -> list[Fact]:  # fmt: skip
        fact: ConditionFact = ConditionRaised(
            occurrence=occurrence(rule, when), rule=rule, rule_version="v1", kind=kind, point=point, priority=priority,
            message=f"{rule} is high", value=1.0, limit=0.5, unit="bar", began=at(when), late=late,
        )  # fmt: skip
        return self.give(self.said(fact, when=when, area=area))

    def normal(self, rule: str, began: float, when: float, *, area: str = PRESS) -> list[Fact]:
        fact = ConditionCleared(occurrence=occurrence(rule, began), rule=rule, point="press.pressure", value=0.1)
        return self.give(self.said(fact, when=when, area=area))

    def over(self, rule: str, began: float, when: float) -> list[Fact]:
        """Acknowledged and back to normal: what was said last."""
        self.acknowledge(occurrence(rule, began), when)
        return self.normal(rule, began, when)

    def incident(self, number: int = 1, area: str = PRESS) -> Incident:
        """As the brain knows it."""
        incidents = self.brain.areas[area].incidents
        return next(i for id_ in incidents if (i := incidents.get(id_)) is not None and i.number == number)

    def id(self, number: int = 1, area: str = PRESS) -> UUID:
        return next(e.fact.incident for e in self.log
                    if isinstance(e.fact, IncidentOpened) and e.fact.number == number and e.area == area)  # fmt: skip


def kinds(facts: Sequence[object]) -> list[str]:
    return [type(f).__name__ for f in facts]
