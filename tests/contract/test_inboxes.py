"""An inbox reads the same from the log in memory and from TimescaleDB."""

from __future__ import annotations

import pytest

from eventlog.inboxes import Inboxes, TimescaleInboxes
from eventlog.intake import Intake
from eventlog.log import Key
from eventlog.migrate import upgrade
from eventlog.stretch import Item, Scans, Ticks
from eventlog.timescale import TimescaleLog
from events import topics
from replay.run import SPECS
from tests.unit.replay.lived import Lived, at

pytestmark = pytest.mark.integration


def plain(inboxes: Inboxes, key: Key, first: int, end: int) -> list[tuple[int, object]]:
    return [one for stretch in inboxes.read(key, first, end) for item in stretch.items() for one in of_item(item)]


def of_item(item: Item) -> list[tuple[int, object]]:
    offset, given = item
    if isinstance(given, Ticks):
        return list(zip(given.offsets.tolist(), given.micros.tolist(), strict=True))
    return [(offset, given.raw() if isinstance(given, Scans) else given)]


def test_what_lay_in_an_inbox_is_read_alike_from_both_logs(database: str) -> None:
    lived = Lived(1)
    lived.live(80)
    memory: Inboxes = lived.logged()
    upgrade(database)
    log, intake = TimescaleLog(database), Intake({}, {})
    for key, records in lived.topics.items():
        for offset, raw in enumerate(records):
            intake.take(key, offset, at(lived.now), raw)
        log.append(intake.batch())
    stored: Inboxes = TimescaleInboxes(log)
    assert stored.positions() == memory.positions()
    for key in [(inbox, p) for inbox in SPECS for p in range(topics.PARTITIONS)]:
        for first, end in ((0, 2**62), (57, 2**62), (20, 90)):
            assert plain(stored, key, first, end) == plain(memory, key, first, end)
        for seconds in (0, 33.3, 79, 100):
            assert stored.tick_from(key, at(seconds)) == memory.tick_from(key, at(seconds))
        assert [c.position for c in stored.kept(key, at(80))] == [c.position for c in memory.kept(key, at(80))]
        out = (SPECS[key[0]].output, key[1])
        decided = memory.decided(out, 0)
        assert stored.decided(out, 0) == decided
        assert stored.decided(out, 30, 60) == memory.decided(out, 30, 60)
        ids = [id_ for one in decided.values() for id_ in one.events]
        assert stored.events(ids) == memory.events(ids)
    log.close()
