"""A small plant for the intake's tests: the example, as its files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import examples
from devices.plant import Area, Device, Plant, Point, load_plant
from events.readings import Frame
from ingest.roster import Roster

PLANT, _ = load_plant(Path(examples.__file__).parent / "press-shop")
ROSTER = Roster(PLANT)
NOW = 1_790_000_000_000_000
"""2026-09-21, in microseconds."""


def wide(points: int) -> Roster:
    """A plant whose one device "wide" has so many points, p0, p1, …"""
    device = Device(device="wide", area="a", points=[Point(point=f"p{i}") for i in range(points)])
    return Roster(Plant("wide", 60.0, {"a": Area(area="a")}, [], {"wide": device}))


def frame(
    *, device: str = "press_light", area: str = "shop/press", source: str = "edge-1:j", sequence: int = 1,
    points: tuple[str, ...] = ("press_light.red", "press_light.amber"), times: tuple[int, ...] = (NOW,),
    value: float = 1.0, quality: int = 0,
) -> Frame:
    shape = (len(times), len(points))
    return Frame(
        area=area, device=device, source=source, sequence=sequence, points=points, times=np.array(times),
        values=np.full(shape, value), qualities=np.full(shape, quality, np.uint8),
    )  # fmt: skip
