"""The uplink: publishes the journal's records in order until the plant confirms them; brings what the plant sends.

A thread of its own, for ever: connect, go on above the confirmed number, and when the connection ends, again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import msgspec
import structlog
from msgspec import Struct

from config.instance import MqttAddress
from edge.connection import IN_FLIGHT, Connection, Receive
from edge.errors import ForeignConfirmationError
from edge.journal import Entry, Journal
from edge.window import Window
from events import codec
from events.readings import Packed
from events.topics import confirm_topic, up_topic

LIVE_WITHIN_S = 5.0
"""A record that waited longer before it was first sent is history: it counts as replayed."""
_BATCH = 500
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 5.0
_log = structlog.get_logger("edge.uplink")


class Confirmation(Struct, frozen=True):
    source: str
    up_to: int


_decode_confirmation = msgspec.json.Decoder(Confirmation).decode


class Uplink:
    """Attributes:
    connected: whether there is a connection; reason: why not, or what the broker refuses. window: what is under way.
    fault: an error that an operator must mend, "" when there is none.
    """

    def __init__(
        self, journal: Journal, address: MqttAddress, receivers: Mapping[str, tuple[int, Receive]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.connected, self.reason, self.fault = False, "not connected yet", ""
        self.keep: Callable[[int], int] = lambda up_to: up_to
        """Up to which number of those confirmed the journal may forget: who decides here may need them still."""
        self.sent = self.resent = 0
        self.window = Window(confirmed=journal.confirmed, highest=journal.last)
        self._journal, self._address, self._clock = journal, address, clock
        self._topics = {confirm_topic(journal.edge): (0, self._confirmed), **receivers}
        self._confirmations: deque[int] = deque()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._in_flight = IN_FLIGHT
        journal.committed = self._wake.set
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Leave the broker. What is not confirmed stays in the journal."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stop.is_set():
            credentials = self._address.credentials(self._journal.edge)
            connection = Connection(self._journal.edge, credentials, self._topics, self._wake.set, self._in_flight)
            if connection.open(self._address.host, self._address.port):
                if connection.in_flight < self._in_flight:
                    self._in_flight = connection.in_flight  # the next connection keeps to what this broker takes
                else:
                    pause = _FIRST_PAUSE_S
                    self._serve(connection)
            connection.close()
            self._lost(connection.reason)
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # not all edges at once
            pause = min(_LAST_PAUSE_S, 2 * pause)

    def _lost(self, reason: str) -> None:
        if (self.connected or self.reason != reason) and not self._stop.is_set():
            _log.warning("broker_lost", edge=self._journal.edge, reason=reason)
        self.connected, self.reason = False, reason

    def _serve(self, connection: Connection) -> None:
        """Send until the connection ends."""
        self.connected, self.reason = True, ""
        _log.info("broker_connected", edge=self._journal.edge, waiting=self._journal.last - self._journal.confirmed)
        window = self.window
        window.connected(time.monotonic())
        while not (self._stop.is_set() or connection.ended.is_set()):
            self._wake.clear()
            self._confirm()
            self.reason = connection.refusal
            if window.overdue(time.monotonic()):
                window.go_back(time.monotonic())
            if not self._send(connection):
                self._wake.wait(0.1)

    def _send(self, connection: Connection) -> bool:
        """Publish what the window has room for; False when there was nothing to do."""
        room = self.window.room
        entries = self._journal.unconfirmed(self.window.sent, min(room, _BATCH), 1_000_000) if room else []
        for entry in entries:
            again = self.window.take(entry.sequence, len(entry.body), time.monotonic())
            old = self._clock() - entry.at / 1e6 > LIVE_WITHIN_S
            kind = "frame" if entry.kind == "frame" else "events"
            connection.publish(up_topic(self._journal.edge, kind), replay(entry) if again or old else entry.body)
            self.sent += 1
            self.resent += again
        return bool(entries)

    def _confirmed(self, payload: bytes, acknowledge: Callable[[], None]) -> None:
        """A confirmation came (in the connection's thread)."""
        acknowledge()
        try:
            confirmation = _decode_confirmation(payload)
        except msgspec.DecodeError as error:
            _log.error("confirmation_unreadable", edge=self._journal.edge, reason=str(error))
            return
        if confirmation.source == self._journal.source:
            self._confirmations.append(confirmation.up_to)
            self._wake.set()

    def _confirm(self) -> None:
        up_to = -1
        while self._confirmations:
            up_to = max(up_to, self._confirmations.popleft())
        if up_to < 0:
            return
        if up_to > self._journal.last:
            self._foreign(ForeignConfirmationError(self._journal.source, up_to, self._journal.last))
        elif self.window.confirm(up_to, time.monotonic()):
            self._journal.confirm(self.keep(up_to)).add_done_callback(self._forgotten)

    def _forgotten(self, done: Future[None]) -> None:
        if isinstance(error := done.exception(), ForeignConfirmationError):
            self._foreign(error)

    def _foreign(self, error: ForeignConfirmationError) -> None:
        if self.fault != str(error):
            _log.error("confirmation_foreign", edge=self._journal.edge, up_to=error.up_to, last=error.last)
        self.fault = str(error)


def replay(entry: Entry) -> bytes:
    """The record's bytes, a frame marked as replayed."""
    if entry.kind != "frame":
        return entry.body
    record = codec.decode_record(entry.body)
    return codec.encode(msgspec.structs.replace(record, replayed=True)) if isinstance(record, Packed) else entry.body
