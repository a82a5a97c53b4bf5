"""One run's turn in one input: what it may ask, and how it says what becomes of its steps. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from events.notifications import NotificationIssued
from events.playbooks import Scalar, StepFinished, StepStarted
from events.types import Priority, make_id
from expressions import Value
from playbooks import names
from playbooks.places import general, index
from playbooks.plan import Playbook
from playbooks.recipe import Condition, Step, Write
from playbooks.run import LATE, Run, RunFact, StepState


class Book:
    """A playbook, and where its steps stand. Attributes: places: all its steps by their general place."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook

    @cached_property
    def places(self) -> dict[str, Step]:
        return index(self.playbook.steps)

    @cached_property
    def writes(self) -> frozenset[str]:
        return self.playbook.writes


class Obstacle(Struct, frozen=True):
    """Why a point is not written now. Attributes: passes: it may be gone by the next attempt."""

    reason: str
    passes: bool


class World(Protocol):
    """What is around a run: its area. Attributes: now: time of the input; watches: those that are true."""

    @property
    def now(self) -> datetime: ...

    @property
    def watches(self) -> Collection[str]: ...

    def say(self, run: Run, fact: RunFact) -> Run:
        """It happens. Returns the run after it."""

    def obstacle(self, run: Run, book: Book, act: Write) -> Obstacle | None:
        """What keeps the run from writing; None: nothing."""


class Turn:
    """Attributes: run: as it is now; trouble: the first step that failed for good and was passed over, and why; late:
    it ended since it was noticed too late."""

    def __init__(self, book: Book, run: Run, world: World) -> None:
        self.book, self.run, self.world = book, run, world
        self.trouble = ""
        self.late = False

    @property
    def now(self) -> datetime:
        return self.world.now

    @property
    def playbook(self) -> Playbook:
        return self.book.playbook

    def state(self, place: str) -> StepState:
        return self.run.steps[place]

    def say(self, fact: RunFact) -> None:
        self.run = self.world.say(self.run, fact)

    # --- what a step comes to --------------------------------------------------------------------------------------

    def start(self, place: str, attempt: int, due: datetime) -> None:
        self.say(StepStarted(run=self.run.run, step=place, attempt=attempt, due=due))

    def done(
        self, place: str, detail: str = "", result: dict[str, Scalar] | None = None,
        variables: dict[str, Scalar] | None = None, by: str = "",
    ) -> None:  # fmt: skip
        self.say(StepFinished(
            run=self.run.run, step=place, attempt=self.state(place).attempt, outcome="done", detail=detail,
            result=result or {}, set=variables or {}, by=by,
        ))  # fmt: skip

    def skip(self, place: str, detail: str) -> None:
        attempt = self.state(place).attempt
        self.say(StepFinished(run=self.run.run, step=place, attempt=attempt, outcome="skipped", detail=detail))

    def fail(
        self, step: Step, place: str, reason: str, *, again: bool = True, unsure: bool = False,
        not_before: datetime | None = None, result: dict[str, Scalar] | None = None, by: str = "",
    ) -> None:  # fmt: skip
        """The attempt has failed. again: another one may help; unsure: this one may have moved a device."""
        state, at = self.state(place), None
        if again and state.attempt - state.before <= step.retry and not self.is_history(state.due):
            at = self.now + timedelta(seconds=step.pause_s)
            at = at if not_before is None else max(at, not_before)
        self.say(StepFinished(
            run=self.run.run, step=place, attempt=state.attempt, outcome="failed", detail=reason,
            result=result or {}, by=by, again=at, unsure=unsure or state.unsure,
        ))  # fmt: skip

    def cancel(self, place: str, detail: str) -> None:
        state = self.state(place)
        step = self.book.places[general(place)]
        unsure = state.unsure or (state.awaits is not None and isinstance(step.act, Write))
        self.say(StepFinished(
            run=self.run.run, step=place, attempt=state.attempt, outcome="cancelled", detail=detail, unsure=unsure
        ))  # fmt: skip

    def notify(
        self, place: str, to: str, text: str, priority: Priority, *about: object, due: datetime | None = None
    ) -> None:
        self.say(NotificationIssued(
            notification=make_id("notification", self.run.run, *about), run=self.run.run, incident=self.run.incident,
            step=place, to=to, text=text, priority=priority, not_after=due,
        ))  # fmt: skip

    # --- what it knows ---------------------------------------------------------------------------------------------

    def names(self) -> names.Names:
        return names.names_of(self.playbook, self.run, self.world.watches)

    def holds(self, condition: Condition) -> bool:
        return names.holds(condition, self.names())

    def value(self, of: float | str) -> Value:
        return names.value(of, self.names()) if isinstance(of, str) else of

    def text(self, template: str) -> str:
        return names.fill(template, self.names())

    def is_history(self, due: datetime | None) -> bool:
        return due is not None and self.now - due > LATE
