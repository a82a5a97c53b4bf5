"""What a story is told from: lines of JSON, each checked, each with its place for whoever wrote it. No decisions here.

    readings.jsonl   {"time","point","value","quality"}, {"time","tick":true}, {"time","restart":true},
                     {"time","configure":"v2"}
    requests.jsonl   {"time","type","by",…}
    replies.jsonl    {"point","outcome",…}: what a device makes of the commands it gets
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from msgspec import Struct, ValidationError, convert

from config import duration
from devices.plant import Plant
from events.readings import Quality
from events.requests import Role
from events.types import Instant

T = TypeVar("T")
EXPIRES = timedelta(seconds=30)
"""A request that says nothing else is not done later than this."""


class StoryError(Exception):
    """A line cannot be used: show it to its author. Attributes: place: "readings.jsonl:3"; field: "" when it is all of
    the line."""

    def __init__(self, place: str, field: str, reason: str) -> None:
        super().__init__(": ".join(part for part in (place, field, reason) if part))
        self.place, self.field, self.reason = place, field, reason


class _ReadingLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of readings.jsonl. Attributes: arrives: when the plant hears of it, if that is later than `time`."""

    time: Instant
    point: str = ""
    value: float | bool | str | None = None
    quality: str | int = ""
    arrives: Instant | None = None
    tick: Literal[True] | None = None
    restart: Literal[True, "log"] | None = None
    configure: str = ""


class _RequestLine(Struct, frozen=True, kw_only=True):
    """What every line of requests.jsonl has; what is asked stands beside it.

    Attributes: id: the same one says that the request is sent again; expires: a time, or how long after `time`;
    arrives: when it comes to the area's home. The person saw what stood at `time`.
    """

    time: Instant
    type: str
    by: str
    role: Role = "operator"
    id: str = ""
    expires: str | float = ""
    arrives: Instant | None = None


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of commands to `point`. Attributes: outcome: "none": the device says nothing; times: so many
    commands, None: all further; after: how long the device takes."""

    point: str
    outcome: Literal["succeeded", "failed", "refused", "none"] = "succeeded"
    reason: str = ""
    times: int | None = None
    after: str | float = 0.0


class Reading(Struct, frozen=True):
    """Attributes: at: of the sample; value: [unit of the point], NaN where it is not known."""

    place: str
    at: datetime
    arrives: datetime
    point: str
    value: float
    quality: Quality


class Moment(Struct, frozen=True):
    """Time passes until then, and maybe something happens to the system itself. Attributes: configure: a folder."""

    place: str
    arrives: datetime
    restart: Literal[True, "log"] | None = None
    configure: str = ""


class Asked(Struct, frozen=True):
    """A request before it is understood. Attributes: key: what its id is made of; fields: what is asked."""

    place: str
    at: datetime
    arrives: datetime
    type: str
    by: str
    role: Role
    key: str
    expires: datetime
    fields: dict[str, Any]


Input = Reading | Moment | Asked


class Inputs(Struct, frozen=True):
    """Attributes: lines: by arrival; at the same moment readings come before requests, ticks and restarts last.
    refused: lines that cannot be used."""

    lines: list[Input]
    replies: list[Reply]
    refused: list[StoryError]


def read(folder: Path, plant: Plant) -> Inputs:
    """All that happens in the story. A line that cannot be used keeps no other from being told.

    Raises:
        StoryError: a file cannot be used, or none of its lines.
    """
    if not (folder / "readings.jsonl").is_file():
        raise StoryError("readings.jsonl", "", f"there is none in {folder}")
    refused: list[StoryError] = []
    told = _each(folder / "readings.jsonl", lambda place, data: _reading(place, data, plant), refused)
    asked = _each(folder / "requests.jsonl", _asked, refused)
    replies = _each(folder / "replies.jsonl", lambda place, data: _reply(place, data, plant), refused)
    lines: list[Input] = sorted((*told, *asked), key=lambda line: (line.arrives, _order(line)))
    if not lines:
        raise refused[0] if refused else StoryError("readings.jsonl", "", "it is empty: nothing happens")
    return Inputs(lines, replies, refused)


def _order(line: Input) -> int:
    match line:
        case Reading():
            return 0
        case Asked():
            return 1
        case Moment():
            return 2


def _each(path: Path, make: Callable[[str, dict[str, Any]], T], refused: list[StoryError]) -> list[T]:
    """What the lines of the file are; those that cannot be used are added to `refused`."""
    made: list[T] = []
    for place, line in _lines(path):
        try:
            made.append(make(place, _object(place, line)))
        except StoryError as error:
            refused.append(error)
    return made


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of those that are not empty."""
    if not path.is_file():
        return
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise StoryError(path.name, "", f"not UTF-8: byte {error.start}") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path.name}:{number}", line


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        data = json.loads(line, parse_constant=_no_number, object_pairs_hook=_once)
    except ValueError as error:
        raise StoryError(place, "", f"no JSON: {error}") from None
    if not isinstance(data, dict):
        raise StoryError(place, "", "a line must be an object: {…}")
    return data


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number; a value that is not known is null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"'{twice}' stands twice")
    return dict(pairs)


