"""What the words of a request refer to, by the log: its current state and the definition that is in force."""

from __future__ import annotations

import difflib
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Text, cast, or_, select

from analytics import runs, standing
from analytics.run_rows import Question, Run
from desk import words
from desk.words import AlarmAt, IncidentAt, UnknownThingError, WordsError, WorkAt
from devices.plant import Plant, load_plant
from eventlog import tables as t
from events.requests import RequestBody
from events.topics import PLANT_WIDE
from incidents.definition import AlarmDefinition, Definition, unpack
from playbooks import plan

SHORTEST = 4
"""So many characters of an id must be given."""
NEWEST = 64
"""So many definitions are looked through, if need be: there is one for the plant and one for each edge."""
_STAGE = "incidents"
_KINDS = {"alarm": "alarm", "name": "alarm", "incident": "incident", "into": "incident"}


class InForce:
    """The alarms that the incidents stages decide by, in the plant and at the edges: of each area those of the newest
    definition that has it. Kept until the log has a newer one. Thread-safe."""

    def __init__(self) -> None:
        self._known: tuple[tuple[str, ...], frozenset[str]] = ((), frozenset())
        self._alarms: Mapping[str, AlarmDefinition] = {}
        self._lock = threading.Lock()

    def at(self, db: Connection, areas: frozenset[str]) -> Mapping[str, AlarmDefinition]:
        """By name, of these areas, at the moment of `db`; empty before the first definition was published."""
        c = t.configurations.c
        newest = select(c.version).where(c.stage == _STAGE).order_by(c.at.desc(), c.version).limit(NEWEST)
        versions = tuple(db.scalars(newest))
        with self._lock:
            if (versions, areas) != self._known:
                self._alarms, self._known = merged(_unpacked(db, versions), areas), (versions, areas)
            return self._alarms


def merged(definitions: Iterable[Definition], areas: frozenset[str]) -> dict[str, AlarmDefinition]:
    """The alarms of these areas, by name, from definitions of which the newest comes first; no more than it takes are
    looked at. Rules across areas are alarms of the plant-wide area."""
    missing, found = set(areas), dict[str, AlarmDefinition]()
    for definition in definitions:
        own = missing & set(definition.areas)
        found |= {name: alarm for name, alarm in definition.alarms.items() if alarm.area in own}
        for rule in definition.across:
            found.setdefault(rule.rule, AlarmDefinition(name=rule.rule, area=PLANT_WIDE, rules=(rule.rule,)))
        missing -= own
        if not missing:
            break
    return found


def _unpacked(db: Connection, versions: Iterable[str]) -> Iterator[Definition]:
    c = t.configurations.c
    for version in versions:
        yield unpack(db.execute(select(c.body).where(c.stage == _STAGE, c.version == version)).scalar_one())


def playbooks(db: Connection, areas: Iterable[str]) -> dict[str, plan.Playbook]:
    """Those in force, by name: of each area those of the newest configuration that has playbooks for it."""
    c = t.configurations.c
    bodies = select(c.body).where(c.stage == "playbooks").order_by(c.at.desc(), c.version).limit(NEWEST)
    missing, found = set(areas), dict[str, plan.Playbook]()
    for body in db.scalars(bodies):
        try:
            known = plan.unpack(body).playbooks
        except (zlib.error, msgspec.DecodeError):
            continue  # of a version that packed otherwise: what it had is not in force any more
        found |= {book.playbook: book for book in known if book.area in missing}
        missing -= {book.area for book in known}
        if not missing:
            break
    return found


