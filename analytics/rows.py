"""Rows of the log's current-state tables, typed. `analytics.live` asks for them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from analytics.run_rows import HandsOff, Notification, Question, Refusal, Run
from analytics.states import state_of
from events.alarms import Override, State
from events.types import Instant, Priority


class Alarm(Struct, frozen=True, kw_only=True):
    """One occurrence. `value` and `limit_value` are in `unit`; both None where the rule compares no number.

    Attributes:
        name: of the alarm; `alarm` is this occurrence of it. rule: what fired first; a ladder rises above it.
        priority, message: of the highest level that holds.
        hidden: the override that keeps it from the operator now, "" for none.
        over: nobody has to look at it any more: acknowledged and gone, gone while an override held, or replaced by a
            newer occurrence (`replaced_by`).
        held_back: in a flood, with `held_back_reason`; listed apart.
        times: how often it was announced anew. chattering: the alarm, not this occurrence alone.
    """

    alarm: UUID
    area: str
    rule: str
    rule_version: str
    kind: str
    point: str
    priority: Priority
    message: str
    unit: str
    began: Instant
    raised_at: Instant
    name: str = ""
    value: float | None = None
    limit_value: float | None = None
    cleared_at: Instant | None = None
    clear_reason: str = ""
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    comment: str = ""
    reset_at: Instant | None = None
    reset_by: str | None = None
    active: bool = True
    acknowledged: bool = False
    latched: bool = False
    ringback: bool = False
    late: bool = False
    silenced: bool = False
    held_back: bool = False
    held_back_reason: str = ""
    stale: bool = False
    fleeting: bool = False
    chattering: bool = False
    first_out: bool = False
    group_name: str = ""
    times: int = 0
    announce_reason: str = ""
    hidden: Override | Literal[""] = ""
    over: bool = False
    replaced_by: UUID | None = None
    incident: UUID | None = None

    @property
    def state(self) -> State:
        """A to I. A property: give it to programs beside the row."""
        if self.over and not self.hidden:
            return "A"
        return state_of(active=self.active, acknowledged=self.acknowledged, latched=self.latched, hidden=self.hidden)

    @property
    def sounds(self) -> bool:
        """Whether the horn is on for it."""
        waits = not (self.acknowledged or self.silenced or self.held_back or self.hidden or self.late or self.over)
        return waits and self.state in ("B", "D", "E")


class OverrideRow(Struct, frozen=True, kw_only=True):
    """What keeps an alarm from the operator now, and since when; one line for each cause.

    Attributes: cause: of a suppression, "" else; by: "" when no person did it; until: None while a design suppresses;
    alarm: its current or last occurrence, active: whether its condition holds now, state and all: `live.alarm`.
    """

    area: str
    name: str
    kind: Override
    since: Instant
    cause: str = ""
    by: str = ""
    reason: str = ""
    until: Instant | None = None
    one_shot: bool = False
    device: str = ""
    alarm: UUID | None = None
    active: bool = False
    priority: Priority | None = None
    message: str = ""


IncidentStatus = Literal["candidate", "open", "resolved", "closed", "merged"]


class Incident(Struct, frozen=True, kw_only=True):
    """Attributes:
    number: counts up within the area; recorded_at: when the log had it.
    openings: 1, and one more for each time it was reopened. assigned_to: a person or a position, "" for nobody.
    escalated_to: whom the escalation called last, as round and step say; next_call_at: when it calls the next, None
        when it does not; escalation_ended: why it ended, "" while it runs or when there was none.
    alarm_count: alarms in it; standing: those of them that are not normal. Both 0 in lists that do not count.
    """

    incident: UUID
    area: str
    number: int
    title: str
    priority: Priority
    status: IncidentStatus
    point: str
    rule: str
    alarm: UUID
    opened_at: Instant
    recorded_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    resolved_at: Instant | None = None
    confirmed_at: Instant | None = None
    confirmed_by: str = ""
    confirm_reason: str = ""
    assigned_to: str = ""
    assigned_at: Instant | None = None
    assigned_by: str = ""
    openings: int = 1
    reopened_at: Instant | None = None
    reopen_reason: str = ""
    split_from: UUID | None = None
    merged_into: UUID | None = None
    closed_at: Instant | None = None
    closed_by: str = ""
    cause: str = ""
    action: str = ""
    useful: bool | None = None
    close_comment: str = ""
    policy: str = ""
    step: int = 0
    round: int = 0
    escalated_to: tuple[str, ...] = ()
    escalated_at: Instant | None = None
    next_call_at: Instant | None = None
    escalation_ended: str = ""
    alarm_count: int = 0
    standing: int = 0

    @property
    def is_open(self) -> bool:
        """Somebody still has to act: candidate or open."""
        return self.status in ("candidate", "open")


class StandingFlood(Struct, frozen=True, kw_only=True):
    """Attributes: scope: "area", or "position NAME" in the plant-wide area; alarms: when it began."""

    area: str
    scope: str
    began_at: Instant
    alarms: int = 0
    first_out: UUID | None = None


class LockedDevice(Struct, frozen=True, kw_only=True):
    """A device in maintenance: it gets no command."""

    device: str
    area: str
    locked_at: Instant
    locked_by: str
    locked_reason: str
    locked_until: Instant


class Chatterer(Struct, frozen=True, kw_only=True):
    """An alarm that chatters now: `times` within `within_s`."""

    area: str
    name: str
    since: Instant
    times: int
    within_s: float


class Happened(Struct, frozen=True, kw_only=True):
    """One line of the log. `facts`: its payload without the type; area and stream as in the log."""

    at: Instant
    published_at: Instant | None
    recorded_at: Instant
    position: int
    type: str
    author: str
    id: UUID
    cause: UUID
    facts: dict[str, Any]
    area: str = ""


class LostDevice(Struct, frozen=True, kw_only=True):
    device: str
    area: str
    since: Instant
    reason: str


class Feed(Struct, frozen=True, kw_only=True):
    """Who sends readings: `source` is "EDGE:JOURNAL" or the bridge's own name; `last_time`: of its newest reading."""

    source: str
    last_time: Instant | None = None


