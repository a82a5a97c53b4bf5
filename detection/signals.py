"""Expressions of rules, and the columns that they ask an area for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detection.lane import Lane
from expressions import Compiled, NameType, Window, compile_columns, names, parse, resolve, windows


class Expression:
    """A compiled expression of the area. Attributes: keys: the columns it reads."""

    def __init__(self, text: str, types: dict[str, NameType]) -> None:
        tree = parse(text)
        kind = "bool"
        resolved, problems = resolve(tree, types, "bool")
        if problems:
            kind, (resolved, problems) = "number", resolve(tree, types, "number")
        if problems:
            raise problems[0]
        self.truth = kind == "bool"
        self.windows: tuple[Window, ...] = windows(resolved)
        self.points: tuple[str, ...] = names(resolved)
        self.compute: Compiled = compile_columns(resolved)


class Carried(dict[str, Any]):
    """The columns an expression asks for: of the lane's own scans, or the current value of another device."""

    def __init__(self, lanes: Mapping[str, Lane], lane: Lane) -> None:
        super().__init__()
        self._lanes, self._lane = lanes, lane

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self:
            own = self._lane.column(key)
            others = (lane.current(key) for lane in self._lanes.values()) if own is None else ()
            self[key] = own or next((c for c in others if c is not None), default)
        return self[key]


class Newest(dict[str, Any]):
    """The newest value of each column an expression asks for, as scalars."""

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        super().__init__()
        self._lanes = lanes

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self:
            found = (lane.current(key) for lane in self._lanes.values())
            self[key] = next((c for c in found if c is not None), default)
        return self[key]
