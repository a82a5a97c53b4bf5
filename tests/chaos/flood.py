"""A flood of alarms and requests for several areas, endless, and what is true in it whatever the stage makes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from events import requests as ask
from events.alarms import ConditionCleared, ConditionFact, ConditionRaised
from events.envelope import Configure, Decision, Event, Record, event
from events.topics import PARTITIONS, partition_of
from events.types import PRIORITIES, make_id
from incidents.definition import (
    AlarmDefinition,
    Definition,
    Escalation,
    Flood,
    Policy,
    Position,
    Shift,
    Step,
    Together,
)

AREAS = tuple(f"flood/{i}" for i in range(12))
assert {partition_of(area) for area in AREAS} == set(range(PARTITIONS))
BEHAVIOURS: dict[str, dict[str, object]] = {
    "ladder": {"rules": ("ladder.H", "ladder.HH")},
    "latching": {"sequence": "M"},
    "ringback": {"sequence": "R"},
    "first": {"group": "trip", "device": "press"},
    "second": {"group": "trip", "device": "press", "consequence_of": ("first",)},
    "follows": {"consequence_of": ("first", "latching")},
    "itself": {"auto_acknowledge": True, "chatter": 0},
    "again": {"re_alarm_s": 3.0, "stale_s": 6.0},
    "chatters": {"chatter": 3, "chatter_s": 20.0, "chatter_shelve_s": 5.0},
    "hidden_by": {"suppressed_by": ("first",)},
    "hidden_while": {"suppressing": ("stopped",), "device": "oven"},
    "safety": {"safety": True},
}
RULES = tuple(rule for name, b in BEHAVIOURS.items() for rule in b.get("rules", (name,)))  # type: ignore[union-attr]
STEERING = ("stopped",)


def definition() -> Definition:
    """Every behaviour an alarm can have, in every area."""
    alarms = {
        f"{area}:{name}": AlarmDefinition(
            **{"name": f"{i}_{name}", "area": area, "rules": (f"{i}_{name}",), **_own(i, behaviour)}  # type: ignore[arg-type]
        )
        for i, area in enumerate(AREAS)
        for name, behaviour in BEHAVIOURS.items()
    }
    policy = Policy(
        together=(Together(together="same device", by="device", within_s=5.0),
                  Together(together="trip", by="alarms", alarms=("*_f*",))),
        confirm_after=2, reopen_s=5.0, close_after_s=8.0, escalation="call",
        flood=Flood(above=10, below=5, window_s=10.0, digest_s=3.0),
    )  # fmt: skip
    day = Shift(shift="day", days=(0, 1, 2, 3, 4, 5, 6), begins="00:00", ends="00:00", persons=("anna",))
    return Definition(
        areas=AREAS, alarms={a.name: a for a in alarms.values()}, policies=dict.fromkeys(AREAS, policy),
        positions={"lead": Position(position="lead", shifts=(day,))},
        escalations={"call": Escalation(policy="call", steps=(Step(2.0, ("lead",)), Step(6.0, ("lead",))), rounds=2)},
    )  # fmt: skip


def _own(area: int, behaviour: dict[str, object]) -> dict[str, object]:
    """The behaviour with the names of the area: the alarms of a plant have names of their own."""
    named = {"rules", "consequence_of", "suppressed_by", "suppressing"}
    return {
        key: tuple(f"{area}_{name}" for name in value) if key in named and isinstance(value, tuple) else value
        for key, value in behaviour.items()
    }


class Source:
    """Says conditions as detection would, and asks as people would.

    Attributes: active: the occurrences whose condition holds, by area and rule; raised: the rule of all there were;
    requests: all that were asked.
    """

    def __init__(self, seed: int) -> None:
        self.active: dict[tuple[str, str], UUID] = {}
        self.raised: dict[UUID, str] = {}
        self.requests: list[ask.Request] = []
        self._random = random.Random(seed)
        self._number = 0
        self._chains = dict.fromkeys(range(PARTITIONS), -1)
        self._recent: dict[str, list[UUID]] = {area: [] for area in AREAS}

    def configure(self, at: datetime) -> Iterator[tuple[int, Record]]:
        given = definition()
        for partition in range(PARTITIONS):
            yield partition, Configure(given.version, at, "test", given.pack())

    def next(self, at: datetime) -> tuple[int, Record]:
        """One more input: its partition and the record."""
        self._number += 1
        area = self._random.choice(AREAS)
        if self._random.random() < 0.3 and self._recent[area]:
            request = self._request(area, at)
            self.requests.append(request)
            return partition_of(area), request
        cause = make_id("frame", self._number)
        events = tuple(
            event(self._condition(area, at), at=at, area=area, cause=cause, author="detection", index=i)
            for i in range(self._random.choice((1, 1, 2, 4)))
        )
        return partition_of(area), self._decision(area, events)

    def end(self, at: datetime) -> Iterator[tuple[int, Record]]:
        """All conditions but those of one area in two go back to normal; the last input of each partition is a request,
        whose answer says that all is decided."""
        for (area, rule), occurrence in list(self.active.items()):
            if AREAS.index(area) % 2:
                self._number += 1
                fact = ConditionCleared(occurrence=occurrence, rule=rule, point=f"{rule}.p", value=1.0)
                del self.active[area, rule]
                e = event(fact, at=at, area=area, cause=make_id("frame", self._number), author="detection", index=0)
                yield partition_of(area), self._decision(area, (e,))
        for partition, area in {partition_of(area): area for area in AREAS}.items():
            body = ask.AcknowledgeAlarm(alarm=make_id("nobody knows it"))
            last = ask.Request(id=make_id("last", partition), area=area, at=at, by="anna", role="operator",
                               expires=at + timedelta(minutes=10), body=body)  # fmt: skip
            self.requests.append(last)
            yield partition, last

    def _decision(self, area: str, events: tuple[Event, ...]) -> Decision:
        partition = partition_of(area)
        prev, self._chains[partition] = self._chains[partition], self._number
        return Decision(self._number, prev, -1, events)

    def _condition(self, area: str, at: datetime) -> ConditionFact:
        rule = f"{AREAS.index(area)}_{self._random.choice((*RULES, *STEERING))}"
        if (occurrence := self.active.pop((area, rule), None)) is not None:
            return ConditionCleared(occurrence=occurrence, rule=rule, point=f"{rule}.p", value=1.0)
        occurrence = make_id(area, rule, at.isoformat(), len(self.raised))
        self.active[area, rule] = occurrence
        steers = rule.partition("_")[2] in STEERING
        if not steers:
            self.raised[occurrence] = rule
            self._recent[area] = [*self._recent[area][-20:], occurrence]
        return ConditionRaised(
            occurrence=occurrence, rule=rule, rule_version="v1", kind="suppression" if steers else "limit",
            point=f"{rule}.p", priority=self._random.choice(PRIORITIES), message=f"{rule} too high", value=9.0,
            limit=8.0, unit="bar", began=at,
        )  # fmt: skip

    def _request(self, area: str, at: datetime) -> ask.Request:
        alarm, other = self._random.choice(self._recent[area]), self._random.choice(self._recent[area])
        incident, into = make_id("incident", alarm), make_id("incident", other)
        name = f"{AREAS.index(area)}_{self._random.choice(tuple(BEHAVIOURS))}"
        body = self._random.choice((
            ask.AcknowledgeAlarm(alarm=alarm), ask.AcknowledgeAlarm(alarm=alarm), ask.AcknowledgeAlarm(alarm=alarm),
            ask.AcknowledgeIncident(incident=incident), ask.Silence(), ask.ResetAlarm(alarm=alarm),
            ask.ShelveAlarm(name=name, reason="sensor", duration_s=4.0, one_shot=self._random.random() < 0.5),
            ask.UnshelveAlarm(name=name), ask.SuppressAlarm(name=name, reason="test", duration_s=3.0),
            ask.TakeOutOfService(device="oven", reason="seals", duration_s=3.0), ask.ReturnToService(device="oven"),
            ask.AssignIncident(incident=incident, to="anna"), ask.CommentIncident(incident=incident, text="seen"),
            ask.MergeIncidents(incident=incident, into=into, reason="one fault"),
            ask.SplitIncident(incident=incident, alarms=(alarm,), reason="another fault"),
            ask.CloseIncident(incident=incident, cause="seal", action="changed", useful=True),
            ask.ReopenIncident(incident=incident, reason="not done"),
        ))  # fmt: skip
        role = self._random.choice(("operator", "supervisor", "engineer", "auditor"))
        return ask.Request(id=make_id("request", self._number), area=area, at=at, by="anna", role=role,
                           expires=at + timedelta(minutes=10), body=body)  # fmt: skip
