"""The process `notifier`: reads what is to be told, tells it over each person's channels, says what became of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bus.client import Producer, consumer
from bus.diary import Saying
from bus.outbox import LostWriteError, Outbox
from bus.running import Job, until_signalled
from config.instance import Instance
from incidents import people
from incidents.people_file import Channel
from notify.channels import ChannelError, address
from notify.journal import Journal
from notify.line import Line
from notify.planning import People
from notify.reading import Reading
from notify.store import Store
from telemetry import Health, configure_logs, healthy, serve_health, unhealthy

_LOOK_S, _PRUNE_S = 2.0, 3600.0
_HUNG_S, _BUSY_S = 15.0, 60.0
_log = structlog.get_logger("notify.main")


class Lines:
    """All channels that have, or had, something to send. Attributes: people: whom the plant's files name now;
    failed: what ended a line for good."""

    def __init__(self, instance: Instance, store: Store, environment: Mapping[str, str]) -> None:
        self._instance, self._store, self._environment = instance, store, environment
        self._lines: dict[tuple[str, str], Line] = {}
        self._seen: object = None
        self.people = People({}, {})
        self.failed: BaseException | None = None
        self.look()

    def look(self) -> None:
        """Take over the plant's files when they have changed."""
        folder, simulated = self._instance.plant_in_force, self._instance.simulated
        files = sorted((folder / people.FOLDER).glob("*.y*ml"))
        seen = (folder, simulated, [(f, f.stat().st_mtime_ns) for f in files if f.exists()])
        if seen != self._seen:
            self._seen, self.people = seen, People(*people.reachable(folder), simulated)
            for reason in self.reasons():
                _log.error("channel_unusable", reason=reason)

    def wake(self) -> None:
        """There is something new: each channel looks for it."""
        for person, channel in self._store.waiting():
            if (line := self._lines.get((person, channel))) is None:
                self._lines[person, channel] = Line(
                    person, channel, self._store, self._configured, self._environment, self._failure
                )
            else:
                line.wake()

    def reasons(self) -> list[str]:
        """What a person should put right."""
        out = []
        for person in self.people.persons.values():
            for channel in person.channels:
                try:
                    address(channel.url, self._environment)
                except ChannelError as error:
                    out.append(f"channel {channel.channel} of {person.person}: {error.reason}")
        now = time.monotonic()
        for line in list(self._lines.values()):
            if (since := line.busy_since) is not None and now - since > _BUSY_S:
                out.append(f"channel {line.channel} of {line.person} does not answer since {now - since:.0f} s")
        return out

    def stop(self) -> None:
        for line in self._lines.values():
            line.stop()
        until = time.monotonic() + 5.0
        for line in self._lines.values():
            line.join(max(0.0, until - time.monotonic()))

    def _configured(self, person: str, channel: str) -> Channel | None:
        known = self.people.persons.get(person)
        channels = [] if known is None else known.channels
        return next((c for c in channels if c.channel == channel), None)

    def _failure(self, error: BaseException) -> None:
        self.failed = error


class Notifier:
    """Attributes: turned: monotonic time of the last turn."""

    def __init__(self, reading: Reading, outbox: Outbox[str], store: Store, lines: Lines) -> None:
        self.turned = self._looked = self._pruned = time.monotonic()
        self.reading = reading
        self._outbox, self._store, self._lines = outbox, store, lines
        self._saying = Saying(store, outbox)
        self._started = False

    def turn(self) -> None:
        """Read, wake the channels, say what they did.

        Raises:
            LostWriteError: Kafka refuses an outcome for good, or a channel's thread ended.
        """
        self.turned = now = time.monotonic()
        if now - self._looked > _LOOK_S:
            self._looked = now
            self._lines.look()
        new = self.reading.turn()
        if self.reading.caught_up and (new or not self._started):
            self._started = True
            self._lines.wake()
        self._saying.turn()
        if now - self._pruned > _PRUNE_S:
            self._pruned = now
            self._store.prune(datetime.now(UTC))
        if failure := self._lines.failed or self._outbox.failed:
            raise LostWriteError(str(failure)) from failure


def run(instance: Instance) -> None:
    """Tell people until SIGTERM or SIGINT.

    Raises:
        LostWriteError: start the process again; nothing is lost by it.
    """
    configure_logs("notifier")
    serve(instance, until_signalled(), os.environ)


def serve(instance: Instance, stop: threading.Event, environment: Mapping[str, str]) -> None:
    """As `run`, until `stop` is set."""
    job: Job[Notifier] = Job()
    store = Store(_file(instance))
    lines = Lines(instance, store, environment)

    def check() -> Health:
        if job.running is None:
            return unhealthy(job.reason)
        reasons = lines.reasons()
        if (silent := time.monotonic() - job.running.turned) > _HUNG_S:
            reasons.append(f"the loop stands since {silent:.0f} s")
        if not job.running.reading.caught_up:
            reasons.append("it still reads what happened while it was away: nobody is told before")
        facts = store.counts()
        return unhealthy(*reasons, **facts) if reasons else healthy(**facts)

    def begin(opened: ExitStack) -> Notifier:
        reader = opened.enter_context(closing(consumer(instance.kafka)))
        reading = Reading(reader, store, journal, lambda: lines.people)
        outbox: Outbox[str] = opened.enter_context(closing(Outbox(Producer(instance.kafka))))
        return Notifier(reading, outbox, store, lines)

    health = serve_health(instance.health_port("notifier"), check)
    journal = Journal(instance.home / "notifications.jsonl")
    try:
        if (notifier := job.begin(stop, begin)) is not None:
            while not stop.is_set():
                notifier.turn()
            job.close()
            _log.info("notifier_stopped", **store.counts())
    finally:
        lines.stop()
        store.close()
        health.close()


def _file(instance: Instance) -> Path:
    return instance.data("notifier") / "notifier.sqlite"
