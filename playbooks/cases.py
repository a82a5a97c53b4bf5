"""The author's own tests of a playbook: given this, expect that; told to the real engine, without any service.

    playbook: press_overpressure
    tests:
      - test: the valve opens and the shift lead is told
        given:
          incident: {rule: press_pressure.HH, point: press.pressure, priority: critical, title: Pressure is high}
          points: {press.pressure: 230}
          devices: {press.relief_valve: [{fails: no answer}, {after: 1s}]}
        then:
          - {after: 5s, points: {press.pressure: 100}}
        expect:
          outcome: completed
          commands: [press.relief_valve = open, press.relief_valve = open]
          messages: [{to: shift_lead, contains: Pressure is high}]

Files lie in `tests` beside the playbooks. Only the playbook itself is in force, with those that it comes after.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from config import duration, yamlfile
from config.duration import Duration
from config.yamlfile import ConfigError, Document
from devices.plant import Plant, Strict
from events.playbooks import RunOutcome, Scalar, StepOutcome
from events.requests import Role
from events.types import Priority
from playbooks import plan
from playbooks.tree import unknown


class Incident(Strict, frozen=True, kw_only=True):
    """An alarm that opens an incident; `alarm` instead: the alarm alone."""

    rule: str = "some_rule"
    alarm: str = ""
    """Its name, where that is not the rule's: `press_pressure.high`."""
    point: str = ""
    priority: Priority = "high"
    title: str = "Something is wrong"
    value: float | None = None
    limit: float | None = None
    unit: str = ""


class Asked(Strict, frozen=True, kw_only=True):
    """Somebody asks for the playbook, for this incident or for none."""

    by: str
    role: Role = "supervisor"


class Device(Strict, frozen=True, kw_only=True):
    """How a device takes one command: it does it, or `fails`, `refuses` with a reason, or is `silent`."""

    fails: str = ""
    refuses: str = ""
    silent: bool = False
    after: Duration = 0.1
    reads: float | None = None


class System(Strict, frozen=True, kw_only=True):
    """How another system takes one errand."""

    status: int = 200
    result: dict[str, Scalar] = field(default_factory=dict)
    fails: str = ""
    final: bool = False
    silent: bool = False
    after: Duration = 0.1


class Person(Strict, frozen=True, kw_only=True):
    """What somebody answers, so long after the question. `ticked`: without it all of the checklist."""

    by: str
    answer: str
    role: Role = "supervisor"
    after: Duration = 1.0
    comment: str = ""
    ticked: list[str] | None = None


class Given(Strict, frozen=True, kw_only=True):
    """What is so at the beginning, and who answers what. Devices by point, systems and people by step: the first takes
    the first attempt, the last one all further ones."""

    incident: Incident | None = None
    alarm: Incident | None = None
    asked: Asked | None = None
    at: str = ""
    """When it begins, "2026-01-05T06:00:00+01:00": for a schedule."""
    points: dict[str, float | str] = field(default_factory=dict)
    devices: dict[str, Device | list[Device]] = field(default_factory=dict)
    systems: dict[str, System | list[System]] = field(default_factory=dict)
    people: dict[str, Person | list[Person]] = field(default_factory=dict)


class Next(Strict, frozen=True, kw_only=True):
    """What happens so long after the beginning."""

    after: Duration
    points: dict[str, float | str | None] = field(default_factory=dict)
    incident: Literal["resolved", "closed", "acknowledged", ""] = ""
    again: bool = False
    """The alarm comes again."""
    ask: Literal["cancel", "pause", "resume", "stop acting", ""] = ""
    by: str = "anna"
    role: Role = "supervisor"
    reason: str = "the test says so"


class Message(Strict, frozen=True, kw_only=True):
    to: str = ""
    contains: str = ""
    priority: Priority | Literal[""] = ""


