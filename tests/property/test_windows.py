"""Windows in constant memory say what a plain list of samples would say, within one sub-bucket of their span."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.windows import BUCKETS, Windows
from expressions import Window, parse, windows

FUNCTIONS = ("mean", "deviation", "min", "max", "range", "count", "rate")


def window(text: str) -> Window:
    return windows(parse(f"{text} > 0"))[0]


def plain(function: str, samples: list[tuple[int, float]]) -> float:
    values = np.array([v for _, v in samples])
    match function:
        case "mean":
            return float(values.mean())
        case "deviation":
            return float(values.std())
        case "min":
            return float(values.min())
        case "max":
            return float(values.max())
        case "range":
            return float(values.max() - values.min())
        case "count":
            return float(len(values))
        case _:
            (t0, v0), (t1, v1) = samples[0], samples[-1]
            return (v1 - v0) / ((t1 - t0) / 1e6) if t1 > t0 else float("nan")


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, BUCKETS),
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(-1e4, 1e4)), min_size=1, max_size=150),
)
def test_window_of_up_to_64_samples_is_exact(n: int, steps: list[tuple[int, float]]) -> None:
    bank = Windows([window(f"{f}(a.x, {n} samples)") for f in FUNCTIONS], [0] * len(FUNCTIONS))
    history: list[tuple[int, float]] = []
    for gap, value in steps:
        history.append((history[-1][0] + gap if history else 0, value))
        out, known = bank.step(np.array([history[-1][0]]), np.array([[value]]), np.ones((1, 1), bool))
        assert known.all() == (len(history) >= n)
        if len(history) >= n:
            for i, function in enumerate(FUNCTIONS):
                assert out[0, i] == pytest.approx(plain(function, history[-n:]), abs=1e-6, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400_000), st.floats(-1e4, 1e4)), min_size=1, max_size=150))
def test_window_of_time_holds_what_is_between_63_and_64_sub_buckets_old(steps: list[tuple[int, float]]) -> None:
    span = 6_400_000
    bank = Windows([window("count(a.x, 6.4s)"), window("max(a.x, 6.4s)"), window("mean(a.x, 6.4s)")], [0, 0, 0])
    history: list[tuple[int, float]] = []
    for gap, value in steps:
        at = history[-1][0] + gap if history else 1_000_000_000
        history.append((at, value))
        out, known = bank.step(np.array([at]), np.array([[value]]), np.ones((1, 1), bool))
        least = [s for s in history if s[0] > at - span * 63 // 64]
        most = [s for s in history if s[0] > at - span]
        assert len(least) <= bank.count.sum() and len(least) <= out[0, 0] <= len(most)
        assert plain("max", least) <= out[0, 1] <= plain("max", most)
        kept = most[-int(out[0, 0]) :]
        assert out[0, 2] == pytest.approx(plain("mean", kept), abs=1e-6)
        assert known[0, 0] == (at - history[0][0] >= span * 63 // 64)


def test_window_forgets_after_a_silence_as_long_as_itself() -> None:
    bank = Windows([window("mean(a.x, 1s)")], [0])
    one = np.ones((1, 1), bool)
    for at in range(0, 2_000_000, 100_000):
        out, known = bank.step(np.array([at]), np.array([[5.0]]), one)
    assert known[0, 0] and out[0, 0] == 5.0
    _, known = bank.step(np.array([5_000_000]), np.array([[9.0]]), one)
    assert not known[0, 0]


def test_ewma_of_samples_follows_its_recursion() -> None:
    bank = Windows([window("ewma(a.x, 4 samples)")], [0])
    values = [1.0, 2.0, 8.0, -3.0, 4.0, 4.0]
    expected = values[0]
    for at, value in enumerate(values):
        out, _ = bank.step(np.array([at]), np.array([[value]]), np.ones((1, 1), bool))
        expected += (1 - np.exp(-1 / 4)) * (value - expected) if at else 0.0
        assert out[0, 0] == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, 900, 99_000, 100_000, 250_000, 3_000_000]), st.floats(-1e4, 1e4), st.booleans()),
        min_size=10, max_size=120,
    ),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
)  # fmt: skip
def test_many_scans_at_once_say_bit_for_bit_what_one_after_the_other_says(
    steps: list[tuple[int, float, bool]], sizes: list[int]
) -> None:
    texts = [f"{f}(a.x, {over})" for f in (*FUNCTIONS, "ewma") for over in ("1s", "6.4s", "100 samples")]
    one, many = (Windows([window(text) for text in texts], [0] * len(texts)) for _ in range(2))
    times = 1_000_000_000 + np.cumsum([gap for gap, _, _ in steps])
    values, seen = np.array([[v] for _, v, _ in steps]), np.array([[s or i < 3] for i, (_, _, s) in enumerate(steps)])
    first = 0
    while first < len(steps):
        part = slice(first, first + sizes[first % len(sizes)])
        rows = [one.step(times[i : i + 1], values[i : i + 1], seen[i : i + 1]) for i in range(len(steps))[part]]
        got = many.step(times[part], values[part], seen[part])
        for i in (0, 1):
            assert np.array_equal(got[i], np.concatenate([r[i] for r in rows]), equal_nan=True)
        for name in ("number", "count", "total", "least", "most", "first", "since", "taken", "last_at", "average"):
            assert np.array_equal(getattr(one, name), getattr(many, name)), name
        first += sizes[first % len(sizes)]
