"""Alarms of Andon itself, which no file has to define: one of each for every area."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.definition import AlarmDefinition

PLAYBOOK_LOOP = "playbook_loop"
"""Rule of the condition that the playbooks stage says when it has cut a loop."""


def system_alarms(areas: Iterable[str]) -> dict[str, AlarmDefinition]:
    """By name."""
    return {alarm.name: alarm for alarm in map(_playbook_loop, areas)}


def _playbook_loop(area: str) -> AlarmDefinition:
    return AlarmDefinition(
        name=f"{area}/{PLAYBOOK_LOOP}", area=area, rules=(PLAYBOOK_LOOP,), title="A playbook sets itself off",
        factor="method", klass="system",
        cause="What a playbook does, by itself or through others, raises the alarm that sets it off.",
        consequence="The playbook is refused for 10 min: what it is for is not done by itself meanwhile.",
        action="Look at the run and at the machine, and do by hand what is needed. Then have the playbook changed.",
        response_s=600.0,
    )  # fmt: skip
