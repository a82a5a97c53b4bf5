"""Detection as a brain: frames, ticks and rules in, conditions out. Pure; its state lies in snapshots.

What it says about a frame carries the frame's id as cause, so the same input says the same events with the same ids, at
the edge, in the plant and in a replay. The identity of a standing is (area, rule, point, when it began).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Struct, structs

from detection.area import Area, Said
from detection.bank import NEVER, Transition
from detection.reload import take_over
from detection.ruleset import Normal, Rule, RuleSet, unpack
from detection.sweep import Run, Ticks, Told, sweep
from events import readings
from events.alarms import ConditionCleared, ConditionFact, ConditionRaised, ConditionStands
from events.envelope import Configure, Event, Record, Tick, configured, event
from events.readings import Packed
from events.types import EPOCH, Instant, from_micros, make_id, to_micros

AUTHOR = "detection"
AWAY = timedelta(seconds=4)
"""A stage that ticks every second and finds its ticks this far apart was away."""
GRACE = 30_000_000
"""When we come back, edges and devices may be starting too: a silence is none before this [us]."""
_NO_TIME = -(2**62)


class SavedPart(Struct, frozen=True, array_like=True):
    """Arrays of one part. Attributes: keys: identity of each row; arrays: name -> dtype, shape, bytes."""

    keys: tuple[str, ...]
    arrays: dict[str, tuple[str, tuple[int, ...], bytes]]


class Saved(Struct, frozen=True, array_like=True):
    """Attributes: now: newest tick; sources: newest sequence of each; areas: parts of each area, in order."""

    version: str
    body: bytes
    now: Instant
    sources: dict[str, int]
    areas: dict[str, list[SavedPart]]


_decode = msgspec.msgpack.Decoder(Saved).decode


class DetectionBrain:
    """Detection for the areas of which `here` says that they are decided here.

    Attributes:
        now: the newest tick it was given; EPOCH before the first.
        away_after: ticks further apart than this mean that nobody watched meanwhile: silence then counts anew, after
            a grace in which devices may come back. None: the ticks come from a recording, and time may jump.
    """

    folds: ClassVar[bool] = False

    def __init__(self, here: Callable[[str], bool] = lambda area: True, away_after: timedelta | None = None) -> None:
        self._here, self._away_after = here, away_after
        self.version, self._body = "", b""
        self._late_after = 60_000_000
        self.now: datetime = EPOCH
        self._sources: dict[str, int] = {}
        self._foretold: dict[tuple[str, int], list[Event]] = {}
        """What frames that were swept say, until they are given."""
        self.areas: dict[str, Area] = {}

    @property
    def due(self) -> int:
        """The first moment at which a tick would make a rule say something [us]; ticks before it only tell the time."""
        return min((area.due for area in self.areas.values()), default=NEVER)

    def decide(self, given: Record) -> list[Event]:
        """What the input makes the rules say. Raises FrameError for a frame that is none; nothing changed then."""
        match given:
            case Packed():
                return self._frame(given)
            case Tick():
                return self._tick(given)
            case Configure():
                return self._configure(given)
            case _:
                return []  # requests and decisions concern other stages

    def newest(self, source: str) -> int:
        """The newest sequence of a source that was taken; -1 before the first."""
        return self._sources.get(source, -1)

    def passed(self, source: str, sequence: int) -> None:
        """All frames of the source up to this one were taken."""
        self._sources[source] = max(self.newest(source), sequence)

    def sweep(self, area: str, runs: Sequence[Run], ticks: Ticks, began: int) -> dict[int, Told] | None:
        """Take a stretch of frames of the area in one go, if it can be (see `sweep`); else change nothing.

        What is said, by place of its frame: `foretell` it, and it is said when that frame is given. The others need
        not be; the ticks come, too.
        """
        return sweep(self.areas[area], runs, ticks, began, self._late_after)

    def foretell(self, area: str, source: str, sequence: int, told: Told) -> None:
        """What the frame, which was swept, is to say when it is given."""
        cause = make_id("frame", source, sequence)
        self._foretold[source, sequence] = self._events(self.areas[area], area, told, cause)

    def evolve(self, events: Sequence[Event]) -> None:
        """Nothing: `decide` steps the state."""

    def _frame(self, packed: Packed) -> list[Event]:
        if self._foretold and (said := self._foretold.pop((packed.source, packed.sequence), None)) is not None:
            return said
        area = self.areas.get(packed.area)
        numbered = readings.is_numbered(packed.source)
        if area is None or (numbered and packed.sequence <= self.newest(packed.source)):
            return []  # not decided here; or sent again
        frame = readings.unpack(packed)
        if numbered:
            self._sources[packed.source] = packed.sequence
        now = to_micros(self.now)
        live_after = now - self._late_after if now > 0 else _NO_TIME
        told = area.frame(frame, now, live_after)
        return self._events(area, packed.area, told, frame.id) if told else []

    def _tick(self, tick: Tick) -> list[Event]:
        if tick.at <= self.now:
            return []
        away = self._away_after is not None and tick.at - self.now > self._away_after
        self.now, now = tick.at, to_micros(tick.at)
        if away:
            for area in self.areas.values():
                area.silences.watch_anew(now + GRACE)
        out: list[Event] = []
        for name, area in self.areas.items():
            if said := area.tick(now):
                out += self._events(area, name, said, tick.id_for(name))
        return out

    def _configure(self, given: Configure) -> list[Event]:
        if given.version == self.version:
            return []
        rules = unpack(given.body)
        old = self.areas
        self.version, self._body, self._late_after = given.version, given.body, rules.late_after_us
        self.areas = _build(rules, self._here)
        at = max(given.at, self.now)
        now, cause = to_micros(at), make_id("configure", given.version, given.at.isoformat())
        live_after = now - self._late_after if self.now > EPOCH else _NO_TIME
        facts: list[tuple[datetime, str, Any]] = []
        for name, area in old.items():
            here = {r.identity for r in self.areas[name].rules} if name in self.areas else set()
            facts += [(at, name, _withdrawn(r, began)) for r, began in area.standing() if r.identity not in here]
        for name, area in self.areas.items():
            said = take_over(old[name], area, now, live_after) if name in old else []
            facts += [(from_micros(t.at), name, _fact(area, rule, t)) for rule, t in said]
        facts.append((at, "*", configured(AUTHOR, given)))
        return [
            event(fact, at=when, area=area, cause=cause, author=AUTHOR, index=i)
            for i, (when, area, fact) in enumerate(facts)
        ]

    def _events(self, area: Area, name: str, said: Said, cause: UUID) -> list[Event]:
        return [
            event(_fact(area, rule, t), at=from_micros(t.at), area=name, cause=cause, author=AUTHOR, index=i)
            for i, (rule, t) in enumerate(said)
        ]

    def reconcile(self, said: Sequence[Event], redone: Sequence[Event]) -> list[Event]:
        """After a restart: clear what the output raised and we, having decided it again, did not; raise what stands by
        our judgement and was not said. So no alarm stands for ever, and none is lost, though the code has changed."""
        theirs, ours = _raised(said), _raised(redone)
        cause = make_id("reconcile", *sorted(theirs.keys() ^ ours.keys()))
        facts: list[tuple[str, ConditionFact]] = [
            (e.area, ConditionCleared(occurrence=id_, rule=fact.rule, point=fact.point, value=None,
                                      reason="decided otherwise after a restart"))
            for id_, (e, fact) in theirs.items() if id_ not in ours
        ]  # fmt: skip
        facts += [(e.area, fact) for id_, (e, fact) in ours.items() if id_ not in theirs]
        at = self.now
        return [event(f, at=at, area=a, cause=cause, author=AUTHOR, index=i) for i, (a, f) in enumerate(facts)]

    def save(self) -> bytes:
        """The whole state with the rules in force, as msgpack."""
        areas = {
            name: [
                SavedPart(keys, {n: (a.dtype.str, a.shape, a.tobytes()) for n, a in part.state().items()})
                for keys, part, _ in area.parts()
            ]
            for name, area in self.areas.items()
        }
        return msgspec.msgpack.encode(Saved(self.version, self._body, self.now, self._sources, areas))

    def load(self, raw: bytes) -> None:
        """Take the state of a snapshot.

        Raises:
            msgspec.DecodeError: the bytes are no snapshot.
        """
        saved = _decode(raw)
        self.version, self._body, self.now, self._sources = saved.version, saved.body, saved.now, saved.sources
        self.areas = {}
        if not saved.body:
            return
        rules = unpack(saved.body)
        self._late_after = rules.late_after_us
        self.areas = _build(rules, self._here)
        for name, area in self.areas.items():
            for (_, part, _), stored in zip(area.parts(), saved.areas.get(name, []), strict=False):
                for key, (dtype, shape, data) in stored.arrays.items():
                    setattr(part, key, np.frombuffer(data, dtype).reshape(shape).copy())
            _settle(area)


def _build(rules: RuleSet, here: Callable[[str], bool]) -> dict[str, Area]:
    names = [name for name in rules.areas if here(name)]
    return {
        name: Area([r for r in rules.rules if r.area == name], {f: p for f, p in rules.names.items() if p.area == name})
        for name in names
    }


def _settle(area: Area) -> None:
    for _, bank in area.banks():
        bank.restored()


def _raised(events: Sequence[Event]) -> dict[UUID, tuple[Event, ConditionRaised]]:
    """By occurrence, what the events raised and did not clear again."""
    out: dict[UUID, tuple[Event, ConditionRaised]] = {}
    for e in events:
        if isinstance(e.fact, ConditionRaised):
            out[e.fact.occurrence] = e, e.fact
        elif isinstance(e.fact, ConditionCleared):
            out.pop(e.fact.occurrence, None)
    return out


def _occurrence(rule: Rule, began: int) -> UUID:
    return make_id(rule.area, rule.rule, rule.point, began)


def _withdrawn(rule: Rule, began: int) -> ConditionCleared:
    return ConditionCleared(
        occurrence=_occurrence(rule, began), rule=rule.rule, point=rule.point, value=None, reason="rule withdrawn"
    )


def _fact(area: Area, rule: Rule, t: Transition) -> ConditionFact:
    occurrence = _occurrence(rule, t.began)
    value = None if rule.limit is None else t.value
    if t.what == "raised":
        blame = area.blame(rule) if isinstance(rule.signal, Normal) else ""
        return ConditionRaised(
            occurrence=occurrence, rule=rule.rule, rule_version=rule.version, kind=rule.kind, point=rule.point,
            priority=rule.priority, message=f"{rule.message} (most: {blame})" if blame else rule.message, value=value,
            limit=rule.limit, unit=rule.unit, began=from_micros(t.began), late=t.late,
        )  # fmt: skip
    if t.what == "cleared":
        cleared = ConditionCleared(occurrence=occurrence, rule=rule.rule, point=rule.point, value=value, late=t.late)
        return structs.replace(cleared, reason="rule changed") if t.revised else cleared
    return ConditionStands(occurrence=occurrence, rule=rule.rule, point=rule.point, value=value)
