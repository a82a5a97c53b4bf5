"""A learned normal: what stands out from it, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from detection.baseline import Baseline
from detection.ruleset import Normal

OPEN = (np.array(True), np.array(True))


def distances(baseline: Baseline, values: np.ndarray) -> list[float | None]:
    """By scan; None where nothing new is said."""
    out, new, _ = baseline.step(values, np.ones(values.shape, bool), OPEN)
    return [float(d) if n else None for d, n in zip(out, new, strict=True)]


@pytest.fixture
def learned() -> tuple[Baseline, np.random.Generator]:
    noise = np.random.default_rng(7)
    baseline = Baseline(Normal(("a.x", "a.y"), 200, 10, 0), [0, 1])
    said = distances(baseline, noise.normal([5.0, 100.0], [0.1, 3.0], (200, 2)))
    assert set(said) == {None}
    return baseline, noise


def test_more_of_the_same_stays_within_six_spreads(learned: tuple[Baseline, np.random.Generator]) -> None:
    baseline, noise = learned
    said = distances(baseline, noise.normal([5.0, 100.0], [0.1, 3.0], (2000, 2)))
    assert max(d for d in said if d is not None) < 6


def test_shift_that_the_eye_would_miss_stands_out_and_names_its_point(
    learned: tuple[Baseline, np.random.Generator],
) -> None:
    baseline, noise = learned
    said = distances(baseline, noise.normal([5.0, 107.0], [0.1, 3.0], (60, 2)))  # 2.3 times the noise
    assert said[-1] is not None and said[-1] > 6
    assert baseline.worst[0] == 1


def test_scan_that_repeats_the_one_before_does_not_count(learned: tuple[Baseline, np.random.Generator]) -> None:
    baseline, noise = learned
    row = noise.normal([5.0, 100.0], [0.1, 3.0], (1, 2))
    assert distances(baseline, np.repeat(row, 5, axis=0))[1:] == [None] * 4


def test_scan_with_an_unknown_value_does_not_count(learned: tuple[Baseline, np.random.Generator]) -> None:
    baseline, _ = learned
    _, new, _ = baseline.step(np.array([[np.nan, 100.0]]), np.array([[False, True]]), OPEN)
    assert not new[0]


def test_point_that_never_moved_while_learning_says_nothing() -> None:
    noise = np.random.default_rng(1)
    baseline = Baseline(Normal(("a.x", "a.y"), 100, 10, 400), [0, 1])
    values = np.column_stack((noise.normal(0, 1, 150), np.full(150, 3.0)))
    values[120:, 1] = 4.0
    said = distances(baseline, values)
    assert baseline.worst[0] == 0
    assert all(d is not None and np.isfinite(d) for d in said[100:])


def test_closed_gate_is_gone_and_its_opening_learns_afresh(learned: tuple[Baseline, np.random.Generator]) -> None:
    baseline, noise = learned
    shut = (np.array(False), np.array(True))
    values = noise.normal([50.0, 1.0], [0.1, 3.0], (260, 2))
    _, new, closed = baseline.step(values[:1], np.ones((1, 2), bool), shut)
    assert new[0] and closed[0]
    said = distances(baseline, values)
    assert said[:200] == [None] * 200
    assert max(d for d in said[200:] if d is not None) < 6


def test_normal_follows_a_slow_drift_when_told_to() -> None:
    noise = np.random.default_rng(3)
    values = noise.normal(0, 1.0, (4000, 1))
    values[200:, 0] += np.arange(3800) / 3800 * 3  # ten smoothed spreads in all
    fixed, moving = (Baseline(Normal(("a.x",), 200, 10, adapt), [0]) for adapt in (0, 200))
    still = max(d for d in distances(fixed, values) if d is not None)
    follows = max(d for d in distances(moving, values) if d is not None)
    assert still > 8 and follows < 6
