"""The authors' tests: what passes, what fails and where it says so, and files that are no tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from devices.plant import Plant, load_plant
from playbooks import plan
from playbooks.cases import read
from playbooks.judging import judge
from playbooks.loading import load

SHOP = Path(__file__).parents[3] / "examples" / "press-shop"
ASKING = """\
id: asking
area: shop/press
trigger: [{incident: opened, rule: press_pressure.*}, {request: {role: operator}}, {schedule: {cron: "0 6 * * *"}}]
steps:
  - {step: relieve, write: {press.relief_valve: open}, timeout: 2s, undo: {write: {press.relief_valve: closed}}}
  - {step: falls, wait_for: press.pressure < 150, for: 2s, timeout: 30s}
  - {step: approve, ask: "Go on at {alarm.value} {alarm.unit}?", to: shift_lead, timeout: 1min, four_eyes: true}
  - {step: ticket, http: {method: POST, url: "https://cmms.example/x", save: {id: /id}}, timeout: 5s}
  - {step: tell, notify: shift_lead, text: "Ticket {steps.ticket.id}"}
"""
INCIDENT = "{rule: press_pressure.HH, point: press.pressure, value: 231, unit: bar}"
YES = "{approve: [{by: anna, answer: yes}, {by: ben, answer: yes, after: 9s}]}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plant")
    shutil.copytree(SHOP / "points", root / "points")
    shutil.copyfile(SHOP / "plant.yaml", root / "plant.yaml")
    (root / "playbooks").mkdir()
    (root / "playbooks" / "asking.yaml").write_text(ASKING, "utf-8")
    return root


@pytest.fixture(scope="module")
def plant(root: Path) -> Plant:
    return load_plant(root)[0]


@pytest.fixture(scope="module")
def books(root: Path, plant: Plant) -> plan.PlaybookSet:
    books, errors = load(root / "playbooks", plant)
    assert not errors
    return books


def told(root: Path, plant: Plant, books: plan.PlaybookSet, case: str) -> list[str]:
    """What is wrong with one test, or with its file."""
    path = root / "case.yaml"
    path.write_text(f"playbook: asking\ntests:\n  - test: one\n{case}", "utf-8")
    found, errors = read([path], root, plant, books)
    return [str(e) for e in errors] or [str(e) for c in found for e in judge(c, books, plant).wrong]


@pytest.mark.parametrize(
    "case",
    [
        f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 231}}, people: {YES},
      systems: {{ticket: {{result: {{id: 7}}}}}}}}
    then: [{{after: 5s, points: {{press.pressure: 100}}}}]
    expect: {{outcome: completed, steps: {{falls: done}}, commands: [press.relief_valve = open], within: 20s,
      questions: ["Go on at 231 bar?"], errands: [POST https://cmms.example/x], messages: [{{contains: Ticket 7}}]}}
""",
        f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 231}}}}
    expect: {{outcome: failed, steps: {{falls: failed}}, commands: [press.relief_valve = open, press.relief_valve = 0]}}
""",
        f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 231}}}}
    then: [{{after: 5s, ask: cancel, by: anna, reason: wrong press}}]
    expect: {{outcome: cancelled, detail: wrong press,
      commands: [press.relief_valve = open, press.relief_valve = closed]}}
""",
        f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 100}}, people: {{approve: {{by: anna, answer: yes}}}}}}
    expect: {{outcome: failed, steps: {{approve: failed}}, errands: []}}
""",
        """\
    given: {asked: {by: anna, role: auditor}}
    expect: {outcome: nothing, commands: []}
""",
        """\
    given: {at: "2026-01-05T05:59:00+00:00", points: {press.pressure: 231}}
    expect: {outcome: failed, runs: 1}
