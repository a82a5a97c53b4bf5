"""The dispatcher's connection to the MQTT broker. One paho client per connection: we decide what is sent again."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import structlog
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.instance import MqttAddress
from ingest.link import at_once

_KEEPALIVE_S = 5
_CONNECT_S = 3.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 3.0
NOBODY = 0x10
"""Reason code of a PUBACK: the broker had no subscriber."""
_log = structlog.get_logger("ingest.courier")


class Courier:
    """Attributes: connected: messages can be sent; reason: why not."""

    def __init__(self, address: MqttAddress, user: str, client_id: str) -> None:
        self.connected, self.reason = False, "not connected yet"
        self._address, self._user, self._id = address, user, client_id
        self._client: Client | None = None
        self._answers: deque[tuple[int, ReasonCode]] = deque()
        self._accepted = self._ended = False
        self._since = self._next_try = 0.0
        self._pause = _FIRST_PAUSE_S

    def tend(self) -> bool:
        """Keep connected; True when a new connection stands: all that is not acknowledged must be sent again."""
        now = time.monotonic()
        if self._client is None:
            if now >= self._next_try:
                self._open(now)
        elif self._ended or (not self._accepted and now - self._since > _CONNECT_S):
            self._lost(self.reason or "the broker does not answer")
        elif self._accepted and not self.connected:
            self.connected, self.reason, self._pause = True, "", _FIRST_PAUSE_S
            _log.info("broker_connected")
            return True
        return False

    def send(self, topic: str, payload: bytes, expiry_s: int) -> int:
        """Publish with QoS 1; its number in `answers`. The broker forgets it after `expiry_s`."""
        return self._publish(topic, payload, expiry_s, retain=False)

    def retain(self, topic: str, payload: bytes) -> int:
        """As `send`, and the broker tells it to whoever subscribes later, until another one takes its place."""
        return self._publish(topic, payload, None, retain=True)

    def _publish(self, topic: str, payload: bytes, expiry_s: int | None, *, retain: bool) -> int:
        if self._client is None:
            raise ConnectionError(self.reason)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid

    def answers(self) -> list[tuple[int, ReasonCode]]:
        """(number, the broker's reason code) of what it acknowledged on this connection."""
        out = []
        while self._answers:
            out.append(self._answers.popleft())
        return out

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
        self._client, self.connected = None, False

    def _open(self, now: float) -> None:
        client = Client(CallbackAPIVersion.VERSION2, self._id, protocol=MQTTv5, reconnect_on_failure=False)
        client.username_pw_set(*self._address.credentials(self._user))
        client.connect_timeout = _CONNECT_S
        client.max_inflight_messages = 100
        client.on_socket_open = at_once
        answers = self._answers = deque()
        self._accepted = self._ended = False

        def on_connect(_c: Client, _u: Any, _flags: Any, code: ReasonCode, _p: Any) -> None:
            if self._client is client:
                self._accepted, self._ended = not code.is_failure, code.is_failure
                self.reason = str(code) if code.is_failure else ""

        def on_disconnect(_c: Client, _u: Any, _flags: Any, code: ReasonCode, _p: Any) -> None:
            if self._client is client:
                self._ended = True
                self.reason = self.reason or str(code)

        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        client.on_publish = lambda _c, _u, mid, code, _p: answers.append((mid, code))
        self._client, self._since = client, now
        try:
            client.connect(self._address.host, self._address.port, _KEEPALIVE_S)
        except OSError as error:
            self._lost(str(error))
            return
        client.loop_start()

    def _lost(self, reason: str) -> None:
        if self.connected or reason != self.reason:
            _log.warning("broker_lost", reason=reason)
        self.close()
        self.reason = reason
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LAST_PAUSE_S)
