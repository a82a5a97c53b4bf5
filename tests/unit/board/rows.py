"""Rows of a small plant, for the tests of what the board says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analytics.rows import Alarm, Incident, Overview, Story
from analytics.run_rows import Command, Run, Step
from devices.plant import Plant, load_plant
from events.types import make_id

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
PLANT: Plant = load_plant(Path(__file__).parents[3] / "examples" / "press-shop")[0]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alarm(id_: str = "a", **more: Any) -> Alarm:
    given: dict[str, Any] = {
        "alarm": make_id(id_), "area": "shop/press", "rule": "press_pressure.H", "rule_version": "v1", "kind": "limit",
        "point": "press.pressure", "began": START, "priority": "high",
        "message": "Hydraulic pressure too high", "value": 262.37, "limit_value": 250.0, "unit": "bar",
        "raised_at": START, "incident": make_id("incident"),
    }  # fmt: skip
    return Alarm(**(given | more))


def incident(**more: Any) -> Incident:
    given: dict[str, Any] = {
        "incident": make_id("incident"), "area": "shop/press", "number": 17, "title": "Hydraulic pressure too high",
        "priority": "high", "status": "open", "point": "press.pressure", "rule": "press_pressure.H",
        "alarm": make_id("a"), "opened_at": START, "recorded_at": START,
    }  # fmt: skip
    return Incident(**(given | more))


def overview(**more: Any) -> Overview:
    return Overview(read_at=START, **more)


def command(step: str = "s1", **more: Any) -> Command:
    given: dict[str, Any] = {
        "command": make_id("command", step), "step": step, "attempt": 1, "point": "press.relief_valve", "value": 1.0,
        "issued_at": at(0.1), "not_after": at(2),
    }  # fmt: skip
    return Command(**(given | more))


def told(*, alarms: tuple[Alarm, ...] = (), commands: tuple[Command, ...] = (), steps: tuple[Step, ...] = (),
         run: dict[str, Any] | None = None, **more: Any) -> Story:  # fmt: skip
    given: dict[str, Any] = {
        "run": make_id("run"), "playbook": "relieve", "version": "3fa09c11d2e4ff", "title": "Relieve the press",
        "started_at": at(0.05),
    }  # fmt: skip
    runs = (Run(**(given | {"commands": commands, "steps": steps} | (run or {}))),) if commands or steps or run else ()
    return Story(incident=incident(**more), alarms=alarms or (alarm(),), runs=runs)
