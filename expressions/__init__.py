"""A small language for conditions: a subset of CEL, without side effects, bounded in size and time.

    press.temperature > 80[°C] && cooling.flow < 2
    abs(press.pressure - press.pressure_setpoint) > 15
    press.relief_valve == 'open' || mean(press.pressure, 10s) >= 200

- numbers (`80`, `1.5e3`; with a unit `80[bar]`), texts in ' or ", `true`, `false`, names like `press.pressure`
- `== != < <= > >=`, `&& || !`, `+ - * /`, parentheses; abs(x), min(a, b, ...), max(a, b, ...)
- windows over a name: mean ewma deviation min max range count rate (point, 10s) or (point, 20 samples)
- what is not known (no value, bad quality, division by zero) makes the result unknown: neither true nor false
- units must agree as written; a number without unit adapts; state names stand for their numbers

`parse` gives the tree, `check` all problems with their places, `resolve` the tree with state names as numbers;
`evaluate` runs it over a mapping, `compile_columns` over numpy columns. `split` cuts it into parts over points and the
rest, `show` writes it as text. Pure: no clock, no I/O.
"""

from expressions.ast import Expr, Window, names, windows
from expressions.check import NameType, check, infer, resolve
from expressions.columns import Column, Columns, Compiled, compile_columns
from expressions.parser import Problem, parse
from expressions.printing import show
from expressions.scalar import Value, evaluate
from expressions.splitting import split

__all__ = [
    "Column", "Columns", "Compiled", "Expr", "NameType", "Problem", "Value", "Window", "check", "compile_columns",
    "evaluate", "infer", "names", "parse", "resolve", "show", "split", "windows",
]  # fmt: skip
