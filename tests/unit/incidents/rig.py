"""A brain that folds, run as its stage runs it, with a twin that sees only the events. For stories and laws."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from events.codec import decode_event, encode
from events.envelope import Event, Fact, Record, Tick
from events.types import EPOCH

T0 = datetime.fromisoformat("2024-05-01T06:00:00+00:00")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def state(brain: Any) -> bytes:
    """What the brain is, without the time that it heard last."""
    heard, brain.now = brain.now, EPOCH
    try:
        raw: bytes = brain.save()
    finally:
        brain.now = heard
    return raw


class Rig:
    """Attributes: log: all events so far; stage: decides each input once, and takes over what it decided, as a stage
    does."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.brain, self.twin, self.stage = make(), make(), make()
        self.log: list[Event] = []

    def give(self, given: Record) -> list[Fact]:
        """Let the brain decide the input; checks on the way that it is pure and that its events are its only state."""
        before, heard = state(self.brain), self.brain.now
        events = self.brain.decide(given)
        assert state(self.brain) == before, "decide changed the state"
        self.brain.now = heard
        assert encode(self.brain.decide(given)) == encode(events), "the same input gave other events"
        self.brain.evolve(events)
        self.twin.evolve([decode_event(encode(e)) for e in events])
        assert state(self.twin) == state(self.brain), "the events do not say all"
        own = self.stage.decide(given)
        assert encode(own) == encode(events), "it depends on what was decided before and not taken over"
        self.stage.evolve(own)
        assert state(self.stage) == state(self.brain), "what was thought is not what the events say"
        self.log += events
        assert len({e.id for e in self.log}) == len(self.log), "an id stands twice"
        return [e.fact for e in events]

    def restart(self) -> None:
        """The brain goes on from its snapshot."""
        raw, brain = self.brain.save(), self.make()
        brain.load(raw)
        assert brain.save() == raw
        self.brain = brain

    def tick(self, seconds: float) -> list[Fact]:
        return self.give(Tick(at(seconds)))

    def all(self, *types: type[Any]) -> list[Any]:
        """The facts of these types so far."""
        return [e.fact for e in self.log if isinstance(e.fact, types)]
