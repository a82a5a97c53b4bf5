"""Asking the devices of this edge, now: for one point, or whether an expression over points is true."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from devices.modbus import DeviceError
from devices.plant import Device, Point, compile_check, readable_at
from edge.field import Session
from expressions import Problem, evaluate, names


class NotKnownError(Exception):
    """What a point is now cannot be told: act as if it were the worst."""

    def __init__(self, point: str, reason: str) -> None:
        super().__init__(f"{point}: {reason}")
        self.point, self.reason = point, reason


class Asking:
    """Nothing is remembered: each question is put to the devices, through their sessions."""

    def __init__(self, devices: Mapping[str, Device], sessions: Mapping[str, Session]) -> None:
        own = [devices[name] for name in sessions if name in devices]
        self._points = {f"{d.device}.{p.point}": (sessions[d.device], p) for d in own for p in d.points}
        self._known = {name: known for edge in {d.edge for d in own} for name, known in readable_at(edge, own).items()}

    async def value(self, name: str) -> float:
        """The point's value now [its unit].

        Raises:
            NotKnownError: no answer, an exception reply, or a value outside the point's range, which is of quality BAD.
        """
        session, point = self._points[name]
        try:
            value = await session.read(point)
        except DeviceError as error:
            raise NotKnownError(name, error.reason) from None
        if point.range and not point.range[0] <= value <= point.range[1]:
            low, high = point.range
            raise NotKnownError(name, f"it reads {value:g}, outside its range {low:g}..{high:g} {point.unit}".rstrip())
        return value

    async def why_not(self, text: str) -> str | None:
        """Why the expression is not known to be true, with what the devices said; None when it is true."""
        try:
            expr = compile_check(text, self._known)
        except Problem as problem:  # the file says it, too: such a point is not written until it is mended
            return f"{text} cannot be checked: {problem.reason}"
        said = await asyncio.gather(*(self._ask(name) for name in names(expr)))
        true = evaluate(expr, {name: value for name, value, _ in said})
        if true is True:
            return None
        if true is None:
            return f"{text} is not known: " + ", ".join(f"{name}: {reason}" for name, _, reason in said if reason)
        return f"{text} is not true (" + ", ".join(f"{n} is {self._shown(n, v)}" for n, v, _ in said) + ")"

    async def _ask(self, name: str) -> tuple[str, float | None, str]:
        """(name, value or None, why it is not known)"""
        try:
            return name, await self.value(name), ""
        except NotKnownError as error:
            return name, None, error.reason

    def _shown(self, name: str, value: float | None) -> str:
        point: Point = self._points[name][1]
        state = next((state for state, number in point.states.items() if number == value), None)
        return state or ("not known" if value is None else f"{value:g}")
