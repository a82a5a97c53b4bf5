"""What the board asks of the read model, answered out of a real log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.engine import make_url

from analytics.live import BUCKETS
from board.source import BoardSource, LiveSource, SourceError
from eventlog.entry import entry_of_request
from eventlog.log import Advance, Batch, Position, SourceSeen
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from events.alarms import AlarmAcknowledged
from events.playbooks import PlaybookFact, RunRefused, RunStarted, StepFinished, StepStarted
from events.requests import AcknowledgeAlarm, Request, RequestRefused
from events.types import make_id
from tests.contract.stories import PRESS, alarm_of, at, entries, event, frame, story

pytestmark = pytest.mark.integration

INCIDENT = make_id("incident", alarm_of("press_pressure.H"))


@pytest.fixture(scope="module")
def log(database: str) -> Iterator[TimescaleLog]:
    upgrade(database)
    log = TimescaleLog(database)
    yield log
    log.close()


@pytest.fixture(scope="module")
def source(database: str, log: TimescaleLog) -> Iterator[BoardSource]:
    live = LiveSource(database)
    yield live
    live.close()


def test_an_empty_log_gives_an_empty_plant(source: BoardSource) -> None:
    seen = source.overview()
    assert (seen.active, seen.unacknowledged, seen.open_incidents) == (0, 0, 0)
    assert not seen.incidents and not seen.alarms and not seen.feeds
    assert source.story(INCIDENT) is None
    assert source.alarm(alarm_of("press_pressure.H")) is None


def test_a_story_is_read_as_it_was_told(source: BoardSource, log: TimescaleLog) -> None:
    facts = story()
    log.append(Batch(entries=entries(facts[:12])))
    seen = source.overview()
    assert (seen.active, seen.unacknowledged, seen.open_incidents) == (2, 2, 1)
    assert [a.message for a in seen.alarms] == ["press_pressure.HH is high", "press_pressure.H is high"], "newest first"
    assert seen.alarms[0].value == 201.5 and seen.alarms[0].limit_value == 180.0

    refused = RunRefused(playbook="cool", incident=INCIDENT, reason="the trigger is older than 60 s")
    log.append(Batch(entries=entries([event(refused, 12.5), *facts[12:]])))
    told = source.story(INCIDENT)
    assert told is not None
    assert told.incident.status == "resolved" and told.incident.acknowledged_by == "Ada"
    assert [a.acknowledged_by for a in told.alarms] == ["Ada", "Ada"] and told.alarms[0].comment == "on my way"
    (run,) = told.runs
    assert run.outcome == "completed" and [(s.step, s.outcome) for s in run.steps] == [("open", "done")]
    (command,) = run.commands
    assert (command.point, command.outcome, command.read_back) == ("press.relief_valve", "succeeded", 1.0)
    assert [n.to for n in run.notifications] == ["shift_lead"]
    assert [(r.playbook, r.reason) for r in told.refusals] == [("cool", "the trigger is older than 60 s")]
    assert source.overview().open_incidents == 0 and source.overview().alarms == ()


def test_no_peak_is_lost_in_a_trend(source: BoardSource, log: TimescaleLog) -> None:
    values = [[100.0 + (i % 7), 1.0] for i in range(4000)]
    values[1234][0] = 333.0
    values[2345][0] = -5.0
    bad = [[0, 0] for _ in values]
    values[3000][0], bad[3000][0] = 9999.0, 2
    log.append(Batch(frames=[frame(values, sequence=1, qualities=bad)]))
    trend = source.trend("press.pressure", at(0), at(400))
    assert len(trend) <= 2 * BUCKETS + 2
    assert [s.time for s in trend] == sorted(s.time for s in trend)
    (peak,) = (s.time for s in trend if s.value == 333.0)
    values_ = {s.value for s in trend}
    assert peak == at(123.4) and -5.0 in values_
    assert 9999.0 not in values_, "a BAD value is not drawn"
    assert source.trend("press.unknown", at(0), at(400)) == []


def test_the_answer_to_a_request_is_what_the_log_says(source: BoardSource, log: TimescaleLog) -> None:
    def asked(name: str) -> Request:
        body = AcknowledgeAlarm(alarm=alarm_of("press_pressure.H"))
        return Request(id=make_id(name), area=PRESS, at=at(50), by="Ann", role="operator", expires=at(80), body=body)

    taken, refused, waiting = asked("taken"), asked("refused"), asked("waiting")
    said = [
        event(AlarmAcknowledged(alarm=alarm_of("press_pressure.H"), by="Ann"), 51, cause=taken.id),
        event(RequestRefused(request=refused.id, by="Ann", reason="already acknowledged"), 52, cause=refused.id),
    ]
    log.append(Batch(entries=[*(entry_of_request(r) for r in (taken, refused, waiting)), *entries(said)]))
    yes, no = source.answer(taken.id), source.answer(refused.id)
    assert yes is not None and yes.accepted
    assert no is not None and not no.accepted and no.reason == "already acknowledged"
    assert source.answer(waiting.id) is None, "a request in the log is not its own answer"


def test_the_age_of_readings_and_of_each_stage_is_known(source: BoardSource, log: TimescaleLog) -> None:
    log.append(
        Batch(
            sources={"edge-1:j": SourceSeen(sequence=1, time=at(400))},
            advances={
                ("readings", 0): Advance(start=0, to=Position(next=5, tick_at=at(399))),
                ("readings", 1): Advance(start=0, to=Position(next=5, tick_at=at(300))),
            },
        )
    )
    seen = source.overview()
    assert [(f.source, f.last_time) for f in seen.feeds] == [("edge-1:j", at(400))]
    assert [(s.topic, s.tick_at) for s in seen.stages] == [("readings", at(300))], "the slowest partition counts"
    assert seen.read_at - at(400) > timedelta(0)


def test_a_run_that_goes_on_is_shown_with_the_step_that_it_is_at(source: BoardSource, log: TimescaleLog) -> None:
    run = make_id("slow run")
    facts: tuple[PlaybookFact, ...] = (
        RunStarted(run=run, playbook="slow", version="1", incident=None, title="Slow it down", asked_by="anna"),
        StepStarted(run=run, step="relieve", attempt=1, due=at(5)),
        StepFinished(run=run, step="relieve", attempt=1, outcome="done"),
        StepStarted(run=run, step="slow", attempt=2, due=at(9)),
    )
    log.append(Batch(entries=entries([event(fact, n) for n, fact in enumerate(facts)])))
    (going,) = (r for r in source.overview().runs if r.run == run)
    assert [(s.step, s.attempt, s.due) for s in going.steps] == [("slow", 2, at(9))]
    whole = source.run(run)
    assert whole is not None and [s.step for s in whole.steps] == ["relieve", "slow"]
    assert run in [r.run for r in source.runs()]
    assert source.run(make_id("none")) is None and source.question(make_id("none")) is None
    assert source.playbooks() == ()


def test_a_database_that_is_away_is_an_error_with_a_reason(database: str) -> None:
    away = LiveSource(make_url(database).set(port=9).render_as_string(hide_password=False))
    with pytest.raises(SourceError, match="cannot be read") as caught:
        away.overview()
    assert caught.value.reason
    away.close()
