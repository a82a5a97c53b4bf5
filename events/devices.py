"""What edges, devices and the bridge report: outcomes of commands, lost devices, gaps in what an edge delivered."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from events.types import Instant


class CommandSucceeded(Struct, frozen=True, kw_only=True, tag_field="type", tag="command.succeeded"):
    """The register was written and read back within tolerance."""

    command: UUID
    device: str
    point: str
    value: float
    read_back: float
    written_at: Instant
    confirmed_at: Instant


class CommandFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="command.failed"):
    """It was tried and is not confirmed: no answer, an exception reply, or the read-back differs."""

    command: UUID
    device: str
    point: str
    reason: str


class CommandRefused(Struct, frozen=True, kw_only=True, tag_field="type", tag="command.refused"):
    """It was not tried: late, not writable, out of range, too often, unknown point, locked out."""

    command: UUID
    device: str
    point: str
    reason: str


class DeviceLost(Struct, frozen=True, kw_only=True, tag_field="type", tag="device.lost"):
    device: str
    reason: str


class DeviceReturned(Struct, frozen=True, kw_only=True, tag_field="type", tag="device.returned"):
    device: str
    silent_s: float


class GapOpened(Struct, frozen=True, kw_only=True, tag_field="type", tag="source.gap_opened"):
    """Records `first`..`last` of the source are missing; its edge is asked to send them again."""

    source: str
    first: int
    last: int


class GapClosed(Struct, frozen=True, kw_only=True, tag_field="type", tag="source.gap_closed"):
    """They came. Up to `last` the source is complete."""

    source: str
    first: int
    last: int


class RecordsLost(Struct, frozen=True, kw_only=True, tag_field="type", tag="source.records_lost"):
    """The edge says that it no longer has them: a loss is an event."""

    source: str
    first: int
    last: int
    reason: str


DeviceFact = (
    CommandSucceeded | CommandFailed | CommandRefused | DeviceLost | DeviceReturned | GapOpened | GapClosed
    | RecordsLost
)
CommandOutcome = CommandSucceeded | CommandFailed | CommandRefused
