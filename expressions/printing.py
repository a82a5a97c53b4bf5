"""A tree back into text: what `parse` gives for it is the same tree, but for its places."""

from __future__ import annotations

from expressions import ast
from expressions.ast import Expr

_LOOSEST, _BOTH, _COMPARE, _SUM, _PRODUCT, _UNARY, _ATOM = range(1, 8)
"""How tightly what stands at the top of a tree binds, as in the grammar."""


def show(expr: Expr) -> str:
    """The expression as text, with parentheses only where they are needed."""
    match expr:
        case ast.Number(value=value, unit=unit):
            short = f"{value:.15g}"
            number = short if float(short) == value else repr(value)
            return number if unit is None else f"{number}[{unit}]"
        case ast.Text(value=text):
            return f'"{text}"' if "'" in text else f"'{text}'"
        case ast.Truth(value=truth):
            return "true" if truth else "false"
        case ast.Name(name=name):
            return name
        case ast.Span():
            return str(expr)
        case ast.Window():
            return expr.key
        case ast.Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(show, arguments))})"
        case ast.Not(of=of):
            return f"!{_within(of, _UNARY)}"
        case ast.Negate(of=of):
            return f"-{_within(of, _UNARY)}"
        case ast.Both(left=left, right=right):
            return f"{_within(left, _BOTH)} && {_within(right, _COMPARE)}"
        case ast.Either(left=left, right=right):
            return f"{_within(left, _LOOSEST)} || {_within(right, _BOTH)}"
        case ast.Compare(op=op, left=left, right=right):
            return f"{_within(left, _SUM)} {op} {_within(right, _SUM)}"
        case ast.Arithmetic(op=sign, left=left, right=right):
            binds = _binds(expr)
            return f"{_within(left, binds)} {sign} {_within(right, binds + 1)}"


def _within(node: Expr, least: int) -> str:
    return show(node) if _binds(node) >= least else f"({show(node)})"


def _binds(node: Expr) -> int:
    match node:
        case ast.Either():
            return _LOOSEST
        case ast.Both():
            return _BOTH
        case ast.Compare():
            return _COMPARE
        case ast.Arithmetic(op="+" | "-"):
            return _SUM
        case ast.Arithmetic():
            return _PRODUCT
        case ast.Not() | ast.Negate():
            return _UNARY
        case _:
            return _ATOM
