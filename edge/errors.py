"""What can go wrong at the edge that somebody acts upon."""

from __future__ import annotations


class EdgeError(Exception):
    """Base: the edge cannot go on with this; its health says so."""


class JournalClosedError(EdgeError):
    """The journal is closed, or closes before this could be written: it is not in the journal."""


class JournalInUseError(EdgeError):
    """Another process has the journal: two would give the same numbers."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is in use by another process")
        self.path = path


class RecordTooLargeError(EdgeError):
    """A record is longer than a journal takes: cut the frame."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a record of {size} bytes: a journal takes {limit}")
        self.size, self.limit = size, limit


class ForeignConfirmationError(EdgeError):
    """The plant confirms what this journal never wrote: the file was set back (a restored copy?).

    What it would write next would pass for a duplicate. Move the file away: a new one gets a new id.
    """

    def __init__(self, source: str, up_to: int, last: int) -> None:
        super().__init__(f"the plant confirms {source} up to {up_to}, but this journal ends at {last}")
        self.source, self.up_to, self.last = source, up_to, last
