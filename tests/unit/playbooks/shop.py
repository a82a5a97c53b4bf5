"""A press shop whose incidents and edges speak in short, for the stories of its playbooks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from devices.plant import Plant, load_plant
from events.alarms import AlarmLevelChanged, AlarmRaised, DeviceLockedOut, DeviceReleased
from events.devices import CommandFailed, CommandOutcome, CommandRefused, CommandSucceeded
from events.envelope import Configure, Decision, Event, Fact, Reported
from events.incidents import AlarmGrouped, IncidentMerged, IncidentOpened, IncidentReopened, IncidentResolved
from events.playbooks import CommandIssued
from events.types import Priority, make_id
from playbooks.brain import PlaybooksBrain
from playbooks.loading import load
from playbooks.plan import Playbook, PlaybookSet
from tests.unit.incidents.rig import Rig, at

PRESS = "shop/press"
EXAMPLE = Path(__file__).parents[3] / "examples" / "press-shop"
PLAIN = Path(__file__).parent / "plain"
"""Playbooks of a few steps for the example plant."""


@cache
def plant() -> Plant:
    return load_plant(EXAMPLE)[0]


@cache
def examples() -> PlaybookSet:
    books, errors = load(PLAIN, plant())
    assert not errors
    return books


def example(name: str) -> Playbook:
    return next(b for b in examples().playbooks if b.playbook == name)


def incident(number: int) -> UUID:
    return make_id("incident", number)


def alarm(number: int, rule: str, occurrence: int = 0) -> UUID:
    return make_id("alarm", number, rule, occurrence) if occurrence else make_id("alarm", number, rule)


class Shop(Rig):
    def __init__(self, *books: Playbook) -> None:
        super().__init__(PlaybooksBrain)
        self.books = PlaybookSet(books, examples().devices) if books else examples()
        self.configure(self.books)

    def configure(self, books: PlaybookSet, when: float = 0) -> list[Fact]:
        return self.give(Configure(books.version, at(when), "test", books.pack()))

    def opened(self, number: int, when: float, rule: str = "press_pressure.HH", priority: Priority = "critical",
               area: str = PRESS):  # fmt: skip
        fact = IncidentOpened(incident=incident(number), number=number, title="Pressure very high", priority=priority,
                              alarm=make_id("alarm", number), rule=rule, point="press.pressure")  # fmt: skip
        return self.give(said(fact, when=when, area=area))

    def joined(self, number: int, when: float, rule: str, priority: Priority = "critical", *, occurrence: int = 0,
               opening: int = 1):  # fmt: skip
        """One more alarm of the incident, and the facts that go before it in the same decision."""
        return self.give(said(*self._joining(number, when, rule, priority, occurrence, opening), when=when))

    def reopened(self, number: int, when: float, rule: str, opening: int, *, occurrence: int = 0):
        reopened = IncidentReopened(
            incident=incident(number), opening=opening, by="", reason="within 15 min",
            alarm=alarm(number, rule, occurrence), rule=rule, point="press.pressure",
        )  # fmt: skip
        raised, grouped = self._joining(number, when, rule, "critical", occurrence, opening)
        return self.give(said(raised, reopened, grouped, when=when))

    def rises(self, number: int, when: float, rule: str, *, occurrence: int = 0, holds: bool = True):
        """One more level of a ladder of the incident's first alarm."""
        changed = AlarmLevelChanged(
            alarm=make_id("alarm", number), condition=make_id(rule, occurrence), rule=rule, rule_version="v1",
            holds=holds, priority="critical", message="Pressure very high", value=None, limit=None,
            point="press.pressure", name="press_pressure.high", belongs_to=incident(number), own_priority="critical",
        )  # fmt: skip
        return self.give(said(changed, when=when))

    def merged(self, number: int, into: int, when: float, rule: str):
        merged = IncidentMerged(incident=incident(number), into=incident(into), by="anna", reason="one fault")
        grouped = AlarmGrouped(incident=incident(into), alarm=make_id("alarm", number), rule=rule, reason="merged",
                               point="press.pressure", priority="critical")  # fmt: skip
        return self.give(said(merged, grouped, when=when))

    def split(self, number: int, to: int, when: float, rule: str):
        opened = IncidentOpened(incident=incident(to), number=to, title="Split", priority="critical", rule=rule,
                                alarm=make_id("alarm", number), point="press.pressure",
                                split_from=incident(number))  # fmt: skip
        grouped = AlarmGrouped(incident=incident(to), alarm=make_id("alarm", number), rule=rule, reason="split",
                               point="press.pressure", priority="critical")  # fmt: skip
        return self.give(said(opened, grouped, when=when))

    def resolved(self, number: int, when: float, opening: int = 1):
        return self.give(said(IncidentResolved(incident=incident(number), opening=opening), when=when))

    def locked_out(self, device: str, when: float, reason: str = "new seals"):
        locked = DeviceLockedOut(device=device, by="anna", reason=reason, until=at(when + 3600))
        return self.give(said(locked, when=when))

    def released(self, device: str, when: float):
        return self.give(said(DeviceReleased(device=device, by="anna", reason="done"), when=when))

    def _joining(self, number: int, when: float, rule: str, priority: Priority, occurrence: int, opening: int):
        id_, (base, _, level) = alarm(number, rule, occurrence), rule.partition(".")
        name = f"{base}.{'low' if level.startswith('L') else 'high'}"
        raised = AlarmRaised(alarm=id_, rule=rule, rule_version="v1", kind="limit", point="press.pressure",
                             priority=priority, message="Joined", value=None, limit=None, unit="", began=at(when),
                             name=name)  # fmt: skip
        grouped = AlarmGrouped(incident=incident(number), alarm=id_, rule=rule, reason="same area", name=name,
                               point="press.pressure", priority=priority, opening=opening)  # fmt: skip
        return raised, grouped

    def obey(self, when: float) -> None:
        """Devices do all that is asked of them."""
        while self.brain.index.awaited:
            self.succeeds(self.command, when)

    def answer(self, outcome: CommandOutcome, when: float, area: str = PRESS):
        e = Event(make_id("answer", outcome, when), at(when), area, outcome.command, "edge edge-1", outcome)
        return self.give(Reported("edge-1:J", 1, (e,)))

    def succeeds(self, command: CommandIssued, when: float):
        return self.answer(succeeded(command), when)

    def fails(self, command: CommandIssued, when: float, reason: str = "no answer from the device"):
        return self.answer(
            CommandFailed(command=command.command, device=command.device, point=command.point, reason=reason), when
        )

    def refuses(self, command: CommandIssued, when: float, reason: str):
        return self.answer(
            CommandRefused(command=command.command, device=command.device, point=command.point, reason=reason), when
        )

    @property
    def command(self) -> CommandIssued:
        """The one that was issued last."""
        last: CommandIssued = self.all(CommandIssued)[-1]
        return last

    @property
    def running(self) -> list[str]:
        return [r.playbook for a in self.brain.areas.values() for r in a.runs.values()]


def said(*facts: Any, when: float, area: str = PRESS) -> Decision:
    """One decision of the incidents stage."""
    return Decision(0, -1, -1, tuple(
        Event(make_id("said", f, when, i), at(when), area, make_id("cause"), "incidents", f)
        for i, f in enumerate(facts)
    ))  # fmt: skip


def succeeded(command: CommandIssued) -> CommandSucceeded:
    return CommandSucceeded(command=command.command, device=command.device, point=command.point, value=command.value,
                            read_back=command.value, written_at=at(0), confirmed_at=at(0))  # fmt: skip
