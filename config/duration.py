"""Durations as people write them in YAML: `500ms`, `30s`, `5min`, `2h`; plain numbers are seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

_UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PATTERN = r"\s*([0-9]*\.?[0-9]+)\s*(ms|s|min|h|d)?\s*"
_FORM = re.compile(_PATTERN + r"\Z")

Duration = (
    Annotated[str, Meta(extra_json_schema={"pattern": f"^{_PATTERN}$"})]
    | Annotated[float, Meta(extra_json_schema={"minimum": 0})]
)
"""In a model of a YAML file. The schema says what `seconds` takes; `seconds` says in words what is wrong."""


def seconds(text: str | float) -> float:
    """The duration in seconds.

    Raises:
        ValueError: negative, or not a number with one of the units.
    """
    if not isinstance(text, str):
        if not 0 <= text < float("inf"):
            raise ValueError(f"'{text}' is no duration")
        return float(text)
    if not (match := _FORM.match(text)):
        raise ValueError(f"'{text}' is no duration: write 500ms, 30s, 5min or 2h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def span(text: str | float) -> timedelta:
    """The duration as a timedelta, to the microsecond."""
    return timedelta(microseconds=round(seconds(text) * 1e6))
