"""What the engine said in a rehearsal, line by line, with the time since it began. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from analytics.sentences import sentence
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Configured, Event


def tell(said: Sequence[Event]) -> Iterator[str]:
    """ "  2.1 s  step relieve done: reads back 1"; what only steers the engine is left out."""
    said = [e for e in said if not isinstance(e.fact, Configured)]
    for e in said:
        if isinstance(e.fact, ConditionRaised | ConditionCleared):
            continue
        facts = msgspec.to_builtins(e.fact)
        yield f"{(e.at - said[0].at).total_seconds():6.1f} s  {sentence(facts['type'], facts)}"
