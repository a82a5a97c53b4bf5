"""The journal: what the edge has seen and said, on disk, numbered without holes, until the plant has it.

One thread writes; what waits is committed together. A number is given once: after kill -9 nothing that was given is
gone; after a power failure (commits are not synced one by one) the journal skips the numbers that it might have given
and says so. At the size limit the oldest records become a `RecordsLost`: never silence.
"""

from __future__ import annotations

import contextlib
import fcntl
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import msgspec
import structlog

from edge import schema
from edge.errors import JournalClosedError, JournalInUseError
from edge.transaction import OVERHEAD, Build, Counters, Transaction

T = TypeVar("T")
Operation = Callable[[Transaction], T]
"""May run more than once (a full disk, a neighbour in the group that failed): what it does besides must bear that."""

DEFAULT_LIMIT = 2_000_000_000
ALMOST_FULL = 0.5
"""From this fill on the health says so: at 50 scans/s of 250 bytes the default limit then has a day left."""
_GROUP = 500
_OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
                sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM}
_log = structlog.get_logger("edge.journal")


class Entry(NamedTuple):
    """Attributes: at: micros since the epoch, when it was written; kind: "frame", "events" or "loss"."""

    sequence: int
    at: int
    kind: str
    body: bytes


class _Waiting(NamedTuple):
    operation: Operation[Any]
    durable: bool
    answer: Future[Any]


