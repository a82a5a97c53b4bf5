"""What is told: a line for each fact, in words that a person reads and a program compares. Deterministic to the byte.

Fields that say nothing (empty, false, as usual) are left out. Alarms go by their name and their occurrence, incidents
by their number in the area. Digests of definitions are left out: `edition` counts the versions of a rule in the story.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import fields as fields_of

from events.alarms import (
    AlarmCleared,
    AlarmFact,
    AlarmLevelChanged,
    AlarmRaised,
    AlarmsHeard,
    FloodBegan,
    OccurrenceFact,
    OverrideFact,
)
from events.devices import CommandOutcome
from events.envelope import Event
from events.incidents import EscalationFact, IncidentFact, IncidentOpened
from events.notifications import NotificationFact
from events.playbooks import LockOutIssued, PlaybookFact, QuestionAsked, QuestionClosed, RunStarted
from events.requests import RequestRefused
from incidents.brain import IncidentsBrain

ALARMS, INCIDENTS, COMMANDS = FILES = ("alarms.jsonl", "incidents.jsonl", "commands.jsonl")
Line = dict[str, Any]
_UNTOLD = {"rule_version", "condition", "version", "author", "number"}
"""Digests, and what stands in the line, or in that of the alarm, already."""
_ALWAYS = {"priority"}
_NUMBERED = {"incident", "into", "split_from"}
_NAMED = {"notification", "command"}


class Teller:
    """Hears every event in order, and keeps a second incidents brain from events alone: it knows each state right after
    each fact, and must be equal to the brain that decided.

    Attributes:
        lines: by file. asked: id of a request -> its place and type.
    """

    def __init__(self, asked: Mapping[UUID, tuple[str, str]]) -> None:
        self.lines: dict[str, list[Line]] = {name: [] for name in FILES}
        self.twin = IncidentsBrain()
        self.occurrences: dict[UUID, tuple[str, str]] = {}
        """Occurrence -> area, name."""
        self.incidents: dict[UUID, tuple[str, int]] = {}
        """Incident -> area, number."""
        self._asked = asked
        self._editions: dict[str, list[str]] = {}
        self.runs: dict[UUID, tuple[str, RunStarted]] = {}
        """Run -> area, its begin; the oldest first."""
        self.questions: dict[UUID, tuple[str, QuestionAsked]] = {}
        """Those that are open -> area, what is asked."""

    def hear(self, e: Event, *, of_incidents: bool) -> None:
        """One more event. of_incidents: the incidents stage said it."""
        if of_incidents:
            self.twin.evolve([e])
        fact = e.fact
        match fact:
            case AlarmRaised():
                self.occurrences[fact.alarm] = e.area, fact.name or fact.rule
            case IncidentOpened():
                self.incidents[fact.incident] = e.area, fact.number
            case RunStarted():
                self.runs[fact.run] = e.area, fact
            case QuestionAsked():
                self.questions[fact.question] = e.area, fact
            case QuestionClosed():
                self.questions.pop(fact.question, None)
            case _:
                pass
        if (file := _file(fact)) is None:
            return
        line: Line = {"time": msgspec.to_builtins(e.at), "area": e.area, "type": fact.__struct_config__.tag}
        if isinstance(fact, OccurrenceFact | OverrideFact):
            line |= self._alarm(e.area, fact)
        if e.author.startswith("playbook "):
            line["playbook"] = e.author.removeprefix("playbook ").partition("@")[0]
        told = self._rest(fact)
        spare = {name for name, value in told.items() if value == line["time"]}
        alarm = line.get("alarm") or told.get("alarm")
        spare |= {name for name in ("rule", "name") if alarm is not None and told.get(name) == alarm}
        if isinstance(fact, AlarmRaised):
            spare.add("kind")
        if isinstance(fact, AlarmCleared):
            spare |= {"rule", "name", "point", "priority"}  # the line of its beginning has them
        self.lines[file].append(line | {n: value for n, value in told.items() if n not in line and n not in spare})

    def say(self, at: datetime, file: str, type_: str, **more: Any) -> None:
        """What happened to the system itself."""
        self.lines[file].append({"time": msgspec.to_builtins(at), "type": type_, **more})

    def state(self, area: str, name: str) -> str:
        """The alarm's ISA-18.2 letter, as it is now."""
        known = self.twin.areas.get(area)
        alarm = known.alarms.get(name) if known is not None else None
        return "A" if alarm is None else alarm.state

    def text(self, file: str) -> str:
        """All of it, a line each."""
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.lines[file])

    def _alarm(self, area: str, fact: Struct) -> Line:
        """Whose fact it is, and what it is now."""
        if not isinstance(fact, OccurrenceFact):
            name = getattr(fact, "name", None)
            return {} if name is None else {"alarm": name, "state": self.state(area, name)}
        name = self.occurrences.get(fact.alarm, (area, str(fact.alarm)))[1]
        line: Line = {"alarm": name, "state": self.state(area, name)}
        if isinstance(fact, AlarmRaised | AlarmLevelChanged) and fact.rule_version:
            known = self._editions.setdefault(fact.rule, [])
            if fact.rule_version not in known:
                known.append(fact.rule_version)
            if len(known) > 1:
                line["edition"] = known.index(fact.rule_version) + 1
        return line

    def _rest(self, fact: Struct) -> Line:
        line: Line = {}
        last: Line = {}
        for field in fields_of(type(fact)):
            name, value = field.name, getattr(fact, field.name)
            if name in _UNTOLD or value in ("", (), None, {}) or (value == field.default and name not in _ALWAYS):
                continue
            match value:
                case UUID() if name == "alarm":
                    line.setdefault("alarm", self._name(value))
                    last["occurrence"] = str(value)
                case UUID() if name in _NUMBERED:
                    line[name] = self._number(value)
                case UUID() if name == "request":
                    place, asked = self._asked.get(value, (str(value), ""))
                    line |= {"asked": asked, "request": place}
                case UUID() if name in _NAMED:
                    last["id"] = str(value)
                case UUID() if name == "run":
                    if value in self.runs and (incident := self.runs[value][1].incident) is not None:
                        line["incident"] = self._number(incident)
                case UUID():
                    line[name] = self._name(value) if isinstance(fact, FloodBegan) else str(value)
                case dict() if name == "scope":
                    pass  # what the lines before it say
                case (UUID(), *_):
                    line[name] = [self._number(one) for one in value]
                case _:
                    line[name] = msgspec.to_builtins(value)
        if isinstance(fact, IncidentOpened):
            last["id"] = str(fact.incident)
        return line | last

    def _name(self, occurrence: UUID) -> str:
        return self.occurrences.get(occurrence, ("", str(occurrence)))[1]

    def _number(self, incident: UUID) -> int | str:
        return self.incidents[incident][1] if incident in self.incidents else str(incident)


def _file(fact: Struct) -> str | None:
    """Where it is told. What detection says is not, the alarm is; nor what one area hears of another."""
    if isinstance(fact, AlarmsHeard):
        return None
    if isinstance(fact, AlarmFact):
        return ALARMS
    if isinstance(fact, IncidentFact | EscalationFact | NotificationFact | RequestRefused):
        return INCIDENTS
    return COMMANDS if isinstance(fact, PlaybookFact | CommandOutcome | LockOutIssued) else None
