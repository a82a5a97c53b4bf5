"""incidents/*.yaml: what is understood, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.plant import Area, Device, Plant, Point
from incidents import policies
from incidents.definition import Across, Flood, Policy, Together

PLANT = Plant(
    name="shop", late_after_s=60.0, areas={"shop/press": Area(area="shop/press"), "shop/oven": Area(area="shop/oven")},
    sources=[], devices={
        name: Device(device=name, area=area, points=[Point(point="p")])
        for name, area in (("press", "shop/press"), ("diverter", "shop/press"), ("oven", "shop/oven"))
    },
)  # fmt: skip


def load(tmp_path: Path, **files: str) -> tuple[dict[str, Policy], tuple[Across, ...], list[str]]:
    """The files, and the errors as text."""
    folder = tmp_path / "incidents"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    found, across, errors = policies.load(tmp_path, PLANT)
    return found, across, [str(e) for e in errors]


def error(tmp_path: Path, text: str) -> str:
    found, _, errors = load(tmp_path, press=text)
    assert not found and len(errors) == 1, (found, errors)
    return errors[0]


def test_file_says_all_that_a_policy_is(tmp_path: Path) -> None:
    found, _, errors = load(tmp_path, press="""\
area: shop/press
together:
  - {together: hydraulics, by: device, within: 5min, factors: [machine]}
  - {together: start up, by: expression, when: press.p > 1, for: 2s, alarms: ['press_*']}
topology: {press: [diverter]}
confirm_after: 2
reopen_within: 1min
close_after: 2h
close_by_person: critical
flood: {above: 20, below: 8, window: 5min, show_from: high, digest: 60s}
escalation: night
""")  # fmt: skip
    assert errors == []
    assert found == {"shop/press": Policy(
        together=(
            Together(together="hydraulics", by="device", within_s=300, factors=("machine",)),
            Together(together="start up", by="expression", alarms=("press_*",),
                     condition="shop_press.together.start_up"),
        ),
        topology={"press": ("diverter",)}, confirm_after=2, reopen_s=60, close_after_s=7200, close_by_person="critical",
        flood=Flood(above=20, below=8, window_s=300, show_from="high", digest_s=60), escalation="night",
    )}  # fmt: skip


def test_file_that_says_nothing_but_its_area_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, press="area: shop/press")[0] == {"shop/press": Policy()}


def test_alarms_that_never_belong_together_are_an_empty_list(tmp_path: Path) -> None:
    assert load(tmp_path, press="area: shop/press\ntogether: []")[0]["shop/press"].together == ()


def test_plant_without_the_folder_has_no_policies(tmp_path: Path) -> None:
    assert policies.load(tmp_path, PLANT) == ({}, (), [])


def test_rules_across_areas_stand_in_the_file_of_the_plant(tmp_path: Path) -> None:
    text = "area: '*plant'\nacross:\n  - {rule: dark, of: ['*_no_data'], at_least: 3, for: 10s, message: Look there}\n"
    _, across, errors = load(tmp_path, plant=text)
    assert errors == [] and len(across) == 1
    [rule] = across
    assert (rule.rule, rule.of, rule.at_least, rule.for_s, rule.priority) == ("dark", ("*_no_data",), 3, 10.0, "high")
    changed = load(tmp_path, plant=text.replace("10s", "20s"))[1][0]
    assert rule.version and changed.version != rule.version


def test_bad_file_leaves_the_others_in_force(tmp_path: Path) -> None:
    found, _, errors = load(tmp_path, press="area: shop/press\nconfirm_after: 0", oven="area: shop/oven")
    assert list(found) == ["shop/oven"]
    assert errors == ["incidents/press.yaml:2:16: must be 1 or more"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area: shop/pres", "1:7: unknown area 'shop/pres', plant.yaml has shop/press, shop/oven; '*plant' is across"),
        ("area: shop/press\nreopen_in: 5min", "2:1: unknown field 'reopen_in', did you mean 'reopen_within'?"),
        ("area: shop/press\nclose_after: soon", "2:14: 'soon' is no duration"),
        ("area: shop/press\ntogether:\n  - {together: x, by: distance}", "3:23: together[0].by: Invalid enum value"),
        ("area: shop/press\ntogether:\n  - {together: x, by: expression, alarms: [a]}",
         "3:5: by: expression needs when: EXPRESSION, and only that"),
        ("area: shop/press\ntogether:\n  - {together: x, by: area, when: p > 1}",
         "3:5: by: expression needs when: EXPRESSION, and only that"),
        ("area: shop/press\ntogether:\n  - {together: x, by: alarms}", "3:5: by: alarms needs alarms"),
        ("area: shop/press\ntogether:\n  - {together: x, by: topology}", "3:5: by: topology needs topology"),
        ("area: shop/press\ntogether:\n  - {together: a b, by: area}\n  - {together: a-b, by: area}",
         "4:16: 'a-b' stands twice"),
        ("area: shop/press\ntogether:\n  - {together: '', by: area}", "3:16: '' must be a word"),
        ("area: shop/press\ntopology: {pres: [diverter]}",
         "2:12: area 'shop/press' has no device 'pres', did you mean 'press'?"),
        ("area: shop/press\ntopology: {press: [oven]}", "2:20: area 'shop/press' has no device 'oven'"),
        ("area: shop/press\nflood: {above: 5, below: 9}", "2:8: it must end below a number of 1 to above: 9, 5"),
        ("area: shop/press\nflood: {window: 0s}", "2:17: must be longer than 0 s"),
        ("area: shop/press\nacross: [{rule: r, of: [a], message: m}]",
         "2:1: only the file of area '*plant' has rules across areas"),
        ("area: '*plant'\nacross:\n  - {rule: r, of: [], message: m}", "3:19: which alarms? name at least one"),
        ("area: '*plant'\nacross:\n  - {rule: r 1, of: [a], message: m}", "3:12: 'r 1' is no name"),
        ("area: '*plant'\nacross:\n  - {rule: r, of: [a], message: m}\n  - {rule: r, of: [a], message: m}",
         "4:12: rule 'r' stands twice"),
        ("area: '*plant'\nacross:\n  - {rule: r, of: [a], message: m, at_least: 0}", "3:46: must be 1 or more"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert error(tmp_path, text).startswith(f"incidents/press.yaml:{message}")


def test_area_has_one_file(tmp_path: Path) -> None:
    found, _, errors = load(tmp_path, a="area: shop/press", b="area: shop/press\nconfirm_after: 2")
    assert found["shop/press"].confirm_after == 1
    assert errors == ["incidents/b.yaml:1:7: area 'shop/press' has a file already"]


def test_expressions_are_given_to_detection_with_their_place(tmp_path: Path) -> None:
    load(tmp_path, press="""\
