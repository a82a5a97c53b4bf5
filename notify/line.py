"""One channel of one person, with a thread of its own: a channel that fails or hangs holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from events.notifications import NotificationDelivered, NotificationFailed
from incidents.people_file import Channel
from notify import channels, metrics, planning
from notify.channels import ChannelError
from notify.store import Job, Store

_log = structlog.get_logger("notify.line")


class Line:
    """Attributes: person, channel: which; busy_since: monotonic time at which an attempt began, None between two."""

    def __init__(
        self, person: str, channel: str, store: Store, configured: Callable[[str, str], Channel | None],
        environment: Mapping[str, str], failed: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self.person, self.channel = person, channel
        self.busy_since: float | None = None
        self._store, self._configured, self._environment, self._failed = store, configured, environment, failed
        self._wake, self._stop = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name=f"{channel} of {person}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def stop(self) -> None:
        """Begin no further attempt. One that hangs is left behind: the thread ends with the process."""
        self._stop = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._stop:
                self._wake.clear()
                found = self._store.next_job(self.person, self.channel, datetime.now(UTC))
                if isinstance(found, Job):
                    self._attempt(found)
                elif not self._stop:
                    until = None if found is None else (found - datetime.now(UTC)).total_seconds()
                    self._wake.wait(until if until is None else max(until, 0.01))
        except BaseException as error:
            if self._stop:
                return  # it hung while the process was ending; what it did is tried again
            self._failed(error)  # the process ends: nobody would send over this channel, and nobody would know
            raise

    def _attempt(self, job: Job) -> None:
        attempt, configured = job.attempts + 1, self._configured(self.person, self.channel)
        if configured is None:
            self._give_up(job, f"people/*.yaml no longer has the channel '{self.channel}' of {self.person}")
            return
        if datetime.now(UTC) >= job.not_after:
            self._give_up(job, f"too late: it was to be told by {job.not_after:%Y-%m-%d %H:%M:%S} UTC")
            return
        self.busy_since = time.monotonic()
        try:
            title, text = planning.message(job.issued, job.fact)
            channels.send(configured, self._environment, title, text, job.fact.priority)
        except ChannelError as error:
            self._failure(job, attempt, error.reason)
            return
        finally:
            self.busy_since = None
        now = datetime.now(UTC)
        delivered = NotificationDelivered(
            notification=job.fact.notification, person=self.person, channel=self.channel, attempt=attempt
        )
        self._store.done(job, delivered, now)
        metrics.OUTCOMES.labels("delivered").inc()
        metrics.DELIVERY.observe((now - job.issued.at).total_seconds())
        _log.info("delivered", person=self.person, channel=self.channel, notification=str(job.fact.notification))

    def _failure(self, job: Job, attempt: int, reason: str) -> None:
        now = datetime.now(UTC)
        retry_at = now + planning.wait(attempt)
        final = retry_at >= job.not_after
        self._store.done(job, self._failed_fact(job, attempt, reason, final), now, None if final else retry_at)
        metrics.OUTCOMES.labels("failed" if final else "retried").inc()
        say = _log.error if final else _log.warning
        say("not_delivered", person=self.person, channel=self.channel, attempt=attempt, reason=reason)

    def _give_up(self, job: Job, reason: str) -> None:
        self._store.done(job, self._failed_fact(job, job.attempts, reason, True), datetime.now(UTC))
        metrics.OUTCOMES.labels("failed").inc()
        _log.error("not_delivered", person=self.person, channel=self.channel, attempt=job.attempts, reason=reason)

    def _failed_fact(self, job: Job, attempt: int, reason: str, final: bool) -> NotificationFailed:
        return NotificationFailed(
            notification=job.fact.notification, person=self.person, channel=self.channel, attempt=attempt,
            reason=reason, final=final,
        )  # fmt: skip
