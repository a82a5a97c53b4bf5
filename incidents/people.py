"""Who is called: `people/*.yaml` of a plant folder. Positions with their shifts, escalation policies, persons.

    positions:
      - position: shift_lead
        time_zone: Europe/Berlin
        shifts:
          - {shift: early, from: "06:00", to: "14:00", persons: [anna, ben], since: 2026-01-05}
        deputy: maintenance
    escalations:
      - policy: day_and_night
        steps: [{to: [shift_lead]}, {after: 10min, to: [maintenance]}]
    persons:
      - person: anna
        channels: [{channel: mail, url: "mailto://${SMTP_USER}:${SMTP_PASSWORD}@mail.example.org?to=anna@example.org"}]

Positions and escalations go to the incidents stage. Persons do not travel: the notifier alone reads them, and secrets
come from its environment. Pure but for reading the files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apprise.manager_plugins import NotificationManager
from msgspec import Struct

from config import duration, yamlfile
from config.yamlfile import ConfigError, Document
from devices.plant import Plant, schema
from incidents.definition import Escalation, Flood, Position, Replacement, Shift, Step, any_of
from incidents.people_file import DAYS, EscalationEntry, PeopleFile, Person, PositionEntry, ShiftEntry

FOLDER = "people"


class _Read(Struct):
    """What the usable files say."""

    files: list[tuple[Document, PeopleFile]]
    positions: dict[str, Position]
    escalations: dict[str, Escalation]
    persons: dict[str, Person]
    errors: list[ConfigError]


def load(folder: Path, plant: Plant) -> tuple[dict[str, Position], dict[str, Escalation], list[ConfigError]]:
    """Positions and escalation policies of the plant folder by name, and an error for each thing that is wrong.

    A file that cannot be read is left out whole. A name that nobody has is an error too, but what uses it stays: one
    is rather called in vain, and told so, than not at all. Errors name file, line and column relative to `folder`.
    """
    read = _read(folder)
    for document, file in read.files:
        read.errors += _unknown_names(document, file, read, plant)
    return read.positions, read.escalations, read.errors


def reachable(folder: Path) -> tuple[dict[str, Position], dict[str, Person]]:
    """What the notifier needs: positions and persons by name, from files that can be used."""
    read = _read(folder)
    return read.positions, read.persons


def json_schema() -> dict[str, object]:
    """JSON Schema of a file of `people/`, from the model that also checks it."""
    return schema(PeopleFile)


def _read(folder: Path) -> _Read:
    read = _Read([], {}, {}, {}, [])
    for path in sorted((folder / FOLDER).glob("*.y*ml")):
        try:
            document = yamlfile.read(path, folder)
            if document.data is None:
                continue  # an empty file, or comments alone
            file = document.into(PeopleFile)
            positions = {e.position: _position(document, f"$.positions[{i}]", e) for i, e in enumerate(file.positions)}
            escalations = {
                e.policy: _escalation(document, f"$.escalations[{i}]", e) for i, e in enumerate(file.escalations)
            }
            for i, person in enumerate(file.persons):
                _check_channels(document, f"$.persons[{i}]", person)
            _check_twice(document, file, read)
        except ConfigError as error:
            read.errors.append(error)
            continue
        read.files.append((document, file))
        read.positions |= positions
        read.escalations |= escalations
        read.persons |= {person.person: person for person in file.persons}
    return read


def _position(document: Document, at: str, entry: PositionEntry) -> Position:
    """Raises: ConfigError: at the first place that is wrong."""
    try:
        ZoneInfo(entry.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise document.error(f"{at}.time_zone", f"no time zone is called '{entry.time_zone}'") from None
    for i, day in enumerate(entry.holidays):
        _moment(document, f"{at}.holidays[{i}]", day)
    replacements = []
    for i, r in enumerate(entry.replacements):
        place = f"{at}.replacements[{i}]"
        begins, ends = _moment(document, f"{place}.from", r.from_), _moment(document, f"{place}.to", r.to)
        if begins >= ends:
            raise document.error(place, "it ends before it begins")
        replacements.append(Replacement(begins=begins, ends=ends, person=r.person, reason=r.reason))
    window_s = _seconds(document, f"{at}.flood.window", entry.flood.window)
    if not 0 < entry.flood.below <= entry.flood.above or window_s <= 0:
        raise document.error(f"{at}.flood", "it must end below a number of 1 to above, within a window")
    return Position(
        position=entry.position, areas=tuple(entry.areas), time_zone=entry.time_zone,
        shifts=_shifts(document, f"{at}.shifts", entry.shifts), holidays=tuple(entry.holidays),
        on_holidays=_shifts(document, f"{at}.on_holidays", entry.on_holidays), replacements=tuple(replacements),
        deputy=entry.deputy, flood=Flood(above=entry.flood.above, below=entry.flood.below, window_s=window_s),
    )  # fmt: skip


def _shifts(document: Document, at: str, entries: list[ShiftEntry]) -> tuple[Shift, ...]:
    for i, entry in enumerate(entries):
        _moment(document, f"{at}[{i}].since", entry.since)
    return tuple(
        Shift(
            shift=e.shift, days=tuple(sorted({DAYS.index(d) for d in e.days})), begins=e.from_, ends=e.to,
            persons=tuple(e.persons), since=e.since,
        )
        for e in entries
    )  # fmt: skip


def _escalation(document: Document, at: str, entry: EscalationEntry) -> Escalation:
    steps = tuple(
        Step(_seconds(document, f"{at}.steps[{i}].after", s.after), tuple(s.to)) for i, s in enumerate(entry.steps)
    )
    waits = [step.after_s for step in steps]
    if waits != sorted(waits):
        raise document.error(f"{at}.steps", "after: counts from the beginning of the round, so it must ascend")
    round_s = _seconds(document, f"{at}.every", entry.every)
    if entry.rounds > 1 and round_s <= waits[-1]:
        raise document.error(f"{at}.every", "the next round would begin before this one's last step", key="every")
    return Escalation(
        policy=entry.policy, steps=steps, rounds=entry.rounds, round_s=round_s, min_priority=entry.min_priority
    )


def _check_channels(document: Document, at: str, person: Person) -> None:
    for i, channel in enumerate(person.channels):
        place = f"{at}.channels[{i}]"
        if channel.channel in [c.channel for c in person.channels[:i]]:
            raise document.error(f"{place}.channel", f"{person.person} has a channel '{channel.channel}' already")
        if re.match(r"[^/]*://[^/@?]*:(?!\$\{)[^/@?]+@", channel.url):
            raise document.error(f"{place}.url", "a password in a file: write ${NAME}, and give it in the environment")
        scheme = channel.url.partition("://")[0].lower()
        if not channel.url.startswith("${") and scheme not in NotificationManager():  # type: ignore[no-untyped-call]
            raise document.error(f"{place}.url", f"apprise knows no '{scheme}://'")


def _check_twice(document: Document, file: PeopleFile, read: _Read) -> None:
    """Positions and persons share their names: `to: anna` must mean one."""
    taken = {*read.positions, *read.persons}
    policies = set(read.escalations)
    places = [(f"$.positions[{i}].position", e.position, taken) for i, e in enumerate(file.positions)]
    places += [(f"$.persons[{i}].person", e.person, taken) for i, e in enumerate(file.persons)]
    places += [(f"$.escalations[{i}].policy", e.policy, policies) for i, e in enumerate(file.escalations)]
    for place, name, names in places:
        if name in names:
            raise document.error(place, f"the name '{name}' is taken already")
        names.add(name)


def _unknown_names(document: Document, file: PeopleFile, read: _Read, plant: Plant) -> Iterator[ConfigError]:
    persons, anybody = read.persons, {*read.persons, *read.positions}
    for i, position in enumerate(file.positions):
        at = f"$.positions[{i}]"
        for kind, shifts in (("shifts", position.shifts), ("on_holidays", position.on_holidays)):
            for j, shift in enumerate(shifts):
                yield from _unknown(document, f"{at}.{kind}[{j}].persons", shift.persons, "person", persons)
        for j, r in enumerate(position.replacements):
            yield from _unknown(document, f"{at}.replacements[{j}].person", [r.person], "person", persons)
        deputies = [position.deputy] if position.deputy else []
        yield from _unknown(document, f"{at}.deputy", deputies, "position", read.positions)
        for j, pattern in enumerate(position.areas):
            if not any(any_of((pattern,), area) for area in plant.areas):
                reason = f"no area is called '{pattern}'{_closest(pattern, plant.areas)}"
                yield document.error(f"{at}.areas[{j}]", reason)
    for i, escalation in enumerate(file.escalations):
        for j, step in enumerate(escalation.steps):
            place = f"$.escalations[{i}].steps[{j}].to"
            yield from _unknown(document, place, step.to, "position or person", anybody)


def _unknown(document: Document, at: str, names: list[str], what: str, known: Collection[str]) -> Iterator[ConfigError]:
    for name in names:
        if name not in known:
            yield document.error(at, f"no {what} is called '{name}'{_closest(name, known)}")


def _moment(document: Document, at: str, text: str) -> str:
    try:
        date.fromisoformat(text) if len(text) == len("2026-11-22") else datetime.fromisoformat(text)
    except ValueError as error:
        raise document.error(at, f"'{text}': {error}") from None
    return text.replace(" ", "T")


def _seconds(document: Document, at: str, text: str | float) -> float:
    try:
        return duration.seconds(text)
    except ValueError as error:
        raise document.error(at, str(error)) from None


def _closest(word: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(names), 1)
    return f", did you mean '{close[0]}'?" if close else ""
