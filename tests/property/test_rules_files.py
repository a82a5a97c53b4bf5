"""Whatever stands in a file, it takes nothing else down; and what the check takes, the schema takes too."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import structs

from definitions.compiling import compile_folder
from definitions.lint import lint
from definitions.schemas import json_schema
from detection.language import AnyRule
from devices.plant import load_plant
from tests.unit.rules.shop import HEAD, QUIET, write

WORDS = st.sampled_from(
    ["", "a", "HH", "200", "200 bar", "5s", "5 minutes", "20 samples", "press.pressure", "press.running", "press",
     "true", "press.pressure > 5", "&&", "low", "severe", "M", "FA", "operator", "auditor", "quiet", "*", "r", "up"]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, -1, 3, 0.5, 200, 1e300, True, False, None])
VALUES = st.recursive(
    WORDS | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["H", "HH", "L", "X", "limit", "severity", "operator", "count", "within", "deadband"]),
        inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
WHOLE: list[dict[str, Any]] = [
    {"kind": "limits", "point": "press.pressure", "limits": {"H": {"limit": 200}}},
    {"kind": "deviation", "point": "press.pressure", "from": "press.setpoint", "more_than": 3},
    {"kind": "rate", "point": "press.pressure", "faster_than": 3, "over": "2s"},
    {"kind": "state", "point": "press.running", "is": "running"},
    {"kind": "flatline", "point": "press.pressure", "moves_less_than": 1, "over": "5s"},
    {"kind": "no_data", "device": "press", "for": "5s"},
    {"kind": "expression", "when": "press.pressure > 5"},
    {"kind": "baseline", "points": ["press.pressure"]},
]
FIELDS = sorted({field.encode_name for kind in AnyRule.__args__ for field in structs.fields(kind)})
RULES = st.builds(
    lambda whole, changes: {"rule": "r", **whole, **changes},
    st.sampled_from(WHOLE), st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3),
)  # fmt: skip
SCHEMA = Draft202012Validator(json_schema("rules"))


@settings(max_examples=200, deadline=None)
@given(RULES)
def test_a_rule_of_any_content_takes_no_other_down_and_the_schema_takes_what_the_check_takes(rule: Any) -> None:
    data = {"area": "hall", "rules": [rule]}
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), rules=HEAD + QUIET, rules_odd=json.dumps(data))  # JSON is YAML
        plant, _ = load_plant(folder)
        compiled = compile_folder(folder, plant)
        lint(folder)
    assert {e.file for e in compiled.errors} <= {"rules/rules_odd.yaml"}
    assert "quiet" in {r.rule for r in compiled.rules.rules}
    assert "quiet" in compiled.incidents.alarms
    if not compiled.errors:
        assert [e.message for e in SCHEMA.iter_errors(data)] == []
