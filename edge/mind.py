"""The three brains of the areas whose home is this edge, one after the other. Pure: an input in, all its events out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

import playbooks.loading
from config.yamlfile import ConfigError
from definitions.compiling import compile_folder
from definitions.system import PLAYBOOK_LOOP
from detection.brain import AWAY, DetectionBrain
from devices.plant import Plant
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Configure, Decision, Event, Record, Reported, Tick
from events.errands import RequestIssued
from events.readings import Packed
from events.requests import Request, RunRequest
from incidents.brain import IncidentsBrain
from playbooks.brain import PlaybooksBrain

_MOST = 10_000
"""So often the brains may answer each other within one input: more is no answer but a circle."""


class Definition(Protocol):
    """What a brain decides by."""

    @property
    def version(self) -> str: ...

    def pack(self) -> bytes: ...


class Saved(Struct, frozen=True, array_like=True):
    detection: bytes
    incidents: bytes
    playbooks: bytes


_decode = msgspec.msgpack.Decoder(Saved).decode
Brain = DetectionBrain | IncidentsBrain | PlaybooksBrain


class Mind:
    """Frames and ticks pass detection, incidents, playbooks in this order, as they would in the plant's stages."""

    def __init__(self) -> None:
        self._detection = DetectionBrain(away_after=AWAY)
        self._incidents, self._playbooks = IncidentsBrain(), PlaybooksBrain()

    def decide(self, given: Packed | Tick | Reported | Request) -> list[Event]:
        """All that follows from the input; an event that one brain passes on to the next is in it once."""
        to_playbooks = isinstance(given, Request) and isinstance(given.body, RunRequest)
        out: dict[UUID, Event] = {}
        if isinstance(given, Tick):  # what was due goes before what is new
            self._pass(self._playbooks, given, out)
        self._pass(self._detection, given, out)
        if not to_playbooks:
            self._pass(self._incidents, given, out)
        if to_playbooks or isinstance(given, Reported):
            self._pass(self._playbooks, given, out)
        return list(out.values())

    def configure(self, definitions: Mapping[str, Definition], at: datetime, by: str) -> list[Event]:
        """Decide by these from now on; nothing for what is in force already. By stage: see `definitions_of`."""
        brains: dict[str, Brain] = {
            "detection": self._detection, "incidents": self._incidents, "playbooks": self._playbooks,
        }  # fmt: skip
        out: dict[UUID, Event] = {}
        for stage, definition in definitions.items():
            # a rule withdrawn clears what it raised, and that goes on to the others
            self._pass(brains[stage], Configure(definition.version, at, by, definition.pack()), out)
        return list(out.values())

    @property
    def configured(self) -> frozenset[str]:
        """The stages that have a definition."""
        versions = {
            "detection": self._detection.version, "incidents": self._incidents.version,
            "playbooks": self._playbooks.version,
        }
        return frozenset(stage for stage, version in versions.items() if version)

    def save(self) -> bytes:
        return msgspec.msgpack.encode(
            Saved(self._detection.save(), self._incidents.save(), self._playbooks.save())
        )

    def load(self, raw: bytes) -> None:
        """Be what was saved."""
        saved = _decode(raw)
        self._detection.load(saved.detection)
        self._incidents.load(saved.incidents)
        self._playbooks.load(saved.playbooks)

    def _pass(self, brain: Brain, given: Record, out: dict[UUID, Event]) -> None:
        """Through this brain, and what it says through those whom it concerns, until nobody has more to say."""
        waiting = deque([(brain, given)])
        for _ in range(_MOST):
            if not waiting:
                return
            brain, given = waiting.popleft()
            said = brain.decide(given)
            brain.evolve(said)
            for e in said:
                out.setdefault(e.id, e)
            waiting.extend(self._concerned(brain, said))
        raise RuntimeError(f"the brains answer each other for ever: {waiting[0][1]}"[:500])

    def _concerned(self, brain: Brain, said: Sequence[Event]) -> Iterator[tuple[Brain, Record]]:
        if brain is not self._playbooks and said:
            following = self._incidents if brain is self._detection else self._playbooks
            yield following, Decision(0, -1, -1, tuple(said))
        for e in said if brain is self._playbooks else ():
            match e.fact:
                case RequestIssued(request=request):
                    yield self._incidents, request
                case ConditionRaised(rule=rule) | ConditionCleared(rule=rule) if rule == PLAYBOOK_LOOP:
                    yield self._incidents, Decision(0, -1, -1, (e,))


def definitions_of(folder: Path, plant: Plant, edge: str) -> tuple[dict[str, Definition], dict[str, list[ConfigError]]]:
    """What the files say for the areas of this edge, and by stage the errors in its files."""
    compiled = compile_folder(folder, plant, edge)
    books, bad_books = playbooks.loading.load(folder / "playbooks", plant)
    own = books.of(compiled.incidents.areas)
    return (
        {"incidents": compiled.incidents, "playbooks": own, "detection": compiled.rules},
        {"incidents": compiled.bad_incidents, "playbooks": bad_books, "detection": compiled.bad_rules},
    )
