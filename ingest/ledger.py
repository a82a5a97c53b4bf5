"""What the plant has of each numbered source: complete up to n, and which range is missing. Pure.

Sources send go-back-N: only the next number counts; a lower one is known already; a higher one shows a gap, is dropped
and comes again after the missing ones. A loss that the edge admits (`RecordsLost`) is the one way over a gap.

Kept in the compacted topic `ledger` (key: source) *before* the edge is told that it may delete, so that a restarted
bridge never expects a number that its edge no longer has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from events.devices import GapClosed, GapOpened, RecordsLost

PATIENCE_S = 5.0
"""How long the lowest number of an unknown source is awaited: its edge goes back to it every 2 s."""


class Account(Struct, array_like=True):
    """One source. Attributes: up_to: taken without holes; missing: the range whose gap was told, (0, 0) if none."""

    up_to: int
    missing: tuple[int, int] = (0, 0)


class Taken(Struct, frozen=True):
    """It is this number's turn. Attributes: facts: what became known with it: how a gap that was told of ended."""

    facts: tuple[GapClosed | RecordsLost, ...] = ()


class Duplicate(Struct, frozen=True):
    """The plant has it: confirm again."""


class Gap(Struct, frozen=True):
    """Numbers before it are missing: drop it, and confirm again what is there. Attributes: facts: told once per gap."""

    facts: tuple[GapOpened, ...] = ()


Verdict: TypeAlias = Taken | Duplicate | Gap
encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Account).decode


class Ledger:
    """The accounts of all sources, by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._strangers: dict[str, tuple[int, float]] = {}

    def load(self, source: str, raw: bytes) -> None:
        """Set the account as it was kept.

        Raises:
            msgspec.DecodeError: these bytes are no account.
        """
        self.accounts[source] = _decode(raw)

    def take(self, source: str, sequence: int, now_s: float, lost: Sequence[RecordsLost] = ()) -> Verdict:
        """Whether the record counts; if so it is the last one now.

        Args:
            now_s: any ascending clock; decides only where an unknown source begins.
            lost: ranges that the record says are gone; its own number follows one it makes up for.
        """
        account = self.accounts.get(source)
        if account is None:
            first = min([loss.first for loss in lost if loss.last == sequence - 1], default=sequence)
            if not self._begins(source, first, now_s):
                return Gap()
            account = self.accounts[source] = Account(sequence - 1)
        expected = account.up_to + 1
        if sequence < expected:
            return Duplicate()
        admitted = next((loss for loss in lost if loss.first <= expected and loss.last == sequence - 1), None)
        if sequence == expected or admitted:
            account.up_to = sequence
            return Taken(self._ended(source, account, admitted))
        if account.missing[1]:
            return Gap()
        account.missing = (expected, sequence - 1)
        return Gap((GapOpened(source=source, first=expected, last=sequence - 1),))

    def _ended(
        self, source: str, account: Account, admitted: RecordsLost | None
    ) -> tuple[GapClosed | RecordsLost, ...]:
        """What becomes of the gap that was told of, now that the account reached `up_to`."""
        first, last = account.missing
        if not last or account.up_to < last:
            return ()
        account.missing = (0, 0)
        if admitted is None:
            return (GapClosed(source=source, first=first, last=last),)
        if admitted.first == first:
            return ()  # the edge's own fact names this gap
        return (RecordsLost(source=source, first=first, last=last, reason=admitted.reason),)

    def _begins(self, source: str, sequence: int, now_s: float) -> bool:
        """Whether the unknown source begins here: at 1, or, where the ledger was lost, at the lowest that its edge has.

        What is seen first need not be that: the broker may hold later ones. Taking a later one would tell the edge to
        delete the earlier ones.
        """
        lowest, since = self._strangers.get(source, (sequence, now_s))
        self._strangers[source] = (min(lowest, sequence), since)
        if sequence == 1 or (sequence <= lowest and now_s - since >= PATIENCE_S):
            del self._strangers[source]
            return True
        return False
