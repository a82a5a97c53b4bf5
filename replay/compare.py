"""Two tellings of the same time, side by side: what is more, what is less, and where they part. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from analytics.sentences import sentence
from eventlog.log import Key
from events.envelope import Configured, Event
from events.topics import CONDITIONS, INCIDENTS, READINGS
from events.types import Instant
from incidents.definition import Position
from replay.figures import Command, Figures, Incident, count
from replay.told import Told, alike

NEAR = timedelta(minutes=15)
"""So far apart two of the same kind are one that moved in time."""


class Moved(Struct, frozen=True):
    """The same incident at another time. Attributes: seconds: later."""

    incident: Incident
    before: Instant
    seconds: float


class Parting(Struct, frozen=True):
    """Where the two first differ. Attributes: stage: inbox and partition; offset, input: what was decided there;
    before, after: what each said, in words; because: what led there, newest first."""

    at: Instant
    stage: str
    offset: int
    input: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    because: tuple[str, ...] = ()


class Comparison(Struct, frozen=True):
    """Attributes: same: not an event differs; added, lost, moved: incidents; first: where they part; command: of the
    first command that only one of them gave; assumed: answers that no device gave; notes: what to know of it."""

    since: Instant
    until: Instant
    began: Instant
    same: bool
    before: Figures
    after: Figures
    added: tuple[Incident, ...]
    lost: tuple[Incident, ...]
    moved: tuple[Moved, ...]
    commands_added: tuple[Command, ...]
    commands_lost: tuple[Command, ...]
    first: Parting | None
    command: Parting | None
    assumed: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    before: Told, after: Told, positions: Mapping[str, Position], *, began: Instant, assumed: Sequence[str] = (),
    notes: Sequence[str] = (), describe: Callable[[Key, int], str] = lambda key, offset: "",
) -> Comparison:  # fmt: skip
    """describe: what lay there in history, in words."""
    a, b = count(before, positions), count(after, positions)
    added, lost, moved = _pair(a.incidents, b.incidents)
    here, there = {_said(c) for c in a.commands}, {_said(c) for c in b.commands}
    more = tuple(c for c in b.commands if _said(c) not in here)
    less = tuple(c for c in a.commands if _said(c) not in there)
    first = _parting(before, after, lambda e: not isinstance(e.fact, Configured), describe)
    odd = {c.command for c in (*more, *less)}
    return Comparison(
        since=before.since, until=before.until, began=began,
        same=_parting(before, after, lambda _: True, describe) is None, before=a, after=b,
        added=added, lost=lost, moved=moved, commands_added=more, commands_lost=less, first=first,
        command=_parting(before, after, lambda e: getattr(e.fact, "command", None) in odd, describe) if odd else None,
        assumed=tuple(assumed), notes=tuple(notes),
    )  # fmt: skip


def _said(command: Command) -> tuple[UUID, str, float]:
    return command.command, command.point, command.value


Mapped = dict[tuple[Key, int], list[Event]]


def _lines(told: Told) -> Mapped:
    """What was said, by input."""
    out: Mapped = {}
    for answer in told.answers:
        out.setdefault((answer.key, answer.cause), []).extend(answer.events)
    return out


def _pair(
    before: Sequence[Incident], after: Sequence[Incident]
) -> tuple[tuple[Incident, ...], tuple[Incident, ...], tuple[Moved, ...]]:
    """Added, lost and moved. Of those that are not the same, the nearest of the same kind belong together."""
    then = {i.incident: i for i in before}
    left = [i for i in before if i.incident not in {j.incident for j in after}]
    added: list[Incident] = []
    moved: list[Moved] = []
    for one in after:
        was = then.get(one.incident)
        if was is None:
            alike = [i for i in left if (i.area, i.rule, i.point) == (one.area, one.rule, one.point)]
            was = min(alike, key=lambda i: abs(i.opened_at - one.opened_at), default=None)
            if was is None or abs(was.opened_at - one.opened_at) > NEAR:
                added.append(one)
                continue
            left.remove(was)
        if was.opened_at != one.opened_at:
            moved.append(Moved(one, was.opened_at, (one.opened_at - was.opened_at).total_seconds()))
    return tuple(added), tuple(left), tuple(moved)


def _parting(
    before: Told, after: Told, matters: Callable[[Event], bool], describe: Callable[[Key, int], str]
) -> Parting | None:  # fmt: skip
    """The earliest input on which they do not say the same of what matters."""
    a, b = ({k: [e for e in events if matters(e)] for k, events in _lines(t).items()} for t in (before, after))
    apart = [(min(e.at for e in (*a.get(k, ()), *b.get(k, ()))), k) for k in a.keys() | b.keys()
             if not alike(a.get(k, []), b.get(k, []))]  # fmt: skip
    if not apart:
        return None
    way = [READINGS, CONDITIONS, INCIDENTS]
    at, key = min(apart, key=lambda found: (found[0], way.index(found[1][0][0]), found[1]))
    (inbox, partition), offset = key
    odd = next(e for e in (*b.get(key, ()), *a.get(key, ())) if e not in a.get(key, ()) or e not in b.get(key, ()))
    whose = after if odd in b.get(key, ()) else before
    return Parting(
        at=at, stage=f"{inbox}/{partition}", offset=offset, input=describe((inbox, partition), offset),
        before=tuple(words(e) for e in a.get(key, ())), after=tuple(words(e) for e in b.get(key, ())),
        because=_because(odd, whose),
    )  # fmt: skip


def _because(event: Event, told: Told) -> tuple[str, ...]:
    """What led to it, newest first, as far as it was said between the two times."""
    by_id = {e.id: e for e in told.events()}
    found: list[str] = []
    cause = by_id.get(event.cause)
    while cause is not None and len(found) < 10:
        found.append(words(cause))
        cause = by_id.get(cause.cause)
    return tuple(found)


def words(event: Event) -> str:
    """Time, area and what happened."""
    facts = msgspec.to_builtins(event.fact)
    type_ = facts.pop("type")
    return f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {event.area}: {sentence(type_, facts)}"
