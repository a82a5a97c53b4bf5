"""The log in memory: for tests, replays and drills. Says what TimescaleLog must do, in a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any
from uuid import UUID

import msgspec

from eventlog.entry import GENESIS, Entry, Recorded, link
from eventlog.given import Checkpoint, Decided, Given, Input, Ticks
from eventlog.log import Appended, Batch, ChainBrokenError, Key, Position, PositionConflictError
from eventlog.projections import KEYS, REBUILT, changes
from eventlog.scans import Placed
from eventlog.unnumbered import Cell, Said, cells, without
from events.envelope import DeadLetter
from events.readings import Frame, is_numbered


@dataclass
class MemoryLog:
    """Attributes: now: the clock that stamps `recorded_at`; frames: scans, letters: dead letters, in order; placed: the
    frames with their offsets; inputs and the rest: see `given.Given`."""

    now: Callable[[], datetime]
    lines: list[Recorded] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    letters: dict[UUID, DeadLetter] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    inputs: dict[tuple[Key, int], Input] = field(default_factory=dict)
    ticks: dict[tuple[Key, int], Ticks] = field(default_factory=dict)
    decided: dict[tuple[Key, int], Decided] = field(default_factory=dict)
    kept: dict[tuple[Key, int], Checkpoint] = field(default_factory=dict)
    definitions: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known: set[tuple[UUID, datetime]] = set()
        self._heads: dict[str, bytes] = {}
        self._positions: dict[Key, Position] = {}
        self._marks: dict[Key, int] = {}
        self._said: dict[str, dict[Cell, set[Said]]] = {}
        self._tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {t: {} for t in KEYS}

    def append(self, batch: Batch) -> Appended:
        for key, step in batch.advances.items():
            if self._positions.get(key, Position()).next != step.start:
                raise PositionConflictError({k: a.start for k, a in batch.advances.items()})
        entries = self._append_entries(batch.entries)
        placed = zip(map(self._new, batch.frames), batch.offsets or repeat(-1), strict=False)
        new = [(f, offset) for f, offset in placed if f is not None]
        frames = [f for f, _ in new]
        self.placed += new
        self.frames += frames
        self._keep(batch.given)
        letters = {x.id: x for x in batch.letters if x.id not in self.letters}
        self.letters |= letters
        self._positions |= {key: step.to for key, step in batch.advances.items()}
        self._marks |= batch.marks
        scans, readings = sum(len(f.times) for f in frames), sum(f.readings for f in frames)
        return Appended(entries=entries, scans=scans, readings=readings, letters=len(letters))

    def read(
        self, *, after: int = 0, area: str | None = None, since: datetime | None = None, until: datetime | None = None,
        type: str | None = None, cause: UUID | None = None, stream: str | None = None, limit: int = 1000,
    ) -> list[Recorded]:  # fmt: skip
        found = (
            line for line in self.lines
            if line.position > after and area in (None, line.area) and cause in (None, line.cause)
            and stream in (None, line.stream) and (since is None or line.time >= since)
            and (until is None or line.time < until) and (type is None or _matches(line.type, type))
        )  # fmt: skip
        return [line for line, _ in zip(found, range(limit), strict=False)]

    def positions(self) -> dict[Key, Position]:
        return dict(self._positions)

    def marks(self) -> dict[Key, int]:
        return dict(self._marks)

    def checkpoints(self) -> dict[Key, datetime]:
        newest: dict[Key, datetime] = {}
        for one in self.kept.values():
            newest[one.key] = max(one.at, newest.get(one.key, one.at))
        return newest

    def verify(self, area: str) -> int:
        lines = [line for line in self.lines if line.area == area]
        hash_ = GENESIS
        for line in lines:
            hash_ = link(hash_, line)
            if hash_ != line.hash:
                raise ChainBrokenError(area, line.position, "its hash does not fit what it says")
        if hash_ != self._heads.get(area, GENESIS):
            raise ChainBrokenError(area, lines[-1].position if lines else 0, "the last line is not the head")
        return len(lines)

    def rebuild(self) -> int:
        for table in REBUILT:
            self._tables[table].clear()
        for line in self.lines:
            self._project(line)
        return len(self.lines)

    def rows(self, table: str) -> list[dict[str, Any]]:
        named = [dict(zip(KEYS[table], key, strict=True)) | row for key, row in self._tables[table].items()]
        return sorted(named, key=lambda row: tuple(str(row[k]) for k in KEYS[table]))

    def _append_entries(self, entries: Sequence[Entry]) -> int:
        before, at = len(self.lines), self.now()
        for entry in entries:
            if (entry.id, entry.time) in self._known:
                continue
            self._known.add((entry.id, entry.time))
            said = msgspec.structs.asdict(entry)
            line = Recorded(**said, position=len(self.lines) + 1, recorded_at=at, hash=b"")
            head = link(self._heads.get(line.area, GENESIS), line)
            self._heads[line.area] = head
            self.lines.append(msgspec.structs.replace(line, hash=head))
            self._project(self.lines[-1])
        return len(self.lines) - before

    def _project(self, line: Recorded) -> None:
        for change in changes(line):
            row = self._tables[change.table].setdefault(change.key, {})
            if not change.unless or row.get(change.unless) is None:
                row |= change.values

    def _keep(self, given: Given) -> None:
        self.inputs |= {(x.key, x.offset): x for x in given.inputs}
        self.ticks |= {(x.key, x.offsets[0]): x for x in given.ticks}
        self.decided |= {(x.key, x.cause): x for x in given.decided}
        self.kept |= {(x.key, x.position): x for x in given.checkpoints}
        self.definitions |= given.definitions

    def _new(self, frame: Frame) -> Frame | None:
        if is_numbered(frame.source):
            return frame
        known = self._said.setdefault(frame.device, {})
        new = without(frame, known)
        if new is not None:
            for _, _, cell, now in cells(new):
                known.setdefault(cell, set()).add(now)
        return new


def _matches(type_: str, wanted: str) -> bool:
    return type_.startswith(wanted[:-1]) if wanted.endswith("*") else type_ == wanted