class Behind(Struct, frozen=True, kw_only=True):
    """How current the log is for a stage's inbox `topic`. Attributes: tick_at: the newest tick of the slowest
    partition; seconds: its age by the database's clock."""

    topic: str
    tick_at: Instant
    seconds: float


class Overview(Struct, frozen=True, kw_only=True):
    """The plant as the log has it.

    Attributes:
        read_at: the database's clock when it was read.
        unacknowledged, active, open_incidents: counts over all that is shown, not only over the rows below.
        sounding: alarms for which the horn is on. held_back, shelved, suppressed, out_of_service: how many there are.
        incidents: open ones (candidates too) and a few resolved last, newest first.
        alarms: what is active, unacknowledged or latched and shown, newest first; if they are too many, those of high
            priority. Neither what is held back nor what an override hides: `standing.alarms` has those.
        overrides: what is shelved, suppressed, out of service, newest first; floods, locked, chattering: now.
        runs: playbooks that go on now, each with the steps that it is at; questions: what they wait for people with,
        due first; hands_off: areas in which nothing acts.
    """

    read_at: Instant
    unacknowledged: int = 0
    active: int = 0
    open_incidents: int = 0
    sounding: int = 0
    held_back: int = 0
    shelved: int = 0
    suppressed: int = 0
    out_of_service: int = 0
    incidents: tuple[Incident, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    overrides: tuple[OverrideRow, ...] = ()
    floods: tuple[StandingFlood, ...] = ()
    locked: tuple[LockedDevice, ...] = ()
    chattering: tuple[Chatterer, ...] = ()
    lost: tuple[LostDevice, ...] = ()
    feeds: tuple[Feed, ...] = ()
    stages: tuple[Behind, ...] = ()
    runs: tuple[Run, ...] = ()
    questions: tuple[Question, ...] = ()
    hands_off: tuple[HandsOff, ...] = ()


class Story(Struct, frozen=True, kw_only=True):
    """One incident with its alarms, what playbooks did about it, who was called, and all of it in order.

    Attributes: notifications: of the incident itself (escalation, digest), those of playbooks are in their runs;
    happened: every line of the log about it, oldest first; `sentences.sentence` says each in words.
    """

    incident: Incident
    alarms: tuple[Alarm, ...] = ()
    runs: tuple[Run, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notifications: tuple[Notification, ...] = ()
    happened: tuple[Happened, ...] = ()


class Sample(Struct, frozen=True):
    """A reading. `value` in the point's unit; `quality`: 0 is good."""

    time: Instant
    value: float
    quality: int = 0


class Answer(Struct, frozen=True, kw_only=True):
    """What the log says about a request. Attributes: facts: the types of what it caused; reason: of a refusal."""

    at: Instant
    accepted: bool
    facts: tuple[str, ...] = ()
    reason: str = ""


class DeadLetters(Struct, frozen=True, kw_only=True):
    """Attributes: by_origin: (origin, reason of the newest, how many), most first."""

    count: int
    newest: Instant | None
    by_origin: tuple[tuple[str, str, int], ...]
