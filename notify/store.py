"""What the notifier has taken over, and what became of it: a diary (see `bus.diary`).

A delivery is known by (notification, person, channel). Between a channel's yes and the commit that says so a crash may
come, and then the message is sent again: to a channel, at least once is the best there is.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from bus.diary import KEPT, Diary
from events.codec import decode_event, encode
from events.envelope import Event, Reported
from events.notifications import NotificationDelivered, NotificationFailed, NotificationIssued, NotificationWithdrawn
from events.topics import INCIDENTS
from events.types import PRIORITIES, from_micros, to_micros
from notify import planning
from notify.planning import Plan
from notify.withdrawal import Over, is_withdrawn

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (source TEXT, partition INTEGER, sequence INTEGER,
    PRIMARY KEY (source, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notifications (notification TEXT PRIMARY KEY, incident TEXT, issued BLOB, at INTEGER,
    not_after INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (notification TEXT, person TEXT, channel TEXT, state TEXT, attempts INTEGER,
    next_at INTEGER, rank INTEGER, incident TEXT, PRIMARY KEY (notification, person, channel)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON deliveries (person, channel, next_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS about ON deliveries (incident) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS over (incident TEXT PRIMARY KEY, at INTEGER, reason TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (area TEXT, position TEXT, person TEXT, PRIMARY KEY (area, position)) WITHOUT ROWID;
-- where what was to be said lay before there were diaries
CREATE TABLE IF NOT EXISTS outcomes (id TEXT PRIMARY KEY, area TEXT, record BLOB) WITHOUT ROWID;
INSERT OR IGNORE INTO unsaid SELECT id, 'incidents', area, record FROM outcomes;
DROP TABLE outcomes;
"""


class Job(Struct, frozen=True):
    """One message for one channel of one person. Attributes: attempts: made so far."""

    issued: Event
    fact: NotificationIssued
    person: str
    channel: str
    attempts: int
    not_after: datetime


