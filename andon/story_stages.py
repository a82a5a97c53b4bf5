"""The stages of a story: detection, incidents and playbooks, chained as in the plant, each behind its `Fold`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from andon.publish import Definition
from andon.story_inputs import StoryError
from andon.story_lines import Teller
from bus.fold import Brain, Fold, decode_snapshot
from detection.bank import NEVER
from detection.brain import DetectionBrain
from events import topics
from events.codec import encode
from events.envelope import Configure, Decision, Event, InputFailed, Record, Reported, Tick
from events.playbooks import CommandIssued
from events.types import from_micros
from incidents.brain import IncidentsBrain
from incidents.hearing import RELAYED
from playbooks.brain import PlaybooksBrain

AUTHOR = "story"
BRAINS: dict[str, Callable[[], Brain]] = {
    topics.READINGS: DetectionBrain, topics.CONDITIONS: IncidentsBrain, topics.INCIDENTS: PlaybooksBrain,
}  # fmt: skip
"""By inbox, in the order of the way."""
NAMES = {topics.READINGS: "detection", topics.CONDITIONS: "incidents", topics.INCIDENTS: "playbooks"}


class Stages:
    """Detection, incidents and playbooks, one partition each, chained. Attributes: told: hears all that they say."""

    def __init__(self, told: Teller) -> None:
        self.told = told
        self.folds = {inbox: Fold(NAMES[inbox], 0, brain()) for inbox, brain in BRAINS.items()}
        self._inputs: dict[str, list[bytes]] = {inbox: [] for inbox in BRAINS}
        self._said: dict[str, list[Decision]] = {inbox: [] for inbox in BRAINS}
        self.commands: list[Event] = []
        """Those that no device has answered yet."""

    def tick(self, at: datetime) -> None:
        """What was due goes before what is new: the last stage first. All know the time when detection speaks."""
        for inbox in (topics.INCIDENTS, topics.CONDITIONS, topics.READINGS):
            self.give(inbox, Tick(at))

    def configure(self, definitions: Mapping[str, Definition], at: datetime) -> None:
        for inbox in (topics.CONDITIONS, topics.INCIDENTS, topics.READINGS):
            given = definitions[inbox]
            self.give(inbox, Configure(given.version, at, AUTHOR, given.pack()))

    def restart(self, from_log: bool) -> None:
        """Every process ends and begins anew: from its snapshot, or as if there were none: from its inbox and from what
        it has said."""
        for inbox, brain in BRAINS.items():
            old, new = self.folds[inbox], Fold(NAMES[inbox], 0, brain())
            if not from_log:
                new.restore(decode_snapshot(encode(old.snapshot())))
            for decision in self._said[inbox] if from_log else ():
                new.read_back(decision)
            for offset, raw in enumerate(self._inputs[inbox][new.position :], new.position):
                if (decision_ := new.decide(offset, raw)) is not None:
                    raise StoryError(f"stage {NAMES[inbox]}", "", f"decides otherwise after a restart: {decision_}")
            self.folds[inbox] = new

    @property
    def due(self) -> datetime | None:
        """The first moment at which a tick would make one of them say something."""
        detection, incidents, playbooks = (self.folds[inbox].brain for inbox in BRAINS)
        assert isinstance(detection, DetectionBrain)
        assert isinstance(incidents, IncidentsBrain)
        assert isinstance(playbooks, PlaybooksBrain)
        dues = [from_micros(max(detection.due, 0))] if detection.due < NEVER else []  # negative: at the next tick
        dues += [area.due for area in incidents.areas.values() if area.due is not None]
        dues += [playbooks.due] if playbooks.due is not None else []
        return min(dues, default=None)

    def give(self, inbox: str, given: Record) -> None:
        """One more input of that inbox, and all that follows from it in the stages behind."""
        fold, raw = self.folds[inbox], encode(given)
        self._inputs[inbox].append(raw)
        said = fold.decide(fold.position, raw)
        if said is None:
            return
        decision = decode_decision(encode(said))
        self._said[inbox].append(decision)
        for e in decision.events:
            if isinstance(e.fact, InputFailed):
                raise StoryError(f"stage {e.fact.stage}", e.at.isoformat(), e.fact.error)
            self.told.hear(e, of_incidents=inbox == topics.CONDITIONS)
        if inbox == topics.INCIDENTS:
            self.commands += [e for e in decision.events if isinstance(e.fact, CommandIssued)]
        else:
            self.give(topics.CONDITIONS if inbox == topics.READINGS else topics.INCIDENTS, decision)
        if inbox == topics.CONDITIONS:
            self._relay(decision)

    def _relay(self, decision: Decision) -> None:
        """What the alarms of all areas do, for the plant-wide area."""
        heard = tuple(e for e in decision.events if isinstance(e.fact, RELAYED) and e.area != topics.PLANT_WIDE)
        if heard:
            record = len(self._said[topics.CONDITIONS]) - 1
            self.give(topics.CONDITIONS, Reported(f"{topics.RELAY}0", record, heard))

    def check(self) -> None:
        """Raises: StoryError: the incidents brain is not what its own events make of it."""
        live, twin = self.folds[topics.CONDITIONS].brain, self.told.twin
        twin.now = live.now
        if live.save() != twin.save():
            raise StoryError("stage incidents", live.now.isoformat(), "its state does not follow from its events")


decode_decision = msgspec.msgpack.Decoder(Decision).decode
