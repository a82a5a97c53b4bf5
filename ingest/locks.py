"""What the dispatcher last said of each device's lock-out: on disk, and at the broker as a retained message.

A lock-out is a state, not a message: each new connection to the broker says the newest one of every device again, so
that neither an edge that was away nor a broker that lost its memory misses it. `LockOutIssued.since` lets executors
ignore an older one that comes late.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from events.envelope import Event
from events.playbooks import LockOutIssued

_decode = msgspec.msgpack.Decoder(dict[str, Event]).decode
_encode = msgspec.msgpack.Encoder().encode
_log = structlog.get_logger("ingest.locks")


class Locks:
    """The newest intent by edge and device, kept in the file at `path`.

    Attributes: refused: edge/device -> why the broker did not take its newest intent on this connection.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._newest = _read(path)
        self._unsent = set(self._newest)
        self._waiting: dict[int, str] = {}
        self.refused: dict[str, str] = {}

    def take(self, issued: Iterable[Event]) -> None:
        """On disk when it returns: the decision they come from need not be read again.

        Raises:
            OSError: the disk is full; the process ends and tries again.
        """
        changed = False
        for one in issued:
            fact = _fact(one)
            key = f"{fact.edge}/{fact.device}"
            known = self._newest.get(key)
            if fact.edge and (known is None or _fact(known).since < fact.since):
                self._newest[key] = one
                self._unsent.add(key)
                changed = True
        if changed:
            _write(self._path, _encode(self._newest))

    def connected(self) -> None:
        """All must be sent on this connection."""
        self._waiting.clear()
        self.refused = {}
        self._unsent = set(self._newest)

    def unsent(self) -> list[tuple[str, Event]]:
        """(key, intent) that this connection has not seen."""
        return [(key, self._newest[key]) for key in sorted(self._unsent)]

    def sent(self, key: str, mid: int) -> None:
        """It was given to the connection under that number."""
        self._unsent.discard(key)
        self._waiting[mid] = key

    def answered(self, mid: int, refused: str) -> None:
        """What the broker said to it; what it refuses is tried again on the next connection."""
        key = self._waiting.pop(mid, None)
        if key is not None and refused:
            self.refused = {**self.refused, key: refused}
            _log.error("lock_out_refused", device=key, reason=refused)
        elif key is not None and key in self.refused:
            self.refused = {known: why for known, why in self.refused.items() if known != key}

    @property
    def open(self) -> int:
        """How many the broker has not confirmed."""
        return len(self._unsent) + len(self._waiting)


def _fact(issued: Event) -> LockOutIssued:
    if not isinstance(issued.fact, LockOutIssued):
        raise TypeError(f"{type(issued.fact).__name__} is no lock-out")
    return issued.fact


def _read(path: Path) -> dict[str, Event]:
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:  # the broker's retained messages still hold; only their renewal is lost
        _log.error("lock_outs_unreadable", path=path.name, reason=str(error))
        return {}


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
