"""What each fact changes in the alarms of an area. Never refuses: what the log says has happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec.structs import replace

from events import alarms as said
from events.envelope import Fact
from events.types import PRIORITIES
from incidents.alarm import Alarm, Level, Maintenance, Recent, Shelf, Suppression

if TYPE_CHECKING:
    from incidents.alarms import Alarms
    from incidents.thinking import Area


def evolve(alarms: Alarms, fact: Fact, at: datetime, area: Area) -> None:
    if change := _CHANGES.get(type(fact)):
        change(alarms, fact, at, area)


def device_of(point: str) -> str:
    """The device in a point's name, where no definition says which: `press.pressure` -> `press`."""
    return point.rpartition(".")[0]


def highest(levels: tuple[Level, ...], rules: tuple[str, ...]) -> Level:
    """The level that says what the alarm is now: the last one in the ladder, else the one of the highest priority."""
    return max(levels, key=lambda v: (rules.index(v.rule) if v.rule in rules else -1, PRIORITIES.index(v.priority)))


def _raised(alarms: Alarms, fact: said.AlarmRaised, at: datetime, area: Area) -> None:
    name = fact.name or fact.rule
    old = alarms.get(name)
    if old is not None and old.alarm is not None and old.alarm != fact.alarm:
        alarms.end(old.alarm, f"it came again at {at:%Y-%m-%d %H:%M:%S %Z}, and that one is not acknowledged by this")
    definition = area.index.of(area.name, name)
    before = () if old is None or not old.active else old.levels
    alarms.put(old, Alarm(
        name=name, alarm=fact.alarm, rule=fact.rule, point=fact.point,
        device=definition.device or device_of(fact.point), priority=fact.priority, message=fact.message,
        active=True, acknowledged=False, late=fact.late, first_out=fact.first_out, group=fact.group, raised_at=at,
        announced_at=at, levels=(*before, Level(fact.alarm, fact.rule, fact.priority, fact.message)),
        shelf=None if old is None else old.shelf,
        suppressions=() if old is None else old.suppressions,
        maintenance=None if old is None else old.maintenance,
    ), area)  # fmt: skip
    if not fact.late:
        _count(alarms, name, at, area)


def _count(alarms: Alarms, name: str, at: datetime, area: Area) -> None:
    """One more raise, for chattering."""
    recent = alarms.recent.get(name) or Recent()
    keep = max(1, area.index.of(area.name, name).chatter)
    alarms.note(name, Recent((*recent.raises, at)[-keep:], recent.chattering), area)


