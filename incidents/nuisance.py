"""Alarms that trouble more than they tell: chattering, fleeting, stale; and those that are announced again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.alarms import AlarmChattering, AlarmReannounced, AlarmSettled, AlarmShelved, AlarmStale
from incidents.alarm import Alarm
from incidents.definition import AlarmDefinition
from incidents.grouping import span
from incidents.visibility import disappears

if TYPE_CHECKING:
    from incidents.thinking import Thinking


A_WHILE_S = 150.0
"""How long an alarm stood is told in seconds below that, in minutes above [s]."""


def raised(t: Thinking, name: str) -> None:
    """The alarm was raised once more: does it chatter, and does its definition shelve it then?"""
    definition, recent = t.index.of(t.name, name), t.area.alarms.recent.get(name)
    if recent is None or recent.chattering or not 0 < definition.chatter <= len(recent.raises):
        return
    if recent.raises[-1] - recent.raises[0] > timedelta(seconds=definition.chatter_s):
        return
    times = len(recent.raises)
    t.say(AlarmChattering(name=name, times=times, within_s=definition.chatter_s))
    alarm = t.area.alarms.get(name)
    if definition.chatter_shelve_s and not definition.safety and alarm is not None and alarm.shelf is None:
        until = max(t.now, t.at) + timedelta(seconds=definition.chatter_shelve_s)
        reason = f"chattering: {times} times in {span(definition.chatter_s)}"
        t.say(AlarmShelved(name=name, by="", reason=reason, until=until))
        disappears(t, name)


def is_fleeting(alarm: Alarm, definition: AlarmDefinition, at: datetime) -> bool:
    """Whether it goes before anybody could act on it."""
    return not alarm.acknowledged and at - alarm.raised_at <= timedelta(seconds=definition.fleeting_s)


def due(t: Thinking, name: str) -> None:
    """What standing for long, or being quiet for long, has made due."""
    definition, alarm, recent = t.index.of(t.name, name), t.area.alarms.get(name), t.area.alarms.recent.get(name)
    quiet = recent is not None and t.now - recent.raises[-1] >= timedelta(seconds=definition.chatter_s)
    if recent is not None and recent.chattering and quiet:
        t.say(AlarmSettled(name=name))
    if alarm is None or alarm.alarm is None or not alarm.active or alarm.hidden or alarm.late:
        return
    stands = t.now - alarm.raised_at
    if definition.stale_s and not alarm.stale and stands >= timedelta(seconds=definition.stale_s):
        t.say(AlarmStale(alarm=alarm.alarm, since=alarm.raised_at))
    if not definition.re_alarm_s or alarm.behind:
        return
    if t.now - alarm.announced_at >= timedelta(seconds=definition.re_alarm_s):
        seconds = stands.total_seconds()
        reason = f"still active after {span(seconds if seconds < A_WHILE_S else 60 * round(seconds / 60))}"
        t.say(AlarmReannounced(alarm=alarm.alarm, times=alarm.times + 1, reason=reason))
