"""Requests as people write them (JSON over HTTP, a line of a story, options of a command) -> `RequestBody`. Pure.

    {"type": "shelve", "alarm": "press_pressure.high", "for": "30min", "reason": "guide is being replaced"}
    {"type": "close", "incident": "shop/press#17", "cause": "…", "action": "…", "useful": true}
    {"type": "cancel", "run": "press_overpressure", "reason": "the wrong press"}

An alarm is given by its name or by the id of an occurrence, an incident by its id, "AREA#NUMBER" or its number alone,
a run or a question by its id, "latest", its playbook or its incident, a duration in seconds or as text. `KINDS` lists
the types; the tags of `events.requests` do as well. What a request refers to decides its area; it is given as `area`
where it refers to nothing (silence, hand_over, hands_off). Whether it is allowed is for the brain to say.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar, get_args
from uuid import UUID

import msgspec

from config.duration import seconds
from events import requests as r
from events.requests import RequestBody
from events.types import PRIORITIES

ENVELOPE = frozenset({"type", "time", "by", "role", "id", "expires"})
"""Fields beside those of the body: the caller's own, not looked at here."""
LONGEST_TEXT = 4000
LONGEST_S = 366 * 24 * 3600.0

KINDS: Mapping[str, type[RequestBody]] = MappingProxyType(
    {
        "acknowledge": r.AcknowledgeAlarm, "silence": r.Silence, "reset": r.ResetAlarm,
        "shelve": r.ShelveAlarm, "unshelve": r.UnshelveAlarm,
        "suppress": r.SuppressAlarm, "unsuppress": r.UnsuppressAlarm,
        "out_of_service": r.TakeOutOfService, "return_to_service": r.ReturnToService,
        "confirm": r.ConfirmIncident, "priority": r.SetPriority, "assign": r.AssignIncident,
        "comment": r.CommentIncident, "attach": r.AttachToIncident, "merge": r.MergeIncidents,
        "split": r.SplitIncident, "close": r.CloseIncident, "reopen": r.ReopenIncident, "hand_over": r.HandOver,
        "start": r.StartRun, "cancel": r.CancelRun, "pause": r.PauseRun, "resume": r.ResumeRun, "retry": r.RetryRun,
        "answer": r.AnswerQuestion, "hands_off": r.StopActing, "hands_on": r.AllowActing,
    }
)  # fmt: skip
"""The short words. "acknowledge" is of an incident when it names one."""
_OF_PEOPLE = [c for c in get_args(RequestBody) if c is not r.ReportErrand]
_TAGS: dict[str, type[RequestBody]] = {c.__struct_config__.tag: c for c in _OF_PEOPLE}
_BY_NAME = frozenset(c for c in get_args(RequestBody) if "name" in c.__struct_fields__) - {r.AttachToIncident}
"""Requests about an alarm whatever its occurrence: there `alarm` is another word for `name`."""
_DURATIONS = ("for", "duration", "duration_s")


