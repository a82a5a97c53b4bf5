"""The statements of TimescaleLog, each on a cursor within its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from eventlog.entry import GENESIS, Entry, Recorded, link
from eventlog.log import Advance, Key, PositionConflictError, SourceSeen
from eventlog.projections import KEYS, Change
from eventlog.unnumbered import Cell, Said, said
from events.envelope import DeadLetter
from events.readings import Frame
from events.types import from_micros, to_micros

Cursor = psycopg.Cursor[Any]
COLUMNS = (
    "position, id, time, published_at, recorded_at, area, stream, type, author, cause, payload, kafka_topic,"
    " kafka_partition, kafka_offset, hash"
)
SELECT = COLUMNS.replace("payload", "payload::text")
WIDTH = COLUMNS.count(",") + 1


def advance(cursor: Cursor, advances: Mapping[Key, Advance]) -> None:
    """Move the positions, if all of them are where the batch begins.

    Raises:
        PositionConflictError: one is not.
    """
    if not advances:
        return
    steps = sorted(advances.items())
    columns = zip(
        *((t, p, a.start, a.to.next, a.to.last, a.to.tick_at, a.to.whole_since) for (t, p), a in steps), strict=True
    )  # fmt: skip
    cursor.execute(
        """WITH step AS (SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
             %s::timestamptz[], %s::bigint[])
             AS s (topic, partition, start, next_offset, last_cause, tick_at, whole_since))
           INSERT INTO positions AS p (topic, partition, next_offset, last_cause, tick_at, whole_since, advanced_at)
           SELECT topic, partition, next_offset, last_cause, tick_at, whole_since, clock_timestamp() FROM step
           ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset,
             last_cause = excluded.last_cause, tick_at = excluded.tick_at, advanced_at = excluded.advanced_at,
             whole_since = excluded.whole_since
           WHERE p.next_offset = (SELECT start FROM step s WHERE s.topic = p.topic AND s.partition = p.partition)""",
        [list(c) for c in columns],
    )
    if cursor.rowcount != len(steps):
        raise PositionConflictError({key: a.start for key, a in steps})


def append_entries(cursor: Cursor, entries: Sequence[Entry]) -> list[Recorded]:
    """Append what is new, and return it as it stands in the log now."""
    head = cursor.execute("SELECT position, clock_timestamp() FROM log_head FOR UPDATE").fetchone()
    assert head is not None, "migrations put the row there"
    position, now = int(head[0]), head[1].astimezone(UTC)
    # Statistics of a chunk that is being filled are old: the planner takes it for empty, and would go through all of it
    # for each line (seen in a flood: 49 s for 50,000 lines). So each is looked up in the index (OFFSET 0: no join).
    cursor.execute("SET LOCAL enable_seqscan = off")
    times = [e.time for e in entries]
    there = cursor.execute(
        """SELECT g.id, g.time FROM unnest(%s::uuid[], %s::timestamptz[]) AS g (id, time), LATERAL
           (SELECT FROM events e WHERE e.id = g.id AND e.time = g.time AND e.time BETWEEN %s AND %s OFFSET 0) AS e""",
        ([e.id for e in entries], times, min(times), max(times)),
    )
    known = {(row[0], row[1]) for row in there}
    areas = sorted({e.area for e in entries})
    rows = cursor.execute("SELECT area, events, hash FROM chain_heads WHERE area = ANY(%s) FOR UPDATE", (areas,))
    heads: dict[str, tuple[int, bytes]] = {r[0]: (r[1], bytes(r[2])) for r in rows}
    lines: list[Recorded] = []
    for entry in entries:
        if (entry.id, entry.time) in known:
            continue
        known.add((entry.id, entry.time))
        position += 1
        line = Recorded(**msgspec.structs.asdict(entry), position=position, recorded_at=now, hash=b"")
        count, before = heads.get(line.area, (0, GENESIS))
        hash_ = link(before, line)
        heads[line.area] = (count + 1, hash_)
        lines.append(msgspec.structs.replace(line, hash=hash_))
    if not lines:
        return lines
    with cursor.copy(f"COPY events ({COLUMNS}) FROM STDIN") as copy:
        for line in lines:
            copy.write_row(
                (
                    line.position, line.id, line.time, line.published_at, line.recorded_at, line.area, line.stream,
                    line.type, line.author, line.cause, line.payload.decode(), line.topic, line.partition, line.offset,
                    line.hash,
                )
            )  # fmt: skip
    cursor.execute("UPDATE log_head SET position = %s", (position,))
    cursor.executemany(
        """INSERT INTO chain_heads (area, events, hash) VALUES (%s, %s, %s)
           ON CONFLICT (area) DO UPDATE SET events = excluded.events, hash = excluded.hash""",
        [(area, *head) for area, head in heads.items()],
    )
    return lines


def apply(cursor: Cursor, changes_: Iterable[Change]) -> None:
    """Bring the changes of rows into the tables: one statement for all that set the same columns."""
    alike: dict[tuple[str, tuple[str, ...], str], list[tuple[Any, ...]]] = {}
    for c in changes_:
        values = (Jsonb(v) if isinstance(v, dict) else v for v in c.values.values())
        alike.setdefault((c.table, tuple(c.values), c.unless), []).append((*c.key, *values))
    for (table, columns, unless), rows in alike.items():
        names = [sql.Identifier(n) for n in (*KEYS[table], *columns)]
        statement = sql.SQL("INSERT INTO {} AS t ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            sql.SQL(", ").join(names[: len(KEYS[table])]),
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(n) for n in names[len(KEYS[table]) :]),
        )
        if unless:
            statement += sql.SQL(" WHERE t.{} IS NULL").format(sql.Identifier(unless))
        cursor.executemany(statement, rows)


def append_letters(cursor: Cursor, letters: Sequence[DeadLetter]) -> int:
    if not letters:
        return 0
    cursor.executemany(
        """INSERT INTO dead_letters (id, at, origin, field, reason, original) VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT DO NOTHING""",
        [
            (x.id, x.at, *(t.replace("\0", "\ufffd") for t in (x.origin, x.field, x.reason)), x.original)
            for x in letters
        ],
    )  # fmt: skip
    return cursor.rowcount


def see(cursor: Cursor, marks: Mapping[Key, int], sources: Mapping[str, SourceSeen]) -> None:
    """Note how far the sources are. In order of their names: two writers then never wait for each other in a circle."""
    if marks:
        cursor.executemany(
            """INSERT INTO marks (source, partition, sequence) VALUES (%s, %s, %s)
               ON CONFLICT (source, partition) DO UPDATE SET sequence = excluded.sequence""",
            [(s, p, n) for (s, p), n in sorted(marks.items())],
        )
    if sources:
        cursor.executemany(
            """INSERT INTO sources AS s (source, complete_up_to, last_time) VALUES (%s, %s, %s)
               ON CONFLICT (source) DO UPDATE SET last_time = greatest(s.last_time, excluded.last_time),
                 complete_up_to = greatest(s.complete_up_to, excluded.complete_up_to)""",
            [(source.replace("\0", "\ufffd"), x.sequence, x.time) for source, x in sorted(sources.items())],
        )


def known(cursor: Cursor, frame: Frame) -> dict[Cell, set[Said]]:
    """What the log has of the frame's device in the frame's span."""
    rows = cursor.execute(
        "SELECT time, point, value, quality FROM readings WHERE device = %s AND time BETWEEN %s AND %s",
        (frame.device, from_micros(int(frame.times[0])), from_micros(int(frame.times[-1]))),
    )
    known: dict[Cell, set[Said]] = {}
    for time, point, value, quality in rows:
        known.setdefault((to_micros(time), point), set()).add(said(value, quality))
    return known


def line(row: Sequence[Any]) -> Recorded:
    return Recorded(
        position=row[0], id=row[1], time=row[2], published_at=row[3], recorded_at=row[4], area=row[5], stream=row[6],
        type=row[7], author=row[8], cause=row[9], payload=row[10].encode(), topic=row[11], partition=row[12],
        offset=row[13], hash=bytes(row[14]),
    )  # fmt: skip
