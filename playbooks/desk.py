"""Where one input is decided: drafts of the areas it concerns, and the events so far. Pure.

**Each cause anew, none twice.** An occurrence sets a playbook off once. Another alarm of the incident sets off only
what has not run in this opening; one that comes back sets off again what it set off before. What would begin too soon
after the last time, or while that still goes, waits, and one waits for all that come meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from events.alarms import ConditionRaised
from events.envelope import Event, Fact, event
from events.playbooks import LockOutIssued, RunLooped, RunRefused, RunsHandedOn, RunStarted, Scalar
from events.types import make_id
from playbooks import endings, guard, names, past, walk
from playbooks.answers import Ended
from playbooks.area import Area, Memory, apart, fresh
from playbooks.plan import OnIncident
from playbooks.recipe import Write
from playbooks.run import LATE, Run, RunFact
from playbooks.triggers import Cause
from playbooks.turn import Book, Obstacle, Turn

STAGE = "playbooks"


class Here(NamedTuple):
    """What is being decided: in which area, because of what, when."""

    area: str
    cause: UUID
    now: datetime


class Scene:
    """The area as a run sees it in its turn. Attributes: author: of what it says."""

    def __init__(self, desk: Desk, here: Here, author: str) -> None:
        self._desk, self._here, self._author = desk, here, author
        self._area = desk.area(here.area)

    @property
    def now(self) -> datetime:
        return self._here.now

    @property
    def watches(self) -> Collection[str]:
        return self._area.watches

    def say(self, run: Run, fact: RunFact) -> Run:
        return self._desk.say(self._author, self._here, fact) or run

    def obstacle(self, run: Run, book: Book, act: Write) -> Obstacle | None:
        return guard.obstacle(self._area, self._desk.memory, run, book, act, self._here.now)


class Desk:
    """Attributes: out: the events so far; touched: the runs that something was said of, by area."""

    def __init__(self, memory: Memory, areas: dict[str, Area]) -> None:
        self.memory = memory
        self._live = areas
        self._drafts: dict[str, Area] = {}
        self._count: Counter[tuple[UUID, str]] = Counter()
        self.out: list[Event] = []
        self.touched: dict[str, set[UUID]] = {}

    def area(self, name: str) -> Area:
        if name not in self._drafts:
            self._drafts[name] = self._live[name].draft() if name in self._live else fresh()
        return self._drafts[name]

    def say(self, author: str, here: Here, fact: Fact) -> Run | None:
        """It happens; the run after it, where it is about one."""
        index = self._count[here.cause, author]
        self._count[here.cause, author] += 1
        self.out.append(event(fact, at=here.now, area=here.area, cause=here.cause, author=author, index=index))
        run = self.area(here.area).evolve(fact, here.now, self.memory)
        if run is not None:
            self.touched.setdefault(here.area, set()).add(run.run)
        return run

    def pass_on(self, e: Event) -> None:
        """What another stage said changes what is known here: so it is said here, too."""
        self.out.append(e)
        self.area(e.area).evolve(e.fact, e.at, self.memory)

    def book(self, run: Run) -> Book:
        return self.memory.books[run.playbook, run.version]

    def turn(self, here: Here, run: Run, author: str = "") -> Turn:
        book = self.book(run)
        return Turn(book, run, Scene(self, here, author or book.playbook.author))

    def advance(self, here: Here, run: UUID) -> None:
        """Time has passed, or a watch has changed."""
        if (found := self.area(here.area).runs.get(run)) is None:
            return
        turn = self.turn(here, found)
        if found.paused is not None and found.paused.due <= here.now:
            endings.end(turn, "cancelled", "it was paused for too long")
        if not turn.run.waits:
            walk.advance(turn)
        self.release(here, too_late=turn.late)

    def answer(self, here: Here, run: UUID, by: Callable[[Turn], Ended | None], author: str = "") -> None:
        """A step of the run was answered; it goes on. author: of the answer itself."""
        if (found := self.area(here.area).runs.get(run)) is None:
            return
        if (ended := by(self.turn(here, found, author))) is None:
            return
        turn = self.turn(here, self.area(here.area).runs[run])
        walk.go_on(turn, ended.place, ended.due)
        self.release(here, too_late=turn.late)

    # --- what begins -----------------------------------------------------------------------------------------------

    def caused(self, here: Here, at: datetime, cause: Cause) -> None:
        """Begin what an alarm, or a change of an incident, sets off. at: when it happened."""
        hit = [book for book in self.memory.current.get(here.area, ()) if cause.sets_off(book.playbook)]
        for book in hit:
            if cause.incident is None:
                self._apart(here, at, book, cause)
            else:
                self._for_incident(here, at, book, cause, cause.incident)
        if hit:
            self.release(here)

    def _apart(self, here: Here, at: datetime, book: Book, cause: Cause) -> None:
        plan = book.playbook
        if (id_ := apart(plan.playbook, cause.occurrence)) in self.area(here.area).begun:
            return
        self.begin(here, at, book, RunStarted(
            run=id_, playbook=plan.playbook, version=plan.version, incident=None, alarm=cause.occurrence, by=cause.by,
            title=title(book, str(cause.scope.get("alarm.message", ""))), scope=cause.scope,
        ))  # fmt: skip

    def _for_incident(self, here: Here, at: datetime, book: Book, cause: Cause, incident: UUID) -> None:
        area, plan = self.area(here.area), book.playbook
        known = area.about(incident, cause.opening)
        if cause.opening < known.opening:
            return  # told again, from a former opening
        by = cause.by or known.by
        before = known.past.get(plan.playbook)
        again = before is not None and before.count > 0
        if before is not None and cause.occurrence in before.alarms:
            return
        if before is not None and again:
            if not (cause.returned or set(by) & set(before.by)):
                return
            if any(id_ in area.waiting for id_ in area.doing.get(f"{plan.playbook} {incident}", ())):
                return
        about: dict[str, Scalar] = {**cause.scope, **known.about}
        subject = str(about.get("incident.title", about.get("alarm.message", "")))
        rested = before.rested if before is not None and again else here.now
        self.begin(here, at, book, RunStarted(
            run=past.run_id(incident, plan.playbook, known.opening, cause.occurrence, again=again),
            playbook=plan.playbook, version=plan.version, incident=incident, title=title(book, subject),
            opening=known.opening, alarm=cause.occurrence, by=by, scope={"incident.title": subject, **about},
            not_before=rested if rested > here.now else None,
        ))  # fmt: skip

    def begin(self, here: Here, at: datetime, book: Book, fact: RunStarted) -> None:
        """Begin the run, or say why not."""
        if here.now - at > LATE:
            self.refuse(here, book, fact, f"the trigger is history: it is {(here.now - at).total_seconds():.0f} s old")
        elif reason := self.why_not(here, book, fact):
            self.refuse(here, book, fact, reason)
        else:
            self.start(here, book, fact)

    def why_not(self, here: Here, book: Book, fact: RunStarted) -> str:
        """Why the run does not begin, "" when it does. A loop is cut, and said."""
        area, plan = self.area(here.area), book.playbook
        if plan.when is not None and not names.holds(plan.when, names.about(plan, fact.scope, area.watches)):
            return f"not so: {plan.when.said}"
        if reason := guard.refusal(area, book, here.now):
            return reason
        if not (chain := guard.loop(area, book, fact, here.now)):
            return ""
        until = here.now + guard.CUT
        self.say(STAGE, here, RunLooped(playbook=plan.playbook, incident=fact.incident, chain=chain, until=until))
        self.say(STAGE, here, ConditionRaised(
            occurrence=make_id("playbook_loop", here.area, plan.playbook, here.now.isoformat()), rule="playbook_loop",
            rule_version="", kind="state", point=plan.playbook, priority="high", value=None, limit=None, unit="",
            message=f"Playbook {plan.playbook} sets itself off: it is refused until {until:%H:%M:%S}", began=here.now,
        ))  # fmt: skip
        return f"it sets itself off: {' > '.join(chain)}"

    def start(self, here: Here, book: Book, fact: RunStarted, author: str = "") -> None:
        area, plan = self.area(here.area), book.playbook
        if plan.opens:
            self._cancel_resets(here, book, fact)
        if plan.mode == "restart":
            for run in area.of(plan.playbook):
                endings.drop(self.turn(here, run), "it begins anew", instead=plan)
        chain = tuple(name for name, _ in area.links(fact, here.now))
        started = RunStarted(**{**{f: getattr(fact, f) for f in fact.__struct_fields__}, "chain": chain})
        self.say(author or plan.author, here, started)

    def refuse(self, here: Here, book: Book, fact: RunStarted, reason: str) -> None:
        self.say(book.playbook.author, here, RunRefused(
            playbook=fact.playbook, incident=fact.incident, opening=fact.opening, alarm=fact.alarm, reason=reason,
            by=fact.by, asked_by=fact.asked_by, planned=fact.planned,
        ))  # fmt: skip

    def release(self, here: Here, too_late: bool = False) -> None:
        """Let those runs go that wait for no other (any more); those whose forerunner was history end with it."""
        area = self.area(here.area)
        for id_ in list(area.waiting):
            run = area.runs.get(id_)
            if run is None or run.paused is not None or (run.not_before is not None and run.not_before > here.now):
                continue
            book = self.book(run)
            if any(self._first(book, run, other) for other in self._going(area, book, run)):
                continue
            turn = self.turn(here, run)
            if too_late:
                endings.too_late(turn, "its begin: what it waited for ended too late")
            elif turn.is_history(run.not_before):
                when = f"{run.not_before:%H:%M:%S}"
                endings.too_late(turn, f"its begin: it was due at {when} and noticed too late")
            else:
                walk.advance(turn)

    def _going(self, area: Area, book: Book, run: Run) -> Iterable[Run]:
        """Those that it may have to wait for."""
        if not book.playbook.opens:
            found: Iterable[Run] = area.runs.values()
        elif book.playbook.mode == "queue":
            found = area.of(run.playbook)
        elif run.incident is not None:
            found = area.of(run.playbook, run.incident)
        else:
            found = ()
        return [other for other in found if other.run not in area.waiting]

    def _first(self, book: Book, run: Run, other: Run) -> bool:
        """Whether the other run must end before this one begins."""
        return book.playbook.opens or bool(self.book(other).writes & book.writes)

    def _cancel_resets(self, here: Here, book: Book, fact: RunStarted) -> None:
        """What a former incident's end set off must not undo what the playbook is about to do; the end of the new one
        undoes both."""
        area = self.area(here.area)
        for name in list(area.doing):
            if " " in name or self.book(area.runs[next(iter(area.doing[name]))]).playbook.opens:
                continue
            for run in area.of(name):
                if not (points := self.book(run).writes & book.writes):
                    continue
                because = f"'{fact.playbook}' began for a new incident and writes {', '.join(sorted(points))} too"
                endings.drop(self.turn(here, run), because, instead=book.playbook)
                known = area.known.get(run.incident) if run.incident is not None else None
                ran = tuple(n for n in known.answers_for if n != run.playbook) if known is not None else ()
                if ran and fact.incident is not None and run.incident is not None:
                    handed_on = RunsHandedOn(
                        incident=run.incident, to=fact.incident, opening=fact.opening, playbooks=ran, why="stands"
                    )
                    self.say(STAGE, here, handed_on)

    # --- devices ---------------------------------------------------------------------------------------------------

    def lock(self, here: Here, device: str, reason: str) -> None:
        """From here on the device gets nothing for that reason; "" ends it."""
        known = self.area(here.area).locks.get(device)
        if (known.reason if known else "") != reason:
            edge = self.memory.devices[device].edge if device in self.memory.devices else ""
            self.tell_executor(here, device, reason, edge)

    def tell_executor(self, here: Here, device: str, reason: str, edge: str) -> None:
        known = self.area(here.area).locks.get(device)
        since = here.now if known is None else max(here.now, known.since + timedelta(microseconds=1))
        self.say(STAGE, here, LockOutIssued(edge=edge, device=device, reason=reason, since=since))


def title(book: Book, subject: str) -> str:
    """What a run is called: what is done, and for what."""
    return f"{book.playbook.title}: {subject}" if subject else book.playbook.title


def sets_back(book: Book, event_: str, ran: Collection[str]) -> bool:
    """Whether the end of an incident sets it off, for which those ran."""
    return any(
        isinstance(t, OnIncident) and t.event == event_ and (not t.after or bool(set(t.after) & set(ran)))
        for t in book.playbook.triggers
    )
