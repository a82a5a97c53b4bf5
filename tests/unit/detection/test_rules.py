"""Rules files: what is refused, where, and that one mistake never takes anything else down."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detection import rules
from detection.language import AnyRule
from devices.plant import Plant, load_plant

EXAMPLE = Path(__file__).parents[3] / "examples" / "press-shop"


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(EXAMPLE)[0]


def errors_of(folder: Path, plant: Plant, *texts: str) -> tuple[list[str], list[str]]:
    """Ids of the usable rules, and the errors."""
    (folder / "rules").mkdir()
    for i, text in enumerate(texts):
        (folder / "rules" / f"{chr(97 + i)}.yaml").write_text(text)
    loaded, errors = rules.load(folder, plant)
    return [r.rule for r in loaded.rules], [str(e) for e in errors]


HEAD = "area: shop/press\nrules:\n"


def test_rules_of_the_example_are_all_right_and_rationalised(plant: Plant) -> None:
    loaded, errors = rules.load(EXAMPLE, plant)
    assert errors == []
    assert {"press_pressure.HH", "press_pressure.H", "cooling_behaviour"} <= {r.rule for r in loaded.rules}
    for rule in loaded.rules:
        if rule.kind != "suppression":
            assert {"cause", "consequence", "action", "response_time", "owner"} <= rule.words.keys(), rule.rule


def test_rule_set_survives_its_packing_and_its_version_is_its_content(plant: Plant) -> None:
    loaded, _ = rules.load(EXAMPLE, plant)
    assert rules.unpack(loaded.pack()) == loaded
    assert rules.load(EXAMPLE, plant)[0].pack() == loaded.pack()
    versions = [r.version for r in loaded.rules]
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(
    ("rule", "at", "reason"),
    [
        ("kind: limits, point: press.presure, limits: {H: {limit: 1}}", "press.presure",
         "unknown point 'press.presure', did you mean 'press.pressure'?"),
        ("kind: limits, point: press.pressure, limits: {H: {limit: 180 °C}}", "180 °C",
         "'180 °C': the point is in bar, not in °C"),
        ("kind: limits, point: press.pressure, limits: {H: {limit: 5000}}", "5000",
         "5000 is not within the point's range [0.0, 400.0]"),
        ("kind: limits, point: press.pressure, limits: {H: {limit: 9}, HH: {limit: 8}}", "8",
         "limits must ascend from LL over L and H to HH"),
        ("kind: limits, point: press.pressure, limits: {HI: {limit: 8}}", "HI", "Invalid enum value 'HI'"),
        ("kind: limits, point: press.pressure, limts: {}", "limts", "unknown field 'limts', did you mean 'limits'?"),
        ("kind: limit, point: press.pressure", "limit,", "Invalid value 'limit'"),
        ("kind: limits, point: press.pressure, limits: {H: {limit: 9}}, on_delay: 5 minutes", "5 minutes",
         "'5 minutes' is no duration"),
        ("kind: limits, point: cooling.flow, limits: {H: {limit: 9}}", "cooling.flow",
         "'cooling.flow' is of area shop/cooling; a rule stays within its area"),
        ("kind: limits, point: press.pressure, of: mean, limits: {H: {limit: 9}}", "mean", "belong together"),
        ("kind: state, point: press.relief_valve, is: opn", "opn", "unknown state 'opn'"),
        ("kind: deviation, point: press.pressure, from: press.temperature, more_than: 3", "press.temperature",
         "press.temperature is in °C, the point in bar"),
        ("kind: rate, point: press.pressure, faster_than: 5 bar, over: 1s", "5 bar",
         "the point is in bar/s, not in bar"),
        ("kind: no_data, device: pres, for: 5s", "pres,", "unknown device 'pres', did you mean 'press'?"),
        ("kind: expression, when: press.pressure > 80 && press.temprature > 3", "press.temprature",
         "unknown name 'press.temprature', did you mean 'press.temperature'?"),
        ("kind: expression, when: 1 > 2", "1 > 2", "it names no point"),
        ("kind: limits, point: press.pressure, limits: {H: {limit: 9}}, while: press.running", "press.running",
         "this is a number, needed is true or false"),
        ("kind: baseline, points: [press.pressure], learn: 5 samples", "5 samples", "must be at least 30 samples"),
    ],
)  # fmt: skip
def test_mistake_is_named_with_its_place_and_the_other_rules_stay(
    tmp_path: Path, plant: Plant, rule: str, at: str, reason: str
) -> None:
    good = "  - {rule: good, kind: no_data, device: press, for: 5s}\n"
    line = f"  - {{rule: bad, {rule}}}"
    usable, errors = errors_of(tmp_path, plant, HEAD + line + "\n" + good)
    assert len(errors) == 1 and reason in errors[0]
    if "Invalid value" not in reason:  # msgspec names the rule, not its kind
        assert errors[0].startswith(f"rules/a.yaml:3:{line.rindex(at) + 1}: ")
    assert usable == ["good"]


def test_rule_without_a_name_is_not_passed_over(tmp_path: Path, plant: Plant) -> None:
    usable, errors = errors_of(tmp_path, plant, HEAD + "  - {rule: '', kind: no_data, device: press, for: 5s}\n")
    assert (usable, errors) == ([], ["rules/a.yaml:3:12: '' is no name: letters, digits and _ only"])


def test_bad_file_takes_no_other_down(tmp_path: Path, plant: Plant) -> None:
    good = HEAD + "  - {rule: good, kind: no_data, device: press, for: 5s}\n"
    usable, errors = errors_of(tmp_path, plant, "area: [", "area: nowhere\nrules: []\n", "rules: 3", good)
    assert usable == ["good"]
    assert [e.split(":")[0] for e in errors] == ["rules/a.yaml", "rules/b.yaml", "rules/c.yaml"]


def test_id_that_stands_twice_is_refused(tmp_path: Path, plant: Plant) -> None:
    text = HEAD + "  - {rule: one, kind: no_data, device: press, for: 5s}\n"
    usable, errors = errors_of(tmp_path, plant, text, text)
    assert usable == ["one"]
    assert errors == ["rules/b.yaml:3:12: rule 'one' is defined in rules/a.yaml already"]


def test_rules_of_an_edge_s_own_area_are_not_the_plant_s(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    (tmp_path / "rules").mkdir()
    (tmp_path / "plant.yaml").write_text("plant: t\nareas: [{area: a}, {area: b, home: edge, edge: box}]\n")
    for area in "ab":
        points = f"device: {area}{area}\narea: {area}\npoints: [{{point: x}}]\n"
        (tmp_path / "points" / f"{area}.yaml").write_text(points)
        rule = f"{{rule: {area}_quiet, kind: no_data, device: {area}{area}, for: 5s}}"
        (tmp_path / "rules" / f"{area}.yaml").write_text(f"area: {area}\nrules: [{rule}]\n")
    plant, _ = load_plant(tmp_path)
    assert [r.rule for r in rules.load(tmp_path, plant)[0].rules] == ["a_quiet"]
    assert [r.rule for r in rules.load(tmp_path, plant, "box")[0].rules] == ["b_quiet"]
    assert [r.rule for r in rules.load(tmp_path, plant, None)[0].rules] == ["a_quiet", "b_quiet"]


def test_schema_comes_from_the_model_and_names_every_kind() -> None:
    text = msgspec.json.encode(rules.json_schema()).decode()
    kinds = {t.__struct_config__.tag for t in AnyRule.__args__}
    assert len(kinds) == 8
    assert all(f'"{kind}"' in text for kind in kinds)
