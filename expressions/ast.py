"""The typed syntax tree of an expression. Every node knows where it stands: `place` is (line, column), from 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Place = tuple[int, int]
WindowFunction = Literal["mean", "ewma", "deviation", "min", "max", "count", "rate", "range"]
WINDOW_FUNCTIONS: tuple[WindowFunction, ...] = ("mean", "ewma", "deviation", "min", "max", "count", "rate", "range")
FUNCTIONS = {"abs": (1, 1), "min": (2, 8), "max": (2, 8)}
"""Name -> fewest and most arguments."""
Comparison = Literal["==", "!=", "<=", ">=", "<", ">"]
Operator = Literal["+", "-", "*", "/"]


class Number(Struct, frozen=True):
    """Attributes: unit: written behind it as `80[bar]`; None: it adapts to what it meets."""

    value: float
    unit: str | None
    place: Place


class Text(Struct, frozen=True):
    value: str
    place: Place


class Truth(Struct, frozen=True):
    value: bool
    place: Place


class Name(Struct, frozen=True):
    name: str
    place: Place


class Span(Struct, frozen=True):
    """How far back a window reaches: microseconds, or that many samples. Stands only as a window's second argument."""

    micros: int
    samples: int
    place: Place

    def __str__(self) -> str:
        return f"{self.samples} samples" if self.samples else f"{self.micros / 1e6:.15g}s"


class Window(Struct, frozen=True):
    """`mean(press.pressure, 10s)`. The evaluators look it up under `key`, as if it were a name."""

    function: WindowFunction
    name: str
    over: Span
    place: Place

    @property
    def key(self) -> str:
        return f"{self.function}({self.name}, {self.over})"


class Call(Struct, frozen=True):
    function: str
    arguments: tuple[Expr, ...]
    place: Place


class Not(Struct, frozen=True):
    of: Expr
    place: Place


class Negate(Struct, frozen=True):
    of: Expr
    place: Place


class Both(Struct, frozen=True):
    """`left && right`"""

    left: Expr
    right: Expr
    place: Place


class Either(Struct, frozen=True):
    """`left || right`"""

    left: Expr
    right: Expr
    place: Place


class Compare(Struct, frozen=True):
    op: Comparison
    left: Expr
    right: Expr
    place: Place


class Arithmetic(Struct, frozen=True):
    op: Operator
    left: Expr
    right: Expr
    place: Place


Expr = (
    Number | Text | Truth | Name | Span | Window | Call | Not | Negate | Both | Either | Compare | Arithmetic
)


def children(node: Expr) -> tuple[Expr, ...]:
    match node:
        case Not(of=of) | Negate(of=of):
            return (of,)
        case Both() | Either() | Compare() | Arithmetic():
            return (node.left, node.right)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """Every node with its depth (the root is 1), parents before children, left before right. Not recursive."""
    stack = [(expr, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack.extend((child, depth + 1) for child in reversed(children(node)))


def names(expr: Expr) -> tuple[str, ...]:
    """Names that the expression needs, also within windows, in the order of their first mention."""
    found = [node.name for node, _ in walk(expr) if isinstance(node, Name | Window)]
    return tuple(dict.fromkeys(found))


def windows(expr: Expr) -> tuple[Window, ...]:
    """The windows in the expression, each key once."""
    return tuple({node.key: node for node, _ in walk(expr) if isinstance(node, Window)}.values())
