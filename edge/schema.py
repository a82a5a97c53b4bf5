"""The journal's file: tables, and how a connection to it is made."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- A row stands for the numbers `first`..`sequence`: they differ only where what was dropped is told of (kind 'loss').
-- Without holes: the rows cover every number above the confirmed one, once.
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL
);
-- The executor's memory. `began` is set before anything is written to the device, `outcome` with the reply's record.
CREATE TABLE IF NOT EXISTS commands (
    command BLOB PRIMARY KEY, device TEXT NOT NULL, point TEXT NOT NULL, seen INTEGER NOT NULL, began INTEGER,
    event BLOB NOT NULL, outcome BLOB
) WITHOUT ROWID;
-- What parts of the edge keep: a device that is lost, a lock-out, a brain's state.
CREATE TABLE IF NOT EXISTS states (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit: transactions are begun by hand. Each is used by one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL outlives kill -9 without a sync per commit; a power failure is what `Journal` reserves numbers for.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    return connection
