"""How numbers lie in Modbus registers, and which requests read a device. Pure.

A 16-bit register is big-endian on the wire; `word_order` says which of a number's registers comes first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from devices.plant import NumberType, Point, Register, Table

MAX_REGISTERS = 125
MAX_BITS = 2000
"""What one read request may ask for (Modbus application protocol 1.1b3, 6.1 to 6.4)."""

Raw = int | float

_FORMATS: dict[NumberType, struct.Struct] = {
    "int16": struct.Struct(">h"), "uint16": struct.Struct(">H"), "int32": struct.Struct(">i"),
    "uint32": struct.Struct(">I"), "int64": struct.Struct(">q"), "uint64": struct.Struct(">Q"),
    "float32": struct.Struct(">f"), "float64": struct.Struct(">d"),
}
_WORDS = {n: struct.Struct(f">{n}H") for n in (1, 2, 4)}


class NotRepresentableError(ValueError):
    """The register cannot hold the value; nothing was written."""

    def __init__(self, point: str, value: float, reason: str) -> None:
        super().__init__(f"{value} does not fit {point}: {reason}")
        self.point, self.value, self.reason = point, value, reason


@dataclass(frozen=True)
class Block:
    """One read request.

    Attributes:
        table, address, count: what is asked for; count in registers, or bits for coils and discrete inputs.
        columns: positions in the list of points given to `plan` of those that lie in it.
    """

    table: Table
    address: int
    count: int
    columns: tuple[int, ...]


def register_of(point: Point) -> Register:
    """The point's register.

    Raises:
        ValueError: it has none; the plant's check refuses that for Modbus devices.
    """
    if point.register is None:
        raise ValueError(f"point '{point.point}' has no register")
    return point.register


def pack(raw: Raw, type_: NumberType, word_order: str) -> list[int]:
    """(1, 2 or 4) words that hold `raw`; a bool is the word 0 or 1.

    Raises:
        OverflowError, struct.error: `raw` is outside the type's range.
    """
    if type_ == "bool":
        return [1 if raw else 0]
    data = _FORMATS[type_].pack(raw)
    words = list(_WORDS[len(data) // 2].unpack(data))
    return words if word_order == "big" else words[::-1]


def unpack(words: Sequence[int], register: Register) -> Raw:
    """The number in its `register.count` words: exact, an int for the integer types."""
    if register.type == "bool":
        return words[0] >> (register.bit or 0) & 1
    ordered = words if register.word_order == "big" else words[::-1]
    number: Raw = _FORMATS[register.type].unpack(_WORDS[len(ordered)].pack(*ordered))[0]
    return number


def to_value(raw: Raw, point: Point) -> float:
    """The raw number in the point's unit; NaN and infinity pass through."""
    if point.scale == 1 and point.offset == 0:
        return float(raw)
    return float(raw) * point.scale + point.offset


def to_raw(value: float, point: Point) -> Raw:
    """The raw number nearest to `value` [the point's unit]; halves go away from zero, as people round.

    Decimal arithmetic, because 0.15 / 0.1 is 1.4999999999999998 and would be rounded the wrong way.

    Raises:
        NotRepresentableError: not finite, not 0 or 1 for a bool, or outside the type's range.
    """
    register = register_of(point)
    if not math.isfinite(value):
        raise NotRepresentableError(point.point, value, "not a finite number")
    exact = (Decimal(repr(float(value))) - Decimal(repr(point.offset))) / Decimal(repr(point.scale))
    if register.type == "bool":
        if exact not in (0, 1):
            raise NotRepresentableError(point.point, value, "a bit is 0 or 1")
        return int(exact)
    real = register.type in ("float32", "float64")
    raw: Raw = float(exact) if real else int(exact.to_integral_value(ROUND_HALF_UP))
    try:
        if not math.isfinite(raw):
            raise OverflowError
        pack(raw, register.type, register.word_order)
    except (struct.error, OverflowError):
        raise NotRepresentableError(point.point, value, f"raw {raw} is outside {register.type}") from None
    return raw


def decode(words: Sequence[int], point: Point) -> float:
    """(count,) words (or one bit) as the point's value [its unit]."""
    return to_value(unpack(words, register_of(point)), point)


def encode(value: float, point: Point) -> list[int]:
    """(count,) words that hold `value`; for a bool the word 0 or 1, to be laid into its register by `with_bit`.

    Raises:
        NotRepresentableError: see `to_raw`.
    """
    register = register_of(point)
    return pack(to_raw(value, point), register.type, register.word_order)


def with_bit(word: int, bit: int, on: bool) -> int:
    """The register `word` with one bit changed."""
    return word | 1 << bit if on else word & ~(1 << bit) & 0xFFFF


def plan(points: Sequence[Point], columns: Sequence[int], max_gap: int) -> tuple[Block, ...]:
    """The requests that read `points[c] for c in columns`, by table and address.

    A point never lies across two blocks. A block spans gaps of up to `max_gap` registers that no point uses: reading
    a few unused registers is cheaper than another request. 0 reads nothing that was not asked for.
    """
    blocks: list[Block] = []
    placed = sorted(columns, key=lambda c: (register_of(points[c]).table, register_of(points[c]).address, c))
    start = end = 0
    table: Table | None = None
    members: list[int] = []
    for column in placed:
        register = register_of(points[column])
        limit = MAX_BITS if register.table in ("coil", "discrete") else MAX_REGISTERS
        reach = max(end, register.address + register.count)
        if register.table != table or register.address > end + max_gap or reach - start > limit:
            if table is not None:
                blocks.append(Block(table, start, end - start, tuple(members)))
            table, start, members = register.table, register.address, []
            reach = start + register.count
        end = reach
        members.append(column)
    if table is not None:
        blocks.append(Block(table, start, end - start, tuple(members)))
    return tuple(blocks)
