"""The plant as the intake looks things up in it: by device, by full point name, by edge. Built once."""

from __future__ import annotations

from devices.plant import Device, Plant, Point
from events.topics import INCIDENTS, MIRRORS

EVERYWHERE = "*"
"""The area of facts that concern no single area, such as a gap in what an edge sent."""


class Roster:
    """Attributes: devices: by name; points: full name -> (device, column in its frames, point)."""

    def __init__(self, plant: Plant) -> None:
        self.devices: dict[str, Device] = plant.devices
        self.names: dict[str, tuple[str, ...]] = {d.device: d.names for d in plant.devices.values()}
        self.points: dict[str, tuple[Device, int, Point]] = {
            f"{d.device}.{p.point}": (d, i, p) for d in plant.devices.values() for i, p in enumerate(d.points)
        }
        self._areas = plant.areas
        self._reach: set[tuple[str, str]] = {(d.edge, d.area) for d in plant.devices.values() if d.edge}
        self._reach |= {(a.edge, a.area) for a in plant.areas.values() if a.edge}

    def topic_of_report(self, edge: str, area: str) -> str | None:
        """Where a fact that `edge` reports about `area` is written; None where it has no say about that area."""
        if area == EVERYWHERE:
            return INCIDENTS
        if (edge, area) not in self._reach:
            return None
        home = self._areas[area]
        if home.home == "plant":
            return INCIDENTS
        return MIRRORS if home.edge == edge else None
