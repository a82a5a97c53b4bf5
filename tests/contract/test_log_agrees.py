"""What the log says stands is what the brain knows, at any moment of any story: lists, states, counts, incidents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test
from sqlalchemy import Engine

from analytics import live, standing
from eventlog.log import Batch
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from tests.contract.stories import entries
from tests.contract.test_log import EMPTY
from tests.property.test_incidents import NAME_OF, NAMES, Operations
from tests.unit.incidents.plant import PRESS

pytestmark = pytest.mark.integration


class Logged(Operations):
    """The brain's story, written to a log and asked for in between."""

    log: TimescaleLog
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        with self.log.connection.transaction():
            self.log.connection.execute(EMPTY)
        self.written = 0

    @rule()
    def the_log_is_asked(self) -> None:
        self.write()
        with self.engine.connect() as db:
            listed = {view: standing.alarms(db, view=view).alarms for view in ("shown", "held back", "hidden")}
            counted, overrides = standing.counts(db), standing.overrides(db)
            chattering = {c.name for c in standing.chattering(db)}
            incidents = live.incidents(db, status=["candidate", "open", "resolved", "closed"])
            states = {one.name: one.state for name in {*NAMES, *NAME_OF} for one in standing.named(db, name)}
        known = self.alarms()
        shown = {n: a for n, a in known.items() if a.alarm is not None and not a.hidden}
        assert {
            a.name: (a.alarm, a.state, a.priority, a.message, a.silenced, a.stale, a.times, a.late, a.sounds,
                     a.latched) for a in listed["shown"]
        } == {
            n: (a.alarm, a.state, a.priority, a.message, a.silenced, a.stale, a.times, a.late, a.sounds, a.latched)
            for n, a in shown.items() if not a.behind
        }  # fmt: skip
        assert {a.name for a in listed["held back"]} == {n for n, a in shown.items() if a.behind}
        assert {(a.name, a.hidden) for a in listed["hidden"]} == {
            (n, a.hidden) for n, a in known.items() if a.hidden and (a.active or a.latched)
        }  # fmt: skip
        assert {(o.name, o.kind, o.cause, o.until) for o in overrides} == {
            *((n, "suppressed", s.cause, s.until) for n, a in known.items() for s in a.suppressions),
            *((n, "shelved", "", a.shelf.until) for n, a in known.items() if a.shelf),
            *((n, "out of service", "", a.maintenance.until) for n, a in known.items() if a.maintenance),
        }  # fmt: skip
        assert states == {n: known[n].state if n in known else "A" for n in states}
        assert {n for n, a in known.items() if a.alarm is not None} <= states.keys()
        visible = [a for a in shown.values() if not a.behind]
        assert (counted.active, counted.unacknowledged, counted.sounding, counted.held_back) == (
            sum(a.active for a in visible), sum(not a.acknowledged for a in visible), sum(a.sounds for a in visible),
            len(shown) - len(visible),
        )  # fmt: skip
        assert (counted.shelved, counted.suppressed, counted.out_of_service) == tuple(
            sum(a.hidden == kind for a in known.values()) for kind in ("shelved", "suppressed", "out of service")
        )
        recent = self.brain.areas[PRESS].alarms.recent
        assert chattering == {n for n, r in recent.items() if r.chattering}
        cases = self.brain.areas[PRESS].incidents
        assert {(i.incident, i.status, i.priority, i.openings, i.standing) for i in incidents} == {
            (c.incident, c.status, c.priority, c.opening, c.standing)
            for c in (cases.get(id_) for id_ in cases) if c is not None and c.status != "merged"
        }  # fmt: skip

    def write(self) -> None:
        new = self.plant.log[self.written :]
        self.written += len(new)
        if new:
            self.log.append(Batch(entries=entries(new)))

    def teardown(self) -> None:
        self.the_log_is_asked()


@pytest.fixture
def machine(database: str) -> Iterator[type[Logged]]:
    upgrade(database)
    log, engine = TimescaleLog(database), live.reader(database)
    yield type("Logged", (Logged,), {"log": log, "engine": engine})
    engine.dispose()
    log.close()


def test_the_log_and_the_brain_say_the_same(machine: type[Logged]) -> None:
    quick = settings(
        max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.reuse, Phase.generate), report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=quick)
