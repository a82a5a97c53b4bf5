"""The chosen incident as data for its component: its alarms, what the playbook did, and the timeline. Pure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from analytics.rows import Alarm, Story
from board import running, words
from board.timeline import timeline
from devices.plant import Plant


def view(story: Story, plant: Plant, chosen_alarm: UUID | None) -> dict[str, Any]:
    return {
        "alarms": [_alarm(a, plant, chosen_alarm) for a in story.alarms],
        "runs": [running.brief(r, plant) for r in story.runs],
        "no_runs": "No playbook answers to this incident.",
        "timeline": timeline(story, plant),
    }


def _alarm(alarm: Alarm, plant: Plant, chosen: UUID | None) -> dict[str, Any]:
    state, said = words.alarm_state(alarm)
    return {
        "id": f"alarm:{alarm.alarm}", "priority": alarm.priority, "state": state, "title": alarm.message,
        "detail": words.measured(plant, alarm), "words": said, "at": words.millis(alarm.raised_at),
        "chosen": alarm.alarm == chosen, "marks": words.marks(alarm),
        "label": f"Alarm {alarm.message}, {alarm.priority}, {said}",
    }  # fmt: skip
