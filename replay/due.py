"""The first moment at which a tick would make a brain of the last two stages say something."""

from __future__ import annotations

from datetime import datetime

from bus.fold import Brain
from events.types import EPOCH
from incidents.brain import IncidentsBrain
from playbooks.brain import PlaybooksBrain


def due(brain: Brain) -> datetime | None:
    """None: no tick would."""
    match brain:
        case IncidentsBrain():
            return min((area.due for area in brain.areas.values() if area.due is not None), default=None)
        case PlaybooksBrain():
            return brain.due
        case _:
            return EPOCH
