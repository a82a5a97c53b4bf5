"""The alarms and incidents of many areas, as a stage's brain: records in, events out. Pure; folds its own events.

Each input is thought through in a draft of its area (`incidents.thinking`): the alarms first, then what their facts
mean for the incidents, then whom to call. Its time is the newest tick it heard; that is not part of the state: a brain
rebuilt from its events is told it with them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, assert_never, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from events.alarms import ConditionFact, ConditionRaised, is_watch
from events.envelope import (
    Configure,
    Configured,
    Decision,
    Event,
    Fact,
    InputFailed,
    Record,
    Reported,
    Tick,
    configured,
    event,
)
from events.readings import Packed
from events.requests import AlarmRequest, Request, RequestRefused, RunRequest, ShelveAlarm
from events.topics import PLANT_WIDE, PLAYBOOKS, RELAY, partition_of
from events.types import EPOCH, Instant, make_id
from incidents import casework, escalation, flood, handover, incident, lifecycle, overrides, permissions, plantwide
from incidents.alarms import Alarms, SavedAlarms
from incidents.case import PLAYBOOK
from incidents.cases import Incidents, SavedIncidents
from incidents.definition import Definition, unpack
from incidents.errors import RefusedError
from incidents.escalation import Escalations, SavedEscalations
from incidents.flood import Floods, SavedFloods
from incidents.index import Index
from incidents.plantwide import Plantwide, SavedPlantwide
from incidents.thinking import Area, Thinking

STAGE = "incidents"
_STATELESS = (RequestRefused, InputFailed, *get_args(ConditionFact))
"""Facts that change no area."""
_ASKED = ("person ", PLAYBOOK)
"""How the authors begin of what was asked for."""
ANSWERED = 1024
"""So many requests are remembered, to know one that is sent again."""
AT_ONCE = 20_000
"""Facts of one tick; areas that it did not come to are due at the next. All must fit one record."""


class SavedArea(Struct, frozen=True, array_like=True):
    alarms: SavedAlarms
    floods: SavedFloods
    incidents: SavedIncidents
    escalations: SavedEscalations
    plantwide: SavedPlantwide


class Saved(Struct, frozen=True, array_like=True):
    """Attributes: body: the definition in force, packed; empty: not configured yet."""

    now: Instant
    version: str
    body: bytes
    areas: dict[str, SavedArea]
    answered: list[UUID]


_decode = msgspec.msgpack.Decoder(Saved).decode


class IncidentsBrain:
    """Attributes:
    areas: state of each area; decides: areas whose home is here (None: not configured yet, all of them: an alarm
        decided twice is better than one that is lost).
    partition: only areas of this partition get here; None: all do.
    """

    folds: ClassVar[bool] = True

    def __init__(self, partition: int | None = None) -> None:
        self.partition = partition
        self.areas: dict[str, Area] = {}
        self.decides: frozenset[str] | None = None
        self.version = ""
        self.now: datetime = EPOCH
        self.answered: dict[UUID, None] = {}
        self._body = b""
        self._index = Index(Definition(areas=()))
        self._said: list[Event] = []
        self._drafts: dict[str, Area] = {}
        """Of the areas in which `_said` was thought: what they become when it is taken over."""

    def decide(self, given: Record) -> list[Event]:
        self._drafts = {}
        self._said = self._decide(given)
        return self._said

    def _decide(self, given: Record) -> list[Event]:
        match given:
            case Decision(events=events):
                return self._conditions(events)
            case Tick():
                return self._tick(given)
            case Request():
                return self._request(given)
            case Configure():
                return self._configure(given)
            case Reported(source=source) if source.startswith(RELAY):
                return self._reported(given)
            case Reported(source=source, events=events) if source.startswith(PLAYBOOKS):
                return self._conditions(events)  # told again, each is known by its occurrence
            case Reported() | Packed():
                return []  # replies and frames concern other stages
            case _:
                assert_never(given)

    def evolve(self, events: Sequence[Event]) -> None:
        drafts, self._drafts = self._drafts, {}
        thought = bool(drafts) and events is self._said
        if thought:
            self._adopt(drafts)
        for e in events:
            fact = e.fact
            if isinstance(fact, Configured):
                self._configured(fact)
            elif not thought and not isinstance(fact, _STATELESS):
                self._area(e.area).evolve(fact, e.at)
            if isinstance(fact, RequestRefused) or e.author.startswith(_ASKED):
                self.answered[e.cause] = None
                if len(self.answered) > ANSWERED:
                    del self.answered[next(iter(self.answered))]

    def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
        """Nothing: this brain folds what was said."""
        return []

    def save(self) -> bytes:
        areas = {
            name: SavedArea(a.alarms.save(), a.floods.save(), a.incidents.save(), a.escalations.save(),
                            a.plantwide.save())
            for name, a in self.areas.items()
        }  # fmt: skip
        raw = msgspec.msgpack.encode(Saved(self.now, self.version, self._body, areas, list(self.answered)))
        return zlib.compress(raw, 1)  # what stands in a flood repeats itself, and a snapshot must fit one record

    def load(self, raw: bytes) -> None:
        saved = _decode(zlib.decompress(raw))
        self.now, self.version, self.answered = saved.now, saved.version, dict.fromkeys(saved.answered)
        self._body, self.decides = saved.body, None
        if saved.body:
            self._index = Index(unpack(saved.body))
            self.decides = frozenset(self._index.definition.areas)
        self.areas = {
            name: Area(name, self._index, Alarms.load(a.alarms), Floods.load(a.floods), Incidents.load(a.incidents),
                       Escalations.load(a.escalations), Plantwide.load(a.plantwide))
            for name, a in saved.areas.items()
        }  # fmt: skip
        for area in self.areas.values():
            area.rebuild()

    # --- the inputs ------------------------------------------------------------------------------------------------

    def _conditions(self, given: Sequence[Event]) -> list[Event]:
        out: list[Event] = []
        drafts: dict[str, Area] = {}
        for e in given:
            fact = e.fact
            if not isinstance(fact, ConditionFact):
                continue
            if isinstance(fact, ConditionRaised) and not self._is_here(e.area):
                continue  # of an alarm that stands here already the end is still taken
            if is_watch(fact):  # playbooks hear of it in one order with all else that they hear of the area
                if not (isinstance(fact, ConditionRaised) and fact.late):
                    out.append(e)
                continue
            if e.area not in drafts:  # the next of the area must see what this one changed
                drafts[e.area] = self._draft(e.area)
            t = Thinking(drafts[e.area], self.now, e.at)
            lifecycle.condition(t, fact)
            _conclude(t)
            out += self._events(t, e.id)
        return out

    def _tick(self, given: Tick) -> list[Event]:
        if given.at <= self.now:
            return []  # of a second owner: its facts would get the ids of those that the first one caused
        self.now = given.at
        out: list[Event] = []
        for name, area in self.areas.items():
            due = area.due
            if due is None or due > self.now or len(out) > AT_ONCE:
                continue
            t = Thinking(area.draft(), self.now, self.now)
            for part in (lifecycle, flood, plantwide, incident, handover):
                part.due(t)
            _conclude(t)
            escalation.due(t)
            out += self._events(t, given.id_for(name))
        return out

    def _request(self, given: Request) -> list[Event]:
        """Facts, or a refusal that says why; nothing for one that was answered before, or that an edge answers."""
        if given.id in self.answered or given.area in self._index.definition.elsewhere:
            return []
        at = max(self.now, given.at)
        try:
            t = self._asked(given, at)
        except RefusedError as error:
            refused = RequestRefused(request=given.id, by=given.by, reason=error.reason)
            return _events([refused], at=at, area=given.area, cause=given.id)
        return self._events(t, given.id)

    def _asked(self, given: Request, at: datetime) -> Thinking:
        """Raises: RefusedError."""
        if given.expires < self.now:
            raise RefusedError(f"expired: it was to be done by {given.expires.isoformat()}")
        if given.area not in self.areas and not self._is_here(given.area):
            raise RefusedError(f"area '{given.area}' is not decided here")
        body = given.body
        if isinstance(body, RunRequest):
            raise RefusedError(f"to {permissions.words(body)} is asked of the playbooks stage")
        of = self._index.of(given.area, body.name) if isinstance(body, ShelveAlarm) else None
        permissions.check(body, given.role, of)
        t = Thinking(self._draft(given.area), self.now, at, by=given.by)
        if isinstance(body, AlarmRequest):
            lifecycle.request(t, body)
        else:
            asked = casework.of_playbook(t, body) if given.role == "system" else body
            casework.request(t, asked, given.by)
        if not t.facts:
            raise RefusedError("it is so already")
        _conclude(t)
        return t

    def _reported(self, given: Reported) -> list[Event]:
        """What other areas say, for the rules across them."""
        t = Thinking(self._draft(PLANT_WIDE), self.now, max((e.at for e in given.events), default=self.now))
        plantwide.reported(t, given)
        _conclude(t)
        return self._events(t, make_id("reported", given.source, given.sequence))

    def _configure(self, given: Configure) -> list[Event]:
        if given.version == self.version:
            return []
        index = Index(unpack(given.body))  # refused here, by the exception, and not in `evolve`
        fact = configured(STAGE, given)
        cause = make_id("configure", STAGE, given.version, given.at.isoformat())  # a version may come back
        out = _events([fact], at=given.at, area="*", cause=cause)
        for name, area in self.areas.items():
            draft = area.draft()
            draft.index = index
            t = Thinking(draft, self.now, given.at)
            overrides.redesign(t)
            _conclude(t)
            out += _events(t.facts, at=given.at, area=name, cause=make_id(cause, name))
        return out

    def _events(self, t: Thinking, cause: UUID) -> list[Event]:
        """What was thought, as events."""
        if t.facts:
            self._drafts[t.name] = t.area
        return _events(t.facts, at=t.at, area=t.name, cause=cause, by=t.by)

    # --- the state -------------------------------------------------------------------------------------------------

    def _adopt(self, drafts: dict[str, Area]) -> None:
        for name, draft in drafts.items():
            if name in self.areas:
                self.areas[name].adopt(draft)
            else:
                self.areas[name] = draft  # a new one, see `_draft`

    def _configured(self, fact: Configured) -> None:
        self.version, self._body, self._index = fact.version, fact.body, Index(unpack(fact.body))
        self.decides = frozenset(self._index.definition.areas)
        for area in self.areas.values():
            area.configure(self._index)
        for name in self._index.definition.areas:
            if self.partition in (None, partition_of(name)):
                self._area(name).rebuild()

    def _area(self, name: str) -> Area:
        if name not in self.areas:
            self.areas[name] = Area(name, self._index)
        return self.areas[name]

    def _draft(self, name: str) -> Area:
        area = self.areas.get(name)
        return Area(name, self._index) if area is None else area.draft()

    def _is_here(self, area: str) -> bool:
        return self.decides is None or area in self.decides or area == PLANT_WIDE


def _conclude(t: Thinking) -> None:
    """What the facts so far mean for the incidents, and whom to call for that."""
    incident.settle(t)
    escalation.follow(t)


def _events(facts: Iterable[Fact], *, at: datetime, area: str, cause: UUID, by: str = "") -> list[Event]:
    """The facts of one cause with their ids, each counted within its author. Of a request the first is the author's own
    who asks, whatever it says: by that the request is known to be answered."""
    out: list[Event] = []
    count: dict[str, int] = {}
    for i, fact in enumerate(facts):
        own = "" if isinstance(fact, RequestRefused) else getattr(fact, "by", "")
        author = _author(by if by and i == 0 else own)
        index = count.get(author, 0)
        out.append(event(fact, at=at, area=area, cause=cause, author=author, index=index))
        count[author] = index + 1
    return out


def _author(by: str) -> str:
    """ "person anna", "playbook relieve"; the stage itself where nobody asked."""
    if by.startswith(PLAYBOOK):
        return by
    return f"person {by}" if by else STAGE
