"""What the world says to commands and errands of a replay with another configuration. Pure.

A command that history has too is answered as it was. For one that it does not have, the outcome of the same command
(point, value) within its time is taken; where there is none, it is assumed to be done at once, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from events import topics
from events.devices import CommandOutcome, CommandSucceeded
from events.envelope import Event, Record, Reported, event
from events.errands import HttpIssued, MessageIssued, RequestIssued
from events.playbooks import CommandIssued
from events.requests import ReportErrand, Request
from events.types import make_id
from replay.told import Told

SOURCE = "replay"
_GRACE = timedelta(seconds=60)


class Answers:
    """Attributes: assumed: what was assumed, in words."""

    def __init__(self, history: Told, outcomes: Iterable[Event]) -> None:
        self.assumed: list[str] = []
        self._issued: dict[UUID, Event] = {}
        self._same: dict[tuple[str, float], list[Event]] = {}
        self._outcomes: dict[UUID, Event] = {}
        for e in outcomes:
            if isinstance(e.fact, CommandOutcome):
                self._outcomes.setdefault(e.fact.command, e)
        self._errands: set[UUID] = set()
        self._requests: set[UUID] = set()
        self._number = 0
        for e in history.events():
            match e.fact:
                case CommandIssued(command=command, point=point, value=value):
                    self._issued[command] = e
                    self._same.setdefault((point, value), []).append(e)
                case HttpIssued(errand=errand) | MessageIssued(errand=errand):
                    self._errands.add(errand)
                case RequestIssued(request=request):
                    self._requests.add(request.id)
                case _:
                    pass

    def admit(self, record: Record) -> Record | None:
        """A record of history without what answers commands that the replay issues itself, if it does; None: all of
        it does."""
        match record:
            case Reported(events=events):
                left = tuple(e for e in events if not self._answers(e))
                return replace(record, events=left) if left else None
            case Request(id=id_) if id_ in self._requests:
                return None
            case _:
                return record

    def to(self, issued: Event) -> Iterator[tuple[str, datetime, Record]]:
        """Inbox, time and record of what answers it; nothing where history's own answer will come."""
        match issued.fact:
            case CommandIssued():
                yield from self._to_command(issued, issued.fact)
            case RequestIssued(request=request):
                yield topics.CONDITIONS, issued.at, request
            case HttpIssued(errand=errand, not_after=due) | MessageIssued(errand=errand, not_after=due):
                if errand not in self._errands:
                    self._errands.add(errand)
                    self.assumed.append(f"{_when(issued)} errand of {issued.fact.author}: done at once")
                    yield topics.INCIDENTS, issued.at, Request(
                        id=make_id("errand reported", errand), area=issued.area, at=issued.at, by="errands",
                        role="system", expires=due + _GRACE, body=ReportErrand(errand=errand),
                    )  # fmt: skip
            case _:
                pass

    def _answers(self, e: Event) -> bool:
        return isinstance(e.fact, CommandOutcome) and e.fact.command in self._issued

    def _to_command(self, issued: Event, command: CommandIssued) -> Iterator[tuple[str, datetime, Record]]:
        then = self._then(issued, command)
        outcome = self._outcomes.get(_command(then).command) if then is not None else None
        if then is not None and outcome is None:
            return  # it was not answered then either
        if then is None or outcome is None:
            self.assumed.append(f"{_when(issued)} {command.point} = {command.value:g}: done at once")
            at = issued.at
            fact: CommandOutcome = CommandSucceeded(
                command=command.command, device=command.device, point=command.point, value=command.value,
                read_back=command.value, written_at=at, confirmed_at=at,
            )  # fmt: skip
        else:
            at = issued.at + max(outcome.at - then.at, timedelta())
            assert isinstance(outcome.fact, CommandOutcome)
            fact = replace(outcome.fact, command=command.command)
        answer = event(fact, at=at, area=issued.area, cause=command.command, author=f"edge {command.edge}", index=0)
        if outcome is not None and then is not None and _command(then).command == command.command:
            answer = replace(outcome, at=at, fact=fact)
        self._number += 1
        yield topics.INCIDENTS, at, Reported(SOURCE, self._number, (answer,))

    def _then(self, issued: Event, command: CommandIssued) -> Event | None:
        """The command of history that this one is, or is like."""
        wanted = command.point, command.value
        then = self._issued.get(command.command)
        if then is not None and (_command(then).point, _command(then).value) == wanted:
            return then
        near = [e for e in self._same.get(wanted, ()) if _command(e).command in self._outcomes]
        found = min(near, key=lambda e: abs(e.at - issued.at), default=None)
        within = command.not_after - issued.at
        return found if found is not None and abs(found.at - issued.at) <= within else None


def _when(issued: Event) -> str:
    return f"{issued.at:%Y-%m-%d %H:%M:%S}"


def _command(issued: Event) -> CommandIssued:
    assert isinstance(issued.fact, CommandIssued)
    return issued.fact