""",
        f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 231}}}}
    then: [{{after: 5s, ask: stop acting}}]
    expect: {{outcome: cancelled, commands: [press.relief_valve = open]}}
""",
        """\
    given: {asked: {by: anna}, points: {press.pressure: 231}, devices: {press.relief_valve: [{after: 1s}, {}]}}
    then: [{after: 500ms, ask: cancel, by: ben, reason: wrong press}]
    expect: {outcome: cancelled, commands: [press.relief_valve = open, press.relief_valve = closed], escalated: []}
""",
    ],
    ids=["all goes well", "never falls", "cancelled", "one of four eyes", "an auditor asks", "its time", "hands off",
         "asked for and cancelled"],
)  # fmt: skip
def test_a_case_that_says_what_comes_passes(root: Path, plant: Plant, books: plan.PlaybookSet, case: str) -> None:
    assert told(root, plant, books, case) == []


def test_what_points_show_at_the_beginning_is_known_to_the_condition_that_lets_it_begin(tmp_path: Path) -> None:
    plant = load_plant(SHOP)[0]
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "asking.yaml").write_text(ASKING + "when: press.pressure > 200\n", "utf-8")
    books, _ = load(tmp_path / "playbooks", plant)
    given = f"    given: {{incident: {INCIDENT}, points: {{press.pressure: %d}}}}\n    expect: {{outcome: %s}}\n"
    assert told(tmp_path, plant, books, given % (231, "failed")) == []
    assert told(tmp_path, plant, books, given % (199, "refused")) == []


def test_each_expectation_that_is_not_met_is_named_with_its_place(
    root: Path, plant: Plant, books: plan.PlaybookSet
) -> None:
    wrong = told(root, plant, books, f"""\
    given: {{incident: {INCIDENT}, points: {{press.pressure: 231}}}}
    expect:
      outcome: completed
      steps: {{relieve: failed, nosuch: done}}
      commands: [press.relief_valve = closed]
      messages: [{{to: nobody}}]
      runs: 2
      within: 1s
""")  # fmt: skip
    assert [w.partition(" ")[0] for w in wrong] == [
        "case.yaml:6:16:", "case.yaml:7:24:", "case.yaml:7:40:", "case.yaml:8:18:", "case.yaml:9:18:",
        "case.yaml:10:13:", "case.yaml:11:15:",
    ]  # fmt: skip
    assert "expected completed, it is failed (failed at step falls" in wrong[0]
    assert "expected 'press.relief_valve = closed', it is 'press.relief_valve = open'" in wrong[3]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("    given: {}\n    expect: {outcome: completed}\n", "what sets the playbook off?"),
        ("    given: {asked: {by: a}}\n    expect: {}\n", "it could not fail"),
        ("    given: {asked: {by: a}, points: {press.presure: 1}}\n    expect: {runs: 1}\n", "mean 'press.pressure'?"),
        ("    given: {asked: {by: a}}\n    expect: {commands: [press.relief_valve = opne]}\n", "did you mean 'open'?"),
        ("    given: {asked: {by: a}}\n    expect: {outcom: completed}\n", "did you mean 'outcome'?"),
        ("    given: {at: 2026-01-05T06:00}\n    expect: {runs: 1}\n", "has no time zone"),
    ],
)  # fmt: skip
def test_what_is_no_test_is_refused_in_words(
    root: Path, plant: Plant, books: plan.PlaybookSet, case: str, said: str
) -> None:
    try:
        wrong = told(root, plant, books, case)
    except Exception as error:  # noqa: BLE001  a time is only read when the case is told
        wrong = [str(error)]
    assert len(wrong) == 1
    assert said in wrong[0]


def test_every_test_of_the_example_plant_passes() -> None:
    plant, _ = load_plant(SHOP)
    books, errors = load(SHOP / "playbooks", plant)
    assert not errors
    found, wrong = read(sorted((SHOP / "playbooks" / "tests").glob("*.yaml")), SHOP, plant, books)
    assert not wrong
    assert len(found) >= 4
    assert [str(e) for case in found for e in judge(case, books, plant).wrong] == []
