"""The life of an alarm, by ISA-18.2: what a condition, a request and the time cause. Pure decisions.

Each standing of a condition is an occurrence, and each firing an `AlarmRaised`: a new one is never swallowed by an old
one, and an acknowledgement never touches a later one. A further level of a ladder belongs to the occurrence that
stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from events.alarms import (
    AlarmAcknowledged,
    AlarmBecameLive,
    AlarmCleared,
    AlarmLevelChanged,
    AlarmRaised,
    AlarmReset,
    AlarmSilenced,
    AlarmUnshelved,
    ConditionCleared,
    ConditionFact,
    ConditionNoted,
    ConditionRaised,
    ConditionStands,
)
from events.requests import AcknowledgeAlarm, AlarmRequest, ResetAlarm, Silence
from events.types import PRIORITIES
from incidents import flood, incident, nuisance, overrides
from incidents.alarm import Alarm, Level
from incidents.definition import AlarmDefinition
from incidents.errors import RefusedError
from incidents.fold import device_of, highest
from incidents.visibility import appears, disappears, release, suppress, uncovered

if TYPE_CHECKING:
    from incidents.thinking import Thinking

STEERING = ("suppression", "correlation")
"""Kinds of rules that make no alarm."""
RETURNED = "returned to normal"
"""What detection says of a condition that is simply not so any more (`ConditionCleared.reason`)."""
AT_ONCE = 4000
"""So many alarms one tick handles, for its facts to fit one record; the rest are due at the next."""
SILENCED_AT_ONCE = 20_000


def condition(t: Thinking, given: ConditionFact) -> None:
    """What a condition causes; nothing if it was delivered before."""
    match given:
        case ConditionRaised(occurrence=id_, kind=kind):
            if t.area.alarms.knows(id_):
                return
            if kind in STEERING:
                _begins(t, given)
            else:
                _raised(t, given)
        case ConditionCleared(occurrence=id_):
            if id_ in t.area.alarms.noted:
                _ends(t, given)
            else:
                _cleared(t, given)
        case ConditionStands(occurrence=id_):
            alarm = t.area.alarms.holding(id_)
            if alarm is not None and alarm.alarm is not None and alarm.late:
                t.say(AlarmBecameLive(alarm=alarm.alarm))
                appears(t, alarm.name, "seen live")
        case _:
            assert_never(given)


def request(t: Thinking, body: AlarmRequest) -> None:
    """What a person asks for, and may (`permissions.check`).

    Raises:
        RefusedError: it cannot be done.
    """
    match body:
        case AcknowledgeAlarm():
            _acknowledge(t, body)
        case ResetAlarm():
            _reset(t, body)
        case Silence():
            sounding = [a for n in t.area.alarms if (a := t.area.alarms.get(n)) is not None and a.sounds]
            if not sounding:
                raise RefusedError("no horn is on")
            for alarm in sounding[:SILENCED_AT_ONCE]:
                assert alarm.alarm is not None
                t.say(AlarmSilenced(alarm=alarm.alarm, by=t.by))
        case _:
            overrides.request(t, body)


def due(t: Thinking) -> None:
    """What is due by `t.now`."""
    for kind, name in t.area.alarms.until(t.now, AT_ONCE):
        if kind == "device":
            overrides.device_due(t, name)
        else:
            overrides.due(t, name)
            nuisance.due(t, name)


def _raised(t: Thinking, given: ConditionRaised) -> None:
    definition = t.index.of_rule(t.name, given.rule)
    name, alarms = definition.name, t.area.alarms
    if alarms.devices:
        overrides.of_locked_device(t, name, definition.device or device_of(given.point))
    old = alarms.get(name)
    if old is not None and old.active and (
        all(v.rule != given.rule for v in old.levels) or (given.late and not old.late)
    ):  # history does not make an alarm that is live one of history
        _joined(t, old, given, definition)
        return
    place = None if old is None or old.alarm is None else t.area.incidents.of(old.alarm)
    seen = old is not None and (old.acknowledged or old.alarm in t.area.escalations.covered)
    hidden = "" if old is None else old.hidden
    own = Level(given.occurrence, given.rule, given.priority, given.message)
    top = highest((*(old.levels if old is not None else ()), own), definition.rules)
    group = definition.group if not hidden and not given.late else ""
    t.say(AlarmRaised(
        alarm=given.occurrence, rule=given.rule, rule_version=given.rule_version, kind=given.kind, point=given.point,
        priority=max(top.priority, given.priority, key=PRIORITIES.index), message=given.message, value=given.value,
        limit=given.limit, unit=given.unit, began=given.began, late=given.late, name=name,
        replaces=None if old is None else old.alarm, hidden=hidden, group=group,
        first_out=group != "" and _is_first(t, group, old),
    ))  # fmt: skip
    if old is not None and place is not None and (given.late or hidden):  # nobody announces it, and nothing ends by it
        if old.behind:
            flood.held(t, name)
        incident.takes_over(t, place, name, seen=seen)
    if not given.late:
        appears(t, name, "")
        nuisance.raised(t, name)


def _is_first(t: Thinking, group: str, old: Alarm | None) -> bool:
    """Whether no other alarm of the group stands, or this one was the first of them before it came again."""
    itself = old is not None and old.group == group
    return t.area.alarms.groups.get(group, 0) == itself or (old is not None and itself and old.first_out)


def _joined(t: Thinking, alarm: Alarm, given: ConditionRaised, definition: AlarmDefinition) -> None:
    """One more level of the ladder."""
    assert alarm.alarm is not None
    own = Level(given.occurrence, given.rule, given.priority, given.message)
    top = highest((*alarm.levels, own), definition.rules)
    taken = alarm.taken
    again = alarm.acknowledged and taken is not None and PRIORITIES.index(top.priority) > PRIORITIES.index(taken)
    _level_changed(t, alarm, own, top, given, again)
    if again:
        nuisance.raised(t, alarm.name)
    if alarm.late and not given.late:
        t.say(AlarmBecameLive(alarm=alarm.alarm))
        appears(t, alarm.name, "seen live")
    else:
        flood.risen(t, alarm.name)


def _level_changed(t: Thinking, alarm: Alarm, own: Level, top: Level, given: ConditionRaised | ConditionCleared,
                   again: bool = False) -> None:  # fmt: skip
    assert alarm.alarm is not None
    raised = given if isinstance(given, ConditionRaised) else None
    quiet = given.late or alarm.late or alarm.hidden  # its incident, if it is in one, hears of it when it is announced
    place = None if quiet else t.area.incidents.of(alarm.alarm)
    if place is not None and not place.live:
        place = None
    t.say(AlarmLevelChanged(
        alarm=alarm.alarm, condition=own.condition, rule=own.rule, holds=raised is not None, priority=top.priority,
        rule_version="" if raised is None else raised.rule_version, message=top.message, value=given.value,
        limit=None if raised is None else raised.limit, again=again, own_priority=own.priority, own_message=own.message,
        point=given.point, name=alarm.name, belongs_to=None if place is None else place.incident,
        opening=1 if place is None else place.opening,
    ))  # fmt: skip


def _cleared(t: Thinking, given: ConditionCleared) -> None:
    alarm = t.area.alarms.holding(given.occurrence)
    if alarm is None or alarm.alarm is None:
        return
    name, definition = alarm.name, t.index.of(t.name, alarm.name)
    own = next(v for v in alarm.levels if v.condition == given.occurrence)
    if others := tuple(v for v in alarm.levels if v is not own):
        _level_changed(t, alarm, own, highest(others, definition.rules), given)
        return
    latched = definition.sequence == "M"
    quiet = bool(alarm.hidden) or alarm.late or given.late  # its end sets nothing off
    t.say(AlarmCleared(
        alarm=alarm.alarm, value=given.value, reason=given.reason, latched=latched,
        ringback=definition.sequence == "R" and alarm.acknowledged and not alarm.hidden,
        fleeting=nuisance.is_fleeting(alarm, definition, t.at), priority=alarm.priority,
        rule="" if quiet else alarm.rule, name="" if quiet else name, point="" if quiet else alarm.point,
    ))  # fmt: skip
    if definition.auto_acknowledge and not latched and not alarm.acknowledged and not alarm.hidden:
        t.say(AlarmAcknowledged(alarm=alarm.alarm, by=""))
    if alarm.shelf is not None and alarm.shelf.one_shot:
        t.say(AlarmUnshelved(name=name, by="", reason=RETURNED))
        uncovered(t, name, "no longer shelved")
    disappears(t, name)


def _begins(t: Thinking, given: ConditionRaised) -> None:
    t.say(ConditionNoted(condition=given.occurrence, rule=given.rule, kind=given.kind, holds=True))
    if given.kind == "suppression":
        for name in t.index.steered_by(t.name, given.rule):
            suppress(t, name, f"while {given.rule}", given.message)


def _ends(t: Thinking, given: ConditionCleared) -> None:
    rule, kind = t.area.alarms.noted[given.occurrence]
    t.say(ConditionNoted(condition=given.occurrence, rule=rule, kind=kind, holds=False))
    if kind == "suppression" and not t.area.alarms.holds(rule):
        cause = f"while {rule}"
        names = [n for n in t.area.alarms.overridden if (a := t.area.alarms.get(n)) is not None
                 and any(s.cause == cause for s in a.suppressions)]  # fmt: skip
        for name in names:
            release(t, name, cause, _no_longer(t, name, cause, given.reason))


def _no_longer(t: Thinking, name: str, cause: str, reason: str) -> str:
    """Why the suppression ends: what it was for is not so any more; if another reason is given, that one."""
    alarm = t.area.alarms.get(name)
    was = next((s.reason for s in alarm.suppressions if s.cause == cause), "") if alarm is not None else ""
    return f"no longer: {was}" if was and reason == RETURNED else reason


def _acknowledge(t: Thinking, body: AcknowledgeAlarm) -> None:
    alarm = _current(t, body)
    if alarm.acknowledged:
        raise RefusedError("already acknowledged")
    if body.priority is not None and PRIORITIES.index(alarm.priority) > PRIORITIES.index(body.priority):
        raise RefusedError(f"it is {alarm.priority} now, and you were shown {body.priority}: look again")
    t.say(AlarmAcknowledged(alarm=body.alarm, by=t.by, comment=body.comment))


def _reset(t: Thinking, body: ResetAlarm) -> None:
    alarm = _current(t, body)
    if alarm.active:
        raise RefusedError("still active: it can be reset when its condition is gone")
    if not alarm.latched:
        raise RefusedError("it is not latched: there is nothing to reset")
    if not alarm.acknowledged:
        raise RefusedError("acknowledge it first")
    t.say(AlarmReset(alarm=body.alarm, by=t.by))


def _current(t: Thinking, body: AcknowledgeAlarm | ResetAlarm) -> Alarm:
    """Raises: RefusedError: the occurrence is over, or was never there."""
    alarm = t.area.alarms.of(body.alarm)
    if alarm is None:
        raise RefusedError(t.area.alarms.over.get(body.alarm) or f"the area has no alarm {body.alarm}")
    return alarm
