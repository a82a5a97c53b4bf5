"""The same expression over columns: compiled once, then one numpy pass per operator. Equal to `scalar` row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expressions import ast
from expressions.ast import Expr
from expressions.scalar import COMPARISONS, OPERATORS

Column = tuple[NDArray[Any], NDArray[np.bool_]]
"""(n,) values: float64 or bool, and (n,) bool: which of them are known. Values that are not known mean nothing."""
Columns = Mapping[str, Column]
Compiled = Callable[[Columns], Column]

_TRUE = np.array(True)


def compile_columns(expr: Expr) -> Compiled:
    """A function from columns by name (windows by `key`), all of one length, to the column of the expression.

    The result of an expression without names is 0-dimensional: it broadcasts. A missing column is unknown.
    """
    parts = [compile_columns(child) for child in ast.children(expr)]
    match expr:
        case ast.Number(value=value) | ast.Truth(value=value):
            constant = np.array(value), _TRUE
            return lambda columns: constant
        case ast.Name(name=key):
            return lambda columns: _column(columns, key)
        case ast.Window():
            window = expr.key
            return lambda columns: _column(columns, window)
        case ast.Not():
            return lambda columns: _not(parts[0](columns))
        case ast.Both():
            return lambda columns: _both(parts[0](columns), parts[1](columns))
        case ast.Either():
            return lambda columns: _not(_both(_not(parts[0](columns)), _not(parts[1](columns))))
        case ast.Compare(op=op):
            return _lift(COMPARISONS[op], parts)
        case ast.Negate():
            return _lift(np.negative, parts)
        case ast.Arithmetic(op="/"):
            return _lift(_divide, parts)
        case ast.Arithmetic(op=op):
            return _lift(OPERATORS[op], parts)
        case ast.Call(function="abs"):
            return _lift(np.abs, parts)
        case ast.Call(function=function):
            return _lift(_least if function == "min" else _greatest, parts)
        case ast.Text():
            raise TypeError(f"a text ('{expr.value}') has no column: resolve the expression first")
        case ast.Span():
            raise AssertionError("the parser lets no span out of a window")


def _column(columns: Columns, key: str) -> Column:
    if (found := columns.get(key)) is None:
        return np.array(0.0), np.array(False)
    return found


def _not(of: Column) -> Column:
    return ~of[0].astype(bool), of[1]


def _both(a: Column, b: Column) -> Column:
    known_false = (a[1] & ~a[0].astype(bool)) | (b[1] & ~b[0].astype(bool))
    return ~known_false, known_false | (a[1] & b[1])


def _lift(function: Callable[..., Any], parts: list[Compiled]) -> Compiled:
    def compute(columns: Columns) -> Column:
        got = [part(columns) for part in parts]
        with np.errstate(all="ignore"):
            values = np.asarray(function(*(v for v, _ in got)))
        known = got[0][1]
        for _, more in got[1:]:
            known = known & more
        return values, (known if values.dtype == bool else known & np.isfinite(values))

    return compute


def _divide(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.true_divide(a, np.where(b == 0, np.nan, b))


def _least(*parts: NDArray[np.float64]) -> Any:
    out: Any = parts[0]
    for part in parts[1:]:
        out = np.minimum(out, part)
    return out


def _greatest(*parts: NDArray[np.float64]) -> Any:
    out: Any = parts[0]
    for part in parts[1:]:
        out = np.maximum(out, part)
    return out
