"""What the brains were given, into its tables: on a cursor within the caller's transaction."""

from __future__ import annotations

from typing import Any

import psycopg

from eventlog.given import Given, tick_row


def keep(cursor: psycopg.Cursor[Any], given: Given) -> None:
    if given.definitions:
        cursor.executemany(
            "INSERT INTO definitions (digest, body) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            sorted(given.definitions.items()),
        )
    if given.inputs:
        cursor.executemany(
            """INSERT INTO inputs (topic, partition, kafka_offset, published_at, body) VALUES (%s, %s, %s, %s, %s)
               ON CONFLICT DO NOTHING""",
            [(*x.key, x.offset, x.published_at, x.body) for x in given.inputs],
        )
    if given.ticks:
        cursor.executemany(
            """INSERT INTO ticks (topic, partition, first_offset, first_at, offsets, micros)
               VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (topic, partition, first_offset)
               DO UPDATE SET offsets = excluded.offsets, micros = excluded.micros""",
            [tick_row(x) for x in given.ticks],
        )
    if given.decided:
        cursor.executemany(
            """INSERT INTO decisions (topic, partition, cause, kafka_offset, events) VALUES (%s, %s, %s, %s, %s)
               ON CONFLICT DO NOTHING""",
            [(*x.key, x.cause, x.offset, list(x.events)) for x in given.decided],
        )
    if given.checkpoints:
        cursor.executemany(
            """INSERT INTO checkpoints (topic, partition, position, at, snapshot) VALUES (%s, %s, %s, %s, %s)
               ON CONFLICT DO NOTHING""",
            [(*x.key, x.position, x.at, x.snapshot) for x in given.checkpoints],
        )