class Journal:
    """The journal in the file `path`, for one process at a time.

    Raises:
        JournalInUseError: another one has it.

    Attributes:
        source: "EDGE:ID", the id minted when the file was made.
        fault: why nothing can be written at the moment (a full disk), "" when all is well.
        clock: micros since the epoch.
        committed: called by the writer's thread after each commit; must be quick.
    """

    def __init__(
        self, path: Path, edge: str, *, limit: int = DEFAULT_LIMIT, clock: Callable[[], int] | None = None,
        boot: str | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalInUseError(str(path)) from None
        self.edge, self.limit, self.fault = edge, limit, ""
        self.committed: Callable[[], None] = lambda: None
        self.clock = clock or (lambda: time.time_ns() // 1000)
        self._writing, self._reading = schema.connect(path), schema.connect(path)
        self._reader = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._counters = Counters()
        self._synced = False
        self.source = self._open(boot if boot is not None else _boot_id())
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # --- for everybody ------------------------------------------------------------------------------------------------

    def write(self, operation: Operation[T], *, durable: bool = False) -> Future[T]:
        """Have the operation done in a transaction; operations are done in the order in which they were given.

        Args: durable: the commit is synced to the disk before it counts.
        """
        if self._closing.is_set():
            raise JournalClosedError(self.source)
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # who is cancelled while waiting takes nothing back: it is written
        self._queue.put(_Waiting(operation, durable, answer))
        return answer

    def append(self, kind: str, build: Build) -> Future[int]:
        """Number a record and keep it; the number is given when it is committed."""
        return self.write(lambda t: t.append(kind, build))

    def confirm(self, up_to: int) -> Future[None]:
        """The plant has everything up to that number: forget it."""
        return self.write(lambda t: t.confirm(up_to))

    def unconfirmed(self, after: int, limit: int, size: int = 8_000_000) -> list[Entry]:
        """The committed records above `after`, in order; at most `limit` of them and about `size` bytes."""
        found: list[Entry] = []
        with self._reader, contextlib.closing(self._reading.execute(
            "SELECT sequence, at, kind, body FROM records WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        )) as rows:
            for row in rows:
                found.append(Entry(*row))
                size -= len(found[-1].body)
                if size <= 0:
                    break
        return found

    def query(self, sql: str, arguments: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """What is committed, for the parts that keep something here."""
        with self._reader:
            return self._reading.execute(sql, arguments).fetchall()

    def state(self, key: str) -> bytes | None:
        """What `Transaction.put` kept under the key; None when nothing was."""
        rows = self.query("SELECT value FROM states WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    @property
    def last(self) -> int:
        return self._counters.last

    @property
    def confirmed(self) -> int:
        return self._counters.confirmed

    @property
    def lost(self) -> int:
        """Records dropped at the limit since the start."""
        return self._counters.lost

    @property
    def fill(self) -> float:
        """How much of the limit is used, 0 to 1."""
        return self._counters.size / self.limit

    def close(self) -> None:
        """Write what waits, and end."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._queue.put(None)
        self._thread.join()
        with contextlib.suppress(queue.Empty):
            while True:
                if (late := self._queue.get_nowait()) is not None:
                    late.answer.set_exception(JournalClosedError(self.source))
        if not self.fault:
            self._writing.execute("UPDATE meta SET value = 1 WHERE key = 'clean'")
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writing.close()
        with self._reader:
            self._reading.close()
        self._lock.close()

    # --- the writer ---------------------------------------------------------------------------------------------------

    def _open(self, boot: str) -> str:
        """Make or read the file. What an earlier machine start left unsynced is accounted for."""
        connection = self._writing
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema.SCHEMA.split(";"):
            connection.execute(statement)
        meta: dict[str, Any] = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        name = meta.setdefault("id", uuid4().hex[:12])
        c = self._counters = Counters(meta.get("last", 0), meta.get("confirmed", 0), meta.get("reserved", 0))
        query = f"SELECT coalesce(sum(length(body) + {OVERHEAD}), 0) FROM records"
        c.size = connection.execute(query).fetchone()[0]
        source = f"{self.edge}:{name}"
        if c.reserved > c.last and not meta.get("clean", 1) and (not boot or meta["boot"] != boot):
            self._transaction(source, c).skip_reserved()
            _log.error("journal_skipped", source=source, up_to=c.last, reason="power failed")
        self._transaction(source, c).reserve()
        _put(connection, id=name, boot=boot, clean=0, last=c.last, confirmed=c.confirmed, reserved=c.reserved)
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous = NORMAL")
        return source

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            with contextlib.suppress(queue.Empty):
                while len(group) < _GROUP:
                    if (more := self._queue.get_nowait()) is None:
                        self._commit(group)
                        return
                    group.append(more)
            self._commit(group)

    def _commit(self, group: list[_Waiting]) -> None:
        """Do the group in one transaction; when one of it fails, each alone; while the disk refuses, again."""
        pause = 0.05
        while True:
            try:
                results = self._attempt(group, durable=any(w.durable for w in group))
            except sqlite3.Error as error:
                self._roll_back()
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code in _OF_THE_DISK and not self._closing.is_set():
                    self._refused(error, code)
                    self._closing.wait(pause)
                    pause = min(2 * pause, 2.0)
                    continue
                self._fail(group, error)
            except Exception as error:  # noqa: BLE001  an operation's own: it goes to who asked for it
                self._roll_back()
                self._fail(group, error)
            else:
                self.fault = ""
                for waiting, result in zip(group, results, strict=True):
                    waiting.answer.set_result(result)
                self.committed()
            return

    def _attempt(self, group: list[_Waiting], *, durable: bool) -> list[Any]:
        before = self._counters
        counters = msgspec.structs.replace(before)
        connection = self._writing
        if durable != self._synced:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synced = durable
        connection.execute("BEGIN IMMEDIATE")
        transaction = self._transaction(self.source, counters)
        results = [waiting.operation(transaction) for waiting in group]
        transaction.make_room()
        if counters.last > counters.reserved and not durable:  # no number leaves the house before it is set aside
            connection.execute("ROLLBACK")
            return self._attempt(group, durable=True)
        if durable:
            transaction.reserve()
            _put(connection, reserved=counters.reserved)
        _put(connection, last=counters.last, confirmed=counters.confirmed)
        connection.execute("COMMIT")
        self._counters = counters
        if counters.lost > before.lost:
            _log.error("journal_dropped_oldest", source=self.source, records=counters.lost - before.lost)
        return results

    def _transaction(self, source: str, counters: Counters) -> Transaction:
        return Transaction(
            self._writing, edge=self.edge, source=source, now=self.clock(), counters=counters, limit=self.limit
        )

    def _roll_back(self) -> None:
        if self._writing.in_transaction:
            self._writing.execute("ROLLBACK")

    def _refused(self, error: sqlite3.Error, code: int) -> None:
        if not self.fault:
            _log.error("journal_refused", source=self.source, reason=str(error))
        self.fault = str(error)
        if code == sqlite3.SQLITE_FULL:
            self.limit = max(1, min(self.limit, self._counters.size * 9 // 10))  # drop the oldest to make room

    def _fail(self, group: list[_Waiting], error: Exception) -> None:
        if len(group) == 1:
            group[0].answer.set_exception(error)
            return
        for waiting in group:
            self._commit([waiting])


def _put(connection: sqlite3.Connection, **values: str | int) -> None:
    connection.executemany("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                           values.items())


def _boot_id() -> str:
    """Which start of the machine this is; "" where it cannot be told (then every kill counts as a power failure)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
