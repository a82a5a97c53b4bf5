"""Rows of the log for programs: with what follows from them written out. The HTTP API and `--json` give these."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct
from sqlalchemy import Connection

from analytics import live, runs, standing
from analytics.review import review
from analytics.rows import Alarm, Happened, Incident, OverrideRow, Story
from analytics.run_rows import Notification, Question, Refusal, Run
from analytics.sentences import sentence
from analytics.standing import AlarmPage
from analytics.timeline import of_run
from desk.words import AlarmAt, UnknownThingError, WordsError
from events.alarms import State
from playbooks.plan import OnRequest, Playbook


class AlarmSeen(Alarm, frozen=True, kw_only=True):
    """An occurrence. Attributes: state: A to I; sounds: the horn is on for it."""

    state: State
    sounds: bool


class AlarmsSeen(Struct, frozen=True, kw_only=True):
    """Attributes: total: how many there are in all; `alarms` has some of them."""

    alarms: tuple[AlarmSeen, ...]
    total: int


class AlarmDetail(Struct, frozen=True, kw_only=True):
    """An alarm whatever its occurrence. Attributes: newest: its newest occurrence (or the one that was asked for), None
    when it was never raised; overrides: what holds now."""

    area: str
    name: str
    newest: AlarmSeen | None
    overrides: tuple[OverrideRow, ...]


class Line(Happened, frozen=True, kw_only=True):
    """A line of the log. Attributes: text: the fact in words."""

    text: str


class IncidentSeen(Struct, frozen=True, kw_only=True):
    """One incident with its alarms, what was done, who was called, and all of it in order (`timeline`)."""

    incident: Incident
    alarms: tuple[AlarmSeen, ...]
    runs: tuple[Run, ...]
    refusals: tuple[Refusal, ...]
    notifications: tuple[Notification, ...]
    timeline: tuple[Line, ...]


class RunSeen(Run, frozen=True, kw_only=True):
    """A run. Attributes: phase: in a word; timeline: all of it in order, empty in lists."""

    phase: str
    timeline: tuple[Line, ...] = ()


class PlaybookSeen(Struct, frozen=True, kw_only=True):
    """A playbook in force. Attributes: asked_by: the lowest role that may start it, "" where nobody may."""

    playbook: str
    title: str
    area: str
    version: str
    mode: str
    priority: int
    asked_by: str


def run_seen(run: Run, timeline: tuple[Line, ...] = ()) -> RunSeen:
    fields = {name: getattr(run, name) for name in Run.__struct_fields__}
    return RunSeen(**fields, phase=run.phase, timeline=timeline)


def playbook_seen(book: Playbook) -> PlaybookSeen:
    roles = [trigger.role for trigger in book.triggers if isinstance(trigger, OnRequest)]
    return PlaybookSeen(
        playbook=book.playbook, title=book.title, area=book.area, version=book.version, mode=book.mode,
        priority=book.priority, asked_by=roles[0] if roles else "",
    )  # fmt: skip


def one_run(db: Connection, words: str) -> Run:
    """The run that the words mean, without its steps.

    Raises:
        UnknownThingError, WordsError: none, or several.
    """
    found = runs.find_runs(db, words)
    if not found:
        raise UnknownThingError("run", f"there is no run '{words}'")
    if len(found) > 1:
        raise WordsError("run", f"'{words}' is not clear: {'; '.join(f'{r.title} ({r.run})' for r in found)}")
    return found[0]


def one_question(db: Connection, words: str) -> Question:
    """As `one_run`."""
    found = runs.find_questions(db, words)
    if not found:
        raise UnknownThingError("question", f"there is no question '{words}'")
    if len(found) > 1:
        raise WordsError("question", f"'{words}' is not clear: {'; '.join(f'{q.text} ({q.question})' for q in found)}")
    return found[0]


def run_detail(db: Connection, found: Run) -> RunSeen:
    """The run with all that belongs to it."""
    return run_seen(runs.whole(db, found), tuple(map(line, of_run(db, found.run))))


def alarm_seen(alarm: Alarm) -> AlarmSeen:
    fields = {name: getattr(alarm, name) for name in Alarm.__struct_fields__}
    return AlarmSeen(**fields, state=alarm.state, sounds=alarm.sounds)


def page_seen(page: AlarmPage) -> AlarmsSeen:
    return AlarmsSeen(alarms=tuple(map(alarm_seen, page.alarms)), total=page.total)


def line(happened: Happened) -> Line:
    fields = {name: getattr(happened, name) for name in Happened.__struct_fields__}
    return Line(**fields, text=sentence(happened.type, happened.facts))


def story_seen(story: Story) -> IncidentSeen:
    return IncidentSeen(
        incident=story.incident, alarms=tuple(map(alarm_seen, story.alarms)), runs=story.runs,
        refusals=story.refusals, notifications=story.notifications, timeline=tuple(map(line, story.happened)),
    )  # fmt: skip


def alarm_detail(db: Connection, at: AlarmAt, occurrence: UUID | None = None) -> AlarmDetail:
    """The alarm there; its `occurrence`, or the newest."""
    found = standing.alarm(db, occurrence) if occurrence else None
    found = found or next(iter(standing.named(db, at.name, area=at.area)), None)
    holding = tuple(o for o in standing.overrides(db, area=at.area, name=at.name) if o.area == at.area)
    return AlarmDetail(area=at.area, name=at.name, newest=alarm_seen(found) if found else None, overrides=holding)


def incident_review(db: Connection, incident: UUID, zone: str = "UTC") -> str:
    """The post-incident review as Markdown, its times in `zone` (an IANA name).

    Raises:
        UnknownThingError: the log has no such incident, or the world no such zone.
    """
    try:
        return review(_story(db, incident), zone=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UnknownThingError("zone", f"no time zone is called '{zone}'") from error


def incident_detail(db: Connection, incident: UUID) -> IncidentSeen:
    """The incident's story.

    Raises:
        UnknownThingError: the log has no such incident.
    """
    return story_seen(_story(db, incident))


def _story(db: Connection, incident: UUID) -> Story:
    story = live.story(db, incident)
    if story is None:
        raise UnknownThingError("incident", f"no incident {incident} is known")
    return story
