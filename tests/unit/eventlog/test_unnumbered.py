"""Repetitions of sources that number nothing are known by their content."""

from __future__ import annotations

import math

import numpy as np

from eventlog.unnumbered import Newest, cells, said, without
from events.readings import is_numbered
from tests.contract.stories import frame


def test_only_mqtt_sources_are_unnumbered() -> None:
    assert is_numbered("edge-1:abc")
    assert not is_numbered("mqtt:press")


def test_what_is_known_is_taken_out_and_the_rest_stays() -> None:
    one = frame([[1.0, math.nan], [2.0, 5.0]], qualities=[[0, 3], [0, 0]])
    first = {cell: {now} for _, _, cell, now in list(cells(one))[:2]}
    left = without(one, first)
    assert left is not None
    assert (left.times.tolist(), left.values.tolist()) == (one.times[1:].tolist(), [[2.0, 5.0]])
    assert without(left, {cell: {now} for _, _, cell, now in cells(left)}) is None


def test_another_value_at_the_same_moment_is_no_repetition() -> None:
    one = frame([[1.0, 5.0]])
    start = int(one.times[0])
    known = {(start, "press.pressure"): {said(1.5, 0)}, (start, "press.running"): {said(5.0, 1)}}
    left = without(one, known)
    assert left is not None
    assert left.readings == 2


def test_a_reading_above_all_known_is_surely_new() -> None:
    newest, first = Newest(), frame([[1.0, 2.0]])
    assert not newest.surely_new(first), "of a point nothing is known of, the database must be asked"
    newest.note(first)
    assert not newest.surely_new(first)
    assert newest.surely_new(frame([[1.0, 2.0]], seconds=1))
    half = frame([[1.0, 2.0]], seconds=-1, qualities=[[0, 255]])
    newest.note(half)
    assert newest.surely_new(frame([[1.0, 2.0]], seconds=1)), "an older one changes nothing"
    assert not newest.surely_new(frame([[1.0, np.nan]], seconds=-1, qualities=[[0, 255]]))
