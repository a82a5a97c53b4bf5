"""What every event log promises; run on the one in memory and on TimescaleDB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.entry import entry_of, entry_of_request
from eventlog.log import Advance, Batch, EventLog, Position, PositionConflictError, SourceSeen
from eventlog.memory import MemoryLog
from eventlog.migrate import upgrade
from eventlog.projections import KEYS, REBUILT
from eventlog.timescale import TimescaleLog
from events.devices import CommandSucceeded
from events.envelope import DeadLetter
from events.playbooks import StepFinished
from events.requests import AcknowledgeAlarm, Request
from events.types import make_id
from tests.contract import stories
from tests.contract.lives import life
from tests.contract.runs import QUESTION, RUN, TASK, TICKET, TOLD, WATCH, runs
from tests.contract.stories import COOLING, PRESS, at, entries, event, frame, raised, story

EMPTY = "TRUNCATE scans, layouts, chain_heads, positions, marks, sources, inputs, definitions, ticks, decisions,"
EMPTY += f" checkpoints, {', '.join(KEYS)};"
EMPTY += " UPDATE log_head SET position = 0;"
EMPTY += " DROP TRIGGER events_no_truncate ON events; TRUNCATE events; CREATE TRIGGER events_no_truncate"
EMPTY += " BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"


@pytest.fixture(params=["memory", pytest.param("timescale", marks=pytest.mark.integration)])
def log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    if request.param == "memory":
        yield MemoryLog(now=lambda: at(1000))
        return
    url = request.getfixturevalue("database")
    upgrade(url)
    made = TimescaleLog(url)
    with made.connection.transaction():
        made.connection.execute(EMPTY)
    yield made
    made.close()


def test_what_is_appended_is_read_in_order(log: EventLog) -> None:
    events = story()
    log.append(Batch(entries=entries(events[:5])))
    log.append(Batch(entries=entries(events[5:])))
    lines = log.read()
    assert [line.event for line in lines] == events
    assert [line.position for line in lines] == list(range(1, len(events) + 1))


def test_the_same_event_again_adds_nothing(log: EventLog) -> None:
    events = story()
    log.append(Batch(entries=entries(events)))
    before = {t: log.rows(t) for t in KEYS}
    again = log.append(Batch(entries=entries(events + events[:3])))
    assert again.entries == 0
    assert len(log.read()) == len(events)
    assert {t: log.rows(t) for t in KEYS} == before


def test_a_repetition_within_one_batch_counts_once(log: EventLog) -> None:
    one = event(raised("x"))
    assert log.append(Batch(entries=entries([one, one]))).entries == 1


def test_a_batch_is_taken_only_where_its_topics_are(log: EventLog) -> None:
    key = ("incidents", 2)
    first = Batch(
        entries=entries(story()[:1]), advances={key: Advance(start=0, to=Position(next=3, last=2, tick_at=at(9)))}
    )
    log.append(first)
    assert log.positions() == {key: Position(next=3, last=2, tick_at=at(9))}
    with pytest.raises(PositionConflictError):
        log.append(Batch(entries=entries(story()[1:4]), frames=[frame([[1, 2]])], advances=first.advances))
    assert len(log.read()) == 1
    assert log.positions()[key].next == 3


def test_a_position_without_a_chain_is_remembered_as_such(log: EventLog) -> None:
    log.append(Batch(advances={("incidents", 0): Advance(start=0, to=Position(next=9, last=None))}))
    assert log.positions()[("incidents", 0)].last is None


def test_marks_of_sources_are_remembered(log: EventLog) -> None:
    log.append(Batch(marks={("edge-1:j", 1): 5}, sources={"edge-1:j": SourceSeen(sequence=5, time=at(0))}))
    log.append(Batch(marks={("edge-1:j", 1): 9}, sources={"edge-1:j": SourceSeen(sequence=9, time=at(1))}))
    assert log.marks() == {("edge-1:j", 1): 9}


def test_reading_by_area_time_type_cause_and_stream(log: EventLog) -> None:
    log.append(Batch(entries=entries(story() + story("other", area=COOLING, seconds=100))))
    assert {line.area for line in log.read(area=COOLING)} == {COOLING}
    assert len(log.read(since=at(100))) == len(story())
    assert [line.time for line in log.read(since=at(3), until=at(5))] == [at(3), at(4)]
    assert {line.type for line in log.read(type="incident.*", area=PRESS)} == {
        "incident.opened", "incident.alarm_grouped", "incident.acknowledged", "incident.resolved",
    }  # fmt: skip
    wanted = story()[3]
    assert [line.id for line in log.read(cause=wanted.cause)] == [wanted.id]
    of_alarm = log.read(stream=f"alarm:{stories.alarm_of('other')}")
    assert [line.type for line in of_alarm] == ["alarm.raised", "alarm.acknowledged", "alarm.cleared"]
    first = log.read(limit=10)
    assert [line.position for line in log.read(after=first[-1].position, limit=2)] == [11, 12]


def test_a_request_is_part_of_the_record(log: EventLog) -> None:
    asked = Request(
        id=make_id("r"), area=PRESS, at=at(1), by="Ada", role="operator", expires=at(20),
        body=AcknowledgeAlarm(alarm=stories.alarm_of("x"), comment="mine"),
    )  # fmt: skip
    log.append(Batch(entries=[entry_of_request(asked)]))
    (line,) = log.read(type="request.*")
    assert (line.type, line.author, line.event) == ("request.acknowledge_alarm", "person Ada", None)
    assert b"mine" in line.payload


def test_the_projections_say_what_happened(log: EventLog) -> None:
    log.append(Batch(entries=entries(story())))
    alarm = next(a for a in log.rows("alarms") if a["rule"] == "press_pressure.H")
    assert (alarm["active"], alarm["acknowledged"], alarm["acknowledged_by"]) == (False, True, "Ada")
    (incident,) = log.rows("incidents")
    assert (incident["status"], alarm["incident"]) == ("resolved", incident["incident"])
    done = next(c for c in log.rows("commands") if c["device"] == "press")
    assert done["outcome"] == "succeeded", "the first outcome counts, a late refusal changes nothing"
    assert done["reason"] == ""
    lost = next(g for g in log.rows("gaps") if g["first"] == 20)
    assert lost["reason"] == "disk limit"
    (failed,) = log.rows("dead_letters")
    assert failed["original"] == b"\xff\x00"


def test_the_projections_say_how_runs_went_and_what_people_said(log: EventLog) -> None:
    log.append(Batch(entries=entries(runs())))
    by_run = {r["run"]: r for r in log.rows("runs")}
    run = by_run[RUN]
    assert (run["outcome"], run["ending"], run["undo"]) == ("failed", "failed", ["open"])
    assert (run["paused"], run["paused_by"], run["escalated_to"]) == (False, "eva", "shift_lead")
    assert run["scope"] == {"incident.title": "Pressure", "alarm.value": 201.5, "alarm.late": False}
    assert [r["retry_of"] for r in by_run.values() if r["run"] != RUN] == [RUN]
    steps = {s["step"]: s for s in log.rows("steps")}
    assert (steps["ticket"]["result"], steps["ticket"]["set"]) == ({"status": 201.0}, {"ticket": "T-1"})
    assert steps["approve"]["by"] == "carl"
    questions = {q["question"]: q for q in log.rows("questions")}
    assert (questions[QUESTION]["answer"], questions[TASK]["reason"]) == ("yes", "its run ended")
    assert {(a["by"], a["comment"]) for a in log.rows("answers")} == {("eva", "I looked"), ("carl", "")}
    errands = {e["errand"]: e for e in log.rows("errands")}
    assert (errands[TICKET]["outcome"], errands[TICKET]["status"]) == ("done", 201)
    assert (errands[TOLD]["outcome"], errands[TOLD]["reason"]) == ("failed", "the broker is away")
    (acting,) = log.rows("acting")
    assert (acting["area"], acting["reason"], acting["allowed_at"]) == (PRESS, "smoke again", None)


def test_what_three_stages_pass_on_stands_in_the_log_once(log: EventLog) -> None:
    passed = event(WATCH, 1, cause=make_id("scan"))
    own = [event(f.fact, 2 + i, cause=make_id(passed.id, i)) for i, f in enumerate(runs()[:3])]
    log.append(Batch(entries=[entry_of(passed, topic="conditions", partition=1, offset=4)]))
    before = {t: log.rows(t) for t in KEYS}
    for topic, events in (("incidents", [passed]), ("commands", [passed, *own])):
        log.append(Batch(entries=[entry_of(e, topic=topic, partition=1, offset=9) for e in events]))
    assert [line.id for line in log.read()] == [passed.id, *(e.id for e in own)]
    assert log.read()[0].topic == "conditions"
    assert log.verify(PRESS) == 4
    assert log.rows("alarms") == before["alarms"], "a watch is no alarm"
    live = {t: log.rows(t) for t in REBUILT}
    log.rebuild()
    assert {t: log.rows(t) for t in REBUILT} == live


def test_a_result_that_is_no_number_does_not_stop_the_log(log: EventLog) -> None:
    read = StepFinished(run=RUN, step="look", attempt=1, outcome="done", result={"value": math.nan, "x": 1.0})
    log.append(Batch(entries=[entry_of(event(read))]))
    (line,) = log.read()
    assert isinstance(line.fact, StepFinished)
    assert math.isnan(float(line.fact.result["value"]))
    assert log.rows("steps")[0]["result"] == {"x": 1.0}


def test_an_outcome_that_is_logged_before_its_command_is_not_lost(log: EventLog) -> None:
    events = story()
    log.append(Batch(entries=entries(events[7:8])))
    log.append(Batch(entries=entries(events[4:5])))
    (command,) = log.rows("commands")
    assert (command["outcome"], command["edge"]) == ("succeeded", "edge-1")


def test_rebuilt_projections_equal_the_live_ones(log: EventLog) -> None:
    events = story() + story("other", area=COOLING, seconds=100) + life() + runs()
    for i in range(0, len(events), 7):
        log.append(Batch(entries=entries(events[i : i + 7])))
    live = {t: log.rows(t) for t in REBUILT}
    assert log.rebuild() == len(events)
    assert {t: log.rows(t) for t in REBUILT} == live


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_any_facts_rebuilds_to_the_same(log: EventLog, data: st.DataObject) -> None:
    salt = data.draw(st.uuids())
    events = story() + life() + runs()
    chosen = data.draw(st.lists(st.sampled_from(range(len(events))), min_size=1, max_size=60))
    batch = [event(events[n].fact, i, cause=make_id(salt, i)) for i, n in enumerate(chosen)]
    cut = data.draw(st.integers(0, len(batch)))
    log.append(Batch(entries=entries(batch[:cut])))
    log.append(Batch(entries=entries(batch[cut:])))
    live = {t: log.rows(t) for t in REBUILT}
    log.rebuild()
    assert {t: log.rows(t) for t in REBUILT} == live
    assert log.verify(PRESS) == len(log.read(area=PRESS, limit=100_000))


def test_the_chain_of_each_area_holds(log: EventLog) -> None:
    log.append(Batch(entries=entries(story())))
    log.append(Batch(entries=entries(story("other", area=COOLING, seconds=100))))
    log.append(Batch(entries=entries(story("third", seconds=200))))
    assert (log.verify(PRESS), log.verify(COOLING), log.verify("nowhere")) == (52, 26, 0)


def test_awkward_numbers_and_texts_keep_the_chain(log: EventLog) -> None:
    odd = [1e22, 1e300, 1.5e300, 5e-324, -0.0, 0.1, 2.0**53 + 2, 123456789012345678.0, 3.0]
    facts = [
        CommandSucceeded(
            command=make_id(i), device="zero\0 and \\u0000", point="ö \U0001f600", value=v, read_back=v,
            written_at=at(0.000001), confirmed_at=at(1),
        )
        for i, v in enumerate(odd)
    ]  # fmt: skip
    log.append(Batch(entries=[entry_of(event(f, i, area="a\0b")) for i, f in enumerate(facts)]))
    assert log.verify("a\ufffdb") == len(odd)
    read = [line.fact for line in log.read()]
    assert [f.value for f in read if isinstance(f, CommandSucceeded)] == odd
    assert all(isinstance(f, CommandSucceeded) and f.device == "zero\ufffd and \\u0000" for f in read)


def test_a_number_that_is_none_does_not_stop_the_log(log: EventLog) -> None:
    fact = CommandSucceeded(
        command=make_id("nan"), device="d", point="p", value=1.0, read_back=math.nan, written_at=at(0),
        confirmed_at=at(0),
    )  # fmt: skip
    log.append(Batch(entries=[entry_of(event(fact))]))
    (line,) = log.read()
    assert isinstance(line.fact, CommandSucceeded)
    assert math.isnan(line.fact.read_back)
    log.rebuild()


def test_frames_of_numbered_sources_are_all_kept(log: EventLog) -> None:
    frames = [frame([[1, 0], [2, 1]], sequence=n, seconds=n) for n in range(3)]
    appended = log.append(Batch(frames=frames))
    assert (appended.scans, appended.readings) == (6, 12)


def test_what_an_unnumbered_source_says_again_is_dropped_reading_by_reading(log: EventLog) -> None:
    whole = frame([[1.0, 7.0], [math.nan, 8.0]], source="mqtt:press", qualities=[[0, 0], [3, 0]])
    assert log.append(Batch(frames=[whole, whole])).readings == 4
    one = frame([[1.0]], source="mqtt:press", points=("press.pressure",))
    assert log.append(Batch(frames=[one])).readings == 0
    other = frame([[9.0]], source="mqtt:press", points=("press.pressure",))
    assert log.append(Batch(frames=[other])).readings == 1, "another value at the same time is not a repetition"
    assert log.append(Batch(frames=[whole, other])).readings == 0
    later = frame([[1.0, 7.0]], source="mqtt:press", seconds=60)
    assert log.append(Batch(frames=[later])).readings == 2


def test_a_dead_letter_is_kept_once(log: EventLog) -> None:
    letter = DeadLetter(id=UUID(int=1), at=at(0), origin="mqtt x", field="", reason="not\0JSON", original=b"\x00\xff")
    assert log.append(Batch(letters=[letter])).letters == 1
    assert log.append(Batch(letters=[letter])).letters == 0


def test_events_of_long_ago_and_far_ahead_are_taken(log: EventLog) -> None:
    far = [event(raised("old"), -(10**9)), event(raised("new"), 10**9)]
    log.append(Batch(entries=entries(far)))
    assert [line.event for line in log.read()] == far
    assert log.read(since=at(0) - timedelta(days=36500), until=at(0))[0].event == far[0]
