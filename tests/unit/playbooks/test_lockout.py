"""A device under maintenance gets nothing, its executor is told so, and the run says what it did not do."""

from __future__ import annotations

from msgspec.structs import replace

from events.notifications import NotificationIssued
from events.playbooks import CommandIssued, LockOutIssued, RunFinished, RunStarted, StepFinished, StepStarted
from playbooks.plan import PlaybookSet
from tests.unit.incidents.rig import at
from tests.unit.playbooks.shop import PRESS, Shop, example, examples
from tests.unit.playbooks.test_again import kinds


def test_lock_out_is_said_to_the_executor_that_holds_the_device() -> None:
    shop = Shop()
    assert shop.locked_out("press", 10) == [
        LockOutIssued(edge="edge-1", device="press", reason="by anna: new seals", since=at(10))
    ]
    assert shop.log[-1].area == PRESS and shop.log[-1].author == "playbooks"
    assert shop.locked_out("press", 11) == [], "said once"
    assert shop.released("press", 12) == [LockOutIssued(edge="edge-1", device="press", reason="", since=at(12))]
    assert shop.released("press", 13) == []


def test_release_is_always_newer_than_the_lock_out_it_ends() -> None:
    shop = Shop()
    shop.tick(20)
    locked, released = *shop.locked_out("press", 10), *shop.released("press", 10)
    assert released.since > locked.since


def test_locked_device_gets_no_command_and_the_run_goes_on_as_after_a_failure() -> None:
    shop = Shop()
    shop.locked_out("press", 5)
    facts = shop.opened(1, 10)
    assert kinds(facts) == [RunStarted, StepStarted, StepFinished, StepStarted, StepStarted, CommandIssued]
    assert (facts[2].outcome, facts[2].detail) == ("failed", "locked out by anna: new seals")
    assert facts[5].point == "press_light.red", "another device"
    shop.succeeds(shop.command, 11)
    last = shop.succeeds(shop.command, 12)
    assert last[-1].outcome == "failed" and last[-1].detail == "failed at step relieve: locked out by anna: new seals"
    assert any(isinstance(f, NotificationIssued) and f.priority == "critical" for f in last)


def test_run_whose_only_device_is_locked_ends_at_once_and_somebody_is_told() -> None:
    book = replace(example("press_overpressure"), steps=example("press_overpressure").steps[:1])
    shop = Shop(replace(book, steps=tuple(replace(s, on_error="stop") for s in book.steps)))
    shop.locked_out("press", 5)
    assert kinds(shop.opened(1, 10)) == [RunStarted, StepStarted, StepFinished, NotificationIssued, RunFinished]
    assert shop.running == []


def test_retry_of_a_device_that_was_locked_out_meanwhile_is_not_made() -> None:
    shop = Shop()
    shop.opened(1, 10)
    shop.locked_out("press", 10.5)
    facts = shop.fails(shop.command, 11)
    assert kinds(facts)[:3] == [StepFinished, StepStarted, StepFinished]
    assert [c.point for c in shop.all(CommandIssued)] == ["press.relief_valve", "press_light.red"]


def test_lock_out_survives_a_restart_and_ends_with_its_release() -> None:
    shop = Shop()
    shop.locked_out("press", 5)
    shop.restart()
    shop.opened(1, 10)
    assert shop.command.point == "press_light.red"
    shop.obey(11)
    shop.released("press", 20)
    shop.restart()
    shop.opened(2, 30)
    assert shop.command.point == "press.relief_valve"


def test_locked_device_that_moves_to_another_edge_is_locked_out_there_too() -> None:
    shop = Shop()
    shop.locked_out("press", 5)
    shop.locked_out("press_light", 5)
    shop.released("press_light", 6)
    press = replace(examples().devices["press"], edge="edge-2")
    moved = PlaybookSet(examples().playbooks, {**examples().devices, "press": press})
    facts = shop.configure(moved, 50)
    assert facts[1:] == [LockOutIssued(edge="edge-2", device="press", reason="by anna: new seals", since=at(50))]
