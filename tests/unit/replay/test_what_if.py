"""Other files over the same past: what is compared, and what the world is taken to answer."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

from andon.publish import Definition
from events import topics
from events.alarms import AlarmRaised, FloodBegan, FloodEnded
from events.devices import CommandFailed, CommandSucceeded
from events.envelope import Event, Reported, event
from events.playbooks import CommandIssued
from events.types import make_id
from incidents.definition import Definition as Incidents
from playbooks.plan import PlaybookSet
from replay.answers import Answers
from replay.compare import Comparison, compare
from replay.figures import count
from replay.page import page, verdict
from replay.run import Replayed, replay
from replay.told import Answer, Told
from tests.unit.replay.lived import Lived, at, example

KEY = (topics.INCIDENTS, 0)


@cache
def lived() -> Lived:
    plant = Lived(2, restarts=False, late=False)
    plant.live(80)
    plant.logged()
    return plant


def what_if(**other: Definition) -> Replayed:
    return replay(lived().inboxes, at(0.5), at(70), {**example().definitions, **other})


def compared(found: Replayed) -> Comparison:
    definition = example().definitions[topics.CONDITIONS]
    assert isinstance(definition, Incidents)
    return compare(found.history, found.replay, definition.positions, began=found.began, assumed=found.assumed)


def test_the_same_files_open_the_same_incidents_and_move_the_same_devices() -> None:
    found = compared(what_if())
    assert found.before.incidents
    assert found.before.commands
    assert (found.added, found.lost) == ((), ())
    assert (found.commands_added, found.commands_lost) == ((), ())


def test_without_playbooks_no_device_is_moved_and_the_first_command_is_explained() -> None:
    found = compared(what_if(**{topics.INCIDENTS: PlaybookSet(())}))
    assert not found.after.commands
    assert found.commands_lost == found.before.commands
    assert found.command is not None
    assert any("command" in line for line in found.command.before)
    assert found.command.because
    assert f"commands: 0 added, {len(found.before.commands)} lost" in verdict(found)


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    found = what_if(**{topics.INCIDENTS: PlaybookSet(())})
    text = page(compared(Replayed(found.history, Told("<other>", at(0), at(70), found.replay.answers), at(0), ())))
    assert "&lt;other&gt;" in text
    assert "<svg" in text
    assert not any(word in text for word in ("http://", "https://", "<script", "src=", "@import"))


# --- figures ---------------------------------------------------------------------------------------------------------


def raised(seconds: float, area: str = "shop/press", **more: object) -> Event:
    fact = AlarmRaised(
        alarm=make_id("a", seconds), rule="r", rule_version="v", kind="limits", point="p", priority="high", message="m",
        value=1.0, limit=1.0, unit="", began=at(seconds), **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return said(fact, seconds, area)


def said(fact: object, seconds: float, area: str = "shop/press") -> Event:
    return event(fact, at=at(seconds), area=area, cause=make_id(seconds), author="t", index=0)  # type: ignore[arg-type]


def told(*events: Event, hours: float = 2) -> Told:
    return Told("t", at(0), at(0) + timedelta(hours=hours), (Answer(KEY, 1, events),))


def test_alarms_are_counted_by_hour_and_position_if_an_operator_saw_them() -> None:
    definition = example().definitions[topics.CONDITIONS]
    assert isinstance(definition, Incidents)
    figures = count(
        told(raised(10), raised(20, hidden="shelved"), raised(30, late=True), raised(3700, "elsewhere/hall")),
        definition.positions,
    )
    assert figures.alarms == 2
    assert figures.an_hour == pytest.approx(1.0)
    assert list(figures.by_hour.values()) == [1, 1]
    assert figures.by_position["shift_lead"] == pytest.approx(0.5)


def test_the_busiest_ten_minutes_may_begin_anywhere() -> None:
    assert count(told(*(raised(s) for s in (0, 500, 700, 900, 1099, 1101))), {}).busiest == 4


def test_floods_that_overlap_are_one_time_and_an_open_one_lasts_to_the_end() -> None:
    def ended(begin: float, end: float, area: str) -> Event:
        fact = FloodEnded(scope="area", since=at(begin), alarms=11, held_back=0, peak=11)
        return said(fact, end, area)

    figures = count(
        told(
            said(FloodBegan(scope="area", alarms=11), 600, "a"), ended(600, 1200, "a"), ended(-60, 900, "b"),
            said(FloodBegan(scope="area", alarms=11), 7080, "a"),
        ),
        {},
    )  # fmt: skip
    assert figures.flood_minutes == pytest.approx(22.0)


# --- answers ---------------------------------------------------------------------------------------------------------


def command(seconds: float, value: float = 1.0, name: str = "c") -> Event:
    fact = CommandIssued(
        command=make_id(name, seconds), run=make_id("r"), incident=None, step="s", attempt=1, edge="edge-1", device="d",
        point="d.valve", value=value, tolerance=0.0, not_after=at(seconds + 5), author="playbook p@1",
    )  # fmt: skip
    return said(fact, seconds)


def failed(issued: Event, after: float) -> Event:
    assert isinstance(issued.fact, CommandIssued)
    fact = CommandFailed(command=issued.fact.command, device="d", point="d.valve", reason="no answer")
    return event(fact, at=issued.at + timedelta(seconds=after), area=issued.area, cause=issued.id, author="e", index=0)


def answer(answers: Answers, issued: Event) -> Event:
    ((inbox, when, record),) = list(answers.to(issued))
    assert inbox == topics.INCIDENTS
    assert isinstance(record, Reported)
    assert record.events[0].at == when
    return record.events[0]


def test_a_command_that_history_has_is_answered_as_it_was() -> None:
    then = command(10)
    answers = Answers(told(then), [failed(then, 2)])
    assert answer(answers, then) == failed(then, 2)
    assert not answers.assumed


def test_one_that_nobody_answered_is_not_answered() -> None:
    assert list(Answers(told(command(10)), []).to(command(10))) == []


def test_another_command_of_the_same_value_near_in_time_takes_its_outcome() -> None:
    answers = Answers(told(then := command(10)), [failed(then, 2)])
    got = answer(answers, command(13, name="other"))
    assert isinstance(got.fact, CommandFailed)
    assert (got.at, got.fact.command) == (at(15), make_id("other", 13))


@pytest.mark.parametrize("issued", [command(100, name="other"), command(11, 0.0, "other")])
def test_one_that_history_does_not_have_is_assumed_to_be_done_at_once_and_that_is_said(issued: Event) -> None:
    answers = Answers(told(then := command(10)), [failed(then, 2)])
    got = answer(answers, issued)
    assert isinstance(got.fact, CommandSucceeded)
    assert got.at == issued.at
    assert len(answers.assumed) == 1


def test_what_answered_then_what_the_replay_issues_itself_is_left_out() -> None:
    then, before = command(10), command(-10)
    answers = Answers(told(then), [failed(then, 2), failed(before, 2)])
    both = Reported("edge-1:j", 4, (failed(then, 2), failed(before, 2)))
    assert answers.admit(both) == Reported("edge-1:j", 4, (failed(before, 2),))
    assert answers.admit(Reported("edge-1:j", 5, (failed(then, 2),))) is None