class LogLookup:
    """`words.Lookup` at the moment of one connection."""

    def __init__(self, db: Connection, alarms: Mapping[str, AlarmDefinition], plant: Plant) -> None:
        self._db, self._alarms, self._plant = db, alarms, plant

    def alarm(self, name: str) -> AlarmAt | None:
        defined = self._alarms.get(name)
        newest = next(iter(standing.named(self._db, name, area=defined.area if defined else "")), None)
        if newest is None:
            return AlarmAt(defined.area, name, None) if defined else None
        over = newest.over or not (newest.active or newest.latched or not newest.acknowledged)
        return AlarmAt(newest.area, name, None if over else newest.alarm)

    def occurrence(self, id_: UUID) -> AlarmAt | None:
        found = standing.alarm(self._db, id_)
        return AlarmAt(found.area, found.name or found.rule, id_) if found else None

    def incident(self, id_: UUID) -> IncidentAt | None:
        i = t.incidents.c
        row = self._db.execute(select(i.area, i.number).where(i.incident == id_, i.opened_at.is_not(None))).first()
        return IncidentAt(row[0], id_, row[1]) if row else None

    def numbered(self, area: str, number: int) -> Sequence[IncidentAt]:
        i = t.incidents.c
        query = select(i.area, i.incident, i.number).where(i.number == number, i.opened_at.is_not(None))
        if area:
            query = query.where(or_(i.area == area, i.area.endswith(f"/{area}", autoescape=True)))
        return [IncidentAt(*row) for row in self._db.execute(query.order_by(i.area))]

    def device(self, device: str) -> str | None:
        found = self._plant.devices.get(device)
        return found.area if found is not None else None

    def playbook(self, name: str) -> str | None:
        book = playbooks(self._db, self._plant.areas).get(name)
        return None if book is None else book.area

    def runs(self, words: str) -> Sequence[WorkAt]:
        return [WorkAt(r.area, r.run, said_of(r)) for r in runs.find_runs(self._db, words)]

    def questions(self, words: str) -> Sequence[WorkAt]:
        found = runs.find_questions(self._db, words)
        return [WorkAt(q.area, q.question, f"{q.step} of {q.playbook}, {_asked(q)}") for q in found]

    def areas(self) -> frozenset[str]:
        return frozenset(self._plant.areas)

    def closest(self, field: str, fields: Mapping[str, Any]) -> str:
        """The name that comes closest to one that is not known; "" for none."""
        by_field: dict[str, Mapping[str, object]] = {
            "alarm": self._alarms, "device": self._plant.devices,
            "playbook": playbooks(self._db, self._plant.areas) if field == "playbook" else {},
        }  # fmt: skip
        known = by_field.get(field, {})
        asked = fields.get(field) or fields.get("name")
        if not isinstance(asked, str) or asked in known:
            return ""
        return next(iter(difflib.get_close_matches(asked, known, n=1)), "")

    def beginning(self, kind: str, start: str) -> list[UUID]:
        """The standing alarms, or the incidents, whose id begins so: two at most. For people who type."""
        if not SHORTEST <= len(start) < 36 or not all(c in "0123456789abcdef-" for c in start):
            return []
        table, whose = (
            (t.alarms, standing.STANDS) if kind == "alarm" else (t.incidents, t.incidents.c.area.is_not(None))
        )
        query = select(table.c[kind]).where(whose, cast(table.c[kind], Text).startswith(start)).limit(2)
        return list(self._db.scalars(query))


class AreasOnly:
    """`words.Lookup` that knows the plant's areas and nothing in them: for requests that need no more, so that hands
    off is said whether or not the log can be read."""

    def __init__(self, areas: Iterable[str]) -> None:
        self._areas = frozenset(areas)

    def areas(self) -> frozenset[str]:
        return self._areas

    def closest(self, field: str, fields: Mapping[str, Any]) -> str:
        return ""

    def alarm(self, name: str) -> AlarmAt | None:
        return None

    def occurrence(self, id_: UUID) -> AlarmAt | None:
        return None

    def incident(self, id_: UUID) -> IncidentAt | None:
        return None

    def numbered(self, area: str, number: int) -> Sequence[IncidentAt]:
        return ()

    def device(self, device: str) -> str | None:
        return None

    def playbook(self, name: str) -> str | None:
        return None

    def runs(self, words: str) -> Sequence[WorkAt]:
        return ()

    def questions(self, words: str) -> Sequence[WorkAt]:
        return ()


def everywhere(fields: Mapping[str, Any], areas: Iterable[str]) -> list[tuple[str, RequestBody]]:
    """The same request to each of the areas.

    Raises:
        WordsError: the fields are none.
    """
    lookup = AreasOnly(areas)
    return [understood({**fields, "area": area}, lookup) for area in sorted(lookup.areas())]


def understood(fields: Mapping[str, Any], lookup: LogLookup | AreasOnly) -> tuple[str, RequestBody]:
    """`words.body`, and the area is one of the plant: nobody answers for another.

    Raises:
        UnknownThingError, WordsError: as there.
    """
    try:
        area, body = words.body(fields, lookup)
    except UnknownThingError as error:
        close = lookup.closest(error.field, fields)
        if not close:
            raise
        raise UnknownThingError(error.field, f"{error.reason}; did you mean '{close}'?") from error
    areas = lookup.areas()
    if area != PLANT_WIDE and area not in areas:
        raise UnknownThingError("area", f"the plant has no area '{area}'; it has: {', '.join(sorted(areas))}")
    return area, body


def whole(field: str, value: Any, lookup: LogLookup) -> Any:
    """The whole id where the beginning of one was given; a name is what it is.

    Raises:
        WordsError: several begin so.
    """
    if field in ("alarms", "seen") and isinstance(value, list):
        return [whole("alarm", one, lookup) for one in value]
    kind = _KINDS.get(field)
    if kind is None or not isinstance(value, str) or not (found := lookup.beginning(kind, value)):
        return value
    if (kind == "alarm" and lookup.alarm(value) is not None) or (kind == "incident" and value.isdecimal()):
        return value
    if len(found) > 1:
        raise WordsError(field, f"more than one id begins with '{value}'")
    return str(found[0])


def said_of(run: Run) -> str:
    """How people tell the run from others."""
    incident = f" for {run.area}#{run.number}" if run.number is not None else ""
    return f"{run.playbook}{incident} of {run.started_at:%Y-%m-%d %H:%M:%S}, {run.phase}"


def _asked(question: Question) -> str:
    return f"asked {question.asked_at:%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=2)
def plant_of(folder: Path) -> Plant:
    """The plant of a published folder, which stays as it is: see `Instance.plant_in_force`."""
    return load_plant(folder)[0]
