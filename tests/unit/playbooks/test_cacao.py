"""The export to CACAO 2.0, held against what the standard's schemas demand (sections 3, 4, 5, 7 and 10 of the standard;
its schema files are not ours to copy) and against what their descriptions demand and no schema can."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.plant import Plant, load_plant
from playbooks import plan
from playbooks.cacao import export
from playbooks.loading import load, load_files
from tests.unit.playbooks.test_explaining import TOUR

SHOP = Path(__file__).parents[3] / "examples" / "press-shop"
REST = """\
id: rest
title: What the tour leaves out
area: shop/press
trigger: {request: {role: supervisor}}
steps:
  - {step: now, read: {pressure: press.pressure_setpoint}, timeout: 2s}
  - {step: blink, delay: 1ms}
  - {step: call, http: {url: "https://mes.example/holds", headers: {X-Area: "{area}"}, json: {a: 1}}, timeout: 5s}
  - {step: tell, publish: {topic: shop/hold, payload: "1"}}
  - {step: note, set: {level: 3}}
  - {step: swap, task: Replace the seal, to: maintenance, timeout: 1h, only_if: press.pressure > 10,
     on_error: [{notify: shift_lead, text: not replaced}]}
  - {step: both, write: {press.relief_valve: open, press_light.amber: on}, timeout: 2s,
     on_error: [{step: shout, notify: shift_lead, text: neither}]}
  - {step: sides, parallel: [[{delay: 1s}], [{stop: enough}], [{step: b, delay: 1s, only_if: vars.level > 2}]]}
  - choose:
      - {when: vars.level > 2, steps: [{delay: 1s}]}
      - {when: vars.level > 1, steps: [{if: vars.level > 1.5, then: [{delay: 1s}]}]}
    else: [{repeat: {while: press.pressure > 5, most: 3, steps: [{incident: {comment: still}}]}}]
"""
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
UUID4 = UUID.replace("[45]", "4")
NEEDED = {"type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start", "workflow"}
MAY = {"description", "playbook_types", "playbook_activities", "priority", "labels", "workflow_exception",
       "agent_definitions"}  # fmt: skip
COMMON = {"type", "name", "description", "delay", "timeout", "on_completion", "on_success", "on_failure"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "start": (set(), set()), "end": (set(), set()), "action": ({"commands", "agent"}, set()),
    "parallel": ({"next_steps"}, set()), "if-condition": ({"condition", "on_true"}, {"on_false"}),
    "while-condition": ({"condition", "on_true"}, set()),
}  # fmt: skip
"""By type of step: what it must have of its own, and what it may."""
FOLLOWERS = ("on_completion", "on_success", "on_failure")
BRANCHES = ("on_true", "on_false")
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def check(made: dict[str, Any]) -> None:
    """What the standard's schemas check, and that every id leads somewhere and every branch to an end of its own."""
    assert NEEDED <= made.keys() <= NEEDED | MAY
    assert (made["type"], made["spec_version"]) == ("playbook", "cacao-2.0")
    assert re.fullmatch(f"playbook--{UUID}", made["id"])
    assert re.fullmatch(f"identity--{UUID4}", made["created_by"])
    assert made["created"] == made["modified"] == "2026-01-02T03:04:05.678Z"
    assert made["priority"] in range(101)
    assert all(isinstance(text, str) for text in (made["name"], made["description"], *made["labels"]))
    workflow, agents = made["workflow"], made["agent_definitions"]
    assert workflow[made["workflow_start"]]["type"] == "start"
    reached = {made["workflow_start"], made["workflow_exception"]}
    said = set()
    for id_, step in workflow.items():
        own, may = FIELDS[step["type"]]
        assert re.fullmatch(f"{step['type']}--{UUID4}", id_)
        assert own <= step.keys() <= COMMON | own | may
        assert all(isinstance(step.get(f, ""), str) for f in ("name", "description", "condition"))
        follows = {f for f in FOLLOWERS if f in step}
        assert follows <= {"on_completion"} or follows <= {"on_success", "on_failure"}
        assert follows <= {"on_completion"} or step["type"] != "start"
        assert (step["type"] == "end") == (not follows)
        for time in ("delay", "timeout"):
            assert isinstance(step.get(time, 1), int)
            assert step.get(time, 1) >= 1
        branches = [step[f] for f in BRANCHES if f in step] + step.get("next_steps", [])
        leads = [step[f] for f in FOLLOWERS if f in step]
        assert {*leads, *branches} <= workflow.keys()
        reached |= {*leads, *branches}
        assert len(step.get("next_steps", "ab")) >= 2
        ends = Counter(end for begin in branches for end in ends_of(workflow, begin))
        assert max(ends.values(), default=1) == 1
        assert not any(ends_of(workflow, lead) & ends.keys() for lead in leads)
        if step["type"] == "action":
            assert step["agent"] in agents
            assert step["commands"]
            said |= {activity_of(command) for command in step["commands"]}
    assert reached == workflow.keys()
    assert said == set(made["playbook_activities"])
    assert agents
    for id_, agent in agents.items():
        assert re.fullmatch(f"group--{UUID4}", id_)
        assert agent.keys() == {"type", "name"}
        assert agent["type"] == "group"
    ids = [made["id"], made["created_by"], *workflow, *agents]
    assert len({id_.partition("--")[2] for id_ in ids}) == len(ids)


