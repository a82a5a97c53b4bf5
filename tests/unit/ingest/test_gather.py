"""Gathering: few frames, every reading in them once."""

from __future__ import annotations

import numpy as np

from events.readings import Frame, Quality
from ingest.gateway import NAN, Reading
from ingest.gather import Gather, Recent, frames
from tests.unit.ingest.shop import NOW, ROSTER, wide

GOOD = Quality.GOOD


def test_readings_of_a_device_become_one_frame_with_ascending_rows() -> None:
    gather: Gather[str] = Gather(ROSTER)
    assert gather.add(Reading("press", 0, NOW + 1000, 2.0, GOOD), "second")
    assert gather.add(Reading("press", 0, NOW, 1.0, GOOD), "first")
    assert not gather.add(Reading("press", 2, NOW, 5.0, GOOD), "first")
    [([frame], waiting)] = gather.flush()
    assert waiting == ["second", "first"]
    assert frame.times.tolist() == [NOW, NOW + 1000]
    assert frame.points == ROSTER.names["press"]
    assert frame.values[:, 0].tolist() == [1.0, 2.0]
    assert frame.values[0, 2] == 5.0
    assert frame.readings == 3
    assert not gather


def test_devices_do_not_mix_and_a_message_of_two_devices_waits_for_both() -> None:
    gather: Gather[str] = Gather(ROSTER)
    assert gather.add(Reading("press", 0, NOW, 1.0, GOOD), "m")
    assert gather.add(Reading("cooling", 0, NOW, 1.0, GOOD), "m")
    flushed = [([f.area for f in made], waiting) for made, waiting in gather.flush()]
    assert flushed == [(["shop/press"], ["m"]), (["shop/cooling"], ["m"])]


def test_two_values_for_one_point_and_time_do_not_overwrite_each_other() -> None:
    gather: Gather[str] = Gather(ROSTER)
    gather.add(Reading("press", 0, NOW, 1.0, GOOD), "m")
    assert gather.clashes(Reading("press", 0, NOW, 2.0, GOOD))
    assert not gather.clashes(Reading("press", 0, NOW + 1, 2.0, GOOD))
    assert not gather.clashes(Reading("press", 1, NOW, 2.0, GOOD))


def test_a_frame_has_the_number_of_its_content() -> None:
    def made(value: float, column: int = 0) -> Frame:
        return frames(ROSTER, "press", {NOW: {column: Reading("press", column, NOW, value, GOOD)}})[0]

    assert made(1.0).id == made(1.0).id
    assert len({made(1.0).sequence, made(2.0).sequence, made(1.0, 2).sequence}) == 3
    assert 0 < made(1.0).sequence < 2**63
    assert made(1.0).source == "mqtt:press"


def test_a_single_reading_of_a_wide_device_makes_no_wide_frame() -> None:
    [frame] = frames(wide(1000), "wide", {NOW: {700: Reading("wide", 700, NOW, 1.0, GOOD)}})
    assert frame.points == tuple(f"wide.p{i}" for i in range(640, 704))
    assert frame.readings == 1


def test_a_full_row_of_a_wide_device_is_one_frame() -> None:
    row = {i: Reading("wide", i, NOW, float(i), GOOD) for i in range(1000)}
    [frame] = frames(wide(1000), "wide", {NOW: row})
    assert frame.values[0].tolist() == [float(i) for i in range(1000)]


def test_what_was_said_is_known_also_without_a_value_and_after_a_restart() -> None:
    recent = Recent()
    said = [Reading("press", 0, NOW, -1.0, GOOD), Reading("press", 0, NOW, -2.0, GOOD),
            Reading("press", 1, NOW, NAN, Quality.BAD)]  # fmt: skip
    assert [recent.first_time(r) for r in said] == [True, True, True]
    assert [recent.first_time(r) for r in said] == [False, False, False]
    restarted = Recent()
    for r in said:
        for frame in frames(ROSTER, "press", {NOW: {r.column: r}}):
            restarted.remember(ROSTER, frame)
    assert [restarted.first_time(r) for r in said] == [False, False, False]
    assert restarted.first_time(Reading("press", 2, NOW, np.nan, Quality.BAD))


def test_memory_is_bounded_and_keeps_at_least_the_newest() -> None:
    recent = Recent(size=100)
    said = [Reading("press", 0, NOW + i, 0.0, GOOD) for i in range(1000)]
    assert all(recent.first_time(r) for r in said)
    assert not any(recent.first_time(r) for r in said[-100:])
    assert recent.first_time(said[0])
