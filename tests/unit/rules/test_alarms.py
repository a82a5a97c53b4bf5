"""What a rules file says about its alarms is what the incidents stage gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from definitions.compiling import define
from devices.plant import load_plant
from incidents.definition import SHELVE_S, AlarmDefinition, unpack
from tests.unit.rules.shop import HEAD, alarms, compiled, errors, write


def alarm(folder: Path, words: str, **files: str) -> AlarmDefinition:
    """Of the rule `hot`, beside which there is `other`."""
    text = f"""{HEAD}
  - {{rule: hot, kind: state, point: press.running, is: running, {words}}}
  - {{rule: other, kind: limits, point: press.pressure, limits: {{H: {{limit: 200}}, L: {{limit: 5}}}}}}
"""
    done = compiled(folder, rules=text, **files)
    assert done.errors == []
    return done.incidents.alarms["hot"]


def test_ladder_with_one_side_is_one_alarm_named_like_its_rule(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + """
  - rule: p
    kind: limits
    title: Pressure
    point: press.pressure
    limits: {HH: {limit: 300}, H: {limit: 200}}
""")
    (one,) = alarms(done).values()
    assert (one.name, one.rules, one.device, one.point) == ("p", ("p.H", "p.HH"), "press", "press.pressure")


def test_ladder_with_two_sides_is_two_alarms_each_lowest_level_first(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + """
  - rule: p
    kind: limits
    point: press.pressure
    limits: {HH: {limit: 300}, H: {limit: 200}, L: {limit: 9}, LL: {limit: 5}}
""")
    assert {name: a.rules for name, a in alarms(done).items()} == {
        "p.high": ("p.H", "p.HH"), "p.low": ("p.L", "p.LL"),
    }  # fmt: skip


def test_alarm_of_silence_is_about_its_device(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + """
  - {rule: quiet, kind: no_data, device: press, for: 5s}
  - {rule: quiet_point, kind: no_data, point: press.pressure, for: 5s}
""")
    assert {a.name: (a.device, a.point) for a in alarms(done).values()} == {
        "quiet": ("press", "press"), "quiet_point": ("press", "press.pressure"),
    }  # fmt: skip


def test_every_area_has_the_alarm_of_a_playbook_that_sets_itself_off_with_all_that_a_shift_must_know(
    tmp_path: Path,
) -> None:
    done = compiled(tmp_path, rules=HEAD)
    (loop,) = done.incidents.alarms.values()
    assert (loop.name, loop.area, loop.rules) == ("hall/playbook_loop", "hall", ("playbook_loop",))
    assert all((loop.title, loop.cause, loop.consequence, loop.action, loop.response_s)) and not loop.device
    assert set(compiled(tmp_path, edge="edge-1").incidents.alarms) == {"box/playbook_loop"}


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("sequence: R", "sequence", "R"),
        ("latching: true", "sequence", "M"),
        ("sequence: FM, group: hydraulics", "sequence", "M"),
        ("sequence: FM, group: hydraulics", "group", "hydraulics"),
        ("auto_acknowledge: true", "auto_acknowledge", True),
        ("re_alarm: 1h", "re_alarm_s", 3600.0),
        ("stale_after: 8h", "stale_s", 8 * 3600.0),
        ("fleeting: 5s", "fleeting_s", 5.0),
        ("shelving: false", "shelve_s", {}),
        ("shelving: {operator: 30min}", "shelve_s", {"operator": 1800.0}),
        ("title: x", "shelve_s", SHELVE_S),
        ("chatter: {count: 5, within: 2min, shelve: 10min}", "chatter", 5),
        ("chatter: {count: 5, within: 2min, shelve: 10min}", "chatter_s", 120.0),
        ("chatter: {count: 5, within: 2min, shelve: 10min}", "chatter_shelve_s", 600.0),
        ("safety: true", "safety", True),
        ("suppressed_by: [other.low]", "suppressed_by", ("other.low",)),
        ("suppressed_by: [other]", "suppressed_by", ("other.high", "other.low")),
        ("consequence_of: ['oth*']", "consequence_of", ("oth*",)),
        ("suppress_when: press.pressure < 5", "suppressing", ("hot.suppress",)),
        ("factor: material", "factor", "material"),
        ("owner: shift_lead", "owner", "shift_lead"),
        ("response_time: 10min", "response_s", 600.0),
        ("safety: true, suppressed_by: [other], suppress_when: press.pressure < 5", "suppressed_by", ()),
        ("safety: true, suppressed_by: [other], suppress_when: press.pressure < 5", "suppressing", ()),
    ],
)
def test_attribute_arrives(tmp_path: Path, words: str, field: str, value: object) -> None:
    assert getattr(alarm(tmp_path, words), field) == value


def test_class_gives_what_the_rule_does_not_say(tmp_path: Path) -> None:
    classes = """
classes:
  - {class: gear, latching: true, owner: maintenance, shelving: false, re_alarm: 1h}
"""
    one = alarm(tmp_path, "class: gear, re_alarm: 2h", classes=classes)
    assert (one.klass, one.sequence, one.owner) == ("gear", "M", "maintenance")
    assert (one.shelve_s, one.re_alarm_s) == ({}, 7200.0)
    assert alarm(tmp_path, "class: gear, sequence: R", classes=classes).sequence == "R", "its own sequence wins"
    assert alarm(tmp_path, "class: gear, shelving: true", classes=classes).shelve_s == SHELVE_S


def test_suppression_is_a_rule_of_its_own_that_is_no_alarm(tmp_path: Path) -> None:
    done = compiled(tmp_path, rules=HEAD + """
  - rule: p
    kind: limits
    point: press.pressure
    limits: {H: {limit: 200}, L: {limit: 5}}
    suppress_when: press.running == 'stopped'
