"""Files that are wrong, each named after what is wrong with it: what its author is told, and where.

The first line of a file says line, column and reason; the second what the JSON Schema makes of it: `refused` where the
structure is wrong, `accepted` where only the plant shows it, `unreadable` where it is no YAML.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from config.yamlfile import ConfigError, Document
from devices.plant import Plant, load_plant
from playbooks.loading import json_schema, load, load_files

HERE = Path(__file__).parent
SHOP = HERE / "shop_floor"
EXAMPLE = Path(__file__).parents[3] / "examples" / "press-shop"
LIBRARY = Path(__file__).parents[3] / "playbooks" / "library"
BAD = sorted((HERE / "bad").glob("*.yaml"))
_TOLD = re.compile(r"# (\d+):(\d+): (.*)")
VALIDATOR = Draft202012Validator(json_schema())


@cache
def shop_floor() -> Plant:
    plant, errors = load_plant(SHOP)
    assert not errors
    return plant


def schema_says(path: Path) -> str:
    try:
        data = Document(path.name, path.read_text("utf-8")).data
    except ConfigError:
        return "unreadable"
    return "accepted" if VALIDATOR.is_valid(data) else "refused"


def test_there_are_enough_of_them() -> None:
    assert len(BAD) >= 120


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_file_is_refused_where_it_is_wrong(path: Path) -> None:
    told, schema, *_ = path.read_text("utf-8").splitlines()
    loaded = load_files([path], SHOP, shop_floor())
    match = _TOLD.fullmatch(told)
    assert match is not None
    (error,) = loaded.errors
    assert (error.line, error.column, error.reason) == (int(match[1]), int(match[2]), match[3])
    assert error.file.endswith(path.name)
    assert loaded.books.playbooks == ()
    assert schema == f"# schema: {schema_says(path)}"


def test_all_bad_files_together_take_no_good_one_down(tmp_path: Path) -> None:
    for source in (SHOP / "blueprints").iterdir():
        (tmp_path / "blueprints").mkdir(exist_ok=True)
        (tmp_path / "blueprints" / source.name).write_text(source.read_text("utf-8"), "utf-8")
    folder = tmp_path / "playbooks"
    folder.mkdir()
    for path in BAD:
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    good = "id: good\narea: shop/press\ntrigger: {request: {}}\nsteps:\n  - {write: {press.relief_valve: open}}\n"
    (folder / "good.yaml").write_text(good, "utf-8")
    books, errors = load(folder, shop_floor())
    assert [b.playbook for b in books.playbooks] == ["good"]
    assert {e.file.removeprefix("playbooks/") for e in errors} == {p.name for p in BAD}


def test_schema_is_one_and_takes_every_example_and_every_blueprint() -> None:
    Draft202012Validator.check_schema(json_schema())
    files = [*sorted((EXAMPLE / "playbooks").glob("*.yaml")), *sorted(LIBRARY.glob("*.yaml")),
             *sorted((SHOP / "blueprints").glob("*.yaml"))]  # fmt: skip
    assert len(files) > 10
    for path in files:
        data = Document(path.name, path.read_text("utf-8")).data
        assert [e.message for e in VALIDATOR.iter_errors(data)] == [], path.name
