"""The two lists and the head of the board, as data for its components. Pure: rows in, plain dicts out."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple
from uuid import UUID

from analytics.rows import Alarm, Incident, OverrideRow, Overview
from board import hands, questions, words
from board.feeds import READINGS_SILENT_S, Trouble, reading_age_s
from devices.plant import Plant

BOARD_SILENT_S = 5.0
"""So long without a fresh answer of the board's server, and the page turns red. It answers once a second."""
LOG_SILENT_S = 15.0
"""So long without a tick of any stage in the log, and the page turns red: nothing that happens now would be in it."""


_SHORT = {
    "A": "normal", "B": "unacknowledged", "C": "acknowledged", "D": "returned, unacknowledged",
    "E": "latched, unacknowledged", "F": "latched, reset it", "G": "shelved", "H": "suppressed", "I": "out of service",
}  # fmt: skip
HIDDEN_SHOWN = 50
"""So many lines of what is kept quiet, and of what is held back; the counts say how many there are."""


class Chosen(NamedTuple):
    """What the address names, by id, never by row: an incident, one alarm (alone or within its incident), what keeps an
    alarm quiet (`override`, "AREA KIND NAME"), a question of a playbook, one of its runs, or a view."""

    incident: UUID | None = None
    alarm: UUID | None = None
    override: str | None = None
    view: Literal["handover", "playbooks"] | None = None
    question: UUID | None = None
    run: UUID | None = None

    @property
    def key(self) -> str | None:
        """The id of the row that is marked in the lists."""
        if self.alarm:
            return f"alarm:{self.alarm}"
        if self.override:
            return f"override:{self.override}"
        if self.view:
            return f"view:{self.view}"
        if self.question:
            return f"question:{self.question}"
        if self.run:
            return f"run:{self.run}"
        return f"incident:{self.incident}" if self.incident else None


def chosen_of(key: str) -> Chosen:
    """The choice that a row's id, or "view:NAME", names.

    Raises:
        ValueError: it is neither.
    """
    kind, _, text = key.partition(":")
    match kind:
        case "override" if text.count(" ") >= 2:
            return Chosen(override=text)
        case "view" if text in ("handover", "playbooks"):
            return Chosen(view="handover" if text == "handover" else "playbooks")
        case "alarm":
            return Chosen(alarm=UUID(text))
        case "incident":
            return Chosen(incident=UUID(text))
        case "question":
            return Chosen(question=UUID(text))
        case "run":
            return Chosen(run=UUID(text))
        case _:
            raise ValueError(f"'{key}' names no row")


def header(
    overview: Overview, plant: Plant, troubles: tuple[Trouble, ...], *, error: str | None, age_s: float, now_ms: int
) -> dict[str, Any]:
    """Args: age_s: how long ago `overview` was read, now_ms: server's clock: what tells one message from the next.

    Ages are those when it was read: `log_age_s` of the newest tick of the stage that is best off, `reading_age_s` of
    the newest reading; None before the first one.
    """
    return {
        "plant": plant.name,
        "now": now_ms,
        "age_s": age_s,
        "log_age_s": min((max(0.0, s.seconds) for s in overview.stages), default=None),
        "reading_age_s": reading_age_s(overview),
        "limits": {"board": BOARD_SILENT_S, "log": LOG_SILENT_S, "readings": READINGS_SILENT_S},
        "error": error,
        "worst": words.worst(overview.alarms),
        "counts": {
            "unacknowledged": overview.unacknowledged, "active": overview.active, "incidents": overview.open_incidents,
        },
        "hands_off": hands.banner(overview.hands_off, plant),
        "trouble": [
            {"text": t.text, "detail": t.detail, "since": words.millis(t.since)} for t in troubles
        ],
    }  # fmt: skip


def incident_row(incident: Incident, alarms: tuple[Alarm, ...], plant: Plant) -> dict[str, Any]:
    state, said = words.incident_state(incident, alarms)
    own = [a for a in alarms if a.incident == incident.incident]
    count = f" · {len(own)} alarms" if len(own) > 1 else ""
    whose = f" · {incident.assigned_to}" if incident.assigned_to else ""
    name = words.called(incident)
    return {
        "id": f"incident:{incident.incident}", "priority": incident.priority, "state": state, "number": name,
        "title": incident.title, "detail": f"{words.area_title(plant, incident.area)}{count}{whose}",
        "at": words.millis(incident.opened_at), "words": said,
        "label": f"{name}, {incident.priority}, {incident.title}, {said}",
    }  # fmt: skip