class Expect(Strict, frozen=True, kw_only=True):
    """What must come of it; what is not said may be anything. Lists are complete and in order; `steps` and `vars` name
    only what matters. A command: "press.relief_valve = open"; one that reads: "press.relief_valve?"."""

    outcome: RunOutcome | Literal["refused", "nothing"] | None = None
    detail: str = ""
    steps: dict[str, StepOutcome] = field(default_factory=dict)
    commands: list[str] | None = None
    messages: list[Message] | None = None
    questions: list[str] | None = None
    errands: list[str] | None = None
    escalated: list[str] | None = None
    runs: int | None = None
    within: Duration | None = None


class Case(Strict, frozen=True, kw_only=True):
    test: str
    given: Given
    then: list[Next] = field(default_factory=list)
    expect: Expect


class Beginning(Strict, frozen=True, kw_only=True):
    """What a dry run begins from: a case that expects nothing."""

    given: Given
    then: list[Next] = field(default_factory=list)


class CasesFile(Strict, frozen=True, kw_only=True):
    """One file of tests."""

    playbook: str
    tests: list[Case] = field(default_factory=list)


class Placed(Struct, frozen=True):
    """A case with its place. Attributes: number: in its file, from 0; -1: the file is this one case."""

    document: Document
    number: int
    case: Case
    playbook: str

    def error(self, path: str, reason: str) -> ConfigError:
        """At `path` within the case: "expect.commands[1]"."""
        return self.document.error(f"$.{path}" if self.number < 0 else f"$.tests[{self.number}].{path}", reason)


def read(
    paths: Iterable[Path], root: Path, plant: Plant, books: plan.PlaybookSet
) -> tuple[list[Placed], list[ConfigError]]:
    """The cases in these files, and what is wrong with them; of a file with a mistake none."""
    found: list[Placed] = []
    errors: list[ConfigError] = []
    known = {book.playbook for book in books.playbooks}
    for path in paths:
        try:
            document = yamlfile.read(path, root)
            file = document.into(CasesFile)
            if file.playbook not in known:
                raise document.error("$.playbook", unknown("playbook", file.playbook, known))
            placed = [Placed(document, i, case, file.playbook) for i, case in enumerate(file.tests)]
            if not placed:
                raise document.error("$", "it tests nothing: give it tests:")
            for case in placed:
                _check(case, plant)
        except ConfigError as error:
            errors.append(error)
        else:
            found += placed
    return found, errors


def _check(placed: Placed, plant: Plant) -> None:
    given, case = placed.case.given, placed.case
    sets = [name for name in ("incident", "alarm", "asked", "at") if getattr(given, name)]
    if not sets:
        raise placed.error("given", "what sets the playbook off? incident:, alarm:, asked: or at:")
    if case.expect == Expect():
        raise placed.error("expect", "it expects nothing: it could not fail")
    for name in given.devices:
        if name not in plant.points:
            raise placed.error(f"given.devices.{name}", unknown("point", name, plant.points))
    shown: list[tuple[str, str, float | str | None]] = []
    shown += [(f"given.points.{name}", name, value) for name, value in given.points.items()]
    shown += [(f"then[{i}].points.{n}", n, v) for i, n_ in enumerate(case.then) for n, v in n_.points.items()]
    for at, name, value in shown:
        number(placed, at, name, value, plant)
    for i, command in enumerate(case.expect.commands or ()):
        name, _, written = command.removesuffix("?").partition(" = ")
        number(placed, f"expect.commands[{i}]", name, None if command.endswith("?") else written, plant)


def number(placed: Placed, at: str, name: str, value: float | str | None, plant: Plant) -> float | None:
    """A value of a point: a number, or one of its states. A window over a point, "rate(line.parts, 6s)", has one, too.

    Raises:
        ConfigError: no such point or state.
    """
    name = name.partition("(")[2].partition(",")[0] or name
    if name not in plant.points:
        raise placed.error(at, unknown("point", name, plant.points))
    if value is None or isinstance(value, float | int):
        return value
    states = plant.points[name][1].states
    if value in states:
        return float(states[value])
    try:
        return float(value)
    except ValueError:
        what = unknown("state", value, states) if states else f"'{value}' is no number"
        raise placed.error(at, f"{name}: {what}") from None


def seconds(value: Duration) -> float:
    return duration.seconds(value)
