"""The registers of one simulated device, with the time of every change of its points. No I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

from devices import registers
from devices.plant import Device, Point, Table

KEPT_CHANGES = 5_000
"""Per point: some minutes of a noisy one at 20 changes a second."""


class Memory:
    """Registers exist only where a point of the device lies: reading others is refused, as real devices do.

    Attributes:
        device: whose registers they are.
        changes: point name (short) -> (microseconds since the epoch, value) of each change of its register.
        writes: point name (short) -> Modbus writes received, refused and ineffective ones included.
    """

    def __init__(self, device: Device, now: Callable[[], int]) -> None:
        self.device = device
        self._now = now
        self._words: dict[Table, dict[int, int]] = {"coil": {}, "discrete": {}, "holding": {}, "input": {}}
        self._at: dict[tuple[Table, int], list[Point]] = {}
        self._points = {p.point: p for p in device.points}
        for point in device.points:
            register = registers.register_of(point)
            for address in range(register.address, register.address + register.count):
                self._words[register.table][address] = 0
                self._at.setdefault((register.table, address), []).append(point)
        self.changes: dict[str, deque[tuple[int, float]]] = {p: deque(maxlen=KEPT_CHANGES) for p in self._points}
        self.writes = dict.fromkeys(self._points, 0)

    def get(self, name: str) -> float:
        """The value that the point's registers hold [its unit]."""
        point = self._points[name]
        register = registers.register_of(point)
        words = self._words[register.table]
        return registers.decode([words[register.address + i] for i in range(register.count)], point)

    def encode(self, name: str, value: float) -> list[int]:
        """The words that `put` would store. NaN is allowed where the type has it: devices send it too.

        Raises:
            NotRepresentableError: the register cannot hold the value.
        """
        point = self._points[name]
        register = registers.register_of(point)
        if math.isnan(value) and register.type in ("float32", "float64"):
            return registers.pack(value, register.type, register.word_order)
        return registers.encode(value, point)

    def put(self, name: str, value: float) -> None:
        """Store a value as the device itself does; not a Modbus write.

        Raises:
            NotRepresentableError: the register cannot hold the value.
        """
        register = registers.register_of(self._points[name])
        words = self.encode(name, value)
        if register.bit is not None:
            words = [registers.with_bit(self._words[register.table][register.address], register.bit, bool(words[0]))]
        self.store(register.table, register.address, words)

    def read(self, table: Table, address: int, count: int) -> list[int] | None:
        """(count,) words or bits; None where there are no registers."""
        words = self._words[table]
        asked = range(address, address + count)
        return [words[a] for a in asked] if all(a in words for a in asked) else None

    def store(self, table: Table, address: int, words: Sequence[int]) -> None:
        """Lay words into existing registers and note which points changed."""
        held = self._words[table]
        moved = [i for i, word in enumerate(words) if held[address + i] != word]
        if not moved:
            return
        touched = {p.point: p for i in moved for p in self._at[table, address + i]}
        before = {name: self.get(name) for name in touched}
        for i in moved:
            held[address + i] = words[i]
        at = self._now()
        for name, old in before.items():
            if (new := self.get(name)) != old:
                self.changes[name].append((at, new))

    def written(self, table: Table, address: int, count: int, mask: int = 0xFFFF) -> None:
        """Count a Modbus write of these registers, of the bits in `mask`."""
        meant = {
            p.point
            for a in range(address, address + count)
            for p in self._at.get((table, a), ())
            if (bit := registers.register_of(p).bit) is None or mask >> bit & 1
        }
        for name in meant:
            self.writes[name] += 1
