"""A condition, cut into parts over points alone and the rest.

Who knows the points watches those parts and says of each only whether it is *known to be true*. So that "not known" is
never taken for true, a negation is pushed inward until it stands inside a part: `!(p > 3 || asked)` becomes
`!(p > 3) && !asked`, where `!(p > 3)` is the part.
"""

from __future__ import annotations

from collections.abc import Callable

from expressions import ast
from expressions.ast import Expr, names
from expressions.parser import Problem


def split(expr: Expr, is_point: Callable[[str], bool], part: Callable[[Expr], str]) -> Expr:
    """The expression with each part over points alone (true or false) replaced by the name that `part` gives it.

    Args: expr: resolved, and true or false as a whole.

    Raises:
        Problem: a comparison or calculation mixes points with other names, or a window is over something else.
    """

    def cut(node: Expr, negated: bool) -> Expr:
        points = {is_point(name) for name in names(node)}
        if points == {True}:
            return ast.Name(part(ast.Not(node, node.place) if negated else node), node.place)
        for window in ast.windows(node):
            if not is_point(window.name):
                raise Problem(window.place, f"a window reaches over a point, '{window.name}' is none")
        match node:
            case ast.Not(of=of) if points:
                return cut(of, not negated)
            case ast.Both(left=left, right=right) | ast.Either(left=left, right=right) if True in points:
                both = isinstance(node, ast.Both) != negated  # de Morgan
                join = ast.Both if both else ast.Either
                return join(cut(left, negated), cut(right, negated), node.place)
        if len(points) == 2:
            mixed = next(name for name in names(node) if is_point(name))
            raise Problem(node.place, f"'{mixed}' is a point and stands in one comparison with what only the run knows:"
                          f" read it into a variable before, with read: {{NAME: {mixed}}}")  # fmt: skip
        return ast.Not(node, node.place) if negated else node

    return cut(expr, False)

