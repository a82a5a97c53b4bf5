"""What `andon playbook lint` finds in playbooks that can be used, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from andon.playbook_cli import app
from config.findings import Finding, underlined
from definitions.playbook_lint import lint_playbooks
from playbooks.linting import Known, lint
from playbooks.loading import load_files
from tests.unit.playbooks.test_bad_files import SHOP, shop_floor

KNOWN = Known(
    people={"shift_lead", "maintenance", "anna"},
    alarms={"shop/press": {"press_pressure", "press_pressure.HH", "press_pressure.high", "press_low"}},
)
HEAD = "area: shop/press\ntrigger: {incident: opened, rule: press_pressure.*}\n"
ASKED = "area: shop/press\ntrigger: {request: {}}\n"
WRITE = "{write: {press.relief_valve: open}}"


def findings(tmp_path: Path, known: Known = KNOWN, **files: str) -> list[Finding]:
    paths = []
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"id: {name}\n{text}", "utf-8")
        paths.append(path)
    return lint(load_files(paths, tmp_path, shop_floor()), shop_floor(), known)


def steps(*lines: str, head: str = HEAD) -> str:
    return f"{head}steps:\n" + "".join(f"  - {line}\n" for line in lines)


def told(found: list[Finding]) -> list[tuple[str, str, int, int, str]]:
    return [(f.check, f.weight, f.line, f.column, f.wrong) for f in found]


@pytest.mark.parametrize(
    ("lines", "check", "weight", "place", "wrong"),
    [
        (["{stop: enough}", "{delay: 1s}"], "unreachable", "error", (6, 5), "the run ends at 's1'"),
        (["{if: alarm.value > 3, then: [{stop: a}], else: [{delay: 1s}, {stop: b}]}", "{delay: 1s}"],
         "unreachable", "error", (6, 5), "the run ends at 's1'"),
        (["{choose: [{when: alarm.value > 3, steps: [{stop: a}, {delay: 1s}]}]}"], "unreachable", "error", (5, 58),
         "the run ends at 's1'"),
        (["{write: {press2.relief_valve: open}}"], "read-back", "error", (5, 14), "has no register"),
        (["{write: {press.setpoint: 3}, tolerance: 130}"], "read-back", "error", (5, 45), "may differ by 130"),
        (["{wait_for: press.pressure < 3, for: 5s, timeout: 5s}"], "wait", "error", (5, 41), "must hold for 5s"),
        (["{parallel: [[{step: a, wait_for: alarm.value < 3, timeout: 5s, retry: 2}], [{delay: 1s}]], timeout: 10s}"],
         "wait", "warning", (5, 18), "'a' may take 15 s"),
        (['{http: {url: "https://a.example", headers: {Authorization: Bearer abc}}}'], "secret", "warning", (5, 64),
         "'Authorization' is here for everybody to read"),
        (['{http: {url: "https://anna:secret@a.example"}}'], "secret", "warning", (5, 18), "a password is here"),
        (['{http: {url: "http://a.example", headers: {X-Key: "{secret.key}"}}}'], "secret", "warning", (5, 18),
         "a secret travels without encryption"),
        (["{notify: shift_laed, text: Look}"], "people", "warning", (5, 14), "did you mean 'shift_lead'?"),
        (['{task: Look, to: nobody, timeout: 1h}'], "people", "warning", (5, 22), "unknown position 'nobody'"),
        (["{incident: {assign: ana}}"], "people", "warning", (5, 25), "did you mean 'anna'?"),
        (["{wait_for: press.pressure > 400, timeout: 5s}"], "never", "warning", (5, 16), "within 0..400: this is"),
        (["{wait_for: press.temperature >= -20, timeout: 5s}"], "never", "warning", (5, 16), "this is always so"),
        (["{if: 500 < press.pressure, then: [{delay: 1s}]}"], "never", "warning", (5, 16), "this is never so"),
        (["{if: steps.go.answer == 'yes', then: [{delay: 1s}]}", "{step: go, ask: Go?, to: anna, timeout: 1h}"],
         "unknown", "warning", (5, 10), "'go' comes later"),
        (["{write: {press.setpoint: vars.x}}", "{step: now, read: {x: press.setpoint}, on_error: continue}"], "unknown",
         "warning", (5, 30), "'vars.x' is not known yet: 'now' sets it later"),
        (["{set: {y: vars.x}}", "{step: later, set: {x: 1}}"], "unknown", "warning", (5, 15), "'later' sets it later"),
        (['{publish: {topic: a, payload: "{asked.by}"}}'], "unknown", "warning", (5, 37), "no trigger of this"),
        (['{http: {url: "https://a.example", json: {by: "{asked.by}"}}}'], "unknown", "warning", (5, 45), "no trigger"),
        (["{incident: {comment: 'asked by {asked.by}'}}"], "unknown", "warning", (5, 37), "no trigger of this"),
        (['{notify: anna, text: "{asked.by} wants it"}'], "unknown", "warning", (5, 28), "no trigger of this playbook"),
    ],
)  # fmt: skip
def test_doubtful_step_is_found_where_it_stands(
    tmp_path: Path, lines: list[str], check: str, weight: str, place: tuple[int, int], wrong: str
) -> None:
    (one,) = findings(tmp_path, a=steps(*lines))
    assert (one.check, one.weight, (one.line, one.column)) == (check, weight, place)
    assert wrong in one.wrong and one.todo


@pytest.mark.parametrize("lines", [
    ["{stop: enough, only_if: alarm.value > 3}", "{delay: 1s}"],
    ["{if: alarm.value > 3, then: [{stop: a}]}", "{delay: 1s}"],
    ["{write: {press.setpoint: 3}, tolerance: 120}"],
    ["{wait_for: press.pressure < 400, for: 4s, timeout: 5s}"],
    ['{http: {url: "https://a.example", headers: {Authorization: "Bearer {secret.a}", Accept: text/plain}}}'],
    ["{repeat: {until: steps.go.answer == 'yes', most: 3, steps: [{step: go, ask: Go?, to: anna, timeout: 1h}]}}"],
    ["{repeat: {times: 3, steps: [{write: {press.setpoint: vars.x}, on_error: continue}, {set: {x: 2}}]}}"],
    ["{write: {press.setpoint: 3}, undo: {write: {press.setpoint: vars.x}}}", "{read: {x: press.setpoint}}"],
    ['{notify: "{alarm.point}", text: "{alarm.value} of {incident.title}"}'],
])  # fmt: skip
def test_what_is_right_is_left_alone(tmp_path: Path, lines: list[str]) -> None:
    assert findings(tmp_path, a=steps(*lines)) == []


def test_two_that_write_the_same_point_are_told_with_both_places(tmp_path: Path) -> None:
    (one,) = findings(tmp_path, a=steps(WRITE), b=steps("{delay: 1s}", WRITE))
    assert told([one]) == [
        ("conflict", "warning", 6, 14, "'press.relief_valve' is written by 'a', too (a.yaml:5)"),
    ]  # fmt: skip
    assert one.file == "b.yaml" and "priority" in one.todo and "after:" in one.todo


def test_a_higher_priority_settles_a_conflict_and_a_reset_is_none(tmp_path: Path) -> None:
    (one,) = findings(tmp_path, a=steps(WRITE, head="priority: 80\n" + HEAD), b=steps(WRITE))
    assert (one.check, one.weight) == ("conflict", "info") and "'a' has it" in one.todo
    head = "area: shop/press\ntrigger: {incident: resolved, after: a}\n"
    reset = steps("{write: {press.relief_valve: closed}}", head=head)
    (tmp_path / "b.yaml").unlink()
    assert findings(tmp_path, a=steps(WRITE), c=reset) == []


def test_a_write_that_stays_when_a_later_step_fails_is_a_hint_unless_something_takes_it_back(tmp_path: Path) -> None:
    wait = "{wait_for: press.pressure < 100, timeout: 5s}"
    (one,) = findings(tmp_path, a=steps(WRITE, wait))
    assert (one.check, one.weight, one.line) == ("undo", "info", 5)
    undone = "{write: {press.relief_valve: open}, undo: {write: {press.relief_valve: closed}}}"
    assert findings(tmp_path, a=steps(undone, wait)) == []
    reset = steps("{delay: 1s}", head="area: shop/press\ntrigger: {incident: closed, after: a}\n")
    assert findings(tmp_path, a=steps(WRITE, wait), c=reset) == []


def test_patterns_that_no_alarm_matches_and_playbooks_that_nobody_sets_off(tmp_path: Path) -> None:
    found = findings(tmp_path, a="area: shop/press\ntrigger: {incident: opened, rule: [press_pressure.*, press_lo]}\n"
                                 "consequences: [press_low, none]\nescalate_to: boss\nsteps:\n  - {delay: 1s}\n",
                     b="area: shop/press\nsteps:\n  - {delay: 1s}\n")  # fmt: skip
    assert [(f.file, f.check, f.line, f.column) for f in found] == [
        ("a.yaml", "alarms", 3, 54), ("a.yaml", "alarms", 4, 27), ("a.yaml", "people", 5, 14), ("b.yaml", "idle", 1, 5),
    ]  # fmt: skip
    assert "did you mean 'press_low'?" in found[0].wrong


def test_what_the_other_files_do_not_say_is_not_looked_at(tmp_path: Path) -> None:
    text = steps("{notify: whoever, text: Look}", head="area: shop/press\ntrigger: {alarm: raised, rule: to_come}\n")
    assert findings(tmp_path, Known(), a=text) == []


def test_in_a_blueprint_the_value_that_was_given_is_named(tmp_path: Path) -> None:
    (tmp_path / "blueprints").mkdir()
    text = (SHOP / "blueprints" / "relief.yaml").read_text("utf-8")
    (tmp_path / "blueprints" / "relief.yaml").write_text(text, "utf-8")
    use = "area: shop/press\nuse: relief\nwith: {valve: press.relief_valve, pressure: press.pressure, high: 400}\n"
    found = findings(tmp_path, Known(), a=use.replace("400", "300"), b=use)
    assert [(f.file, f.check, f.line, f.column) for f in found if f.weight != "info"] == [
        ("b.yaml", "conflict", 4, 15),
    ]  # fmt: skip


def test_the_offending_text_is_underlined() -> None:
    line = "  - {wait_for: \"press.presure < 3\", timeout: 5s}"
    assert underlined(line, 17).endswith(f"\n{' ' * 16}{'^' * len('press.presure')}")
    assert underlined(line, 16).endswith(f"\n{' ' * 15}{'^' * len('press.presure < 3' + '..')}")
    assert underlined(line, 46).endswith(f"{' ' * 45}^^")


def plant(tmp_path: Path, **books: str) -> Path:
    for name in ("plant.yaml", "points/press.yaml", "points/pump.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((SHOP / name).read_text("utf-8"), "utf-8")
    (tmp_path / "playbooks").mkdir()
    for name, text in books.items():
        (tmp_path / "playbooks" / f"{name}.yaml").write_text(f"id: {name}\n{text}", "utf-8")
    return tmp_path


def test_command_line_says_where_underlines_and_gives_the_fix(tmp_path: Path) -> None:
    root = plant(tmp_path, a=steps("{write: {press.relief_value: open}}"), b=steps("{delay: 1s}", head=ASKED))
    shown = CliRunner().invoke(app, ["lint", str(root)])
    assert shown.exit_code == 1
    assert "playbooks/a.yaml:5:14: error: unknown point 'press.relief_value', did you mean" in shown.output
    assert f"\n    {' ' * 13}{'^' * len('press.relief_value')}\n" in shown.output
    assert "write 'press.relief_valve'" in shown.output and "1 errors" in shown.output
    good = CliRunner().invoke(app, ["lint", str(root / "playbooks" / "b.yaml")])
    assert (good.exit_code, good.output) == (0, "nothing was found\n")


def test_rules_that_cannot_be_read_are_named_since_their_alarms_are_missed(tmp_path: Path) -> None:
    root = plant(tmp_path, a=steps("{delay: 1s}", head="area: shop/press\ntrigger: {alarm: raised, rule: hot.H}\n"))
    (root / "rules").mkdir()
    (root / "rules" / "press.yaml").write_text("area: shop/press\nrules: [{rule: hot, kind: limit}]\n", "utf-8")
    one, other = [f for f in lint_playbooks(root) if f.check == "alarms"]
    assert (one.file, one.weight, other.file) == ("playbooks/a.yaml", "warning", "rules/press.yaml")
    assert "its alarms are not known here" in other.todo


def test_command_line_speaks_json_and_can_be_strict(tmp_path: Path) -> None:
    root = plant(tmp_path, a=steps("{wait_for: press.pressure > 400, timeout: 5s}", head=ASKED))
    calm = CliRunner().invoke(app, ["lint", "--json", str(root)])
    (row,) = json.loads(calm.stdout)
    assert calm.exit_code == 0
    assert {k: row[k] for k in ("file", "line", "column", "end_column", "weight", "check")} == {
        "file": "playbooks/a.yaml", "line": 5, "column": 16, "end_column": 30, "weight": "warning", "check": "never",
    }  # fmt: skip
    assert CliRunner().invoke(app, ["lint", "--strict", str(root)]).exit_code == 1
    assert CliRunner().invoke(app, ["lint", "/"]).exit_code == 2


def test_schema_is_printed_for_editors() -> None:
    made = json.loads(CliRunner().invoke(app, ["schema"]).stdout)
    assert {"Write", "Ask", "Repeating"} <= made["$defs"].keys()
