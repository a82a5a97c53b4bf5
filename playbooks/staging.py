"""A case as the script of a rehearsal: what people wrote, as facts with ids and times. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from devices.plant import Plant
from events import requests as ask
from events.alarms import AlarmCleared, AlarmRaised
from events.envelope import Fact
from events.incidents import AlarmGrouped, IncidentAcknowledged, IncidentClosed, IncidentOpened, IncidentResolved
from events.types import make_id
from playbooks import cases, plan
from playbooks.cases import Placed, number, seconds
from playbooks.script import BEGINS, Asks, Device, Happens, Person, Script, Shows, System

INCIDENT, FIRST = make_id("case", "incident"), make_id("case", "alarm", 0)
_T = TypeVar("_T")


def script(placed: Placed, book: plan.Playbook, plant: Plant) -> Script:
    """What the case says, for `rehearse`.

    Raises:
        ConfigError: a time or a point's value is none.
    """
    given, then = placed.case.given, placed.case.then
    happens = [Happens(0.0, tuple(_opens(given, plant)))] if given.incident or given.alarm else []
    asks = []
    if given.asked is not None:
        body: ask.RunRequest = ask.StartRun(playbook=book.playbook, incident=INCIDENT if given.incident else None)
        asks.append(Asks(0.0, given.asked.by, given.asked.role, body))
    shows = [Shows(0.0, _values(placed, "given.points", given.points, plant))]
    for i, event in enumerate(then):
        at_s = seconds(event.after)
        if facts := tuple(_facts(event, given, i, plant)):
            happens.append(Happens(at_s, facts))
        if event.points:
            shows.append(Shows(at_s, _values(placed, f"then[{i}].points", event.points, plant)))
        if event.ask == "stop acting":
            asks.append(Asks(at_s, event.by, event.role, ask.StopActing(reason=event.reason)))
    begins = _time(placed, given.at) if given.at else BEGINS
    return Script(
        area=book.area, happens=tuple(happens), asks=tuple(asks), shows=tuple(shows), begins=begins,
        devices={point: tuple(map(_device, _many(said))) for point, said in given.devices.items()},
        systems={step: tuple(map(_system, _many(said))) for step, said in given.systems.items()},
        people={step: tuple(map(_person, _many(said))) for step, said in given.people.items()},
        longest_s=86400.0 if given.at else 7 * 86400.0,
    )  # fmt: skip


def of_the_run(placed: Placed, run: UUID) -> Iterator[Asks]:
    """What people ask of the run itself, once it is known."""
    for event in placed.case.then:
        bodies: dict[str, ask.RunRequest] = {
            "cancel": ask.CancelRun(run=run, reason=event.reason), "pause": ask.PauseRun(run=run, reason=event.reason),
            "resume": ask.ResumeRun(run=run),
        }  # fmt: skip
        if event.ask in bodies:
            yield Asks(seconds(event.after), event.by, event.role, bodies[event.ask])


def _opens(given: cases.Given, plant: Plant, occurrence: UUID = FIRST) -> Iterator[Fact]:
    """The alarm; and the incident that it opens, or joins where it comes again."""
    said = given.incident or given.alarm
    assert said is not None
    name, unit = said.alarm or said.rule, said.unit
    if not unit and said.point in plant.points:
        unit = plant.points[said.point][1].unit
    yield AlarmRaised(
        alarm=occurrence, rule=said.rule, rule_version="", kind="case", point=said.point, priority=said.priority,
        message=said.title, value=said.value, limit=said.limit, unit=unit, began=BEGINS, name=name,
    )  # fmt: skip
    if given.incident is None:
        return
    if occurrence == FIRST:
        yield IncidentOpened(
            incident=INCIDENT, number=1, title=said.title, priority=said.priority, alarm=occurrence, rule=said.rule,
            point=said.point, name=name,
        )  # fmt: skip
    else:
        yield AlarmGrouped(
            incident=INCIDENT, alarm=occurrence, rule=said.rule, reason="it came again", point=said.point,
            priority=said.priority, name=name,
        )  # fmt: skip


def _facts(event: cases.Next, given: cases.Given, number: int, plant: Plant) -> Iterator[Fact]:
    if event.again:
        yield from _opens(given, plant, make_id("case", "alarm", number + 1))
    match event.incident:
        case "resolved":
            said = given.incident or given.alarm or cases.Incident()
            yield AlarmCleared(
                alarm=FIRST, value=None, rule=said.rule, name=said.alarm or said.rule,
                point=said.point, priority=said.priority,
            )  # fmt: skip
            yield IncidentResolved(incident=INCIDENT)
        case "closed":
            yield IncidentClosed(incident=INCIDENT, by=event.by, cause=event.reason, action="", useful=True)
        case "acknowledged":
            yield IncidentAcknowledged(incident=INCIDENT, by=event.by)
        case _:
            pass


def _values(placed: Placed, at: str, said: dict[str, float | str] | dict[str, float | str | None],
            plant: Plant) -> dict[str, float | None]:  # fmt: skip
    return {name: number(placed, f"{at}.{name}", name, value, plant) for name, value in said.items()}


def _time(placed: Placed, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise placed.error("given.at", f"'{text}' is no time: write 2026-01-05T06:00:00+01:00") from None
    if at.tzinfo is None:
        raise placed.error("given.at", f"'{text}' has no time zone: write {text}+01:00")
    return at


def _many(said: _T | list[_T]) -> list[_T]:
    return said if isinstance(said, list) else [said]


def _device(said: cases.Device) -> Device:
    after_s, reason = seconds(said.after), said.fails or said.refuses
    if said.silent:
        return Device("no answer", after_s=after_s)
    how = "fails" if said.fails else "refuses" if said.refuses else "does it"
    return Device(how, reason, after_s, said.reads)  # type: ignore[arg-type]  # one of the words


def _system(said: cases.System) -> System:
    return System(said.status, dict(said.result), said.fails, said.final, said.silent, seconds(said.after))


def _person(said: cases.Person) -> Person:
    ticked = None if said.ticked is None else tuple(said.ticked)
    return Person(said.by, said.answer, said.role, seconds(said.after), said.comment, ticked)
