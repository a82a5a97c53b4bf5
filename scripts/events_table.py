"""Writes the tables of docs/events.md from events/*.py, so that they stay true: `python scripts/events_table.py`."""

from __future__ import annotations

import sys
import types
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, Struct

from events import alarms, devices, envelope, errands, incidents, notifications, playbooks, requests

PAGE = Path(__file__).resolve().parents[1] / "docs" / "events.md"
BEGIN, END = "<!-- tables: scripts/events_table.py -->", "<!-- end of tables -->"

SECTIONS: dict[str, tuple[str, tuple[type[Struct], ...]]] = {
    "Conditions": ("Said by `detection`, topic `conditions`.", get_args(alarms.ConditionFact)),
    "Alarms": ("Said by `incidents`, topic `incidents`.", get_args(alarms.AlarmFact)),
    "Incidents": (
        "Said by `incidents`, topic `incidents`.",
        (*get_args(incidents.IncidentFact), *get_args(incidents.EscalationFact)),
    ),
    "Notifications": (
        "Issued by `incidents` and `playbooks`; their outcomes are reported by the notifier, topic `incidents`.",
        get_args(notifications.NotificationFact),
    ),
    "Playbook runs and commands": (
        "Said by `playbooks`, topic `commands`.", (*get_args(playbooks.PlaybookFact), playbooks.LockOutIssued),
    ),
    "Errands of playbooks": (
        "Issued by `playbooks`, topic `commands`; carried out by `errands`, whose report `playbooks` takes over.",
        get_args(errands.ErrandFact),
    ),
    "Devices, edges and what they deliver": (
        "Reported by edges, the dispatcher and the bridge, topic `incidents`.", get_args(devices.DeviceFact),
    ),
    "Requests of people": (
        "Asked by people, topic `conditions`, and `incidents` for runs; in the log the type is `request.…`.",
        (*get_args(requests.RequestBody), requests.RequestRefused),
    ),
    "Stages": ("Said by any stage, or by an edge, about itself; area `*`.",
               (envelope.InputFailed, envelope.Configured)),
}  # fmt: skip

PLAIN: dict[str, str] = {
    "alarm.raised": "A new alarm: active, not acknowledged. `alarm` is the occurrence.",
    "incident.opened": "`alarm` opened it. `number` counts up within the area: what people say aloud.",
    "run.started": "A playbook begins, for an incident. `version` is that of the playbook; the run ends under it.",
    "run.refused": "A trigger matched, but the playbook was not started, and why.",
    "command.issued": "The intent to write one value to one point. It is refused later than `not_after`.",
    "stage.configured": "From here on the stage decides by this version of the plant's files; `body` holds them.",
    "alarm.acknowledged": "Somebody took notice of this occurrence.",
    "incident.priority_changed": "An alarm of higher priority joined.",
    "run.step_started": "One attempt at a step begins; it has failed when nothing else ended it by `due`.",
    "run.step_finished": "One attempt at a step has ended.",
    "run.finished": "The run has ended.",
    "notification.issued": "Somebody is to be told.",
    "device.lost": "Three scans in a row had no answer.",
    "device.returned": "A lost device answers again.",
    "acknowledge_alarm": "Acknowledge one occurrence of an alarm.",
    "acknowledge_incident": "Acknowledge an incident and its unacknowledged alarms: those in `seen`, else all.",
    "alarm.returned_to_service": "Back from maintenance; the condition is judged afresh.",
    "alarm.settled": "It no longer chatters.",
    "device.released": "The lock-out has ended.",
    "incident.commented": "Somebody wrote something down.",
    "silence": "The horn of the area off, for the alarms that sound now. Nothing is acknowledged.",
    "reset_alarm": "Reset a latched alarm that is acknowledged and gone.",
    "shelve_alarm": "Shelve an alarm for a time; `one_shot`: or until it returns to normal.",
    "unshelve_alarm": "End the shelving before its time.",
    "unsuppress_alarm": "End a suppression by hand before its time.",
    "return_to_service": "An alarm, or all alarms of a device; the device takes commands again.",
    "confirm_incident": "A candidate is an incident.",
    "set_priority": "A person judges the incident otherwise than its alarms.",
    "assign_incident": "Give it to a person or a position; empty takes it back.",
    "comment_incident": "Write something down.",
    "attach_to_incident": "A file or an image, by reference.",
    "close_incident": "What it was, what was done, and whether the alarm was useful.",
    "reopen_incident": "It is not over.",
    "run.resumed": "Paused no longer.",
    "message.issued": "Publish to MQTT. `andon/…` is refused.",
    "errand.done": "The other system took it.",
    "errand.failed": "It did not; `final`: it would not the next time either.",
    "acting.allowed": "Playbooks act again from here on.",
    "pause_run": "No further step begins.",
    "resume_run": "Go on.",
    "answer_question": "Answer what a playbook asks, or report its task.",
    "allow_acting": "Playbooks may act again.",
    "report_errand": "What became of an errand.",
    "request.refused": "A request was not done, and why. Said by `incidents`.",
}
"""The meaning of those whose class has no docstring, or one that is for programmers."""

_WORDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "yes/no", bytes: "bytes", UUID: "id", datetime: "time",
    type(None): "none", alarms.AlarmHeard: "alarm with area and state",
    requests.Request: "request",
}  # fmt: skip


def tag_of(struct: type[Struct]) -> str:
    return str(struct.__struct_config__.tag)


def everything() -> list[type[Struct]]:
    """Every fact and request body there is."""
    return [*get_args(envelope.Fact), *get_args(requests.RequestBody)]


def meaning(struct: type[Struct]) -> str:
    """What it says, in one paragraph.

    Raises:
        KeyError: its class has no docstring, and PLAIN no line for it.
    """
    tag, doc = tag_of(struct), struct.__dict__.get("__doc__")
    if tag in PLAIN or not doc:
        return PLAIN[tag]
    return " ".join(doc.split("Attributes:")[0].split())


def tables() -> str:
    """The generated part of the page."""
    out: list[str] = []
    for title, (by, structs) in SECTIONS.items():
        out += [f"## {title}", "", by, "", "| type | meaning | fields |", "|---|---|---|"]
        out += [f"| `{tag_of(s)}` | {_cell(meaning(s))} | {_fields(s)} |" for s in structs]
        out.append("")
    return "\n".join(out)


def page(text: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: a marker is missing.
    """
    before, _, rest = text.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"{PAGE.name} needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def _fields(struct: type[Struct]) -> str:
    hints = get_type_hints(struct)
    return "<br>".join(_field(f, hints[f.name]) for f in msgspec.structs.fields(struct))


def _field(field: msgspec.structs.FieldInfo, hint: Any) -> str:
    said = _cell(_type(hint))
    if field.default is not NODEFAULT:
        said += f", else {field.default!r}"
    return f"`{field.encode_name}` {said}"


def _type(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " · ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(_type, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return f"by name: {_type(get_args(hint)[1])}"
    return _WORDS[hint]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE} has {len(everything())} types\n")
