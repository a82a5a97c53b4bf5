"""Runs, questions and hands off, as the log has them: found by the words of people, and told whole."""

from __future__ import annotations

import io
from collections.abc import Iterator

import msgspec
import pytest
from rich.console import Console
from sqlalchemy import Connection

from analytics import live, runs
from analytics.cli import show_run, tell
from analytics.trace import trace_run
from desk.lookup import playbooks
from desk.seen import one_run, playbook_seen, run_detail
from desk.words import WordsError
from eventlog.entry import entry_of_request
from eventlog.log import Batch
from eventlog.migrate import upgrade
from eventlog.timescale import opened
from events.envelope import Configured
from events.incidents import IncidentOpened
from events.playbooks import RunStarted, StepFinished, StepStarted
from events.requests import AnswerQuestion, CancelRun, Request, RequestBody, RequestRefused
from events.types import make_id
from playbooks.plan import OnRequest, Playbook, PlaybookSet
from playbooks.recipe import Notify, Step
from tests.contract import runs as told
from tests.contract.runs import INCIDENT, QUESTION, RETRY, RUN, TASK
from tests.contract.stories import COOLING, PRESS, at, entries, event

pytestmark = pytest.mark.integration
GOING, ASKED = make_id("going"), make_id("asked")
STEPS = (Step("tell", Notify("lead", "Go", "high"), 10.0),)


@pytest.fixture(scope="module")
def db(database: str) -> Iterator[Connection]:
    upgrade(database)
    opened_ = IncidentOpened(
        incident=INCIDENT, number=17, title="Pressure", priority="high", alarm=make_id("a"), rule="x", point="p"
    )
    going = RunStarted(run=GOING, playbook="cool", version="1", incident=None, title="Cool it", asked_by="anna")
    requests: tuple[RequestBody, ...] = (CancelRun(run=RUN, reason="wrong"), AnswerQuestion(question=TASK, answer="no"))
    books = {
        COOLING: (Playbook("cool", "Cool it", COOLING, (OnRequest(role="supervisor"),), STEPS),),
        PRESS: (Playbook("relief", "Relieve the press", PRESS, (), STEPS),),
    }
    with opened(database) as log:
        log.append(Batch(entries=entries([event(opened_, -1), *told.runs()])))
        log.append(Batch(entries=entries([event(going, 100, area=COOLING)])))
        for number, body in enumerate(requests):
            asked = Request(
                id=make_id(ASKED, number), area=PRESS, at=at(40 + number), by="ben", role="operator", expires=at(90),
                body=body,
            )  # fmt: skip
            refused = RequestRefused(request=asked.id, by="ben", reason="it has ended")
            log.append(Batch(entries=[entry_of_request(asked), *entries([event(refused, 50, cause=asked.id)])]))
        for version, areas in (("old", (PRESS, COOLING)), ("new", (PRESS,))):
            packed = PlaybookSet(tuple(book for area in areas for book in books[area])).pack()
            seconds = {"old": 1, "new": 2}[version]
            configured = Configured(stage="playbooks", version=version, body=packed)
            log.append(Batch(entries=entries([event(configured, seconds, area="*", cause=make_id(version))])))
    engine = live.reader(database)
    with engine.connect() as db:
        yield db
    engine.dispose()


def test_what_goes_on_is_apart_from_what_has_ended(db: Connection) -> None:
    assert [r.run for r in runs.runs(db)] == [GOING, RETRY, RUN]
    assert [r.run for r in runs.runs(db, going=True)] == [GOING]
    assert [r.run for r in runs.runs(db, going=False, area="plant")] == [RETRY, RUN]
    assert [r.run for r in runs.runs(db, playbook="cool", incident=None, limit=1)] == [GOING]


@pytest.mark.parametrize(
    ("words", "found"),
    [("latest", [GOING]), ("cool", [GOING]), ("relief", [RETRY]), ("17", [RETRY]), ("press#17", [RETRY]),
     (str(RUN), [RUN]), (str(RUN)[:8], [RUN]), ("press#18", []), ("nothing", []), ("", []), (str(RUN)[:2], [])],
)  # fmt: skip
def test_a_run_is_found_by_the_words_of_people(db: Connection, words: str, found: list[object]) -> None:
    assert [r.run for r in runs.find_runs(db, words)] == found


