"""What playbooks did for which incident: each cause is acted on anew, none twice, and its end undoes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import datetime, timedelta
from itertools import islice
from typing import cast
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.playbooks import RunRefused, RunsHandedOn, RunStarted, Scalar
from events.types import EPOCH, Instant, make_id

KNOWN = 4096
"""So many incidents of an area are remembered; those that have ended go first."""
_SEEN = 16
"""So many occurrences that set a playbook off are remembered, to know one that is told again."""
_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 60.0


class Past(Struct, frozen=True, array_like=True):
    """What a playbook did in one opening of an incident.

    Attributes: count: how often it began; began: when it did last; alarms, by: the occurrences that set it off, and the
    names that they go by (rule and alarm).
    """

    count: int = 0
    began: Instant = EPOCH
    alarms: tuple[UUID, ...] = ()
    by: tuple[str, ...] = ()

    @property
    def rested(self) -> datetime:
        """No sooner it begins again: 5 s after the last time, doubled each time up to a minute. A cause that comes
        back later than that is answered at once, a flapping one does not hammer the device."""
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(self.count - 1, 10), _LAST_PAUSE_S)
        return self.began + timedelta(seconds=pause_s)


class Known(Struct, frozen=True, array_like=True):
    """What was done for an incident in its newest opening.

    Attributes:
        about: what is known of it: "incident.title", "incident.number", "incident.priority".
        past: by playbook.
        owes: what ran for others, and is to be undone at this one's end.
        ended: it is resolved or merged.
        into: the incident that it was merged into.
    """

    about: dict[str, Scalar] = {}
    opening: int = 1
    past: dict[str, Past] = {}
    owes: tuple[str, ...] = ()
    ended: bool = False
    into: UUID | None = None

    @property
    def title(self) -> str:
        return str(self.about.get("incident.title", ""))

    @property
    def by(self) -> tuple[str, ...]:
        """The names of all alarms that set something off."""
        return tuple(dict.fromkeys(name for past in self.past.values() for name in past.by))

    @property
    def answers_for(self) -> tuple[str, ...]:
        """The playbooks whose doing is to be undone at its end."""
        ran = tuple(name for name, past in self.past.items() if past.count)
        return (*ran, *(name for name in self.owes if name not in ran))

    def in_opening(self, opening: int) -> Known:
        """As it is known in that opening; in a new one nothing was done yet, but what no end has undone is owed."""
        if opening <= self.opening:
            return self
        return Known(self.about, opening, owes=() if self.ended else self.answers_for)


Incidents = MutableMapping[UUID, Known]
"""The one that changed last is last."""


def seen(
    incidents: Incidents, incident: UUID, fact: RunStarted | RunRefused, about: dict[str, Scalar],
    began: datetime | None,
) -> None:  # fmt: skip
    """A playbook ran for the incident at `began`, or was refused."""
    known = incidents.get(incident, Known()).in_opening(fact.opening)
    past = known.past.get(fact.playbook, Past())
    alarms = (*past.alarms, *((fact.alarm,) if fact.alarm else ()))[-_SEEN:]
    by = tuple(dict.fromkeys((*past.by, *fact.by)))
    past = Past(past.count + (began is not None), began or past.began, alarms, by)
    known = replace(known, about={**about, **known.about}, past={**known.past, fact.playbook: past})
    _remember(incidents, incident, known)


def handed_on(incidents: Incidents, fact: RunsHandedOn) -> None:
    source = incidents.get(fact.incident, Known())
    if fact.why != "split":
        over = replace(source, ended=True, into=fact.to if fact.why == "merged" else None)
        _remember(incidents, fact.incident, over)
    if fact.to is None:
        return
    known = incidents.get(fact.to, Known()).in_opening(fact.opening)
    known = replace(known, about=known.about or source.about)
    if fact.why == "stands":
        known = replace(known, owes=tuple(dict.fromkeys((*known.owes, *fact.playbooks))))
    else:
        past = {**{name: source.past[name] for name in fact.playbooks if name in source.past}, **known.past}
        owed = (name for name in source.owes if name in fact.playbooks)
        known = replace(known, past=past, owes=tuple(dict.fromkeys((*known.owes, *owed))))
    _remember(incidents, fact.to, known)


def answering(incidents: Incidents, incident: UUID | None) -> UUID | None:
    """The incident that goes on with the story of this one: itself, unless it was merged."""
    ways = set()
    while incident is not None and incident not in ways:
        ways.add(incident)
        known = incidents.get(incident)
        if known is None or known.into is None or known.into in ways:
            break
        incident = known.into
    return incident


def standing(incidents: Incidents) -> Iterator[tuple[UUID, Known]]:
    """Those that have not ended, the newest first."""
    newest = reversed(cast("dict[UUID, Known]", incidents))  # or a layer over one
    return ((incident, incidents[incident]) for incident in newest if not incidents[incident].ended)


def run_id(incident: UUID, playbook: str, opening: int, alarm: UUID | None, *, again: bool) -> UUID:
    """As `RunStarted` says."""
    parts: tuple[object, ...] = (incident, playbook)
    if opening > 1 or again:
        parts += (opening,)
    if again:
        parts += (alarm,)
    return make_id("run", *parts)


def _remember(incidents: Incidents, incident: UUID, known: Known) -> None:
    incidents.pop(incident, None)
    incidents[incident] = known
    if len(incidents) > KNOWN:
        oldest = list(islice(incidents, 64))
        del incidents[next((id_ for id_ in oldest if incidents[id_].ended), oldest[0])]
