"""What an edge sends, judged: bytes of a topic in, records for Kafka and refusals out. Pure; no bytes ever raise.

Valid bytes are forwarded as they are: a frame on MQTT already is the record that lies in Kafka.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
import numpy as np
from msgspec import Struct

from events.codec import decode_record, encode
from events.devices import RecordsLost
from events.envelope import DeadLetter, Event, Reported
from events.readings import Frame, FrameError, Packed, Quality, unpack
from events.topics import READINGS, partition_of
from events.types import Instant, from_micros, make_id
from ingest.roster import EVERYWHERE, Roster

MEGA = 1 << 20
LARGEST = MEGA
"""A message of more bytes is refused: an edge's journal takes records of 1 MB at most."""
KEPT = 16 * MEGA
"""So much of the original a dead letter holds: the broker lets nothing larger pass."""
AHEAD = 5 * 60 * 1_000_000
"""A time further ahead of ours is a wrong clock [µs]."""
HISTORY = 30 * 86_400 * 1_000_000
"""A time further back is refused [µs]; younger, it is late, and detection treats it as history."""
OLDEST = 946_684_800_000_000
"""2000-01-01: earlier is a clock that was never set [µs]."""
_LEGAL = np.zeros(256, bool)
_LEGAL[[q.value for q in Quality]] = True
_SHOWN = 5
UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError, TypeError)
"""What decoding bytes of strangers may raise."""
_lenient = msgspec.msgpack.Decoder(ext_hook=lambda _code, _data: None).decode


class Refused(Struct, frozen=True):
    """A part of a message that cannot be taken: which field, and why, for the person who set up the sender."""

    field: str
    reason: str


class Write(Struct, frozen=True):
    """One record for Kafka: into the partition of `area`."""

    topic: str
    area: str
    record: bytes


class Numbered(Struct, frozen=True):
    """A record of an edge that carries its number. Refused or not, the number is used up: the dead letter is its proof.

    Attributes:
        writes: what goes to Kafka, once the ledger says that it is this number's turn.
        lost: ranges that the edge says it no longer has.
        at: time of the record, for the facts that it causes (deterministic, unlike a clock).
        readings: how many values are in it.
    """

    source: str
    sequence: int
    at: Instant
    writes: tuple[Write, ...] = ()
    refused: tuple[Refused, ...] = ()
    lost: tuple[RecordsLost, ...] = ()
    readings: int = 0


def judge(roster: Roster, edge: str, kind: str, payload: bytes, now: int) -> Numbered | Refused:
    """What to do with the payload of `up_topic(edge, kind)`; a bare Refused is one without a readable number.

    Args:
        now: microseconds since the epoch, by our clock.
    """
    if not payload:
        return Refused("payload", "it is empty")
    try:
        record = decode_record(payload)
    except UNREADABLE as error:
        number = _number(payload)
        wrong: Refused | None = Refused("payload", f"no record of ours: {error}")
    else:
        number = (record.source, record.sequence) if isinstance(record, Packed | Reported) else None
        wrong = None
    if number is None:
        return wrong or Refused("payload", "neither a frame nor a report")
    source, sequence = number
    if source.rpartition(":")[0] != edge:
        return Refused("source", f"{shown(source)} is not a journal of {shown(edge)}")
    if not 1 <= sequence < 2**63:
        return Refused("sequence", f"{shown(sequence)} is no number of a record: they count from 1")
    if kind not in ("frame", "events"):
        wrong = Refused("topic", f"an edge sends 'frame' and 'events', not {shown(kind)}")
    elif len(payload) > LARGEST:
        wrong = Refused("payload", f"{len(payload)} bytes: at most {LARGEST} in one message")
    if wrong:
        return Numbered(source, sequence, from_micros(now), refused=(wrong,))
    match record:
        case Packed() if kind == "frame":
            return _frame(roster, edge, record, payload, now)
        case Reported() if kind == "events":
            return _report(roster, edge, record, payload, now)
        case _:
            mixed = Refused("payload", f"a {type(record).__name__} does not belong on topic '{kind}'")
            return Numbered(source, sequence, from_micros(now), refused=(mixed,))


def times_are_wrong(first: int, last: int, now: int) -> str:
    """Why times from `first` to `last` cannot be taken at `now` [µs]; "" when they can."""
    if last > now + AHEAD:
        return f"{_time(last)} is {(last - now) / 60e6:.0f} min ahead of our clock ({_time(now)}): check the sender's"
    if first < OLDEST:
        return f"{_time(first)} is before 2000: the sender's clock is not set"
    if first < now - HISTORY:
        return f"{_time(first)} is {(now - first) / 86_400e6:.0f} days ago: at most 30 are taken"
    return ""


