"""The expression language: what it accepts, what it refuses and where, and what 'unknown' does."""

from __future__ import annotations

import pytest

from expressions import NameType, Problem, check, evaluate, names, parse, resolve, windows

NAMES = {
    "press.pressure": NameType(unit="bar"),
    "press.setpoint": NameType(unit="bar"),
    "press.temperature": NameType(unit="°C"),
    "press.relief_valve": NameType(states={"closed": 0, "open": 1}),
    "incident.priority": NameType(kind="text"),
}


def problems(text: str) -> list[str]:
    return [str(p) for p in check(parse(text), NAMES)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("press.pressure > 80[bar] && press.temperature < 3", True),
        ("press.pressure - press.setpoint >= 10 || false", True),
        ("abs(press.setpoint - press.pressure) == 10", True),
        ("min(press.pressure, press.setpoint, 5) == 5", True),
        ("press.relief_valve == 'open'", True),
        ("!(press.relief_valve != 'closed')", False),
        ("incident.priority == 'high'", True),
        ("2 + 3 * 4 == 14 && (2 + 3) * 4 == 20 && -2 - -3 == 1", True),
        ("press.pressure / press.temperature > 2[bar/°C]", True),
        ("1 > 2 || 2 > 1 && false", False),
    ],
)
def test_value_of(text: str, value: bool) -> None:
    tree, found = resolve(parse(text), NAMES)
    lookup = {
        "press.pressure": 90.0, "press.setpoint": 80.0, "press.temperature": 2.0, "press.relief_valve": 1.0,
        "incident.priority": "high",
    }  # fmt: skip
    assert found == []
    assert evaluate(tree, lookup) is value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("press.presure > 1", "1:1: unknown name 'press.presure', did you mean 'press.pressure'?"),
        ("press.pressure > press.temperature", "1:16: bar is compared with °C"),
        ("press.pressure + press.temperature > 1", "1:16: bar is added to °C"),
        ("press.pressure > 80[kPa]", "1:16: bar is compared with kPa"),
        ("press.relief_valve == 'opn'", "1:23: unknown state 'opn', did you mean 'open'?"),
        ("press.pressure", "1:1: this is a number, needed is true or false"),
        ("press.pressure && true", "1:1: this is a number, needed is a bool, compare it with something"),
        ("true + 1 > 2", "1:1: a bool cannot be calculated with"),
        ("'a' < 'b'", "1:5: a text has no order: only == and != make sense"),
        ("rate(press.pressure, 10s) > 3[bar]", "1:27: bar/s is compared with bar"),
    ],
)
def test_problem_is_found_when_loaded(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("press.pressure = 3", "1:16: '=' is not expected here, compare with =="),
        ("true and false", "1:6: 'and' is not expected here, write &&"),
        ("1 < 2 < 3", "1:7: '<' is not expected here, compare two things at a time and join with &&"),
        ("press.pressure >", "1:17: it ends too early"),
        ("", "1:1: it ends too early"),
        ("men(press.pressure, 10s) > 1", "1:1: 'men' has no window"),
        ("mean(press.pressure) > 1", "1:1: write mean(point, 10s)"),
        ("10s > 1", "1:1: a span of time stands only in a window"),
        ("abs(1, 2) > 1", "1:1: abs() takes 1 arguments, not 2"),
        ("1e999 > 1", "1:1: 1e999 is too large"),
        ("press-1.pressure > 3", "1:9: the '-' in 'press-1' is a minus here: give the device a name with '_'"),
        ("!" * 60 + "true", "nested more than 50 deep"),
        ("1" * 3000, "at most 2000 characters"),
    ],
)
def test_text_that_is_no_expression_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(text)
    assert problem in str(caught.value)


def test_point_of_a_device_with_a_dash_in_its_name_is_told_why_it_is_not_known() -> None:
    _, (first, _) = resolve(parse("press-light.red == 1"), {"press-light.red": NameType()}, "bool")
    assert first.reason.startswith("unknown name 'press': the '-' in 'press-light.red' is a minus here")


def test_unknown_is_neither_true_nor_false_but_does_not_hide_what_is_decided() -> None:
    def of(text: str) -> object:
        return evaluate(parse(text), {"known": 1.0, "nan": float("nan"), "none": None})

    assert of("none > 1") is None
    assert of("!(missing > 1)") is None
    assert of("nan == nan") is None
    assert of("known / 0 > 1") is None
    assert of("false && none > 1") is False
    assert of("none > 1 && false") is False
    assert of("true || none > 1") is True
    assert of("known > 0 && none > 1") is None


def test_windows_are_named_as_they_are_looked_up() -> None:
    tree = parse("mean(press.pressure, 500ms) > 3 && max(press.pressure, 20 samples) > rate(press.temperature, 2min)")
    assert [w.key for w in windows(tree)] == [
        "mean(press.pressure, 0.5s)", "max(press.pressure, 20 samples)", "rate(press.temperature, 120s)",
    ]  # fmt: skip
    assert names(tree) == ("press.pressure", "press.temperature")
