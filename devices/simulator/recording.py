"""A CSV recording of a machine: its rows, and which of its columns is which point. Pure.

First column time (ISO, or a number of seconds), header with names, one of `SEPARATORS` between columns.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LABELS = frozenset({"anomaly", "changepoint", "label"})
"""Columns that say what a person found in the recording; no sensor has them."""

SEPARATORS = ";,\t|"
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
"""What a cell without a value says, in lower case."""

_TOKEN = re.compile(r"[A-Z]*[a-z]+|[A-Z]+|[0-9]+")


class RecordingError(ValueError):
    """The file as a whole cannot be played; show it to whoever chose it."""


@dataclass(frozen=True)
class Row:
    """Attributes: line: in the file, from 1; at_s: seconds, only differences count; values: per column of the
    recording, None where the cell is empty."""

    line: int
    at_s: float
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class BadLine:
    line: int
    reason: str


@dataclass(frozen=True)
class Recording:
    """Attributes: columns: (c,) names without the time column; rows: in the order of time; bad: what was skipped."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bad: tuple[BadLine, ...]


def parse(lines: Iterable[str]) -> Recording:
    """The recording in the lines of a file; lines that are not good are skipped and named.

    Raises:
        RecordingError: no header, no column beside the time, a name twice, or not one good row.
    """
    numbered = ((i, line.strip(" \r\n")) for i, line in enumerate(lines, 1))
    _, header = next(((i, text) for i, text in numbered if text), (0, ""))
    separator = separator_of(header)
    names = [name.strip() for name in _cells(header.removeprefix("\ufeff"), separator)]
    if len(names) < 2:
        raise RecordingError("it needs a header with a time column and at least one more, separated by ; , | or tab")
    if len(set(names)) < len(names):
        raise RecordingError("a column name stands twice in the header")
    rows: list[Row] = []
    bad: list[BadLine] = []
    for number, text in numbered:
        if not text:
            continue
        try:
            row = _row(number, _cells(text, separator), len(names), separator)
            if rows and row.at_s < rows[-1].at_s:
                raise ValueError("the time runs backwards")
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
        else:
            rows.append(row)
    if not rows:
        raise RecordingError(f"no good row; line {bad[0].line}: {bad[0].reason}" if bad else "no rows")
    return Recording(tuple(names[1:]), tuple(rows), tuple(bad))


def separator_of(header: str) -> str:
    return max(SEPARATORS, key=re.sub('"[^"]*"', "", header).count)


def number(cell: str, separator: str) -> float:
    """The number in a cell; NaN when it says that there is none. Where no comma separates, one is a decimal point.

    Raises:
        ValueError: it is no number, or not a finite one.
    """
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        value = float(text if separator == "," else text.replace(",", "."))
    except ValueError:
        raise ValueError(f"'{text}' is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not finite")
    return value


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _row(line: int, cells: list[str], width: int, separator: str) -> Row:
    if len(cells) != width:
        raise ValueError(f"{len(cells)} columns, the header has {width}")
    values = [number(cell, separator) for cell in cells[1:]]
    return Row(line, _seconds(cells[0].strip()), tuple(None if math.isnan(v) else v for v in values))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise ValueError(f"'{text}' is no time")
    return seconds


def tokens(name: str) -> tuple[str, ...]:
    """The words and numbers of a name: "Accelerometer1RMS" -> accelerometer, 1, rms."""
    return tuple(t.lower() for t in _TOKEN.findall(name))


def is_label(column: str) -> bool:
    return "".join(tokens(column)) in LABELS


def match_columns(columns: Sequence[str], points: Sequence[str]) -> dict[str, str]:
    """Column -> point ("device.point") by similarity of names.

    A column fits a point whose short name's words all stand in it, with the same numbers: "Volume Flow RateRMS" is
    `flow`. The point with most words wins; between equals nobody does, and no point is taken twice.
    """
    wanted = {p: tokens(p.partition(".")[2] or p) for p in points}
    fits: list[tuple[float, str, str]] = []
    for column in columns:
        have = tokens(column)
        if is_label(column):
            continue
        for point, words in wanted.items():
            same_numbers = [t for t in have if t.isdigit()] == [t for t in words if t.isdigit()]
            if words and set(words) <= set(have) and same_numbers:
                fits.append((len(words) / len(have), column, point))
    found: dict[str, str] = {}
    for share, column, point in sorted(fits, key=lambda f: -f[0]):
        if column in found or point in found.values():
            continue
        rivals = [f for f in fits if f[0] == share and f[1] not in found and f[2] not in found.values()]
        if any((c == column) != (p == point) for _, c, p in rivals):
            continue  # as good a match elsewhere: leave it to a person
        found[column] = point
    return {c: found[c] for c in columns if c in found}


def read_map(text: str, columns: Sequence[str], points: Sequence[str], device: str) -> dict[str, str]:
    """An explicit "column=point,column=point"; the point in full, or short if `device` says whose.

    Raises:
        RecordingError: a part is no pair, or its column or point is unknown.
    """
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        column, equals, point = (p.strip() for p in part.partition("="))
        full = point if "." in point or not device else f"{device}.{point}"
        if not equals or column not in columns:
            raise RecordingError(f"--map: '{part}' names no column; there are {', '.join(columns)}")
        if full not in points:
            raise RecordingError(f"--map: '{part}' names no point of the simulator")
        found[column] = full
    return found


def best_device(columns: Sequence[str], points: Mapping[str, object]) -> str:
    """The device whose points match most columns.

    Raises:
        RecordingError: none matches, or two match equally well.
    """
    devices = dict.fromkeys(p.partition(".")[0] for p in points)
    scores = {d: len(match_columns(columns, [p for p in points if p.startswith(f"{d}.")])) for d in devices}
    best = max(scores.values(), default=0)
    winners = [d for d, score in scores.items() if score == best]
    if best == 0 or len(winners) > 1:
        raise RecordingError(f"which device is it? give --device, one of {', '.join(devices)}")
    return winners[0]
