"""The priority comes from severity and time to respond; who says otherwise says why."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from detection.priorities import BANDS_S, MATRIX, priority_of
from events.types import PRIORITIES
from tests.unit.rules.shop import HEAD, compiled, errors

RULE = "  - {{rule: hot, kind: state, point: press.running, is: running, {}}}\n"


def priorities(folder: Path, words: str, classes: str = "") -> dict[str, str]:
    files = {"classes": classes} if classes else {}
    done = compiled(folder, rules=HEAD + RULE.format(words), **files)
    assert done.errors == []
    return {r.rule: r.priority for r in done.rules.rules}


def test_matrix_rises_with_severity_and_falls_with_time() -> None:
    rank = PRIORITIES.index
    rows = [[rank(p) for p in MATRIX[s]] for s in ("minor", "moderate", "major", "severe")]
    assert all(left >= right for row in rows for left, right in pairwise(row))
    assert all(low <= high for one, above in pairwise(rows) for low, high in zip(one, above, strict=True))
    assert priority_of("severe", BANDS_S[0]) == "critical", "3 minutes are still the first column"
    assert priority_of("major", BANDS_S[0]) == "high"
    assert priority_of("major", BANDS_S[1] + 1) == "medium"


@pytest.mark.parametrize(
    ("words", "priority"),
    [
        ("severity: severe, response_time: 1min", "critical"),
        ("severity: major, response_time: 10min", "high"),
        ("severity: moderate, response_time: 600", "medium"),
        ("severity: minor, response_time: 1min", "low"),
        ("severity: severe, response_time: 8h", "medium"),
        ("priority: high", "high"),
        ("response_time: 1min", "medium"),
        ("severity: major, response_time: 10min, priority: high", "high"),
        ("severity: major, response_time: 10min, priority: low, priority_reason: it is looked at twice a day", "low"),
    ],
)
def test_priority_of_a_rule(tmp_path: Path, words: str, priority: str) -> None:
    assert priorities(tmp_path, words) == {"hot": priority}


def test_priority_that_differs_from_the_matrix_needs_its_reason(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, rules=HEAD + RULE.format("severity: major, response_time: 10min, priority: low"))
    assert error.startswith("rules/rules.yaml:3:")
    assert "major with 10min to respond is 'high', not 'low': leave priority out, or say why" in error


def test_severity_alone_gives_no_priority(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, rules=HEAD + RULE.format("severity: major"))
    assert "the matrix needs severity and response_time" in error


def test_response_time_is_a_duration(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, rules=HEAD + RULE.format("severity: major, response_time: soon"))
    assert "'soon' is no duration" in error


def test_each_level_of_a_ladder_has_its_own_place_in_the_matrix(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + """
  - rule: pressure
    kind: limits
    point: press.pressure
    response_time: 1min
    severity: moderate
    limits:
      HH: {limit: 300 bar, severity: severe}
      H: {limit: 200 bar}
      L: {limit: 5 bar, priority: low, priority_reason: told by the operator}
""")
    assert done.errors == []
    priorities = {r.rule: r.priority for r in done.rules.rules}
    assert priorities == {"pressure.HH": "critical", "pressure.H": "medium", "pressure.L": "low"}


CLASSES = """
classes:
  - {class: gear, severity: major, response_time: 10min, owner: maintenance}
  - {class: told, priority: critical, owner: shift_lead}
"""


@pytest.mark.parametrize(
    ("words", "priority"),
    [
        ("class: gear", "high"),
        ("class: gear, response_time: 1h", "low"),
        ("class: gear, severity: minor", "low"),
        ("class: told", "critical"),
        ("class: told, severity: minor, response_time: 1min", "low"),
    ],
)
def test_a_rule_takes_from_its_class_what_it_does_not_say(
    tmp_path: Path, words: str, priority: str
) -> None:
    assert priorities(tmp_path, words, CLASSES) == {"hot": priority}


def test_unknown_class_is_named_with_the_closest(tmp_path: Path) -> None:
    text = HEAD + RULE.format("class: gaer")
    assert errors(tmp_path, rules=text, classes=CLASSES) == [
        f"rules/rules.yaml:3:{text.splitlines()[2].index('gaer') + 1}: unknown class 'gaer', did you mean 'gear'?"
    ]


def test_unusable_file_of_classes_takes_no_rule_down(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + RULE.format("class: gear"), classes="classes: [{class: gear, wner: x}]")
    (error,) = map(str, done.errors)
    assert error == "classes/classes.yaml:1:25: unknown field 'wner', did you mean 'owner'?"
    assert [r.rule for r in done.rules.rules] == ["hot"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("classes: [{class: a}, {class: a}]", "1:31: class 'a' is defined already"),
        ("classes: [{class: a b}]", "1:19: 'a b' is no name"),
        ("classes: [{class: a, re_alarm: soon}]", "1:32: 'soon' is no duration"),
        ("classes: [{class: a, chatter: {count: 1}}]", "1:39: classes[0].chatter.count: Expected `int` >= 2"),
    ],
)
def test_mistake_in_a_class_is_named_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    (error,) = errors(tmp_path, classes=text)
    assert error.startswith(f"classes/classes.yaml:{reason}")
