"""The documentation is true: its examples load, its commands, files, metrics and messages exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import typer
import yaml

from andon.cli import app
from andon.settings import known_variables
from bus.topics import TOPICS
from config import yamlfile
from config.instance import HEALTH_OFFSETS
from config.yamlfile import ConfigError
from definitions.compiling import compile_folder
from detection import classes, rules
from devices.plant import Plant, load_plant
from incidents import people, policies
from playbooks import cases, loading
from playbooks.blueprints import Blueprints
from playbooks.judging import judge

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "press-shop"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
GUIDES = [ROOT / "docs" / name for name in ("rules.md", "playbooks.md", "playbook-language.md", "notifications.md")]
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.M | re.S)
_CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]+)`", re.M | re.S)
_LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(#[^)\s]*)?\)")
_COMMAND = re.compile(
    r"(?<![\w./])(?:\.venv/bin/)?andon ([a-z]+(?:-[a-z]+)*)((?: +(?:--?[\w-]+|\"[^\"]*\"|[\w./:=,#→-]+))*)"
)


def examples(*pages: Path) -> list[Any]:
    return [
        pytest.param(block[1], id=f"{page.name}:{page.read_text('utf-8')[: block.start()].count(chr(10)) + 1}")
        for page in pages
        for block in _YAML.finditer(page.read_text("utf-8"))
    ]


@pytest.fixture(scope="module")
def plant() -> Plant:
    plant, errors = load_plant(EXAMPLE)
    assert not errors
    return plant


def alarms_of_the_example(plant: Plant) -> list[tuple[str, str]]:
    return [(a.area, name) for name, a in compile_folder(EXAMPLE, plant).incidents.alarms.items()]


def load_example(text: str, folder: Path, plant: Plant) -> tuple[str, list[ConfigError]]:
    """What kind of file the example is, and what its real loader finds wrong with it, against the example plant. A bare
    list is rules of the press, or steps of a playbook of the press."""
    data = yaml.safe_load(text)
    if isinstance(data, list):
        key = "rules" if "rule" in data[0] else "steps"
        indented = "".join(f"  {line}\n" for line in text.splitlines())
        head = {"area": "shop/press"} | ({"id": "example"} if key == "steps" else {})
        text = "".join(f"{name}: {value}\n" for name, value in head.items()) + f"{key}:\n{indented}"
        data = head | {key: data}
    if {"blueprint", "tests", "given"} & data.keys():
        return load_beside_playbooks(text, data, folder, plant)
    if "plant" in data:
        (folder / "plant.yaml").write_text(text, "utf-8")
        return "plant", load_plant(folder)[1]
    key_of = {"points": "device", "rules": "rules", "playbooks": "id", "classes": "classes",
              "people": "positions"}  # fmt: skip
    kind = next((kind for kind, key in key_of.items() if key in data), "incidents")
    shutil.copy(EXAMPLE / "plant.yaml", folder)
    if kind == "rules":  # they may be of a class
        shutil.copytree(EXAMPLE / "classes", folder / "classes", dirs_exist_ok=True)
    if kind == "playbooks":  # another one may be named in after:
        shutil.copytree(EXAMPLE / "playbooks", folder / "playbooks")
        for other in (folder / "playbooks").glob("*.yaml"):
            if f"id: {data['id']}\n" in other.read_text("utf-8"):
                other.unlink()
    if "use" in data:
        write_blueprints(folder)
    if "class" in data and kind == "playbooks":
        plant = with_class(plant, "press", data["class"])
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / "example.yaml").write_text(text, "utf-8")
    match kind:
        case "points":
            loaded, errors = load_plant(folder)
            assert errors or data["device"] in loaded.devices
        case "rules":
            ruleset, errors = rules.load(folder, plant)
            assert errors or len(ruleset.rules) >= len(data["rules"])
        case "incidents":
            by_area, _, errors = policies.load(folder, plant)
            wrong = policies.check_names(folder, plant, alarms_of_the_example(plant), people.load(EXAMPLE, plant)[1])
            errors = [*errors, *wrong]
            assert errors or data["area"] in by_area
        case "classes":
            known, errors = classes.load(folder)
            assert errors or known.keys() == {c["class"] for c in data["classes"]}
        case "people":
            positions, _, errors = people.load(folder, plant)
            assert errors or positions.keys() == {p["position"] for p in data["positions"]}
        case _:
            books, errors = loading.load(folder / "playbooks", plant)
            assert errors or data["id"] in {b.playbook.partition(".")[0] for b in books.playbooks}
    return kind, errors


def load_beside_playbooks(text: str, data: Any, folder: Path, plant: Plant) -> tuple[str, list[ConfigError]]:
    """As `load_example`, of what stands beside playbooks: a blueprint, the beginning of a dry run, or tests, which are
    really run against the playbook of the guides that they name."""
    file = folder / "example.yaml"
    file.write_text(text, "utf-8")
    if "blueprint" in data:
        write_blueprints(folder)
        assert data["blueprint"] in Blueprints(folder).names()
        return "blueprint", Blueprints(folder).errors
    if "tests" not in data:
        yamlfile.read(file, folder).into(cases.Beginning)
        return "beginning", []
    (folder / "playbooks").mkdir()
    said = (e.values[0] for e in examples(*GUIDES) if f"\nid: {data['playbook']}\n" in f"\n{e.values[0]}")
    (folder / "playbooks" / "example.yaml").write_text(next(said), "utf-8")
    books, errors = loading.load(folder / "playbooks", plant)
    found, wrong = cases.read([file], folder, plant, books)
    return "tests", [*errors, *wrong, *(w for case in found for w in judge(case, books, plant).wrong)]


def write_blueprints(folder: Path) -> None:
    """Those of the guides."""
    (folder / "blueprints").mkdir(exist_ok=True)
    for i, example in enumerate(examples(*GUIDES)):
        if example.values[0].startswith("blueprint:"):
            (folder / "blueprints" / f"{i}.yaml").write_text(example.values[0], "utf-8")


def with_class(plant: Plant, device: str, name: str) -> Plant:
    """The plant, whose device is of that class."""
    known = plant.devices | {device: msgspec.structs.replace(plant.devices[device], class_=name)}
    return Plant(plant.name, plant.late_after_s, plant.areas, plant.sources, known)


@pytest.mark.parametrize("text", examples(*GUIDES))
def test_yaml_example_loads_without_a_complaint(text: str, tmp_path: Path, plant: Plant) -> None:
    assert [str(e) for e in load_example(text, tmp_path, plant)[1]] == []


def test_the_guides_have_an_example_of_every_file_and_of_every_kind_of_rule(tmp_path: Path, plant: Plant) -> None:
    kinds, rule_kinds = set(), set()
    for i, example in enumerate(examples(*GUIDES)):
        (tmp_path / str(i)).mkdir()
        kinds.add(load_example(example.values[0], tmp_path / str(i), plant)[0])
        rule_kinds |= set(re.findall(r"\bkind: (\w+)", example.values[0]))
    assert kinds == {
        "plant", "points", "rules", "playbooks", "classes", "people", "incidents", "blueprint", "beginning", "tests",
    }  # fmt: skip
    assert rule_kinds == {
        "limits", "deviation", "rate", "state", "flatline", "no_data", "expression", "baseline",
    }  # fmt: skip


def mistakes() -> list[tuple[str, str]]:
    """(what is written, what is said) of the table in rules.md."""
    text = (ROOT / "docs" / "rules.md").read_text("utf-8")
    table = text.partition("| written | said |\n|---|---|\n")[2].partition("\n\n")[0]
    return [(row[1], row[2]) for line in table.splitlines() if (row := re.fullmatch(r"\| `(.+?)` \| (.+) \|", line))]


_WHOLE = {
    "when": "kind: expression, when: press.pressure > 1",
    "faster_than": "kind: rate, point: press.pressure, faster_than: 5, over: 1s",
    "learn": "kind: baseline, points: [press.pressure]",
}
"""A right rule, into which the mistake is put in place of the field of that name."""


@pytest.mark.parametrize(("written", "said"), mistakes())
def test_mistake_is_answered_as_the_guide_says(written: str, said: str, tmp_path: Path, plant: Plant) -> None:
    field, _, value = written.partition(": ")
    rule = yaml.safe_load("{" + _WHOLE.get(field, "kind: limits, point: press.pressure, limits: {H: {limit: 9}}") + "}")
    lines = {name: str(yaml.safe_dump(v, default_flow_style=True, allow_unicode=True)).split("\n...")[0].strip()
             for name, v in rule.items()}  # fmt: skip
    lines[field] = value
    text = "area: shop/press\nrules:\n  - rule: r\n" + "".join(f"    {n}: {v}\n" for n, v in lines.items())
    (tmp_path / "rules").mkdir()
    shutil.copytree(EXAMPLE / "classes", tmp_path / "classes")
    (tmp_path / "rules" / "press.yaml").write_text(text, "utf-8")
    errors = [e.reason for e in rules.load(tmp_path, plant)[1]]
    assert len(errors) == 1 and errors[0].endswith(said), (text, errors)


def test_the_guide_s_table_of_mistakes_is_found() -> None:
    assert len(mistakes()) >= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_and_option_named_exists(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    code = "\n".join(block or span for block, span in _CODE.findall(page.read_text("utf-8")))
    named = {(command, arguments) for command, arguments in _COMMAND.findall(code)}
    for command, arguments in sorted(named):
        assert command in group.list_commands(context), f"andon {command}"
        real = group.get_command(context, command).make_context(command, [], context, resilient_parsing=True).command
        words = [a for a in arguments.split() if not a.startswith("-")]
        if hasattr(real, "commands") and words:  # `andon rules lint`
            assert words[0] in real.commands, f"andon {command} {words[0]}"
            real = real.commands[words[0]]
        known = {option for parameter in real.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {a for a in arguments.split() if a.startswith("--")} <= known | {"--help"}, f"andon {command}{arguments}"


def test_the_commands_are_really_found() -> None:
    assert _COMMAND.findall('andon trace "shop/press 2"\n.venv/bin/andon up --headless --no-board') == [
        ("trace", ' "shop/press 2"'), ("up", " --headless --no-board"),
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for target, anchor in _LINK.findall(page.read_text("utf-8")):
        found = (page.parent / target) if target else page
        if not found.exists() or (anchor and anchor[1:] not in anchors(found)):
            broken.append(target + anchor)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_tables_of_events_are_those_of_the_code() -> None:
    made = script("events_table")
    text = made.PAGE.read_text("utf-8")
    assert made.page(text) == text, "run: python scripts/events_table.py"


def test_every_event_there_is_stands_in_the_tables() -> None:
    made = script("events_table")
    shown = [s for _, structs in made.SECTIONS.values() for s in structs]
    assert sorted(map(made.tag_of, shown)) == sorted(map(made.tag_of, made.everything()))


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operations() -> str:
    return (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_the_table_of_metrics_is_complete_and_has_nothing_else() -> None:
    shown = set(re.findall(r"^\| `(andon_\w+)` \|", operations(), re.M))
    assert shown == metrics()


def metrics() -> set[str]:
    """The names of all metrics that the code makes."""
    found = set()
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    for path in (p for package in wheel["packages"] for p in (ROOT / package).glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if isinstance(name, str) and name.startswith("andon_"):
                found.add(f"{name}_total" if node.func.id == "CounterMetricFamily" else name)
    return found


def test_the_variables_and_health_ports_are_all_named() -> None:
    text = operations()
    assert set(re.findall(r"^\| `(ANDON_\w+)` \|", text, re.M)) == known_variables()
    served = {name: offset for name, offset in HEALTH_OFFSETS.items() if name != "intake"}  # it has no process
    assert {name: int(offset) for name, offset in re.findall(r"\b(\w+) ([12]\d)\b(?=[,.| ])", text.partition(
        "| 10 … 23 |")[2].partition("\n")[0])} == served  # fmt: skip


def test_the_limits_of_kafka_are_those_of_the_topics() -> None:
    day = 24 * 3600 * 1000
    kept = {name: int(config["retention.ms"]) // day for name, config in TOPICS.items() if "retention.ms" in config}
    assert kept.pop("readings") == 3 and set(kept.values()) == {30}
    assert "| Kafka | `readings` 3 days, events and dead letters 30 days" in operations()
