"""A watch stands only while its expression is known to be true, whatever comes, and a restart changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.brain import DetectionBrain
from detection.ruleset import NamedPoint, RuleSet
from detection.watching import watch_rule
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Configure, Event, Tick
from events.readings import Frame, Packed, Quality
from events.types import EPOCH, from_micros

SECOND = 1_000_000
T0 = 1_700_000_000 * SECOND
LATE_S, PATIENCE_S, FOR_S = 60, 60, 20
POINTS = ("a.x", "b.y")


class Sample(NamedTuple):
    """Of one point, `age` seconds before our clock."""

    point: str
    value: float
    quality: Quality
    age: int


SCRIPT = st.lists(
    st.one_of(
        st.sampled_from([1, 7, 25, 45]),
        st.builds(
            Sample, st.sampled_from(POINTS), st.sampled_from([0.0, 1.0]),
            st.sampled_from([Quality.GOOD] * 4 + [Quality.BAD, Quality.NO_ANSWER]), st.sampled_from([0, 0, 0, 2, 70]),
        ),
    ), min_size=10, max_size=60,
)  # fmt: skip


def _brain() -> DetectionBrain:
    text = "a.x > 0.5 && b.y > 0.5"
    rules = RuleSet(
        version="v", late_after_us=LATE_S * SECOND, areas=("hall",),
        names={p: NamedPoint(p[0], "hall", "", {}) for p in POINTS},
        rules=(watch_rule("hall", "now", text, 0.0, POINTS), watch_rule("hall", "for", text, FOR_S, POINTS)),
    )  # fmt: skip
    brain = DetectionBrain()
    brain.decide(Configure("v", EPOCH, "test", rules.pack()))
    return brain


def _frame(sample: Sample, at: int, sequence: int) -> Packed:
    return Frame(
        area="hall", device=sample.point[0], source="e:1", sequence=sequence, points=(sample.point,),
        times=np.array([T0 + at * SECOND + sequence]), values=np.array([[sample.value]]),
        qualities=np.array([[sample.quality]], np.uint8),
    ).pack()  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(SCRIPT, st.integers(0, 60))
def test_watch_stands_only_while_it_is_known_to_be_true(script: list[int | Sample], restart_at: int) -> None:
    brain, clock, standing = _brain(), 0, set[str]()
    brain.decide(Tick(from_micros(T0)))
    newest: dict[str, Sample] = {}
    times: dict[str, int] = {}
    heard: dict[str, int] = {}
    true_since: int | None = None
    for sequence, step in enumerate(script):
        if sequence == restart_at:
            raw, brain = brain.save(), DetectionBrain()
            brain.load(raw)
        if isinstance(step, int):
            clock += step
            events = brain.decide(Tick(from_micros(T0 + clock * SECOND)))
        else:
            at = (clock - step.age) * SECOND + sequence
            events = brain.decide(_frame(step, clock - step.age, sequence))
            if at > times.get(step.point, -(2**62)):
                newest[step.point], times[step.point] = step, at
            if step.quality == Quality.GOOD and step.age < LATE_S:
                heard[step.point] = clock
        _take(standing, events)
        known = all(
            p in newest and newest[p].quality == Quality.GOOD and newest[p].value > 0.5
            and clock - heard.get(p, -PATIENCE_S) < PATIENCE_S
            for p in POINTS
        )  # fmt: skip
        true_since = None if not known else true_since if true_since is not None else clock
        assert known or not standing, "it is not known to be true"
        assert "watch.for" not in standing or (true_since is not None and clock - true_since >= FOR_S - 2)


def _take(standing: set[str], events: list[Event]) -> None:
    for e in events:
        if isinstance(e.fact, ConditionRaised):
            assert not e.fact.late and e.fact.rule not in standing
            standing.add(e.fact.rule)
        elif isinstance(e.fact, ConditionCleared):
            assert not e.fact.late
            standing.remove(e.fact.rule)
