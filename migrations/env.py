"""How Alembic reaches the database. A connection handed over by `eventlog.migrate`, or ANDON_DATABASE_URL."""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine

from eventlog.tables import METADATA


def ours(name: str | None, type_: str, parents: Any) -> bool:
    """Only our schema: chunks live in _timescaledb_internal, and the extension has schemas of its own."""
    return name in (None, "public") if type_ == "schema" else True


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=METADATA, include_name=ours, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(os.environ["ANDON_DATABASE_URL"]).connect() as own:
        run(own)
        own.commit()
