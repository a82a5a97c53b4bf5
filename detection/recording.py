"""Recordings: CSV files of readings as frames, for `andon detect`.

The separator is `;`, `,` or a tab, the first line names the columns. Wide files have one column per point; long files
have the columns time, point, value. A time is ISO 8601 (a space for the T, UTC if it says no zone) or, given a step,
the number of a sample. Lines that cannot be read are kept out and reported with file and line.
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec import Struct

from devices.plant import Plant
from devices.simulator.recording import is_label, match_columns
from events.readings import Frame, Quality
from events.types import EPOCH, to_micros


class RecordingError(Exception):
    """The file cannot be used at all: show it."""


class BadLine(Struct, frozen=True):
    """Attributes: line: from 1, the header is line 1."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class Row(Struct):
    """One scan. Attributes: at [us]; values: by full point name; NaN: the cell was empty."""

    at: int
    values: dict[str, float]


class Recording:
    """A CSV file, read as it is iterated.

    Attributes:
        points: column name -> full point name; unmapped: columns that are no point.
        rows, readings, bad: what was read, and the lines that were kept out, so far.
    """

    def __init__(
        self, path: Path, plant: Plant, *, mapping: Mapping[str, str] | None = None, step_s: float | None = None
    ) -> None:
        self._path, self._step_s = path, step_s
        self.bad: list[BadLine] = []
        self.rows = self.readings = 0
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            head = file.readline()
        if not head.strip():
            raise RecordingError(f"{path.name}: the file is empty")
        self._separator = max(";,\t", key=head.count)
        self._columns = [c.strip() for c in next(csv.reader([head], delimiter=self._separator))]
        if len(self._columns) < 2:
            raise RecordingError(f"{path.name}:1: one column only; it needs a time and a value")
        lowered = [c.lower() for c in self._columns]
        self.long = "point" in lowered and "value" in lowered
        if self.long:
            self._at = [lowered.index("point"), lowered.index("value")]
        self.source = f"recording:{path.name}"
        known = [*plant.points]
        self.points: dict[str, str] = {}
        self._mapping = dict(mapping or {})
        for column, point in self._mapping.items():
            if point not in known:
                close = difflib.get_close_matches(point, known, 1)
                hint = f", did you mean '{close[0]}'?" if close else ""
                raise RecordingError(f"--map {column}={point}: unknown point '{point}'{hint}")
            if column not in self._columns and not self.long:
                raise RecordingError(f"--map {column}={point}: {path.name} has the columns {', '.join(self._columns)}")
        self._known = known
        if not self.long:
            free = [c for c in self._columns[1:] if not is_label(c)]
            self.points = match(free, plant, self._mapping)
        self.unmapped = tuple(c for c in self._columns[1:] if c not in self.points and not is_label(c))

    def devices(self, plant: Plant) -> set[str]:
        """The devices of which the recording has points."""
        points = set(self.points.values())
        if self.long:
            again = Recording(self._path, plant, mapping=self._mapping, step_s=self._step_s)
            points = {p for row in again for p in row.values}
        return {plant.points[p][0].device for p in points}

    def __iter__(self) -> Iterator[Row]:
        """The readable lines, in file order."""
        with self._path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            lines = csv.reader(file, delimiter=self._separator)
            next(lines)
            while True:
                try:
                    cells = next(lines)
                except StopIteration:
                    return
                except csv.Error as error:
                    self._reject(lines.line_num, str(error))
                    continue
                if not cells:
                    continue
                try:
                    row = self._row(cells)
                except ValueError as error:
                    self._reject(lines.line_num, str(error))
                    continue
                self.rows += 1
                self.readings += len(row.values)
                yield row

    def _row(self, cells: list[str]) -> Row:
        """Raises: ValueError: the line cannot be read."""
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells, the header has {len(self._columns)}")
        try:
            at = self._time(cells[0].strip())
        except ValueError as error:
            raise ValueError(f"{self._columns[0]}: {error}") from None
        values: dict[str, float] = {}
        if self.long:
            name, text = cells[self._at[0]].strip(), cells[self._at[1]]
            point = self._mapping.get(name, name)
            if point not in self._known:
                raise ValueError(f"unknown point '{name}'")
            pairs = [("value", point, text)]
        else:
            read = zip(self._columns, cells, strict=True)
            pairs = [(c, self.points[c], cell) for c, cell in read if c in self.points]
        for column, point, text in pairs:
            try:
                values[point] = float(text) if text.strip() else math.nan
            except ValueError:
                raise ValueError(f"{column}: '{text}' is no number") from None
            if math.isinf(values[point]):
                raise ValueError(f"{column}: '{text}' is not finite")
        return Row(at, values)

    def _time(self, text: str) -> int:
        if self._step_s is not None:
            return to_micros(EPOCH) + round(float(text) * self._step_s * 1e6)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"'{text}' is no ISO time (for numbers of samples give --step)") from None
        return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))

    def _reject(self, line: int, reason: str) -> None:
        self.bad.append(BadLine(self._path.name, line, reason))


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


def frames(recording: Recording, plant: Plant, *, rows: int = 1) -> Iterator[Frame]:
    """The recording as frames, one device each: up to `rows` scans whose times follow each other.

    Values outside the point's range are BAD, empty cells NO_ANSWER, points that a scan does not have ABSENT. The
    source is the file's name, the sequence counts all frames.
    """
    points = plant.points
    sequence = 0
    pending: dict[str, list[Row]] = {}
    for row in recording:
        for device in dict.fromkeys(points[p][0].device for p in row.values):
            mine = {p: v for p, v in row.values.items() if points[p][0].device == device}
            queue = pending.setdefault(device, [])
            if len(queue) >= rows or (queue and row.at < queue[-1].at):
                sequence += 1
                yield _frame(plant, device, pending.pop(device), recording.source, sequence)
                queue = pending.setdefault(device, [])
            queue.append(Row(row.at, mine))
    for device, queue in pending.items():
        sequence += 1
        yield _frame(plant, device, queue, recording.source, sequence)


def _frame(plant: Plant, device: str, rows: list[Row], source: str, sequence: int) -> Frame:
    of = plant.devices[device]
    names = tuple(dict.fromkeys(p for row in rows for p in row.values))
    values = np.full((len(rows), len(names)), np.nan)
    qualities = np.full(values.shape, Quality.ABSENT, np.uint8)
    for i, row in enumerate(rows):
        for j, name in enumerate(names):
            if name in row.values:
                value, point = row.values[name], of.point(name)
                values[i, j] = value
                limits = point.range if point else None
                outside = limits is not None and not limits[0] <= value <= limits[1]
                qualities[i, j] = (
                    Quality.NO_ANSWER if math.isnan(value) else Quality.BAD if outside else Quality.GOOD
                )
    return Frame(
        area=of.area, device=device, source=source, sequence=sequence, points=names,
        times=np.array([row.at for row in rows], np.int64), values=values, qualities=qualities,
    )  # fmt: skip
