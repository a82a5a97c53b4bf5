"""The runs of many areas, as a stage's brain: records in, events out. Pure; folds its own events.

What sets a playbook off says `triggers`, whether it begins `desk` and `guard`, how far a run goes `walk`, and what
becomes of what it did `closing` and `past`.

Its time is the newest tick it heard, or the time of the input where that is newer. Ticks are not part of the state: a
brain rebuilt from its events hears the time again within a second, and until then a command's `not_after` protects.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from events.alarms import (
    ConditionCleared,
    ConditionFact,
    ConditionRaised,
    ConditionStands,
    DeviceLockedOut,
    DeviceReleased,
)
from events.devices import CommandOutcome
from events.envelope import Configure, Configured, Decision, Event, Record, Reported, Tick, configured
from events.errands import ErrandDone, ErrandFailed
from events.incidents import IncidentClosed, IncidentMerged, IncidentOpened, IncidentResolved
from events.playbooks import RunRefused, RunStarted
from events.requests import Request, RequestRefused, RunRequest
from events.topics import partition_of
from events.types import EPOCH, Instant, make_id
from playbooks import answers, asking, closing, hands
from playbooks.area import WATCH, Area, fresh
from playbooks.desk import STAGE, Desk, Here, title
from playbooks.index import Index
from playbooks.permissions import RefusedError
from playbooks.plan import Device, Playbook, PlaybookSet, unpack
from playbooks.run import LATE
from playbooks.schedule import Timetable, newest_of
from playbooks.triggers import Beside
from playbooks.turn import Book

ANSWERED = 1024
"""So many requests are remembered, to know one that is sent again."""
AT_ONCE = 2000
"""Runs that one tick moves on; the others are due at the next. What they say must fit one record."""
_RUN_REQUEST = get_args(RunRequest)


class Saved(Struct, frozen=True, array_like=True):
    """Attributes: since: when the playbooks in force came into force."""

    now: Instant
    version: str
    since: Instant
    current: list[Playbook]
    former: list[Playbook]
    areas: dict[str, Area]
    devices: dict[str, Device]
    answered: list[UUID]


_decode = msgspec.msgpack.Decoder(Saved).decode


class PlaybooksBrain:
    """Attributes:
    areas: state of each; current: the playbooks in force, by area; books: these, and those that runs began with.
    partition: schedules only of its areas are looked after; None: of all.
    index: follows from the runs.
    """

    folds: ClassVar[bool] = True

    def __init__(self, partition: int | None = None) -> None:
        self.partition = partition
        self.areas: dict[str, Area] = {}
        self.current: dict[str, list[Book]] = {}
        self.books: dict[tuple[str, str], Book] = {}
        self.devices: dict[str, Device] = {}
        self.version = ""
        self.since: datetime = EPOCH
        self.now: datetime = EPOCH
        self.answered: dict[UUID, None] = {}
        self.index = Index()
        self._timetable = Timetable()

    def decide(self, given: Record) -> list[Event]:
        match given:
            case Decision(events=events):
                return self._heard(events)
            case Reported(events=events):
                return self._outcomes(events)
            case Tick():
                return self._tick(given)
            case Request():
                return self._request(given)
            case Configure():
                return self._configure(given)
            case _:
                return []  # frames concern another stage

    @property
    def due(self) -> datetime | None:
        """The next time at which a tick would make it say something."""
        dues = [self.index.agenda.after(self.now), self._timetable.first]
        dues += [loop.until for area in self.areas.values() for loop in area.loops.values()]
        return min((due for due in dues if due is not None), default=None)

    # --- the inputs ------------------------------------------------------------------------------------------------

    def _desk(self) -> Desk:
        return Desk(self, self.areas)

    def _here(self, e: Event) -> Here:
        return Here(e.area, e.id, max(self.now, e.at))

    def _heard(self, given: Sequence[Event]) -> list[Event]:
        desk, beside = self._desk(), Beside(given)
        for e in given:  # a run that begins below knows what is true
            if isinstance(e.fact, ConditionFact) and e.fact.rule.startswith(WATCH):
                self._watch(desk, e, e.fact)
        for e in given:
            here = self._here(e)
            if e.area in self.current:
                for cause in beside.causes(e):
                    desk.caused(here, e.at, cause)
            match e.fact:
                case IncidentOpened(incident=id_, split_from=UUID() as source):
                    closing.moved(desk, here, source, id_, "split", 1)
                case IncidentMerged(incident=id_, into=into):
                    closing.moved(desk, here, id_, into, "merged", beside.openings.get(into, 1))
                case IncidentResolved(incident=id_, opening=opening, by=by):
                    opening = max(opening, beside.openings.get(id_, 1))
                    closing.resolved(desk, here, e.at, id_, opening, by, beside.quieted)
                case IncidentClosed(incident=id_):
                    closing.closed(desk, here, e.at, id_)
                case DeviceLockedOut(device=device, by=by, reason=reason):
                    hands.maintain(desk, here, device, f"by {by}: {reason}")
                case DeviceReleased(device=device):
                    hands.maintain(desk, here, device, "")
                case _:
                    pass
            if (awaiting := self.index.awaited.get(e.cause)) is not None:
                desk.answer(here._replace(area=awaiting[0]), awaiting[1], partial(answers.incident, e=e))
        return desk.out

    def _watch(self, desk: Desk, e: Event, fact: ConditionRaised | ConditionCleared | ConditionStands) -> None:
        id_ = fact.rule.removeprefix(WATCH)
        if (id_ in desk.area(e.area).watches) != isinstance(fact, ConditionCleared):
            return  # told again
        if isinstance(fact, ConditionRaised) and fact.late:
            return  # it was so; whether it is so now, nobody knows yet
        desk.pass_on(e)
        # those that went on in this very input may wait for it since then
        for run in sorted({*self.index.listening(e.area, id_), *desk.touched.get(e.area, ())}):
            desk.advance(self._here(e), run)

    def _outcomes(self, given: Sequence[Event]) -> list[Event]:
        desk = self._desk()
        for e in given:
            if isinstance(e.fact, CommandOutcome) and (awaiting := self.index.awaited.get(e.fact.command)) is not None:
                here = self._here(e)._replace(area=awaiting[0])
                desk.answer(here, awaiting[1], partial(answers.command, outcome=e.fact))
        return desk.out

    def _tick(self, given: Tick) -> list[Event]:
        if given.at <= self.now:
            return []  # of a second owner: its facts would get the ids of those that the first one caused
        self.now = now = given.at
        desk = self._desk()
        for name, run in self.index.agenda.until(now, AT_ONCE):
            desk.advance(Here(name, given.id_for(name), now), run)
        for name, playbook in self._timetable.until(now):
            self._by_schedule(desk, Here(name, given.id_for(name), now), playbook)
        for name, area in self.areas.items():
            for playbook, loop in area.loops.items():
                if loop.until <= now and loop.occurrence is not None:
                    desk.say(STAGE, Here(name, given.id_for(name), now), ConditionCleared(
                        occurrence=loop.occurrence, rule="playbook_loop", point=playbook, value=None
                    ))  # fmt: skip
        return desk.out

    def _by_schedule(self, desk: Desk, here: Here, playbook: str) -> None:
        """Begin it; times that were missed are history, and said once."""
        book = next(b for b in self.current[here.area] if b.playbook.playbook == playbook)
        plan = book.playbook
        last = desk.area(here.area).planned.get(playbook, EPOCH)
        planned, missed = newest_of(plan, max(last, self.since), here.now)
        fact = RunStarted(
            run=make_id("run", plan.playbook, planned.isoformat()), playbook=plan.playbook, version=plan.version,
            incident=None, title=title(book, ""), planned=planned,
        )  # fmt: skip
        if here.now - planned > LATE:
            times = f", {missed} times were missed" if missed > 1 else ""
            desk.refuse(here, book, fact, f"it was planned for {planned:%Y-%m-%d %H:%M} and is history{times}")
        else:
            desk.begin(here, planned, book, fact)
            desk.release(here)

    def _request(self, given: Request) -> list[Event]:
        """Facts, or a refusal that says why; nothing for one that was answered before, or that others answer."""
        body, now = given.body, max(self.now, given.at)
        if given.id in self.answered or not isinstance(body, _RUN_REQUEST) or not self._is_here(given.area):
            return []
        desk, here = self._desk(), Here(given.area, given.id, now)
        try:
            if given.expires < self.now:
                raise RefusedError(f"expired: it was to be done by {given.expires.isoformat()}")
            asking.request(desk, here, given, body)
        except RefusedError as error:
            desk = self._desk()
            desk.say(STAGE, here, RequestRefused(request=given.id, by=given.by, reason=error.reason))
        return desk.out

    def _configure(self, given: Configure) -> list[Event]:
        if given.version == self.version:
            return []
        books = unpack(given.body)  # refused here, by the exception, and not in `evolve`
        cause = make_id("configure", STAGE, given.version, given.at.isoformat())  # a version may come back
        desk = self._desk()
        fact = configured(STAGE, given)
        desk.say(STAGE, Here("*", cause, given.at), fact)
        self._moved(desk, given, books)
        return desk.out

    def _moved(self, desk: Desk, given: Configure, books: PlaybookSet) -> None:
        """Who holds the session of a locked device now must know it too, and hands are off new devices as well."""
        for name, area in self.areas.items():
            cause = make_id("locks", STAGE, given.version, given.at.isoformat(), name)
            here = Here(name, cause, max(self.now, given.at))
            for device, reason in area.locked.items():
                edge = books.devices[device].edge if device in books.devices else ""
                if device not in self.devices or edge != self.devices[device].edge:
                    desk.tell_executor(here, device, reason, edge)
            for device, new in books.devices.items():
                if area.off and new.area == name and device not in area.locked:
                    desk.tell_executor(here, device, area.off, new.edge)

    # --- the state -------------------------------------------------------------------------------------------------

    def evolve(self, events: Sequence[Event]) -> None:
        touched: dict[tuple[str, UUID], None] = {}
        for e in events:
            if isinstance(e.fact, Configured):
                self._use(e.fact.version, unpack(e.fact.body), e.at)
                continue
            area = self.areas.setdefault(e.area, fresh())
            if (run := area.evolve(e.fact, e.at, self)) is not None:
                touched[e.area, run.run] = None
            if isinstance(e.fact, RunStarted | RunRefused) and e.fact.planned is not None:
                self._plan(e.area)
            self._note_answer(e)
        for name, id_ in touched:
            self._put(name, id_)

    def _put(self, area: str, id_: UUID) -> None:
        run = self.areas[area].runs.get(id_)
        self.index.put(area, id_, run, self.books[run.playbook, run.version] if run is not None else None)

    def _note_answer(self, e: Event) -> None:
        if isinstance(e.fact, RequestRefused | ErrandDone | ErrandFailed) or e.author.startswith("person "):
            self.answered[e.cause] = None
            if len(self.answered) > ANSWERED:
                del self.answered[next(iter(self.answered))]

    def _use(self, version: str, books: PlaybookSet, since: datetime) -> None:
        """These playbooks are in force; runs end under the version they began with."""
        needed = self._needed()
        self.version, self.since, self.current, self.devices = version, since, {}, books.devices
        self.books = {key: book for key, book in self.books.items() if key in needed}
        for plan in books.playbooks:
            book = Book(plan)
            self.current.setdefault(plan.area, []).append(book)
            self.books[plan.playbook, plan.version] = book
        self._timetable = Timetable()
        for area in self.current:
            self._plan(area)

    def _plan(self, area: str) -> None:
        """When the schedules of the area are due next."""
        if self.partition not in (None, partition_of(area)):
            return
        last = self.areas[area].planned if area in self.areas else {}
        self._timetable.plan((book.playbook for book in self.current.get(area, ())), last, self.since)

    def _needed(self) -> set[tuple[str, str]]:
        return {(run.playbook, run.version) for area in self.areas.values() for run in area.runs.values()}

    def _is_here(self, area: str) -> bool:
        return area in self.current or any(device.area == area for device in self.devices.values())

    def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
        """Nothing: this brain folds what was said."""
        return []

    def save(self) -> bytes:
        current = [book.playbook for books in self.current.values() for book in books]
        former = [book for key in sorted(self._needed()) if (book := self.books[key].playbook) not in current]
        return msgspec.msgpack.encode(Saved(
            self.now, self.version, self.since, current, former, self.areas, self.devices, list(self.answered)
        ))  # fmt: skip

    def load(self, raw: bytes) -> None:
        saved = _decode(raw)
        self.now, self.areas, self.answered = saved.now, saved.areas, dict.fromkeys(saved.answered)
        self.books = {(b.playbook, b.version): Book(b) for b in saved.former}
        self._use(saved.version, PlaybookSet(tuple(saved.current), saved.devices), saved.since)
        self.index = Index()
        for name, area in self.areas.items():
            for id_ in area.runs:
                self._put(name, id_)
