"""The loader and the schema of playbooks, on files that were damaged at random."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from playbooks.loading import json_schema, load_files
from tests.unit.playbooks.test_bad_files import SHOP, shop_floor

VALIDATOR = Draft202012Validator(json_schema())
WHOLE: dict[str, Any] = {
    "id": "whole", "area": "shop/press", "when": "press.pressure > 3", "mode": "queue", "most": 3, "priority": 60,
    "trigger": [{"incident": "opened", "rule": "a*"}, {"request": {}}, {"schedule": {"cron": "0 6 * * *"}}],
    "limit": {"count": 3, "per": "1h"}, "ends_with_incident": True, "consequences": ["b"],
    "steps": [
        {"step": "open", "write": {"press.relief_valve": "open", "press.setpoint": 8}, "timeout": "2s", "retry": 2,
         "on_error": [{"notify": "anna", "text": "{incident.title}"}], "undo": {"write": {"press.setpoint": 0}}},
        {"read": {"p": "press.pressure"}, "timeout": 3},
        {"wait_for": "press.pressure < 3", "for": "2s", "timeout": "5s", "on_error": "continue"},
        {"step": "go", "ask": "Go?", "to": "anna", "choices": ["a", "b"], "otherwise": "a", "timeout": "1min"},
        {"task": "Do", "to": "anna", "checklist": ["x"], "timeout": "1h"},
        {"http": {"url": "https://a.example", "json": {"a": [1]}, "save": {"id": "/id"}, "expect": [201]}},
        {"publish": {"topic": "a/b", "payload": "c"}},
        {"if": "steps.go.answer == 'a'", "then": [{"delay": "1s"}], "else": [{"stop": "no", "outcome": "failed"}]},
        {"choose": [{"when": "vars.p > 3", "steps": []}], "else": []},
        {"parallel": [[{"delay": 1}], [{"delay": 2}]], "timeout": "1min"},
        {"repeat": {"until": "vars.p > 3", "most": 3, "steps": [{"set": {"p": "vars.p + 1"}}]}},
        {"incident": {"close": {"cause": "a", "action": "b"}}},
    ],
}  # fmt: skip
ODD = st.sampled_from([None, True, 0, -1, 3.5, 10**9, "", "x", "2s", "a.b", [], {}, ["a"], [[]], {"a": 1}, [{}]])


def places(of: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything within."""
    pairs = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    return [p for key, value in pairs for p in [(*at, key), *places(value, (*at, key))]]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    whole = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(0, 2))):
        *way, last = draw(st.sampled_from(places(whole)))
        holder = whole
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["out", "odd", "more"])):
            case "out":
                del holder[last]
            case "odd":
                holder[last] = draw(ODD)
            case _:
                if isinstance(holder, dict):
                    holder[draw(st.sampled_from(["retires", "timeout", "text", "write", "steps"]))] = draw(ODD)
    return whole


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_what_the_loader_takes_the_schema_takes_and_nothing_makes_the_loader_fall(data: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "whole.yaml"
        path.write_text(json.dumps(data), "utf-8")  # JSON is YAML
        loaded = load_files([path], SHOP, shop_floor())
    assert bool(loaded.errors) != bool(loaded.books.playbooks)
    assert all(e.line >= 1 and e.column >= 1 and e.reason for e in loaded.errors)
    if not loaded.errors:
        assert [e.message for e in VALIDATOR.iter_errors(data)] == []


def test_the_whole_one_is_taken_by_both(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text(json.dumps(WHOLE), "utf-8")
    assert [str(e) for e in load_files([path], SHOP, shop_floor()).errors] == []
    assert VALIDATOR.is_valid(WHOLE)
