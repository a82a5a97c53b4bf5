"""Requests of a story: understood by what the person saw when it was asked, as the board and the command line do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec.structs import replace

from andon.story_inputs import Asked, StoryError
from andon.story_lines import Teller
from desk import words
from desk.words import AlarmAt, IncidentAt, NoRequestError, WorkAt
from devices.plant import Plant
from events.requests import AcknowledgeAlarm, AcknowledgeIncident, Request, RequestBody
from events.types import make_id
from incidents.alarm import Alarm

_OF_AN_AREA = ("silence", "hand_over", "hands_off", "hands_on", "start")
"""What names an area and nothing in it."""


class Seen:
    """`desk.words.Lookup` on what the story has told so far. `alarms`: name -> area, of all that the files define."""

    def __init__(self, plant: Plant, alarms: Mapping[str, str], told: Teller) -> None:
        self._plant, self._alarms, self._told = plant, alarms, told

    @property
    def only_area(self) -> str:
        """The area of a plant that has only one; "" else."""
        return next(iter(self._plant.areas)) if len(self._plant.areas) == 1 else ""

    def alarm(self, name: str) -> AlarmAt | None:
        for at, area in self._told.twin.areas.items():
            if (alarm := area.alarms.get(name)) is not None:
                return AlarmAt(at, name, alarm.alarm)
        return AlarmAt(self._alarms[name], name, None) if name in self._alarms else None

    def occurrence(self, id_: UUID) -> AlarmAt | None:
        found = self._told.occurrences.get(id_)
        return None if found is None else AlarmAt(*found, id_)

    def incident(self, id_: UUID) -> IncidentAt | None:
        found = self._told.incidents.get(id_)
        return None if found is None else IncidentAt(found[0], id_, found[1])

    def numbered(self, area: str, number: int) -> Sequence[IncidentAt]:
        return [
            IncidentAt(at, id_, n) for id_, (at, n) in self._told.incidents.items()
            if n == number and (not area or at == area or at.endswith(f"/{area}"))
        ]  # fmt: skip

    def device(self, device: str) -> str | None:
        found = self._plant.devices.get(device)
        return None if found is None else found.area

    def playbook(self, name: str) -> str | None:
        """Where there are several areas, the story says which."""
        return self.only_area or None

    def runs(self, words: str) -> Sequence[WorkAt]:
        """The newest that the words mean: "latest", its id, its playbook."""
        found = [
            WorkAt(area, id_, begun.playbook) for id_, (area, begun) in self._told.runs.items()
            if words in ("latest", str(id_), begun.playbook)
        ]  # fmt: skip
        return found[-1:]

    def questions(self, words: str) -> Sequence[WorkAt]:
        """The newest open one that the words mean: "latest", its id, its step, its playbook."""
        found = [
            WorkAt(area, id_, asked.step) for id_, (area, asked) in self._told.questions.items()
            if words in ("latest", str(id_), asked.step, self._told.runs[asked.run][1].playbook)
        ]  # fmt: skip
        return found[-1:]

    def as_shown(self, body: RequestBody) -> RequestBody:
        """With what the person saw and did not write down: nothing that comes or rises later is acknowledged."""
        match body:
            case AcknowledgeAlarm(alarm=id_, priority=None):
                alarm = self._shown(id_)
                return body if alarm is None else replace(body, priority=alarm.priority)
            case AcknowledgeIncident(incident=id_, seen=None) if id_ in self._told.incidents:
                standing = self._told.twin.areas[self._told.incidents[id_][0]].incidents.cast(id_).standing
                shown = (self._shown(one) for one in standing)
                return replace(body, seen=tuple(a.alarm for a in shown if a is not None and a.alarm is not None
                                                and not (a.acknowledged or a.hidden or a.held_back)))  # fmt: skip
            case _:
                return body

    def _shown(self, occurrence: UUID) -> Alarm | None:
        found = self._told.occurrences.get(occurrence)
        return None if found is None else self._told.twin.areas[found[0]].alarms.of(occurrence)


def understand(asked: Asked, seen: Seen) -> Request:
    """What was asked for.

    Raises:
        StoryError: the line is no request at any moment.
        WordsError: it names what is not there or does not stand, or lacks something: the person would be told so.
    """
    fields = {"type": asked.type, **asked.fields}
    if asked.type in _OF_AN_AREA and seen.only_area:
        fields.setdefault("area", seen.only_area)
    try:
        area, body = words.body(fields, seen)
    except NoRequestError as error:
        raise StoryError(asked.place, error.field, error.reason) from None
    return Request(id=make_id("story", asked.key), area=area, at=asked.at, by=asked.by, role=asked.role,
                   expires=asked.expires, body=seen.as_shown(body))  # fmt: skip
