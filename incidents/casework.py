"""What people ask of an incident, and what happens then: facts, or a refusal that says why. Pure.

Who may ask is in `permissions`. Every function raises `RefusedError` and has then said nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never
from uuid import UUID

from events import incidents as facts
from events import requests as ask
from events.alarms import AlarmAcknowledged
from events.requests import IncidentRequest
from events.types import make_id
from incidents import handover
from incidents.case import Incident, above
from incidents.errors import RefusedError

if TYPE_CHECKING:
    from incidents.thinking import Thinking

AT_ONCE = 20_000
"""Alarms that one request takes: all its facts must fit one record. The rest stay visible, and are asked for again."""


def of_playbook(t: Thinking, body: IncidentRequest) -> IncidentRequest:
    """What a playbook asks of its incident; where that is so already, its reason is told and nothing else changes. A
    playbook that escalates never makes an incident less urgent."""
    match body:
        case ask.SetPriority(incident=id_, priority=priority, reason=reason):
            if not above(priority, _open(t, id_).priority):
                return ask.CommentIncident(incident=id_, text=reason)
        case ask.AssignIncident(incident=id_, to=to, comment=comment):
            if _open(t, id_).assigned == to:
                return ask.CommentIncident(incident=id_, text=comment or f"it is assigned to {to} already")
        case _:
            pass
    return body


def request(t: Thinking, body: IncidentRequest, by: str) -> None:
    """Do what `by` asks for.

    Raises:
        RefusedError: it cannot be done.
    """
    match body:
        case ask.HandOver():
            handover.by_hand(t, body, by)
        case ask.AcknowledgeIncident():
            _acknowledge(t, body, by)
        case ask.ConfirmIncident():
            incident = _known(t, body.incident)
            if incident.status != "candidate":
                raise RefusedError(f"{_title(incident)} is {incident.status}: only a candidate is confirmed")
            reason = body.reason or f"by {by}"
            t.say(facts.IncidentConfirmed(incident=body.incident, by=by, reason=reason))
        case ask.SetPriority():
            incident = _open(t, body.incident)
            if incident.priority == body.priority:
                raise RefusedError(f"its priority is {body.priority} already")
            t.say(facts.IncidentPriorityChanged(
                incident=body.incident, priority=body.priority, by=by, reason=body.reason
            ))  # fmt: skip
        case ask.AssignIncident():
            incident = _open(t, body.incident)
            if incident.assigned == body.to:
                raise RefusedError(f"it is assigned to {body.to} already" if body.to else "it is assigned to nobody")
            t.say(facts.IncidentAssigned(incident=body.incident, to=body.to, by=by, comment=body.comment))
        case ask.CommentIncident():
            _known(t, body.incident)
            if not body.text.strip():
                raise RefusedError("the comment is empty")
            t.say(facts.IncidentCommented(incident=body.incident, by=by, text=body.text))
        case ask.AttachToIncident():
            _attach(t, body, by)
        case ask.MergeIncidents():
            _merge(t, body, by)
        case ask.SplitIncident():
            _split(t, body)
        case ask.CloseIncident():
            _close(t, body, by)
        case ask.ReopenIncident():
            incident = _known(t, body.incident)
            if incident.live:
                raise RefusedError(f"{_title(incident)} is {incident.status}")
            t.say(facts.IncidentReopened(
                incident=body.incident, opening=incident.opening + 1, by=by, reason=body.reason
            ))  # fmt: skip
        case _:
            assert_never(body)


def _acknowledge(t: Thinking, body: ask.AcknowledgeIncident, by: str) -> None:
    """The incident is taken, and every alarm of it that was shown."""
    incident = _known(t, body.incident)
    if not incident.live:
        raise RefusedError(f"{_title(incident)} is {incident.status}: nothing waits for it")
    seen = None if body.seen is None else frozenset(body.seen)
    waiting, new = 0, list[UUID]()
    for occurrence in t.area.incidents.cast(body.incident).standing:
        alarm = t.area.alarms.of(occurrence)
        if alarm is None or alarm.acknowledged or alarm.hidden:
            continue
        waiting += 1
        shown = not alarm.held_back if seen is None else occurrence in seen
        if shown and len(new) < AT_ONCE:
            new.append(occurrence)
    if waiting and not new:
        raise RefusedError("none of the alarms that were shown waits for it, newer ones do" if seen is not None
                           else "its alarms that wait are held back until the flood ends")  # fmt: skip
    if incident.acknowledged_by and not new:
        raise RefusedError(f"already acknowledged by {incident.acknowledged_by}")
    t.say(facts.IncidentAcknowledged(incident=body.incident, by=by))
    for occurrence in new:
        t.say(AlarmAcknowledged(alarm=occurrence, by=by, comment=body.comment))


def _attach(t: Thinking, body: ask.AttachToIncident, by: str) -> None:
    _known(t, body.incident)
    if not body.name.strip() or not body.ref.strip():
        raise RefusedError("an attachment needs a name and where it lies")
    if body.ref.startswith("data:") or len(body.ref) > 2000:
        raise RefusedError("attach where the file lies, not the file: its bytes do not go into the log")
    t.say(facts.IncidentAttached(
        incident=body.incident, by=by, name=body.name, ref=body.ref, media_type=body.media_type
    ))  # fmt: skip


def _merge(t: Thinking, body: ask.MergeIncidents, by: str) -> None:
    source, into = _open(t, body.incident), _open(t, body.into)
    if source.incident == into.incident:
        raise RefusedError("an incident cannot be merged with itself")
    if source.standing and not into.live:
        raise RefusedError(f"{_title(into)} is {into.status}, and alarms of {_title(source)} stand: reopen it first")
    if source.standing > AT_ONCE:
        raise RefusedError(f"{source.standing} alarms stand in it; {AT_ONCE} can be moved at once")
    moved = dict(t.area.incidents.cast(source.incident).standing)
    t.say(facts.IncidentMerged(incident=source.incident, into=into.incident, by=by, reason=body.reason))
    reason = f"merged from incident {source.number} by {by}: {body.reason}"
    for occurrence in moved:
        _move(t, occurrence, into, reason)
    if into.status == "candidate" and source.confirmed:
        reason = f"merged with {_title(source)}, which was confirmed"
        t.say(facts.IncidentConfirmed(incident=into.incident, by=by, reason=reason))


def _split(t: Thinking, body: ask.SplitIncident) -> None:
    incident = _open(t, body.incident)
    chosen = tuple(dict.fromkeys(body.alarms))
    alarms = [alarm for id_ in chosen if (alarm := t.area.alarms.of(id_)) is not None]
    strangers = [id_ for id_ in chosen if (of := t.area.incidents.of(id_)) is None or of.incident != incident.incident]
    if not chosen or strangers or len(alarms) != len(chosen):
        which = f"{_name(t, strangers[0])} does not stand in it" if strangers else "which alarms?"
        raise RefusedError(f"only alarms that stand in {_title(incident)} can be split from it: {which}")
    if incident.alarms <= len(chosen):
        raise RefusedError("at least one alarm must stay")
    if len(chosen) > AT_ONCE:
        raise RefusedError(f"{AT_ONCE} alarms can be moved at once")
    first = alarms[0]
    for alarm in alarms[1:]:
        if above(alarm.priority, first.priority):
            first = alarm
    assert first.alarm is not None
    number = t.area.incidents.number + 1
    made = make_id("incident", first.alarm, "split", number)
    t.say(facts.IncidentOpened(
        incident=made, number=number, title=first.message, priority=first.priority, alarm=first.alarm,
        rule=first.rule, point=first.point, split_from=incident.incident, name=first.name,
    ))  # fmt: skip
    into = _known(t, made)
    for occurrence in chosen:
        _move(t, occurrence, into, f"split from incident {incident.number}: {body.reason}")


def _move(t: Thinking, occurrence: UUID, into: Incident, reason: str) -> None:
    alarm = t.area.alarms.of(occurrence)
    assert alarm is not None, occurrence
    t.say(facts.AlarmGrouped(
        incident=into.incident, alarm=occurrence, rule=alarm.rule, reason=reason, point=alarm.point,
        priority=alarm.priority, name=alarm.name, opening=into.opening,
        takes_over=t.area.incidents.heirs.get(occurrence, ""),
    ))  # fmt: skip


def _close(t: Thinking, body: ask.CloseIncident, by: str) -> None:
    incident = _open(t, body.incident)
    if incident.standing:
        still = "stands" if incident.standing == 1 else "stand"
        raise RefusedError(f"{incident.standing} of its alarms still {still}")
    if not body.cause.strip() or not body.action.strip():
        raise RefusedError("to close it, say what the cause was and what was done")
    if incident.live:
        t.say(facts.IncidentResolved(incident=incident.incident, opening=incident.opening, by=by))
    t.say(facts.IncidentClosed(
        incident=incident.incident, by=by, cause=body.cause, action=body.action, useful=body.useful,
        comment=body.comment,
    ))  # fmt: skip


def _known(t: Thinking, id_: UUID) -> Incident:
    """The incident, if it is none that went on in another."""
    incident = t.area.incidents.get(id_)
    if incident is None:
        raise RefusedError(f"the area has no incident {id_}, or it was closed long ago")
    if incident.into is not None:
        into = t.area.incidents.get(incident.into)
        where = f"incident {into.number}" if into is not None else str(incident.into)
        raise RefusedError(f"{_title(incident)} was merged into {where}")
    return incident


def _open(t: Thinking, id_: UUID) -> Incident:
    """The incident, if it is not closed."""
    incident = _known(t, id_)
    if incident.status == "closed":
        raise RefusedError(f"{_title(incident)} is closed: reopen it first")
    return incident


def _name(t: Thinking, occurrence: UUID) -> str:
    """The alarm as people know it, if the occurrence is the one that stands."""
    alarm = t.area.alarms.of(occurrence)
    return f"alarm {occurrence}" if alarm is None else alarm.name


def _title(incident: Incident) -> str:
    return f"incident {incident.number}"
