"""Bring the database to the newest schema. Safe to repeat, and from several processes at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError

import migrations

_LOCK = 0x616E646F6E01  # "andon" 1: only that two of us take the same number


def upgrade(database_url: str, to: str = "head") -> str:
    """Apply what is missing up to the revision `to`; the one the database is at now.

    Raises:
        sqlalchemy.exc.OperationalError: the database does not answer.
    """
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
            config = _config(connection)
            command.upgrade(config, to)
            connection.commit()
            _quiet(connection)
            return revision(connection) or ""
    finally:
        engine.dispose()


def revision(connection: Connection) -> str | None:
    """The revision of the database; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision this code wants."""
    return ScriptDirectory(str(_folder())).get_current_head()


def _folder() -> Path:
    return Path(migrations.__file__).parent


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _quiet(connection: Connection) -> None:
    """The Apache edition schedules its own job 3, and refuses it with an error in the log at every start. Switching it
    off is the superuser's; who made the database for us may have done it already."""
    try:
        connection.execute(text("UPDATE _timescaledb_config.bgw_job SET scheduled = false WHERE id = 3 AND scheduled"))
        connection.commit()
    except ProgrammingError:  # not ours to change: a line in the database's own log, nothing else
        connection.rollback()
