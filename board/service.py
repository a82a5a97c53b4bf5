"""What one board server works with, and the last good answer of the log. Made once, by the process's entry point."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from analytics.rows import Alarm, Overview
from board.source import BoardSource, SourceError
from desk.sending import Sender
from desk.tokens import Tokens
from devices.plant import Plant


class View(NamedTuple):
    """Attributes: read_at: server's clock when it was read; error: why the newest attempt failed, if it did."""

    overview: Overview | None
    read_at: datetime
    error: str | None
    held_back: tuple[Alarm, ...] = ()


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


@dataclass(kw_only=True)
class Service:
    """Attributes: source, plant, sender: where rows come from, what things are called, where requests go;
    tokens: by which people sign in; None: nobody can."""

    source: BoardSource
    plant: Plant
    sender: Sender
    tokens: Tokens | None = None
    clock: Callable[[], datetime] = now
    _last: View = field(init=False)

    def __post_init__(self) -> None:
        self._last = View(None, self.clock(), "The event log has not been read yet")

    def look(self) -> View:
        """Read the plant; when the log cannot be read, the last that was, with its own time and the reason."""
        try:
            overview = self.source.overview()
            held_back = self.source.held_back() if overview.held_back else ()
        except SourceError as error:
            self._last = self._last._replace(error=_sentence(error))
        else:
            self._last = View(overview, self.clock(), None, held_back)
        return self._last

    @property
    def last(self) -> View:
        return self._last


def _sentence(error: SourceError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


_current: list[Service] = []


def provide(service: Service) -> None:
    """Set, once, the service that the pages of this process show: Streamlit runs them without arguments."""
    _current[:] = [service]


def current() -> Service:
    """The service of this process.

    Raises:
        LookupError: the page was not started by `board.main`.
    """
    if not _current:
        raise LookupError("the board is started by `andon up` or `andon run board`, not by `streamlit run`")
    return _current[0]
