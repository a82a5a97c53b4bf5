"""Requests: what people ask for. Imperative; each has an author and an expiry, and is answered by facts.

The facts that a request causes carry its id as their `cause`; a refusal is a fact too. `alarm` is an occurrence, `name`
an alarm whatever its occurrence, `incident` an incident; durations in seconds.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from events.types import Instant, Priority

Role = Literal["operator", "supervisor", "engineer", "auditor", "system"]
"""Of a person; "system": a process of Andon or a playbook asks. Nobody gets a token for that."""


class AcknowledgeAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="acknowledge_alarm"):
    """Attributes: priority: the one the person was shown; refused when the alarm has risen above it since."""

    alarm: UUID
    comment: str = ""
    priority: Priority | None = None


class AcknowledgeIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="acknowledge_incident"):
    """Attributes: seen: the alarms that the person was shown, and no other is acknowledged; None: all of them."""

    incident: UUID
    comment: str = ""
    seen: tuple[UUID, ...] | None = None


class Silence(Struct, frozen=True, kw_only=True, tag_field="type", tag="silence"):
    """The horn of the area off, for the alarms that sound now. Nothing is acknowledged."""


class ResetAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="reset_alarm"):
    alarm: UUID


class ShelveAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="shelve_alarm"):
    name: str
    reason: str
    duration_s: float
    one_shot: bool = False


class UnshelveAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="unshelve_alarm"):
    name: str
    reason: str = ""


class SuppressAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="suppress_alarm"):
    """By hand, for a time, beside what the design suppresses."""

    name: str
    reason: str
    duration_s: float


class UnsuppressAlarm(Struct, frozen=True, kw_only=True, tag_field="type", tag="unsuppress_alarm"):
    name: str
    reason: str = ""


class TakeOutOfService(Struct, frozen=True, kw_only=True, tag_field="type", tag="take_out_of_service"):
    """One alarm, or all alarms of a device (one of the two is ""). A device is locked out: it gets no command."""

    reason: str
    duration_s: float
    name: str = ""
    device: str = ""


class ReturnToService(Struct, frozen=True, kw_only=True, tag_field="type", tag="return_to_service"):
    reason: str = ""
    name: str = ""
    device: str = ""


class ConfirmIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="confirm_incident"):
    incident: UUID
    reason: str = ""


class SetPriority(Struct, frozen=True, kw_only=True, tag_field="type", tag="set_priority"):
    incident: UUID
    priority: Priority
    reason: str


class AssignIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="assign_incident"):
    incident: UUID
    to: str
    comment: str = ""


class CommentIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="comment_incident"):
    incident: UUID
    text: str


class AttachToIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="attach_to_incident"):
    incident: UUID
    name: str
    ref: str
    media_type: str = ""


class MergeIncidents(Struct, frozen=True, kw_only=True, tag_field="type", tag="merge_incidents"):
    """`incident` ends, its alarms go on in `into`; both of the same area."""

    incident: UUID
    into: UUID
    reason: str


class SplitIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="split_incident"):
    """These alarms become an incident of their own; at least one must stay."""

    incident: UUID
    alarms: tuple[UUID, ...]
    reason: str


class CloseIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="close_incident"):
    incident: UUID
    cause: str
    action: str
    useful: bool
    comment: str = ""


class ReopenIncident(Struct, frozen=True, kw_only=True, tag_field="type", tag="reopen_incident"):
    incident: UUID
    reason: str


class HandOver(Struct, frozen=True, kw_only=True, tag_field="type", tag="hand_over"):
    """The position, in this area, goes to another person."""

    position: str
    to: str
    note: str = ""


# --- to the playbooks stage: they lie in its inbox, `incidents` -------------------------------------------------------


class StartRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="start_run"):
    """Run a playbook whose trigger allows it to be asked for."""

    playbook: str
    incident: UUID | None = None
    reason: str = ""


class CancelRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="cancel_run"):
    """What it did is undone, as its file says."""

    run: UUID
    reason: str


class PauseRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="pause_run"):
    run: UUID
    reason: str
    duration_s: float = 3600.0


class ResumeRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="resume_run"):
    run: UUID


class RetryRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="retry_run"):
    """A new run that takes up one that failed or was cancelled, from this step on ("": from the one that failed)."""

    run: UUID
    step: str = ""
    reason: str = ""


class AnswerQuestion(Struct, frozen=True, kw_only=True, tag_field="type", tag="answer_question"):
    """As in `QuestionAnswered`."""

    question: UUID
    answer: str
    comment: str = ""
    ticked: tuple[str, ...] = ()


class StopActing(Struct, frozen=True, kw_only=True, tag_field="type", tag="stop_acting"):
    """Hands off, in this area: runs end without undoing, no device is moved."""

    reason: str


class AllowActing(Struct, frozen=True, kw_only=True, tag_field="type", tag="allow_acting"):
    reason: str = ""


class ReportErrand(Struct, frozen=True, kw_only=True, tag_field="type", tag="report_errand"):
    """What became of an errand, as in `ErrandDone` and `ErrandFailed` (`reason` not ""). Only role "system"."""

    errand: UUID
    status: int = 0
    result: dict[str, bool | float | str] = {}
    reason: str = ""
    final: bool = False


AlarmRequest = (
    AcknowledgeAlarm | Silence | ResetAlarm | ShelveAlarm | UnshelveAlarm | SuppressAlarm | UnsuppressAlarm
    | TakeOutOfService | ReturnToService
)  # fmt: skip
IncidentRequest = (
    AcknowledgeIncident | ConfirmIncident | SetPriority | AssignIncident | CommentIncident | AttachToIncident
    | MergeIncidents | SplitIncident | CloseIncident | ReopenIncident | HandOver
)  # fmt: skip
RunRequest = (
    StartRun | CancelRun | PauseRun | ResumeRun | RetryRun | AnswerQuestion | StopActing | AllowActing | ReportErrand
)
"""These lie in the inbox of the playbooks stage (topic `incidents`), all others in that of the incidents stage."""
RequestBody = AlarmRequest | IncidentRequest | RunRequest


class Request(Struct, frozen=True, kw_only=True, array_like=True, tag="request"):
    """Attributes: id: made by who asks (a retry keeps it); by, role: the person; expires: refused after this."""

    id: UUID
    area: str
    at: Instant
    by: str
    role: str
    expires: Instant
    body: RequestBody


class RequestRefused(Struct, frozen=True, kw_only=True, tag_field="type", tag="request.refused"):
    request: UUID
    by: str
    reason: str
