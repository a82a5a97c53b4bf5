"""What gateways and simple devices send, judged: JSON in, readings and refusals out. Pure; no bytes ever raise.

Two formats (see `examples/*/plant.yaml`, sources):
  neuron  {"timestamp": ms, "node", "group", "values": {tag: value}, "errors": {tag: code}}, or instead of these two
          "tags": [{"name", "value" | "error"}]; node = device, node.tag = point
  plain   {"time" | "timestamp", "point", "value", "quality"?}, or a list of such; the device may come from the topic
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from devices.plant import Device, Point
from events.readings import Quality
from events.types import to_micros
from ingest.intake import LARGEST, UNREADABLE, Refused, shown, times_are_wrong
from ingest.roster import Roster

NAN = float("nan")
_QUALITIES = {q.name.lower(): q for q in Quality if q is not Quality.ABSENT}
_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be after the year 5000, as milliseconds from 1973."""


class Reading(NamedTuple):
    """Attributes: column: of the point among its device's; time: µs since the epoch; value: in the point's unit."""

    device: str
    column: int
    time: int
    value: float
    quality: int


class Readings(Struct, frozen=True):
    """What a message gave. One bad part does not take the rest of the message down."""

    good: tuple[Reading, ...] = ()
    refused: tuple[Refused, ...] = ()


