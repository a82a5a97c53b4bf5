"""A rehearsal: the real engine with a script in place of the plant. Nothing can be sent from here. Pure.

The script says what happens and when, how devices and other systems answer, what points show and what people say. Time
is the script's: it goes from one thing that happens to the next.

    said = rehearse(books, Script("shop/press", happens=(Happens(0.0, (incident_opened,)),)))
    [e.fact for e in said if isinstance(e.fact, CommandIssued)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar
from uuid import UUID

from events import requests as ask
from events.alarms import ConditionCleared, ConditionRaised
from events.devices import CommandFailed, CommandRefused, CommandSucceeded
from events.envelope import Configure, Decision, Event, Fact, Record, Reported, Tick, event
from events.errands import HttpIssued, MessageIssued, RequestIssued
from events.incidents import IncidentAssigned, IncidentClosed, IncidentCommented, IncidentPriorityChanged
from events.playbooks import CommandIssued, QuestionAsked
from events.requests import Request, RunRequest
from events.types import make_id
from expressions import Value, evaluate, parse
from playbooks.brain import PlaybooksBrain
from playbooks.places import general
from playbooks.plan import PlaybookSet, Watch
from playbooks.script import SOON_S, Device, Script, System

_T = TypeVar("_T")


def rehearse(books: PlaybookSet, script: Script) -> list[Event]:
    """All that the playbooks say, in order, until nothing more is to come (or `longest_s` is over)."""
    return _Rehearsal(books, script).play()


class _Rehearsal:
    def __init__(self, books: PlaybookSet, script: Script) -> None:
        self.script, self.brain = script, PlaybooksBrain()
        self.now, self.end = script.begins, script.begins + timedelta(seconds=script.longest_s)
        self.said: list[Event] = []
        self._heap: list[tuple[datetime, int]] = []
        self._do: dict[int, Callable[[], None]] = {}
        self._order = count()
        self._requests = count()
        """By itself: a run that is asked for keeps its id when more is asked for later."""
        self._turn: dict[str, int] = {}
        self.values: dict[str, float | None] = {}
        self._watches = {id_: w for b in books.playbooks if b.area == script.area for id_, w in b.watches.items()}
        self._true: dict[str, datetime] = {}
        """Since when the watch is true."""
        self._raised: set[str] = set()
        self.give(Configure(books.version, script.begins, "rehearsal", books.pack()))
        self.give(Tick(script.begins))
        for shows in script.shows:
            self._at(shows.at_s, self.show, shows.values)
        for happens in script.happens:
            self._at(happens.at_s, self.happens, happens.facts)
        for asks in script.asks:
            self._at(asks.at_s, self.ask, asks.by, asks.role, asks.body)

    def play(self) -> list[Event]:
        while True:
            due = self.brain.due
            first = self._heap[0][0] if self._heap else None
            upcoming = min((at for at in (due, first) if at is not None), default=None)
            if upcoming is None or upcoming > self.end:
                return self.said
            self.now = max(self.now, upcoming)
            self.give(Tick(self.now))
            while self._heap and self._heap[0][0] <= self.now:
                self._do.pop(heappop(self._heap)[1])()

    def give(self, record: Record) -> None:
        said = self.brain.decide(record)
        self.brain.evolve(said)
        self.said += said
        for e in said:
            self._react(e)

    # --- what happens ----------------------------------------------------------------------------------------------

    def _at(self, after_s: float, do: Callable[..., None], *args: object) -> None:
        order = next(self._order)
        self._do[order] = partial(do, *args)
        heappush(self._heap, (self.now + timedelta(seconds=after_s), order))

    def happens(self, facts: Iterable[Fact], cause: UUID | None = None) -> None:
        """The incidents stage says it."""
        cause = cause or make_id("rehearsal", next(self._order))
        events = tuple(self._event(fact, cause, "incidents", i) for i, fact in enumerate(facts))
        self.give(Decision(0, -1, -1, events, self.now))

    def report(self, fact: Fact, cause: UUID) -> None:
        """An edge says it."""
        self.give(Reported("rehearsal", next(self._order), (self._event(fact, cause, "edge rehearsal", 0),)))

    def ask(self, by: str, role: str, body: RunRequest) -> None:
        self.give(Request(
            id=make_id("rehearsal", "asked", next(self._requests)), area=self.script.area, at=self.now, by=by,
            role=role, expires=self.now + timedelta(seconds=60), body=body,
        ))  # fmt: skip

    def _event(self, fact: Fact, cause: UUID, author: str, index: int) -> Event:
        return event(fact, at=self.now, area=self.script.area, cause=cause, author=author, index=index)

    # --- what points show ------------------------------------------------------------------------------------------

    def show(self, values: Mapping[str, float | None]) -> None:
        self.values |= values
        for id_, watch in self._watches.items():
            true = evaluate(parse(watch.text), _Shown(self.values)) is True
            if true and id_ not in self._true:
                self._true[id_] = self.now
                if watch.for_s:
                    self._at(watch.for_s, self._holds, id_, self.now)
                else:
                    self._holds(id_, self.now)  # before anything else happens at this moment
            elif not true and id_ in self._true:
                del self._true[id_]
                if id_ in self._raised:
                    self._raised.discard(id_)
                    self._say_watch(id_, watch, holds=False)

    def _holds(self, id_: str, since: datetime) -> None:
        if self._true.get(id_) == since and id_ not in self._raised:
            self._raised.add(id_)
            self._say_watch(id_, self._watches[id_], holds=True)

    def _say_watch(self, id_: str, watch: Watch, *, holds: bool) -> None:
        rule, occurrence = f"watch.{id_}", make_id("watch", id_, next(self._order))
        if holds:
            self.happens([ConditionRaised(
                occurrence=occurrence, rule=rule, rule_version="", kind="watch", point="", priority="low", value=None,
                message=watch.text, limit=None, unit="", began=self.now,
            )])  # fmt: skip
        else:
            self.happens([ConditionCleared(occurrence=occurrence, rule=rule, point="", value=None)])

    # --- who answers -----------------------------------------------------------------------------------------------

    def _react(self, e: Event) -> None:
        match e.fact:
            case CommandIssued() as fact:
                device = self._next(self.script.devices, fact.point, Device())
                if device is not None and device.how != "no answer":
                    self._at(device.after_s, self._obey, fact, device)
            case HttpIssued() | MessageIssued() as fact:
                status = 200 if isinstance(fact, HttpIssued) else 0
                system = self._next(self.script.systems, fact.step, System(status))
                if system is not None and not system.silent:
                    body = ask.ReportErrand(
                        errand=fact.errand, status=system.status, result=system.result, reason=system.reason,
                        final=system.final,
                    )  # fmt: skip
                    self._at(system.after_s, self.ask, "errands", "system", body)
            case RequestIssued(request=request):
                self._at(SOON_S, self.happens, list(_done(request)), request.id)
            case QuestionAsked() as fact:
                self._asked(fact)
            case _:
                pass

    def _asked(self, fact: QuestionAsked) -> None:
        people = _of_step(self.script.people, fact.step)
        for person in people if fact.four_eyes else people[self._count(fact.step) :][:1]:
            ticked = fact.checklist if person.ticked is None else person.ticked
            answer = ask.AnswerQuestion(
                question=fact.question, answer=person.answer, comment=person.comment, ticked=ticked
            )
            self._at(person.after_s, self.ask, person.by, person.role, answer)

    def _obey(self, c: CommandIssued, device: Device) -> None:
        facts: dict[str, Fact] = {
            "fails": CommandFailed(command=c.command, device=c.device, point=c.point, reason=device.reason),
            "refuses": CommandRefused(command=c.command, device=c.device, point=c.point, reason=device.reason),
        }
        if device.how in facts:
            self.report(facts[device.how], c.command)
            return
        shown = self.values.get(c.point)
        value = c.value if c.kind == "write" else device.read_back if device.read_back is not None else shown
        if value is None:
            reason = f"{c.point} is not known: the script does not show it"
            self.report(CommandFailed(command=c.command, device=c.device, point=c.point, reason=reason), c.command)
            return
        self.report(CommandSucceeded(
            command=c.command, device=c.device, point=c.point, value=c.value, read_back=value, written_at=self.now,
            confirmed_at=self.now,
        ), c.command)  # fmt: skip
        if c.kind == "write":
            self.show({c.point: value})

    def _count(self, name: str) -> int:
        self._turn[name] = self._turn.get(name, -1) + 1
        return self._turn[name]

    def _next(self, of: Mapping[str, tuple[_T, ...]], name: str, otherwise: _T) -> _T:
        known = _of_step(of, name)
        return known[min(self._count(name), len(known) - 1)] if known else otherwise


def _of_step(of: Mapping[str, tuple[_T, ...]], place: str) -> tuple[_T, ...]:
    """What the script says of a step, by its place or by its own name; or of a point."""
    own = place.rpartition(".")[2] if place not in of else place
    return of.get(place) or of.get(general(place)) or of.get(own, ())


class _Shown(dict[str, Value]):
    """A window over a point shows what the point shows, or what the script says of the window itself."""

    def __init__(self, values: Mapping[str, float | None]) -> None:
        super().__init__(values)

    def get(self, key: str, default: Value = None) -> Value:  # type: ignore[override]
        if "(" in key and key not in self:
            function, _, rest = key.partition("(")
            return super().get(rest.partition(",")[0]) if function in ("mean", "ewma", "min", "max") else None
        return super().get(key, default)


def _done(request: Request) -> Iterator[Fact]:
    """What the incidents stage says when it does what a playbook asks for."""
    match request.body:
        case ask.CommentIncident(incident=incident, text=text):
            yield IncidentCommented(incident=incident, by=request.by, text=text)
        case ask.AssignIncident(incident=incident, to=to, comment=comment):
            yield IncidentAssigned(incident=incident, to=to, by=request.by, comment=comment)
        case ask.SetPriority(incident=incident, priority=priority, reason=reason):
            yield IncidentPriorityChanged(incident=incident, priority=priority, by=request.by, reason=reason)
        case ask.CloseIncident(incident=incident, cause=cause, action=action, useful=useful):
            yield IncidentClosed(incident=incident, by=request.by, cause=cause, action=action, useful=useful)
        case _:
            pass
