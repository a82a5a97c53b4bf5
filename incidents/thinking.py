"""One input of one area, being decided. Pure: what is said is taken over by a draft, so that the next thought sees it.

The parts of an area (`alarms`, `floods`, `incidents`, `escalations`, `plantwide`) have the same shape:

    part.draft()                    a copy to think ahead in, at no cost however much stands; it has no agenda
    part.adopt(draft, area)         become what the draft is, which is a fresh one then
    part.evolve(fact, at, area)     take a fact over; never refuses; `area` is the whole, for what a part looks up there
    part.due                        when it next has something to say by itself (`Tick`)
    part.rebuild(area)              make the agenda anew: after a load, and when the definition changed
    part.save() / Part.load(saved)  its state as a msgspec struct
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from events.envelope import Fact
from incidents.alarms import Alarms
from incidents.definition import Definition, Policy
from incidents.escalation import Escalations
from incidents.flood import Floods
from incidents.incident import Incidents
from incidents.index import Index
from incidents.plantwide import Plantwide


@dataclass(slots=True)
class Area:
    """What is known of one area. Attributes: name: of it; index: the definition in force."""

    name: str
    index: Index
    alarms: Alarms = field(default_factory=Alarms)
    floods: Floods = field(default_factory=Floods)
    incidents: Incidents = field(default_factory=Incidents)
    escalations: Escalations = field(default_factory=Escalations)
    plantwide: Plantwide = field(default_factory=Plantwide)
    _draft: Area | None = None

    @property
    def definition(self) -> Definition:
        return self.index.definition

    @property
    def policy(self) -> Policy:
        return self.index.policy(self.name)

    def draft(self) -> Area:
        """A copy to think ahead in. It is handed out once; `adopt` gives it back, for the next thought."""
        draft, self._draft = self._draft, None
        return draft or Area(
            self.name, self.index, self.alarms.draft(), self.floods.draft(), self.incidents.draft(),
            self.escalations.draft(), self.plantwide.draft(),
        )  # fmt: skip

    def adopt(self, draft: Area) -> None:
        """Become what the draft is: as if evolved by all that was said in it."""
        self.alarms.adopt(draft.alarms, self)
        self.floods.adopt(draft.floods, self)
        self.incidents.adopt(draft.incidents, self)
        self.escalations.adopt(draft.escalations, self)
        self.plantwide.adopt(draft.plantwide, self)
        self._draft = draft

    def evolve(self, fact: Fact, at: datetime) -> None:
        """Take a fact over: alarms first, as the other parts look at what they became."""
        self._draft = None
        self.alarms.evolve(fact, at, self)
        self.floods.evolve(fact, at, self)
        self.incidents.evolve(fact, at, self)
        self.escalations.evolve(fact, at, self)
        self.plantwide.evolve(fact, at, self)

    def configure(self, index: Index) -> None:
        """From here on the area is decided by this definition; its state stays."""
        self.index = index
        self.rebuild()

    def rebuild(self) -> None:
        self._draft = None
        for part in (self.alarms, self.floods, self.incidents, self.escalations, self.plantwide):
            part.rebuild(self)

    @property
    def due(self) -> datetime | None:
        """When the area next has something to say by itself."""
        parts = (self.alarms, self.floods, self.incidents, self.escalations, self.plantwide)
        dues = [due for part in parts if (due := part.due) is not None]
        return min(dues) if dues else None


@dataclass(slots=True)
class Thinking:
    """Attributes:
    area: the draft. Look things up through it each time: what was held before a `say` may be old after it.
    now: the newest tick. at: time of the facts.
    by: the person who asks, "" when nobody does.
    facts: said so far.
    """

    area: Area
    now: datetime
    at: datetime
    by: str = ""
    facts: list[Fact] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.area.name

    @property
    def index(self) -> Index:
        return self.area.index

    @property
    def definition(self) -> Definition:
        return self.area.index.definition

    @property
    def policy(self) -> Policy:
        return self.area.index.policy(self.area.name)

    def say(self, fact: Fact) -> None:
        """It happens: the draft evolves at once."""
        self.facts.append(fact)
        self.area.evolve(fact, self.at)
