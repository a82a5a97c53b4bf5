"""The load, as a process of its own: an edge's uplink over frames made on the spot, or a gateway's single messages.

    python -m benchmarks.load frames HOME --scans 10 --seconds 20
    python -m benchmarks.load messages HOME --seconds 10

It is told to end by time, or by SIGTERM; then it waits until the plant has confirmed everything, and prints one JSON
object (`Sent`) on its standard output.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import structlog
import typer
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion

from andon import instance as instances
from benchmarks import plants
from config.instance import Instance
from edge.journal import Entry
from edge.uplink import Uplink
from events import codec
from events.readings import Frame

AHEAD = 64
"""Frames that an edge makes ahead of those under way: scans must not be old before they are sent."""
EXCESS_EVERY_S = 1.0
SAMPLE_EVERY = 97
CONFIRMED_WITHIN_S = 120.0
GATEWAYS = 16
"""Connections over which single readings come: many small senders, as in a plant."""
GATEWAY_IN_FLIGHT = 1000
app = typer.Typer()
_stop = threading.Event()


class Sample(Struct, frozen=True):
    """A scan as it was sent, to be found in the log. Attributes: at: µs since the epoch."""

    device: str
    source: str
    sequence: int
    at: int
    values: list[float]


class Sent(Struct, frozen=True):
    """Attributes:
    began, ended: first publish, and when the last was confirmed [s since the epoch]; readings, scans: by device.
    sources: the last number of each; excesses: occurrences of a limit exceeded, each one alarm; resent: records.
    """

    began: float
    ended: float
    readings: int
    scans: dict[str, int]
    sources: dict[str, int]
    excesses: int
    resent: int
    samples: list[Sample]


class MemoryJournal:
    """As `edge.journal.Journal` for the uplink, without the disk: the edge's box is not what is measured here."""

    def __init__(self, edge: str) -> None:
        self.edge, self.source = edge, f"{edge}:{uuid4().hex[:12]}"
        self.last = self.confirmed = 0
        self.committed = lambda: None
        self.sent: Callable[[], int] = lambda: 0
        self._records: deque[Entry] = deque()

    @property
    def waiting(self) -> int:
        """How many are not under way yet."""
        return self.last - self.sent()

    def append(self, body: bytes) -> None:
        self.last += 1
        self._records.append(Entry(self.last, time.time_ns() // 1000, "frame", body))
        self.committed()

    def unconfirmed(self, after: int, limit: int, size: int) -> list[Entry]:
        """In order; at most `limit` and about `size` bytes."""
        first = self.confirmed
        found = list(islice(self._records, max(0, after - first), max(0, after - first) + limit))
        total = 0
        for i, entry in enumerate(found):
            total += len(entry.body)
            if total > size:
                return found[: i + 1]
        return found

    def confirm(self, up_to: int) -> Future[None]:
        while self._records and self._records[0].sequence <= up_to:
            self._records.popleft()
            self.confirmed += 1
        done: Future[None] = Future()
        done.set_result(None)
        return done


class Machine:
    """A device of the load: makes frames of scans that end now."""

    def __init__(self, device: str, area: str, seed: int, now: float) -> None:
        self.device, self.area = device, area
        self.points = tuple(f"{device}.p{i}" for i in range(plants.POINTS))
        self.newest = time.time_ns() // 1000
        self.scans = self.excesses = 0
        self._noise = np.random.default_rng(seed).uniform(-plants.NOISE, plants.NOISE, (512, plants.POINTS))
        self._turn = 0
        self._excess_at = now + EXCESS_EVERY_S * (1 + seed / plants.DEVICES)
        self._standing = -1

    def frame(self, scans: int, source: str, sequence: int, now: float, *, last: bool) -> Frame:
        """The next `scans` scans; once a second, and in the `last` frame, one point is too high in all of them."""
        self._turn = (self._turn + 13) % (512 - scans)
        values = plants.NORMAL + self._noise[self._turn : self._turn + scans]
        if self._standing >= 0:
            self._standing = -1  # normal again for a frame, so that each excess is an alarm of its own
        elif now >= self._excess_at or last:
            self._standing = self.excesses % plants.POINTS
            values[:, self._standing] = plants.EXCESS
            self.excesses += 1
            self._excess_at = now + EXCESS_EVERY_S
        end = max(time.time_ns() // 1000, self.newest + scans)
        times = np.linspace(self.newest, end, scans + 1).astype(np.int64)[1:]
        self.newest = end
        self.scans += scans
        return Frame(
            area=self.area, device=self.device, source=source, sequence=sequence, points=self.points, times=times,
            values=values, qualities=np.zeros(values.shape, np.uint8),
        )  # fmt: skip


@app.command()
def frames(
    home: Path,
    scans: Annotated[int, typer.Option(help="Scans in a frame, each of 100 points.")] = 10,
    seconds: Annotated[float, typer.Option()] = 20.0,
    rate: Annotated[float, typer.Option(help="Readings a second; 0: as many as the plant takes.")] = 0.0,
) -> None:
    """As the edges load-1 and load-2."""
    instance = instances.load(home)
    sys.setswitchinterval(0.0005)
    journals = {edge: MemoryJournal(edge) for edge in plants.EDGES}
    uplinks = [Uplink(journal, instance.mqtt, {}) for journal in journals.values()]  # type: ignore[arg-type]
    for uplink, journal in zip(uplinks, journals.values(), strict=True):
        journal.sent = lambda window=uplink.window: window.sent
        uplink.start()
    _until(lambda: all(u.connected for u in uplinks), 20)
    now = time.monotonic()
    machines = [(Machine(d, a, i, now), journals[e]) for i, (d, a, e) in enumerate(plants.devices())]
    began, samples = time.time(), _drive(machines, scans, seconds, rate)
    _until(lambda: all(j.confirmed == j.last for j in journals.values()), CONFIRMED_WITHIN_S)
    ended = time.time()
    for uplink in uplinks:
        uplink.close()
    _say(Sent(
        began=began, ended=ended, readings=sum(m.scans for m, _ in machines) * plants.POINTS,
        scans={m.device: m.scans for m, _ in machines}, sources={j.source: j.last for j in journals.values()},
        excesses=sum(m.excesses for m, _ in machines), resent=sum(u.resent for u in uplinks), samples=samples,
    ))  # fmt: skip


def _drive(machines: list[tuple[Machine, MemoryJournal]], scans: int, seconds: float, rate: float) -> list[Sample]:
    """Frames of all machines in turn until the time is over; some of the scans, as they were sent."""
    samples: list[Sample] = []
    start = time.monotonic()
    made = 0
    while not _stop.is_set() and (now := time.monotonic()) < start + seconds:
        for machine, journal in machines:
            while journal.waiting > AHEAD and not _stop.is_set():
                time.sleep(0.001)
            _make(machine, journal, scans, samples, last=False)
        made += len(machines) * scans * plants.POINTS
        if rate and (early := start + made / rate - now) > 0:
            time.sleep(early)
    for last in (False, True):  # a normal one, so that the last is an excess that stands
        for machine, journal in machines:
            _make(machine, journal, scans, samples, last=last)
    return samples


def _make(machine: Machine, journal: MemoryJournal, scans: int, samples: list[Sample], *, last: bool) -> None:
    frame = machine.frame(scans, journal.source, journal.last + 1, time.monotonic(), last=last)
    journal.append(codec.encode(frame.pack()))
    if frame.sequence % SAMPLE_EVERY == 0:
        row = frame.sequence % scans
        samples.append(
            Sample(frame.device, frame.source, frame.sequence, int(frame.times[row]), frame.values[row].tolist())
        )


@app.command()
def messages(home: Path, seconds: Annotated[float, typer.Option()] = 10.0) -> None:
    """As simple devices: plain JSON, one reading a message."""
    instance = instances.load(home)
    gone = threading.Semaphore(GATEWAY_IN_FLIGHT)
    clients = [_gateway(instance, i, gone) for i in range(GATEWAYS)]
    began, sent, newest = time.time(), 0, 0
    while not _stop.is_set() and time.time() < began + seconds:
        if sent % plants.GATE_POINTS == 0:
            newest = max(int(time.time() * 1000), newest + 1)
        reading = {"time": newest, "point": f"{plants.GATE}.p{sent % plants.GATE_POINTS}", "value": sent * 0.5}
        gone.acquire()
        clients[sent % GATEWAYS].publish(f"plain/{plants.GATE}", json.dumps(reading), qos=1)
        sent += 1
    for _ in range(GATEWAY_IN_FLIGHT):
        if not gone.acquire(timeout=CONFIRMED_WITHIN_S):
            raise TimeoutError("the broker does not acknowledge")
    ended = time.time()
    for client in clients:
        client.disconnect()
        client.loop_stop()
    _say(Sent(
        began=began, ended=ended, readings=sent, scans={}, sources={}, excesses=0, resent=0,
        samples=[],
    ))  # fmt: skip


def _gateway(instance: Instance, number: int, gone: threading.Semaphore) -> mqtt.Client:
    client = connected(instance, "gateway", f"bench-gateway-{number}")
    client.on_publish = lambda *_: gone.release()
    return client


def connected(instance: Instance, user: str, client_id: str) -> mqtt.Client:
    """A client with its own thread, connected to the plant's broker.

    Raises:
        TimeoutError: the broker does not answer.
    """
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
    client.username_pw_set(*instance.mqtt.credentials(user))
    client.max_inflight_messages_set(GATEWAY_IN_FLIGHT)
    there = threading.Event()
    client.on_connect = lambda *_: there.set()
    client.connect(instance.mqtt.host, instance.mqtt.port)
    client.loop_start()
    if not there.wait(10):
        raise TimeoutError("the broker does not answer")
    return client


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the plant does not confirm what was sent")
        time.sleep(0.005)


def _say(sent: Sent) -> None:
    sys.stdout.write(msgspec.json.encode(sent).decode() + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: _stop.set())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()
