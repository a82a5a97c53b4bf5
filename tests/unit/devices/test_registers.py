"""Numbers in registers, and the requests that read them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import registers
from devices.plant import REGISTERS, NumberType, Point, Register, Table
from devices.registers import NotRepresentableError

ORDERS = st.sampled_from(["big", "little"])
INTEGERS: dict[NumberType, tuple[int, int]] = {
    f"{'u' * (low == 0)}int{bits}": (low, high)  # type: ignore[misc]
    for bits in (16, 32, 64)
    for low, high in ((0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
}


def point(type_: NumberType = "uint16", *, scale: float = 1.0, offset: float = 0.0, order: str = "big",
          table: Table = "holding", address: int = 0, bit: int | None = None) -> Point:
    register = Register(table=table, address=address, type=type_, word_order=order, bit=bit)  # type: ignore[arg-type]
    return Point(point="p", register=register, scale=scale, offset=offset)


@given(st.sampled_from(sorted(INTEGERS)).flatmap(lambda t: st.tuples(st.just(t), st.integers(*INTEGERS[t]))), ORDERS)
def test_every_integer_comes_back_exactly(typed: tuple[NumberType, int], order: str) -> None:
    type_, number = typed
    words = registers.pack(number, type_, order)
    assert len(words) == REGISTERS[type_]
    assert registers.unpack(words, registers.register_of(point(type_, order=order))) == number


@given(st.floats(width=32, allow_nan=False), ORDERS)
def test_every_float32_comes_back_exactly(number: float, order: str) -> None:
    assert registers.unpack(registers.pack(number, "float32", order),
                            registers.register_of(point("float32", order=order))) == number


@given(st.floats(allow_nan=False, allow_infinity=False), ORDERS)
def test_every_float64_comes_back_exactly(number: float, order: str) -> None:
    it = point("float64", order=order)
    assert registers.decode(registers.encode(number, it), it) == number


@given(st.booleans(), st.integers(0, 15), st.integers(0, 0xFFFF))
def test_a_bit_comes_back_and_its_neighbours_stay(on: bool, bit: int, word: int) -> None:
    changed = registers.with_bit(word, bit, on)
    assert registers.decode([changed], point("bool", bit=bit)) == on
    assert changed & ~(1 << bit) == word & ~(1 << bit)


def test_words_lie_in_registers_as_the_standard_examples_say() -> None:
    assert registers.pack(0x12345678, "uint32", "big") == [0x1234, 0x5678]
    assert registers.pack(0x12345678, "uint32", "little") == [0x5678, 0x1234]
    assert registers.pack(1.0, "float32", "big") == [0x3F80, 0x0000]
    assert registers.pack(-2, "int16", "big") == [0xFFFE]


@pytest.mark.parametrize(
    ("value", "scale", "offset", "raw"),
    [(12.3, 0.1, 0, 123), (0.15, 0.1, 0, 2), (-40.0, 0.5, -40, 0), (1.005, 0.01, 0, 101), (99.94, 0.1, 0, 999),
     (300.0, 10, 0, 30), (7.0, -0.5, 10, 6)],
)
def test_values_are_rounded_to_the_nearest_raw_number(value: float, scale: float, offset: float, raw: int) -> None:
    assert registers.to_raw(value, point(scale=scale, offset=offset)) == raw


@given(st.integers(0, 65535), st.sampled_from([0.1, 0.01, 0.5, 3.0, -0.1]), st.sampled_from([0.0, -40.0, 273.15]))
def test_a_value_read_and_written_back_changes_nothing(raw: int, scale: float, offset: float) -> None:
    it = point(scale=scale, offset=offset)
    assert registers.encode(registers.decode([raw], it), it) == [raw]


@pytest.mark.parametrize(
    ("value", "type_", "scale"),
    [(65536, "uint16", 1.0), (-1, "uint16", 1.0), (6553.6, "uint16", 0.1), (32768, "int16", 1.0),
     (1e39, "float32", 1.0), (math.nan, "float32", 1.0), (math.inf, "float64", 1.0), (math.nan, "int32", 1.0),
     (1.7e308, "float64", 0.1), (2**64, "uint64", 1.0)],
)
def test_what_a_register_cannot_hold_is_refused(value: float, type_: NumberType, scale: float) -> None:
    with pytest.raises(NotRepresentableError) as refused:
        registers.encode(value, point(type_, scale=scale))
    assert refused.value.point == "p"


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
def test_a_bit_takes_only_0_and_1(value: float) -> None:
    with pytest.raises(NotRepresentableError):
        registers.encode(value, point("bool", table="coil"))


def test_nan_in_a_register_is_read_as_nan() -> None:
    words = list(struct.unpack(">2H", struct.pack(">f", math.nan)))
    assert math.isnan(registers.decode(words, point("float32")))


@st.composite
def layouts(draw: st.DrawFn) -> list[Point]:
    """Points in random tables, side by side or with gaps, in random order; bits may share a register."""
    points: list[Point] = []
    for table in ("coil", "discrete", "holding", "input"):
        address = draw(st.integers(0, 50))
        for _ in range(draw(st.integers(0, 60))):
            address += draw(st.sampled_from([0, 0, 0, 1, 3, 40]))
            types = ["bool"] if table in ("coil", "discrete") else sorted(REGISTERS)
            type_ = draw(st.sampled_from(types))
            bit = draw(st.integers(0, 15)) if type_ == "bool" and table in ("holding", "input") else None
            points.append(point(type_, table=table, address=address, bit=bit))  # type: ignore[arg-type]
            address += REGISTERS[type_]  # type: ignore[index]
    return draw(st.permutations(points))


@given(layouts(), st.integers(0, 20))
def test_blocks_read_each_point_once_whole_and_within_the_limits(points: list[Point], gap: int) -> None:
    blocks = registers.plan(points, range(len(points)), gap)
    assert sorted(c for b in blocks for c in b.columns) == list(range(len(points)))
    read = [(b.table, a) for b in blocks for a in range(b.address, b.address + b.count)]
    assert len(read) == len(set(read)), "a register is read twice"
    used = set()
    for block in blocks:
        assert block.count <= (2000 if block.table in ("coil", "discrete") else 125)
        for column in block.columns:
            register = registers.register_of(points[column])
            assert register.table == block.table
            assert block.address <= register.address
            assert register.address + register.count <= block.address + block.count
            used |= {(register.table, register.address + i) for i in range(register.count)}
    if gap == 0:
        assert set(read) == used, "without gaps only what was asked for is read"


def test_registers_of_one_table_side_by_side_are_one_request() -> None:
    points = [point("float32", table="input", address=2 * i) for i in range(62)]
    assert [(b.address, b.count) for b in registers.plan(points, range(62), 8)] == [(0, 124)]
    points.append(point("float32", table="input", address=124))
    assert [(b.address, b.count) for b in registers.plan(points, range(63), 8)] == [(0, 124), (124, 2)]


def test_two_bits_of_one_register_are_read_once() -> None:
    points = [point("bool", address=10, bit=3), point("bool", address=10, bit=4)]
    assert [(b.address, b.count, b.columns) for b in registers.plan(points, range(2), 8)] == [(10, 1, (0, 1))]
