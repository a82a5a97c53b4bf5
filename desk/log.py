"""The log as the command line and the HTTP API read it: connections, answers, what words refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from analytics import live
from analytics.rows import Answer
from desk.lookup import InForce, LogLookup
from devices.plant import Plant


class LogAwayError(Exception):
    """The log cannot be read now. Nothing was asked; try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the event log cannot be read: {reason}")
        self.reason = reason


class Log:
    """Thread-safe: each question takes a connection of its own. Attributes: plant: the one in force, when asked."""

    def __init__(self, database_url: str, plant: Callable[[], Plant], *, timeout_s: float = 10.0) -> None:
        self._engine = live.reader(database_url, timeout_s=timeout_s)
        self._in_force = InForce()
        self.plant = plant
        self.close: Callable[[], None] = self._engine.dispose

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose answers are all of one moment.

        Raises:
            LogAwayError: the database does not answer.
        """
        try:
            with self._engine.connect() as db:
                yield db
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()
            raise LogAwayError(reason[0] if reason else type(error).__name__) from error

    def areas(self) -> frozenset[str]:
        """Of the plant in force; its files say them, not the log."""
        return frozenset(self.plant().areas)

    def lookup(self, db: Connection) -> LogLookup:
        plant = self.plant()
        return LogLookup(db, self._in_force.at(db, frozenset(plant.areas)), plant)

    def answer(self, request: UUID) -> Answer | None:
        """`asking.Answers`. None also while the log cannot be read: what was sent is sent, its outcome unknown."""
        try:
            with self.read() as db:
                return live.answer(db, request)
        except LogAwayError:
            return None
