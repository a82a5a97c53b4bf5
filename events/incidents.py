"""Incidents: what a shift works on. Alarms of an area that belong together, and what people did about them.

candidate -> open (confirmed) -> resolved (all its alarms normal) -> closed (a person said why, and what was done).
`AlarmGrouped` after `IncidentResolved` follows an `IncidentReopened`.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.types import Instant, Priority


class IncidentOpened(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.opened"):
    """`alarm` is the occurrence that opened it: `incident == make_id("incident", alarm)`.

    Attributes:
        number: counts up within the area: what people say aloud ("press 17").
        candidate: it waits for more alarms or for a person until it is confirmed; nobody is called for it.
        split_from: the incident that a person split it from; the alarms then come as `AlarmGrouped`.
        name: of the alarm.
    """

    incident: UUID
    number: int
    title: str
    priority: Priority
    alarm: UUID
    rule: str
    point: str
    candidate: bool = False
    split_from: UUID | None = None
    name: str = ""


class AlarmGrouped(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.alarm_grouped"):
    """One more alarm belongs to the incident (and to no other any more), and why. `name` is the alarm's; `opening`
    counts as in `IncidentReopened`.

    Attributes:
        takes_over: not "": it is history or hidden, and took the place of one that was not over. The incident goes on
            by it and nothing is set off; another `AlarmGrouped` follows when it is seen live and shown. "unseen":
            whoever was to see the one before is to see this one; "seen": nobody is called for it.
    """

    incident: UUID
    alarm: UUID
    rule: str
    reason: str
    point: str = ""
    priority: Priority = "low"
    name: str = ""
    opening: int = 1
    takes_over: Literal["", "seen", "unseen"] = ""


class IncidentConfirmed(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.confirmed"):
    """`by` is "" when the number of its alarms confirmed it."""

    incident: UUID
    by: str
    reason: str


class IncidentPriorityChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.priority_changed"):
    """`by` is "" when an alarm raised it."""

    incident: UUID
    priority: Priority
    by: str = ""
    reason: str = ""


class IncidentAcknowledged(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.acknowledged"):
    """Somebody took it: every alarm in it that stood unacknowledged is acknowledged beside this fact."""

    incident: UUID
    by: str


class IncidentAssigned(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.assigned"):
    """`to`: a person or a position; "" takes the assignment back."""

    incident: UUID
    to: str
    by: str
    comment: str = ""


class IncidentCommented(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.commented"):
    incident: UUID
    by: str
    text: str


class IncidentAttached(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.attached"):
    """A file or an image, by reference: `ref` is a path or URL; the bytes are not in the log."""

    incident: UUID
    by: str
    name: str
    ref: str
    media_type: str = ""


class IncidentMerged(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.merged"):
    """It ends here: its alarms (`AlarmGrouped` beside this) and its story go on in `into`."""

    incident: UUID
    into: UUID
    by: str
    reason: str


class IncidentResolved(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.resolved"):
    """All its alarms are back to normal and acknowledged. `opening` as in `IncidentReopened`; `by`: the person who
    acknowledged it, or the last of its alarms; "": nobody did."""

    incident: UUID
    opening: int = 1
    by: str = ""


class IncidentReopened(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.reopened"):
    """An alarm of it came again within the window, or a person opened it again.

    Attributes: opening: 2 for the first time it is reopened; alarm, rule, point: None and "" when a person did it.
    """

    incident: UUID
    opening: int
    by: str
    reason: str
    alarm: UUID | None = None
    rule: str = ""
    point: str = ""


class IncidentClosed(Struct, frozen=True, kw_only=True, tag_field="type", tag="incident.closed"):
    """A person has said what it was; `by` is "" when the area's policy closes such incidents by itself.

    Attributes: useful: whether the alarm told what it should, in time; None: nobody said. False is a nuisance vote.
    """

    incident: UUID
    by: str
    cause: str
    action: str
    useful: bool | None
    comment: str = ""


class ShiftHandedOver(Struct, frozen=True, kw_only=True, tag_field="type", tag="shift.handed_over"):
    """A position changes hands: what the next shift must know stands in it, so that the log can prove it was told.

    Attributes:
        position: whose; shift: the one that begins, "" when a person handed over by hand.
        by, to: persons; by "" when the calendar did it.
        open: incidents not closed; standing, unacknowledged: how many alarms.
        shelved, suppressed, out_of_service: names of the alarms.
    """

    position: str
    shift: str
    by: str
    to: str
    note: str
    open: tuple[UUID, ...]
    standing: int
    unacknowledged: int
    shelved: tuple[str, ...]
    suppressed: tuple[str, ...]
    out_of_service: tuple[str, ...]


class EscalationStepped(Struct, frozen=True, kw_only=True, tag_field="type", tag="escalation.stepped"):
    """Nobody took the incident in time: the policy calls the next. `step` and `round` count from 1; step 0: it begins,
    and nobody is called yet. In a flood those `to` are told by the next digest.

    Attributes: next_at: when the step after this one is due; None: it was the last.
    """

    incident: UUID
    policy: str
    step: int
    round: int
    to: tuple[str, ...]
    next_at: Instant | None = None


class EscalationEnded(Struct, frozen=True, kw_only=True, tag_field="type", tag="escalation.ended"):
    """`reason`: "acknowledged by anna", "resolved", "exhausted"."""

    incident: UUID
    policy: str
    reason: str


EscalationFact = EscalationStepped | EscalationEnded
IncidentFact = (
    IncidentOpened | AlarmGrouped | IncidentConfirmed | IncidentPriorityChanged | IncidentAcknowledged
    | IncidentAssigned | IncidentCommented | IncidentAttached | IncidentMerged | IncidentResolved | IncidentReopened
    | IncidentClosed | ShiftHandedOver
)  # fmt: skip
