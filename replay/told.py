"""What was said between two times, in history or in a replay: one form for both, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from bus.stage import Spec
from eventlog.inboxes import Inboxes
from eventlog.log import Key
from events.codec import encode_json
from events.envelope import Event
from replay.streams import Said

Range = Mapping[Key, tuple[int, int]]
"""By inbox, the offsets first <= offset < end."""


class Answer(Struct, frozen=True):
    """One decision. Attributes: key: the inbox; cause: offset of the input; extra: history has no such input."""

    key: Key
    cause: int
    events: tuple[Event, ...]
    extra: bool = False


class Told(Struct, frozen=True):
    """Attributes: name: "history", "replay"; since, until; answers: by inbox in the order of the way, then in order."""

    name: str
    since: datetime
    until: datetime
    answers: tuple[Answer, ...]

    def events(self) -> Iterator[Event]:
        """Each once: a stage may pass on what the one before said."""
        seen = set()
        for answer in self.answers:
            for event in answer.events:
                if event.id not in seen:
                    seen.add(event.id)
                    yield event


def alike(a: Sequence[Event], b: Sequence[Event]) -> bool:
    """Whether the same was said: by id, time and content. The log writes no NaN and no negative zero."""
    return len(a) == len(b) and all(x == y or _plain(x) == _plain(y) for x, y in zip(a, b, strict=True))


def _plain(e: Event) -> tuple[object, ...]:
    return e.id, e.at, e.area, e.cause, e.author, msgspec.json.decode(encode_json(e.fact))


def of_history(
    inboxes: Inboxes, specs: Mapping[str, Spec], within: Range, since: datetime, until: datetime
) -> Told:  # fmt: skip
    decided = [
        (key, one)
        for key, (first, end) in within.items()
        for one in sorted(inboxes.decided((specs[key[0]].output, key[1]), first, end).values(), key=lambda d: d.cause)
    ]
    events = inboxes.events({id_ for _, one in decided for id_ in one.events})
    answers = tuple(
        Answer(key, one.cause, tuple(events[id_] for id_ in one.events if id_ in events)) for key, one in decided
    )
    return Told("history", since, until, answers)


def of_replay(said: Iterable[Said], within: Range, since: datetime, until: datetime) -> Told:
    order = list(within)
    kept = [s for s in said if within[s.key][0] <= s.decision.cause < within[s.key][1]]
    kept.sort(key=lambda s: order.index(s.key))
    answers = tuple(Answer(s.key, s.decision.cause, s.decision.events, s.extra) for s in kept)
    return Told("replay", since, until, answers)
