"""One evaluation over a mapping of values: the specification of what an expression says.

None is 'unknown': a name that is missing, None or not finite, a division by zero, a result too large, and what is of
another kind than needed (only a name of kind "any" can be). It spreads, but `false && unknown` is false and
`true || unknown` is true.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from expressions import ast
from expressions.ast import Expr

Value = float | bool | str | None

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def evaluate(expr: Expr, lookup: Mapping[str, Value]) -> Value:
    """The value of a resolved expression; windows are looked up under their `key`."""
    match expr:
        case ast.Number() | ast.Text() | ast.Truth():
            return expr.value
        case ast.Name(name=key):
            return _known(lookup.get(key))
        case ast.Window():
            return _known(lookup.get(expr.key))
        case ast.Not(of=of):
            value = evaluate(of, lookup)
            return not value if isinstance(value, bool) else None
        case ast.Both(left=left, right=right):
            return _join(evaluate(left, lookup), evaluate(right, lookup), decisive=False)
        case ast.Either(left=left, right=right):
            return _join(evaluate(left, lookup), evaluate(right, lookup), decisive=True)
        case ast.Compare(op=op, left=left, right=right):
            a, b = evaluate(left, lookup), evaluate(right, lookup)
            if a is None or b is None or (isinstance(a, str) != isinstance(b, str)):
                return None
            return bool(COMPARISONS[op](a, b))
        case ast.Negate() | ast.Arithmetic() | ast.Call():
            return _known(_calculate(expr, lookup))
        case ast.Span():
            raise AssertionError("the parser lets no span out of a window")


def _calculate(expr: ast.Negate | ast.Arithmetic | ast.Call, lookup: Mapping[str, Value]) -> Value:
    parts: list[Any] = [evaluate(child, lookup) for child in ast.children(expr)]
    if any(part is None or isinstance(part, str) for part in parts):
        return None
    match expr:
        case ast.Negate():
            return -float(parts[0])
        case ast.Arithmetic(op="/"):
            return float(parts[0] / parts[1]) if parts[1] else None
        case ast.Arithmetic(op=op):
            return float(OPERATORS[op](*parts))
        case ast.Call(function="abs"):
            return abs(float(parts[0]))
        case ast.Call(function=function):
            return float(min(parts) if function == "min" else max(parts))


def _join(a: Value, b: Value, *, decisive: bool) -> Value:
    if a is decisive or b is decisive:
        return decisive
    return not decisive if isinstance(a, bool) and isinstance(b, bool) else None


def _known(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
