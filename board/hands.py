"""Hands off: where nothing acts, who stopped it and why; stopping it, and allowing it again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from analytics.run_rows import HandsOff
from board import words
from devices.plant import Plant
from events.requests import AllowActing, Role, RunRequest, StopActing
from playbooks.permissions import LADDER, LEAST

EVERYWHERE = "All areas"
SHOWN = 3
"""So many lines of the banner; areas that one person stopped for one reason share a line."""


def banner(off: Iterable[HandsOff], plant: Plant) -> list[dict[str, Any]]:
    """Its lines, the newest first; none when everything may act."""
    groups: dict[tuple[str, str], list[HandsOff]] = {}
    for one in off:
        groups.setdefault((one.stopped_by, one.reason), []).append(one)
    lines = [
        {"where": where([o.area for o in own], plant), "by": by, "reason": reason,
         "since": words.millis(min(o.stopped_at for o in own))}
        for (by, reason), own in groups.items()
    ]  # fmt: skip
    left = len(lines) - SHOWN
    return lines[:SHOWN] + ([{"where": f"{left} more", "by": "", "reason": "", "since": None}] if left > 0 else [])


def where(areas: Collection[str], plant: Plant) -> str:
    if len(plant.areas) > 1 and set(plant.areas) <= set(areas):
        return EVERYWHERE
    return ", ".join(words.area_title(plant, area) for area in sorted(areas))


def places(areas: Iterable[str], plant: Plant) -> dict[str, tuple[str, ...]]:
    """What may be chosen -> the areas that it means: all of them first, for who is in a hurry."""
    each: dict[str, tuple[str, ...]] = {words.area_title(plant, area): (area,) for area in sorted(areas)}
    return each if len(each) < 2 else {EVERYWHERE: tuple(sorted(areas)), **each}


def stop(reason: str) -> StopActing:
    return StopActing(reason=reason)


def allow(reason: str) -> AllowActing:
    return AllowActing(reason=reason)


def may(asks: type[RunRequest], role: Role) -> bool:
    """As the brain decides."""
    return role in LADDER and LADDER.index(role) >= LADDER.index(LEAST[asks])
