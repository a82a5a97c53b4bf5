"""The schema that editors use and the check that decides: both take the same files, and refuse the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from config.yamlfile import Document
from definitions.schemas import SCHEMAS, json_schema
from detection.language import AnyRule
from tests.unit.rules.shop import HEAD, errors

EXAMPLE = Path(__file__).parents[3] / "examples" / "press-shop"
VALIDATORS = {kind: Draft202012Validator(json_schema(kind)) for kind in SCHEMAS}

GOOD_RULES = [
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200 bar, severity: major}}, response_time: 10min",
    "kind: limits, point: press.pressure, limits: {LL: {limit: 1.5e0bar}, HH: {limit: +300 bar}}, deadband: .5",
    "kind: limits, point: press.pressure, of: mean, over: 20 samples, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure, of: rate, over: 5s, limits: {H: {limit: 200 bar/s}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200, on_delay: 500ms, off_delay: 0}}, on_delay: 1.5min",
    "kind: deviation, point: press.pressure, from: press.setpoint, more_than: 3 bar",
    "kind: deviation, point: press.pressure, from: 100 bar, more_than: 3",
    "kind: rate, point: press.pressure, faster_than: 3, over: 2, direction: up",
    "kind: state, point: press.running, is: running, for: 10s",
    "kind: state, point: press.running, is: 1",
    "kind: flatline, point: press.pressure, moves_less_than: 0.1 bar, over: 3 samples",
    "kind: no_data, device: press, for: 5s",
    "kind: no_data, point: press.pressure, for: 5",
    "kind: expression, when: press.pressure > 3, for: 5s, while: press.running == 'running'",
    "kind: baseline, points: [press.pressure], learn: 100 samples, unusual_by: 3.5",
    "kind: state, point: press.running, is: 1, sequence: FR, group: g, auto_acknowledge: true, re_alarm: 1h",
    "kind: state, point: press.running, is: 1, latching: true, shelving: false, factor: man, safety: true",
    "kind: state, point: press.running, is: 1, shelving: {operator: 1h, engineer: 2d}",
    "kind: state, point: press.running, is: 1, chatter: {count: 3, shelve: 10min}",
    "kind: state, point: press.running, is: 1, suppress_when: press.pressure < 3, stale_after: 1d, fleeting: 2s",
    "kind: state, point: press.running, is: 1, priority: low, suppressed_by: ['oth*'], consequence_of: [other]",
]
BAD_RULES = [
    "kind: limit, point: press.pressure",
    "point: press.pressure",
    "kind: limits, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure",
    "kind: limits, point: press.pressure, limits: {}",
    "kind: limits, point: press.pressure, limits: {HI: {limit: 200}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: high}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200, prio: low}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: [200]}}",
    "kind: limits, point: press.pressure, of: mean, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure, over: 5s, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure, of: median, over: 5s, limits: {H: {limit: 200}}",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}, on_delay: 5 minutes",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}, on_delay: -1",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}, on_delay: true",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}, severity: bad",
    "kind: limits, point: press.pressure, limits: {H: {limit: 200}}, priority: urgent",
    "kind: limits, point: press.pressure, limts: {H: {limit: 200}}",
    "kind: rate, point: press.pressure, faster_than: 3, over: 0",
    "kind: rate, point: press.pressure, faster_than: 3, over: 5 sample s",
    "kind: rate, point: press.pressure, faster_than: 3, over: 5s, direction: sideways",
    "kind: no_data, for: 5s",
    "kind: no_data, device: press, point: press.pressure, for: 5s",
    "kind: no_data, device: press",
    "kind: no_data, device: press, for: 5s, while: press.running == 1",
    "kind: state, point: press.running",
    "kind: flatline, point: press.pressure, moves_less_than: none, over: 5s",
    "kind: baseline, points: []",
    "kind: baseline, points: [press.pressure, press.pressure]",
    "kind: baseline, points: [press.pressure], learn: 100",
    "kind: baseline, points: [press.pressure], unusual_by: 0",
    "kind: state, point: press.running, is: 1, sequence: Q",
    "kind: state, point: press.running, is: 1, latching: yes",
    "kind: state, point: press.running, is: 1, shelving: {auditor: 1h}",
    "kind: state, point: press.running, is: 1, shelving: {operator: a while}",
    "kind: state, point: press.running, is: 1, chatter: {count: 1}",
    "kind: state, point: press.running, is: 1, chatter: {times: 3}",
    "kind: state, point: press.running, is: 1, suppressed_by: other",
    "kind: state, point: press.running, is: 1, factor: weather",
    "kind: state, point: press.running, is: 1, response_time: soon",
    "kind: state, point: press.running, is: 1, owner: 3",
]
OTHER = "  - {rule: other, kind: state, point: press.running, is: 0}\n"


def takes(kind: str, text: str) -> bool:
    """What the schema says."""
    data: Any = Document(kind, text).data
    return bool(VALIDATORS[kind].is_valid(data))


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_right_rule_is_taken_by_both(tmp_path: Path, rule: str) -> None:
    text = f"{HEAD}  - {{rule: r, {rule}}}\n{OTHER}"
    assert errors(tmp_path, rules=text) == []
    assert takes("rules", text)


@pytest.mark.parametrize("rule", BAD_RULES)
def test_wrong_rule_is_refused_by_both(tmp_path: Path, rule: str) -> None:
    text = f"{HEAD}  - {{rule: r, {rule}}}\n{OTHER}"
    assert len(errors(tmp_path, rules=text)) == 1
    assert not takes("rules", text)


CLASSES = [
    ("classes: []", True),
    ("classes: [{class: a, owner: b, severity: minor, response_time: 1h, chatter: {within: 5min}}]", True),
    ("classes: [{class: a b}]", False),
    ("classes: [{class: a, severity: bad}]", False),
    ("classes: [{class: a, response_time: soon}]", False),
    ("classes: [{class: a, cause: b}]", False),
    ("classes: [{owner: b}]", False),
    ("klasses: []", False),
    ("[]", False),
]


@pytest.mark.parametrize(("text", "right"), CLASSES)
def test_classes_are_taken_or_refused_by_both(tmp_path: Path, text: str, right: bool) -> None:
    assert (errors(tmp_path, classes=text) == [], takes("classes", text)) == (right, right)


PEOPLE = [
    ("positions: [{position: lead, shifts: [{shift: day, from: '06:00', to: '14:00', persons: [anna]}]}]\n"
     "persons: [{person: anna}]", True),
    ("positions: [{position: lead, shifts: [{shift: day, from: 6am, to: '14:00', persons: [anna]}]}]\n"
     "persons: [{person: anna}]", False),
    ("positions: [{position: lead, shifts: [{shift: day, from: '06:00', to: '14:00', persons: []}]}]", False),
    ("positions: [{name: lead}]", False),
    ("escalations: [{policy: p, steps: []}]", False),
]  # fmt: skip
INCIDENTS = [
    ("area: hall", True),
    ("area: hall\ntogether: [{together: all, by: area, within: 5min}]\nflood: {above: 10, below: 5}", True),
    ("together: []", False),
    ("area: hall\ntogether: [{together: all, by: smell}]", False),
    ("area: hall\nflood: {over: 10}", False),
    ("area: hall\nconfirm_after: many", False),
    ("area: hall\nclose_by_person: everybody", False),
]


@pytest.mark.parametrize(("text", "right"), PEOPLE)
def test_people_are_taken_or_refused_by_both(tmp_path: Path, text: str, right: bool) -> None:
    assert (errors(tmp_path, people=text) == [], takes("people", text)) == (right, right)


@pytest.mark.parametrize(("text", "right"), INCIDENTS)
def test_policies_are_taken_or_refused_by_both(tmp_path: Path, text: str, right: bool) -> None:
    assert (errors(tmp_path, incidents=text) == [], takes("incidents", text)) == (right, right)


def test_every_shipped_example_passes_the_schema() -> None:
    files = [(kind, path) for kind in SCHEMAS for path in sorted((EXAMPLE / kind).glob("*.yaml"))]
    assert {"rules", "classes", "people"} <= {kind for kind, _ in files}
    for kind, path in files:
        data = Document(path.name, path.read_text("utf-8")).data
        assert [e.message for e in VALIDATORS[kind].iter_errors(data)] == [], path.name


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(json_schema(kind))


def test_schema_knows_every_kind_of_rule() -> None:
    kinds = json_schema("rules")["$defs"]
    assert isinstance(kinds, dict)
    assert {t.__name__ for t in AnyRule.__args__} <= kinds.keys()
