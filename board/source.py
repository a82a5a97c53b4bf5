"""What the board asks for: a `BoardSource`. In production the log's read model, `analytics.live`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from analytics import history, live, runs, standing
from analytics.history import Handover
from analytics.rows import Alarm, Answer, Overview, Sample, Story
from analytics.run_rows import Question, Run
from desk.lookup import playbooks
from desk.seen import PlaybookSeen, playbook_seen

ANSWERS_WITHIN_S = 3.0

T = TypeVar("T")


class SourceError(Exception):
    """The log cannot be read now: show the last that was read, and its age. The next refresh tries again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the event log cannot be read: {reason}")
        self.reason = reason


class BoardSource(Protocol):
    """Each may raise `SourceError`; None where the log knows no such id."""

    def overview(self) -> Overview: ...

    def held_back(self) -> tuple[Alarm, ...]: ...

    def handovers(self) -> tuple[Handover, ...]:
        """The newest first."""

    def alarm(self, alarm: UUID) -> Alarm | None: ...

    def story(self, incident: UUID) -> Story | None: ...

    def question(self, question: UUID) -> Question | None: ...

    def run(self, run: UUID) -> Run | None:
        """With all that belongs to it."""

    def runs(self) -> tuple[Run, ...]:
        """The newest first, without their steps."""

    def playbooks(self) -> tuple[PlaybookSeen, ...]:
        """Those in force."""

    def trend(self, point: str, since: datetime, until: datetime) -> list[Sample]: ...

    def answer(self, request: UUID) -> Answer | None: ...


class LiveSource:
    """Thread-safe: each question takes a connection of its own."""

    def __init__(self, database_url: str, areas: Collection[str] = ()) -> None:
        self._areas = areas
        self._engine = live.reader(database_url, timeout_s=ANSWERS_WITHIN_S)
        self.close = self._engine.dispose

    def overview(self) -> Overview:
        return self._ask(live.overview)

    def held_back(self) -> tuple[Alarm, ...]:
        return self._ask(_held_back)

    def handovers(self) -> tuple[Handover, ...]:
        return self._ask(_handovers)

    def alarm(self, alarm: UUID) -> Alarm | None:
        return self._ask(live.alarm, alarm)

    def story(self, incident: UUID) -> Story | None:
        return self._ask(live.story, incident)

    def question(self, question: UUID) -> Question | None:
        return self._ask(runs.question, question)

    def run(self, run: UUID) -> Run | None:
        return self._ask(runs.run, run)

    def runs(self) -> tuple[Run, ...]:
        return self._ask(_runs)

    def playbooks(self) -> tuple[PlaybookSeen, ...]:
        return self._ask(_playbooks, self._areas)

    def trend(self, point: str, since: datetime, until: datetime) -> list[Sample]:
        return self._ask(live.trend, point, since, until)

    def answer(self, request: UUID) -> Answer | None:
        return self._ask(live.answer, request)

    def _ask(self, question: Callable[..., T], *given: Any) -> T:
        try:
            with self._engine.connect() as db:
                return question(db, *given)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()
            raise SourceError(reason[0] if reason else type(error).__name__) from error


def _held_back(db: Connection) -> tuple[Alarm, ...]:
    return standing.foremost(db, view="held back", limit=50)


def _handovers(db: Connection) -> tuple[Handover, ...]:
    return tuple(history.handovers(db, limit=30))


def _runs(db: Connection) -> tuple[Run, ...]:
    return tuple(runs.runs(db, limit=50))


def _playbooks(db: Connection, areas: Collection[str]) -> tuple[PlaybookSeen, ...]:
    found = playbooks(db, areas)
    return tuple(playbook_seen(found[name]) for name in sorted(found))
