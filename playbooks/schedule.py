"""When playbooks are due by their schedules. Pure: the one module that knows cron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from playbooks.plan import OnSchedule, Playbook

_MOST = 10_000
"""So many missed times are passed over at once."""


class Timetable:
    """The next time of each playbook. Follows from the playbooks in force and from what was planned; never saved."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, str], datetime] = {}

    def plan(self, books: Iterable[Playbook], last: Mapping[str, datetime], since: datetime) -> None:
        """Of these playbooks. last: the newest time of each that was used or missed; since: they are in force."""
        for book in books:
            after = max(last.get(book.playbook, since), since)
            dues = [due for s in schedules(book) if (due := following(s, after)) is not None]
            if dues:
                self._next[book.area, book.playbook] = min(dues)

    @property
    def first(self) -> datetime | None:
        return min(self._next.values(), default=None)

    def until(self, now: datetime) -> list[tuple[str, str]]:
        """Area and name of the playbooks that are due."""
        return sorted(key for key, due in self._next.items() if due <= now)


def schedules(book: Playbook) -> tuple[OnSchedule, ...]:
    return tuple(t for t in book.triggers if isinstance(t, OnSchedule))


def newest_of(book: Playbook, after: datetime, until: datetime) -> tuple[datetime, int]:
    """As `newest`, of all schedules of a playbook that is due."""
    found = [newest(schedule, after, until) for schedule in schedules(book)]
    return max((one for one in found if one is not None), key=lambda one: one[0])


def following(schedule: OnSchedule, after: datetime) -> datetime | None:
    """The next time after that; None: there is none any more."""
    found = next(_times(schedule, after), None)
    return found.astimezone(UTC) if found is not None else None


def newest(schedule: OnSchedule, after: datetime, until: datetime) -> tuple[datetime, int] | None:
    """The last time after the one and up to the other, and how many there were; None: none was."""
    last, count = None, 0
    for at in islice(_times(schedule, after), _MOST):
        if at > until:
            break
        last, count = at, count + 1
    return (last.astimezone(UTC), count) if last is not None else None


def _times(schedule: OnSchedule, after: datetime) -> CronSim:
    return CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.zone)))
