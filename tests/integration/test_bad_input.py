"""Bad input into a running plant: a message that names topic and field, the original kept, and nothing else lost."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from events.codec import encode
from events.readings import Frame
from events.topics import up_topic
from tests.running_plant import RunningPlant, running_plant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
POINTS = ("press.pressure", "press.temperature")


class Sender:
    """An MQTT user of the plant; `send` returns when the broker has it."""

    def __init__(self, plant: RunningPlant, user: str) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"test-{user}", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(*plant.instance.mqtt.credentials(user))
        self.client.connect(plant.instance.mqtt.host, plant.instance.mqtt.port)
        self.client.loop_start()

    def send(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def plant() -> Iterator[RunningPlant]:
    with running_plant("--no-board") as plant:
        yield plant


@pytest.fixture(scope="module")
def gateway(plant: RunningPlant) -> Iterator[Sender]:
    sender = Sender(plant, "gateway")
    yield sender
    sender.close()


@pytest.fixture(scope="module")
def edge(plant: RunningPlant) -> Iterator[Sender]:
    sender = Sender(plant, "edge-1")
    yield sender
    sender.close()


def until(question: Any, what: str, seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return answer


def letter(plant: RunningPlant, original: bytes) -> tuple[str, str, str]:
    """(origin, field, reason) of the dead letter that keeps these bytes."""
    digest = hashlib.md5(original, usedforsecurity=False).hexdigest()
    row = until(
        lambda: plant.query("select origin, field, reason from dead_letters where md5(original) = :d", d=digest),
        f"no dead letter for {original[:80]!r}",
    )[0]
    return row[0], row[1], row[2]


def plain(**fields: object) -> bytes:
    """One reading as a simple device sends it; `time` is now unless given."""
    return json.dumps({"time": time.time(), "point": "press.pressure", "value": 120.5, **fields}).encode()


BAD_READINGS = {
    "malformed JSON": (b'{"time": 1, "point"', "payload", "JSON"),
    "not a number": (b'{"time": %d, "point": "press.pressure", "value": NaN}', "value", "nan"),
    "infinity": (b'{"time": %d, "point": "press.pressure", "value": Infinity}', "value", "inf"),
    "a text for a number": (b'{"time": %d, "point": "press.pressure", "value": "high"}', "value", "high"),
    "an unknown device": (b'{"time": %d, "point": "oven.pressure", "value": 1}', "point", "oven"),
    "an unknown point": (b'{"time": %d, "point": "press.presure", "value": 1}', "point", "presure"),
    "a time in the future": (b'{"time": 4102444800, "point": "press.pressure", "value": 1}', "time", "ahead"),
    "a time in the far past": (b'{"time": 86400, "point": "press.pressure", "value": 1}', "time", "2000"),
    "no time": (b'{"point": "press.pressure", "value": 1}', "time", ""),
    "an empty message": (b"", "payload", "empty"),
}


@pytest.mark.parametrize("case", BAD_READINGS)
def test_a_bad_reading_is_kept_with_its_reason_and_the_next_one_arrives(
    plant: RunningPlant, gateway: Sender, case: str
) -> None:
    payload, field, word = BAD_READINGS[case]
    if b"%d" in payload:
        payload = payload % int(time.time())
    before = plant.query("select count(*) from dead_letters where original = :o", o=payload)[0][0]
    gateway.send("plain/press", payload)
    origin, said_field, reason = letter(plant, payload)
    assert "plain/press" in origin
    assert field in said_field
    assert word in reason
    assert before in (0, 1)
    value = round(100 + time.time() % 50, 6)
    gateway.send("plain/press", plain(value=value))
    until(lambda: plant.query(
        "select 1 from readings where point = 'press.pressure' and value = :v", v=value), "the good one after it",
    )  # fmt: skip


def frame(sequence: int, *, source: str, at: float | None = None, **changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "area": "shop/press", "device": "press", "source": source, "sequence": sequence, "points": POINTS,
        "times": np.array([int((at or time.time()) * 1e6)]), "values": np.array([[100.0 + sequence, 40.0]]),
        "qualities": np.zeros((1, 2), np.uint8), **changed,
    }  # fmt: skip
    return encode(Frame(**fields).pack())


BAD_FRAMES: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown device": ({"device": "oven"}, "device", "oven"),
    "an unknown point": ({"points": ("press.pressure", "press.presure")}, "press.presure", "no such point"),
    "another area": ({"area": "shop/cooling"}, "area", "shop/press"),
    "a good value that is no number": ({"values": np.array([[np.nan, 1.0]])}, "values", "not finite"),
    "a time in the future": ({"times": np.array([4_102_444_800_000_000])}, "times", "ahead"),
    "a time in the far past": ({"times": np.array([1_000_000])}, "times", "2000"),
    "no scans": ({"times": np.zeros(0, np.int64), "values": np.zeros((0, 2)), "qualities": np.zeros((0, 2), np.uint8)},
                 "times", "empty"),
    "too few values": ({"values": np.array([[1.0]])}, "values", "1 values"),
    "ten megabytes": ({"times": np.arange(400_000) + 1_763_800_000_000_000, "values": np.zeros((400_000, 2)),
                       "qualities": np.zeros((400_000, 2), np.uint8)}, "payload", "at most"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_a_bad_frame_of_an_edge_is_kept_and_the_next_number_is_taken(
    plant: RunningPlant, edge: Sender, case: str
) -> None:
    changed, field, word = BAD_FRAMES[case]
    source = f"edge-1:{case.replace(' ', '-')}"
    bad = frame(1, source=source, **changed)
    edge.send(up_topic("edge-1", "frame"), bad)
    _, said_field, reason = letter(plant, bad)
    assert field in said_field
    assert word in reason
    edge.send(up_topic("edge-1", "frame"), frame(2, source=source))
    until(lambda: taken(plant, source)[-1:] == [2], "the next number")


def taken(plant: RunningPlant, source: str) -> list[int]:
    return [r[0] for r in plant.query("select sequence from scans where source = :s order by sequence", s=source)]


def test_a_frame_sent_again_and_one_out_of_order_are_each_logged_once(plant: RunningPlant, edge: Sender) -> None:
    source = "edge-1:order"
    frames = [frame(n, source=source, at=time.time() + n / 1000) for n in (1, 2, 3, 4)]
    for i in (0, 1, 1, 0, 3):  # 4 comes before 3: a gap
        edge.send(up_topic("edge-1", "frame"), frames[i])
    until(lambda: plant.query("select 1 from events where type = 'source.gap_opened' and payload::text like :s",
                              s=f"%{source}%"), "the gap is an event")  # fmt: skip
    until(lambda: taken(plant, source) == [1, 2], "the first two are in the log, each once")
    for i in (2, 3, 2):
        edge.send(up_topic("edge-1", "frame"), frames[i])
    until(lambda: taken(plant, source) == [1, 2, 3, 4], "complete, in order, each once")
    until(lambda: plant.query("select 1 from events where type = 'source.gap_closed' and payload::text like :s",
                              s=f"%{source}%"), "and the gap is closed")  # fmt: skip


def test_bytes_that_are_no_frame_at_all(plant: RunningPlant, edge: Sender) -> None:
    edge.send(up_topic("edge-1", "frame"), b"\xc1 certainly no msgpack")
    origin, field, reason = letter(plant, b"\xc1 certainly no msgpack")
    assert "edge-1" in origin
    assert field == "payload"
    assert "no record of ours" in reason


def test_a_gateways_bad_tag_does_not_take_the_good_one_down(plant: RunningPlant, gateway: Sender) -> None:
    value = round(100 + time.time() % 50, 6)
    message = {"timestamp": int(time.time() * 1000), "node": "press", "group": "g",
               "values": {"pressure": value, "colour": 7}, "errors": {"temperature": 2014}}  # fmt: skip
    payload = json.dumps(message).encode()
    gateway.send("neuron/press/upload", payload)
    _, field, _ = letter(plant, payload)
    assert "colour" in field
    until(lambda: plant.query(
        "select 1 from readings where point = 'press.pressure' and value = :v", v=value), "the good tag",
    )  # fmt: skip


def test_a_file_with_a_typo_is_named_with_its_line_and_the_last_good_one_stays(plant: RunningPlant) -> None:
    before = version(plant)
    folder = plant.home / "typo"
    shutil.copytree(plant.instance.plant, folder)
    rules = folder / "rules" / "press.yaml"
    lines = rules.read_text().splitlines()
    line = next(i for i, text in enumerate(lines) if "deadband" in text)
    lines[line] = lines[line].replace("deadband", "deadbnad")
    rules.write_text("\n".join(lines))
    told = plant.andon("publish", "--plant", str(folder))
    said = told.stdout + told.stderr
    assert f"rules/press.yaml:{line + 1}:" in said
    assert "deadband" in said, "did you mean"
    assert version(plant) == before, "the rules of that file stay in force"


def version(plant: RunningPlant) -> list[str]:
    return [r[0] for r in plant.query("select version from configurations where stage = 'detection' order by at")]


def test_doctor_shows_what_lies_in_the_dead_letters(plant: RunningPlant) -> None:
    found = plant.andon("doctor")
    assert found.returncode == 1
    assert "dead letter" in found.stdout
    assert "plain/press" in found.stdout


def test_after_all_that_no_stage_failed_on_any_input_and_the_chain_still_works(plant: RunningPlant) -> None:
    assert not plant.query("select payload from events where type = 'stage.input_failed'")
    assert plant.andon("drill", "--json").returncode == 0
