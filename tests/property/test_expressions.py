"""Laws of the expression language: any text is an expression or a problem; both back-ends agree on every value."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from expressions import NameType, Problem, check, compile_columns, evaluate, parse, resolve

NAMES = {"a.x": NameType(), "a.y": NameType(), "a.s": NameType(states={"open": 1, "closed": 0})}
VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, -1.0, 2.5, 1e300, -7.0, math.nan]), st.floats(-1e3, 1e3))

numbers = st.recursive(
    st.sampled_from(["a.x", "a.y", "0", "1", "2.5", "1e300", "mean(a.x, 10s)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"-({t})"),
        inner.map(lambda t: f"abs({t})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)
comparisons = st.one_of(
    st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers).map(" ".join),
    st.sampled_from(["true", "false", "a.s == 'open'", "'closed' != a.s"]),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda t: f"!({t})"),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(conditions, st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=6))
def test_columns_say_what_the_scalar_evaluation_says(text: str, rows: list[tuple[float | None, ...]]) -> None:
    tree, problems = resolve(parse(text), NAMES)
    assert problems == []
    keys = ("a.x", "a.y", "a.s", "mean(a.x, 10s)")
    columns = {
        key: (
            np.array([math.nan if row[i] is None else row[i] for row in rows], float),
            np.array([row[i] is not None and math.isfinite(row[i]) for row in rows]),
        )
        for i, key in enumerate(keys)
    }
    values, known = (np.broadcast_to(c, (len(rows),)) for c in compile_columns(tree)(columns))
    got = [bool(v) if k else None for v, k in zip(values, known, strict=True)]
    assert got == [evaluate(tree, dict(zip(keys, row, strict=True))) for row in rows]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text(alphabet="ax.1 ()<>=!&|+-*/'\"[]smin,", max_size=80)))
def test_any_text_is_an_expression_or_a_problem_with_a_place(text: str) -> None:
    try:
        problems = check(parse(text), NAMES)
    except Problem as problem:
        problems = [problem]
    for problem in problems:
        assert problem.line >= 1 and problem.column >= 1 and problem.reason
