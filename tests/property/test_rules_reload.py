"""Rules that change while things stand: words change nothing, and nothing stands twice or for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from detection.brain import DetectionBrain
from detection.detector import Band
from detection.ruleset import RuleSet
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Configure, Event, Tick
from events.readings import Frame
from events.types import EPOCH, from_micros
from tests.property.test_banks import BANDS, _frame, _rules, streams


def give(brain: DetectionBrain, rules: RuleSet, at: int) -> list[Event]:
    return brain.decide(Configure(rules.version, from_micros(at), "test", rules.pack()))


def run(script: list[object], changes: dict[int, RuleSet], begin: RuleSet) -> tuple[DetectionBrain, list[Event]]:
    """All that is said. Args: changes: by step, the rules that are put in force before it."""
    brain = DetectionBrain()
    brain.decide(Configure(begin.version, EPOCH, "test", begin.pack()))
    said: list[Event] = []
    clock = 0
    for i, step in enumerate(script):
        if i in changes:
            said += give(brain, changes[i], clock)
        if isinstance(step, int):
            clock = step
            said += brain.decide(Tick(from_micros(step)))
            continue
        start, rows = step  # type: ignore[misc]  # the script's frames
        times = [start + sum(s for s, _ in rows[: j + 1]) for j in range(len(rows))]
        frame: Frame | object = _frame(i + 1, times, [c for _, c in rows])
        said += brain.decide(frame)  # type: ignore[arg-type]
        clock = max(clock, times[-1])
    return brain, said


@settings(max_examples=100, deadline=None)
@given(st.lists(BANDS, min_size=1, max_size=3), streams(), st.integers(0, 7))
def test_rewording_at_any_moment_changes_nothing(bands: list[Band], script: list[object], when: int) -> None:
    rules = _rules(bands)
    other = tuple(structs.replace(r, version="2", message="m", priority="high") for r in rules.rules)
    reworded = structs.replace(rules, version="w", rules=other)

    def told(said: list[Event]) -> list[tuple[object, ...]]:
        facts = (ConditionRaised, ConditionCleared)
        return [(e.at, type(e.fact), e.fact.occurrence, e.fact.late) for e in said if isinstance(e.fact, facts)]

    assert told(run(script, {when: reworded}, rules)[1]) == told(run(script, {}, rules)[1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(BANDS, min_size=2, max_size=3), st.lists(BANDS, min_size=2, max_size=3), streams(),
    st.integers(0, 7), st.integers(0, 7),
)  # fmt: skip
def test_whatever_is_changed_nothing_is_raised_twice_or_cleared_unraised_and_what_stands_is_told(
    first: list[Band], second: list[Band], script: list[object], when: int, back: int
) -> None:
    before, after = _rules(first), structs.replace(_rules(second), version="w")
    brain, said = run(script, {when: after, back: before} if when < back else {when: after}, before)
    standing: set[object] = set()
    spoken: set[object] = set()
    for e in said:
        if isinstance(e.fact, ConditionRaised):
            assert e.fact.occurrence not in spoken, "an occurrence is raised once"
            standing.add(e.fact.occurrence)
            spoken.add(e.fact.occurrence)
        elif isinstance(e.fact, ConditionCleared):
            assert e.fact.occurrence in standing
            standing.discard(e.fact.occurrence)
    assert len(standing) == sum(1 for area in brain.areas.values() for _ in area.standing())
