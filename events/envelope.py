"""The envelope every fact travels in, and the records that lie in Kafka's topics.

A stage reads one topic, its inbox: records of type `Record`. It writes `Decision`s. Whoever reads decisions counts one
only if its `prev` is the cause of the last that counted (`Chain`).
"""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from events import alarms, devices, errands, incidents, notifications, playbooks, requests
from events.readings import Packed
from events.types import EPOCH, Instant, make_id


class InputFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="stage.input_failed"):
    """The dead letter of a stage: this input could not be decided. Said once, in order; nothing stops."""

    stage: str
    error: str
    input: bytes


class Configured(Struct, frozen=True, kw_only=True, tag_field="type", tag="stage.configured"):
    """From here on the stage decides by this version of the plant's files. The rest as in `Configure`."""

    stage: str
    version: str
    body: bytes
    by: str = ""
    reason: str = ""


Fact = (
    alarms.ConditionFact
    | alarms.AlarmFact
    | incidents.IncidentFact
    | incidents.EscalationFact
    | notifications.NotificationFact
    | playbooks.PlaybookFact
    | playbooks.LockOutIssued
    | errands.ErrandFact
    | devices.DeviceFact
    | requests.RequestRefused
    | InputFailed
    | Configured
)


class Event(Struct, frozen=True, array_like=True):
    """One fact with its context.

    Attributes:
        id: deterministic: `make_id(cause, author, index among the facts of that cause)`.
        at: when it happened (device time for what a sample caused).
        area: the area it belongs to; it is the key of the topic.
        cause: id of the event, frame, request or tick that caused it.
        author: "detection", "incidents", "playbook NAME@VERSION", "person NAME", "edge NAME".
    """

    id: UUID
    at: Instant
    area: str
    cause: UUID
    author: str
    fact: Fact


def event(fact: Fact, *, at: Instant, area: str, cause: UUID, author: str, index: int) -> Event:
    return Event(make_id(cause, author, index), at, area, cause, author, fact)


# --- records of the topics -------------------------------------------------------------------------------------------


class Tick(Struct, frozen=True, array_like=True, tag="tick"):
    """Time as data, written once a second into each partition of an inbox by the owner of the partition."""

    at: Instant

    def id_for(self, area: str) -> UUID:
        return make_id("tick", area, self.at.isoformat())


class Configure(Struct, frozen=True, array_like=True, tag="configure"):
    """The plant's files, compiled for one stage. An input like any other: what was decided under them stays decided.

    Attributes: version: digest of the files; body: msgpack of the stage's own definition type; at: when published; by,
    reason: who put them in force, and why.
    """

    version: str
    at: Instant
    by: str
    body: bytes
    reason: str = ""


def configured(stage: str, given: Configure) -> Configured:
    """What the stage says when it takes it up."""
    return Configured(stage=stage, version=given.version, body=given.body, by=given.by, reason=given.reason)


class Reported(Struct, frozen=True, array_like=True, tag="reported"):
    """Facts that arrived from outside (an edge, the bridge); `source` and `sequence` as in a frame."""

    source: str
    sequence: int
    events: tuple[Event, ...]


class Decision(Struct, frozen=True, array_like=True, tag="decision"):
    """All events of one input of a stage.

    Attributes:
        cause: offset of the input in the inbox partition of the same number.
        prev: cause of the decision before it in the partition, -1 for the first.
        upstream: cause of the last decision of the stage before that had counted, -1 where there is none.
        now: time of the newest tick before: who reads the state back must know the time it was decided at.
    """

    cause: int
    prev: int
    upstream: int
    events: tuple[Event, ...]
    now: Instant = EPOCH


Record = Packed | Tick | Configure | Reported | Decision | requests.Request


class Chain(Struct):
    """The rule by which every reader counts decisions: replays, retries and zombies then do no harm."""

    last: int = -1

    def accept(self, decision: Decision) -> bool:
        """Whether the decision counts; if so it is the last one now."""
        if decision.prev != self.last:
            return False
        self.last = decision.cause
        return True


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What could not be taken: why, where it came from, and the original bytes.

    Attributes: origin: "mqtt neuron/press/upload"; field: the part at fault, "" when none; at: when it was refused.
    """

    id: UUID
    at: Instant
    origin: str
    field: str
    reason: str
    original: bytes
