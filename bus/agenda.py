"""What is due when: an index over a state, so that a tick costs what is due and not what stands."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Agenda(Generic[K]):
    """Keys with a due time each; keys must be ordered. It follows from the state and is made anew from it; it is never
    saved. What it answers depends on the keys and their times alone, not on the order in which they were set: two
    owners of a partition must say the same."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[K, datetime] = {}
        self._heap: list[tuple[datetime, K]] = []

    def set(self, key: K, due: datetime | None) -> None:
        """From here on the key is due then; None: no more."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 2 * len(self._due) + 64:  # mostly of keys that were set anew since
                self._heap = [(d, k) for k, d in self._due.items()]
                heapify(self._heap)

    @property
    def first(self) -> datetime | None:
        """When the first one is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def after(self, now: datetime) -> datetime | None:
        """When the first one is due that was not due by then."""
        return min((due for due in self._due.values() if due > now), default=None)

    def until(self, now: datetime, limit: int = 1 << 30) -> list[K]:
        """The keys due by then, in order of their due time, `limit` at most. They stay due until they are set anew."""
        found: dict[K, datetime] = {}
        while len(found) < limit and (first := self.first) is not None and first <= now:
            due, key = heappop(self._heap)
            found[key] = due
        for key, due in found.items():
            heappush(self._heap, (due, key))
        return list(found)
