"""What one relayed record changes in the alarms that the plant-wide area knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from events import alarms as said
from events.alarms import AlarmHeard
from events.envelope import Event

SHELVED, OUT, LATE, SUPPRESSED = "shelved", "out of service", "late", "suppressed "
UNKNOWN = f"{SUPPRESSED}before it was heard of"

RELAYED = (
    said.AlarmRaised | said.AlarmBecameLive | said.AlarmCleared | said.AlarmReannounced | said.AlarmShelved
    | said.AlarmUnshelved | said.AlarmSuppressed | said.AlarmUnsuppressed | said.AlarmTakenOutOfService
    | said.AlarmReturnedToService
)  # fmt: skip
"""The facts that matter here; the relay leaves the rest out."""


class Hearing:
    """Attributes: alarms: those that changed, as they are now, by name; raised: what was shown to an operator."""

    def __init__(self, known: Mapping[str, AlarmHeard], names: Mapping[UUID, str]) -> None:
        self.alarms: dict[str, AlarmHeard] = {}
        self.raised: list[tuple[str, UUID, datetime]] = []
        self._known, self._names = known, names
        self._new: dict[UUID, str] = {}

    def hear(self, event: Event) -> None:
        fact = event.fact
        match fact:
            case said.AlarmRaised(alarm=id_):
                name = fact.name or fact.rule
                before = self._of(name, event.area)
                overrides = _with(before.overrides, _hidden(fact.hidden, before.overrides))
                if fact.late:
                    overrides = _with(overrides, LATE)
                self._new[id_] = name
                self._put(replace(before, alarm=id_, active=True, overrides=overrides))
                if not overrides:
                    self.raised.append((event.area, id_, event.at))
            case said.AlarmBecameLive(alarm=id_):
                self._change(id_, dropped=LATE)
                known = self._by_id(id_)
                if known is not None and not known.overrides:
                    self.raised.append((event.area, id_, event.at))
            case said.AlarmReannounced(alarm=id_):
                if (known := self._by_id(id_)) is not None:
                    self._shown(known, (), event)  # whatever was heard of it
            case said.AlarmCleared(alarm=id_):
                if (known := self._by_id(id_)) is not None:
                    self._put(replace(known, active=False, overrides=_without(known.overrides, LATE)))
            case _:
                self._override(event)

    def _override(self, event: Event) -> None:
        match event.fact:
            case said.AlarmShelved(name=name):
                added, dropped = SHELVED, ""
            case said.AlarmUnshelved(name=name):
                added, dropped = "", SHELVED
            case said.AlarmTakenOutOfService(name=name):
                added, dropped = OUT, ""
            case said.AlarmReturnedToService(name=name):
                added, dropped = "", OUT
            case said.AlarmSuppressed(name=name, cause=cause):
                added, dropped = SUPPRESSED + cause, ""
            case said.AlarmUnsuppressed(name=name, cause=cause):
                added, dropped = "", SUPPRESSED + cause
            case _:
                return  # changes nothing that is counted
        known = self._of(name, event.area)
        overrides = _with(_without(known.overrides, dropped), added)
        if overrides != known.overrides:
            self._shown(known, overrides, event)

    def _shown(self, known: AlarmHeard, overrides: tuple[str, ...], event: Event) -> None:
        """These hide it now. If it was hidden, is not any more and is active, it is announced afresh."""
        if known.overrides and not overrides and known.active and known.alarm is not None:
            self.raised.append((event.area, known.alarm, event.at))
        self._put(replace(known, overrides=overrides))

    def _change(self, id_: UUID, dropped: str) -> None:
        if (known := self._by_id(id_)) is not None:
            self._put(replace(known, overrides=_without(known.overrides, dropped)))

    def _put(self, alarm: AlarmHeard) -> None:
        self.alarms[alarm.name] = alarm

    def _of(self, name: str, area: str) -> AlarmHeard:
        known = self.alarms.get(name) or self._known.get(name)
        return known if known is not None else AlarmHeard(name, area, None, False)

    def _by_id(self, id_: UUID) -> AlarmHeard | None:
        """The alarm whose last occurrence this is."""
        name = self._new.get(id_) or self._names.get(id_)
        known = None if name is None else self.alarms.get(name) or self._known.get(name)
        return known if known is not None and known.alarm == id_ else None


def _hidden(hidden: str, known: tuple[str, ...]) -> str:
    """The override that the fact tells of, if nothing was heard of it."""
    if hidden == "suppressed":
        return "" if any(o.startswith(SUPPRESSED) for o in known) else UNKNOWN
    return hidden


def _with(overrides: tuple[str, ...], one: str) -> tuple[str, ...]:
    return overrides if not one or one in overrides else (*overrides, one)


def _without(overrides: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(o for o in overrides if o != one)
