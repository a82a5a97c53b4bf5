"""Which records are under way to the plant, and when to go back: go-back-N with a slow start. Pure.

While nothing is confirmed only the oldest record is sent, ever more seldom: a plant that is down for hours is not
flooded with copies. With each confirmation the window grows again, so a backlog flows as fast as the plant takes it.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct, field

RECORDS, BYTES = 4096, 8_000_000
"""At most so much is under way unconfirmed."""
FIRST = 64
PATIENCE_S, MOST_PATIENCE_S = 2.0, 30.0
_GROWTH = 4
_AGAIN_S = 0.3


class Window(Struct):
    """Attributes:
    confirmed: the plant has all up to it. sent: the last number that was sent in this pass.
    highest: the last number that may ever have been sent; up to it, a record is a replay.
    since: when the oldest record under way was sent, or the last confirmation came [s, any clock].
    """

    confirmed: int
    highest: int
    sent: int = 0
    size: int = FIRST
    patience: float = PATIENCE_S
    since: float = 0.0
    under_way: deque[tuple[int, int]] = field(default_factory=deque)
    bytes: int = 0

    def __post_init__(self) -> None:
        self.sent = self.confirmed

    @property
    def room(self) -> int:
        """How many records may be sent now."""
        return max(0, self.size - len(self.under_way)) if self.bytes < BYTES else 0

    def connected(self, now: float) -> None:
        """A new connection: what was under way may be gone."""
        self._back(now, min(self.size, FIRST))
        self.patience = PATIENCE_S

    def take(self, sequence: int, size: int, now: float) -> bool:
        """The record is being sent; whether it may have been sent before."""
        if not self.under_way:
            self.since = now
        again = sequence <= self.highest
        self.under_way.append((sequence, size))
        self.bytes += size
        self.sent, self.highest = sequence, max(sequence, self.highest)
        return again

    def confirm(self, up_to: int, now: float) -> bool:
        """The plant has all up to that number; whether that is news.

        When it says again what is known while we wait with patience, it is there again: what is under way is due now.
        """
        if up_to <= self.confirmed:
            if up_to == self.confirmed and self.patience > PATIENCE_S and now - self.since >= _AGAIN_S:
                self.since = now - self.patience
            return False
        self.confirmed, self.sent = up_to, max(up_to, self.sent)
        while self.under_way and self.under_way[0][0] <= up_to:
            self.bytes -= self.under_way.popleft()[1]
        self.size, self.patience, self.since = min(RECORDS, self.size * _GROWTH), PATIENCE_S, now
        return True

    def overdue(self, now: float) -> bool:
        """Whether the oldest record under way has waited too long."""
        return bool(self.under_way) and now - self.since >= self.patience

    def go_back(self, now: float) -> None:
        """Send again what is not confirmed, the oldest first and alone."""
        self._back(now, 1)
        self.patience = min(MOST_PATIENCE_S, 2 * self.patience)

    def _back(self, now: float, size: int) -> None:
        self.sent, self.size, self.since, self.bytes = self.confirmed, size, now, 0
        self.under_way.clear()
