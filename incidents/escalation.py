"""Calls about incidents that nobody takes: policy by policy, step by step, over the on-call calendar. Pure.

An escalation begins when a confirmed incident has an alarm that calls (see `calls`), and ends when none does any more:
acknowledged, assigned, resolved, shelved. A new alarm in an incident that somebody has begins another. In a flood, just
after one, and while more incidents call than a flood has alarms, what is not urgent is gathered into one digest per
position; an urgent one goes out at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from events.alarms import FloodEnded
from events.incidents import EscalationEnded, EscalationStepped, IncidentAcknowledged, IncidentAssigned, IncidentMerged
from events.notifications import NotificationIssued
from events.types import EPOCH, PRIORITIES, make_id
from incidents.calls import EXHAUSTED, Call, Escalations, SavedEscalations, is_called_for, is_urgent
from incidents.case import PLAYBOOK, Incident
from incidents.definition import Escalation
from incidents.roster import reached

if TYPE_CHECKING:
    from incidents.thinking import Thinking

__all__ = ["Escalations", "SavedEscalations", "due", "follow"]

VALID = timedelta(hours=1)
"""A call that could not be delivered for so long is not delivered any more: the steps behind it were."""
LATE = timedelta(seconds=60)
"""A step that comes later than this (nothing ran) does not drag those behind it along: they keep their distance."""
LISTED = 5
"""So many incidents a digest names; it counts the rest."""


def follow(t: Thinking) -> None:
    """At the end of every input, after `incident.settle`: what its facts mean for the calls."""
    escalations = t.area.escalations
    for id_ in list(escalations.touched):
        _follow(t, id_)
    escalations.touched.clear()  # the draft may serve the next input too
    if escalations.gathered and any(isinstance(f, FloodEnded) and f.scope == "area" for f in t.facts):
        _digest(t)


def due(t: Thinking) -> None:
    """Steps that are due, and the digest."""
    escalations = t.area.escalations
    for id_ in escalations.until(t.now):
        call, incident = escalations.calls.get(id_), t.area.incidents.get(id_)
        if call is None or call.due is None:
            _follow(t, id_)  # the policy is new: it was due before there was one
            continue
        if call.due > t.now or incident is None:
            continue
        policy = t.definition.escalations.get(call.policy)
        if policy is None:
            t.say(EscalationEnded(incident=id_, policy=call.policy, reason="the policy was withdrawn"))
            continue
        is_next_round = call.step >= len(policy.steps)
        step, round_ = (1, call.round + 1) if is_next_round else (call.step + 1, call.round)
        _step(t, incident, policy, step, round_, call.due)
    if escalations.digest_at is not None and escalations.digest_at <= t.now:
        _digest(t)


def _follow(t: Thinking, id_: UUID) -> None:
    incident, call = t.area.incidents.get(id_), t.area.escalations.calls.get(id_)
    taken = _taken(t, id_)
    wanted = (
        incident is not None and incident.status == "open" and t.area.escalations.calling(id_) > 0
        and is_called_for(incident.priority, t.area)
    )  # fmt: skip
    if call is not None and call.due is not None and (taken or not wanted):
        t.say(EscalationEnded(incident=id_, policy=call.policy, reason=taken or _why_not(t, incident)))
        call = None
    if wanted and incident is not None and (call is None or call.due is None):
        _begin(t, incident)
    elif incident is not None and is_urgent(incident.priority, t.area):
        _at_once(t, incident)


def _taken(t: Thinking, id_: UUID) -> str:
    """Why its calls end, from what was just said; a newer alarm than the person was shown then begins them anew."""
    for fact in t.facts:
        match fact:
            case IncidentAcknowledged(incident=incident, by=by) if incident == id_:
                return f"acknowledged by {by}"
            case IncidentAssigned(incident=incident, to=to, by=by) if incident == id_ and to:
                if not by.startswith(PLAYBOOK):
                    return f"assigned to {to}"
            case IncidentMerged(incident=incident) if incident == id_:
                return "merged into another incident"
            case _:
                pass
    return ""


def _why_not(t: Thinking, incident: Incident | None) -> str:
    if incident is None or not incident.live:
        return "resolved" if incident is None else incident.status
    if not is_called_for(incident.priority, t.area):
        return f"its priority is {incident.priority} now"
    standing = t.area.incidents.cast(incident.incident).standing
    for occurrence in standing:
        alarm = t.area.alarms.of(occurrence)
        if alarm is not None and alarm.hidden and not alarm.acknowledged:
            return f"{alarm.name} is {alarm.hidden}"
    return "all its alarms are acknowledged"


def _begin(t: Thinking, incident: Incident) -> None:
    policy = t.definition.escalations[t.policy.escalation]
    now = _now(t)
    if policy.steps[0].after_s <= 0:
        _step(t, incident, policy, 1, 1, now)
        return
    first_at = now + timedelta(seconds=policy.steps[0].after_s)
    t.say(EscalationStepped(
        incident=incident.incident, policy=policy.policy, step=0, round=1, to=(), next_at=first_at
    ))  # fmt: skip


def _step(t: Thinking, incident: Incident, policy: Escalation, step: int, round_: int, planned: datetime) -> None:
    """Take one step: said, and those on call told. Where nobody is, the next of the round follows at once."""
    now, to = _now(t), policy.steps[step - 1].to
    somebody = any(_persons(t, name, now) for name in to)
    begun = planned if now - planned <= LATE else now
    t.say(EscalationStepped(
        incident=incident.incident, policy=policy.policy, step=step, round=round_, to=to,
        next_at=_next_at(policy, step, round_, begun, somebody=somebody),
    ))  # fmt: skip
    for name in to:
        if (name, incident.incident) not in t.area.escalations.gathered:
            _call(t, incident, name)
    if t.area.escalations.calls[incident.incident].due is None:
        t.say(EscalationEnded(incident=incident.incident, policy=policy.policy, reason=EXHAUSTED))


def _next_at(policy: Escalation, step: int, round_: int, begun: datetime, *, somebody: bool) -> datetime | None:
    waits = [s.after_s for s in policy.steps]
    if step < len(waits):
        return begun + timedelta(seconds=waits[step] - waits[step - 1] if somebody else 0)
    if round_ < policy.rounds:
        return begun + timedelta(seconds=policy.round_s - waits[-1] + waits[0])
    return None


def _call(t: Thinking, incident: Incident, to: str) -> None:
    call, now = t.area.escalations.calls[incident.incident], _now(t)
    parts = (incident.incident, incident.opening, call.number, call.policy, call.step, call.round, to)
    t.say(NotificationIssued(
        notification=make_id("notification", *parts), to=to, text=_text(t, incident, call, now),
        priority=incident.priority, incident=incident.incident, step=f"{call.policy} {call.round}.{call.step}",
        kind="escalation", persons=_persons(t, to, now), not_after=now + VALID,
    ))  # fmt: skip


def _persons(t: Thinking, to: str, now: datetime) -> tuple[str, ...]:
    """Who holds the position: by hand-over until the next change of shift, else by the calendar."""
    holder = t.area.incidents.holder(to)
    return (holder,) if holder else reached(to, t.definition.positions, now)


def _text(t: Thinking, incident: Incident, call: Call, now: datetime) -> str:
    more = t.area.escalations.calling(incident.incident) - 1
    others = f" (and {more} more alarm{'s' * (more > 1)})" if more > 0 else ""
    minutes = int((now - incident.opened_at).total_seconds() / 60)
    waiting = f" Nobody has taken it for {minutes} min." if (call.step, call.round) > (1, 1) and minutes else ""
    return f"{t.name} #{incident.number}: {incident.title}{others}.{waiting}"


def _at_once(t: Thinking, incident: Incident) -> None:
    """It has become urgent while it was gathered for a digest."""
    if incident.incident in t.area.escalations.calls:
        for to in t.area.escalations.gathered_of(incident.incident):
            _call(t, incident, to)


def _digest(t: Thinking) -> None:
    """One notification for each position or person, of all that was gathered for it."""
    now, escalations = _now(t), t.area.escalations
    for to, ids in escalations.gathered_for().items():
        incidents = [i for i in map(t.area.incidents.get, ids) if i is not None]
        incidents.sort(key=lambda i: (-PRIORITIES.index(i.priority), i.number))
        numbers = (i.number for i in incidents)
        t.say(NotificationIssued(
            notification=make_id("notification", "digest", t.name, to, now.isoformat(), *numbers), to=to,
            text=_digest_text(t, incidents), priority=max((i.priority for i in incidents), key=PRIORITIES.index),
            kind="digest", persons=_persons(t, to, now), not_after=now + VALID,
        ))  # fmt: skip


def _digest_text(t: Thinking, incidents: list[Incident]) -> str:
    after = t.at < t.area.escalations.quiet_until
    lasts = "Flood of alarms" if t.area.floods.flooded else "After a flood of alarms" if after else "Many calls"
    many = f"{len(incidents)} incidents wait" if len(incidents) != 1 else "1 incident waits"
    named = "; ".join(f"#{i.number} {i.title} ({i.priority})" for i in incidents[:LISTED])
    rest = f"; and {len(incidents) - LISTED} more" if len(incidents) > LISTED else ""
    return f"{lasts} in {t.name}: {many} for somebody. {named}{rest}."


def _now(t: Thinking) -> datetime:
    """Calls go by the plant's own time; a device's clock may be wrong. Before the first tick there is only that."""
    return t.now if t.now > EPOCH else t.at
