"""Laws of the intake: no bytes ever raise; what is valid comes out exactly; every reading once; no number twice."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import decode_record, encode
from events.devices import GapClosed, GapOpened
from events.readings import Frame, Packed, Quality, unpack
from ingest.gateway import Reading, read
from ingest.gather import Gather, Recent, frames
from ingest.intake import Numbered, Refused, dead_letter, judge
from ingest.ledger import Gap, Ledger, Taken
from tests.unit.ingest.shop import NOW, PLANT, ROSTER, wide

MS = NOW // 1000
NAMES = ROSTER.names["press"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["timestamp", "time", "node", "group", "values", "errors", "tags", "point", "value", "quality", "name", "error"]
)
likely = st.sampled_from(
    [MS, NOW / 1e6, "press", "pressure", "press.pressure", "relief_valve", "open", "good", 1, True, -1]
)
messages = st.recursive(
    json_values | likely,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(keys | st.sampled_from(["pressure", "running"]), inner | likely, max_size=6),
    max_leaves=20,
)


def check_readings(payload: bytes, form: str, topic: str) -> None:
    """Whatever came: the answer is something, names a field, and can be written down."""
    answer = read(ROSTER, form, topic, payload, NOW)
    assert answer.good or answer.refused
    for reading in answer.good:
        device = PLANT.devices[reading.device]
        assert 0 <= reading.column < len(device.points)
        assert np.isfinite(reading.value) or reading.quality != Quality.GOOD
    if answer.refused:
        assert all(r.field and r.reason for r in answer.refused)
        encode(dead_letter(f"mqtt {topic}", answer.refused, payload, NOW))


forms = st.sampled_from(["neuron", "plain"])


@given(st.binary(max_size=200), forms, st.sampled_from(["plain/press", "neuron", "a/b/c"]))
def test_no_bytes_from_a_gateway_ever_raise(payload: bytes, form: str, topic: str) -> None:
    check_readings(payload, form, topic)


@settings(max_examples=300)
@given(messages, forms, st.sampled_from(["plain/press", "plain", "neuron/x/upload"]))
def test_no_json_from_a_gateway_ever_raises(body: Any, form: str, topic: str) -> None:
    check_readings(json.dumps(body).encode(), form, topic)


def check_judged(payload: bytes, kind: str) -> None:
    answer = judge(ROSTER, "edge-1", kind, payload, NOW)
    if isinstance(answer, Refused):
        answer = Numbered("edge-1:j", 1, dead_letter("x", [answer], payload, NOW).at, refused=(answer,))
    assert answer.writes or answer.refused
    for write in answer.writes:
        decode_record(write.record)
    if answer.refused:
        encode(dead_letter("mqtt x", answer.refused, payload, NOW))


@given(st.binary(max_size=200), st.sampled_from(["frame", "events", ""]))
def test_no_bytes_from_an_edge_ever_raise(payload: bytes, kind: str) -> None:
    check_judged(payload, kind)


odd = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=17) | st.just(["device.lost"]) | st.just({"type": "device.lost"})
)  # fmt: skip


@settings(max_examples=300)
@given(st.data())
def test_no_record_with_odd_fields_ever_raises(data: st.DataObject) -> None:
    valid: list[Any] = ["frame", "shop/press", "press", "edge-1:j", 1, False, "press.pressure",
                        NOW.to_bytes(8, "little"), np.float64(1).tobytes(), b"\0"]  # fmt: skip
    if data.draw(st.booleans()):
        valid = ["reported", "edge-1:j", 1, []]
    for i in data.draw(st.sets(st.integers(0, len(valid) - 1), max_size=3)):
        valid[i] = data.draw(odd)
    check_judged(msgspec.msgpack.encode(valid), data.draw(st.sampled_from(["frame", "events"])))


@given(st.integers(0, 400), st.data())
def test_bytes_of_a_frame_that_were_damaged_never_raise(at: int, data: st.DataObject) -> None:
    payload = bytearray(encode(press_frame([[1.0] * len(NAMES)], [0]).pack()))
    payload[at % len(payload)] = data.draw(st.integers(0, 255))
    check_judged(bytes(payload), "frame")


def press_frame(values: list[list[float]], offsets: list[int]) -> Frame:
    matrix = np.array(values)
    qualities = np.where(np.isfinite(matrix), Quality.GOOD, Quality.BAD).astype(np.uint8)
    return Frame(area="shop/press", device="press", source="edge-1:j", sequence=5, points=NAMES,
                 times=np.array([NOW + o for o in offsets]), values=matrix, qualities=qualities)  # fmt: skip


rows_of_press = st.tuples(st.integers(-(10**9), 10**8), st.lists(st.floats(), min_size=7, max_size=7))


@given(st.lists(rows_of_press, min_size=1, max_size=5))
def test_a_valid_frame_comes_out_bit_by_bit(rows: list[tuple[int, list[float]]]) -> None:
    rows.sort(key=lambda row: row[0])
    frame = press_frame([r[1] for r in rows], [r[0] for r in rows])
    answer = judge(ROSTER, "edge-1", "frame", encode(frame.pack()), NOW)
    assert isinstance(answer, Numbered)
    assert not answer.refused
    packed = decode_record(answer.writes[0].record)
    assert isinstance(packed, Packed)
    assert packed == frame.pack()


finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.booleans()


@given(finite, st.integers(0, 10**6))
def test_a_valid_value_of_a_gateway_comes_out_exactly(value: float, ago_ms: int) -> None:
    tag = "p0"
    roster = wide(1)
    body = {"timestamp": MS - ago_ms, "node": "wide", "values": {tag: value}}
    [reading] = read(roster, "neuron", "neuron/x/upload", json.dumps(body).encode(), NOW).good
    assert reading == Reading("wide", 0, (MS - ago_ms) * 1000, float(value), Quality.GOOD)
    single = {"time": MS - ago_ms, "point": tag, "value": value}
    [plain] = read(roster, "plain", "plain/wide", json.dumps(single).encode(), NOW).good
    assert plain == reading


readings = st.builds(
    Reading, st.just("wide"), st.integers(0, 150), st.integers(NOW, NOW + 5), st.floats(-3, 3).map(round).map(float),
    st.just(0),
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(readings, max_size=60), st.lists(st.integers(0, 59), max_size=6), st.integers(0, 60))
def test_each_reading_is_in_the_frames_exactly_once_however_they_are_gathered_and_sent_again(
    said: list[Reading], flushes: list[int], crash: int
) -> None:
    roster = wide(151)
    gather: Gather[int] = Gather(roster)
    recent = Recent()
    sent: list[Frame] = []

    def flush() -> None:
        for made, waiting in gather.flush():
            assert waiting
            sent.extend(made)

    def take(some: list[Reading]) -> None:
        for i, reading in enumerate(some):
            if recent.first_time(reading):
                if gather.clashes(reading):
                    flush()
                gather.add(reading, i)
            if i in flushes:
                flush()

    take(said[:crash])
    gather = Gather(roster)  # what was gathered dies with the process: it was not acknowledged
    recent = Recent()
    for frame in sent:
        recent.remember(roster, frame)
    take(said)
    flush()
    out = [
        (frame.points[c], int(frame.times[r]), float(frame.values[r, c]))
        for frame in map(unpack, [f.pack() for f in sent])
        for r, c in np.argwhere(frame.qualities != Quality.ABSENT)
    ]
    assert sorted(out) == sorted({(f"wide.p{r.column}", r.time, r.value) for r in said})
    assert len({f.id for f in sent}) == len(sent)


@settings(max_examples=300)
@given(st.lists(st.integers(1, 30), max_size=80))
def test_the_ledger_takes_one_two_three_whatever_arrives(arrivals: list[int]) -> None:
    ledger, taken, opened = Ledger(), [], []
    for n in [1, *arrivals]:
        verdict = ledger.take("edge-1:j", n, 0.0)
        match verdict:
            case Taken(facts):
                taken.append(n)
                for fact in facts:
                    assert isinstance(fact, GapClosed)
                    assert (fact.first, fact.last) == opened.pop()
                    assert fact.last == n
            case Gap(facts):
                for fact in facts:
                    assert isinstance(fact, GapOpened)
                    assert not opened
                    opened.append((fact.first, fact.last))
            case _:
                assert n <= taken[-1]
    assert taken == list(range(1, len(taken) + 1))


@given(st.dictionaries(st.integers(0, 150), st.integers(0, 5), min_size=1))
def test_no_frame_of_a_row_loses_a_column(row: dict[int, int]) -> None:
    rows = {NOW: {c: Reading("wide", c, NOW, float(v), 0) for c, v in row.items()}}
    made = frames(wide(151), "wide", rows)
    out = {p: float(v) for f in made for p, v, q in zip(f.points, f.values[0], f.qualities[0], strict=True) if q == 0}
    assert out == {f"wide.p{c}": float(v) for c, v in row.items()}
