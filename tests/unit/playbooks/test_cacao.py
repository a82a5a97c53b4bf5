"""The export to CACAO 2.0, held against what the standard's schemas demand (sections 3, 4, 5, 7 and 10 of the standard;
its schema files are not ours to copy)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.plant import Plant, load_plant
from playbooks import plan
from playbooks.cacao import export
from playbooks.loading import load, load_files
from tests.unit.playbooks.test_explaining import TOUR

SHOP = Path(__file__).parents[3] / "examples" / "press-shop"
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
COMMON = {"type", "name", "description", "delay", "timeout", "on_completion", "on_success", "on_failure"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "start": (set(), set()), "end": (set(), set()), "action": ({"commands", "agent"}, set()),
    "parallel": ({"next_steps"}, set()), "if-condition": ({"condition", "on_true"}, {"on_false"}),
    "while-condition": ({"condition", "on_true"}, set()),
}  # fmt: skip
"""By type of step: what it must have of its own, and what it may."""
FOLLOWERS = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def check(made: dict[str, Any]) -> None:
    """What the standard's schemas check, and that every id leads somewhere."""
    needed = {"type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start", "workflow"}
    assert needed <= made.keys()
    assert made["created"] == "2026-01-02T03:04:05.678Z"
    assert 0 <= made["priority"] <= 100
    workflow, agents = made["workflow"], made["agent_definitions"]
    assert workflow[made["workflow_start"]]["type"] == "start"
    reached = {made["workflow_start"], made["workflow_exception"]}
    for id_, step in workflow.items():
        own, may = FIELDS[step["type"]]
        assert re.fullmatch(f"{step['type']}--{UUID4}", id_)
        assert own <= step.keys() <= COMMON | own | may
        follows = {f for f in ("on_completion", "on_success", "on_failure") if f in step}
        assert follows <= {"on_completion"} or follows <= {"on_success", "on_failure"}
        assert (step["type"] == "end") == (not follows)
        for time in ("delay", "timeout"):
            assert isinstance(step.get(time, 1), int)
            assert step.get(time, 1) >= 1
        leads = [step[f] for f in FOLLOWERS if f in step] + step.get("next_steps", [])
        assert set(leads) <= workflow.keys()
        reached |= set(leads)
        assert len(step.get("next_steps", "ab")) >= 2
        if step["type"] == "action":
            assert step["agent"] in agents
            assert {c["type"] for c in step["commands"]} <= {"manual", "http-api"}
    assert reached == workflow.keys()
    for id_, agent in agents.items():
        assert re.fullmatch(f"group--{UUID4}", id_)
        assert agent.keys() == {"type", "name"}


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(SHOP)[0]


def test_every_shipped_playbook_becomes_cacao(plant: Plant) -> None:
    books, errors = load(SHOP / "playbooks", plant)
    assert not errors
    assert len(books.playbooks) >= 12
    for book in books.playbooks:
        check(export(book, plant, WHEN, WHEN))


def test_all_kinds_of_steps_become_cacao_and_stay_the_same(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "tour.yaml").write_text(TOUR, "utf-8")
    book: plan.Playbook = load_files([tmp_path / "tour.yaml"], tmp_path, plant).books.playbooks[0]
    made = export(book, plant, WHEN, WHEN)
    check(made)
    assert json.dumps(made) == json.dumps(export(book, plant, WHEN, WHEN))
    types = {step["type"] for step in made["workflow"].values()}
    assert {"start", "end", "action", "if-condition", "while-condition"} <= types
    waits = next(s for s in made["workflow"].values() if s.get("name") == "falls")
    assert waits["timeout"] == 30_000
    assert "on_failure" in waits
