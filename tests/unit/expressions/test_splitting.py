"""A condition is cut into what detection watches and what the run knows, always to the safe side."""

from __future__ import annotations

import itertools

import pytest

from expressions import NameType, Problem, check, evaluate, infer, parse, show, split

POINTS = ("p.a", "p.b")


def cut(text: str) -> tuple[str, list[str]]:
    """The rest, and the parts that stand in it as w0, w1, …"""
    parts: list[str] = []

    def part(expr: object) -> str:
        parts.append(show(expr))  # type: ignore[arg-type]
        return f"w{len(parts) - 1}"

    rest = split(parse(text), lambda name: name in POINTS, part)
    return show(rest), parts


@pytest.mark.parametrize(
    ("text", "rest", "parts"),
    [
        ("p.a > 3", "w0", ["p.a > 3"]),
        ("p.a > 3 && p.b < 2 || p.a == 0", "w0", ["p.a > 3 && p.b < 2 || p.a == 0"]),
        ("p.a > 3 && vars.x == 1", "w0 && vars.x == 1", ["p.a > 3"]),
        ("!(p.a > 3 && vars.x == 1)", "w0 || !(vars.x == 1)", ["!(p.a > 3)"]),
        ("!(p.a > 3 || !(vars.x == 1 && p.b > 2))", "w0 && vars.x == 1 && w1", ["!(p.a > 3)", "p.b > 2"]),
        ("vars.x == 1 && (p.a > 3 || p.b > mean(p.a, 10s))", "vars.x == 1 && w0", ["p.a > 3 || p.b > mean(p.a, 10s)"]),
        ("!(vars.x > 2)", "!(vars.x > 2)", []),
        ("true", "true", []),
    ],
)
def test_parts_over_points_are_cut_out(text: str, rest: str, parts: list[str]) -> None:
    assert cut(text) == (rest.replace("w0 && vars.x == 1 && w1", "w0 && (vars.x == 1 && w1)"), parts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("p.a > vars.x", "1:5: 'p.a' is a point and stands in one comparison with what only the run knows"),
        ("vars.y == 1 && !(abs(p.a - vars.x) > 3)", "read: {NAME: p.a}"),
        ("mean(vars.x, 10s) > 3", "1:1: a window reaches over a point, 'vars.x' is none"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_a_way_out(text: str, reason: str) -> None:
    with pytest.raises(Problem) as refused:
        cut(text)
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", [
    "!(p.a > 3 && vars.x == 1)", "!(p.a > 3 || vars.x == 1)", "vars.x == 1 && !(p.a > 3) || p.b > 3",
    "!(!(p.a > 3) && (vars.x == 1 || p.b > 3))",
])  # fmt: skip
def test_the_cut_expression_is_true_only_where_the_whole_is_known_to_be(text: str) -> None:
    parts: list[object] = []
    rest = split(parse(text), lambda name: name in POINTS, lambda e: (parts.append(e), f"w{len(parts) - 1}")[1])
    for a, b, x in itertools.product((None, 1.0, 9.0), (None, 1.0, 9.0), (0.0, 1.0)):
        known = {"p.a": a, "p.b": b, "vars.x": x}
        watched = {f"w{i}": evaluate(part, known) is True for i, part in enumerate(parts)}  # type: ignore[arg-type]
        assert (evaluate(rest, {"vars.x": x, **watched}) is True) <= (evaluate(parse(text), known) is True)
        if None not in (a, b):
            assert evaluate(rest, {"vars.x": x, **watched}) == evaluate(parse(text), known)


@pytest.mark.parametrize("text", [
    "a.b > 80[bar] && (c < 2 || !d) && -(a - (b - c)) * 2 == 1e-7", "a - b - c < (a + b) * c / (d / 2)",
    "abs(a - 3) > 15 || min(a, b, 5) == rate(a.b, 20 samples)", "!(a == 'it') && x == \"it's\"", "!!(true || false)",
    "mean(press.pressure, 0.5s) > 0.1", "-5 - -3 < a", "(a || b) && (c || d && e)",
])  # fmt: skip
def test_what_is_shown_reads_back_as_the_same(text: str) -> None:
    once = show(parse(text))
    assert show(parse(once)) == once
    known = {name: value for value, name in enumerate(("a", "b", "c"), 2)} | {"a.b": 90.0, "press.pressure": 1.0}
    lookup = {k: float(v) for k, v in known.items()} | {"d": True, "e": False, "x": "it's"}
    assert evaluate(parse(once), lookup) == evaluate(parse(text), lookup)


def test_a_name_of_which_nothing_is_known_fits_everywhere_and_misleads_nobody() -> None:
    names = {"n": NameType("any", None), "u": NameType(unit=None)}
    for text in ("n > 3", "n == 'a'", "n + 1 > 2", "n && u > 3[bar]", "!n"):
        assert check(parse(text), names) == [], text
    for text in ("n > 3", "n + 1 > 2", "n || false", "!n"):
        assert evaluate(parse(text), {"n": "words", "u": 1.0}) is None, text


def test_a_variable_is_what_its_expression_is() -> None:
    names = {"v.speed": NameType(unit="bar"), "t": NameType("text"), "n": NameType(unit=None)}
    assert infer(parse("v.speed * 2"), names) == NameType(unit="bar")
    assert infer(parse("v.speed * v.speed / 2[s]"), names) == NameType(unit="bar·bar/s")
    assert infer(parse("n + 1"), names) == NameType(unit=None)
    assert infer(parse("t == 'a'"), names) == NameType("bool", None)
    assert infer(parse("v.speed + t"), names) is None
