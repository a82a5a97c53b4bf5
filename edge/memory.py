"""What the executor remembers of commands, on disk, so that none is run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from edge.journal import Journal
from edge.transaction import Transaction
from events import codec
from events.devices import CommandOutcome, CommandRefused
from events.envelope import Event, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.types import Instant, from_micros, to_micros

KEPT = timedelta(days=30)
"""So long past its being seen an id is kept; it expired long before."""
LOCKED_OUT = "locked out"


class Lock(Struct, frozen=True, array_like=True):
    """Attributes: reason: why the device gets nothing, "" when it does again; since: of the newest intent."""

    reason: str
    since: Instant


class Known(Struct, frozen=True):
    """A command seen before. Attributes: began: when the executor set out to write, None: never; outcome: its reply."""

    issued: Event
    began: datetime | None
    outcome: Event | None


class Memory:
    """The executor's part of the journal's file. Outcome and reply are one transaction; `begin` is synced to disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        query = "SELECT point, max(began) FROM commands WHERE began IS NOT NULL GROUP BY point"
        self.last_written = {point: from_micros(began) for point, began in journal.query(query)}
        self._locks = _locks(journal.state(LOCKED_OUT))
        self._seen = 0

    @property
    def locked_out(self) -> dict[str, str]:
        """Device -> why it gets nothing (maintenance)."""
        return {device: lock.reason for device, lock in self._locks.items() if lock.reason}

    def recall(self, command: UUID) -> Known | None:
        rows = self._journal.query("SELECT event, began, outcome FROM commands WHERE command = ?", (command.bytes,))
        return _known(*rows[0]) if rows else None

    def unanswered(self) -> list[Known]:
        """Commands that have no outcome, since the process died: those that were begun, and those never begun."""
        query = "SELECT event, began, outcome FROM commands WHERE outcome IS NULL ORDER BY seen, began"
        return [_known(*row) for row in self._journal.query(query)]

    def outcomes(self, since: timedelta) -> list[Event]:
        """The replies given in that time, oldest first."""
        query = "SELECT outcome FROM commands WHERE outcome IS NOT NULL AND seen > ? ORDER BY seen"
        after = self._journal.clock() - since // timedelta(microseconds=1)
        return [codec.decode_event(outcome) for (outcome,) in self._journal.query(query, (after,))]

    def expect(self, t: Transaction, issued: Event, command: CommandIssued) -> None:
        """Part of a transaction: remember that it was issued here, so that it is tried also after a crash."""
        self._seen = max(t.now, self._seen + 1)  # those of one transaction keep their order, too
        row = (command.command.bytes, command.device, command.point, self._seen, codec.encode(issued))
        t.execute("INSERT INTO commands VALUES (?, ?, ?, ?, NULL, ?, NULL) ON CONFLICT DO NOTHING", row)

    def note(self, issued: Event, remembered: Callable[[], None]) -> None:
        """Remember that it came; `remembered` is called when that is on disk (in the journal's thread).

        Not synced: what a power failure takes was not begun, and its step fails at its deadline.
        """
        command = issued.fact
        assert isinstance(command, CommandIssued)
        noted = self._journal.write(lambda t: self.expect(t, issued, command))
        noted.add_done_callback(lambda done: None if done.exception() else remembered())

    def not_written(self, point: str, before: datetime | None) -> None:
        """What was begun was refused after all: `before` is when the point was last written."""
        if before is None:
            self.last_written.pop(point, None)
        else:
            self.last_written[point] = before

    async def begin(self, issued: Event, command: CommandIssued, at: datetime) -> None:
        """Remember that it is about to be written; after this it is never written again."""

        def operation(t: Transaction) -> None:
            row = (command.command.bytes, command.device, command.point, t.now, to_micros(at), codec.encode(issued))
            t.execute(
                "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE SET began = excluded.began",
                row,
            )
            t.execute("DELETE FROM commands WHERE seen < ?", (t.now - KEPT // timedelta(microseconds=1),))

        await _done(self._journal, operation)
        self.last_written[command.point] = at

    async def settle(self, issued: Event, command: CommandIssued, outcome: CommandOutcome, at: datetime) -> Event:
        """Remember the outcome and journal the reply, together."""
        # of the command's area: that is where its playbook waits for it
        reply = event(outcome, at=at, area=issued.area, cause=issued.id, author=f"edge {self._journal.edge}", index=0)
        never_begun = isinstance(outcome, CommandRefused)

        def operation(t: Transaction) -> None:
            what = (command.command.bytes, command.device, command.point)
            # refused after it was begun: nothing was written, so it does not count for the rate limit
            t.execute(
                "INSERT INTO commands VALUES (?, ?, ?, ?, NULL, ?, ?) ON CONFLICT DO UPDATE SET outcome ="
                " excluded.outcome" + (", began = NULL" if never_begun else ""),
                (*what, t.now, codec.encode(issued), codec.encode(reply)),
            )
            _report(t, reply)

        await _done(self._journal, operation)
        return reply

    async def repeat(self, reply: Event) -> None:
        """Journal a known reply again: whoever asked again may have missed it. Its id is the same."""
        await _done(self._journal, lambda t: _report(t, reply))

    async def lock_out(self, fact: LockOutIssued) -> None:
        """Take the intent over unless a newer one is known. A lock-out holds at once, a release when it is on disk."""
        if fact.reason:
            self.locked(fact)
        await _done(self._journal, lambda t: self.lock_out_in(t, fact))
        self.locked(fact)

    def lock_out_in(self, t: Transaction, fact: LockOutIssued) -> None:
        """Part of a transaction: remember the intent; `locked` follows when that is on disk."""
        rows = t.execute("SELECT value FROM states WHERE key = ?", (LOCKED_OUT,)).fetchall()
        stored = _locks(rows[0][0] if rows else None)
        if _newest(stored, fact):
            t.put(LOCKED_OUT, msgspec.msgpack.encode(stored))

    def locked(self, fact: LockOutIssued) -> None:
        """From here on it holds in this process."""
        _newest(self._locks, fact)


def _locks(raw: bytes | None) -> dict[str, Lock]:
    return msgspec.msgpack.decode(raw, type=dict[str, Lock]) if raw else {}


def _newest(locks: dict[str, Lock], fact: LockOutIssued) -> bool:
    """Take the intent over; False if a newer one is known."""
    known = locks.get(fact.device)
    if known is not None and known.since > fact.since:
        return False
    locks[fact.device] = Lock(fact.reason, fact.since)
    return True


async def _done(journal: Journal, operation: Callable[[Transaction], None]) -> None:
    await asyncio.wrap_future(journal.write(operation, durable=True))


def _known(issued: bytes, began: int | None, outcome: bytes | None) -> Known:
    return Known(
        codec.decode_event(issued), from_micros(began) if began is not None else None,
        codec.decode_event(outcome) if outcome is not None else None,
    )


def _report(t: Transaction, reply: Event) -> None:
    t.append("events", lambda source, sequence: codec.encode(Reported(source, sequence, (reply,))))
