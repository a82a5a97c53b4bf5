"""What was said, in numbers: alarms an hour and a position, minutes of flood, incidents, commands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from events.alarms import AlarmRaised, FloodBegan, FloodEnded
from events.envelope import Event
from events.incidents import IncidentOpened, IncidentResolved
from events.playbooks import CommandIssued
from events.types import EPOCH, Instant
from incidents.definition import Position, any_of
from replay.told import Told


class Incident(Struct, frozen=True):
    """Attributes: rule, point: of the alarm that opened it; resolved_at: None: not between the two times."""

    incident: UUID
    area: str
    title: str
    priority: str
    rule: str
    point: str
    opened_at: Instant
    resolved_at: Instant | None = None


class Command(Struct, frozen=True):
    """A command that would have gone out. Attributes: author: playbook and version."""

    command: UUID
    at: Instant
    area: str
    point: str
    value: float
    step: str
    author: str

    def __str__(self) -> str:
        return f"{self.point} = {self.value:g} (step {self.step} of {self.author})"


class Figures(Struct, frozen=True):
    """Attributes:
    name: whose they are; alarms: shown to an operator, live; by_hour: the hour's begin -> alarms in it.
    an_hour: mean; by_position: alarms an hour in the areas of each; busiest: most alarms in ten minutes.
    floods: (scope, begin, end); flood_minutes: of all of them, each minute of the plant once.
    """

    name: str
    alarms: int
    an_hour: float
    busiest: int
    by_hour: dict[str, int]
    by_position: dict[str, float]
    by_priority: dict[str, int]
    flood_minutes: float
    floods: tuple[tuple[str, Instant, Instant], ...]
    incidents: tuple[Incident, ...]
    commands: tuple[Command, ...]


def count(told: Told, positions: Mapping[str, Position]) -> Figures:
    events = sorted(told.events(), key=lambda e: e.at)
    raised = [(e, e.fact) for e in events if isinstance(e.fact, AlarmRaised) and not e.fact.late and not e.fact.hidden]
    times = [e.at for e, _ in raised]
    hours = max((told.until - told.since).total_seconds() / 3600, 1e-9)
    hour = Counter(at.replace(minute=0, second=0, microsecond=0).isoformat() for at in times)
    areas = Counter(e.area for e, _ in raised)
    floods = _floods(events, told.since, told.until)
    return Figures(
        name=told.name, alarms=len(raised), an_hour=len(raised) / hours, busiest=_busiest(times), by_hour=dict(hour),
        by_position={
            name: sum(n for area, n in areas.items() if any_of(position.areas, area)) / hours
            for name, position in sorted(positions.items())
        },
        by_priority=dict(Counter(fact.priority for _, fact in raised)),
        flood_minutes=_minutes(floods), floods=tuple(floods), incidents=tuple(_incidents(events)),
        commands=tuple(
            Command(f.command, e.at, e.area, f.point, f.value, f.step, f.author)
            for e in events if isinstance(f := e.fact, CommandIssued) and f.kind == "write"
        ),
    )  # fmt: skip


def _busiest(times: list[datetime]) -> int:
    most = first = 0
    for i, at in enumerate(times):
        while at - times[first] >= timedelta(minutes=10):
            first += 1
        most = max(most, i - first + 1)
    return most


def _floods(events: list[Event], since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
    """Those of areas and positions, cut at both ends."""
    open_: dict[str, datetime] = {}
    out: list[tuple[str, datetime, datetime]] = []
    for e in events:
        match e.fact:
            case FloodBegan(scope=scope):
                open_[f"{e.area} {scope}"] = e.at
            case FloodEnded(scope=scope, since=began):
                name = f"{e.area} {scope}"
                out.append((name, max(open_.pop(name, began), since), e.at))
            case _:
                pass
    return sorted([*out, *((name, began, until) for name, began in open_.items())], key=lambda f: f[1])


def _minutes(floods: list[tuple[str, datetime, datetime]]) -> float:
    total, reached = timedelta(), EPOCH
    for _, begin, end in floods:
        total += max(end - max(begin, reached), timedelta())
        reached = max(reached, end)
    return total.total_seconds() / 60


def _incidents(events: list[Event]) -> list[Incident]:
    opened: dict[UUID, Incident] = {}
    resolved: dict[UUID, datetime] = {}
    for e in events:
        match e.fact:
            case IncidentOpened() as f:
                opened[f.incident] = Incident(
                    f.incident, e.area, f.title, f.priority, f.rule, f.point or "", e.at
                )  # fmt: skip
            case IncidentResolved(incident=id_):
                resolved[id_] = e.at
            case _:
                pass
    return [
        Incident(i.incident, i.area, i.title, i.priority, i.rule, i.point, i.opened_at, resolved.get(i.incident))
        for i in opened.values()
    ]
