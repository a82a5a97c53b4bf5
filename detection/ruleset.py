"""The compiled rules: plain data, the same at the edge, in the plant and in a replay."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import msgspec
from msgspec import Struct

from events.types import Priority


class Column(Struct, frozen=True, tag="column"):
    """The value of a point, or of a window over it: `press.pressure`, `mean(press.pressure, 10s)`."""

    key: str


class Formula(Struct, frozen=True, tag="formula"):
    """An expression: true or false (1 or 0), or a number."""

    text: str


class Silence(Struct, frozen=True, tag="silence"):
    """Seconds since the last good value of `point`, or of any point of `device` when `point` is ""."""

    device: str
    point: str


class Normal(Struct, frozen=True, tag="normal"):
    """Distance of `points` from their learned normal, in spreads. Attributes: learn, smooth, adapt: in samples."""

    points: tuple[str, ...]
    learn: int
    smooth: int
    adapt: int


Signal = Column | Formula | Silence | Normal


class Rule(Struct, frozen=True, kw_only=True):
    """One rule: it alarms while `low <= signal <= high`.

    Attributes:
        rule: its id; `press_pressure.HH` for one level of a ladder.
        version: digest of everything else here.
        point: whose occurrence it is.
        unit, limit: of the signal and what people compare it with; limit None: there is no such number.
        low, high: the band; None is open.
        deadband: how far beyond the band the signal must be to clear [unit].
        on_delay_us, off_delay_us: microseconds.
        gate: expression; while it is false the condition counts as gone; "" when there is none.
    """

    rule: str
    version: str
    area: str
    kind: str
    point: str
    message: str
    priority: Priority
    unit: str
    limit: float | None
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0
    on_delay_us: int = 0
    off_delay_us: int = 0
    signal: Signal
    gate: str = ""
    words: dict[str, str] = {}

    @property
    def identity(self) -> tuple[str, str, str]:
        """With the time at which it began, what a standing is known by: a rule that was reworded is the same one."""
        return self.area, self.rule, self.point


class NamedPoint(Struct, frozen=True, array_like=True):
    device: str
    area: str
    unit: str
    states: dict[str, int]


class RuleSet(Struct, frozen=True, kw_only=True):
    """All rules that one home decides by: the plant, or an edge.

    Attributes:
        version: digest of everything else.
        late_after_us: samples older than that against the tick are history.
        areas: those that are decided here.
        names: every point of these areas by its full name.
    """

    version: str
    late_after_us: int
    areas: tuple[str, ...]
    names: dict[str, NamedPoint]
    rules: tuple[Rule, ...]

    def pack(self) -> bytes:
        """The body of `Configure` and `Configured`; deterministic."""
        return zlib.compress(msgspec.msgpack.encode(self))


def unpack(body: bytes) -> RuleSet:
    """The rules in a body.

    Raises:
        zlib.error, msgspec.DecodeError: the bytes are none.
    """
    return msgspec.msgpack.decode(zlib.decompress(body), type=RuleSet)


def digest(value: Any) -> str:
    """12 hexadecimal digits that stand for this definition."""
    return hashlib.sha256(msgspec.msgpack.encode(value)).hexdigest()[:12]