class Store(Diary):
    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    # --- read from Kafka -------------------------------------------------------------------------------------------

    def is_new(self, source: str, partition: int, sequence: int) -> bool:
        """Whether a numbered record is told for the first time; from here on it is known. The bridge may write twice
        what it took just before it died: an old acknowledgement would then withdraw a newer call."""
        with self.transaction():
            query = "SELECT sequence FROM sources WHERE source = ? AND partition = ?"
            known = self._db.execute(query, (source, partition)).fetchone()
            if known is not None and sequence <= known[0]:
                return False
            self._db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", (source, partition, sequence))
        return True

    def take(self, issued: Event, plan: Plan, now: datetime) -> bool:
        """Take a notification over; False: it was before. What was over when it was issued is not told."""
        fact = issued.fact
        assert isinstance(fact, NotificationIssued), fact
        incident = "" if fact.incident is None else str(fact.incident)
        limit = to_micros(planning.not_after(issued, fact))
        with self.transaction():
            row = (str(fact.notification), incident, encode(issued), to_micros(issued.at), limit)
            if not self._db.execute("INSERT OR IGNORE INTO notifications VALUES (?, ?, ?, ?, ?)", row).rowcount:
                return False
            if plan.deliveries and (reason := self._was_over(issued, fact)):
                self._outcome(issued, NotificationWithdrawn(notification=fact.notification, reason=reason), now)
                return True
            rank = PRIORITIES.index(fact.priority)
            self._db.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, 'waiting', 0, ?, ?, ?)",
                [(row[0], person, channel, to_micros(now), rank, incident) for person, channel in plan.deliveries],
            )
            for failed in plan.failed:
                self._outcome(issued, failed, max(issued.at, min(now, from_micros(limit))))
        return True

    def withdraw(self, over: Over, at: datetime, now: datetime) -> int:
        """Nothing that waits about the incident is sent (again), as far as `over` says; how many that are."""
        incident = str(over.incident)
        with self.transaction():
            if not over.calls_only:
                self._db.execute(
                    "INSERT OR REPLACE INTO over VALUES (?, ?, ?)", (incident, to_micros(at), over.reason)
                )
            query = """SELECT DISTINCT notification, issued FROM deliveries JOIN notifications USING (notification)
                WHERE state = 'waiting' AND deliveries.incident = ?"""
            found = 0
            for notification, raw in self._db.execute(query, (incident,)).fetchall():
                issued = decode_event(raw)
                assert isinstance(issued.fact, NotificationIssued)
                if is_withdrawn(issued.fact, over):
                    update = "UPDATE deliveries SET state = 'withdrawn' WHERE notification = ? AND state = 'waiting'"
                    self._db.execute(update, (notification,))
                    fact = NotificationWithdrawn(notification=issued.fact.notification, reason=over.reason)
                    self._outcome(issued, fact, now)
                    found += 1
        return found

    def reopened(self, incident: UUID) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM over WHERE incident = ?", (str(incident),))

    def hand_over(self, area: str, position: str, person: str) -> None:
        """The position, in this area, is the person's; "": it is as the calendar says."""
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO holders VALUES (?, ?, ?)", (area, position, person))

    def holder(self, area: str, position: str) -> str:
        with self._lock:
            query = "SELECT person FROM holders WHERE area = ? AND position = ?"
            row = self._db.execute(query, (area, position)).fetchone()
        return "" if row is None else str(row[0])

    def _was_over(self, issued: Event, fact: NotificationIssued) -> str:
        """A playbook's notification lies in another topic: what made it needless may have been read before it."""
        row = self._db.execute("SELECT at, reason FROM over WHERE incident = ?", (str(fact.incident),)).fetchone()
        if row is None or fact.kind != "playbook" or fact.incident is None or row[0] <= to_micros(issued.at):
            return ""
        return str(row[1]) if is_withdrawn(fact, Over(fact.incident, row[1])) else ""

    # --- channels --------------------------------------------------------------------------------------------------

    def next_job(self, person: str, channel: str, now: datetime) -> Job | datetime | None:
        """The most important message that is due; or when the first will be; or nothing."""
        with self._lock:
            job = self._db.execute(
                """SELECT issued, attempts, not_after FROM deliveries JOIN notifications USING (notification)
                WHERE state = 'waiting' AND person = ? AND channel = ? AND next_at <= ?
                ORDER BY rank DESC, at, notification LIMIT 1""", (person, channel, to_micros(now)),
            ).fetchone()  # fmt: skip
            if job is None:
                first = "SELECT min(next_at) FROM deliveries WHERE state = 'waiting' AND person = ? AND channel = ?"
                (due,) = self._db.execute(first, (person, channel)).fetchone()
                return None if due is None else from_micros(due)
        issued = decode_event(job[0])
        assert isinstance(issued.fact, NotificationIssued)
        return Job(issued, issued.fact, person, channel, job[1], from_micros(job[2]))

    def done(
        self, job: Job, outcome: NotificationDelivered | NotificationFailed, at: datetime,
        retry_at: datetime | None = None,
    ) -> None:  # fmt: skip
        """What an attempt came to. `retry_at`: it is tried again, unless it was withdrawn meanwhile."""
        failed = isinstance(outcome, NotificationFailed)
        state = "waiting" if retry_at is not None else ("failed" if failed else "delivered")
        key = (str(job.fact.notification), job.person, job.channel)
        update = """UPDATE deliveries SET state = CASE WHEN state = 'withdrawn' AND ? THEN state ELSE ? END,
            attempts = ?, next_at = ? WHERE notification = ? AND person = ? AND channel = ?"""
        due = to_micros(at if retry_at is None else retry_at)
        with self.transaction():
            self._db.execute(update, (failed, state, outcome.attempt, due, *key))
            self._outcome(job.issued, outcome, at)

    def waiting(self) -> set[tuple[str, str]]:
        """(person, channel) of all that is not done."""
        with self._lock:
            query = "SELECT DISTINCT person, channel FROM deliveries WHERE state = 'waiting'"
            found = self._db.execute(query).fetchall()
        return {(person, channel) for person, channel in found}

    def prune(self, now: datetime) -> None:
        """Forget what is done and so old that it cannot come again."""
        old = (to_micros(now - KEPT),)
        with self.transaction():
            self._db.execute(
                """DELETE FROM notifications WHERE at < ? AND notification NOT IN
                (SELECT notification FROM deliveries WHERE state = 'waiting')""", old,
            )  # fmt: skip
            gone = "DELETE FROM deliveries WHERE notification NOT IN (SELECT notification FROM notifications)"
            self._db.execute(gone)
            self._db.execute("DELETE FROM over WHERE at < ?", old)

    def counts(self) -> dict[str, int]:
        """How many deliveries wait, and how many outcomes are not said."""
        with self._lock:
            (waiting,) = self._db.execute("SELECT count(*) FROM deliveries WHERE state = 'waiting'").fetchone()
            (unsaid,) = self._db.execute("SELECT count(*) FROM unsaid").fetchone()
        return {"waiting": waiting, "unsaid": unsaid}

    def _outcome(self, issued: Event, fact: planning.Outcome, at: datetime) -> None:
        record: Reported = planning.report(issued, fact, at)
        self.say(str(record.events[0].id), INCIDENTS, issued.area, record)
