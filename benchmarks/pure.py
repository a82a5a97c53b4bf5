"""What the pure parts cost, without any service: the codec, and the brains of incidents and detection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from andon.publish import compile_folder
from benchmarks import alarms, plants
from benchmarks.load import Machine
from benchmarks.measures import Measures
from detection.brain import DetectionBrain
from events import topics
from events.alarms import ConditionRaised
from events.codec import decode_event, decode_record, encode
from events.envelope import Configure, Tick, event
from events.readings import Frame, Packed, unpack
from events.types import from_micros, make_id

_NOW = 1_700_000_000_000_000
_SCAN_US = 2000


def measure(measures: Measures, folder: Path, seconds: float) -> None:
    plants.write_load(folder / "pure")
    codec(measures, seconds / 4)
    alarms.pure(measures, seconds)
    for name, average in (("detection_bank_readings_per_s", False), ("detection_average_readings_per_s", True)):
        plants.write_rules(folder / "pure", average=average)
        detection(measures, folder / "pure", name, seconds)


def codec(measures: Measures, seconds: float) -> None:
    """Frames of 10 scans of 100 points, and one event."""
    frame = Machine("m0", plants.areas()[0], 0, 0.0).frame(10, "load-1:x", 1, 0.0, last=False)
    raw = encode(frame.pack())
    raised = ConditionRaised(
        occurrence=make_id("bench"), rule="m0_p0.H", rule_version="0123456789ab", kind="limits", point="m0.p0",
        priority="high", message="Too far", value=90.0, limit=80.0, unit="bar", began=from_micros(_NOW),
    )  # fmt: skip
    one = event(raised, at=from_micros(_NOW), area="load/1", cause=frame.id, author="detection", index=0)
    raw_event = encode(one)

    def decode_frame() -> Frame:
        record = decode_record(raw)
        assert isinstance(record, Packed)
        return unpack(record)

    measures.note("codec_encode_frames_per_s", _rate(lambda: encode(frame.pack()), seconds))
    measures.note("codec_decode_frames_per_s", _rate(decode_frame, seconds))
    measures.note("codec_encode_events_per_s", _rate(lambda: encode(one), seconds))
    measures.note("codec_decode_events_per_s", _rate(lambda: decode_event(raw_event), seconds))
    measures.note("codec_frame_bytes_per_reading", len(raw) / frame.readings)


def detection(measures: Measures, folder: Path, name: str, seconds: float) -> None:
    """Bytes of frames in, conditions out: decoded, checked and stepped as the stage does it; 2 ms between scans."""
    rules = compile_folder(folder).definitions[topics.READINGS]
    brain = DetectionBrain()
    brain.decide(Configure(rules.version, from_micros(_NOW), "bench", rules.pack()))
    prepared = list(_frames())
    said = turn = 0
    began = time.perf_counter()
    while turn < len(prepared) and time.perf_counter() < began + seconds:
        said += len(brain.decide(decode_record(prepared[turn])))
        turn += 1
        if turn % 500 == 0:
            brain.decide(Tick(from_micros(_NOW + turn * _SCAN_US)))
    spent = time.perf_counter() - began
    assert said or turn < 200, "the excesses were not seen"
    measures.note(name, turn * 10 * plants.POINTS / spent)


def _frames() -> Iterator[bytes]:
    """Frames of all devices in turn, 10 scans of 100 points each; one in twenty rounds exceeds a limit."""
    machines = [Machine(device, area, i, 0.0) for i, (device, area, _) in enumerate(plants.devices())]
    for i in range(400):
        for machine in machines:
            frame = machine.frame(10, f"{machine.device}:x", i + 1, 0.0, last=i % 20 == 19)
            frame.times = _NOW + _SCAN_US * (10 * i + np.arange(10))
            yield encode(frame.pack())


def _rate(once: Callable[[], object], seconds: float) -> float:
    """Times a second."""
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for _ in range(100):
            once()
        count += 100
    return count / spent
