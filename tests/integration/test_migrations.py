"""The schema: forward only, the same as the code says, and a log that refuses to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from analytics import live, standing
from andon.stack.timescale import Timescale
from eventlog import statements
from eventlog.entry import Recorded
from eventlog.log import Batch, ChainBrokenError
from eventlog.migrate import newest, revision, upgrade
from eventlog.projections import REBUILT, Change, changes
from eventlog.tables import METADATA
from eventlog.timescale import connect, opened
from events.alarms import AlarmCleared
from tests.conftest import Stack
from tests.contract.stories import COOLING, PRESS, alarm_of, entries, event, raised, story

pytestmark = pytest.mark.integration


def test_several_upgrades_at_once_leave_one_schema(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(upgrade, [database] * 4)} == {newest()}
    with create_engine(database).connect() as connection:
        assert revision(connection) == newest()


def test_the_schema_is_what_the_code_asks_for(database: str) -> None:
    upgrade(database)
    with create_engine(database).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("change", ["UPDATE events SET area = 'x'", "DELETE FROM events", "TRUNCATE events"])
def test_the_log_refuses_to_be_changed(database: str, change: str) -> None:
    upgrade(database)
    with opened(database) as log:
        log.append(Batch(entries=entries(story())))
    with create_engine(database).connect() as connection, pytest.raises(ProgrammingError, match="append-only"):
        connection.execute(text(change))


def test_who_changes_a_line_behind_the_log_s_back_is_found_out(database: str) -> None:
    upgrade(database)
    with opened(database) as log, log.connection.transaction(force_rollback=True):
        log.append(Batch(entries=entries(story())))
        count = log.verify(PRESS)
        log.connection.execute("DROP TRIGGER events_append_only ON events")
        log.connection.execute("UPDATE events SET author = 'nobody' WHERE position = 9")
        with pytest.raises(ChainBrokenError) as broken:
            log.verify(PRESS)
        assert broken.value.position == 9
        log.connection.execute("UPDATE events SET author = 'test' WHERE position = 9")
        assert log.verify(PRESS) == count
        log.connection.execute("DELETE FROM events WHERE position = (SELECT max(position) FROM events)")
        with pytest.raises(ChainBrokenError, match="head"):
            log.verify(PRESS)


def test_the_hypertables_are_made_without_what_the_apache_edition_lacks(database: str) -> None:
    upgrade(database)
    with create_engine(database).connect() as connection:
        names = connection.scalars(text("SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"))
        assert list(names) == ["events", "scans"]


@pytest.fixture
def old_database(stack: Stack) -> Iterator[str]:
    """A database of its own, at the first revision."""
    server = stack.services.get("timescale")
    if not isinstance(server, Timescale):
        pytest.skip("ANDON_DATABASE_URL is set: a database at an old revision needs the server that the tests start")
    server.create_database("t_first_revision")
    url = make_url(stack.instance.database_url).set(database="t_first_revision").render_as_string(hide_password=False)
    assert upgrade(url, to="0001") == "0001"
    yield url
    server.drop_database("t_first_revision")


def test_a_log_of_the_first_revision_goes_on_as_if_it_had_been_written_now(old_database: str) -> None:
    raised_ = [event(raised("cooling_flow"), 60, area=COOLING), event(raised("cooling_flow2"), 61, area=COOLING)]
    cleared = event(AlarmCleared(alarm=alarm_of("cooling_flow2"), value=1.0), 62, area=COOLING)
    with connect(old_database) as connection, connection.cursor() as cursor:
        lines = statements.append_entries(cursor, entries([*story(), *raised_, cleared]))
        statements.apply(cursor, list(as_the_first_revision_wrote(cursor, lines)))
    upgrade(old_database)
    with opened(old_database) as log:
        migrated = {table: log.rows(table) for table in REBUILT}
        log.rebuild()
        assert migrated == {table: log.rows(table) for table in REBUILT}
        assert log.verify(PRESS) == len(story()), "the lines and their chain are what they were"
    engine = live.reader(old_database)
    with engine.connect() as db:
        assert [(a.name, a.state) for a in standing.alarms(db).alarms] == [
            ("cooling_flow2", "D"), ("cooling_flow", "B"),
        ]  # fmt: skip
    engine.dispose()


def as_the_first_revision_wrote(cursor: psycopg.Cursor[Any], lines: list[Recorded]) -> Iterator[Change]:
    """The changes of the lines, without tables and columns that there were not yet."""
    found = cursor.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
    there = {tuple(row) for row in found}
    for change in (c for line in lines for c in changes(line)):
        values = {k: v for k, v in change.values.items() if (change.table, k) in there}
        if values:
            yield Change(change.table, change.key, values, change.unless)
