"""`andon rules lint`: what stands in the way of a shift that can trust its alarms, with its place and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.findings import Finding
from definitions.lint import lint
from tests.unit.rules.shop import HEAD, QUIET, WORDS, write

EXAMPLE = Path(__file__).parents[3] / "examples" / "press-shop"


def findings(folder: Path, text: str, **files: str) -> list[Finding]:
    return lint(write(folder, rules=HEAD + text + QUIET, **files))


def rule(name: str, words: str) -> str:
    return f"  - {{rule: {name}, {words}, {WORDS}}}\n"


def limits(name: str, words: str) -> str:
    return rule(name, f"kind: limits, point: press.pressure, {words}")


def state(name: str, words: str = "title: x", of: str = "running") -> str:
    return rule(name, f"kind: state, point: press.running, is: {of}, {words}")


def test_example_has_nothing_to_be_found() -> None:
    assert lint(EXAMPLE) == []


def test_right_rule_has_nothing_to_be_found(tmp_path: Path) -> None:
    assert findings(tmp_path, limits("p", "limits: {H: {limit: 200}, L: {limit: 10}}, deadband: 5")) == []


@pytest.mark.parametrize("word", ["cause", "consequence", "action", "owner", "severity", "response_time"])
def test_every_alarm_is_rationalised(tmp_path: Path, word: str) -> None:
    said = {name: f"{name}: {text}" for name, text in (part.split(": ") for part in WORDS.split(", "))}
    del said[word]
    if word == "response_time":
        del said["severity"]  # the matrix needs both
    text = "  - {rule: p, kind: state, point: press.running, is: running, " + ", ".join(said.values()) + "}\n"
    found = [f for f in findings(tmp_path, text) if word in f.wrong]
    assert [(f.check, f.weight, f.file, f.line, f.column) for f in found] == [
        ("rationalisation", "error", "rules/rules.yaml", 3, 12)
    ]
    assert found[0].wrong == f"'p' has no {word}" and found[0].todo


def test_a_blank_says_nothing(tmp_path: Path) -> None:
    rule = limits("p", "limits: {H: {limit: 200}}, deadband: 5").replace("action: a", 'action: " "')
    assert [f.wrong for f in findings(tmp_path, rule)] == ["'p' has no action"]


def test_a_class_may_say_it(tmp_path: Path) -> None:
    classes = f"classes: [{{class: all, {WORDS.replace('cause: c, consequence: d, action: a, ', '')}}}]"
    text = "  - {rule: p, kind: state, point: press.running, is: 1, class: all, cause: c, consequence: d, action: a}\n"
    assert findings(tmp_path, text, classes=classes) == []


def test_owner_that_is_no_position_is_a_warning(tmp_path: Path) -> None:
    people = "positions: [{position: maintenance, shifts: [{shift: day, from: '06:00', to: '06:00', persons: [emil]}]}]"
    found = findings(tmp_path, "", people=people + "\npersons: [{person: emil}]\n")
    assert [(f.check, f.weight, f.wrong) for f in found] == [
        ("owner", "warning", "nobody holds the position 'shift_lead'")
    ]


def test_unusable_files_are_findings_and_the_others_are_checked(tmp_path: Path) -> None:
    wide = limits("p", "limits: {H: {limit: 200}}, deadband: 500")
    found = findings(tmp_path, wide, rules_more="area: nowhere\nrules: []")
    assert {(f.check, f.file) for f in found} == {
        ("unusable", "rules/rules_more.yaml"), ("deadband", "rules/rules.yaml"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "check", "at", "wrong"),
    [
        (limits("p", "limits: {H: {limit: 200}}") + limits("q", "limits: {H: {limit: 200}}, on_delay: 1s"),
         "duplicate", "q,", "'q.H' has the same condition as 'p.H'"),
        (rule("p", "kind: expression, when: press.running>5") + rule("q", "kind: expression, when: press.running > 5"),
         "duplicate", "q,", "'q' has the same condition as 'p'"),
        (limits("p", "limits: {H: {limit: 0}}"), "unreachable", "0}", "0 is the lower end of the range: always so"),
        (limits("p", "limits: {L: {limit: 400}}"), "unreachable", "400",
         "400 is the upper end of the range: always so"),
        (limits("p", "of: mean, over: 5s, limits: {H: {limit: 500}}"), "unreachable", "500",
         "it can never be reached: the signal is never above 400"),
        (limits("p", "of: deviation, over: 5s, limits: {H: {limit: 201}}"), "unreachable", "201",
         "it can never be reached: the signal is never above 200"),
        (rule("p", "kind: deviation, point: press.pressure, from: press.setpoint, more_than: 401"),
         "unreachable", "401",
         "it can never be reached: they never differ by more than 400"),
        (rule("p", "kind: deviation, point: press.pressure, from: 100, more_than: 301 bar"), "unreachable", "301",
         "it can never be reached: they never differ by more than 300"),
        (rule("p", "kind: flatline, point: press.pressure, moves_less_than: 500, over: 5s"), "unreachable", "500",
         "the whole range is 400: always so"),
        (state("p", of="7"), "unreachable", "7", "it can never be reached: the point's range is [0.0, 1.0]"),
        (limits("p", "limits: {H: {limit: 200}}, deadband: 200"), "deadband", "200, ", "with 200 'p.H' never clears"),
        (limits("p", "limits: {L: {limit: 300, deadband: 100}}"), "deadband", "100}", "with 100 'p.L' never clears"),
        (state("p", "for: 10min"), "late", "p,", "'p' comes after 600 s, the time to respond is over"),
        (state("p", "suppressed_by: [q]") + state("q", "consequence_of: [p]", "stopped"), "suppression", "[q]",
         "'p' names the cause of 'q'"),
        (state("p", "safety: true, suppress_when: press.pressure < 5"), "suppression", "press.pressure <",
         "'p' is a safety alarm: it is never suppressed by design"),
        (state("p", "consequence_of: [q]") + state("q", "consequence_of: [p]", "stopped"), "circle", "[q]",
         "a circle: p of q of p"),
        (state("p", "suppressed_by: [q]") + state("q", "suppressed_by: [p]", "stopped"), "circle", "[q]",
         "a circle: p of q of p"),
    ],
)  # fmt: skip
def test_mistake_is_an_error_at_its_place(tmp_path: Path, text: str, check: str, at: str, wrong: str) -> None:
    found = findings(tmp_path, text)
    assert [(f.check, f.weight, f.wrong) for f in found] == [(check, "error", wrong)]
    line, column = found[0].line, found[0].column
    assert (HEAD + text).splitlines()[line - 1][column - 1 :].startswith(at)
    assert found[0].todo


def test_deadband_that_reaches_over_the_next_level_is_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, limits("p", "limits: {HH: {limit: 210, deadband: 20}, H: {limit: 200}}, deadband: 5"))
    assert [(f.check, f.weight, f.wrong) for f in found] == [
        ("deadband", "warning", "20 is more than the 10 between H and HH")
    ]


def test_pattern_that_names_the_alarm_itself_is_no_circle(tmp_path: Path) -> None:
    assert findings(tmp_path, state("p", "consequence_of: ['q*', 'p']".replace(", 'p'", "")) + state("q", of="0")) == []


def test_circle_over_several_alarms_is_told_once(tmp_path: Path) -> None:
    names = "abcd"
    text = "".join(
        rule(a, f"kind: limits, point: press.pressure, limits: {{H: {{limit: {100 + i}}}}}, consequence_of: [{b}]")
        for i, (a, b) in enumerate(zip(names, names[1:] + names[:1], strict=True))
    )
    assert [f.wrong for f in findings(tmp_path, text)] == ["a circle: a of b of c of d of a"]


def test_device_that_nobody_would_miss_is_a_warning(tmp_path: Path) -> None:
    found = lint(write(tmp_path, rules=HEAD + state("p")))
    assert [(f.check, f.weight) for f in found] == [("blind", "warning")]
    assert found[0].todo == "add a rule of kind no_data with device: press"


def many(high: int, low: int) -> str:
    words = WORDS.replace("moderate", "{}")
    return "".join(
        f"  - {{rule: r{i}, kind: limits, point: press.pressure, limits: {{H: {{limit: {10 + i}}}}}, "
        + words.format("major" if i < high else "minor") + "}\n"
        for i in range(high + low)
    )  # fmt: skip


def test_priorities_far_from_the_usual_mix_are_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, many(20, 40))
    assert {(f.check, f.weight, f.wrong) for f in found} == {
        ("priority mix", "warning", "33% of 61 alarms are high"),
    }  # fmt: skip


def test_few_alarms_or_a_usual_mix_are_not(tmp_path: Path) -> None:
    assert findings(tmp_path / "few", many(20, 10)) == []
    assert findings(tmp_path / "usual", many(3, 57)) == []


def test_unusable_plant_file_is_the_one_finding(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "plant.yaml").write_text("plant: [\n")
    (found,) = lint(folder)
    assert (found.check, found.file) == ("unusable", "plant.yaml")
    assert str(found).startswith("plant.yaml:")
