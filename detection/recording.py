"""Recordings: CSV files of readings as frames, for `andon detect`.

The first line names the columns, the first column is the time. Wide files have one column per point; long files have
the columns time, point, value. What cannot be read is kept out and reported with file and line; the rest is put in the
order of time, since rules take a value that is not newer than the one before for one that came late.
"""

from __future__ import annotations

import csv
import difflib
import math
from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import TextIO

import numpy as np
from msgspec import Struct

from devices.plant import Plant
from devices.simulator.recording import is_label, match_columns, number, separator_of
from events.readings import Frame, Quality
from events.types import EPOCH, from_micros, to_micros

_UNIX_FROM, _UNIX_TO = 1e8, 1e11
"""A number of seconds between these (1973, 5138) is a Unix time, a smaller one counts samples."""


class RecordingError(Exception):
    """The file cannot be used at all: show it."""


class BadLine(Struct, frozen=True):
    """Attributes: line: from 1, the header is line 1."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class Times(Struct, frozen=True):
    """How the first column is read. Attributes: step_s: seconds a sample, when it counts them; format: as for
    `strptime`, when it is no ISO time."""

    step_s: float | None = None
    format: str = ""

    def read(self, text: str) -> int:
        """Microseconds since the epoch; UTC where the text says no zone.

        Raises:
            ValueError: it is no time.
        """
        if self.step_s is not None:
            return _in_calendar(text, float(text) * self.step_s)
        if self.format:
            return _of(datetime.strptime(text, self.format))  # noqa: DTZ007
        try:
            return _of(datetime.fromisoformat(text))
        except ValueError:
            pass
        try:
            seconds = float(text)
        except ValueError:
            raise ValueError(f"'{text}' is no ISO time: give --time-format, as '%d.%m.%Y %H:%M:%S'") from None
        units = [u for u in (1, 1e3, 1e6, 1e9) if _UNIX_FROM <= seconds / u < _UNIX_TO]  # s, ms, µs, ns
        if not units:
            raise ValueError(f"'{text}' is no time: for numbers of samples give --step")
        return _in_calendar(text, seconds / units[0])


class Recording:
    """A CSV file, read whole: 32 bytes a reading.

    Attributes:
        points: column (in a long file: name) -> full point name; unmapped: those that are no point.
        rows: lines that could be read; bad: what was kept out, in the order of the file.
    """

    def __init__(
        self, path: Path, plant: Plant, *, mapping: Mapping[str, str] | None = None, times: Times | None = None
    ) -> None:
        """Raises: OSError; RecordingError."""
        self._file, self._plant, self._times = path.name, plant, times or Times()
        self._mapping = dict(mapping or {})
        self.bad: list[BadLine] = []
        self.rows = 0
        self._names: dict[str, int] = {}
        # of each reading: time [us], place of its name in `_names`, value, line
        self._at, self._name, self._value, self._line = array("q"), array("q"), array("d"), array("q")
        for column, point in self._mapping.items():
            if point not in plant.points:
                close = difflib.get_close_matches(point, plant.points, 1)
                hint = f", did you mean '{close[0]}'?" if close else ""
                raise RecordingError(f"--map {column}={point}: unknown point '{point}'{hint}")
        with path.open(encoding=_encoding(path), newline="", errors="replace") as file:
            self._read(file)
        self._order()

    @property
    def readings(self) -> int:
        return len(self._at)

    @property
    def devices(self) -> set[str]:
        """The devices of which the recording has points."""
        return {self._plant.points[p][0].device for p in self.points.values()}

    def frames(self) -> Iterator[Frame]:
        """The readings in the order of time: a frame for each moment and device.

        Values outside the point's range are BAD, empty cells NO_ANSWER. The source is the file's name, the sequence
        counts all frames.
        """
        points = [self.points.get(name, "") for name in self._names]
        plant = self._plant.points
        sequence = 0
        for at, moment in groupby(zip(self._at, self._name, self._value, strict=True), key=lambda r: r[0]):
            scans: dict[str, dict[str, float]] = {}
            for _, name, value in moment:
                scans.setdefault(plant[points[name]][0].device, {})[points[name]] = value
            for device, values in scans.items():
                sequence += 1
                yield Frame(
                    area=self._plant.devices[device].area, device=device, source=f"recording:{self._file}",
                    sequence=sequence, points=tuple(values), times=np.array([at], np.int64),
                    values=np.array([[*values.values()]]),
                    qualities=np.array([[_quality(v, plant[p][1].range) for p, v in values.items()]], np.uint8),
                )  # fmt: skip

    def _read(self, file: TextIO) -> None:
        blank, head = 0, file.readline()
        while head and not head.strip():
            blank, head = blank + 1, file.readline()
        if not head:
            raise RecordingError(f"{self._file}: the file is empty")
        separator = separator_of(head)
        lines = csv.reader(chain([head], file), delimiter=separator)
        columns = [c.strip() for c in next(lines)]
        if len(columns) < 2:
            raise RecordingError(f"{self._file}: it needs a time and a value, separated by ; , | or tab")
        lowered = [c.lower() for c in columns]
        self.long = "point" in lowered and "value" in lowered
        if not self.long:
            self._choose([c for c in columns[1:] if not is_label(c)])
        mine = [(c, i) for i, c in enumerate(columns) if i and not self.long and c in self.points]
        if len({c for c, _ in mine}) < len(mine):
            raise RecordingError(f"{self._file}: a column name stands twice in the header")
        while True:
            try:
                if (cells := next(lines, None)) is None:
                    break
                if not cells:
                    continue
                if len(cells) != len(columns):
                    raise ValueError(f"{len(cells)} cells, the header has {len(columns)}")
                at = self._time(columns[0], cells[0].strip())
            except (csv.Error, ValueError) as error:
                self._keep_out(blank + lines.line_num, str(error))
                continue
            self.rows += 1
            here = [(cells[lowered.index("point")].strip(), lowered.index("value"))] if self.long else mine
            for name, i in here:
                self._take(blank + lines.line_num, at, name, columns[i], cells[i], separator)
        if self.long:
            self._choose([*self._names])

    def _time(self, column: str, text: str) -> int:
        try:
            return self._times.read(text)
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from None

    def _take(self, line: int, at: int, name: str, column: str, cell: str, separator: str) -> None:
        """A cell that is no number is no answer of its point; the others of its line are good."""
        try:
            value = number(cell, separator)
        except ValueError as error:
            self._keep_out(line, f"{column}: {error}")
            value = math.nan
        self._at.append(at)
        self._name.append(self._names.setdefault(name, len(self._names)))
        self._value.append(value)
        self._line.append(line)

    def _choose(self, names: list[str]) -> None:
        self.points = match(names, self._plant, self._mapping)
        self.unmapped = tuple(n for n in names if n not in self.points)
        if lost := next((c for c in self._mapping if c not in names), None):
            raise RecordingError(f"--map {lost}={self._mapping[lost]}: {self._file} has {', '.join(names)}")

    def _order(self) -> None:
        """By time, and within a moment as in the file. Of two values of a point for one moment the first counts."""
        places = {p: i for i, p in enumerate(self._plant.points)}
        of_name = np.array([places.get(self.points.get(name, ""), -1) for name in self._names], np.int64)
        at, line = np.frombuffer(self._at, np.int64), np.frombuffer(self._line, np.int64)
        name, value = np.frombuffer(self._name, np.int64), np.frombuffer(self._value)
        known = np.flatnonzero(of_name[name] >= 0) if len(of_name) else np.zeros(0, np.intp)
        point = of_name[name[known]] if len(known) else known
        order = known[np.lexsort((point, at[known]))]
        again = order[1:][(np.diff(at[order]) == 0) & (np.diff(of_name[name[order]]) == 0)] if len(order) else order
        for place in again[np.unique(line[again], return_index=True)[1]].tolist():
            self._keep_out(int(line[place]), f"{from_micros(int(at[place])):%Y-%m-%d %H:%M:%S} was there before")
        counts = np.zeros(len(at), bool)
        counts[known] = True
        counts[again] = False
        order = np.flatnonzero(counts)
        order = order[np.argsort(at[order], kind="stable")]
        self._at, self._name = array("q", at[order].tobytes()), array("q", name[order].tobytes())
        self._value = array("d", value[order].tobytes())
        self._line = array("q")
        self.bad.sort(key=lambda bad: bad.line)

    def _keep_out(self, line: int, reason: str) -> None:
        self.bad.append(BadLine(self._file, line, reason))


def match(columns: list[str], plant: Plant, mapping: Mapping[str, str]) -> dict[str, str]:
    """Column -> point: as mapped, else by full name, else by the words of the name among the points of the device that
    most columns fit ("Volume Flow RateRMS" is `cooling.flow`)."""
    points = plant.points
    out = {c: mapping.get(c, c) for c in columns if mapping.get(c, c) in points}
    free = [c for c in columns if c not in out]
    taken = set(out.values())
    by_device = {
        name: match_columns(free, [p for p in device.names if p not in taken]) for name, device in plant.devices.items()
    }
    best = max(by_device.values(), key=len, default={})
    return {**out, **best}


def _quality(value: float, limits: tuple[float, float] | None) -> Quality:
    if math.isnan(value):
        return Quality.NO_ANSWER
    return Quality.GOOD if limits is None or limits[0] <= value <= limits[1] else Quality.BAD


def _encoding(path: Path) -> str:
    """UTF-16 as spreadsheets write it, else UTF-8; both may begin with their mark."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _of(at: datetime) -> int:
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def _in_calendar(text: str, seconds: float) -> int:
    try:
        return to_micros(EPOCH + timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise ValueError(f"'{text}' is no time") from None
