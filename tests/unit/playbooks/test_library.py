"""The shipped blueprints: each is used by the example plant, tested there, and lints clean."""

from __future__ import annotations

import pytest

from config import yamlfile
from definitions.playbook_lint import lint_playbooks
from playbooks.blueprints import LIBRARY
from tests.unit.playbooks.shop import EXAMPLE

SHIPPED = sorted(path.stem for path in LIBRARY.glob("*.yaml"))
USED = {
    data["use"]: data["id"]
    for path in (EXAMPLE / "playbooks").glob("*.yaml")
    if "use" in (data := yamlfile.read(path, EXAMPLE).data)
}


def test_there_are_twelve_and_each_is_used_by_the_example_plant() -> None:
    assert len(SHIPPED) >= 12
    assert sorted(USED) == SHIPPED


@pytest.mark.parametrize("blueprint", SHIPPED)
def test_blueprint_is_tested_well_and_badly(blueprint: str) -> None:
    data = yamlfile.read(LIBRARY / f"{blueprint}.yaml", LIBRARY).data
    assert data["blueprint"] == blueprint and data["title"]
    assert all(p.get("help") for p in data["parameters"].values()), "every parameter says what it is"
    ends = [
        case["expect"].get("outcome")
        for path in (EXAMPLE / "playbooks" / "tests").glob("*.yaml")
        if (file := yamlfile.read(path, EXAMPLE).data)["playbook"] == USED[blueprint]
        for case in file["tests"]
    ]
    assert "completed" in ends and len(ends) >= 3


def test_lint_finds_nothing_but_hints_in_the_example_plant() -> None:
    """Points, positions, alarms that set them off: all are there, and no two playbooks move one point."""
    assert [str(f) for f in lint_playbooks(EXAMPLE) if f.weight != "info"] == []
