"""What keeps the board from seeing the plant: stages that stand still, edges cut off, devices silent. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from analytics.rows import Overview, StandingFlood
from board import words
from devices.plant import Plant
from events.topics import CONDITIONS, INCIDENTS, READINGS

STAGES = {
    READINGS: ("Detection stands still", "no alarm can be raised"),
    CONDITIONS: ("Incidents stand still", "no alarm reaches the lists, no acknowledgement is taken"),
    INCIDENTS: ("Playbooks stand still", "no playbook answers to an incident"),
}
STANDS_AFTER_S = 15.0
"""A stage ticks once a second; taking over a partition after a crash takes up to about ten."""
CUT_OFF_AFTER = timedelta(seconds=10)
"""An edge polls several times a second: so long without a reading of any of its devices, and it is out of reach."""


READINGS_SILENT_S = 60.0
"""So long without any reading of any source, and it is worth a word. Not more: a plant may rest."""


def reading_age_s(overview: Overview) -> float | None:
    """The age of the newest reading of any source when the log was read; None before the first one."""
    newest = max((f.last_time for f in overview.feeds if f.last_time is not None), default=None)
    return None if newest is None else max(0.0, (overview.read_at - newest).total_seconds())


class Trouble(NamedTuple):
    """Attributes: blind: something of the plant cannot be seen."""

    text: str
    detail: str
    since: datetime
    blind: bool = True


def troubles(overview: Overview, plant: Plant) -> tuple[Trouble, ...]:
    """Stages that stand still first, then floods and devices locked out, then cut-off edges with their areas, then the
    lost devices of the others."""
    still = {s.topic: s.tick_at for s in overview.stages if s.seconds > STANDS_AFTER_S}
    newest: dict[str, datetime] = {}
    for feed in overview.feeds:
        edge = feed.source.partition(":")[0]
        if feed.last_time is not None and (edge not in newest or newest[edge] < feed.last_time):
            newest[edge] = feed.last_time
    known = {d.edge for d in plant.devices.values() if d.edge}
    cut = {e: at for e, at in newest.items() if e in known and overview.read_at - at > CUT_OFF_AFTER}
    out = [Trouble(*STAGES[topic], at) for topic, at in still.items() if topic in STAGES]
    out += [_flood(plant, flood, overview.held_back) for flood in overview.floods]
    out += [
        Trouble(f"{words.device_title(plant, lock.device)} is locked out", f"{lock.locked_by}: {lock.locked_reason}",
                lock.locked_at, blind=False)
        for lock in overview.locked
    ]  # fmt: skip
    out += [
        Trouble(f"{_areas(plant, edge)} cut off", f"{edge} delivers no readings", at)
        for edge, at in sorted(cut.items(), key=lambda item: item[1])
    ]
    silent = {d.device for d in plant.devices.values() if d.edge in cut}
    out += [
        Trouble(f"{words.device_title(plant, lost.device)} does not answer", lost.reason, lost.since)
        for lost in sorted(overview.lost, key=lambda lost: lost.since)
        if lost.device not in silent
    ]
    return tuple(out)


def _flood(plant: Plant, flood: StandingFlood, held_back: int) -> Trouble:
    position = flood.scope.removeprefix("position ").replace("_", " ")
    where = words.area_title(plant, flood.area) if flood.scope == "area" else f"all that {position} watches"
    quiet = f", {held_back} held back" if held_back else ""
    detail = "consequences are listed apart; all is in the log"
    return Trouble(f"Alarm flood: {where}{quiet}", detail, flood.began_at, blind=False)


def _areas(plant: Plant, edge: str) -> str:
    """The areas an edge watches, by name."""
    areas = dict.fromkeys(d.area for d in plant.devices.values() if d.edge == edge)
    return ", ".join(words.area_title(plant, a) for a in areas) or edge
