"""`andon playbook export --schemas`: an export held against a folder of schemas, here small ones of our own that
lie and refer to each other as the standard's do."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from andon.playbook_try_cli import app
from devices.plant import load_plant
from playbooks.cacao import export
from playbooks.cacao_check import SchemasError, violations
from playbooks.loading import load
from tests.unit.playbooks.test_cacao import SHOP

BASE = "https://standard.example/main/schemas/"
SCHEMAS: dict[str, dict[str, Any]] = {
    "playbook.json": {
        "properties": {
            "id": {"$ref": "data-types/id.json"},
            "priority": {"maximum": 100},
            "workflow": {"patternProperties": {"^action--": {"$ref": "workflows/action.json"}}},
        },
        "required": ["id", "workflow"],
    },
    "workflows/action.json": {
        "allOf": [
            {"$ref": "step.json"},
            {"properties": {"commands": {"items": {"$ref": "../commands/command-data.json"}, "minItems": 1}}},
        ],
        "required": ["commands", "agent"],
    },
    "workflows/step.json": {
        "properties": {"type": {"$ref": "#/$defs/type"}, "on_success": {"$ref": "../data-types/id.json"}},
        "anyOf": [{"required": ["on_success"]}, {"required": ["on_completion"]}],
        "$defs": {"type": {"enum": ["action"]}},
    },
    "commands/command-data.json": {"properties": {"type": {"type": "string"}}, "required": ["type"]},
    "commands/manual.json": {"allOf": [{"$ref": "./command-data.json"}], "required": ["command_b64"]},
    "data-types/id.json": {"type": "string", "pattern": "^[a-z-]+--[0-9a-f-]{36}$"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, schema in SCHEMAS.items():
        put(tmp_path, name, schema)
    return tmp_path


def put(folder: Path, name: str, schema: dict[str, Any]) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    head = {"$id": BASE + name, "$schema": "http://json-schema.org/draft-07/schema#"}
    file.write_text(json.dumps(head | schema), "utf-8")


@pytest.fixture(scope="module")
def exported() -> dict[str, Any]:
    plant = load_plant(SHOP)[0]
    books = load(SHOP / "playbooks", plant)[0].playbooks
    when = datetime(2026, 1, 2, tzinfo=UTC)
    return export(next(b for b in books if b.playbook == "press_overpressure"), plant, when, when)


@pytest.fixture
def made(exported: dict[str, Any]) -> dict[str, Any]:
    """One to spoil."""
    return deepcopy(exported)


def manual(made: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Id and step of the first that is done by hand."""
    found: tuple[str, dict[str, Any]] = next(
        (id_, step) for id_, step in made["workflow"].items() if step.get("commands", [{}])[0].get("type") == "manual"
    )
    return found


def test_a_good_export_passes(folder: Path, made: dict[str, Any]) -> None:
    assert violations(made, folder) == []


def test_each_violation_is_told_with_its_place(folder: Path, made: dict[str, Any]) -> None:
    id_, step = manual(made)
    at = f"$.workflow['{id_}']"
    made["priority"] = 101
    del step["agent"], step["commands"][0]["command_b64"]
    step["on_success"] = "nowhere"
    assert sorted(violations(made, folder)) == [
        "$.priority: 101 is greater than the maximum of 100",
        f"{at}.commands[0]: 'command_b64' is a required property",
        f"{at}.on_success: 'nowhere' does not match '^[a-z-]+--[0-9a-f-]{{36}}$'",
        f"{at}: 'agent' is a required property",
    ]


def test_a_step_is_not_repeated_in_the_reason(folder: Path, made: dict[str, Any]) -> None:
    put(folder, "workflows/step.json", {"not": {"required": ["commands"]}})
    reasons = {line.partition(": ")[2] for line in violations(made, folder)}
    assert reasons == {"it should not be valid under {'required': ['commands']}"}


def test_an_address_outside_the_folder_is_not_fetched_but_told(folder: Path, made: dict[str, Any]) -> None:
    put(folder, "data-types/id.json", {"$ref": "http://127.0.0.1:9/id.json"})
    with pytest.raises(SchemasError, match=r"http://127\.0\.0\.1:9/id\.json, which is not in "):
        violations(made, folder)


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("playbook.json", None, "no playbook.json in "),
        ("commands/manual.json", "<html>", "manual.json is no JSON: "),
        ("commands/manual.json", '{"type": "strnig"}', "manual.json is no JSON schema: 'strnig' is not valid"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    folder: Path, made: dict[str, Any], name: str, text: str | None, wrong: str
) -> None:
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text, "utf-8")
    with pytest.raises(SchemasError, match=wrong):
        violations(made, folder)


def test_the_command_exports_what_the_schemas_allow_and_nothing_else(folder: Path) -> None:
    command = ["export", "press_overpressure", "--plant", str(SHOP)]
    plain = CliRunner().invoke(app, command)
    allowed = CliRunner().invoke(app, [*command, "--schemas", str(folder)])
    assert json.loads(plain.stdout)["spec_version"] == "cacao-2.0"
    assert (allowed.exit_code, allowed.stdout) == (0, plain.stdout)

    put(folder, "playbook.json", {"properties": {"priority": {"maximum": 0}}})
    refused = CliRunner().invoke(app, [*command, "--schemas", str(folder)])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "not CACAO 2.0: " in refused.stderr
    assert "$.priority: " in refused.stderr

    unusable = CliRunner().invoke(app, [*command, "--schemas", str(folder / "commands")])
    assert (unusable.exit_code, unusable.stdout) == (2, "")
    assert "no playbook.json in " in unusable.stderr
