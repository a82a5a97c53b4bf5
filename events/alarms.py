"""Conditions (what detection says) and alarms (what operators handle), in the words of ISA-18.2.

An *alarm* has a name, one in the plant: its rule, or the side of a ladder (`press_pressure.high` for H and HH). An
*occurrence* is one standing of it, minted by detection as `make_id(area, rule, point, began)`: the same at the edge, in
the plant and in a replay. Facts about an occurrence name it in `alarm`; facts about the alarm itself (shelved, out of
service) name it in `name`. An acknowledgement names one occurrence and never touches a later one.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.types import Instant, Priority

State = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I"]
"""ISA-18.2: A normal, B unacknowledged active, C acknowledged active, D returned to normal unacknowledged, E latched
unacknowledged, F latched acknowledged, G shelved, H suppressed by design, I out of service."""
Override = Literal["out of service", "suppressed", "shelved"]
"""What keeps an alarm from the operator. It is evaluated and recorded meanwhile."""
WATCH = "watch."
"""How the names of rules of kind "watch" begin."""


class ConditionRaised(Struct, frozen=True, kw_only=True, tag_field="type", tag="condition.raised"):
    """A rule's condition has held for its on-delay.

    Attributes:
        rule, rule_version: the rule, and the digest of the definition it fired under.
        kind: of the rule. Of "suppression" and "correlation" no alarm is made: they steer the alarms of others.
            "watch": of a playbook, which hears of it through the incidents stage; raised only while known to hold.
        point: the point that caused it; for an expression the first point named in it.
        value, limit: what was measured and what it was compared with, in `unit`; None where there is no such number.
        began: time of the sample that first met the condition (the on-delay counts from it).
        message: what the rule says to an operator.
        late: the samples were history when they arrived (after an outage): for the record, opens no new action.
    """

    occurrence: UUID
    rule: str
    rule_version: str
    kind: str
    point: str
    priority: Priority
    message: str
    value: float | None
    limit: float | None
    unit: str
    began: Instant
    late: bool = False


class ConditionCleared(Struct, frozen=True, kw_only=True, tag_field="type", tag="condition.cleared"):
    """The condition has been false (beyond its deadband) for its off-delay."""

    occurrence: UUID
    rule: str
    point: str
    value: float | None
    late: bool = False
    reason: str = "returned to normal"


class ConditionStands(Struct, frozen=True, kw_only=True, tag_field="type", tag="condition.stands"):
    """A condition that was raised late is confirmed by a live sample: from here on it counts as live."""

    occurrence: UUID
    rule: str
    point: str
    value: float | None


# --- an occurrence ---------------------------------------------------------------------------------------------------


class AlarmRaised(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.raised"):
    """-> unacknowledged active (B), or recorded only while an override holds.

    Attributes:
        alarm: the occurrence. The rest as in `ConditionRaised`.
        name: of the alarm; equal to `rule` unless that is one level of a ladder.
        replaces: the occurrence of the same alarm that was still unacknowledged or latched: it ends with this one.
        hidden: the override that holds, "" when it is shown.
        first_out: the first of its group.
        group: of the first-out; "" when it is in none.
    """

    alarm: UUID
    rule: str
    rule_version: str
    kind: str
    point: str
    priority: Priority
    message: str
    value: float | None
    limit: float | None
    unit: str
    began: Instant
    late: bool = False
    name: str = ""
    replaces: UUID | None = None
    hidden: Override | Literal[""] = ""
    first_out: bool = False
    group: str = ""


class AlarmBecameLive(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.became_live"):
    """An alarm raised from history is still true now: it may act from here on."""

    alarm: UUID


class AlarmLevelChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.level_changed"):
    """One more level of the ladder holds, or one less. The alarm stays the same occurrence.

    Attributes:
        condition, rule: the level's own occurrence and rule (`press_pressure.HH`).
        holds: whether that level holds now.
        priority, message: of the alarm now: those of its highest level that holds.
        own_priority, own_message: of that level itself.
        again: it rose above what had been acknowledged: it is unacknowledged again.
        point, name: of the alarm. belongs_to: its open incident, None while it is hidden or in none; opening: of that
            incident. A playbook for the new level is set off by these.
    """

    alarm: UUID
    condition: UUID
    rule: str
    rule_version: str
    holds: bool
    priority: Priority
    message: str
    value: float | None
    limit: float | None
    again: bool = False
    own_priority: Priority = "low"
    own_message: str = ""
    point: str = ""
    name: str = ""
    belongs_to: UUID | None = None
    opening: int = 1


class AlarmAcknowledged(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.acknowledged"):
    """B -> C, D -> A, E -> F. `by` is "" when the alarm's definition acknowledges itself on return."""

    alarm: UUID
    by: str
    comment: str = ""


