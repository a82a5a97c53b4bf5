"""Each command at most once, checked, read back and answered; whatever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from devices.modbus import DeviceError, NoAnswerError
from devices.plant import Point
from events.devices import CommandFailed, CommandRefused, CommandSucceeded
from events.envelope import Event
from events.playbooks import CommandIssued
from tests.unit.edge.bench import NOW, Bench, command, locking, told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "journal.sqlite3")
    yield made
    made.journal.close()


async def test_a_write_that_reads_back_is_a_success_caused_by_the_command(bench: Bench) -> None:
    issued = command("a")
    outcome = await bench.execute(issued)
    assert isinstance(outcome, CommandSucceeded)
    assert (outcome.command, outcome.value, outcome.read_back) == (issued.fact.command, 180.0, 180.0)
    (reply,) = bench.replies()
    assert (reply.cause, reply.area, reply.author) == (issued.id, "shop/press", "edge edge-1")


@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (command("a", not_after=NOW - timedelta(milliseconds=1)), "late: 0.001 s after it expired"),
        (command("a", device="oven", point="oven.lamp"), "unknown device 'oven'"),
        (command("a", "press.colour"), "unknown point 'press.colour'"),
        (command("a", "press.pressure"), "press.pressure is not writable"),
        (command("a", value=250.1), "out of range: 250.1 is not within 0..250 bar"),
        (command("a", value=-0.1), "out of range"),
        (command("a", value=float("nan")), "out of range"),
        (command("a", "press.valve", 0.5), "out of range: 0.5 is neither 0 nor 1"),
    ],
)
async def test_what_may_not_be_tried_is_refused_with_the_reason_and_nothing_is_written(bench, issued, reason) -> None:
    outcome = await bench.execute(issued)
    assert isinstance(outcome, CommandRefused)
    assert reason in outcome.reason
    assert bench.registers.writes == []


async def test_a_point_is_written_no_more_often_than_it_may_be_also_over_a_restart(bench: Bench) -> None:
    assert isinstance(await bench.execute(command("a", "press.speed", 1)), CommandSucceeded)
    bench.reopen()
    bench.now += timedelta(seconds=4)
    assert "too often" in (await bench.execute(command("b", "press.speed", 2))).reason
    bench.now += timedelta(seconds=1)
    assert isinstance(await bench.execute(command("c", "press.speed", 3)), CommandSucceeded)
    assert bench.registers.writes == [("speed", 1), ("speed", 3)]


async def test_a_locked_out_device_gets_nothing_until_it_is_released_also_over_a_restart(bench: Bench) -> None:
    await bench.memory.lock_out(locking("by Kim: maintenance", 1))
    bench.reopen()
    assert (await bench.execute(command("a"))).reason == "locked out: press: by Kim: maintenance"
    await bench.memory.lock_out(locking("", 2))
    assert isinstance(await bench.execute(command("b")), CommandSucceeded)


async def test_an_older_release_never_ends_a_newer_lock_out(bench: Bench) -> None:
    for fact in (locking("first", 1), locking("second", 3), locking("", 2)):
        await bench.memory.lock_out(fact)
    assert bench.memory.locked_out == {"press": "second"}
    bench.reopen()
    await bench.memory.lock_out(locking("", 2))
    assert bench.memory.locked_out == {"press": "second"}
    await bench.memory.lock_out(locking("", 4))
    bench.reopen()
    await bench.memory.lock_out(locking("second", 3))
    assert bench.memory.locked_out == {}


async def test_a_lock_out_holds_at_once_and_is_confirmed_when_it_is_on_disk(bench: Bench) -> None:
    confirmed = asyncio.Event()
    bench.executor.submit(command("waits"))
    bench.executor.lock_out(told(locking("by Kim: maintenance", 1)), confirmed.set)
    assert bench.memory.locked_out and not confirmed.is_set()
    running = asyncio.create_task(bench.executor.run())
    await asyncio.wait_for(confirmed.wait(), 5)
    while not bench.replies():
        await asyncio.sleep(0.001)
    running.cancel()
    assert isinstance(bench.replies()[0].fact, CommandRefused), "it waited when the lock-out came"
    bench.reopen()
    assert bench.memory.locked_out == {"press": "by Kim: maintenance"}
    with pytest.raises(TypeError):
        bench.executor.lock_out(command("no lock-out"))


async def test_a_command_that_comes_after_the_release_is_done(bench: Bench) -> None:
    await bench.memory.lock_out(locking("by Kim: maintenance", 1))
    running = asyncio.create_task(bench.executor.run())
    await asyncio.sleep(0)
    bench.executor.lock_out(told(locking("", 2)))
    bench.executor.submit(command("after"))
    while not bench.replies():
        await asyncio.sleep(0.001)
    running.cancel()
    assert isinstance(bench.replies()[0].fact, CommandSucceeded)


async def test_a_lock_out_between_the_checks_and_the_write_is_still_in_time(bench: Bench) -> None:
    begin = bench.memory.begin

    async def locked_meanwhile(issued: Event, fact: CommandIssued, at: datetime) -> None:
        await begin(issued, fact, at)
        bench.executor.lock_out(told(locking("by Kim: maintenance", 1)))

    bench.memory.begin = locked_meanwhile
    assert (await bench.execute(command("a"))).reason == "locked out: press: by Kim: maintenance"
    assert bench.registers.writes == []


async def test_a_write_that_waits_for_a_silent_device_is_given_up_when_it_is_locked_out(bench: Bench) -> None:
    async def silent(_point: Point, _value: float) -> None:
        bench.executor.hold(locking("by Kim: maintenance", 1))
        await asyncio.Event().wait()

    bench.registers.write = silent
    async with asyncio.timeout(2):  # the command itself has 5 s
        outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandFailed)
    assert outcome.reason.startswith("locked out: press: by Kim: maintenance while it was being written")


async def test_a_command_seen_before_gets_its_old_answer_and_is_not_run_again(bench: Bench) -> None:
    await bench.execute(command("a"))
    bench.reopen()
    bench.now += timedelta(hours=1)
    await bench.execute(command("a"))
    first, again = bench.replies()
    assert first == again
    assert len(bench.registers.writes) == 1


async def test_a_refused_command_stays_refused(bench: Bench) -> None:
    await bench.memory.lock_out(locking("maintenance", 1))
    await bench.execute(command("a"))
    await bench.memory.lock_out(locking("", 2))
    assert isinstance(await bench.execute(command("a")), CommandRefused)
    assert bench.registers.writes == []


async def test_a_device_that_says_yes_and_keeps_the_old_value_has_failed(bench: Bench) -> None:
    bench.registers.values["setpoint"] = 20.0
    bench.registers.on_write = lambda point, value: None
    outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandFailed)
    assert "the register shows 20, not 180" in outcome.reason
    assert len(bench.registers.writes) == 1


async def test_a_register_that_follows_slowly_is_waited_for(bench: Bench) -> None:
    shown = iter([20.0, 120.0, 180.0])
    bench.registers.on_read = lambda point, value: next(shown)
    outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandSucceeded)
    assert outcome.read_back == 180.0


async def test_an_exception_reply_is_a_failure_at_once(bench: Bench) -> None:
    def busy(point: Point, value: float) -> None:
        raise DeviceError("press", point.point, "exception reply 6, device busy", 6)

    bench.registers.values["setpoint"] = 180.0
    bench.registers.on_write = busy
    outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandFailed)
    assert outcome.reason == "exception reply 6, device busy"


async def test_a_write_without_answer_that_took_effect_is_a_success(bench: Bench) -> None:
    def lost_answer(point: Point, value: float) -> None:
        bench.registers.values[point.point] = value
        raise NoAnswerError("press", point.point, "no answer within 0.5 s")

    bench.registers.on_write = lost_answer
    assert isinstance(await bench.execute(command("a")), CommandSucceeded)
    assert len(bench.registers.writes) == 1


async def test_a_silent_device_has_failed_after_one_write(bench: Bench) -> None:
    def silent(point: Point, value: float) -> float:
        raise NoAnswerError("press", point.point, "no answer within 0.5 s")

    bench.registers.on_write = bench.registers.on_read = silent
    outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandFailed)
    assert outcome.reason == "no answer within 0.5 s; not read back: no answer within 0.5 s"
    assert len(bench.registers.writes) == 1


async def test_a_process_paused_after_it_remembered_refuses_what_expired_meanwhile(bench: Bench) -> None:
    remember = bench.memory.begin

    async def paused(*arguments: object) -> None:
        await remember(*arguments)
        bench.now += timedelta(seconds=60)

    bench.memory.begin = paused
    outcome = await bench.execute(command("a"))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason.startswith("late: 55.000 s")
    assert bench.registers.writes == []


class Killed(BaseException):
    """The process dies here."""


async def die_while_writing(bench: Bench, issued: Event, *, after: bool) -> None:
    def dies(point: Point, value: float) -> float:
        if after:
            bench.registers.values[point.point] = value
        raise Killed

    bench.registers.on_write = dies
    with suppress(Killed):
        await bench.execute(issued)
    bench.registers.on_write = lambda point, value: value
    bench.reopen()


@pytest.mark.parametrize(("after", "expected"), [(True, CommandSucceeded), (False, CommandFailed)])
async def test_a_command_that_a_crash_interrupted_is_looked_at_and_never_written_again(bench, after, expected) -> None:
    await die_while_writing(bench, command("a"), after=after)
    running = asyncio.create_task(bench.executor.run())
    bench.executor.submit(command("a"))
    bench.executor.submit(command("b", "press.valve", 1))
    async with asyncio.timeout(5):
        while len(bench.replies()) < 3:
            await asyncio.sleep(0.005)
    running.cancel()
    first, again, other = bench.replies()
    assert isinstance(first.fact, expected)
    assert first == again
    if isinstance(first.fact, CommandFailed):
        assert first.fact.reason.startswith("interrupted")
    assert isinstance(other.fact, CommandSucceeded)
    assert [w for w in bench.registers.writes if w[0] == "setpoint"] == [("setpoint", 180.0)]


async def test_commands_of_one_device_keep_their_order(bench: Bench) -> None:
    running = asyncio.create_task(bench.executor.run())
    remembered: list[UUID] = []
    for n in range(8):
        issued = command(str(n), value=float(n))
        bench.executor.receive(issued, lambda i=issued: remembered.append(i.id))
    async with asyncio.timeout(5):
        while len(bench.replies()) < 8:
            await asyncio.sleep(0.005)
    running.cancel()
    assert [value for _, value in bench.registers.writes] == [float(n) for n in range(8)]
    assert len(remembered) == 8
