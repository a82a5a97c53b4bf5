"""Who may ask for what, for how long, and with what said. Pure.

    operator    acknowledge, silence, reset, shelve within the alarm's limit; all work on incidents
    supervisor  also suppress, and take out of service
    engineer    the same
    auditor     nothing: looks
    system      a playbook, about the incident that it runs for: comment, assign, priority, close
"""

from __future__ import annotations

from math import isfinite

from events import requests as ask
from events.requests import RequestBody
from incidents.definition import AlarmDefinition
from incidents.errors import RefusedError
from incidents.grouping import span

OPERATOR = frozenset({
    ask.AcknowledgeAlarm, ask.AcknowledgeIncident, ask.Silence, ask.ResetAlarm, ask.ShelveAlarm, ask.UnshelveAlarm,
    ask.ConfirmIncident, ask.SetPriority, ask.AssignIncident, ask.CommentIncident, ask.AttachToIncident,
    ask.MergeIncidents, ask.SplitIncident, ask.CloseIncident, ask.ReopenIncident, ask.HandOver,
})  # fmt: skip
STEERING = frozenset({ask.SuppressAlarm, ask.UnsuppressAlarm, ask.TakeOutOfService, ask.ReturnToService})
MAY: dict[str, frozenset[type]] = {
    "operator": OPERATOR,
    "supervisor": OPERATOR | STEERING,
    "engineer": OPERATOR | STEERING,
    "auditor": frozenset(),
    "system": frozenset({ask.CommentIncident, ask.AssignIncident, ask.SetPriority, ask.CloseIncident}),
}
"""By role: the requests that it may make."""
NEEDS_REASON = (
    ask.ShelveAlarm, ask.SuppressAlarm, ask.TakeOutOfService, ask.SetPriority, ask.MergeIncidents, ask.SplitIncident,
    ask.ReopenIncident,
)  # fmt: skip
LONGEST_S = 90 * 86400.0
"""Nothing is suppressed or out of service for longer without somebody who says it again [s]."""
LONGEST_TEXT = 10_000
"""Characters of one text: what is longer belongs into a file that is attached."""


def check(body: RequestBody, role: str, alarm: AlarmDefinition | None = None) -> None:
    """Whether this role may ask for that; `alarm` is the definition of the alarm that is named, if one is.

    Raises:
        RefusedError: not this role, not so long, or without the reason that is needed.
    """
    what = words(body)
    may = MAY.get(role)
    if may is None:
        raise RefusedError(f"nobody may {what} as '{role}': the roles are {', '.join(r for r in MAY if r != 'system')}")
    if type(body) not in may:
        raise RefusedError(f"an {role} may not {what}" if role[0] in "aeo" else f"a {role} may not {what}")
    if isinstance(body, NEEDS_REASON) and not body.reason.strip():
        raise RefusedError(f"to {what} needs a reason")
    for field in ("reason", "comment", "text", "note", "cause", "action"):
        if len(getattr(body, field, "")) > LONGEST_TEXT:
            raise RefusedError(f"the {field} is longer than {LONGEST_TEXT} characters: attach a file")
    if isinstance(body, ask.ShelveAlarm | ask.SuppressAlarm | ask.TakeOutOfService):
        _check_duration(body, role, alarm)


def _check_duration(
    body: ask.ShelveAlarm | ask.SuppressAlarm | ask.TakeOutOfService, role: str, alarm: AlarmDefinition | None
) -> None:
    asked, what = body.duration_s, words(body)
    if not (isfinite(asked) and asked > 0):
        raise RefusedError(f"to {what} needs a time after which it ends by itself")
    if not isinstance(body, ask.ShelveAlarm):
        if asked > LONGEST_S:
            raise RefusedError(f"to {what} is possible for {span(LONGEST_S)} at most, asked was {span(asked)}")
        return
    limits = AlarmDefinition(name=body.name, area="", rules=()).shelve_s if alarm is None else alarm.shelve_s
    limit = limits.get(role, 0.0)
    if limit <= 0:
        others = ", ".join(r for r, s in limits.items() if s > 0)
        raise RefusedError(f"{body.name} may not be shelved by {role}" + (f", only by {others}" if others else ""))
    if asked > limit:
        said = span(asked) if span(asked) != span(limit) else "a little more"
        raise RefusedError(f"{body.name} may be shelved by {role} for {span(limit)} at most, asked was {said}")


def words(body: RequestBody) -> str:
    """What is asked for, as one says it: "take out of service", "shelve an alarm"."""
    said = str(type(body).__struct_config__.tag).replace("_", " ").replace(" to incident", "")
    for what in (" alarm", " incident"):
        if said.endswith(what):
            return said.removesuffix(what) + " an" + what
    return said