class _NotTakenError(Exception):
    """A part of the message cannot be taken; caught by the message's reader."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.refused = Refused(field, reason)


def read(roster: Roster, form: str, topic: str, payload: bytes, now: int) -> Readings:
    """The readings in the payload of a message on `topic`.

    Args:
        form: "neuron" or "plain".
        now: µs since the epoch, by our clock.
    """
    try:
        body = _json(payload)
        return neuron(roster, topic, body, now) if form == "neuron" else plain(roster, topic, body, now)
    except _NotTakenError as error:
        return Readings(refused=(error.refused,))


def neuron(roster: Roster, topic: str, body: Any, now: int) -> Readings:
    """One message of a Neuron gateway: one row of one device.

    Raises:
        _NotTakenError: nothing of it can be taken.
    """
    if not isinstance(body, dict):
        raise _NotTakenError("payload", f"a JSON object was expected, not {_kind(body)}")
    levels = topic.split("/")
    device = _device(roster, "node", body.get("node", levels[1] if len(levels) > 1 else ""))
    time = _time("timestamp", body.get("timestamp"), now, always_ms=True)
    good: dict[int, Reading] = {}
    refused: list[Refused] = []
    for field, tag, value, bad in _tags(body):
        try:
            if tag is None:
                raise _NotTakenError(field, "an entry needs a name, and a value or an error other than 0")
            column, point = _point(roster, field, device, f"{device.device}.{tag}")
            quality = Quality.BAD if bad else Quality.GOOD
            good[column] = _reading(device, column, point, time, field, value, quality)
        except _NotTakenError as error:
            refused.append(error.refused)
    if not good and not refused:
        raise _NotTakenError("values", "the message carries no values")
    return Readings(tuple(good.values()), tuple(refused))


def plain(roster: Roster, topic: str, body: Any, now: int) -> Readings:
    """One reading or a list of them. With device "" in the topic the points must be full names.

    Raises:
        _NotTakenError: nothing of it can be taken.
    """
    several = isinstance(body, list)
    if several and not body:
        raise _NotTakenError("payload", "an empty list")
    good: list[Reading] = []
    refused: list[Refused] = []
    for i, item in enumerate(body if several else [body]):
        at = f"{i}." if several else ""
        try:
            good.append(_one(roster, topic, item, at, now))
        except _NotTakenError as error:
            refused.append(error.refused)
    return Readings(tuple(good), tuple(refused))


def _one(roster: Roster, topic: str, item: Any, at: str, now: int) -> Reading:
    if not isinstance(item, dict):
        raise _NotTakenError(f"{at}payload", f"a JSON object was expected, not {_kind(item)}")
    name = item.get("point")
    if not isinstance(name, str) or not name:
        raise _NotTakenError(f"{at}point", "which point? give its name as text")
    prefix, dot, _ = name.partition(".")
    owner = next((level for level in topic.split("/")[1:2] if level in roster.devices), "")
    if not owner and not dot:
        raise _NotTakenError(f"{at}point", f"{shown(name)} of which device? write device.point, or use plain/device")
    device = _device(roster, f"{at}point", owner or prefix)
    full = name if dot else f"{device.device}.{name}"
    column, point = _point(roster, f"{at}point", device, full)
    key = "time" if "time" in item else "timestamp"
    time = _time(f"{at}{key}", item.get(key), now)
    quality = _quality(f"{at}quality", item.get("quality", "good"))
    return _reading(device, column, point, time, f"{at}value", item.get("value"), quality)


def _tags(body: dict[str, Any]) -> Iterator[tuple[str, str | None, Any, bool]]:
    """(field, tag, value, whether it is an error) of both formats; tag None: the entry has no name or no content."""
    values, errors, tags = (body.get(k) for k in ("values", "errors", "tags"))
    if values is None and errors is None and tags is None:
        raise _NotTakenError("values", "neither 'values' nor 'tags': is this a Neuron message?")
    for name, part, kind in (("values", values, dict), ("errors", errors, dict), ("tags", tags, list)):
        if part is not None and not isinstance(part, kind):
            raise _NotTakenError(name, f"{_kind(part)}, not {'an object' if kind is dict else 'a list'}")
    for tag, value in (values or {}).items():
        yield f"values.{tag[:80]}", tag, value, False
    for tag in errors or {}:
        yield f"errors.{tag[:80]}", tag, None, True
    for i, entry in enumerate(tags or ()):
        match entry:
            case {"name": str(tag), "error": int(code)} if code != 0:
                yield f"tags.{i}", tag, None, True
            case {"name": str(tag), "value": value}:
                yield f"tags.{i}", tag, value, False
            case _:
                yield f"tags.{i}", None, None, False


def _reading(
    device: Device, column: int, point: Point, time: int, field: str, value: Any, quality: Quality
) -> Reading:
    """The value as a number of the point's unit. What is not GOOD need not have one.

    Raises:
        _NotTakenError: it is not a number, and no name of the point's states.
    """
    if value is None and quality in (Quality.BAD, Quality.NO_ANSWER):
        return Reading(device.device, column, time, NAN, quality)
    if isinstance(value, str):
        if value not in point.states:
            known = f": its states are {', '.join(point.states)}" if point.states else ", and the point has no states"
            raise _NotTakenError(field, f"{shown(value)} is text{known}")
        number = float(point.states[value])
    elif isinstance(value, bool) and point.unit:
        raise _NotTakenError(field, f"{_kind(value)} is no value in {point.unit}")
    elif isinstance(value, bool | int | float):
        try:
            number = float(value)
        except OverflowError:
            raise _NotTakenError(field, "a number beyond what a 64-bit float holds") from None
    else:
        raise _NotTakenError(field, f"{_kind(value)} is no value of '{device.device}.{point.point}'")
    if not math.isfinite(number):
        raise _NotTakenError(field, f"{value} is no value: send quality 'bad' instead")
    if quality is Quality.GOOD and point.range and not point.range[0] <= number <= point.range[1]:
        quality = Quality.BAD
    return Reading(device.device, column, time, number, quality)


def _json(payload: bytes) -> Any:
    """The JSON in the payload, quickly; where that fails, leniently, so that NaN can be named with its field."""
    if not payload:
        raise _NotTakenError("payload", "it is empty")
    if len(payload) > LARGEST:
        raise _NotTakenError("payload", f"{len(payload)} bytes: at most {LARGEST} in one message")
    try:
        return msgspec.json.decode(payload)
    except UNREADABLE as first:
        try:
            return json.loads(payload)
        except json.JSONDecodeError as error:
            raise _NotTakenError("payload", f"malformed JSON, line {error.lineno}, column {error.colno}: {error.msg}"
                                 ) from None
        except UNREADABLE:
            raise _NotTakenError("payload", f"malformed JSON: {first}") from None


def _device(roster: Roster, field: str, name: Any) -> Device:
    if not isinstance(name, str) or name not in roster.devices:
        raise _NotTakenError(field, f"the plant has no device {shown(name)}")
    return roster.devices[name]


def _point(roster: Roster, field: str, device: Device, full: str) -> tuple[int, Point]:
    entry = roster.points.get(full)
    if entry is None or entry[0] is not device:
        raise _NotTakenError(field, f"device '{device.device}' has no point {shown(full)}")
    return entry[1], entry[2]


def _quality(field: str, given: Any) -> Quality:
    if isinstance(given, str) and given.lower() in _QUALITIES:
        return _QUALITIES[given.lower()]
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= Quality.NO_ANSWER:
        return Quality(given)
    raise _NotTakenError(field, f"{shown(given)} is none of {', '.join(_QUALITIES)}")


def _time(field: str, given: Any, now: int, *, always_ms: bool = False) -> int:
    """µs since the epoch, of an ISO text with its zone, or of seconds or milliseconds since the epoch."""
    match given:
        case None:
            raise _NotTakenError(field, "the time of the reading is missing")
        case str():
            try:
                at = datetime.fromisoformat(given)
            except ValueError:
                raise _NotTakenError(field, f"{shown(given)} is no ISO 8601 time") from None
            if at.tzinfo is None:
                raise _NotTakenError(field, f"{shown(given)} has no time zone: add Z or an offset")
            micros = to_micros(at)
        case bool():
            raise _NotTakenError(field, f"{_kind(given)} is no time")
        case int() | float() if abs(given) < 1e18:
            scale = 1000 if always_ms or given >= _MILLISECONDS else 1_000_000
            micros = given * scale if isinstance(given, int) else round(given * scale)
        case int() | float():
            raise _NotTakenError(field, f"{shown(given)} is no time")
        case _:
            raise _NotTakenError(field, f"{_kind(given)} is no time")
    if wrong := times_are_wrong(micros, micros, now):
        raise _NotTakenError(field, wrong)
    return micros


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return shown(value)
