"""What the next shift must know: what is open, what is quiet and why, what the last shift wrote. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from analytics.history import Handover
from analytics.rows import Overview
from board import lists, words
from board.actions import Action, Field
from devices.plant import Plant
from events import requests as ask
from events.requests import Role
from incidents.permissions import MAY

TOLD = 10
"""So many handovers are shown; the log has all."""


def view(overview: Overview, handed: Sequence[Handover], plant: Plant) -> dict[str, Any]:
    """Sections in the order in which one reads them out; empty ones say so."""
    waits = [a for a in overview.alarms if not a.acknowledged]
    sections = [
        _section("Open incidents", overview.open_incidents, "No incident is open.", [
            {**lists.incident_row(i, overview.alarms, plant), "tag": i.assigned_to or "nobody has it"}
            for i in overview.incidents if i.is_open
        ]),
        _section("Resolved, to be closed", 0, "", [
            {**lists.incident_row(i, overview.alarms, plant), "tag": "cause and action?"}
            for i in overview.incidents if i.status == "resolved"
        ]),
        _section("Unacknowledged alarms", overview.unacknowledged, "None.", [
            lists.alarm_row(a, plant) for a in waits
        ]),
        _section("Kept quiet", overview.shelved + overview.suppressed + overview.out_of_service,
                 "Nothing is shelved, suppressed or out of service.",
                 [lists.override_row(o, plant) for o in overview.overrides]),
        _section("Chattering", len(overview.chattering), "", [
            {"title": c.name, "detail": f"{c.times} times within {c.within_s:g} s · {words.area_title(plant, c.area)}",
             "at": words.millis(c.since), "priority": "low", "state": "over", "id": "", "words": ""}
            for c in overview.chattering
        ]),
    ]  # fmt: skip
    return {"sections": [s for s in sections if s["rows"] or s["empty"]], "handed": [_told(h, plant) for h in handed]}


def _section(title: str, count: int, empty: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "count": max(count, len(rows)), "empty": empty, "rows": rows[: lists.HIDDEN_SHOWN]}


def _told(handed: Handover, plant: Plant) -> dict[str, Any]:
    quiet = (("shelved", handed.shelved), ("suppressed", handed.suppressed), ("out of service", handed.out_of_service))
    parts = [f"{len(handed.open)} incidents", f"{handed.standing} alarms, {handed.unacknowledged} unacknowledged"]
    parts += [f"{what}: {', '.join(names)}" for what, names in quiet if names]
    shift = f", {handed.shift} shift" if handed.shift else ""
    return {
        "at": words.millis(handed.at), "who": f"{seat(handed.position)} → {handed.to or 'nobody'}{shift}",
        "where": words.area_title(plant, handed.area), "by": f"by {handed.by}" if handed.by else "by the calendar",
        "said": "; ".join(parts), "note": handed.note,
    }  # fmt: skip


def seat(position: str) -> str:
    return position.replace("_", " ")


def seats(handed: Sequence[Handover]) -> dict[str, tuple[str, str]]:
    """What the positions that are known are called -> their area and name. The log has each from its first shift on."""
    return {f"{seat(h.position)}, {h.area}": (h.area, h.position) for h in handed}


def offered(area: str, position: str, role: Role) -> Iterator[Action]:
    """To hand this position, in this area, to somebody."""
    if ask.HandOver in MAY[role]:
        yield Action(
            "Hand over", ask.HandOver, lambda g: ask.HandOver(position=position, to=g["to"], note=g["note"]),
            (Field("to", "To (who takes it)", needed=True), Field("note", "What they must know")),
            f"{seat(position)} of {area} is handed over",
        )  # fmt: skip
