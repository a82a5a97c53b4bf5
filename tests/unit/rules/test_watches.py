"""The conditions of playbooks are watched by detection, in the area and at the home of their playbook."""

from __future__ import annotations

from pathlib import Path

from definitions.watches import watch_rules
from detection.rules import rule_set
from detection.ruleset import Formula
from playbooks.loading import load_files
from tests.unit.playbooks.test_bad_files import SHOP, shop_floor

PRESS = """\
id: {id}
area: shop/press
trigger: {{request: {{}}}}
when: press.relief_valve == 'closed'
steps:
  - {{wait_for: press.pressure < 100, for: 2s, timeout: 30s}}
  - {{if: "!(press.pressure > 50 || asked.by == 'anna')", then: [{{delay: 1s}}]}}
"""
PUMP = "id: pump\narea: shop/cooling\ntrigger: {request: {}}\nsteps: [{wait_for: pump.flow > 3, timeout: 5s}]\n"


def loaded(tmp_path: Path, **files: str):
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    loaded = load_files(sorted(tmp_path.glob("*.yaml")), SHOP, shop_floor())
    assert loaded.errors == []
    return loaded.books


def test_each_condition_over_points_is_a_rule_that_runs_until_it_is_known_to_be_true(tmp_path: Path) -> None:
    rules = watch_rules(loaded(tmp_path, a=PRESS.format(id="a"), pump=PUMP))
    assert {(r.kind, r.area, r.message, r.on_delay_us, r.low) for r in rules} == {
        ("watch", "shop/press", "press.relief_valve == 0", 0, 0.5),
        ("watch", "shop/press", "press.pressure < 100", 2_000_000, 0.5),
        ("watch", "shop/press", "!(press.pressure > 50)", 0, 0.5),
        ("watch", "shop/cooling", "pump.flow > 3", 0, 0.5),
    }
    assert all(r.signal == Formula(r.message) and r.version for r in rules)


def test_the_same_condition_in_two_playbooks_is_watched_once_under_the_name_that_both_know(tmp_path: Path) -> None:
    books = loaded(tmp_path, a=PRESS.format(id="a"), b=PRESS.format(id="b"))
    rules = watch_rules(books)
    assert len(rules) == 3
    for book in books.playbooks:
        assert {f"watch.{id_}" for id_ in book.watches} == {r.rule for r in rules}


def test_each_home_gets_the_watches_of_its_areas(tmp_path: Path) -> None:
    rules = watch_rules(loaded(tmp_path, a=PRESS.format(id="a"), pump=PUMP))
    assert {r.area for r in rule_set(rules, shop_floor(), "").rules} == {"shop/press"}
    assert {r.area for r in rule_set(rules, shop_floor(), "edge-2").rules} == {"shop/cooling"}
