"""An inbox reads the same from the log in memory and from TimescaleDB."""

from __future__ import annotations

import pytest

from eventlog.inboxes import Inboxes, Item, Scans, TimescaleInboxes
from eventlog.intake import Intake
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from events import topics
from replay.run import SPECS
from tests.unit.replay.lived import Lived, at

pytestmark = pytest.mark.integration


def plain(item: Item) -> tuple[int, object]:
    offset, given = item
    return offset, given.raw() if isinstance(given, Scans) else given


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
        for first in (0, 57):
            assert [plain(i) for i in stored.read(key, first)] == [plain(i) for i in memory.read(key, first)]
        for seconds in (0, 33.3, 79, 100):
            assert stored.tick_from(key, at(seconds)) == memory.tick_from(key, at(seconds))
        assert [c.position for c in stored.kept(key, at(80))] == [c.position for c in memory.kept(key, at(80))]
        out = (SPECS[key[0]].output, key[1])
        decided = memory.decided(out)
        assert stored.decided(out) == decided
        ids = [id_ for one in decided.values() for id_ in one.events]
        assert stored.events(ids) == memory.events(ids)
    log.close()
