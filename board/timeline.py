"""What happened in an incident, oldest first: measured, decided, said, called, commanded. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from analytics.rows import Alarm, Happened, Story
from analytics.run_rows import Command, Notification, Run
from analytics.sentences import sentence
from board import words
from devices.plant import Plant

_DECIDED = frozenset({
    "incident.confirmed", "incident.priority_changed", "incident.assigned", "incident.commented", "incident.attached",
    "incident.merged", "incident.reopened", "incident.closed", "alarm.shelved", "alarm.unshelved", "alarm.suppressed",
    "alarm.unsuppressed", "alarm.taken_out_of_service", "alarm.returned_to_service", "alarm.reset", "alarm.reannounced",
    "alarm.level_changed", "alarm.held_back", "alarm.released", "escalation.ended", "request.refused",
})  # fmt: skip
"""Types of the log that are told in their own sentence; the rest stands in the rows of the story."""


class Entry(NamedTuple):
    """Attributes: tone: which need the eye: abnormal, failed, person, normal."""

    at: datetime
    text: str
    detail: str = ""
    who: str = ""
    tone: str = "normal"


def timeline(story: Story, plant: Plant) -> list[dict[str, Any]]:
    found = [*_alarms(story, plant), *_incident(story)]
    for run in story.runs:
        found += _run(run, plant)
    found += [_called(n) for n in story.notifications]
    found += [_decided(h) for h in story.happened if h.type in _DECIDED]
    found += [
        Entry(r.at, f"Playbook {r.playbook} was not started", r.reason, "playbooks", "failed") for r in story.refusals
    ]
    found.sort(key=lambda entry: entry.at)
    return [{**entry._asdict(), "at": words.millis(entry.at)} for entry in found]


def _alarms(story: Story, plant: Plant) -> Iterator[Entry]:
    because = {
        str(h.facts.get("alarm")): str(h.facts.get("reason", ""))
        for h in story.happened
        if h.type == "incident.alarm_grouped"
    }
    for a in story.alarms:
        joined = "opened this incident" if a.alarm == story.incident.alarm else "joined this incident"
        reason = because.get(str(a.alarm))
        history = " (from history)" if a.late else ""
        detail = f"{words.measured(plant, a)} · {joined}{f': {reason}' if reason else ''}{history}"
        yield Entry(a.raised_at, a.message, detail, f"rule {a.rule}", "abnormal")
        if a.cleared_at is not None:
            yield Entry(a.cleared_at, f"Returned to normal: {a.message}", who=f"rule {a.rule}")
        if a.acknowledged_at is not None and not _with_incident(story, a):
            who = a.acknowledged_by or "by itself"
            yield Entry(a.acknowledged_at, f"Alarm acknowledged: {a.message}", _said(a.comment), who, "person")


def _with_incident(story: Story, alarm: Alarm) -> bool:
    i = story.incident
    return (alarm.acknowledged_at, alarm.acknowledged_by) == (i.acknowledged_at, i.acknowledged_by)


def _incident(story: Story) -> Iterator[Entry]:
    i = story.incident
    if i.acknowledged_at is not None:
        said = next((a.comment for a in story.alarms if a.acknowledged_at == i.acknowledged_at), "")
        yield Entry(i.acknowledged_at, "Incident acknowledged", _said(said), i.acknowledged_by or "", "person")
    if i.resolved_at is not None:
        why = "every alarm has returned to normal and is acknowledged"
        yield Entry(i.resolved_at, "Incident resolved", why, "incidents")


def _run(run: Run, plant: Plant) -> Iterator[Entry]:
    who = run.playbook
    yield Entry(run.started_at, f"Playbook started: {run.title or run.playbook}", who=who)
    for c in run.commands:
        tone = "failed" if c.outcome in ("failed", "refused") else "normal"
        yield Entry(c.issued_at, f"Command: {intent(c, plant)}", outcome(c, plant), who, tone)
    for n in run.notifications:
        yield Entry(n.issued_at, f"Told the {seat(n.to)}: {n.text}", _reached(n), who)
    for s in run.steps:
        told = any(c.outcome in ("failed", "refused") for c in run.commands if c.step == s.step)
        if s.outcome == "failed" and not told and s.finished_at is not None:
            yield Entry(s.finished_at, f"Step {s.step} failed", s.detail, who, "failed")
    if run.outcome is not None and run.finished_at is not None:
        tone = "failed" if run.outcome == "failed" else "normal"
        yield Entry(run.finished_at, f"Playbook {run.outcome}: {run.title or run.playbook}", run.detail, who, tone)


def _called(n: Notification) -> Entry:
    whom = f"{', '.join(n.persons)} ({seat(n.to)})" if n.persons and n.persons != (n.to,) else seat(n.to)
    lost = bool(n.deliveries) and all(d.outcome == "failed" for d in n.deliveries)
    return Entry(n.issued_at, f"Called {whom}: {n.text}", _reached(n), n.kind, "failed" if lost else "normal")


def _reached(n: Notification) -> str:
    if n.withdrawn_at is not None:
        return f"withdrawn: {n.withdrawn_reason}"
    return "; ".join(
        d.person + (f" by {d.channel}" if d.channel else "") + f": {d.outcome}" + (f", {d.reason}" if d.reason else "")
        for d in n.deliveries
    )


def _decided(line: Happened) -> Entry:
    said = sentence(line.type, line.facts)
    who = str(line.facts.get("by") or "") or line.author.removeprefix("person ")
    tone = "failed" if line.type == "request.refused" else "person" if line.facts.get("by") else "normal"
    return Entry(line.at, said[:1].upper() + said[1:], who=who, tone=tone)


def _said(comment: str) -> str:
    return f"“{comment}”" if comment else ""


# --- words -----------------------------------------------------------------------------------------------------------


def intent(command: Command, plant: Plant) -> str:
    """`Hydraulic press 1: Relief valve → open`."""
    device, _, _ = command.point.partition(".")
    title = words.point_title(plant, command.point)
    where = words.device_title(plant, device)
    return f"{where}: {title} → {words.setting(plant, command.point, command.value)}"


def outcome(command: Command, plant: Plant) -> str:
    match command.outcome:
        case "succeeded":
            read = command.value if command.read_back is None else command.read_back
            took = f" after {span(command.issued_at, command.confirmed_at)}" if command.confirmed_at else ""
            return f"read back {words.setting(plant, command.point, read)}{took}"
        case "failed":
            return f"not confirmed: {command.reason}"
        case "refused":
            return f"refused: {command.reason}"
        case None:
            return "no answer yet"


def seat(to: str) -> str:
    """A position as one says it."""
    return to.replace("_", " ")


def span(start: datetime, end: datetime) -> str:
    seconds = (end - start).total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
