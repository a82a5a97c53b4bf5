"""What a person is told when a request cannot be done."""

from __future__ import annotations


class RefusedError(Exception):
    """The request cannot be done. Answer it with `RequestRefused(reason)`; no retry helps."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
