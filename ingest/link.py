"""The bridge's connection to the MQTT broker, driven by the bridge's own loop: no thread, no lock.

A message of QoS 1 is acknowledged (PUBACK) only when the bridge says so; the broker holds back what exceeds the
receive maximum: that is the back pressure, and for edges it is their window. An acknowledgement never crosses a
reconnect, where its packet id may mean another message.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.instance import MqttAddress

IN_FLIGHT = 500
"""Unacknowledged messages that the broker may have under way to us."""
_SESSION_S = 14 * 86_400
_KEEPALIVE_S = 10
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
_PACKETS = 200
"""Read at most so many in one turn: acknowledgements must get their turn too."""
_log = structlog.get_logger("ingest.link")


class Receipt(NamedTuple):
    """What acknowledges one message. Attributes: connection: counts up with every connection."""

    mid: int
    qos: int
    connection: int


Receive = Callable[[str, bytes, Receipt], None]


def at_once(_client: object, _userdata: object, sock: Any) -> None:
    """Else TCP keeps a small packet back until the one before it is acknowledged: 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Link:
    """Attributes: connected: the broker accepted us; reason: why not."""

    def __init__(
        self, address: MqttAddress, user: str, topics: Sequence[tuple[str, int]], receive: Receive,
        connected: Callable[[], None],
    ) -> None:
        self.connected, self.reason = False, "not connected yet"
        self._address, self._topics = address, topics
        self._connection = 0
        self._receive, self._told = receive, connected
        self._pause, self._next_try = _FIRST_PAUSE_S, 0.0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=user, protocol=MQTTv5, manual_ack=True)
        self._client.username_pw_set(*address.credentials(user))
        self._client.on_connect, self._client.on_disconnect = self._on_connect, self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_socket_open = at_once
        self._client.connect_timeout = 3.0

    def turn(self, wake: int, timeout_s: float, *, reading: bool) -> None:
        """Wait at most `timeout_s` for the broker or the descriptor `wake`, and move what can be moved.

        Args:
            reading: False leaves messages unread: the broker keeps them.
        """
        sock = self._client.socket()
        if sock is None and time.monotonic() >= self._next_try:
            self._connect()
            sock = self._client.socket()
        if sock is None:
            select.select([wake], [], [], timeout_s)
            return
        writing = [sock] if self._client.want_write() else []
        waits: list[Any] = [wake, sock] if reading else [wake]
        readable, writable, _ = select.select(waits, writing, [], timeout_s)
        if writable:
            self._client.loop_write()
        if sock in readable:
            for _ in range(_PACKETS):
                self._client.loop_read()
                if self._client.socket() is not sock or not select.select([sock], [], [], 0)[0]:
                    break
        self._client.loop_misc()

    def acknowledge(self, receipt: Receipt) -> None:
        """The broker may forget the message."""
        if receipt.qos and receipt.connection == self._connection and self.connected:
            self._client.ack(receipt.mid, receipt.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send at most once; nothing is kept while there is no connection."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    def close(self) -> None:
        """Leave the broker; it keeps the session and what arrives meanwhile."""
        if self._client.socket() is not None:
            while self._client.want_write() and self._client.loop_write() == 0:
                pass
            self._client.disconnect()
        self.connected = False

    def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_S
        properties.ReceiveMaximum = IN_FLIGHT
        self._connection += 1
        try:
            self._client.connect(
                self._address.host, self._address.port, _KEEPALIVE_S, clean_start=False, properties=properties
            )
        except OSError as error:
            self._lost(str(error))

    def _lost(self, reason: str) -> None:
        if self.connected or self.reason != reason:
            _log.warning("broker_lost", reason=reason)
        self.connected, self.reason = False, reason
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LAST_PAUSE_S)

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.reason = f"the broker refuses us: {code}"
            _log.error("broker_refused", reason=str(code))
            return
        self.connected, self.reason, self._pause = True, "", _FIRST_PAUSE_S
        _log.info("broker_connected", session_kept=flags.session_present)
        once = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        client.subscribe([(topic, SubscribeOptions(qos=qos, retainHandling=once)) for topic, qos in self._topics])
        self._told()

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        self._lost(str(code) if self.connected or not self.reason else self.reason)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._receive(message.topic, bytes(message.payload), Receipt(message.mid, message.qos, self._connection))
