"""Plans by hand, in short: for tests of the engine, which knows no files."""

from __future__ import annotations

from typing import Any, Literal

from events.playbooks import CommandIssued
from events.types import Priority
from playbooks.plan import Device, OnIncident, OnRequest, Playbook, PlaybookSet, Trigger, Watch, digest
from playbooks.recipe import Act, Ask, Condition, Notify, Set, Step, Task, Write

AREA = "shop/press"


def step(name: str, act: Act, timeout_s: float = 2.0, **more: Any) -> Step:
    return Step(name, act, timeout_s, **more)


def write(point: str, value: float | str = 1.0, **more: Any) -> Write:
    return Write("edge-1", point.partition(".")[0], point, value, 0.0, 0.0, 100.0, **more)


def moves(name: str, value: float | str = 1.0, **more: Any) -> Step:
    """A write to press.NAME."""
    return step(name, write(f"press.{name}", value), **more)


def back(name: str) -> tuple[Step, ...]:
    """Its undo."""
    return (step("back", write(f"press.{name}", 0.0)),)


def tells(name: str = "tell", text: str = "look", to: str = "lead", priority: Priority = "high") -> Step:
    return step(name, Notify(to, text, priority), 10.0)


def asks(name: str = "ask", timeout_s: float = 60.0, *, choices: tuple[str, ...] = (), otherwise: str = "",
         four_eyes: bool = False, role: str = "operator", **more: Any) -> Step:  # fmt: skip
    act = Ask("May I?", "lead", role, "high", choices, otherwise, four_eyes)
    return step(name, act, timeout_s, **more)


def does(name: str = "swap", *checklist: str, timeout_s: float = 60.0) -> Step:
    return step(name, Task("Replace the seal", "maintenance", "operator", "high", checklist), timeout_s)


def sets(name: str, **values: float | str | bool) -> Step:
    literal = {k: v for k, v in values.items() if not isinstance(v, str)}
    return step(name, Set(literal, {k: v for k, v in values.items() if isinstance(v, str)}), 10.0)


def so(text: str, said: str = "") -> Condition:
    return Condition(text, said or text)


ASKED = OnRequest("operator")
OPENED = OnIncident("opened")


def book(*steps: Step, name: str = "p", triggers: tuple[Trigger, ...] = (ASKED, OPENED), **more: Any) -> Playbook:
    made = Playbook(playbook=name, title=name.title(), area=AREA, triggers=triggers, steps=steps, **more)
    return Playbook(**{f: getattr(made, f) for f in made.__struct_fields__ if f != "version"}, version=digest(made))


def plant(*books: Playbook, devices: tuple[str, ...] = ("press", "lamp"), **more: Any) -> PlaybookSet:
    return PlaybookSet(books, {name: Device("edge-1", AREA, **more) for name in devices})


def watch(text: str, for_s: float = 0.0) -> Watch:
    return Watch(text, for_s)


Outcome = Literal["done", "failed", "skipped", "cancelled"]


def written(facts: list[Any]) -> list[tuple[str, float]]:
    """What was to be moved, in order."""
    return [(f.point, f.value) for f in facts if isinstance(f, CommandIssued) and f.kind == "write"]
