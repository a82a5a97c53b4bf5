"""What is known of the playbooks of one area: runs that go, what was done for which incident, who may act. Pure.

A playbook runs once for each *opening* of an incident, and once more for each new occurrence of an alarm that set it
off before: a device acts each time the cause occurs anew. What it did is undone at the incident's end; where another
incident stands that moved the same points, that one answers for it from then on, and its end undoes both.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bus.layer import Layer
from events.alarms import ConditionCleared, ConditionRaised, ConditionStands
from events.envelope import Fact
from events.playbooks import (
    ActingAllowed,
    ActingStopped,
    CommandIssued,
    LockOutIssued,
    RunFinished,
    RunLooped,
    RunRefused,
    RunsHandedOn,
    RunStarted,
)
from events.types import Instant, make_id
from playbooks import past, run
from playbooks.past import Known
from playbooks.plan import Device, Limit
from playbooks.run import LATE, Link, Run, RunFact
from playbooks.turn import Book

Books = MutableMapping[tuple[str, str], Book]
"""By name and version."""
WATCH = "watch."
REMEMBERED = 64
"""So many runs that have ended are remembered, so that they can be taken up again."""
BEGUN = 4096
_LONGEST_CHAIN = 64
ACKNOWLEDGED = "incident.acknowledged_by"
"""In the scope of what the end of an incident sets off: the person who acknowledged it."""


class Memory(Protocol):
    """What all areas share. Attributes: books: those in force, and those that runs began with; current: those in force,
    by area; devices: by name."""

    @property
    def books(self) -> Books: ...

    @property
    def current(self) -> MutableMapping[str, list[Book]]: ...

    @property
    def devices(self) -> dict[str, Device]: ...


class Lock(Struct, frozen=True, array_like=True):
    """Attributes: reason: "" when the device was released; since: of the newest intent."""

    reason: str
    since: Instant


class Trace(Struct, frozen=True, array_like=True):
    """What a playbook's writes may still set off. Attributes: links: its chain with itself; at: its last write, or its
    end; incident, opening: what it ran for."""

    links: tuple[Link, ...]
    at: Instant
    incident: UUID | None
    opening: int


class Loop(Struct, frozen=True, array_like=True):
    """A playbook that is refused until then. Attributes: occurrence: of the condition that says so."""

    until: Instant
    occurrence: UUID | None = None


class Area(Struct):
    """Attributes:
    runs: those that have not ended, oldest first; waiting: those that have not begun.
    doing: the runs of a playbook, by its name and by its name and incident (`key`).
    ended: the newest ones that have. begun: ids of runs without an incident, also of refused ones.
    known: incidents.
    locks: by device, those that were released too. off: why hands are off, "" when they are not.
    watches: those that are true, with their occurrence.
    holders: point -> the run that wrote it last and goes on.
    starts, moves: the newest times by playbook and by device, where a limit counts them.
    traces, loops, planned (last time of its schedule): by playbook.
    """

    runs: MutableMapping[UUID, Run]
    waiting: dict[UUID, None]
    doing: MutableMapping[str, dict[UUID, None]]
    ended: dict[UUID, Run]
    begun: MutableMapping[UUID, None]
    known: MutableMapping[UUID, Known]
    locks: dict[str, Lock]
    watches: dict[str, UUID]
    holders: dict[str, UUID]
    starts: dict[str, tuple[Instant, ...]]
    moves: dict[str, tuple[Instant, ...]]
    traces: dict[str, Trace]
    loops: dict[str, Loop]
    planned: dict[str, Instant]
    off: str = ""

    def draft(self) -> Area:
        """A copy to think ahead in; the four that may be long cost nothing."""
        return Area(
            Layer(self.runs), dict(self.waiting), Layer(self.doing), dict(self.ended), Layer(self.begun),
            Layer(self.known), dict(self.locks), dict(self.watches), dict(self.holders), dict(self.starts),
            dict(self.moves), dict(self.traces), dict(self.loops), dict(self.planned), self.off,
        )  # fmt: skip

    @property
    def locked(self) -> dict[str, str]:
        """Device -> why it gets nothing."""
        return {device: lock.reason for device, lock in self.locks.items() if lock.reason}

    def about(self, incident: UUID, opening: int = 1) -> Known:
        return self.known.get(incident, Known()).in_opening(opening)

    def of(self, playbook: str, incident: UUID | None = None) -> list[Run]:
        """The runs of a playbook (for that incident), those that wait, too."""
        return [self.runs[id_] for id_ in self.doing.get(key(playbook, incident), ())]

    # --- what is said ----------------------------------------------------------------------------------------------

    def evolve(self, fact: Fact, at: Instant, memory: Memory) -> Run | None:
        """Take over what was said at that time; the run after it, where it is about one. Never refuses."""
        match fact:
            case RunStarted():
                return self._started(fact, at, memory)
            case RunRefused():
                self._seen(fact, {}, None)
            case RunsHandedOn():
                past.handed_on(self.known, fact)
                if fact.by:
                    self.traces = {n: t for n, t in self.traces.items() if t.incident != fact.incident}
            case LockOutIssued(device=device, reason=reason, since=since):
                self.locks[device] = Lock(reason, since)
            case ActingStopped(by=by, reason=reason):
                self.off = hands_off(by, reason)
            case ActingAllowed():
                self.off = ""
            case RunLooped(playbook=playbook, until=until):
                self.loops[playbook] = Loop(until)
            case ConditionRaised(rule="playbook_loop", point=playbook, occurrence=occurrence) if playbook in self.loops:
                self.loops[playbook] = Loop(self.loops[playbook].until, occurrence)
            case ConditionRaised(rule=rule, occurrence=occurrence) if rule.startswith(WATCH):
                self.watches[rule.removeprefix(WATCH)] = occurrence
            case ConditionStands(rule=rule, occurrence=occurrence) if rule.startswith(WATCH):
                self.watches[rule.removeprefix(WATCH)] = occurrence
            case ConditionCleared(rule=rule) if rule.startswith(WATCH):
                self.watches.pop(rule.removeprefix(WATCH), None)
            case ConditionCleared(rule="playbook_loop", point=playbook):
                self.loops.pop(playbook, None)
            case _ if isinstance(fact, RunFact) and fact.run is not None and fact.run in self.runs:
                return self._of_run(self.runs[fact.run], fact, at, memory)
            case _:
                pass  # of another stage, or of a run that has ended
        return None

    def _started(self, fact: RunStarted, at: Instant, memory: Memory) -> Run:
        links = self.links(fact, at)
        new = replace(run.started(fact, at), links=links)
        self.runs[fact.run] = new
        self.waiting[fact.run] = None
        for name in keys(new):
            self.doing[name] = {**self.doing.get(name, {}), fact.run: None}
        about = {name: value for name, value in fact.scope.items() if name.startswith("incident.")}
        self._seen(fact, about, max(at, fact.not_before) if fact.not_before else at)
        book = memory.books.get((fact.playbook, fact.version))
        _count(self.starts, fact.playbook, at, book.playbook.limit if book else None)
        return new

    def _of_run(self, before: Run, fact: RunFact, at: Instant, memory: Memory) -> Run:
        after = run.evolve(before, fact, at)
        if not after.waits:  # paused, it still waits
            self.waiting.pop(after.run, None)
        if isinstance(fact, CommandIssued) and fact.kind == "write":
            self._wrote(after, fact, at, memory)
        if isinstance(fact, RunFinished):
            self._finished(after, at)
        else:
            self.runs[after.run] = after
        return after

    def _wrote(self, by: Run, fact: CommandIssued, at: Instant, memory: Memory) -> None:
        former = self.runs.get(self.holders.get(fact.point, by.run))
        if former is not None and former.playbook != by.playbook:
            self.runs[former.run] = replace(former, lost=tuple(dict.fromkeys((*former.lost, fact.point))))
        self.holders[fact.point] = by.run
        device = memory.devices.get(fact.device)
        _count(self.moves, fact.device, at, device.limit if device else None)
        self._trace(by, at)

    def _finished(self, ended: Run, at: Instant) -> None:
        del self.runs[ended.run]
        self.waiting.pop(ended.run, None)
        for name in keys(ended):
            left = dict(self.doing[name])
            del left[ended.run]
            if left:
                self.doing[name] = left
            else:
                del self.doing[name]
        for point in [point for point, by in self.holders.items() if by == ended.run]:
            del self.holders[point]
        if any(state.acted for state in ended.steps.values()):
            self._trace(ended, at)
        self.ended[ended.run] = ended
        if len(self.ended) > REMEMBERED:
            del self.ended[next(iter(self.ended))]

    def _seen(self, fact: RunStarted | RunRefused, about: dict[str, bool | float | str], began: Instant | None) -> None:
        if fact.planned is not None:
            self.planned[fact.playbook] = fact.planned
        if fact.incident is not None:
            past.seen(self.known, fact.incident, fact, about, began)
            return
        if isinstance(fact, RunStarted):
            self.begun[fact.run] = None
        elif fact.alarm is not None:
            self.begun[apart(fact.playbook, fact.alarm)] = None
        if len(self.begun) > BEGUN:
            del self.begun[next(iter(self.begun))]

    def _trace(self, by: Run, at: Instant) -> None:
        known, links = self.traces.get(by.playbook), (*by.links, (by.playbook, by.cause))[-_LONGEST_CHAIN:]
        if known is not None and at - known.at <= LATE and len(known.links) > len(links):
            links = known.links
        self.traces = {name: trace for name, trace in self.traces.items() if at - trace.at <= LATE}
        self.traces[by.playbook] = Trace(links, at, by.incident, by.opening)

    def links(self, fact: RunStarted, at: Instant) -> tuple[Link, ...]:
        """The longest chain of writes that may have led to this run. What runs again within one opening of an incident
        is no new link: that is an alarm that flaps, and it is answered ever more slowly."""
        if fact.asked_by or fact.planned is not None or ACKNOWLEDGED in fact.scope:
            return ()
        found: tuple[Link, ...] = ()
        for name, trace in self.traces.items():
            again = name == fact.playbook and (trace.incident, trace.opening) == (fact.incident, fact.opening)
            if at - trace.at <= LATE and not again and len(trace.links) > len(found):
                found = trace.links
        return found


def fresh() -> Area:
    return Area({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})


def keys(of: Run) -> tuple[str, ...]:
    """Under which names `Area.doing` has the run."""
    return (of.playbook,) if of.incident is None else (of.playbook, key(of.playbook, of.incident))


def key(playbook: str, incident: UUID | None) -> str:
    return playbook if incident is None else f"{playbook} {incident}"


def apart(playbook: str, cause: UUID) -> UUID:
    """The id of a run that no incident set off, as `RunStarted` says."""
    return make_id("run", playbook, cause)


def hands_off(by: str, reason: str) -> str:
    return f"hands off by {by}: {reason}"


def _count(times: dict[str, tuple[Instant, ...]], name: str, at: Instant, limit: Limit | None) -> None:
    if limit is not None:
        times[name] = (*times.get(name, ()), at)[-limit.count :]
