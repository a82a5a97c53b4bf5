"""What a person may ask for about what is chosen: which requests, what each needs to be told, and its body. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from analytics.rows import Alarm, OverrideRow, Story
from events import requests as ask
from events.requests import RequestBody, Role
from events.types import PRIORITIES
from incidents.permissions import MAY

Given = Mapping[str, Any]
MINUTES = {"15 min": 15, "30 min": 30, "1 h": 60, "4 h": 240, "12 h": 720, "1 day": 1440, "3 days": 4320}


class Field(NamedTuple):
    """One thing to fill in. Attributes: needed: without it the request is not sent; a needed choice is made for nobody,
    for nobody should merge, or vote, by not looking."""

    name: str
    label: str
    kind: Literal["text", "choice", "several", "check"] = "text"
    options: tuple[str, ...] = ()
    needed: bool = False


class Action(NamedTuple):
    """Attributes: label: on the button; body: of the request, from what was given; does: what is said when done."""

    label: str
    asks: type
    body: Callable[[Given], RequestBody]
    fields: tuple[Field, ...] = ()
    does: str = "Done"

    def lacks(self, given: Given) -> str:
        """What is missing, for a person; "" when nothing is."""
        missing = [f.label.lower() for f in self.fields if f.needed and not given.get(f.name)]
        return f"it needs {' and '.join(missing)}" if missing else ""


_REASON = Field("reason", "Reason", needed=True)
_FOR = Field("for", "For", "choice", tuple(MINUTES))


_SILENCE = Action("Silence", ask.Silence, lambda _: ask.Silence(), does="The horn is off")


def _seconds(given: Given) -> float:
    return MINUTES[given["for"]] * 60.0


def of_alarm(alarm: Alarm, role: Role) -> tuple[Action, ...]:
    """What can be asked about an alarm, in the order in which it is usual."""
    return tuple(a for a in _of_alarm(alarm) if a.asks in MAY[role])


def _of_alarm(alarm: Alarm) -> Iterator[Action]:
    name, device = alarm.name or alarm.rule, alarm.point.partition(".")[0]
    if alarm.sounds:
        yield _SILENCE
    if alarm.state == "F":
        yield Action("Reset", ask.ResetAlarm, lambda _: ask.ResetAlarm(alarm=alarm.alarm), does="Reset")
    if alarm.hidden != "shelved":
        yield Action(
            "Shelve", ask.ShelveAlarm,
            lambda g: ask.ShelveAlarm(name=name, reason=g["reason"], duration_s=_seconds(g), one_shot=g["one_shot"]),
            (_FOR, _REASON, Field("one_shot", "Only until it is normal", "check")), "Shelved",
        )  # fmt: skip
    yield Action(
        "Suppress", ask.SuppressAlarm,
        lambda g: ask.SuppressAlarm(name=name, reason=g["reason"], duration_s=_seconds(g)),
        (_FOR, _REASON), "Suppressed",
    )  # fmt: skip
    yield Action(
        "Out of service", ask.TakeOutOfService,
        lambda g: ask.TakeOutOfService(
            reason=g["reason"], duration_s=_seconds(g), name="" if g["device"] else name,
            device=device if g["device"] else "",
        ),
        (_FOR, _REASON, Field("device", f"All of {device}, and lock it out", "check")), "Out of service",
    )  # fmt: skip


def of_override(row: OverrideRow, role: Role) -> tuple[Action, ...]:
    """How what keeps an alarm quiet can be ended. A suppression by design ends with its cause alone."""
    reason = (Field("reason", "Reason"),)
    name = row.name
    actions: tuple[Action, ...] = ()
    match row.kind:
        case "shelved":
            actions = (
                Action(
                    "Unshelve",
                    ask.UnshelveAlarm,
                    lambda g: ask.UnshelveAlarm(name=name, reason=g["reason"]),
                    reason,
                    "Unshelved",
                ),
            )
        case "suppressed" if row.by:
            actions = (
                Action(
                    "Unsuppress",
                    ask.UnsuppressAlarm,
                    lambda g: ask.UnsuppressAlarm(name=name, reason=g["reason"]),
                    reason,
                    "Unsuppressed",
                ),
            )
        case "out of service":
            device = row.device
            label = f"Return {device} to service" if device else "Return to service"
            whose = "" if device else name
            actions = (Action(label, ask.ReturnToService,
                              lambda g: ask.ReturnToService(name=whose, device=device, reason=g["reason"]),
                              reason, "Back in service"),)  # fmt: skip
        case _:
            pass
    return tuple(a for a in actions if a.asks in MAY[role])


def of_incident(story: Story, others: Mapping[str, Any], role: Role) -> tuple[Action, ...]:
    """What can be asked about an incident. `others`: what the open incidents of its area are called -> their ids."""
    return tuple(a for a in _of_incident(story, others) if a.asks in MAY[role])


def _of_incident(story: Story, others: Mapping[str, Any]) -> Iterator[Action]:
    incident = story.incident
    id_ = incident.incident
    if incident.status == "candidate":
        yield Action(
            "Confirm",
            ask.ConfirmIncident,
            lambda g: ask.ConfirmIncident(incident=id_, reason=g["reason"]),
            (Field("reason", "Reason"),),
            "Confirmed",
        )
    if incident.status == "resolved":
        yield Action(
            "Close", ask.CloseIncident,
            lambda g: ask.CloseIncident(incident=id_, cause=g["cause"], action=g["action"],
                                        useful=g["useful"] == "yes", comment=g["comment"]),
            (Field("cause", "Cause", needed=True), Field("action", "What was done", needed=True),
             Field("useful", "Was the alarm useful?", "choice", ("yes", "no"), needed=True),
             Field("comment", "Comment")), "Closed",
        )  # fmt: skip
    if incident.status in ("resolved", "closed"):
        yield Action(
            "Reopen",
            ask.ReopenIncident,
            lambda g: ask.ReopenIncident(incident=id_, reason=g["reason"]),
            (_REASON,),
            "Opened again",
        )
    yield Action(
        "Comment",
        ask.CommentIncident,
        lambda g: ask.CommentIncident(incident=id_, text=g["text"]),
        (Field("text", "Comment", needed=True),),
        "Written down",
    )
    yield Action(
        "Assign",
        ask.AssignIncident,
        lambda g: ask.AssignIncident(incident=id_, to=g["to"], comment=g["comment"]),
        (Field("to", "To (a person or a position)", needed=True), Field("comment", "Comment")),
        "Assigned",
    )
    yield Action(
        "Attach",
        ask.AttachToIncident,
        lambda g: ask.AttachToIncident(incident=id_, name=g["name"], ref=g["ref"]),
        (Field("name", "Name", needed=True), Field("ref", "Path or address", needed=True)),
        "Attached",
    )
    if not incident.is_open:
        return
    if any(a.sounds for a in story.alarms):
        yield _SILENCE
    yield Action(
        "Priority",
        ask.SetPriority,
        lambda g: ask.SetPriority(incident=id_, priority=g["priority"], reason=g["reason"]),
        (Field("priority", "Priority", "choice", tuple(reversed(PRIORITIES)), needed=True), _REASON),
        "Changed",
    )
    if len(story.alarms) > 1:
        # Numbered, for two may read alike.
        names = {f"{n}. {a.message}, {a.priority}": a.alarm for n, a in enumerate(story.alarms, 1)}
        yield Action(
            "Split", ask.SplitIncident,
            lambda g: ask.SplitIncident(incident=id_, alarms=tuple(names[n] for n in g["alarms"]), reason=g["reason"]),
            (Field("alarms", "These alarms become an incident of their own", "several", tuple(names), needed=True),
             _REASON), "Split",
        )  # fmt: skip
    if others:
        yield Action(
            "Merge",
            ask.MergeIncidents,
            lambda g: ask.MergeIncidents(incident=id_, into=others[g["into"]], reason=g["reason"]),
            (Field("into", "Into", "choice", tuple(others), needed=True), _REASON),
            "Merged",
        )
