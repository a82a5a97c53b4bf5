"""What follows when an alarm appears to the operator or disappears: others are suppressed by it, held back behind it,
grouped with it. Pure.

Suppression by design: an alarm's `suppressed_by` names alarms that hide it while they are active and shown themselves;
its `suppressing` names rules of kind "suppression". Several causes may hold; it is hidden while any does. Never hidden
by design are a safety alarm, and an alarm by what follows from it (`Index.suppressed_by`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.alarms import AlarmReannounced, AlarmSuppressed, AlarmUnsuppressed
from incidents import flood, incident

if TYPE_CHECKING:
    from incidents.thinking import Thinking

Path = tuple[str, ...]
"""Names of alarms of which each changed because of the one before: none of them changes twice, whatever the design."""


def appears(t: Thinking, name: str, reason: str, path: Path = ()) -> None:
    """The alarm is active and may have become visible: raised, seen live, or announced afresh."""
    alarm = t.area.alarms.get(name)
    if alarm is None or alarm.late or alarm.hidden or not alarm.active:
        return
    flood.shown(t, name)
    alarm = t.area.alarms.get(name)
    assert alarm is not None, name
    incident.announced(t, alarm, reason)
    steer(t, name, path)


def disappears(t: Thinking, name: str, path: Path = ()) -> None:
    """The alarm is no longer active, or no longer visible."""
    steer(t, name, path)
    flood.gone(t, name)


def uncovered(t: Thinking, name: str, reason: str, path: Path = ()) -> None:
    """An override of the alarm has ended: if it was the last and the alarm is active, it is announced afresh."""
    alarm = t.area.alarms.get(name)
    if alarm is None or alarm.alarm is None or alarm.hidden or not alarm.active:
        return
    if not alarm.late:
        t.say(AlarmReannounced(alarm=alarm.alarm, times=alarm.times + 1, reason=reason))
    appears(t, name, reason, path)


def steer(t: Thinking, name: str, path: Path = ()) -> None:
    """Hide the alarms that this one suppresses while it is active and shown; end that when it is not."""
    targets = t.index.suppressed_by(t.name, name)
    if not targets:
        return
    alarm = t.area.alarms.get(name)
    effective = alarm is not None and alarm.active and not alarm.hidden and not alarm.late
    for target in targets:
        if target in path:
            continue
        if effective and not names_the_cause(t, target, name):
            suppress(t, target, f"alarm {name}", f"alarm {name} is active", (*path, name))
        elif not effective:
            why = alarm.hidden if alarm is not None and alarm.active and alarm.hidden else "gone"
            release(t, target, f"alarm {name}", f"alarm {name} is {why}", (*path, name))


def names_the_cause(t: Thinking, target: str, suppressor: str) -> bool:
    """Whether the target is the first one of the group in which the suppressor came later."""
    alarm, group = t.area.alarms.get(target), t.index.of(t.name, suppressor).group
    return alarm is not None and alarm.first_out and alarm.group == group and alarm.active


def suppress(t: Thinking, name: str, cause: str, reason: str, path: Path = ()) -> None:
    """This cause holds from here on; nothing if it does already."""
    alarm = t.area.alarms.get(name)
    if alarm is not None and any(s.cause == cause for s in alarm.suppressions):
        return
    was_shown = alarm is not None and not alarm.hidden
    t.say(AlarmSuppressed(name=name, cause=cause, reason=reason))
    if was_shown:
        disappears(t, name, path)


def release(t: Thinking, name: str, cause: str, reason: str, path: Path = ()) -> None:
    """This cause no longer holds; nothing if it did not."""
    alarm = t.area.alarms.get(name)
    if alarm is None or all(s.cause != cause for s in alarm.suppressions):
        return
    t.say(AlarmUnsuppressed(name=name, cause=cause, reason=reason))
    uncovered(t, name, "no longer suppressed", path)