def _level_changed(alarms: Alarms, fact: said.AlarmLevelChanged, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is None:
        return
    if fact.holds:
        levels = (*old.levels, Level(fact.condition, fact.rule, fact.own_priority, fact.own_message))
    else:
        levels = tuple(v for v in old.levels if v.condition != fact.condition)
        if fact.condition != fact.alarm:
            alarms.end(fact.condition, "that level is no longer reached")
    now, taken = PRIORITIES.index(fact.priority), old.taken
    if taken is not None and not fact.holds and now < PRIORITIES.index(taken):
        taken = fact.priority  # the level that was acknowledged is gone: when it comes again, it is new
    rises = now > PRIORITIES.index(old.priority)
    new = replace(
        old, levels=levels, priority=fact.priority, message=fact.message, taken=taken,
        rule=highest(levels, area.index.of(area.name, old.name).rules).rule if levels else old.rule,
        silenced=old.silenced and not rises,
    )  # fmt: skip
    if fact.again:
        new = replace(new, acknowledged=False, announced_at=at)
    alarms.put(old, new, area)
    if fact.again:
        _count(alarms, old.name, at, area)


def _cleared(alarms: Alarms, fact: said.AlarmCleared, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is None:
        return
    for level in old.levels:
        if level.condition != fact.alarm:
            alarms.end(level.condition, "that level is no longer reached")
    new = replace(old, active=False, levels=(), latched=fact.latched)
    if fact.ringback:
        new = replace(new, acknowledged=False, silenced=False)
    alarms.put(old, new, area)


def _occurrence(**changes: object) -> Callable[[Alarms, Any, datetime, Area], None]:
    """A fact about an occurrence that sets these fields."""

    def change(alarms: Alarms, fact: Any, at: datetime, area: Area) -> None:
        id_: UUID = fact.alarm
        if (old := alarms.of(id_)) is not None:
            alarms.put(old, replace(old, **changes), area)

    return change


def _acknowledged(alarms: Alarms, fact: said.AlarmAcknowledged, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is not None:
        alarms.put(old, replace(old, acknowledged=True, taken=old.priority), area)


def _became_live(alarms: Alarms, fact: said.AlarmBecameLive, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is not None:
        alarms.put(old, replace(old, late=False, announced_at=at), area)


def _reannounced(alarms: Alarms, fact: said.AlarmReannounced, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is not None:
        new = replace(old, acknowledged=False, silenced=False, taken=None, announced_at=at, times=fact.times)
        alarms.put(old, new, area)


def _held_back(alarms: Alarms, fact: said.AlarmHeldBack, at: datetime, area: Area) -> None:
    if (old := alarms.of(fact.alarm)) is not None:
        alarms.put(old, replace(old, behind=fact.behind), area)


# --- overrides -------------------------------------------------------------------------------------------------------


def _named(change: Callable[[Alarm, Any], Alarm]) -> Callable[[Alarms, Any, datetime, Area], None]:
    """A fact about an alarm, whatever its occurrence."""

    def taken(alarms: Alarms, fact: Any, at: datetime, area: Area) -> None:
        name: str = fact.name
        old = alarms.get(name)
        if (known := old) is None:
            definition = area.index.of(area.name, name)
            known = Alarm(name=name, device=definition.device, point=definition.point)
        alarms.put(old, change(known, fact), area)

    return taken


def _shelved(alarm: Alarm, fact: said.AlarmShelved) -> Alarm:
    return replace(alarm, shelf=Shelf(fact.by, fact.reason, fact.until, fact.one_shot))


def _unshelved(alarm: Alarm, fact: said.AlarmUnshelved) -> Alarm:
    return replace(alarm, shelf=None)


def _suppressed(alarm: Alarm, fact: said.AlarmSuppressed) -> Alarm:
    others = tuple(s for s in alarm.suppressions if s.cause != fact.cause)
    return replace(alarm, suppressions=(*others, Suppression(fact.cause, fact.by, fact.reason, fact.until)))


def _unsuppressed(alarm: Alarm, fact: said.AlarmUnsuppressed) -> Alarm:
    return replace(alarm, suppressions=tuple(s for s in alarm.suppressions if s.cause != fact.cause))


def _taken_out(alarm: Alarm, fact: said.AlarmTakenOutOfService) -> Alarm:
    return replace(alarm, maintenance=Maintenance(fact.by, fact.reason, fact.until, fact.device))


def _returned(alarm: Alarm, fact: said.AlarmReturnedToService) -> Alarm:
    return replace(alarm, maintenance=None)


def _chattering(alarms: Alarms, fact: said.AlarmChattering, at: datetime, area: Area) -> None:
    alarms.note(fact.name, replace(alarms.recent.get(fact.name, Recent()), chattering=True), area)


def _settled(alarms: Alarms, fact: said.AlarmSettled, at: datetime, area: Area) -> None:
    alarms.note(fact.name, replace(alarms.recent.get(fact.name, Recent()), chattering=False), area)


# --- devices and conditions that make no alarm -----------------------------------------------------------------------


def _noted(alarms: Alarms, fact: said.ConditionNoted, at: datetime, area: Area) -> None:
    if fact.holds:
        alarms.noted[fact.condition] = (fact.rule, fact.kind)
    else:
        alarms.noted.pop(fact.condition, None)
        alarms.end(fact.condition, "it makes no alarm")


def _locked_out(alarms: Alarms, fact: said.DeviceLockedOut, at: datetime, area: Area) -> None:
    alarms.lock(fact.device, Maintenance(fact.by, fact.reason, fact.until, fact.device), area)


def _released(alarms: Alarms, fact: said.DeviceReleased, at: datetime, area: Area) -> None:
    alarms.lock(fact.device, None, area)


_CHANGES: dict[type, Callable[[Alarms, Any, datetime, Area], None]] = {
    said.AlarmRaised: _raised,
    said.AlarmBecameLive: _became_live,
    said.AlarmLevelChanged: _level_changed,
    said.AlarmAcknowledged: _acknowledged,
    said.AlarmCleared: _cleared,
    said.AlarmReset: _occurrence(latched=False),
    said.AlarmReannounced: _reannounced,
    said.AlarmSilenced: _occurrence(silenced=True),
    said.AlarmStale: _occurrence(stale=True),
    said.AlarmHeldBack: _held_back,
    said.AlarmReleased: _occurrence(behind=""),
    said.AlarmShelved: _named(_shelved),
    said.AlarmUnshelved: _named(_unshelved),
    said.AlarmSuppressed: _named(_suppressed),
    said.AlarmUnsuppressed: _named(_unsuppressed),
    said.AlarmTakenOutOfService: _named(_taken_out),
    said.AlarmReturnedToService: _named(_returned),
    said.AlarmChattering: _chattering,
    said.AlarmSettled: _settled,
    said.ConditionNoted: _noted,
    said.DeviceLockedOut: _locked_out,
    said.DeviceReleased: _released,
}
