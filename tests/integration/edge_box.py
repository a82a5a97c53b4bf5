"""An edge and its devices as processes of their own, and the plant's end of the line to it."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from andon.up import choose_devices
from config.instance import Instance
from devices.simulator.client import SimulatorClient
from events import codec
from events.envelope import Event, Reported, event
from events.playbooks import CommandIssued, LockOutIssued
from events.readings import Packed
from events.topics import command_topic, confirm_topic, lock_topic, request_topic
from events.types import make_id

REPOSITORY = Path(__file__).resolve().parents[2]


class Bridge:
    """Takes only the next number, as the real one does, and confirms it a little later."""

    def __init__(self, instance: Instance, edge: str) -> None:
        self.edge, self.instance = edge, instance
        self.taken: list[int] = []
        self.records: list[Any] = []
        self.received = self.replayed = 0
        self.source = ""
        self.refuse: Callable[[int], bool] = lambda sequence: False
        self.silent = False
        self._expected = 1
        self._stop = threading.Event()
        self._client = self._connect()
        self._confirmer = threading.Thread(target=self._confirm, daemon=True)
        self._confirmer.start()

    def _connect(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, f"bridge-{self.edge}", protocol=mqtt.MQTTv5)
        client.username_pw_set(*self.instance.mqtt.credentials("bridge"))
        client.reconnect_delay_set(0.1, 0.5)
        client.on_connect = lambda c, *_: c.subscribe(f"andon/v1/{self.edge}/up/#", qos=0)
        client.on_message = self._take
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        client.connect(self.instance.mqtt.host, self.instance.mqtt.port, clean_start=False, properties=session)
        client.loop_start()
        return client

    def _take(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        record = codec.decode_record(message.payload)
        self.received += 1
        self.source = record.source
        if record.sequence == self._expected and not self.refuse(record.sequence):
            self._expected += 1
            self.taken.append(record.sequence)
            self.records.append(record)
            self.replayed += isinstance(record, Packed) and record.replayed

    def _confirm(self) -> None:
        told = 0
        while not self._stop.wait(0.05):
            if self.source and not self.silent:
                told = self._expected - 1
                body = json.dumps({"source": self.source, "up_to": told})
                self._client.publish(confirm_topic(self.edge), body, qos=1)

    def command(self, payload: bytes) -> None:
        self._client.publish(command_topic(self.edge), payload, qos=1).wait_for_publish(5)

    def lock_out(self, device: str, reason: str) -> None:
        """Retained, as the dispatcher says it."""
        now = datetime.now(UTC)
        fact = LockOutIssued(edge=self.edge, device=device, reason=reason, since=now)
        issued = event(fact, at=now, area="shop/press", cause=make_id(now), author="playbooks", index=0)
        topic = lock_topic(self.edge, device)
        self._client.publish(topic, codec.encode(issued), qos=1, retain=True).wait_for_publish(5)

    def request(self, payload: bytes) -> None:
        self._client.publish(request_topic(self.edge), payload, qos=1).wait_for_publish(5)

    def forget(self, device: str) -> None:
        """Nothing retained is left for the tests that follow."""
        self._client.publish(lock_topic(self.edge, device), b"", qos=1, retain=True).wait_for_publish(5)

    def close(self) -> None:
        self._stop.set()
        self._confirmer.join()
        self._client.disconnect()
        self._client.loop_stop()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Plant:
    """The simulator and the edge as processes of their own."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        choose_devices(instance, simulated=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str) -> None:
        code = f"import sys, pickle; from {module} import run; run(pickle.load(sys.stdin.buffer))"
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, cwd=REPOSITORY)
        assert process.stdin
        process.stdin.write(pickle.dumps(self.instance))
        process.stdin.close()
        self._running[name] = process

    def send(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def kill(self, name: str) -> None:
        self.send(name, signal.SIGKILL)
        self._running.pop(name).wait()

    def stop(self) -> list[int]:
        for process in self._running.values():
            process.terminate()
        return [process.wait(15) for process in self._running.values()]

    def simulator(self) -> SimulatorClient:
        until(self.instance.simulator_file.exists)
        return SimulatorClient("127.0.0.1", self.instance.simulator_port)


def write(
    name: str, value: float, expires_s: float = 5.0, point: str = "press.pressure_setpoint", **other: Any
) -> Event:
    fact = CommandIssued(
        command=make_id("command", name), run=make_id("run"), incident=make_id("incident"), step="s1", attempt=1,
        edge="edge-1", device=point.split(".")[0], point=point, value=value, tolerance=0.1,
        not_after=datetime.now(UTC) + timedelta(seconds=expires_s), author="playbook test@1", **other,
    )
    now = datetime.now(UTC)
    return event(fact, at=now, area="shop/press", cause=make_id("x", name), author="playbooks", index=0)


def facts(bridge: Bridge) -> list[Event]:
    return [e for record in bridge.records if isinstance(record, Reported) for e in record.events]


def health_of(url: str) -> dict[str, Any]:
    """{} while the edge starts."""
    try:
        found: dict[str, Any] = json.load(urllib.request.urlopen(url))
    except urllib.error.HTTPError as error:
        found = json.load(error)
    except OSError:
        return {}
    return found


def outcome(bridge: Bridge, issued: Event) -> Any:
    """Send the command and wait for what became of it."""
    bridge.command(codec.encode(issued))
    return answer(bridge, issued)


def answer(bridge: Bridge, issued: Event) -> Any:
    until(lambda: any(e.cause == issued.id for e in facts(bridge)))
    return next(e.fact for e in facts(bridge) if e.cause == issued.id)
