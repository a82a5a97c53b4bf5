"""One connection to the broker, from CONNECT to its end. The session at the broker outlives it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

Receive = Callable[[bytes, Callable[[], None]], None]
"""(payload, acknowledge), in the connection's thread. Not acknowledged, the broker sends it again."""

IN_FLIGHT = 64
SESSION_S = 14 * 86_400
"""So long the broker keeps for an edge that is away what has not expired: hands off, above all."""
_TIMEOUT_S = 5.0
KEEPALIVE_S = 5


def _at_once(_client: object, _userdata: object, sock: Any) -> None:
    """Else TCP keeps a small packet back until the one before it is acknowledged: 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Connection:
    """paho reconnects by itself and then sends its own queue again; with one client per connection the order is ours.

    Attributes:
        ended: set when the connection is over; `reason` says why. refusal: why the broker did not take the last record,
        "" if it did. in_flight: how many it takes unacknowledged.
    """

    def __init__(
        self, client_id: str, credentials: tuple[str, str], topics: Mapping[str, tuple[int, Receive]],
        woken: Callable[[], None], in_flight: int = IN_FLIGHT,
    ) -> None:
        self.ended, self.reason, self.refusal, self.in_flight = threading.Event(), "", "", in_flight
        self._answered = threading.Event()
        self._accepted = False
        self._topics, self._woken = topics, woken
        client = self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False, manual_ack=True
        )
        client.username_pw_set(*credentials)
        client.connect_timeout = _TIMEOUT_S
        client.max_inflight_messages = in_flight
        client.on_socket_open = _at_once
        client.on_connect, client.on_disconnect = self._on_connect, self._on_end
        client.on_message, client.on_publish = self._on_message, self._on_publish

    def open(self, host: str, port: int) -> bool:
        """Connect and subscribe; False when it failed (`reason`). Blocks for a few seconds at most."""
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_S, clean_start=False, properties=session)
        except OSError as error:
            self.reason = f"no connection to {host}:{port}: {error.strerror or error}"
            return False
        self._client.loop_start()
        if not self._answered.wait(_TIMEOUT_S):
            self.reason = f"{host}:{port} does not answer"
        return self._accepted and not self.ended.is_set()

    def publish(self, topic: str, payload: bytes) -> None:
        """Queue it, QoS 1. Whether it arrived is what the plant's confirmations say."""
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        """Leave; the session stays. Also ends a connection that hangs."""
        self._client.disconnect()
        hanging = self._client.socket()
        if not self.ended.wait(0.5) and isinstance(hanging, socket.socket):
            with contextlib.suppress(OSError):
                hanging.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: mqtt.ConnectFlags, code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self.reason = f"the broker refused: {code}"
        else:
            self._accepted = True
            self.in_flight = min(self.in_flight, getattr(properties, "ReceiveMaximum", self.in_flight))
            client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, (qos, _) in self._topics.items()])
        self._answered.set()

    def _on_message(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        def acknowledge(mid: int = message.mid, qos: int = message.qos) -> None:
            client.ack(mid, qos)

        if (receive := self._receiver(message.topic)) is not None:
            receive(bytes(message.payload), acknowledge)
        else:
            acknowledge()  # a subscription of an earlier version, kept by the session

    def _receiver(self, topic: str) -> Receive | None:
        if (exact := self._topics.get(topic)) is not None:
            return exact[1]
        return next((receive for wanted, (_, receive) in self._topics.items()
                     if "+" in wanted and mqtt.topic_matches_sub(wanted, topic)), None)  # fmt: skip

    def _on_publish(
        self, _client: mqtt.Client, _userdata: object, _mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        # success may carry 0x10, that nobody subscribes just now
        self.refusal = f"the broker did not take a record: {code}" if code.is_failure else ""

    def _on_end(
        self, _client: mqtt.Client, _userdata: object, _flags: mqtt.DisconnectFlags, code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.reason = self.reason or f"the connection ended: {code}"
        self.ended.set()
        self._answered.set()
        self._woken()