class WordsError(Exception):
    """This is no request: show it to who wrote it. Attributes: field: which is at fault, "" for the whole; reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field, self.reason = field, reason


class NoRequestError(WordsError):
    """It would be no request at any moment: the type or a field is unknown, or a value is of another kind."""


class UnknownThingError(WordsError):
    """It names an alarm, an incident, a device or an area that is not there (now)."""


class AlarmAt(NamedTuple):
    """Attributes: occurrence: the one that stands now (or waits to be acknowledged or reset); None: it is normal."""

    area: str
    name: str
    occurrence: UUID | None


class IncidentAt(NamedTuple):
    area: str
    incident: UUID
    number: int


class WorkAt(NamedTuple):
    """A run, or a question of one. Attributes: said: how people tell it from others."""

    area: str
    id: UUID
    said: str


class Lookup(Protocol):
    """What the words refer to, as it is now. None or () where there is no such thing."""

    def alarm(self, name: str) -> AlarmAt | None: ...

    def occurrence(self, id_: UUID) -> AlarmAt | None:
        """The alarm of this occurrence; `AlarmAt.occurrence` is `id_` then, also when it is over."""

    def incident(self, id_: UUID) -> IncidentAt | None: ...

    def numbered(self, area: str, number: int) -> Sequence[IncidentAt]:
        """Incidents of this number: of this area (or one that ends so: "press" for "shop/press"), of any for ""."""

    def device(self, device: str) -> str | None:
        """Its area."""

    def playbook(self, name: str) -> str | None:
        """Its area."""

    def runs(self, words: str) -> Sequence[WorkAt]:
        """Those that the words mean, the newest first: an id or its beginning, "latest", a playbook, an incident. Of
        what a name means only the newest one."""

    def questions(self, words: str) -> Sequence[WorkAt]:
        """As `runs`; of what a name means all that are open."""


def body(fields: Mapping[str, Any], lookup: Lookup) -> tuple[str, RequestBody]:
    """The area and the body that the fields mean.

    Raises:
        NoRequestError: they never are a request.
        UnknownThingError: they name something that is not there.
        WordsError: they are no request otherwise; nothing is guessed.
    """
    kind = kind_of(fields)
    given = {name: value for name, value in fields.items() if name not in ENVELOPE}
    reading = _Reading(lookup, _text("area", given.pop("area", "")))
    if kind in _BY_NAME and "alarm" in given:
        if "name" in given:
            raise NoRequestError("name", "give 'alarm' or 'name', not both")
        given["name"] = given.pop("alarm")
    said = [name for name in _DURATIONS if name in given]
    if len(said) > 1:
        raise NoRequestError(said[1], f"'{said[0]}' is given already")
    if said:
        given["duration_s"] = _duration(said[0], given.pop(said[0]))
    known = kind.__struct_fields__
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(_people(f, kind) for f in known)}"
            raise NoRequestError(name, f"no such field in {fields['type']}; {hint}")
    made = _convert(kind, {name: reading.read(name, value, kind) for name, value in given.items()})
    if isinstance(made, r.TakeOutOfService | r.ReturnToService) and bool(made.name) == bool(made.device):
        raise WordsError("alarm", "give an alarm or a device, one of the two")
    if not reading.area:
        raise WordsError("area", "which area? It is needed here")
    return reading.area, made


def kind_of(fields: Mapping[str, Any]) -> type[RequestBody]:
    """The kind of request that `type` names.

    Raises:
        NoRequestError: none.
    """
    word = fields.get("type", "")
    kind = KINDS.get(word) or _TAGS.get(word) if isinstance(word, str) else None
    if kind is None:
        close = difflib.get_close_matches(str(word), KINDS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(KINDS)}"
        raise NoRequestError("type", f"'{word}' is no request; {hint}")
    return r.AcknowledgeIncident if word == "acknowledge" and "incident" in fields else kind


def incident(value: Any, lookup: Lookup) -> UUID:
    """The incident that these words mean.

    Raises:
        UnknownThingError, WordsError: none, or several.
    """
    return _Reading(lookup, "").incident("incident", value)


Found = TypeVar("Found", AlarmAt, IncidentAt, WorkAt)


class _Reading:
    """One request being read. Attributes: area: of what was referred to so far, or as given; "" while unknown."""

    def __init__(self, lookup: Lookup, area: str) -> None:
        self._lookup, self.area = lookup, area

    def read(self, name: str, value: Any, kind: type[RequestBody]) -> Any:
        match name:
            case "alarm":
                return self._occurrence(name, value)
            case "name" if kind in _BY_NAME:
                return self._name(value)
            case "alarms" | "seen" if value is not None:
                if not isinstance(value, list | tuple):
                    raise NoRequestError(name, "a list of alarms is needed")
                return [self._occurrence(name, one) for one in value]
            case "incident" | "into" if value is not None:
                return self.incident(name, value)
            case "device":
                return self._place(name, value, self._lookup.device)
            case "playbook":
                return self._place(name, value, self._lookup.playbook)
            case "run":
                return self._work(name, value, self._lookup.runs)
            case "question":
                return self._work(name, value, self._lookup.questions)
            case _ if isinstance(value, list | tuple):
                return [_text(name, one) if isinstance(one, str) else one for one in value]
            case _:
                return _text(name, value) if isinstance(value, str) else value

    def _occurrence(self, field: str, value: Any) -> UUID:
        words = value if isinstance(value, UUID) else _text(field, value)
        if (id_ := uuid_of(words)) is not None:
            self._of(field, self._lookup.occurrence(id_), f"no alarm {id_} is known")
            return id_
        found = self._of(field, self._lookup.alarm(str(words)), f"the plant has no alarm '{words}'", sure=True)
        assert found is not None
        if found.occurrence is None:
            raise UnknownThingError(field, f"'{words}' is normal: no occurrence of it stands")
        return found.occurrence

    def _name(self, value: Any) -> str:
        words = value if isinstance(value, UUID) else _text("alarm", value)
        if not words:
            return ""
        if (id_ := uuid_of(words)) is not None:
            found = self._of("alarm", self._lookup.occurrence(id_), f"no alarm {id_} is known", sure=True)
        else:
            found = self._of("alarm", self._lookup.alarm(str(words)), f"the plant has no alarm '{words}'")
        return found.name if found is not None else str(words)

    def incident(self, field: str, value: Any) -> UUID:
        words = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        words = words if isinstance(words, UUID) else _text(field, words).strip()
        if (id_ := uuid_of(words)) is not None:
            self._of(field, self._lookup.incident(id_), f"no incident {id_} is known")
            return id_
        area, _, number = str(words).rpartition("#")
        if not (number.isascii() and number.isdecimal()) or len(number) > 9:
            raise WordsError(field, f"'{words}' is no incident: give its id, AREA#NUMBER or its number")
        found = self._lookup.numbered(area or self.area, int(number))
        if len(found) > 1:
            places = ", ".join(f"{one.area}#{one.number}" for one in found)
            raise WordsError(field, f"'{words}' is not clear: {places}")
        self._of(field, found[0] if found else None, f"there is no incident '{words}'", sure=True)
        return found[0].incident

    def _place(self, field: str, value: Any, area_of: Callable[[str], str | None]) -> str:
        name = _text(field, value)
        if name:
            area = area_of(name)
            found = AlarmAt(area, name, None) if area is not None else None
            self._of(field, found, f"the plant has no {field} '{name}'")
        return name

    def _work(self, field: str, value: Any, find: Callable[[str], Sequence[WorkAt]]) -> UUID:
        words = str(value) if isinstance(value, UUID) else _text(field, value).strip()
        found, id_ = find(words), uuid_of(words)
        if len(found) > 1:
            raise WordsError(field, f"'{words}' is not clear: {'; '.join(f'{w.said} ({w.id})' for w in found)}")
        self._of(field, found[0] if found else None, f"there is no {field} '{words}'", sure=id_ is None)
        if found:
            return found[0].id
        assert id_ is not None, "what is no id is known, or it was refused above"
        return id_

    def _of(self, field: str, found: Found | None, reason: str, *, sure: bool = False) -> Found | None:
        """Take the area of what was found. What is not known may still be asked for where the area is given (the brain
        answers then), unless we must be `sure` of it."""
        if found is None:
            if sure or not self.area:
                raise UnknownThingError(field, reason)
        elif self.area and found.area != self.area and not found.area.endswith(f"/{self.area}"):
            raise WordsError(field, f"is of area '{found.area}', not '{self.area}'")
        else:
            self.area = found.area
        return found


_MISSING = re.compile(r"missing required field `(\w+)`")
_WHERE = re.compile(r" - at `\$\.(\w+).*`\Z")


def _convert(kind: type[RequestBody], given: dict[str, Any]) -> RequestBody:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        if missing := _MISSING.search(text):
            raise WordsError(_people(missing[1], kind), "is needed") from error
        where = _WHERE.search(text)
        field = _people(where[1], kind) if where else ""
        reason = f"one of {', '.join(PRIORITIES)}" if field == "priority" else _WHERE.sub("", text)
        raise NoRequestError(field, reason) from error


def _people(field: str, kind: type[RequestBody]) -> str:
    """How people call a field of the body."""
    if field == "name" and kind in _BY_NAME:
        return "alarm"
    return "for" if field == "duration_s" else field


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise NoRequestError(field, f"text is needed, not {value!r:.40}")
    if len(value) > LONGEST_TEXT:
        raise WordsError(field, f"{len(value)} characters: at most {LONGEST_TEXT}")
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in value):  # half a character, or what no database takes
        raise NoRequestError(field, "is no text")
    return value


def _duration(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NoRequestError(field, f"a duration is needed, such as 30min, not {value!r:.40}")
    try:
        found = seconds(value)
    except ValueError as error:
        raise NoRequestError(field, str(error)) from error
    if found > LONGEST_S:
        raise WordsError(field, f"'{value}' is more than a year")
    return found


def uuid_of(words: str | UUID) -> UUID | None:
    """The id that the words are; None for a name."""
    if isinstance(words, UUID):
        return words
    try:
        return UUID(words) if len(words) == 36 else None
    except ValueError:
        return None
