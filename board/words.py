"""How the board says things: states, numbers, names of points. The same words everywhere on the page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from analytics.rows import Alarm, Incident
from devices.plant import Plant
from events.types import PRIORITIES, Priority, to_micros

State = str
"""How a symbol is drawn: standing (nobody acknowledged it), taken (acknowledged), returned (back to normal, not
acknowledged), over."""


_STATES: dict[str, tuple[State, str]] = {
    "A": ("over", "normal"),
    "B": ("standing", "active, unacknowledged"),
    "C": ("taken", "active, acknowledged"),
    "D": ("returned", "returned to normal, unacknowledged"),
    "E": ("returned", "latched, unacknowledged"),
    "F": ("taken", "latched, acknowledged, waits for a reset"),
    "G": ("over", "shelved"),
    "H": ("over", "suppressed by design"),
    "I": ("over", "out of service"),
}


def alarm_state(alarm: Alarm) -> tuple[State, str]:
    """The ISA-18.2 state as (style, words)."""
    style, said = _STATES[alarm.state]
    return style, said + (by(alarm.acknowledged_by) if alarm.state == "C" else "")


def marks(alarm: Alarm) -> str:
    """What else the eye should know of it: "first out · stale"."""
    said = (
        ("first out", alarm.first_out), ("chattering", alarm.chattering), ("stale, over a day", alarm.stale),
        (f"announced {alarm.times + 1} times", alarm.times > 0), ("held back", alarm.held_back),
        ("horn off", alarm.silenced and not alarm.acknowledged), ("from history", alarm.late),
    )  # fmt: skip
    return " · ".join(words for words, holds in said if holds)


def by(person: str | None) -> str:
    return f" by {person}" if person else ""


def incident_state(incident: Incident, alarms: tuple[Alarm, ...]) -> tuple[State, str]:
    """The state of an incident: that of those of its `alarms` which need somebody most."""
    if not incident.is_open:
        return "over", "resolved, not closed yet" if incident.status == "resolved" else incident.status
    states = {alarm_state(a)[0] for a in alarms if a.incident == incident.incident}
    if "standing" in states or (not states and incident.acknowledged_at is None):
        return "standing", f"{_candidate(incident)}unacknowledged"
    if "returned" in states:
        return "returned", f"{_candidate(incident)}returned, unacknowledged"
    return "taken", f"{_candidate(incident)}acknowledged{by(incident.acknowledged_by)}"


def _candidate(incident: Incident) -> str:
    return "candidate, " if incident.status == "candidate" else ""


def number(value: float, unit: str = "") -> str:
    """`262.4 bar`: four significant digits are what an operator reads; large numbers keep all before the point."""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def setting(plant: Plant, point: str, value: float) -> str:
    """The value of a point as people call it: `open`, or a number with its unit."""
    known = plant.points.get(point)
    if known is None:
        return number(value)
    _, definition = known
    names = {number_: name for name, number_ in definition.states.items()}
    return names.get(int(value), "") or number(value, definition.unit)


def point_title(plant: Plant, point: str) -> str:
    """Its name for people; of a device where the alarm names one as a whole ("no data from the press")."""
    known = plant.points.get(point)
    return (known[1].title or point) if known else device_title(plant, point)


def device_title(plant: Plant, device: str) -> str:
    known = plant.devices.get(device)
    return (known.title or device) if known else device


def area_title(plant: Plant, area: str) -> str:
    known = plant.areas.get(area)
    return (known.title or area) if known else area


def compared(alarm: Alarm) -> str:
    """`262.4 bar, limit 250 bar`; empty where the rule compares no number."""
    value = "" if alarm.value is None else number(alarm.value, alarm.unit)
    limit = "" if alarm.limit_value is None else f"limit {number(alarm.limit_value, alarm.unit)}"
    return ", ".join(filter(None, (value, limit)))


def measured(plant: Plant, alarm: Alarm) -> str:
    """`Hydraulic pressure 262.4 bar, limit 250 bar`."""
    return f"{point_title(plant, alarm.point)} {compared(alarm)}".rstrip()


def called(incident: Incident) -> str:
    """What people say aloud: `press 17`."""
    return f"{incident.area.rsplit('/', 1)[-1]} {incident.number}"


def millis(at: datetime) -> int:
    """Milliseconds since the epoch, as JavaScript's Date takes them."""
    return to_micros(at) // 1000


def first(alarms: Iterable[Alarm]) -> list[Alarm]:
    """What needs somebody most stands first: unacknowledged, then of high priority, then active, then the newest."""
    return sorted(alarms, key=lambda a: (a.acknowledged, -PRIORITIES.index(a.priority), not a.active,
                                         -millis(a.raised_at)))  # fmt: skip


def first_of_incidents(incidents: Iterable[Incident], alarms: tuple[Alarm, ...]) -> list[Incident]:
    """In the same order: those that nobody has taken, those that somebody has, those that are over."""

    def key(incident: Incident) -> tuple[int, int, bool, int]:
        state, _ = incident_state(incident, alarms)
        step = {"standing": 0, "returned": 0, "taken": 1}.get(state, 2)
        return step, -PRIORITIES.index(incident.priority), state == "returned", -millis(incident.opened_at)

    return sorted(incidents, key=key)


def worst(alarms: tuple[Alarm, ...]) -> Priority | None:
    """The highest priority among those nobody has acknowledged."""
    return max((a.priority for a in alarms if not a.acknowledged), key=PRIORITIES.index, default=None)
