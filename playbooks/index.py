"""Who waits for what: follows from the runs, is made anew from them, and is never saved. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from uuid import UUID

from bus.agenda import Agenda
from playbooks.places import general
from playbooks.recipe import WaitFor
from playbooks.run import Run
from playbooks.turn import Book

_WATCH = re.compile(r"\bwatch\.(\w+)")
Key = tuple[str, UUID]
"""An area, and a run of it."""


class Index:
    """Attributes: awaited: command, errand, question or request -> the run that waits for it; agenda: when time alone
    changes something."""

    def __init__(self) -> None:
        self.awaited: dict[UUID, Key] = {}
        self.agenda: Agenda[Key] = Agenda()
        self._listening: dict[tuple[str, str], set[UUID]] = {}
        self._of: dict[Key, tuple[tuple[UUID, ...], tuple[str, ...]]] = {}

    def listening(self, area: str, watch: str) -> Collection[UUID]:
        """The runs that wait for the watch."""
        return self._listening.get((area, watch), ())

    def put(self, area: str, id_: UUID, run: Run | None, book: Book | None) -> None:
        """From here on it waits for what it waits for now; None: it has ended."""
        key = (area, id_)
        before = self._of.pop(key, ((), ()))
        for awaited in before[0]:
            self.awaited.pop(awaited, None)
        for watch in before[1]:
            self._listening[area, watch].discard(id_)
        self.agenda.set(key, run.due if run is not None else None)
        if run is None or book is None:
            return
        now = (run.awaited, _watches(run, book))
        for awaited in now[0]:
            self.awaited[awaited] = key
        for watch in now[1]:
            self._listening.setdefault((area, watch), set()).add(id_)
        if now != ((), ()):
            self._of[key] = now


def _watches(run: Run, book: Book) -> tuple[str, ...]:
    found: list[str] = []
    for place, state in run.steps.items():
        if state.status == "going" and state.awaits is None:
            act = book.places[general(place)].act
            if isinstance(act, WaitFor):
                found += _WATCH.findall(act.condition.text)
    return tuple(dict.fromkeys(found))
