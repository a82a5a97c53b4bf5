"""Text into a syntax tree, or one problem with its place."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from expressions import ast
from expressions.ast import Expr, Place

MAX_LENGTH = 2000
MAX_DEPTH = 50
"""Bounds of an expression: nothing that a person writes reaches them, and nothing in here can run away."""

MINUS = "is a minus here: give the device a name with '_' where expressions are to name it"
_DASHED = re.compile(r"[A-Za-z_]\w*(-\w+)+\.$")
"""The beginning of a point of such a device, as in `press-1.pressure`: the parser stops behind the dot of `1.`."""
_SPANS = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class Problem(Exception):
    """Why an expression cannot be used. Line and column count from 1, within the expression's text."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{place[0]}:{place[1]}: {reason}")
        self.line, self.column = place
        self.reason = reason


def parse(text: str) -> Expr:
    """The tree of `text`, not yet checked against names.

    Raises:
        Problem: it is no expression of the language, or too long, or nested too deeply.
    """
    if len(text) > MAX_LENGTH:
        raise Problem((1, MAX_LENGTH), f"an expression has at most {MAX_LENGTH} characters, this has {len(text)}")
    try:
        tree: Expr = _parser().parse(text)  # type: ignore[assignment]  # the transformer makes nodes of the tree
    except VisitError as error:
        if isinstance(error.orig_exc, Problem):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    for node, depth in ast.walk(tree):
        if depth > MAX_DEPTH:
            raise Problem(node.place, f"nested more than {MAX_DEPTH} deep")
        for child in ast.children(node):
            if isinstance(child, ast.Span):
                raise Problem(child.place, "a span of time stands only in a window, as in mean(point, 10s)")
    if isinstance(tree, ast.Span):
        raise Problem(tree.place, "a span of time stands only in a window, as in mean(point, 10s)")
    return tree


def _explain(error: UnexpectedInput, text: str) -> Problem:
    if dashed := _DASHED.search(text[: error.pos_in_stream or 0]):
        return Problem((error.line, error.column), f"the '-' in '{dashed[0][:-1]}' {MINUS}")
    match error:
        case UnexpectedToken(token=token) if token.type != "$END":
            place = (token.line or 1, token.column or 1)
            hint = {"=": ", compare with ==", "&": ", write &&", "|": ", write ||"}.get(str(token)[:1], "")
            if token.type == "COMPARE":
                hint = ", compare two things at a time and join with &&"
            elif token.type == "NAME" and str(token) in ("and", "or", "not"):
                hint = f", write {dict(zip(('and', 'or', 'not'), ('&&', '||', '!'), strict=True))[str(token)]}"
            return Problem(place, f"'{token}' is not expected here{hint}")
        case UnexpectedCharacters():
            char = text[error.pos_in_stream or 0]
            hint = {"=": ", compare with ==", "&": ", write &&", "|": ", write ||"}.get(char, "")
            return Problem((error.line, error.column), f"'{char}' is not expected here{hint}")
        case UnexpectedEOF() | UnexpectedToken():
            return Problem((text.count("\n") + 1, len(text) - text.rfind("\n")), "it ends too early")
        case _:
            return Problem((error.line, error.column), "not an expression")


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", transformer=_Nodes(), maybe_placeholders=False)


def _at(token: Token) -> Place:
    return token.line or 1, token.column or 1


@v_args(inline=True)
class _Nodes(Transformer[Any, Any]):
    """Rules of the grammar into nodes; LALR calls it while it parses, so deep nesting costs no Python stack."""

    def number(self, token: Token, unit: Token | None = None) -> Expr:
        value = float(token)
        if value == float("inf"):
            raise Problem(_at(token), f"{token} is too large for a number")
        return ast.Number(value, str(unit)[1:-1] if unit is not None else None, _at(token))

    def text(self, token: Token) -> Expr:
        return ast.Text(str(token)[1:-1], _at(token))

    def span(self, token: Token) -> Expr:
        digits = str(token).rstrip("abcdefghijklmnopqrstuvwxyz ")
        unit = str(token)[len(digits) :].strip()
        if unit.startswith("sample"):
            if not digits.isdigit():
                raise Problem(_at(token), "samples are counted whole")
            return ast.Span(0, int(digits), _at(token))
        return ast.Span(round(float(digits) * _SPANS[unit]), 0, _at(token))

    def name(self, token: Token) -> Expr:
        if token in ("true", "false"):
            return ast.Truth(token == "true", _at(token))
        return ast.Name(str(token), _at(token))

    def not_(self, of: Expr) -> Expr:
        return ast.Not(of, of.place)

    def negate(self, of: Expr) -> Expr:
        return ast.Number(-of.value, of.unit, of.place) if isinstance(of, ast.Number) else ast.Negate(of, of.place)

    def or_(self, left: Expr, right: Expr) -> Expr:
        return ast.Either(left, right, left.place)

    def and_(self, left: Expr, right: Expr) -> Expr:
        return ast.Both(left, right, left.place)

    def compare(self, left: Expr, op: Token, right: Expr) -> Expr:
        return ast.Compare(str(op), left, right, _at(op))  # type: ignore[arg-type]  # the grammar's COMPARE

    def arithmetic(self, left: Expr, op: Token, right: Expr) -> Expr:
        return ast.Arithmetic(str(op), left, right, _at(op))  # type: ignore[arg-type]  # the grammar's signs

    def call(self, token: Token, *arguments: Expr) -> Expr:
        function, place = str(token), _at(token)
        windowed = any(isinstance(a, ast.Span) for a in arguments)
        if windowed or (function in get_args(ast.WindowFunction) and function not in ast.FUNCTIONS):
            return self._window(function, place, arguments)
        if function not in ast.FUNCTIONS:
            known = sorted({*ast.FUNCTIONS, *ast.WINDOW_FUNCTIONS})
            close = difflib.get_close_matches(function, known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}"
            raise Problem(place, f"unknown function '{function}', {hint}")
        fewest, most = ast.FUNCTIONS[function]
        if not fewest <= len(arguments) <= most:
            wants = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise Problem(place, f"{function}() takes {wants} arguments, not {len(arguments)}")
        return ast.Call(function, arguments, place)

    def _window(self, function: str, place: Place, arguments: tuple[Expr, ...]) -> Expr:
        match arguments:
            case (ast.Name(name=name), ast.Span() as over) if function in ast.WINDOW_FUNCTIONS:
                if not (over.micros or over.samples):
                    raise Problem(over.place, "a window needs a length")
                return ast.Window(function, name, over, place)
            case _ if function not in ast.WINDOW_FUNCTIONS:
                raise Problem(place, f"'{function}' has no window, there are {', '.join(ast.WINDOW_FUNCTIONS)}")
            case _:
                raise Problem(place, f"write {function}(point, 10s) or {function}(point, 20 samples)")
