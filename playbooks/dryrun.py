"""A playbook over what really happened, or over a made-up beginning: what it would do. It cannot do it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from events.envelope import Event, Fact
from expressions import names, parse
from playbooks import plan
from playbooks.rehearsal import rehearse
from playbooks.script import Device, Happens, Person, Script, Shows

ASSUMED = (
    "Assumed: devices do at once what they are told, and what a playbook writes then shows; other systems answer 200. "
    "Questions are answered as you say with --answer, else not at all."
)


def alone(books: plan.PlaybookSet, name: str) -> plan.PlaybookSet:
    """The playbook, and those that it comes after, without their clocks.

    Raises:
        KeyError: no such playbook.
    """
    by_name = {book.playbook: book for book in books.playbooks}
    after = {n for t in by_name[name].triggers if isinstance(t, plan.OnIncident) for n in t.after}
    own = (b for b in books.playbooks if b.playbook == name or b.playbook in after)
    timeless = tuple(
        replace(b, triggers=tuple(t for t in b.triggers if not isinstance(t, plan.OnSchedule))) for b in own
    )
    return replace(books, playbooks=timeless)


def points_of(books: plan.PlaybookSet) -> tuple[str, ...]:
    """The points that their conditions look at."""
    found = (n for b in books.playbooks for w in b.watches.values() for n in names(parse(w.text)))
    return tuple(dict.fromkeys(found))


def over(
    books: plan.PlaybookSet, area: str, said: Sequence[tuple[datetime, tuple[Fact, ...]]],
    shown: Mapping[str, Iterable[tuple[datetime, float | None]]], answers: Mapping[str, str], failing: Iterable[str],
) -> list[Event]:  # fmt: skip
    """What the playbooks say where the incidents stage said that, and the points showed that.

    Args: said: at least one, by time; shown: by point, by time; answers: by step; failing: points that do not obey.
    """
    begins = min([said[0][0], *(at for values in shown.values() for at, _ in values)])
    script = Script(
        area=area, begins=begins - timedelta(seconds=1),
        happens=tuple(Happens(_since(begins, at), facts) for at, facts in said),
        shows=tuple(_changes(begins, shown)),
        devices={point: (Device("fails", "as you said with --fail"),) for point in failing},
        people={step: (Person("you", answer), Person("another", answer)) for step, answer in answers.items()},
    )  # fmt: skip
    return rehearse(books, script)


def _since(begins: datetime, at: datetime) -> float:
    return max(0.0, (at - begins).total_seconds()) + 1.0


def _changes(begins: datetime, shown: Mapping[str, Iterable[tuple[datetime, float | None]]]) -> Iterable[Shows]:
    """Each change of a value, and no more."""
    for point, values in shown.items():
        last: float | None = None
        for at, value in values:
            if value != last:
                yield Shows(_since(begins, at), {point: value})
            last = value
