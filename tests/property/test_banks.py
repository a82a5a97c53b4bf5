"""The bank of columns does what the one-reading specification does, on any input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.bank import Bank
from detection.brain import DetectionBrain
from detection.detector import Band, Change, Detector
from detection.ruleset import Column, Formula, NamedPoint, Rule, RuleSet
from events.envelope import Configure, Tick
from events.readings import Frame, Packed, Quality
from events.types import EPOCH, from_micros, to_micros

BANDS = st.builds(
    Band,
    low=st.sampled_from([float("-inf"), 0.0, 2.0, 3.0]),
    high=st.sampled_from([float("inf"), 3.0, 4.0]),
    deadband=st.sampled_from([0.0, 1.0, 2.0]),
    on_delay=st.sampled_from([0, 1, 5, 12]),
    off_delay=st.sampled_from([0, 1, 5, 12]),
)
CELL = st.tuples(
    st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0]),
    st.sampled_from([Quality.GOOD] * 6 + [Quality.BAD, Quality.NO_ANSWER, Quality.UNCERTAIN, Quality.ABSENT]),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Band], list[object]]:
    """Bands, and a script of frames (times, cells, how many scans are late) and ticks (numbers), time ascending."""
    bands = draw(st.lists(BANDS, min_size=1, max_size=4))
    script: list[object] = []
    now = 0
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            now += draw(st.integers(0, 8))
            script.append(now)
            continue
        times = []
        for step in draw(st.lists(st.integers(1, 6), min_size=1, max_size=6)):
            now += step
            times.append(now)
        cells = [[draw(CELL) for _ in bands] for _ in times]
        script.append((times, cells, draw(st.integers(0, len(times)))))
    return bands, script


@settings(max_examples=400, deadline=None)
@given(histories())
def test_bank_says_what_the_specification_says(history: tuple[list[Band], list[object]]) -> None:
    bands, script = history
    bank, specification = Bank(bands), [Detector(b) for b in bands]
    for step in script:
        expected: list[tuple[int, Change]] = []
        if isinstance(step, int):
            expected = [(k, c) for k, d in enumerate(specification) for c in d.tick(step)]
            got = bank.tick(step)
        else:
            times, cells, live_from = step  # type: ignore[misc]  # the script's frames
            for k, detector in enumerate(specification):
                for i, at in enumerate(times):
                    value, quality = cells[i][k]
                    expected += [(k, c) for c in detector.sample(at, value, quality, late=i < live_from)]
            values = np.array([[v if q == Quality.GOOD else np.nan for v, q in row] for row in cells])
            seen = np.array([[q == Quality.GOOD for _, q in row] for row in cells])
            got = bank.step(np.array(times), values, seen, live_from)
        assert [(t.rule, Change(t.what, t.at, t.began, t.value, t.late)) for t in got] == expected
        assert bank.phase.tolist() == [d.phase for d in specification]


@settings(max_examples=200, deadline=None)
@given(histories())
def test_nothing_is_raised_twice_without_a_clear(history: tuple[list[Band], list[object]]) -> None:
    bands, script = history
    bank, standing = Bank(bands), set()
    for step in script:
        if isinstance(step, int):
            got = bank.tick(step)
        else:
            times, cells, live_from = step  # type: ignore[misc]
            values = np.array([[v for v, _ in row] for row in cells])
            seen = np.array([[q == Quality.GOOD for _, q in row] for row in cells])
            got = bank.step(np.array(times), values, seen, live_from)
        for t in got:
            if t.what == "raised":
                assert t.rule not in standing
                standing.add(t.rule)
            else:
                assert t.rule in standing
                standing -= {t.rule} if t.what == "cleared" else set()


T0 = 1_700_000_000_000_000
NAMES = {f"d.p{i}": NamedPoint("d", "a", "", {}) for i in range(3)}


def _rules(bands: list[Band]) -> RuleSet:
    rules = tuple(
        Rule(rule=f"r{k}", version="1", area="a", kind="limits", point=f"d.p{k % 3}", message="", priority="low",
             unit="", limit=0.0, low=b.low, high=b.high, deadband=b.deadband, on_delay_us=b.on_delay,
             off_delay_us=b.off_delay, signal=Column(f"d.p{k % 3}"))
        for k, b in enumerate(bands)
    )  # fmt: skip
    mean = Rule(rule="m", version="1", area="a", kind="limits", point="d.p0", message="", priority="low", unit="",
                limit=3.0, low=3.0, signal=Column("mean(d.p0, 3 samples)"))  # fmt: skip
    both = Rule(rule="e", version="1", area="a", kind="expression", point="d.p0", message="", priority="low", unit="",
                limit=None, low=0.5, on_delay_us=2, signal=Formula("d.p0 > 2 && (d.p1 < 4 || d.p2 > 3)"))  # fmt: skip
    return RuleSet(version="v", late_after_us=10, areas=("a",), names=NAMES, rules=(*rules, mean, both))


@st.composite
def streams(draw: st.DrawFn) -> list[object]:
    """Frames (time before the first scan, [(step, cells of three points)]) and ticks (a time); some late, repeated."""
    script: list[object] = []
    now = T0
    for _ in range(draw(st.integers(1, 8))):
        now += draw(st.integers(0, 12))
        if draw(st.booleans()):
            script.append(now)
            continue
        start = now - draw(st.sampled_from([0, 0, 0, 3, 30]))
        scan = st.tuples(st.sampled_from([0, 1, 2, 5]), st.tuples(CELL, CELL, CELL))
        rows = draw(st.lists(scan, min_size=1, max_size=6))
        script.append((start, rows))
    return script


def _frame(sequence: int, times: list[int], cells: list[tuple[tuple[float, Quality], ...]]) -> Packed:
    return Frame(
        area="a", device="d", source="s", sequence=sequence, points=tuple(NAMES), times=np.array(times, np.int64),
        values=np.array([[v if q == Quality.GOOD else np.nan for v, q in row] for row in cells]),
        qualities=np.array([[q for _, q in row] for row in cells], np.uint8),
    ).pack()  # fmt: skip


def _feed(
    brain: DetectionBrain, script: list[object], *, by_scan: bool = False, reload_at: int = -1
) -> list[list[object]]:
    """The facts with their times, step by step."""
    out: list[list[object]] = []
    sequence = 0
    for i, step in enumerate(script):
        if i == reload_at:
            raw = brain.save()
            brain = DetectionBrain()
            brain.load(raw)
            assert brain.save() == raw
        if isinstance(step, int):
            out.append([(e.at, e.fact) for e in brain.decide(Tick(from_micros(step)))])
            continue
        start, rows = step  # type: ignore[misc]  # the script's frames
        times = [start + sum(s for s, _ in rows[: j + 1]) for j in range(len(rows))]
        cells = [c for _, c in rows]
        parts = [([t], [c]) for t, c in zip(times, cells, strict=True)] if by_scan else [(times, cells)]
        said: list[object] = []
        for some_times, some_cells in parts:
            sequence += 1
            frame = _frame(sequence, some_times, some_cells)
            said += [(e.at, e.fact) for e in brain.decide(frame)]
            assert brain.decide(frame) == []  # sent again
        out.append(said)
    return out


def _configured(bands: list[Band]) -> DetectionBrain:
    brain = DetectionBrain()
    brain.decide(Configure("v", EPOCH, "test", _rules(bands).pack()))
    return brain


@settings(max_examples=200, deadline=None)
@given(st.lists(BANDS, min_size=1, max_size=4), streams())
def test_brain_says_of_each_point_what_the_specification_says(bands: list[Band], script: list[object]) -> None:
    specification = [Detector(b) for b in bands]
    got = _feed(_configured(bands), script)
    now = -(2**62)
    for step, said in zip(script, got, strict=True):
        expected: list[tuple[str, Change]] = []
        for k, detector in enumerate(specification):
            if isinstance(step, int):
                changes = detector.tick(step) if step > now else []
            else:
                start, rows = step  # type: ignore[misc]
                changes, at = [], start
                for gap, cells in rows:
                    at += gap
                    value, quality = cells[k % 3]
                    changes += detector.sample(at, value, quality, late=now > 0 and at < now - 10)
            expected += [(f"r{k}", c) for c in changes]
        if isinstance(step, int):
            now = max(now, step)
        mine = [(at, f) for at, f in said if f.rule.startswith("r")]  # type: ignore[attr-defined, misc]
        told = [(f.rule, type(f).__name__.removeprefix("Condition").lower(), to_micros(at), f.value) for at, f in mine]
        assert sorted(told) == sorted((rule, c.what, c.at, c.value) for rule, c in expected)


@settings(max_examples=150, deadline=None)
@given(st.lists(BANDS, min_size=1, max_size=3), streams())
def test_how_scans_are_framed_changes_nothing(bands: list[Band], script: list[object]) -> None:
    def by_rule(step: list[object]) -> list[object]:
        return sorted(step, key=lambda s: (s[0], s[1].rule, repr(s[1])))  # type: ignore[index, attr-defined]

    whole, single = _feed(_configured(bands), script), _feed(_configured(bands), script, by_scan=True)
    assert [by_rule(s) for s in whole] == [by_rule(s) for s in single]


@settings(max_examples=100, deadline=None)
@given(st.lists(BANDS, min_size=1, max_size=3), streams(), st.integers(0, 7))
def test_a_restart_from_a_snapshot_changes_nothing(bands: list[Band], script: list[object], reload_at: int) -> None:
    assert _feed(_configured(bands), script) == _feed(_configured(bands), script, reload_at=reload_at)
