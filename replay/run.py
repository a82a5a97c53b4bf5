"""A replay from one time to another: all partitions of all stages, with the plant's configuration or with another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

import msgspec
from msgspec import Struct

from bus.stage import Spec
from detection.agent import SPEC as DETECTION
from eventlog.inboxes import Inboxes
from eventlog.log import Key, Position
from events import topics
from events.alarms import ConditionCleared, ConditionRaised
from events.codec import decode_record
from events.envelope import Configure, Decision, Event, Reported
from incidents.agent import SPEC as INCIDENTS
from incidents.hearing import RELAYED
from playbooks.agent import SPEC as PLAYBOOKS
from replay.answers import Answers
from replay.start import begin
from replay.streams import Said, Stream
from replay.told import Range, Told, of_history, of_replay

SPECS: dict[str, Spec] = {spec.inbox: spec for spec in (DETECTION, INCIDENTS, PLAYBOOKS)}
"""By inbox, in the order of the way."""
AUTHOR = "replay"
STEP = timedelta(minutes=1)
"""So far each stage is driven before the next one."""
CLOSELY = timedelta(seconds=1)
"""As `STEP`, where what a playbook asks for comes back to the stage before it, which should not be far ahead."""
_END = 2**62
_SETTLED = timedelta(seconds=5)
"""So old what is replayed must be: the lanes of the log writer are not equally fast."""
LOOPS = "playbooks:"
"""How the source of alarms begins that the playbooks stage raises itself."""


class Definition(Protocol):
    @property
    def version(self) -> str: ...

    def pack(self) -> bytes: ...


class EmptySpanError(Exception):
    """Nothing lies between the two times."""

    def __init__(self, since: datetime, until: datetime) -> None:
        ends = f"the log reaches to {until:%Y-%m-%d %H:%M:%S} UTC only" if until <= since else "nothing lies there"
        super().__init__(f"there is nothing to decide again from {since:%Y-%m-%d %H:%M:%S} UTC on: {ends}")
        self.since, self.until = since, until


class Replayed(Struct, frozen=True):
    """Attributes: history, replay: what was said; began: the time from which on it was decided again; assumed: answers
    that no device gave, by command."""

    history: Told
    replay: Told
    began: datetime
    assumed: tuple[str, ...]


def replay(
    inboxes: Inboxes, since: datetime, until: datetime, definitions: Mapping[str, Definition] | None = None,
    progress: Callable[[datetime], object] = lambda _: None,
) -> Replayed:  # fmt: skip
    """Decide history again. definitions: by inbox; in force from `since` on, None: history's own.

    Raises:
        NoStartError: the log does not reach back so far.
        EmptySpanError: there is nothing to decide.
    """
    positions = inboxes.positions()
    until = min([until, *_complete_until(positions)])
    partitions = range(topics.PARTITIONS)
    order = [(inbox, p) for inbox in SPECS for p in partitions]
    within = {key: _offsets(inboxes, positions, key, since, until) for key in order}
    if all(first == end for first, end in within.values()):
        raise EmptySpanError(since, until)
    streams: dict[Key, Stream] = {}
    for p in partitions:
        for inbox, fold in begin(inboxes, SPECS, p, since, positions).items():
            key = (inbox, p)
            change = None if definitions is None else (within[key][0], _configure(definitions[inbox], since))
            streams[key] = Stream(key, fold, inboxes.read(key, fold.position),
                                  inboxes.decided((SPECS[inbox].output, p), fold.position), change)  # fmt: skip
    history = of_history(inboxes, SPECS, within, since, until)
    said: list[Said] = []
    answers = Answers(history, _reported(inboxes, within) if definitions is not None else ())
    _connect(streams, said, answers, changed=definitions is not None)
    began = min(stream.clock for stream in streams.values())
    for at in _times(since, until, STEP if definitions is None else CLOSELY):
        for key in order:
            streams[key].until(at)
        progress(at)
    return Replayed(history, of_replay(said, within, since, until), began, tuple(answers.assumed))


def _times(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    at = since
    while at < until:
        yield at
        at += step
    yield until


def _configure(definition: Definition, at: datetime) -> Configure:
    return Configure(definition.version, at, AUTHOR, definition.pack())


def _complete_until(positions: Mapping[Key, Position]) -> list[datetime]:
    return [p.tick_at - _SETTLED for key, p in positions.items() if key[0] in SPECS and p.tick_at is not None]


def _offsets(
    inboxes: Inboxes, positions: Mapping[Key, Position], key: Key, since: datetime, until: datetime
) -> tuple[int, int]:
    last = positions.get(key, Position()).next
    first, end = (inboxes.tick_from(key, at) for at in (since, until))
    return last if first is None else first, last if end is None else end


def _reported(inboxes: Inboxes, within: Range) -> Iterator[Event]:
    """The facts that came to the playbooks stage from outside."""
    for key, (first, _) in within.items():
        for given in inboxes.inputs(key, first, _END) if key[0] == topics.INCIDENTS else ():
            with suppress(msgspec.MsgspecError):
                record = decode_record(given.body)
                yield from record.events if isinstance(record, Reported) else ()


def _connect(streams: Mapping[Key, Stream], said: list[Said], answers: Answers, *, changed: bool) -> None:
    """What one says the others hear, as the processes of the plant do."""
    plantwide = streams[topics.CONDITIONS, topics.partition_of(topics.PLANT_WIDE)]
    behind = {topics.READINGS: topics.CONDITIONS, topics.CONDITIONS: topics.INCIDENTS}
    numbers = count()

    def tell(one: Said) -> None:
        said.append(one)
        stream = streams[one.key]
        inbox, partition = one.key
        if inbox in behind:
            _hand_on(one, streams[behind[inbox], partition])
        if not stream.changed:
            return
        if inbox == topics.CONDITIONS:
            _report(one, plantwide, _relayed(one.decision, partition, next(numbers)))
        elif inbox == topics.INCIDENTS:
            _report(one, streams[topics.CONDITIONS, partition], _looped(one.decision, partition, next(numbers)))
            for event in one.decision.events:
                for to, at, record in answers.to(event):
                    streams[to, partition].later(at, record)

    for (inbox, partition), stream in streams.items():
        stream.tell = tell
        if inbox != topics.READINGS:
            stream.before = streams[topics.READINGS if inbox == topics.CONDITIONS else topics.CONDITIONS, partition]
            stream.feeders.append(stream.before)
        if inbox == topics.CONDITIONS:
            loops = streams[topics.INCIDENTS, partition]
            stream.origins[f"{LOOPS}{partition}"] = loops
            plantwide.origins[f"{topics.RELAY}{topics.INCIDENTS}:{partition}"] = stream
            if changed and stream is not plantwide:
                plantwide.feeders.append(stream)
        stream.admit = answers.admit


def _hand_on(one: Said, to: Stream) -> None:
    if one.offset is None or one.offset >= to.first:  # else it is in the state that `to` began with
        to.heard.append(one)


def _report(one: Said, to: Stream, report: Reported | None) -> None:
    if report is not None:
        to.later(one.at, report)


def _relayed(decision: Decision, partition: int, number: int) -> Reported | None:
    """As `incidents.relay` tells it, from a source of its own: its numbers are not those of history."""
    events = tuple(e for e in decision.events if isinstance(e.fact, RELAYED) and e.area != topics.PLANT_WIDE)
    return Reported(f"{topics.RELAY}{AUTHOR}:{partition}", number, events) if events else None


def _looped(decision: Decision, partition: int, number: int) -> Reported | None:
    events = tuple(
        e for e in decision.events
        if isinstance(e.fact, ConditionRaised | ConditionCleared) and e.author == PLAYBOOKS.name
    )  # fmt: skip
    return Reported(f"{LOOPS}{AUTHOR}{partition}", number, events) if events else None