""")
    assert [(r.rule, r.kind) for r in done.rules.rules] == [
        ("p.suppress", "suppression"), ("p.L", "limits"), ("p.H", "limits"),
    ], "it comes first: of one scan it is known before the alarm"  # fmt: skip
    assert set(alarms(done)) == {"p.high", "p.low"}
    assert {a.suppressing for a in alarms(done).values()} == {("p.suppress",)}


@pytest.mark.parametrize(
    ("words", "at", "reason"),
    [
        ("sequence: FA", "FA", "FA: first of which group?"),
        ("sequence: R, latching: true", "true", "sequence R does not latch"),
        ("sequence: M, latching: false", "false", "sequence M latches"),
        ("re_alarm: often", "often", "'often' is no duration"),
        ("chatter: {within: 0s}", "0s", "must be above 0"),
        ("shelving: {operator: long}", "long", "'long' is no duration"),
        ("suppressed_by: [othr.low]", "othr.low", "no alarm is called 'othr.low', did you mean 'other.low'?"),
        ("consequence_of: [hot]", "hot]", "it names the alarm itself"),
        ("consequence_of: [fan_quiet]", "fan_quiet", "no alarm is called 'fan_quiet' in area hall"),
        ("suppress_when: press.pressur < 5", "press.pressur <", "unknown name 'press.pressur'"),
        ("shelving: {auditor: 1h}", "auditor", "Invalid enum value 'auditor'"),
    ],
)
def test_mistake_is_named_with_its_place(tmp_path: Path, words: str, at: str, reason: str) -> None:
    line = f"  - {{rule: hot, kind: state, point: press.running, is: running, {words}}}"
    other = "  - {rule: other, kind: limits, point: press.pressure, limits: {H: {limit: 200}, L: {limit: 5}}}"
    (error,) = errors(tmp_path, rules=f"{HEAD}{line}\n{other}\n")
    assert reason in error
    assert error.startswith(f"rules/rules.yaml:3:{line.rindex(at) + 1}: ")


def test_alarm_with_a_mistake_in_its_behaviour_is_still_an_alarm(tmp_path: Path) -> None:
    text = HEAD + "  - {rule: hot, kind: state, point: press.running, is: running, safety: true, re_alarm: often}\n"
    done = compiled(tmp_path, rules=text)
    assert len(done.errors) == 1
    assert [r.rule for r in done.rules.rules] == ["hot"]
    assert done.incidents.alarms["hot"].safety


def test_each_home_gets_its_own_alarms(tmp_path: Path) -> None:
    fan = "area: box\nrules: [{rule: fan_quiet, kind: no_data, device: fan, for: 5s}]\n"
    hall = HEAD + "  - {rule: quiet, kind: no_data, device: press, for: 5s}\n"
    here = compiled(tmp_path, rules=hall, rules_fan=fan)
    there = compiled(tmp_path, "edge-1", rules=hall, rules_fan=fan)
    assert (set(alarms(here)), here.incidents.areas) == ({"quiet"}, ("hall",))
    assert (set(alarms(there)), there.incidents.areas) == ({"fan_quiet"}, ("box",))


def test_expression_that_joins_alarms_is_watched_by_detection(tmp_path: Path) -> None:
    done = compiled(
        tmp_path,
        rules=HEAD + "  - {rule: hot, kind: limits, point: press.temperature, limits: {H: {limit: 70}}}\n",
        incidents="""
area: hall
together:
  - {together: hot, by: expression, when: "press.temperature > 60 && press.pressure > 9", for: 5s, alarms: ['*']}
""",
    )  # fmt: skip
    assert done.errors == []
    (together,) = done.incidents.policies["hall"].together
    (rule,) = (r for r in done.rules.rules if r.kind == "correlation")
    assert rule.rule == together.condition
    assert (rule.area, rule.on_delay_us) == ("hall", 5_000_000)


def test_mistake_in_such_an_expression_is_named_with_its_place(tmp_path: Path) -> None:
    (error,) = errors(
        tmp_path,
        rules=HEAD + "  - {rule: hot, kind: limits, point: press.temperature, limits: {H: {limit: 70}}}\n",
        incidents="area: hall\ntogether:\n  - {together: x, by: expression, when: press.temprature > 6, alarms: [hot]}",
    )
    assert error == (
        "incidents/incidents.yaml:3:41: unknown name 'press.temprature', did you mean 'press.temperature'?"
    )


def test_definition_survives_its_packing_and_its_version_is_its_content(tmp_path: Path) -> None:
    folder = write(tmp_path, rules=HEAD + "  - {rule: q, kind: no_data, device: press, for: 5s, latching: true}\n")
    plant, _ = load_plant(folder)
    definition, errors = define(folder, plant)
    assert errors == []
    assert unpack(definition.pack()) == definition
    assert define(folder, plant)[0].version == definition.version
    write(folder, rules=HEAD + "  - {rule: q, kind: no_data, device: press, for: 5s}\n")
    assert define(folder, plant)[0].version != definition.version
