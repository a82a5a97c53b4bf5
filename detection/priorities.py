"""The priority of an alarm, from what happens if nobody acts and how long there is to act (ISA-18.2, rationalisation).

    severity     up to 3 min   up to 10 min   up to 30 min   longer
    severe       critical      critical       high           medium
    major        high          high           medium         low
    moderate     medium        medium         low            low
    minor        low           low            low            low

A press that bursts is severe whether there is a minute or an hour; what cannot wait comes first. The matrix is made so
that a plant with the usual spread of severities comes near 80 % low, 15 % medium, 5 % high.
"""

from __future__ import annotations

from typing import Literal

from events.types import Priority

Severity = Literal["minor", "moderate", "major", "severe"]
BANDS_S = (180.0, 600.0, 1800.0)
"""Upper ends of the first three columns; the fourth has none."""

MATRIX: dict[Severity, tuple[Priority, Priority, Priority, Priority]] = {
    "severe": ("critical", "critical", "high", "medium"),
    "major": ("high", "high", "medium", "low"),
    "moderate": ("medium", "medium", "low", "low"),
    "minor": ("low", "low", "low", "low"),
}


def priority_of(severity: Severity, response_s: float) -> Priority:
    """What the matrix says. Args: response_s: time to respond [s, >= 0]."""
    return MATRIX[severity][sum(response_s > end for end in BANDS_S)]