def alarm_row(alarm: Alarm, plant: Plant) -> dict[str, Any]:
    state, said = words.alarm_state(alarm)
    where = words.area_title(plant, alarm.area)
    detail = " · ".join(
        filter(None, (words.marks(alarm), words.compared(alarm) or words.point_title(plant, alarm.point), where))
    )
    return {
        "id": f"alarm:{alarm.alarm}", "priority": alarm.priority, "state": state, "title": alarm.message,
        "detail": detail, "at": words.millis(alarm.raised_at), "words": f"{alarm.state} · {_SHORT[alarm.state]}",
        "label": f"{alarm.message}, {alarm.priority}, {said}, {detail}",
    }  # fmt: skip


def override_key(row: OverrideRow) -> str:
    return f"{row.area} {row.kind.replace(' ', '_')} {row.name}"


def override_row(row: OverrideRow, plant: Plant) -> dict[str, Any]:
    who = row.by or "by design" if row.kind == "suppressed" else row.by or "by its definition"
    title = row.message or row.name
    detail = f"{who}: {row.reason or row.cause}" + (", only until it is normal" if row.one_shot else "")
    state = f"{row.kind}, {'ACTIVE' if row.active else 'normal'} underneath"
    return {
        "id": f"override:{override_key(row)}", "priority": row.priority or "low", "state": "over", "title": title,
        "detail": f"{detail} · {words.area_title(plant, row.area)}", "at": words.millis(row.since), "words": state,
        "until": words.millis(row.until) if row.until else None,
        "label": f"{title}, {state}, {detail}",
    }  # fmt: skip


def hidden_list(
    overview: Overview, held_back: tuple[Alarm, ...], plant: Plant, chosen: Chosen
) -> dict[str, Any] | None:
    """What is not in the list of alarms though it may be active: everybody sees that it is so, who did it and until
    when. None when there is nothing."""
    counts = (
        ("shelved", overview.shelved), ("suppressed", overview.suppressed), ("out of service", overview.out_of_service),
        ("held back", overview.held_back),
    )  # fmt: skip
    if not any(n for _, n in counts):
        return None
    quiet, held = overview.overrides[:HIDDEN_SHOWN], held_back[:HIDDEN_SHOWN]
    rows = [override_row(r, plant) for r in quiet] + [alarm_row(a, plant) for a in held]
    left = len(overview.overrides) - len(quiet) + overview.held_back - len(held)
    return {
        "title": "Not announced", "count": ", ".join(f"{n} {what}" for what, n in counts if n),
        "rows": rows, "chosen": chosen.key, "empty": "", "more": _more(left, "lines"),
    }  # fmt: skip


SHARES = {"waiting": 2, "incidents": 3, "alarms": 3, "hidden": 2}
"""How the lists divide the height of the page among them, as far as they are there."""


def left(
    overview: Overview, held_back: tuple[Alarm, ...], plant: Plant, chosen: Chosen
) -> dict[str, dict[str, Any]]:
    """The lists on the left, from above; what waits for people first, where it is not empty."""
    found = {
        "waiting": questions.waiting_list(overview, plant, chosen.key),
        "incidents": incidents_list(overview, plant, chosen), "alarms": alarms_list(overview, plant, chosen),
        "hidden": hidden_list(overview, held_back, plant, chosen),
    }  # fmt: skip
    shown = {name: data for name, data in found.items() if data is not None}
    whole = sum(SHARES[name] for name in shown)
    return {name: {**data, "share": SHARES[name] / whole, "lists": len(shown)} for name, data in shown.items()}


def incidents_list(overview: Overview, plant: Plant, chosen: Chosen) -> dict[str, Any]:
    shown = words.first_of_incidents(overview.incidents, overview.alarms)
    shown_open = sum(i.is_open for i in shown)
    return {
        "title": "Incidents",
        "count": f"{overview.open_incidents} open" if overview.open_incidents else "none open",
        "rows": [incident_row(i, overview.alarms, plant) for i in shown],
        "chosen": chosen.key,
        "empty": "No incident is open.",
        "more": _more(overview.open_incidents - shown_open, "open incidents"),
    }


NO_ALARM = "No alarm is active, none waits for acknowledgement."


def hidden(overview: Overview) -> int:
    """How many alarms are kept quiet or held back: active or not, they are not in the list of alarms."""
    return overview.shelved + overview.suppressed + overview.out_of_service + overview.held_back


def alarms_list(overview: Overview, plant: Plant, chosen: Chosen) -> dict[str, Any]:
    total = overview.active + sum(1 for a in overview.alarms if not a.active)
    return {
        "title": "Alarms",
        "count": f"{overview.active} active, {overview.unacknowledged} unacknowledged" if total else "none",
        "rows": [alarm_row(a, plant) for a in words.first(overview.alarms)],
        "chosen": chosen.key,
        "empty": f"No alarm is announced. {hidden(overview)} more, see below." if hidden(overview) else NO_ALARM,
        "more": _more(overview.active - sum(a.active for a in overview.alarms), "active alarms of lower priority"),
    }


def _more(count: int, what: str) -> str:
    return f"{count} more {what} are not in this list." if count > 0 else ""
