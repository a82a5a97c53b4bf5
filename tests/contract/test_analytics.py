"""What analytics reads out of a log that was written by a known story."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from rich.console import Console
from sqlalchemy import Connection

from analytics import live
from analytics.cli import show, tell
from analytics.trace import trace
from eventlog.entry import entry_of_request
from eventlog.log import Advance, Batch, Position
from eventlog.migrate import upgrade
from eventlog.timescale import opened
from events.alarms import AlarmAcknowledged
from events.envelope import Configured, DeadLetter
from events.requests import AcknowledgeIncident, Request, RequestRefused
from events.types import make_id
from tests.contract.stories import COOLING, PRESS, alarm_of, at, entries, event, frame, raised, story

pytestmark = pytest.mark.integration
RULE = "press_pressure.H"
INCIDENT = make_id("incident", alarm_of(RULE))
ASKED, REFUSED = make_id("asked"), make_id("refused")


@pytest.fixture(scope="module")
def db(database: str) -> Iterator[Connection]:
    upgrade(database)
    rule = {"rule": RULE, "version": "v1", "kind": "limit", "point": "press.pressure", "unit": "bar", "limit": 180.0}
    body = zlib.compress(msgspec.msgpack.encode({"rules": [rule]}))
    with opened(database) as log:
        log.append(Batch(entries=entries(story()), frames=[frame([[100.0 + i, 1] for i in range(200)], seconds=-10)]))
        log.append(Batch(entries=entries([event(Configured(stage="detection", version="7", body=body), 1, area="*")])))
        for id_, answered in ((ASKED, AlarmAcknowledged(alarm=alarm_of(RULE), by="Ada")), (REFUSED, None)):
            asked = Request(
                id=id_, area=PRESS, at=at(30), by="Ada", role="operator", expires=at(50),
                body=AcknowledgeIncident(incident=INCIDENT, comment="mine"),
            )  # fmt: skip
            fact = answered or RequestRefused(request=id_, by="Ada", reason="it is resolved already")
            log.append(Batch(entries=[entry_of_request(asked), *entries([event(fact, 31, cause=id_)])]))
        standing = event(raised("cooling_flow"), 60, area=COOLING)
        letters = [
            DeadLetter(id=UUID(int=n), at=at(n), origin="mqtt plain/x", field="", reason=f"no {n}", original=b"abc")
            for n in range(3)
        ]
        tick = Advance(start=0, to=Position(next=4, tick_at=at(5)))
        log.append(Batch(entries=entries([standing]), letters=letters, advances={("conditions", 0): tick}))
    engine = live.reader(database)
    with engine.connect() as db:
        yield db
    engine.dispose()


def test_what_stands_now(db: Connection) -> None:
    seen = live.overview(db)
    assert [a.rule for a in seen.alarms] == ["cooling_flow"]
    assert (seen.open_incidents, seen.incidents) == (0, ()), "one that was resolved long ago is not shown"
    found = live.incident(db, INCIDENT)
    assert found
    assert (found.status, found.acknowledged_by, found.opened_at) == ("resolved", "Ada", at(1))


@pytest.mark.parametrize("words", ["latest", "plant/press 1", "press 1", str(INCIDENT), str(INCIDENT)[:6].upper()])
def test_an_incident_is_found_by_what_people_say(db: Connection, words: str) -> None:
    assert [i.incident for i in live.find_incidents(db, words)] == [INCIDENT]


def test_nonsense_finds_nothing(db: Connection) -> None:
    assert live.find_incidents(db, "press 2") == live.find_incidents(db, "ress 1") == []
    assert live.find_incidents(db, "%") == []


def test_answers_to_requests(db: Connection) -> None:
    done, refused = live.answer(db, ASKED), live.answer(db, REFUSED)
    assert done
    assert refused
    assert (done.accepted, done.facts) == (True, ("alarm.acknowledged",))
    assert (refused.accepted, refused.reason) == (False, "it is resolved already")
    assert live.answer(db, make_id("never asked")) is None


def test_dead_letters_by_origin(db: Connection) -> None:
    summary = live.dead_letter_summary(db)
    assert summary.count == 4, "three from MQTT, one input that a stage could not decide"
    assert summary.by_origin[0] == ("mqtt plain/x", "no 2", 3)
    assert [origin for origin, _, _ in summary.by_origin] == ["mqtt plain/x", "stage detection"]
    assert summary.newest is not None and summary.newest > at(2), "the stage's is the newest"


def test_the_age_of_the_newest_tick(db: Connection) -> None:
    (behind,) = live.stage_lag(db)
    assert (behind.topic, behind.tick_at) == ("conditions", at(5))
    assert behind.seconds > 0


def test_a_trace_has_everything_of_the_incident_and_nothing_else(db: Connection) -> None:
    found = live.incident(db, INCIDENT)
    assert found
    whole = trace(db, found)
    types = [h.type for h in whole.happened]
    assert [h.at for h in whole.happened] == sorted(h.at for h in whole.happened)
    for wanted in ("alarm.raised", "run.step_finished", "command.succeeded", "notification.issued", "request.refused"):
        assert wanted in types
    assert types.count("request.acknowledge_incident") == 2
    assert not {"device.lost", "source.gap_opened", "stage.configured"} & set(types)
    assert "cooling_flow" not in {a.rule for a in whole.alarms}
    first = next(f for f in whole.rules if f.rule == RULE)
    assert first.definition
    assert first.definition["limit"] == 180.0
    around = whole.readings[0]
    assert around.before
    assert around.at
    assert around.highest
    assert (around.before.time, around.at.time) == (at(-0.1), at(0))
    assert (around.before.value, around.at.value, around.highest.value) == (199.0, 200.0, 299.0)


def test_a_trace_reads_aloud(db: Connection) -> None:
    found = live.incident(db, INCIDENT)
    assert found
    page = io.StringIO()
    show(trace(db, found), Console(file=page, width=150, color_system=None))
    text = page.getvalue()
    print(text)
    assert "alarm HIGH: press_pressure.H is high (201.5, limit 180 bar)" in text
    assert "request of Ada refused: it is resolved already" in text
    assert "done: press.relief_valve reads 1" in text
    assert "before 199 at 05:59:59.900" in text


def test_a_trace_is_json_for_programs(database: str, db: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(database, "press 1", as_json=True)
    back = msgspec.json.decode(capsys.readouterr().out)
    assert back["incident"]["number"] == 1
    assert back["happened"][0]["type"] == "alarm.raised"


def test_words_that_mean_no_incident_are_answered_with_the_newest(
    database: str, db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not tell(database, "press 2", as_json=True)
    said = capsys.readouterr()
    assert said.out == "" and "plant/press 1" in said.err


def test_analytics_can_only_read(db: Connection) -> None:
    with pytest.raises(Exception, match="read-only"), db.begin_nested():
        db.exec_driver_sql("DELETE FROM alarms")


def test_the_readings_of_a_point_in_a_span(db: Connection) -> None:
    samples = live.samples(db, "press.pressure", at(-10), at(-10) + timedelta(seconds=0.35))
    assert [s.value for s in samples] == [100, 101, 102, 103]
    assert live.samples(db, "press.unknown", at(-10), at(10)) == []
