"""A playbook in plain words and as a diagram: every shipped one, and one that uses every kind of step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devices.plant import Plant, load_plant
from playbooks import plan, recipe
from playbooks.diagram import mermaid
from playbooks.explaining import explain
from playbooks.loading import load_files

SHOP = Path(__file__).parents[3] / "examples" / "press-shop"
TOUR = """\
id: tour
title: Everything once
area: shop/press
trigger: [{incident: opened, rule: press_pressure.*}, {request: {role: supervisor}}]
when: press.pressure > 10
steps:
  - {step: relieve, write: {press.relief_valve: open}, timeout: 2s, retry: 2, on_error: continue,
     undo: {write: {press.relief_valve: closed}, timeout: 2s}}
  - {step: falls, wait_for: press.pressure < 150, for: 2s, timeout: 30s, on_error: [{notify: shift_lead, text: "<no>"}]}
  - {step: approve, ask: "Go on?", to: shift_lead, role: supervisor, timeout: 5min, four_eyes: true}
  - {if: "steps.approve.by == 'anna'", then: [{notify: shift_lead, text: a}], else: [{delay: 2s}]}
  - {repeat: {until: press.pressure < 5, most: 3, steps: [{delay: 1s}]}}
  - {stop: "nothing", outcome: completed}
"""


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(SHOP)[0]


@pytest.fixture
def tour(plant: Plant, tmp_path: Path) -> plan.Playbook:
    (tmp_path / "tour.yaml").write_text(TOUR, "utf-8")
    loaded = load_files([tmp_path / "tour.yaml"], tmp_path, plant)
    assert not loaded.errors
    return loaded.books.playbooks[0]


def test_a_playbook_is_told_in_sentences_that_miss_nothing(tour: plan.Playbook, plant: Plant) -> None:
    said = "\n".join(explain(tour, plant))
    for sentence in (
        "1. relieve: write open to press.relief_valve and read it back, within 2 s, 2 more attempts if it fails; "
        "if it fails for good, go on.",
        "1a.1. write closed to press.relief_valve",
        "2. falls: wait until press.pressure < 150 for 2 s, at most 30 s.",
        "two persons with the role supervisor may answer yes or no, at most 5 min; no answer means no.",
        "6. stop here as completed",
    ):
        assert sentence in said, said
    assert said.index("then:") < said.index("else:")


def test_the_diagram_leads_every_step_somewhere(tour: plan.Playbook, plant: Plant) -> None:
    chart = mermaid(tour, plant)
    nodes = set(re.findall(r"^ {4}(n\d+)\W", chart, re.M))
    arrows = re.findall(r"^ {4}(n\d+) -\S*>(?:\|[^|]*\|)? (n\d+)$", chart, re.M)
    assert {n for n, _ in arrows} | {n for _, n in arrows} == nodes
    ends = set(re.findall(r"^ {4}(n\d+)\(\[", chart, re.M))
    assert nodes - {n for n, _ in arrows} <= ends
    assert "#lt;no#gt;" in chart


def test_every_shipped_playbook_can_be_explained_and_drawn(plant: Plant) -> None:
    loaded = load_files(sorted((SHOP / "playbooks").glob("*.yaml")), SHOP, plant)
    assert len(loaded.books.playbooks) >= 4
    for book in loaded.books.playbooks:
        said = "\n".join(explain(book, plant))
        for step in recipe.every_step(book.steps):
            if isinstance(step.act, recipe.Write):
                assert step.act.point in said
        assert mermaid(book, plant).startswith("flowchart TD\n")
