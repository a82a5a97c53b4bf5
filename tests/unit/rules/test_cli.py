"""`andon rules` as a person or a pipeline meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from andon.rules_cli import app
from definitions.schemas import SCHEMAS, json_schema
from tests.unit.rules.shop import HEAD, QUIET, WORDS, write

WARNS = f"  - {{rule: p, kind: state, point: press.running, is: 1, {WORDS}}}\n"


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def test_clean_plant_is_said_to_be_so(tmp_path: Path) -> None:
    write(tmp_path, rules=HEAD + QUIET)
    assert run("lint", str(tmp_path), "--strict") == (0, "nothing was found\n")
    assert run("lint", "--plant", str(tmp_path)) == (0, "nothing was found\n")


def test_error_fails_and_names_its_place_and_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, rules=HEAD + QUIET.replace("cause: c, ", ""))
    code, text = run("lint", str(tmp_path))
    assert code == 1
    assert "rules/rules.yaml:3:12: error: 'quiet' has no cause" in text
    assert "say what makes it come" in text
    assert text.endswith("1 errors, 0 warnings\n")


def test_warning_fails_only_when_strict(tmp_path: Path) -> None:
    write(tmp_path, rules=HEAD + WARNS)
    code, text = run("lint", str(tmp_path))
    assert (code, text.endswith("0 errors, 1 warnings\n")) == (0, True)
    assert run("lint", str(tmp_path), "--strict")[0] == 1


def test_programs_get_json(tmp_path: Path) -> None:
    write(tmp_path, rules=HEAD + WARNS)
    code, text = run("lint", str(tmp_path), "--json")
    (finding,) = json.loads(text)
    assert code == 0
    assert {k: finding[k] for k in ("file", "line", "column", "weight", "check")} == {
        "file": "rules/rules.yaml", "line": 3, "column": 12, "weight": "warning", "check": "blind",
    }  # fmt: skip


@pytest.mark.parametrize("words", [(), ("no-such-folder",)])
def test_without_a_plant_nothing_is_said_to_be_well(words: tuple[str, ...]) -> None:
    assert run("lint", *words) == (2, "")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schema_of_each_folder_is_printed(kind: str) -> None:
    code, text = run("schema", "--kind", kind)
    assert code == 0
    assert json.loads(text) == json.loads(json.dumps(json_schema(kind)))
