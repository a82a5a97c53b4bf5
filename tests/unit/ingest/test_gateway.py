"""What gateways and simple devices send: exact values, or the field and the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import isnan
from typing import Any

import pytest

from events.readings import Quality
from events.types import to_micros
from ingest.gateway import Reading, Readings, read
from ingest.intake import LARGEST
from tests.unit.ingest.shop import NOW, ROSTER

MS = NOW // 1000


def neuron(payload: bytes | dict[str, Any], topic: str = "neuron/press/upload") -> Readings:
    return read(ROSTER, "neuron", topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), NOW)


def plain(payload: Any, topic: str = "plain/press") -> Readings:
    return read(ROSTER, "plain", topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), NOW)


def one(**changes: Any) -> dict[str, Any]:
    return {"time": MS, "point": "pressure", "value": 12.5, **changes}


def refused(answer: Readings) -> tuple[str, str]:
    """Field and reason of the only refusal, where nothing was taken."""
    assert not answer.good
    [only] = answer.refused
    return only.field, only.reason


def test_neuron_values_become_readings_and_errors_bad_quality() -> None:
    body = {"timestamp": MS, "node": "press", "group": "g", "values": {"pressure": 180.5, "running": True},
            "errors": {"temperature": 3002}, "metas": {}}  # fmt: skip
    answer = neuron(body, "neuron/gateway-7/upload")
    assert not answer.refused
    pressure, running, temperature = answer.good
    assert pressure == Reading("press", 0, NOW, 180.5, Quality.GOOD)
    assert running == Reading("press", 6, NOW, 1.0, Quality.GOOD)
    assert (temperature.column, temperature.quality, isnan(temperature.value)) == (1, Quality.BAD, True)


def test_neuron_tags_are_the_same_in_another_form() -> None:
    tags = [{"name": "pressure", "value": 3}, {"name": "position", "error": 2}]
    answer = neuron({"timestamp": MS, "node": "press", "tags": tags})
    assert [(r.column, r.quality) for r in answer.good] == [(0, Quality.GOOD), (3, Quality.BAD)]


def test_the_topic_names_the_device_where_the_message_does_not() -> None:
    assert neuron({"timestamp": MS, "values": {"pressure": 1}}).good[0].device == "press"


def test_an_unknown_tag_is_refused_and_the_others_count() -> None:
    answer = neuron({"timestamp": MS, "node": "press", "values": {"presure": 1, "pressure": 2}})
    assert [r.value for r in answer.good] == [2.0]
    [told] = answer.refused
    assert (told.field, told.reason) == ("values.presure", "device 'press' has no point 'press.presure'")


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b"", "payload", "it is empty"),
        (b"{", "payload", "malformed JSON, line 1, column 2"),
        (b"\xff\xfe", "payload", "malformed JSON"),
        (b"[" * 100_000, "payload", "malformed JSON"),
        (b"5", "payload", "a JSON object was expected"),
        ({"timestamp": MS, "node": "nobody", "values": {}}, "node", "no device 'nobody'"),
        ({"timestamp": MS, "node": 5, "values": {}}, "node", "no device 5"),
        ({"node": "press", "values": {"pressure": 1}}, "timestamp", "missing"),
        ({"timestamp": MS // 1000, "node": "press", "values": {"pressure": 1}}, "timestamp", "before 2000"),
        ({"timestamp": MS, "node": "press", "values": {}}, "values", "no values"),
        ({"timestamp": MS, "node": "press"}, "values", "neither 'values' nor 'tags'"),
        ({"timestamp": MS, "node": "press", "values": [1]}, "values", "not an object"),
        ({"timestamp": MS, "node": "press", "tags": [{"nam": "x"}]}, "tags.0", "needs a name"),
        ({"timestamp": MS, "node": "press", "values": {"pressure": None}}, "values.pressure", "null is no value"),
        ({"timestamp": MS, "node": "press", "values": {"pressure": [1]}}, "values.pressure", "a list is no value"),
    ],
)
def test_a_bad_neuron_message_is_refused_by_field(body: Any, field: str, reason: str) -> None:
    told = refused(neuron(body))
    assert told[0] == field
    assert reason in told[1]


def test_nan_is_named_with_its_tag_and_does_not_take_the_message_down() -> None:
    values = b'{"pressure": NaN, "position": 1, "vibration": 1e999}'
    answer = neuron(b'{"timestamp": %d, "node": "press", "values": %s}' % (MS, values))
    assert [r.value for r in answer.good] == [1.0]
    assert [r.field for r in answer.refused] == ["values.pressure", "values.vibration"]


def test_more_than_a_megabyte_is_refused() -> None:
    assert refused(plain(b" " * (LARGEST + 1))) == ("payload", f"{LARGEST + 1} bytes: at most {LARGEST} in one message")


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        (MS, NOW), (MS + 0.25, NOW + 250), (NOW // 1_000_000, NOW), (NOW / 1e6 + 0.5, NOW + 500_000),
        ("2026-09-21T14:13:20.000001+00:00", NOW + 1), ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
    ],
)  # fmt: skip
def test_times_are_iso_with_a_zone_or_seconds_or_milliseconds(given: Any, micros: int) -> None:
    assert to_micros(datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)) == NOW
    assert plain(one(time=given)).good[0].time == micros
    assert plain({"timestamp": given, "point": "press.pressure", "value": 1}, "plain/x").good[0].time == micros


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"time": "2026-09-21T14:13:20"}, "time", "no time zone"),
        ({"time": "yesterday"}, "time", "no ISO 8601 time"),
        ({"time": True}, "time", "true is no time"),
        ({"time": None}, "time", "missing"),
        ({"time": []}, "time", "a list is no time"),
        ({"time": 1e300}, "time", "no time"),
        ({"time": 9_999_999_999}, "time", "ahead of our clock"),
        ({"time": MS + 301_000}, "time", "5 min ahead of our clock"),
        ({"time": MS - 31 * 86_400_000}, "time", "31 days ago"),
        ({"time": -5}, "time", "before 2000"),
        ({"point": None}, "point", "which point?"),
        ({"point": "presure"}, "point", "no point 'press.presure'"),
        ({"point": "cooling.flow"}, "point", "device 'press' has no point 'cooling.flow'"),
        ({"value": "high"}, "value", "'high' is text, and the point has no states"),
        ({"value": "12.5"}, "value", "'12.5' is text"),
        ({"value": {}}, "value", "an object is no value"),
        ({"value": True}, "value", "true is no value in bar"),
        ({"value": None}, "value", "null is no value"),
        ({"value": 10**400}, "value", "beyond what a 64-bit float holds"),
        ({"value": float("inf")}, "value", "inf is no value"),
        ({"point": "relief_valve", "value": "ajar"}, "value", "its states are closed, open"),
        ({"quality": "fine"}, "quality", "'fine' is none of good"),
        ({"quality": 9}, "quality", "9 is none of good"),
    ],
)
def test_a_bad_plain_reading_is_refused_by_field(changes: dict[str, Any], field: str, reason: str) -> None:
    told = refused(plain(one(**changes)))
    assert told[0] == field
    assert reason in told[1]


def test_a_state_may_be_given_by_its_name() -> None:
    assert plain(one(point="relief_valve", value="open")).good[0].value == 1.0


def test_a_value_outside_the_range_of_its_point_is_taken_as_bad() -> None:
    assert plain(one(value=401)).good[0][3:] == (401.0, Quality.BAD)
    assert plain(one(value=400)).good[0][3:] == (400.0, Quality.GOOD)


def test_a_bad_reading_needs_no_value() -> None:
    answer = plain(one(value=None, quality="no_answer")).good[0]
    assert answer.quality == Quality.NO_ANSWER
    assert isnan(answer.value)


def test_the_device_comes_from_the_topic_or_from_the_full_name() -> None:
    assert plain(one(), "plain/press/anything").good[0].device == "press"
    assert plain(one(point="cooling.flow"), "plain/box-12").good[0].device == "cooling"
    assert refused(plain(one(point="flow"), "plain/box-12"))[0] == "point"


def test_a_list_names_the_place_of_what_is_wrong() -> None:
    answer = plain([one(), one(point="x"), 7])
    assert len(answer.good) == 1
    assert [r.field for r in answer.refused] == ["1.point", "2.payload"]
    assert refused(plain([])) == ("payload", "an empty list")
