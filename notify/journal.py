"""`notifications.jsonl`: a line for each notification, each once, whether or not a channel takes it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from events.envelope import Event
from events.notifications import NotificationIssued

_REMEMBERED = 1 << 24
_log = structlog.get_logger("notify.journal")


class Journal:
    """Appends to the file at `path`, on disk before it returns. What its last 16 MB hold is not written again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._told = _told(path)
        if path.stat().st_size and not _ends_in_newline(path):
            self._file.write(b"\n")  # a crash cut the last line: it is told again on a line of its own

    def tell(self, notifications: Iterable[Event]) -> int:
        """How many of them are new and now on disk.

        Raises:
            OSError: the disk is full; the process ends and tries again.
        """
        given = {str(n.id): n for n in notifications}  # a mirror may hold one twice
        new = [n for id_, n in given.items() if id_ not in self._told]
        for told in new:
            self._file.write(notification_line(told) + b"\n")
            if isinstance(told.fact, NotificationIssued):
                _log.info("notification", area=told.area, to=told.fact.to, text=told.fact.text)
        if new:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._told.update(str(n.id) for n in new)
        return len(new)


def notification_line(told: Event) -> bytes:
    """One line of notifications.jsonl."""
    return msgspec.json.encode({"area": told.area, "at": told.at, "event": told.id, **msgspec.to_builtins(told.fact)})


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _told(path: Path) -> set[str]:
    """Ids of the events in the last lines of the file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _REMEMBERED))
        out = set()
        for line in file:
            try:
                out.add(str(msgspec.json.decode(line)["event"]))
            except (msgspec.DecodeError, KeyError, TypeError):
                continue  # a line that was cut: by the crash, or by where we began to read
        return out
