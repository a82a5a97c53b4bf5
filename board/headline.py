"""What is chosen, in one look; or, when nothing is, how the plant stands. Data for the component, pure."""

from __future__ import annotations

from typing import Any

from analytics.rows import Alarm, OverrideRow, Overview, Story
from board import words
from board.feeds import READINGS_SILENT_S, Trouble, reading_age_s
from board.lists import hidden
from board.timeline import seat
from devices.plant import Plant

_BADGES = {
    "A": "normal", "B": "unacknowledged", "C": "acknowledged", "D": "unacknowledged", "E": "latched", "F": "latched",
    "G": "shelved", "H": "suppressed", "I": "out of service",
}  # fmt: skip
_BADGE_OF_INCIDENT = {"standing": "unacknowledged", "returned": "unacknowledged", "taken": "acknowledged"}


def headline(story: Story | None, alarm: Alarm | None, plant: Plant) -> dict[str, Any]:
    """Of the alarm if one is chosen, else of the incident.

    Raises:
        ValueError: neither is given.
    """
    if alarm is not None:
        state, said = words.alarm_state(alarm)
        part = f" · part of incident {words.called(story.incident)}" if story else " · in no incident"
        return {
            "chosen": True, "priority": alarm.priority, "state": state, "title": alarm.message,
            "badge": f"{alarm.state} · {_BADGES[alarm.state]}",
            "kicker": f"alarm · {words.area_title(plant, alarm.area)}{part}", "since": words.millis(alarm.raised_at),
            "words": " · ".join(filter(None, (words.measured(plant, alarm), said, words.marks(alarm)))),
        }  # fmt: skip
    if story is None:
        raise ValueError("a headline needs an incident or an alarm")
    incident = story.incident
    state, said = words.incident_state(incident, story.alarms)
    return {
        "chosen": True, "priority": incident.priority, "state": state, "title": incident.title,
        "badge": _BADGE_OF_INCIDENT.get(state, incident.status),
        "kicker": f"incident {words.called(incident)} · {words.area_title(plant, incident.area)}",
        "since": words.millis(incident.opened_at),
        "words": " · ".join(filter(None, (f"{said[:1].upper()}{said[1:]}", _alarms(story), _whose(story)))),
    }  # fmt: skip


def _alarms(story: Story) -> str:
    active = sum(a.active for a in story.alarms)
    total = len(story.alarms)
    return f"{total} alarm{'s' if total != 1 else ''}, {active} active"


def _whose(story: Story) -> str:
    incident = story.incident
    seats = ", ".join(seat(to) for to in incident.escalated_to)
    called = f"called {seats}" if seats and incident.is_open else ""
    reopened = f"opened {incident.openings} times" if incident.openings > 1 else ""
    whose = f"assigned to {incident.assigned_to}" if incident.assigned_to else ""
    return " · ".join(filter(None, (whose, called, reopened)))


def override(row: OverrideRow, plant: Plant) -> dict[str, Any]:
    """Of what keeps an alarm quiet."""
    who = f"by {row.by}" if row.by else "by design"
    underneath = "its condition holds now" if row.active else "its condition does not hold now"
    return {
        "chosen": True, "priority": row.priority or "low", "state": "over", "title": row.message or row.name,
        "badge": row.kind, "kicker": f"alarm {row.name} · {words.area_title(plant, row.area)}",
        "since": words.millis(row.since), "until": words.millis(row.until) if row.until else None,
        "words": f"{who}: {row.reason or row.cause} · {underneath}",
    }  # fmt: skip


def message(mark: str, title: str, text: str) -> dict[str, Any]:
    return {"chosen": False, "mark": mark, "title": title, "text": text}


def calm(overview: Overview | None, plant: Plant, troubles: tuple[Trouble, ...]) -> dict[str, Any]:
    """How the plant stands when nothing is chosen. Never 'all is well' while something cannot be seen."""
    if overview is None:
        return message("…", "Waiting for the event log", "Nothing is known of the plant yet.")
    if waiting := [a for a in words.first(overview.alarms) if not a.acknowledged]:
        return _foremost(waiting[0], overview, plant)
    if overview.hands_off:
        text = "No playbook acts and no device is moved where hands are off, until a supervisor allows it again."
        return message("✋", "Hands off", text)
    if overview.questions:
        return message("?", f"{_count(len(overview.questions), 'question')} for people", "Choose one on the left.")
    if overview.active or overview.open_incidents:
        text = "Choose an incident or an alarm on the left: with the mouse, or with Tab, the arrow keys and Enter."
        return message("←", "Nothing chosen", text)
    if blind := [trouble for trouble in troubles if trouble.blind]:
        return message("?", "No alarm stands, but part of the plant cannot be seen", f"{blind[0].text}.")
    if troubles:
        return message("…", "No alarm stands any more", f"{troubles[0].text}: {troubles[0].detail}.")
    if quiet := hidden(overview):
        text = "What is shelved, suppressed, out of service or held back stands on the left, with who and why."
        return message("…", f"No alarm is announced, {_count(quiet, 'alarm')} kept quiet", text)
    age_s = reading_age_s(overview)
    if age_s is None or age_s > READINGS_SILENT_S:
        since = "yet" if age_s is None else "for more than a minute"
        return message("…", f"No alarm stands, no reading has come {since}", "Is a device or the simulator running?")
    text = f"No alarm stands and no incident is open in {_count(len(plant.areas), 'area')}."
    return message("✓", "All is well", f"{text} Readings arrive: see their age above.")


def _foremost(alarm: Alarm, overview: Overview, plant: Plant) -> dict[str, Any]:
    """What somebody has to look at before all else. There is nothing to press: the next moment it may be another."""
    state, said = words.alarm_state(alarm)
    more, asked = max(0, overview.unacknowledged - 1), len(overview.questions)
    others = [f"{_count(more, 'more alarm')} unacknowledged"] if more else []
    others += [f"{_count(asked, 'question')} for people"] if asked else []
    return {
        **message("", alarm.message, " · ".join([*others, "choose in the lists"])), "priority": alarm.priority,
        "state": state, "kicker": f"first of all · {words.area_title(plant, alarm.area)}",
        "words": " · ".join(filter(None, (words.measured(plant, alarm), said))), "since": words.millis(alarm.raised_at),
    }  # fmt: skip


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