def _into(place: str, data: Mapping[str, Any], type_: type[T]) -> T:
    try:
        return convert(data, type_)
    except ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        if unknown := re.search(r"unknown field `(.+)`|required field `(.+)`", reason):
            raise StoryError(place, unknown[1] or unknown[2], "unknown" if unknown[1] else "missing") from None
        raise StoryError(place, path.removesuffix("`"), reason) from None


def _reading(place: str, data: dict[str, Any], plant: Plant) -> Reading | Moment:
    line = _into(place, data, _ReadingLine)
    arrives = _arrival(place, line.time, line.arrives)
    if line.tick or line.restart or line.configure:
        if line.point or "value" in data or line.quality != "":
            raise StoryError(place, "point", "a line is a reading, or it says what happens to the system, not both")
        return Moment(place, arrives, line.restart, line.configure)
    if "value" not in data:
        raise StoryError(place, "value", "missing; one that is not known is null")
    _known(place, line.point, plant)
    value = _value(place, line, plant)
    return Reading(place, line.time.astimezone(UTC), arrives, line.point, value, _quality(place, line, value, plant))


def _known(place: str, name: str, plant: Plant) -> None:
    if name not in plant.points:
        close = difflib.get_close_matches(name, plant.points, 1)
        hint = f", did you mean '{close[0]}'?" if close else ": write device.point"
        raise StoryError(place, "point", f"there is no point '{name}'{hint}")


def _value(place: str, line: _ReadingLine, plant: Plant) -> float:
    """The number: a state may be called by its name."""
    if line.value is None:
        return math.nan
    if isinstance(line.value, str):
        states = plant.points[line.point][1].states
        if line.value not in states:
            known = f" and none of {', '.join(states)}" if states else ""
            raise StoryError(place, "value", f"'{line.value}' is no number{known}")
        return float(states[line.value])
    if not math.isfinite(line.value):  # JSON knows no infinity, but 1e999 is one
        raise StoryError(place, "value", "too large for a number")
    return float(line.value)


def _quality(place: str, line: _ReadingLine, value: float, plant: Plant) -> Quality:
    """As said; otherwise what an edge makes of it: NO_ANSWER without a value, BAD out of the point's range."""
    said = line.quality.upper() if isinstance(line.quality, str) else line.quality
    limits = plant.points[line.point][1].range
    quality = Quality.GOOD
    if said != "":
        try:
            quality = Quality[said] if isinstance(said, str) else Quality(said)
        except (KeyError, ValueError):
            words = ", ".join(f"{q.name} ({q.value})" for q in Quality if q is not Quality.ABSENT)
            raise StoryError(place, "quality", f"'{line.quality}' is none of {words}") from None
        if quality is Quality.ABSENT:
            raise StoryError(place, "quality", "a reading that is absent is a line that is not there")
        if quality is Quality.GOOD and math.isnan(value):
            raise StoryError(place, "value", "null cannot be GOOD")
    elif math.isnan(value):
        quality = Quality.NO_ANSWER
    if quality is Quality.GOOD and limits is not None and not limits[0] <= value <= limits[1]:
        return Quality.BAD
    return quality


def _asked(place: str, data: dict[str, Any]) -> Asked:
    line = _into(place, data, _RequestLine)
    if not line.by.strip():
        raise StoryError(place, "by", "who asks?")
    fields = {key: value for key, value in data.items() if key not in _FRAME_OF_A_REQUEST}
    return Asked(
        place=place, at=line.time.astimezone(UTC), arrives=_arrival(place, line.time, line.arrives), type=line.type,
        by=line.by, role=line.role, key=line.id or place, expires=_expiry(place, line), fields=fields,
    )  # fmt: skip


_FRAME_OF_A_REQUEST = {*_RequestLine.__struct_fields__} - {"type"}


def _expiry(place: str, line: _RequestLine) -> datetime:
    if line.expires == "":
        return line.time.astimezone(UTC) + EXPIRES
    try:
        return line.time.astimezone(UTC) + duration.span(line.expires)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(str(line.expires))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise StoryError(place, "expires", f"'{line.expires}' is neither a duration nor a time with its zone")
    return at.astimezone(UTC)


def _arrival(place: str, time: datetime, arrives: datetime | None) -> datetime:
    if arrives is not None and arrives < time:
        raise StoryError(place, "arrives", "before it happened")
    return (arrives or time).astimezone(UTC)


def _reply(place: str, data: dict[str, Any], plant: Plant) -> Reply:
    line = _into(place, data, Reply)
    _known(place, line.point, plant)
    try:
        duration.seconds(line.after)
    except ValueError as error:
        raise StoryError(place, "after", str(error)) from None
    return line