area: shop/press
together:
  - {together: near, by: area}
  - {together: start up, by: expression, when: press.p > 1, for: 2s, alarms: [a]}
""")  # fmt: skip
    [found] = policies.correlations(tmp_path, PLANT)
    assert (found.area, found.rule, found.when, found.for_s) == (
        "shop/press", "shop_press.together.start_up", "press.p > 1", 2.0,
    )  # fmt: skip
    assert str(found.error("unknown name")) == "incidents/press.yaml:4:48: unknown name"


def test_names_of_alarms_and_escalations_are_checked_where_they_stand(tmp_path: Path) -> None:
    load(tmp_path, press="""\
area: shop/press
together:
  - {together: x, by: alarms, alarms: ['press_*', pres_hot]}
escalation: nigth
""", plant="area: '*plant'\nacross: [{rule: r, of: ['oven_*', 'kiln_*'], message: m}]")  # fmt: skip
    alarms = [("shop/press", "press_hot"), ("shop/oven", "oven_hot")]
    errors = [str(e) for e in policies.check_names(tmp_path, PLANT, alarms, {"night": None})]
    assert errors == [
        "incidents/plant.yaml:2:35: no alarm is called 'kiln_*'",
        "incidents/press.yaml:3:51: no alarm is called 'pres_hot', did you mean 'press_hot'?",
        "incidents/press.yaml:4:13: unknown escalation policy 'nigth', did you mean 'night'?",
    ]


def test_schema_names_every_field_that_is_understood() -> None:
    schema = policies.json_schema()
    fields = schema["$defs"]["PolicyFile"]["properties"]
    assert set(fields) == set(policies.PolicyFile.__struct_encode_fields__)
    assert schema["$defs"]["PolicyFile"]["additionalProperties"] is False
