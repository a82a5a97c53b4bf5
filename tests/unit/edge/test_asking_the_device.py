"""What is checked on the devices themselves, the moment before one is written; and reading one on command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from devices.modbus import NoAnswerError
from devices.plant import Point
from events.devices import CommandFailed, CommandRefused, CommandSucceeded
from tests.unit.edge.bench import GUARDED, Bench, command, locking, told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "journal.sqlite3")
    yield made
    made.journal.close()


def silent(point: Point, value: float) -> float:
    raise NoAnswerError("gate", point.point, "no answer within 0.5 s")


async def test_an_interlock_that_is_true_at_the_devices_lets_the_point_be_written(bench: Bench) -> None:
    bench.gate.values["closed"] = 1.0
    assert isinstance(await bench.execute(command("a", "press.ram", 1)), CommandSucceeded)


async def test_an_interlock_that_is_false_refuses_whoever_asks_and_says_what_the_device_said(bench: Bench) -> None:
    outcome = await bench.execute(command("a", "press.ram", 1, author="person Kim"))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == f"interlock: {GUARDED} is not true (gate.closed is no)"
    assert bench.registers.writes == []


async def test_what_was_refused_by_its_interlock_does_not_count_as_written(bench: Bench) -> None:
    await bench.execute(command("a", "press.ram", 1))
    bench.reopen()
    bench.gate.values["closed"] = 1.0
    assert isinstance(await bench.execute(command("b", "press.ram", 1)), CommandSucceeded)
    assert "too often" in (await bench.execute(command("c", "press.ram", 2))).reason


async def test_an_interlock_whose_device_does_not_answer_refuses(bench: Bench) -> None:
    bench.gate.on_read = silent
    outcome = await bench.execute(command("a", "press.ram", 1))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == f"interlock: {GUARDED} is not known: gate.closed: no answer within 0.5 s"
    assert bench.registers.writes == []


@pytest.mark.parametrize(
    ("precondition", "refused"),
    [
        ("press.pressure < 150", None),
        ("press.pressure < 120", "precondition: press.pressure < 120 is not true (press.pressure is 123)"),
        ("press.pressure < 120[bar] || gate.closed == 'no'", None),
        ("press.pressure < 150 && speed.x > 1", "cannot be checked: unknown name 'speed.x'"),
        ("press.pressure <", "press.pressure < cannot be checked: it ends too early"),
        ("mean(press.pressure, 1s) < 150", "cannot be checked: mean(press.pressure, 1s): a device is asked once"),
    ],
)
async def test_a_precondition_is_judged_by_what_the_device_says_now(bench: Bench, precondition, refused) -> None:
    bench.registers.values["pressure"] = 123.0
    outcome = await bench.execute(command("a", precondition=precondition))
    if refused is None:
        assert isinstance(outcome, CommandSucceeded)
    else:
        assert isinstance(outcome, CommandRefused)
        assert refused in outcome.reason
        assert bench.registers.writes == []


async def test_what_is_not_known_matters_only_where_it_decides(bench: Bench) -> None:
    bench.gate.on_read = silent
    either = "press.pressure < 150 || gate.closed == 'yes'"
    assert isinstance(await bench.execute(command("a", precondition=either)), CommandSucceeded)
    both = "press.pressure < 150 && gate.closed == 'yes'"
    assert "is not known: gate.closed: no answer" in (await bench.execute(command("b", precondition=both))).reason


async def test_a_value_outside_the_range_of_its_point_proves_nothing(bench: Bench) -> None:
    bench.registers.values["pressure"] = -40.0
    outcome = await bench.execute(command("a", precondition="press.pressure < 150"))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason.endswith("is not known: press.pressure: it reads -40, outside its range 0..400 bar")


async def test_interlock_and_precondition_must_both_hold(bench: Bench) -> None:
    bench.gate.values["closed"] = 1.0
    outcome = await bench.execute(command("a", "press.ram", 1, precondition="press.pressure > 1"))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason.startswith("precondition: press.pressure > 1 is not true")


async def test_a_lock_out_while_the_devices_are_asked_is_in_time(bench: Bench) -> None:
    def locked_meanwhile(point: Point, value: float) -> float:
        bench.executor.hold(locking("hands off by Kim", 1))
        return 1.0

    bench.gate.on_read = locked_meanwhile
    outcome = await bench.execute(command("a", "press.ram", 1))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == "locked out: press: hands off by Kim"
    assert bench.registers.writes == []


async def test_a_device_that_hangs_while_it_is_asked_is_left_when_the_other_is_locked_out(bench: Bench) -> None:
    async def hangs(point: Point) -> float:
        bench.executor.hold(locking("hands off by Kim", 1))
        return await asyncio.Event().wait()

    bench.gate.read = hangs
    async with asyncio.timeout(4):  # the command itself has 5 s
        outcome = await bench.execute(command("a", "press.ram", 1))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == "locked out: press: hands off by Kim"
    assert bench.registers.writes == []


async def test_a_command_that_expires_while_devices_are_asked_is_refused_as_late(bench: Bench) -> None:
    async def hangs(point: Point) -> float:
        return await asyncio.Event().wait()

    bench.gate.read = hangs
    outcome = await bench.execute(command("a", "press.ram", 1, not_after=bench.now + timedelta(milliseconds=20)))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == "late: it expired while devices were asked"
    assert bench.registers.writes == []


# --- reading on command ----------------------------------------------------------------------------------------------


async def test_a_read_answers_with_what_the_device_says_and_writes_nothing(bench: Bench) -> None:
    bench.registers.values["pressure"] = 123.5
    outcome = await bench.execute(command("a", "press.pressure", 0.0, kind="read"))
    assert isinstance(outcome, CommandSucceeded)
    assert (outcome.value, outcome.read_back) == (123.5, 123.5)
    assert bench.registers.writes == []


async def test_a_read_is_answered_once_with_the_value_of_then(bench: Bench) -> None:
    bench.registers.values["pressure"] = 123.5
    await bench.execute(command("a", "press.pressure", kind="read"))
    bench.registers.values["pressure"] = 99.0
    bench.reopen()
    await bench.execute(command("a", "press.pressure", kind="read"))
    first, again = bench.replies()
    assert first == again


async def test_reading_is_harmless_neither_lock_out_nor_rate_nor_interlock_forbids_it(bench: Bench) -> None:
    bench.gate.values["closed"] = 1.0
    await bench.execute(command("a", "press.ram", 1))
    bench.gate.values["closed"] = 0.0
    await bench.memory.lock_out(locking("by Kim: new seals", 1))
    outcome = await bench.execute(command("b", "press.ram", kind="read"))
    assert isinstance(outcome, CommandSucceeded)
    assert outcome.read_back == 1.0


async def test_a_read_that_is_not_answered_or_not_to_be_believed_has_failed(bench: Bench) -> None:
    bench.registers.on_read = silent
    outcome = await bench.execute(command("a", "press.pressure", kind="read"))
    assert isinstance(outcome, CommandFailed)
    assert outcome.reason == "no answer within 0.5 s"
    bench.registers.on_read = lambda point, value: 900.0
    outcome = await bench.execute(command("b", "press.pressure", kind="read"))
    assert isinstance(outcome, CommandFailed)
    assert outcome.reason == "it reads 900, outside its range 0..400 bar"


async def test_a_late_read_is_refused(bench: Bench) -> None:
    late = command("a", "press.pressure", kind="read", not_after=bench.now - timedelta(seconds=1))
    assert (await bench.execute(late)).reason.startswith("late: 1.000 s after it expired")
    assert (await bench.execute(command("b", "press.colour", kind="read"))).reason.startswith("unknown point")


# --- what comes is remembered at once --------------------------------------------------------------------------------


async def test_what_waits_for_a_hanging_device_is_remembered_at_once_and_done_in_order_after_a_kill(bench) -> None:
    hanging = asyncio.Event()

    async def hangs(point: Point, value: float) -> None:
        await hanging.wait()

    write, bench.registers.write = bench.registers.write, hangs
    running = asyncio.create_task(bench.executor.run())
    remembered: list[int] = []
    for n in range(8):
        bench.executor.receive(command(f"{n}", value=float(n + 1)), lambda n=n: remembered.append(n))
    async with asyncio.timeout(10):
        while len(remembered) < 8 or not bench.executor._writing:
            await asyncio.sleep(0.001)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    bench.registers.write = write
    bench.reopen()
    running = asyncio.create_task(bench.executor.run())
    async with asyncio.timeout(5):
        while len(bench.replies()) < 8:
            await asyncio.sleep(0.001)
    running.cancel()
    assert bench.registers.writes == [("setpoint", float(n)) for n in range(2, 9)], "the first may have been written"
    assert isinstance(bench.replies()[0].fact, CommandFailed)


async def test_a_lock_out_refuses_what_waits_for_a_hanging_device_and_lets_go_of_it_itself(bench: Bench) -> None:
    async def hangs(point: Point, value: float) -> None:
        await asyncio.Event().wait()

    bench.registers.write = hangs
    running = asyncio.create_task(bench.executor.run())
    for n in range(8):
        bench.executor.receive(command(f"{n}", value=float(n + 1)), lambda: None)
    async with asyncio.timeout(10):
        while not bench.executor._writing:
            await asyncio.sleep(0.001)
        bench.executor.lock_out(told(locking("hands off by Kim", 1)))
        while len(bench.replies()) < 8:
            await asyncio.sleep(0.001)
    running.cancel()
    first, *others = [reply.fact for reply in bench.replies()]
    assert isinstance(first, CommandFailed)
    assert {type(other) for other in others} == {CommandRefused}