def dead_letter(origin: str, refused: Iterable[Refused], original: bytes, now: int) -> DeadLetter:
    """One letter for all that was refused of a message. The same message refused again has the same id."""
    parts = tuple(refused)
    fields = printable(", ".join(p.field for p in parts[:_SHOWN]))
    reason = "; ".join(f"{p.field}: {p.reason}" if len(parts) > 1 else p.reason for p in parts[:_SHOWN])
    if len(parts) > _SHOWN:
        reason += f"; and {len(parts) - _SHOWN} more"
    if len(original) > KEPT:
        reason += f" (the original has {len(original)} bytes; the first {KEPT} are kept)"
    origin = printable(origin)
    return DeadLetter(
        id=make_id("dead letter", origin, fields, blake2b(original, digest_size=16).hexdigest()),
        at=from_micros(now), origin=origin, field=fields, reason=printable(reason), original=original[:KEPT],
    )


def shown(name: object) -> str:
    """A name from outside, quoted and cut short."""
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:77]}…"


def printable(text: str) -> str:
    """Text that every store takes: control characters and lone surrogates escaped, cut at 1000."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:1000])


def _time(micros: int) -> str:
    try:
        return from_micros(micros).isoformat(timespec="seconds")
    except OverflowError:
        return f"{micros} µs"


def _number(payload: bytes) -> tuple[str, int] | None:
    """(source, sequence) of any record that says them, even where the rest of it is unusable."""
    try:
        match _lenient(payload):
            case ["frame", _, _, str(source), int(sequence), *_] if not isinstance(sequence, bool):
                return source, sequence
            case ["reported", str(source), int(sequence), *_] if not isinstance(sequence, bool):
                return source, sequence
            case _:
                return None
    except UNREADABLE:
        return None


def _frame(roster: Roster, edge: str, packed: Packed, payload: bytes, now: int) -> Numbered:
    def refuse(field: str, reason: str) -> Numbered:
        return Numbered(packed.source, packed.sequence, from_micros(now), refused=(Refused(field, reason),))

    device = roster.devices.get(packed.device)
    if device is None:
        return refuse("device", f"the plant has no device {shown(packed.device)}")
    if device.edge != edge:
        owner = f"edge {device.edge}" if device.edge else "no edge"
        return refuse("device", f"'{device.device}' belongs to {owner}, not to {edge}")
    if packed.area != device.area:
        return refuse("area", f"'{device.device}' is in area '{device.area}', not in {shown(packed.area)}")
    try:
        frame = unpack(packed)
    except FrameError as error:
        return refuse(error.field, error.reason)
    if not _LEGAL[frame.qualities].all():
        return refuse("qualities", f"{frame.qualities[~_LEGAL[frame.qualities]][0]} is no quality")
    first, last = int(frame.times[0]), int(frame.times[-1])
    if wrong := times_are_wrong(first, last, now):
        return refuse("times", wrong)
    names = roster.names[device.device]
    refused: tuple[Refused, ...] = ()
    if frame.points != names and not (known := set(names)).issuperset(frame.points):
        keep = [i for i, p in enumerate(frame.points) if p in known]
        gone = [p for p in frame.points if p not in known]
        refused = tuple(Refused(f"points.{p[:80]}", f"'{device.device}' has no such point") for p in gone)
        if not keep:
            return Numbered(packed.source, packed.sequence, from_micros(last), refused=refused)
        frame = _columns(frame, keep)
        payload = encode(frame.pack())
    write = Write(READINGS, device.area, payload)
    return Numbered(
        packed.source, packed.sequence, from_micros(last), (write,), refused, readings=frame.readings,
    )


def _columns(frame: Frame, keep: list[int]) -> Frame:
    return Frame(
        area=frame.area, device=frame.device, source=frame.source, sequence=frame.sequence, replayed=frame.replayed,
        points=tuple(frame.points[i] for i in keep), times=frame.times, values=frame.values[:, keep],
        qualities=frame.qualities[:, keep],
    )


def _report(roster: Roster, edge: str, report: Reported, payload: bytes, now: int) -> Numbered:
    """A report of facts of several areas is parted: each goes where the stage of its area reads."""
    parts: dict[tuple[str, int], list[int]] = {}
    refused: list[Refused] = []
    for i, e in enumerate(report.events):
        topic = roster.topic_of_report(edge, e.area)
        if topic is None:
            refused.append(Refused(f"events.{i}.area", f"{edge} has no say about area {shown(e.area)}"))
        else:
            parts.setdefault((topic, partition_of(e.area)), []).append(i)
    whole = len(parts) == 1 and not refused
    writes = tuple(
        Write(
            topic, report.events[chosen[0]].area,
            payload if whole else encode(Reported(report.source, report.sequence, _pick(report, chosen))),
        )
        for (topic, _), chosen in parts.items()
    )
    if not report.events:
        refused.append(Refused("events", "a report without facts"))
    lost = tuple(
        e.fact for e in report.events
        if isinstance(e.fact, RecordsLost) and e.fact.source == report.source and e.area == EVERYWHERE
    )
    at = report.events[0].at if report.events else from_micros(now)
    return Numbered(report.source, report.sequence, at, writes, tuple(refused), lost)


def _pick(report: Reported, chosen: list[int]) -> tuple[Event, ...]:
    return tuple(report.events[i] for i in chosen)
