"""What an expression means in this plant: names, units, types, state names. Everything is found before it runs."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, structs

from expressions import ast
from expressions.ast import Expr
from expressions.parser import MINUS, Problem

Kind = Literal["number", "bool", "text", "any"]
"""Of "any" nothing is known before it runs (an answer of another system): it fits everywhere."""
Unit = tuple[tuple[str, int], ...]
"""A product of named units with powers: bar/s is (("bar", 1), ("s", -1)); () is a plain number."""


class NameType(Struct, frozen=True):
    """What stands behind a name. Attributes: unit: of a number, None: it fits any; states: names of its values."""

    kind: Kind = "number"
    unit: str | None = ""
    states: Mapping[str, int] = {}


class _Type(Struct, frozen=True):
    """Attributes: unit: None adapts (a literal); states: of the point it is, if it is one."""

    kind: Kind
    unit: Unit | None = None
    states: Mapping[str, int] = {}


def check(expr: Expr, names: Mapping[str, NameType], want: Kind = "bool") -> list[Problem]:
    """All that is wrong with the expression; [] when it can be used."""
    return resolve(expr, names, want)[1]


def resolve(expr: Expr, names: Mapping[str, NameType], want: Kind = "bool") -> tuple[Expr, list[Problem]]:
    """The expression with state names replaced by their numbers, and all that is wrong with it.

    `press.relief_valve == 'open'` becomes `press.relief_valve == 1`.
    """
    checker = _Checker(names)
    resolved, type_ = checker.visit(expr)
    if type_ is not None and not _fits(type_.kind, want):
        words = {"bool": "true or false", "number": "a number", "text": "a text"}
        checker.problem(expr, f"this is {words[type_.kind]}, needed is {words[want]}")
    return resolved, checker.problems


def infer(expr: Expr, names: Mapping[str, NameType]) -> NameType | None:
    """What a name would be that stands for the expression; None: it has problems."""
    checker = _Checker(names)
    type_ = checker.visit(expr)[1]
    if type_ is None or checker.problems:
        return None
    return NameType(type_.kind, None if type_.unit is None else _written(type_.unit), type_.states)


class _Checker:
    def __init__(self, names: Mapping[str, NameType]) -> None:
        self._names = names
        self.problems: list[Problem] = []

    def problem(self, node: Expr, reason: str) -> None:
        self.problems.append(Problem(node.place, reason))

    def visit(self, node: Expr) -> tuple[Expr, _Type | None]:
        """The node, resolved, and its type; None when a problem was found within."""
        match node:
            case ast.Number(unit=unit):
                return node, _Type("number", _unit(unit) if unit is not None else None)
            case ast.Text():
                return node, _Type("text")
            case ast.Truth():
                return node, _Type("bool")
            case ast.Name():
                return node, self._name(node)
            case ast.Window():
                return node, self._window(node)
            case ast.Not():
                of = self._needs(node.of, "bool")
                return structs.replace(node, of=of), _Type("bool")
            case ast.Negate():
                inner, type_ = self.visit(node.of)
                if type_ is not None and not _fits(type_.kind, "number"):
                    self.problem(node.of, "only a number has a sign")
                return structs.replace(node, of=inner), type_
            case ast.Both() | ast.Either():
                left, right = self._needs(node.left, "bool"), self._needs(node.right, "bool")
                return structs.replace(node, left=left, right=right), _Type("bool")
            case ast.Compare():
                return self._compare(node)
            case ast.Arithmetic():
                return self._arithmetic(node)
            case ast.Call():
                return self._call(node)
            case ast.Span():
                raise AssertionError("the parser lets no span out of a window")

    def _needs(self, node: Expr, kind: Kind) -> Expr:
        resolved, type_ = self.visit(node)
        if type_ is not None and not _fits(type_.kind, kind):
            hint = ", compare it with something" if type_.kind == "number" and kind == "bool" else ""
            self.problem(node, f"this is a {type_.kind}, needed is a {kind}{hint}")
        return resolved

    def _name(self, node: ast.Name | ast.Window) -> _Type | None:
        if (found := self._names.get(node.name)) is None:
            self.problem(node, f"unknown name '{node.name}'{self._hint(node.name)}")
            return None
        unit = None if found.kind != "number" or found.unit is None else _unit(found.unit)
        return _Type(found.kind, unit, found.states)

    def _hint(self, name: str) -> str:
        if dashed := next((known for known in self._names if known.startswith(f"{name}-")), ""):
            return f": the '-' in '{dashed}' {MINUS}"
        close = difflib.get_close_matches(name, self._names, 1, 0.5)
        return f", did you mean '{close[0]}'?" if close else ""

    def _window(self, node: ast.Window) -> _Type | None:
        type_ = self._name(node)
        if type_ is None:
            return None
        if type_.kind != "number":
            self.problem(node, f"'{node.name}' is a {type_.kind}: a window needs a number")
            return None
        if node.function == "count":
            return _Type("number", ())
        if node.function == "rate":
            return _Type("number", _times(type_.unit or (), (("s", 1),), -1))
        return _Type("number", type_.unit)

    def _compare(self, node: ast.Compare) -> tuple[Expr, _Type | None]:
        (left, a), (right, b) = self.visit(node.left), self.visit(node.right)
        if a is not None and b is not None:
            left, a = self._state(left, a, node.left, b)
            right, b = self._state(right, b, node.right, a) if a is not None else (right, b)
        if a is not None and b is not None and "any" not in (a.kind, b.kind):
            if a.kind != b.kind:
                self.problem(node, f"a {a.kind} is compared with a {b.kind}")
            elif a.kind != "number" and node.op not in ("==", "!="):
                self.problem(node, f"a {a.kind} has no order: only == and != make sense")
            elif a.kind == "number":
                self._same_unit(node, a.unit, b.unit, "is compared with")
        return structs.replace(node, left=left, right=right), _Type("bool")

    def _state(self, node: Expr, type_: _Type, at: Expr, other: _Type) -> tuple[Expr, _Type | None]:
        """A text beside a point with named states is the number of that state."""
        if not (isinstance(node, ast.Text) and other.kind == "number"):
            return node, type_
        if not other.states:
            return node, type_
        if node.value in other.states:
            return ast.Number(float(other.states[node.value]), None, node.place), _Type("number")
        close = difflib.get_close_matches(node.value, other.states, 1)
        known = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(other.states)}"
        self.problem(at, f"unknown state '{node.value}', {known}")
        return node, None

    def _arithmetic(self, node: ast.Arithmetic) -> tuple[Expr, _Type | None]:
        (left, a), (right, b) = self.visit(node.left), self.visit(node.right)
        result = structs.replace(node, left=left, right=right)
        for side, type_ in ((node.left, a), (node.right, b)):
            if type_ is not None and not _fits(type_.kind, "number"):
                self.problem(side, f"a {type_.kind} cannot be calculated with")
                return result, None
        if a is None or b is None:
            return result, None
        if node.op in ("+", "-"):
            word = "is added to" if node.op == "+" else "is subtracted from"
            return result, _Type("number", self._same_unit(node, a.unit, b.unit, word))
        if a.unit is None and b.unit is None:
            return result, _Type("number")
        return result, _Type("number", _times(a.unit or (), b.unit or (), 1 if node.op == "*" else -1))

    def _call(self, node: ast.Call) -> tuple[Expr, _Type | None]:
        visited = [self.visit(a) for a in node.arguments]
        result = structs.replace(node, arguments=tuple(v for v, _ in visited))
        unit: Unit | None = None
        for (_, type_), at in zip(visited, node.arguments, strict=True):
            if type_ is None:
                return result, None
            if not _fits(type_.kind, "number"):
                self.problem(at, f"{node.function}() takes numbers, this is a {type_.kind}")
                return result, None
            unit = self._same_unit(at, unit, type_.unit, "stands beside")
        return result, _Type("number", unit)

    def _same_unit(self, node: Expr, a: Unit | None, b: Unit | None, word: str) -> Unit | None:
        if a is not None and b is not None and a != b:
            self.problem(node, f"{_show(a)} {word} {_show(b)}")
        return a if a is not None else b


def _fits(kind: Kind, want: Kind) -> bool:
    return kind == want or "any" in (kind, want)


def _unit(text: str) -> Unit:
    """bar/s -> bar^1 s^-1. Names are compared as written: nothing is converted."""
    top, *under = text.split("/")
    powers: Counter[str] = Counter(p for p in top.replace("*", "·").split("·") if p and p != "1")
    for part in under:
        powers.subtract(p for p in part.split("·") if p)
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _times(a: Unit, b: Unit, sign: int) -> Unit:
    powers = Counter(dict(a))
    for name, power in b:
        powers[name] += sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _show(unit: Unit) -> str:
    if not unit:
        return "a number without unit"
    over = "·".join(n if p == 1 else f"{n}^{p}" for n, p in unit if p > 0)
    under = "".join(f"/{n}" if p == -1 else f"/{n}^{-p}" for n, p in unit if p < 0)
    return (over or "1") + under


def _written(unit: Unit) -> str:
    """As `_unit` takes it: bar·bar/s."""
    over = "·".join(n for n, p in unit for _ in range(p))
    return (over or "1") + "".join(f"/{n}" for n, p in unit for _ in range(-p)) if unit else ""


def same_unit(a: str, b: str) -> bool:
    """Whether two units as written are one: "bar·s" and "s·bar" are, "bar" and "kPa" are not."""
    return _unit(a) == _unit(b)
