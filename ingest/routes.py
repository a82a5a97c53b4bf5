"""Which topic of MQTT brings what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from devices.plant import Source
from events.topics import MQTT_ROOT, up_topic


class FromEdge(NamedTuple):
    """Attributes: kind: what follows `up/`, "frame" or "events" where all is well."""

    edge: str
    kind: str


Form = Literal["neuron", "plain"]


class Routes:
    """The edges' topics, and the plant's own sources.

    Attributes:
        subscriptions: (topic, QoS). What an edge sends lies in its journal until we confirm it, so the broker need not
        keep it as well (QoS 0): it would write all it holds to its disk with every frame. Of gateways and plain
        devices the broker holds the only copy (QoS 1).
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self.subscriptions = ((up_topic("+", "#"), 0), *((s.topic, 1) for s in sources))
        self.of = lru_cache(maxsize=65_536)(self._of)
        """Topic -> its route; None where nobody asked for it (a subscription that was taken out of plant.yaml)."""

    def _of(self, topic: str) -> FromEdge | Form | None:
        if topic.startswith(f"{MQTT_ROOT}/"):
            edge, _, rest = topic.removeprefix(f"{MQTT_ROOT}/").partition("/")
            direction, _, kind = rest.partition("/")
            return FromEdge(edge, kind) if direction == "up" else None
        return next((s.format for s in self._sources if matches(s.topic, topic)), None)


def matches(pattern: str, topic: str) -> bool:
    """Whether the topic is in a subscription, by MQTT's rules for + and #."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for i, want in enumerate(wanted):
        if want == "#":
            return True
        if i >= len(levels) or want not in ("+", levels[i]):
            return False
    return len(wanted) == len(levels)