def test_a_closed_question_is_found_by_its_id_alone(db: Connection) -> None:
    assert runs.questions(db) == [] and runs.find_questions(db, "relief") == []
    (task,) = runs.find_questions(db, str(TASK)[:13])
    assert (task.playbook, task.checklist, task.reason) == ("relief", ("isolated", "replaced"), "its run ended")
    asked = runs.question(db, QUESTION)
    assert asked and [(a.by, a.answer, a.comment) for a in asked.answers] == [
        ("eva", "yes", "I looked"), ("carl", "yes", "")
    ]  # fmt: skip


def test_hands_off_stands_until_somebody_allows_it(db: Connection) -> None:
    (off,) = runs.hands_off(db)
    assert (off.area, off.stopped_by, off.reason) == (PRESS, "anna", "smoke again")
    assert live.overview(db).hands_off == (off,)
    assert [r.run for r in live.overview(db).runs] == [GOING]


def test_a_run_is_told_whole(db: Connection) -> None:
    detail = run_detail(db, runs.find_runs(db, str(RUN))[0])
    assert (detail.phase, detail.number, detail.undo) == ("failed", 17, ("open",))
    assert [(s.step, s.outcome) for s in detail.steps] == [("ticket", "done"), ("approve", "done")]
    assert [(e.target, e.status) for e in detail.errands] == [
        ("POST https://cmms.example/tickets", 201), ("factory/info", 0)
    ]  # fmt: skip
    assert [c.precondition for c in detail.commands] == ["press.position < 10"]
    texts = [one.text for one in detail.timeline]
    assert "errand done (HTTP 201) (ticket = T-1)" in texts
    assert "request of ben refused: it has ended" in texts, "what people asked of it, and the answer, too"
    assert "asked to answer no" in texts


def test_a_trace_of_a_run_reads_aloud(db: Connection) -> None:
    run = runs.run(db, RUN)
    assert run
    page = io.StringIO()
    show_run(trace_run(db, run), Console(file=page, width=170, color_system=None))
    text = page.getvalue()
    assert "set off by alarm.late False, alarm.value 201.5, incident.title Pressure" in text
    assert "POST https://cmms.example/tickets, HTTP 201" in text
    assert "asked shift_lead: Open it?; eva: yes I looked; carl: yes" in text
    assert "shift_lead must look at step open" in text


def test_a_trace_of_a_run_is_json_for_programs(
    database: str, db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(database, str(RUN)[:10], as_json=True)
    back = msgspec.json.decode(capsys.readouterr().out)
    assert back["run"]["escalated_to"] == "shift_lead"
    assert back["happened"][0]["type"] == "run.started"


def test_the_playbooks_in_force_are_of_each_area_those_of_its_newest_version(db: Connection) -> None:
    found = playbooks(db, [PRESS, COOLING])
    assert {name: book.area for name, book in found.items()} == {"relief": PRESS, "cool": COOLING}
    assert playbook_seen(found["cool"]).asked_by == "supervisor"
    assert playbook_seen(found["relief"]).asked_by == ""


def test_a_row_of_a_step_that_has_only_ended_so_far_is_left_out(database: str, db: Connection) -> None:
    """Its beginning lies in a batch that comes later: nothing is told of it before."""
    with opened(database) as log:
        ended = StepFinished(run=GOING, step="tell", attempt=1, outcome="done")
        log.append(Batch(entries=entries([event(ended, 101, area=COOLING)])))
        engine = live.reader(database)
        with engine.connect() as now:
            run = runs.run(now, GOING)
            assert run and run.steps == ()
        begun = StepStarted(run=GOING, step="tell", attempt=1, due=at(110))
        log.append(Batch(entries=entries([event(begun, 100.5, area=COOLING)])))
        with engine.connect() as now:
            run = runs.run(now, GOING)
            assert run and [(s.step, s.outcome) for s in run.steps] == [("tell", "done")]
        engine.dispose()


def test_of_several_that_go_on_none_is_guessed(database: str, db: Connection) -> None:
    another = RunStarted(run=make_id("another"), playbook="cool", version="1", incident=None, title="Cool it again")
    with opened(database) as log:
        log.append(Batch(entries=entries([event(another, 200, area=COOLING)])))
    engine = live.reader(database)
    with engine.connect() as now, pytest.raises(WordsError, match=r"'cool' is not clear: Cool it again .*; Cool it"):
        one_run(now, "cool")
    engine.dispose()
