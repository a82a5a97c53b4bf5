"""What a fact changes in the current-state tables, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "alarms": ("alarm",), "alarm_names": ("area", "name"), "alarm_overrides": ("area", "name", "kind", "cause"),
        "floods": ("area", "scope"), "incidents": ("incident",), "runs": ("run",), "steps": ("run", "step", "attempt"),
        "commands": ("command",), "questions": ("question",), "answers": ("question", "by"), "errands": ("errand",),
        "acting": ("area",), "notifications": ("notification",),
        "deliveries": ("notification", "person", "channel"), "devices": ("device",),
        "gaps": ("source", "first"), "configurations": ("stage", "version"), "dead_letters": ("id",),
    }
)  # fmt: skip
"""Table → its primary key. `dead_letters` has other rows too, so it is added to, never dropped."""
REBUILT = tuple(t for t in KEYS if t != "dead_letters")


class Change(Struct, frozen=True):
    """The row `key` of `table` has these values now; nothing happens if its column `unless` has a value already."""

    table: str
    key: tuple[Any, ...]
    values: dict[str, Any]
    unless: str = ""


def merge(changes_: Iterable[Change]) -> list[Change]:
    """The same result with each row changed once (per guard): later values over earlier ones."""
    merged: dict[tuple[Any, ...], Change] = {}
    for c in changes_:
        at = (c.table, c.key, c.unless)
        before = merged.get(at)
        if before is None:
            merged[at] = Change(c.table, c.key, dict(c.values), c.unless)
        elif not c.unless:
            before.values.update(c.values)
        elif before.values.get(c.unless) is None:
            merged[at] = c
    return list(merged.values())