def activity_of(command: dict[str, Any]) -> str:
    """What it says it does, once it is found good."""
    common = {"type", "description", "playbook_activity"}
    if command["type"] == "manual":
        assert command.keys() == common | {"command_b64"}
        assert base64.b64decode(command["command_b64"], validate=True).decode() == command["description"]
    else:
        assert command["type"] == "http-api"
        assert {"command"} <= command.keys() <= common | {"command", "headers", "content_b64"}
        assert re.fullmatch(r"[A-Z]+ \S+ HTTP/1\.1", command["command"])
        base64.b64decode(command.get("content_b64", ""), validate=True)
        assert all(isinstance(v, str) for values in command.get("headers", {}).values() for v in values)
    activity = command["playbook_activity"]
    assert isinstance(activity, str)
    return activity


def ends_of(workflow: dict[str, Any], begin: str) -> set[str]:
    """Where a way from there may end; branches on it come back to where they began."""
    found: set[str] = set()
    open_ = [begin]
    while open_:
        if (id_ := open_.pop()) not in found:
            found.add(id_)
            open_ += [workflow[id_][f] for f in FOLLOWERS if f in workflow[id_]]
    return {id_ for id_ in found if workflow[id_]["type"] == "end"}


def the_only(text: str, folder: Path, plant: Plant) -> plan.Playbook:
    (folder / "playbook.yaml").write_text(text, "utf-8")
    loaded = load_files([folder / "playbook.yaml"], folder, plant)
    assert not loaded.errors
    return loaded.books.playbooks[0]


def named(made: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in made["workflow"].values() if s.get("name") == name)
    return found


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(SHOP)[0]


def test_every_shipped_playbook_becomes_cacao(plant: Plant) -> None:
    books, errors = load(SHOP / "playbooks", plant)
    assert not errors
    assert len(books.playbooks) >= 12
    for book in books.playbooks:
        check(export(book, plant, WHEN, WHEN))


def test_all_kinds_of_steps_become_cacao_and_stay_the_same(plant: Plant, tmp_path: Path) -> None:
    book = the_only(TOUR, tmp_path, plant)
    made = export(book, plant, WHEN, WHEN)
    check(made)
    assert json.dumps(made) == json.dumps(export(book, plant, WHEN, WHEN))
    waits = named(made, "falls")
    assert waits["timeout"] == 30_000
    assert "on_failure" in waits
    rest = export(the_only(REST, tmp_path, plant), plant, WHEN, WHEN)
    check(rest)
    assert {step["type"] for of in (made, rest) for step in of["workflow"].values()} == FIELDS.keys()
    assert named(rest, "blink")["delay"] == 1
    assert named(rest, "call")["commands"][0]["headers"]["X-Area"] == ["{area}"]
    assert made["created_by"] == rest["created_by"]


def test_a_step_with_a_condition_is_a_branch_that_comes_back(plant: Plant, tmp_path: Path) -> None:
    made = export(the_only(REST, tmp_path, plant), plant, WHEN, WHEN)
    asked = next(s for s in made["workflow"].values() if s.get("condition") == "press.pressure > 10")
    swap = made["workflow"][asked["on_true"]]
    assert swap["name"] == "swap"
    assert made["workflow"][swap["on_success"]]["type"] == "end"
    assert made["workflow"][asked["on_success"]]["name"] == "both/1"


def test_what_answers_a_failed_group_answers_each_of_its_steps(plant: Plant, tmp_path: Path) -> None:
    made = export(the_only(REST, tmp_path, plant), plant, WHEN, WHEN)
    assert {made["workflow"][named(made, f"both/{i}")["on_failure"]]["name"] for i in (1, 2)} == {"both!/shout"}