class AlarmCleared(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.cleared"):
    """The condition is gone. B -> D, C -> A; latched: B -> E, C -> F; ringback: C -> D.

    Attributes: latched: it stays until it is reset; ringback: the return itself is to be acknowledged;
    fleeting: it was gone before anybody could act; priority: it had last. rule, name, point: of the alarm, a playbook
    for its end is set off by these; "" where it was hidden or is history.
    """

    alarm: UUID
    value: float | None
    reason: str = "returned to normal"
    latched: bool = False
    ringback: bool = False
    fleeting: bool = False
    rule: str = ""
    name: str = ""
    point: str = ""
    priority: Priority = "low"


class AlarmReset(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.reset"):
    """F -> A."""

    alarm: UUID
    by: str


class AlarmReannounced(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.reannounced"):
    """It has stood for its re-alarm time, or an override ended while it stands: unacknowledged again (C -> B).

    Attributes: times: how often by now; reason: "still active after 1 h", "no longer shelved".
    """

    alarm: UUID
    times: int
    reason: str


class AlarmSilenced(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.silenced"):
    """Its horn is off; its state is what it was. The next occurrence sounds again."""

    alarm: UUID
    by: str


class AlarmStale(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.stale"):
    """It has stood for longer than an alarm should: 24 h, or as its definition says."""

    alarm: UUID
    since: Instant


class AlarmHeldBack(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.held_back"):
    """In a flood: listed apart and not announced until the flood ends. Its state is what it was.

    Attributes: behind: name of the alarm that it follows from.
    """

    alarm: UUID
    reason: str
    behind: str = ""


class AlarmReleased(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.released"):
    """No longer held back: the flood has ended, or what it follows from is gone."""

    alarm: UUID
    reason: str


# --- an alarm, whatever its occurrence -------------------------------------------------------------------------------


class AlarmShelved(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.shelved"):
    """Any of A-F -> G, by a person, or by the alarm's own definition when it chatters (`by` "").

    Attributes: until: when it ends by itself; one_shot: it also ends when the alarm returns to normal.
    """

    name: str
    by: str
    reason: str
    until: Instant
    one_shot: bool = False


class AlarmUnshelved(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.unshelved"):
    """`by` is "" when it ended by itself; `reason` says why: "its time is over", "returned to normal"."""

    name: str
    by: str
    reason: str


class AlarmSuppressed(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.suppressed"):
    """-> H. One of possibly several `causes` begins to hold: "while press_stopped", "person anna", "alarm pump_trip".

    Attributes: until: set when a person asked for it; None while it follows from a design.
    """

    name: str
    cause: str
    by: str = ""
    reason: str = ""
    until: Instant | None = None


class AlarmUnsuppressed(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.unsuppressed"):
    """That cause no longer holds."""

    name: str
    cause: str
    by: str = ""
    reason: str = ""


class AlarmTakenOutOfService(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.taken_out_of_service"):
    """-> I, for maintenance, until then at most. `device`: set when its whole device was taken out."""

    name: str
    by: str
    reason: str
    until: Instant
    device: str = ""


class AlarmReturnedToService(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.returned_to_service"):
    name: str
    by: str
    reason: str


class AlarmChattering(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.chattering"):
    """It was raised `times` within `within_s`."""

    name: str
    times: int
    within_s: float


class AlarmSettled(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarm.settled"):
    """It no longer chatters."""

    name: str


class ConditionNoted(Struct, frozen=True, kw_only=True, tag_field="type", tag="condition.noted"):
    """A condition that makes no alarm began or ended: of kind "suppression" it hides others, of kind "correlation" it
    groups them. Attributes: condition: its occurrence; holds: from here on."""

    condition: UUID
    rule: str
    kind: str
    holds: bool


# --- devices and floods ----------------------------------------------------------------------------------------------


class DeviceLockedOut(Struct, frozen=True, kw_only=True, tag_field="type", tag="device.locked_out"):
    """Maintenance: until it is released the device gets no command, from nobody."""

    device: str
    by: str
    reason: str
    until: Instant


class DeviceReleased(Struct, frozen=True, kw_only=True, tag_field="type", tag="device.released"):
    device: str
    by: str
    reason: str


class FloodBegan(Struct, frozen=True, kw_only=True, tag_field="type", tag="flood.began"):
    """More than 10 alarms in 10 minutes (EEMUA 191). `scope`: "area", or "position NAME" in the plant-wide area."""

    scope: str
    alarms: int
    first_out: UUID | None = None


class FloodEnded(Struct, frozen=True, kw_only=True, tag_field="type", tag="flood.ended"):
    """Fewer than 5 in 10 minutes. Attributes: alarms, held_back: in all of it; peak: most in 10 minutes."""

    scope: str
    since: Instant
    alarms: int
    held_back: int
    peak: int


class AlarmHeard(Struct, frozen=True, array_like=True):
    """An alarm of another area as the plant-wide area knows it.

    Attributes: alarm: its last occurrence; overrides: what keeps it from being counted: "shelved", "out of service",
    "suppressed CAUSE", "late". Neither active nor under an override: it is forgotten.
    """

    name: str
    area: str
    alarm: UUID | None
    active: bool
    overrides: tuple[str, ...] = ()


class AlarmsHeard(Struct, frozen=True, kw_only=True, tag_field="type", tag="alarms.heard"):
    """The plant-wide area was told of alarms of another: by these its rules and the floods of positions are decided.

    Attributes: source, sequence: of the `Reported` record that told it; raised: (area, occurrence, when) of each alarm
    that was shown to an operator.
    """

    source: str
    sequence: int
    alarms: tuple[AlarmHeard, ...]
    raised: tuple[tuple[str, UUID, Instant], ...] = ()


OccurrenceFact = (
    AlarmRaised | AlarmBecameLive | AlarmLevelChanged | AlarmAcknowledged | AlarmCleared | AlarmReset
    | AlarmReannounced | AlarmSilenced | AlarmStale | AlarmHeldBack | AlarmReleased
)  # fmt: skip
OverrideFact = (
    AlarmShelved | AlarmUnshelved | AlarmSuppressed | AlarmUnsuppressed | AlarmTakenOutOfService
    | AlarmReturnedToService | AlarmChattering | AlarmSettled | ConditionNoted
    | DeviceLockedOut | DeviceReleased
)  # fmt: skip
FloodFact = FloodBegan | FloodEnded
AlarmFact = OccurrenceFact | OverrideFact | FloodFact | AlarmsHeard
ConditionFact = ConditionRaised | ConditionCleared | ConditionStands


def is_watch(fact: ConditionFact) -> bool:
    """Whether it is of kind "watch": a condition of playbooks, which makes no alarm."""
    return fact.rule.startswith(WATCH)
