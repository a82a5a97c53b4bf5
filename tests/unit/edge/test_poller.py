"""Each scan is journalled with the moment before its request; a device that falls silent is said to be lost, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from devices.plant import Device, Modbus, Point, Register
from edge import poller as polling
from edge.journal import Journal
from edge.poller import Poller
from events import codec
from events.devices import DeviceLost, DeviceReturned
from events.envelope import Event, Reported
from events.readings import Frame, Packed, Quality, unpack

DEVICE = Device(
    device="press", area="shop/press", edge="edge-1", modbus=Modbus(every="5ms"),
    points=[Point(point=name, register=Register(table="input", address=n)) for n, name in enumerate("ab")],
)


class Scripted:
    """Answers scan n with `script(n)`: the qualities, or seconds of silence first."""

    def __init__(self, script: Callable[[int], Quality]) -> None:
        self.script, self.asked, self.looked, self.hangs_s, self.reason = script, 0, 0, 0.0, "no answer within 0.5 s"

    async def scan(self):
        self.asked += 1
        quality = self.script(self.asked)
        if quality is Quality.NO_ANSWER and self.hangs_s:
            await asyncio.sleep(self.hangs_s)
        return np.full(2, float(self.asked)), np.full(2, quality, np.uint8)

    async def write(self, point, value): ...

    async def read(self, point): ...

    async def look_again(self) -> None:
        self.looked += 1

    async def close(self): ...


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite3", "edge-1")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "HEARTBEAT_S", 0.03)
    monkeypatch.setattr(polling, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(polling, "_LAST_PAUSE_S", 0.1)


async def polled(journal: Journal, session: Scripted, until: Callable[[Poller], bool]) -> Poller:
    poller = Poller(DEVICE, session, journal)
    running = asyncio.create_task(poller.run())
    async with asyncio.timeout(5):
        while not until(poller):
            await asyncio.sleep(0.001)
    running.cancel()
    return poller


def held(journal: Journal) -> tuple[list[Frame], list[Event]]:
    records = [codec.decode_record(entry.body) for entry in journal.unconfirmed(0, 10_000)]
    frames = [unpack(r) for r in records if isinstance(r, Packed)]
    return frames, [e for r in records if isinstance(r, Reported) for e in r.events]


async def test_each_scan_is_one_frame_with_the_devices_columns(journal: Journal) -> None:
    await polled(journal, Scripted(lambda n: Quality.GOOD), lambda p: p.scans >= 5)
    frames, facts = held(journal)
    assert facts == []
    for n, frame in enumerate(frames, 1):
        assert (frame.area, frame.device, frame.points) == ("shop/press", "press", ("press.a", "press.b"))
        assert (frame.sequence, frame.source) == (n, journal.source)
        assert frame.values.tolist() == [[float(n)] * 2]
    times = [int(frame.times[0]) for frame in frames]
    assert times == sorted(set(times))


async def test_a_phase_of_its_own_keeps_a_devices_scans_apart_from_those_of_others(journal: Journal) -> None:
    device = msgspec.structs.replace(DEVICE, modbus=Modbus(every="100ms"))
    poller = Poller(device, Scripted(lambda n: Quality.GOOD), journal, phase=0.6)
    began = time.time_ns() // 1000
    running = asyncio.create_task(poller.run())
    while not poller.scans:
        await asyncio.sleep(0.001)
    running.cancel()
    (frame,) = held(journal)[0]
    assert int(frame.times[0]) - began >= 60_000


async def test_three_failed_scans_lose_the_device_once_and_the_first_answer_returns_it(journal: Journal) -> None:
    session = Scripted(lambda n: Quality.NO_ANSWER if 3 <= n <= 9 else Quality.GOOD)
    await polled(journal, session, lambda p: p.scans >= 12)
    frames, (lost, returned) = held(journal)
    assert isinstance(lost.fact, DeviceLost)
    assert lost.fact.reason == "no answer within 0.5 s (3 scans)"
    assert isinstance(returned.fact, DeviceReturned)
    assert lost.cause == next(f.id for f in frames if f.values[0, 0] == 5)
    assert returned.cause == next(f.id for f in frames if f.values[0, 0] == 10)
    last_answer = next(f for f in frames if f.values[0, 0] == 2)
    assert returned.fact.silent_s == pytest.approx((returned.at.timestamp() - last_answer.times[0] / 1e6), abs=1e-5)
    assert session.looked == 5  # for another address, once it was lost


async def test_two_failed_scans_lose_nothing(journal: Journal) -> None:
    await polled(journal, Scripted(lambda n: Quality.NO_ANSWER if n in (2, 3) else Quality.GOOD), lambda p: p.scans > 5)
    assert held(journal)[1] == []


async def test_a_device_that_refuses_with_exceptions_is_there(journal: Journal) -> None:
    await polled(journal, Scripted(lambda n: Quality.BAD), lambda p: p.scans > 5)
    assert held(journal)[1] == []


async def test_a_dead_device_that_hangs_still_has_frames_that_say_so(journal: Journal) -> None:
    session = Scripted(lambda n: Quality.NO_ANSWER)
    session.hangs_s = 0.2
    await polled(journal, session, lambda p: p.scans >= 3)
    frames, _ = held(journal)
    assert len(frames) >= 10
    assert all((frame.qualities == Quality.NO_ANSWER).all() for frame in frames)
    times = [int(frame.times[0]) for frame in frames]
    assert times == sorted(set(times))
    assert max(np.diff(times[1:])) < 0.12e6


async def test_a_dead_device_is_asked_ever_more_seldom(journal: Journal) -> None:
    session = Scripted(lambda n: Quality.NO_ANSWER)
    poller = Poller(DEVICE, session, journal)
    running = asyncio.create_task(poller.run())
    await asyncio.sleep(0.5)
    running.cancel()
    assert session.asked <= 14
    assert len(held(journal)[0]) >= 12


async def test_a_restart_says_nothing_of_a_device_that_was_lost_before_and_returns_it(journal: Journal) -> None:
    await polled(journal, Scripted(lambda n: Quality.NO_ANSWER), lambda p: p.silence.lost)
    await polled(journal, Scripted(lambda n: Quality.NO_ANSWER), lambda p: p.scans >= 5)
    await polled(journal, Scripted(lambda n: Quality.GOOD), lambda p: p.scans >= 2)
    assert [type(e.fact) for e in held(journal)[1]] == [DeviceLost, DeviceReturned]


async def test_a_slow_scan_leaves_scans_out_and_the_raster_stands(journal: Journal) -> None:
    class Slow(Scripted):
        async def scan(self):
            if self.asked == 3:
                await asyncio.sleep(0.05)
            return await super().scan()

    poller = await polled(journal, Slow(lambda n: Quality.GOOD), lambda p: p.scans >= 12)
    frames, _ = held(journal)
    times = [int(frame.times[0]) for frame in frames]
    periods = (times[-1] - times[0]) / 5000
    assert poller.late >= 9
    assert len(frames) - 1 + poller.late == pytest.approx(periods, abs=2)
