"""The database's history, forward only (Alembic). Applied by `eventlog.migrate.upgrade`."""
