"""One rule, checked against the plant: what runs of it, or its first mistake with its place."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from typing import Any

from msgspec import structs

from config import duration
from config.yamlfile import ConfigError, Document
from detection import language as lang
from detection.priorities import priority_of
from detection.ruleset import Column, Formula, Normal, Rule, Signal, Silence, digest
from devices.plant import Plant, Point
from events.types import Priority
from expressions import NameType, Problem, names, parse, resolve
from expressions.check import Kind, same_unit

_QUANTITY = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*\Z")
_SAMPLES = re.compile(r"\s*([0-9]+)\s*samples?\s*\Z")
_WORDS = ("title", "cause", "consequence", "action", "response_time", "owner", "severity", "priority_reason", "class_")
MAX_SAMPLES = 10_000

class Scope:
    """What a rule of an area may name. Attributes: points: full name -> point; elsewhere: -> the other area."""

    def __init__(self, area: str, plant: Plant) -> None:
        self.area = area
        self.points = {full: point for full, (device, point) in plant.points.items() if device.area == area}
        self.elsewhere = {full: device.area for full, (device, _) in plant.points.items() if device.area != area}
        self.devices = {name: device for name, device in plant.devices.items() if device.area == area}
        self.types = {full: NameType(unit=p.unit, states=p.states) for full, p in self.points.items()}


class Compiler:
    """One rule of the file."""

    def __init__(self, document: Document, at: str, scope: Scope, rule: lang.AnyRule) -> None:
        self._document, self._at, self._area, self._rule, self._types = document, at, scope.area, rule, scope.types
        self._points, self._elsewhere, self._devices = scope.points, scope.elsewhere, scope.devices

    def compile(self) -> list[Rule]:
        """Raises: ConfigError: at the first place that is wrong."""
        rules = self._kind()
        if self._rule.suppress_when:  # before the alarm: of one scan, it is said first
            name = f"{self._rule.rule}.suppress"
            rules.insert(0, self.condition("suppress_when", self._rule.suppress_when, "suppression", name))
        return rules

    def condition(self, field: str, text: str, kind: str, name: str, for_s: float = 0.0) -> Rule:
        """The rule that holds while the expression has been true `for_s`: it steers alarms in place of being one."""
        needed = self._expression(field, text)
        return _versioned(Rule(rule=name, version="", area=self._area, kind=kind, point=needed[0], message=text,
                               priority="low", unit="", limit=None, low=0.5, on_delay_us=round(for_s * 1e6),
                               signal=Formula(text)))  # fmt: skip

    def _kind(self) -> list[Rule]:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self._rule.rule):
            raise self._error("rule", f"'{self._rule.rule}' is no name: letters, digits and _ only")
        match self._rule:
            case lang.Limits() as rule:
                return list(self._limits(rule))
            case lang.Deviation() as rule:
                return [self._deviation(rule)]
            case lang.Rate() as rule:
                return [self._rate(rule)]
            case lang.State() as rule:
                return [self._state(rule)]
            case lang.Flatline() as rule:
                unit = self._point(rule.point).unit
                least = self._quantity("moves_less_than", rule.moves_less_than, unit)
                signal = Column(f"range({rule.point}, {self._span('over', rule.over)})")
                # strictly less: the band ends at the largest number below
                return [self._make(rule.point, unit, signal, least, high=math.nextafter(least, -math.inf),
                                   on_delay=("on_delay", rule.on_delay))]  # fmt: skip
            case lang.NoData() as rule:
                return [self._no_data(rule)]
            case lang.Expression() as rule:
                needed = self._expression("when", rule.when)
                return [self._make(needed[0] if needed else "", "", Formula(rule.when), None, low=0.5,
                                   on_delay=("for", rule.for_))]  # fmt: skip
            case lang.Baseline() as rule:
                return [self._baseline(rule)]

    def _limits(self, rule: lang.Limits) -> Iterator[Rule]:
        point = self._point(rule.point)
        unit, signal = point.unit, self._windowed(rule)
        if rule.of == "count":
            unit = ""
        elif rule.of == "rate":
            unit = f"{unit}/s"
        if not rule.limits:
            raise self._error("limits", "at least one of HH, H, L, LL")
        bounds: dict[str, float] = {}
        for level in ("LL", "L", "H", "HH"):
            if (at := rule.limits.get(level)) is None:
                continue
            where = f"limits.{level}"
            bounds[level] = limit = self._quantity(f"{where}.limit", at.limit, unit)
            if any(not other < limit for name, other in bounds.items() if name != level):
                raise self._error(f"{where}.limit", "limits must ascend from LL over L and H to HH")
            if rule.of is None and point.range and not point.range[0] <= limit <= point.range[1]:
                raise self._error(f"{where}.limit", f"{limit:g} is not within the point's range {list(point.range)}")
            own = at.deadband is not None
            deadband = self._quantity(f"{where}.deadband" if own else "deadband",
                                      at.deadband if at.deadband is not None else rule.deadband, unit)  # fmt: skip
            made = self._make(
                rule.point, unit, signal, limit, level=level, deadband=deadband,
                low=limit if level in ("H", "HH") else None, high=limit if level in ("L", "LL") else None,
                on_delay=(f"{where}.on_delay", at.on_delay) if at.on_delay is not None else ("on_delay", rule.on_delay),
                off_delay=(f"{where}.off_delay", at.off_delay) if at.off_delay is not None else None,
            )  # fmt: skip
            made = structs.replace(made, priority=self._priority(at, where), message=at.message or made.message)
            yield _versioned(made)

    def _windowed(self, rule: lang.Limits) -> Signal:
        match rule.of, rule.over:
            case None, None:
                return Column(rule.point)
            case str(), str() | float():
                return Column(f"{rule.of}({rule.point}, {self._span('over', rule.over)})")
            case _:
                raise self._error("of" if rule.of else "over", "of: and over: belong together")

    def _deviation(self, rule: lang.Deviation) -> Rule:
        unit = self._point(rule.point).unit
        if isinstance(rule.from_, str) and rule.from_ in self._points | self._elsewhere:
            other = self._point(rule.from_, "from")
            if not same_unit(other.unit, unit):
                reason = f"{rule.from_} is in {other.unit or 'no unit'}, the point in {unit or 'none'}"
                raise self._error("from", reason)
            reference = rule.from_
        elif isinstance(rule.from_, str) and not _QUANTITY.match(rule.from_):
            self._point(rule.from_, "from")
            raise AssertionError("an unknown point was found")
        else:
            reference = repr(self._quantity("from", rule.from_, unit))
        by = self._quantity("more_than", rule.more_than, unit)
        return self._make(rule.point, unit, Formula(f"abs({rule.point} - {reference})"), by, low=by,
                          deadband=self._quantity("deadband", rule.deadband, unit),
                          on_delay=("on_delay", rule.on_delay))  # fmt: skip

    def _rate(self, rule: lang.Rate) -> Rule:
        unit = f"{self._point(rule.point).unit}/s"
        by = self._quantity("faster_than", rule.faster_than, unit)
        if by <= 0:
            raise self._error("faster_than", "must be above 0; say direction: down for a fall")
        window = f"rate({rule.point}, {self._span('over', rule.over)})"
        signal = Column(window) if rule.direction != "either" else Formula(f"abs({window})")
        limit = -by if rule.direction == "down" else by
        falls = rule.direction == "down"
        return self._make(rule.point, unit, signal, limit, low=None if falls else limit, high=limit if falls else None,
                          on_delay=("on_delay", rule.on_delay),
                          deadband=self._quantity("deadband", rule.deadband, unit))  # fmt: skip

    def _state(self, rule: lang.State) -> Rule:
        point = self._point(rule.point)
        if isinstance(rule.is_, str):
            if rule.is_ not in point.states:
                close = difflib.get_close_matches(rule.is_, point.states, 1)
                hint = f"did you mean '{close[0]}'?" if close else f"it has {', '.join(point.states) or 'none'}"
                raise self._error("is", f"unknown state '{rule.is_}' of {rule.point}, {hint}")
            number = float(point.states[rule.is_])
        else:
            number = float(rule.is_)
        return self._make(rule.point, point.unit, Column(rule.point), number, low=number, high=number,
                          on_delay=("for", rule.for_))  # fmt: skip

    def _no_data(self, rule: lang.NoData) -> Rule:
        if bool(rule.point) == bool(rule.device):
            raise self._error("", "say either point: or device:")
        if rule.while_:
            raise self._error("while", "no_data watches always")
        if rule.point:
            self._point(rule.point)
            signal = Silence(next(d for d in self._devices if rule.point.startswith(d + ".")), rule.point)
        elif rule.device not in self._devices:
            raise self._unknown("device", "device", rule.device, list(self._devices))
        else:
            signal = Silence(rule.device, "")
        after = self._micros("for", rule.for_) / 1e6
        if after <= 0:
            raise self._error("for", "must be above 0")
        return self._make(rule.point or rule.device, "s", signal, after, low=after)

    def _baseline(self, rule: lang.Baseline) -> Rule:
        if not rule.points:
            raise self._error("points", "a baseline needs at least one point")
        for i, name in enumerate(rule.points):
            self._point(name, f"points[{i}]")
        owners = {next(d for d, device in self._devices.items() if device.point(n)) for n in rule.points}
        if len(owners) > 1 or len(set(rule.points)) != len(rule.points):
            raise self._error("points", "points of one device, each once")
        learn, smooth = self._samples("learn", rule.learn), self._samples("smooth", rule.smooth)
        if smooth < 1 or learn < max(30, 5 * smooth):
            raise self._error("learn", f"must be at least 30 samples, and five times smooth ({max(5 * smooth, 5)})")
        if not rule.unusual_by > 0:
            raise self._error("unusual_by", "must be above 0")
        adapt = self._samples("adapt", rule.adapt)
        if adapt and adapt < 10 * smooth:
            reason = f"must be 0 or at least ten times smooth ({10 * smooth}): else it learns the fault"
            raise self._error("adapt", reason)
        signal = Normal(tuple(rule.points), learn, smooth, adapt)
        return self._make(rule.points[0], "", signal, rule.unusual_by, low=rule.unusual_by,
                          deadband=rule.unusual_by * 0.25)  # fmt: skip

    # --- the parts -------------------------------------------------------------------------------------------------

    def _make(
        self, point: str, unit: str, signal: Signal, limit: float | None, *, level: str = "", low: float | None = None,
        high: float | None = None, deadband: float = 0.0, on_delay: tuple[str, str | float] = ("", 0.0),
        off_delay: tuple[str, str | float] | None = None,
    ) -> Rule:  # fmt: skip
        rule = self._rule
        if rule.while_:
            self._expression("while", rule.while_)
        if deadband < 0:
            raise self._error("deadband", "must not be negative")
        id_ = f"{rule.rule}.{level}" if level else rule.rule
        made = Rule(
            rule=id_, version="", area=self._area, kind=type(rule).__struct_config__.tag, point=point,  # type: ignore[arg-type]
            message=rule.message or rule.title or id_, priority=self._priority(), unit=unit, limit=limit, low=low,
            high=high, deadband=deadband, signal=signal, gate=rule.while_,
            on_delay_us=self._micros(*on_delay),
            off_delay_us=self._micros(*(off_delay or ("off_delay", rule.off_delay))),
            words={name.rstrip("_"): str(text) for name in _WORDS if (text := getattr(rule, name))},
        )  # fmt: skip
        return _versioned(made)

    def _priority(self, level: lang.LimitLevel | None = None, where: str = "") -> Priority:
        """What the level, then the rule say; else what the matrix says; a difference needs its reason."""
        own = level is not None and (level.severity or level.priority)
        said: lang.LimitLevel | lang.AnyRule = level if level is not None and own else self._rule
        severity = (level.severity if level else None) or self._rule.severity
        response, prefix = self._rule.response_time, f"{where}." if own else ""
        response_s = None if response is None else self._micros("response_time", response) / 1e6
        if severity is None or response_s is None:
            if said.severity is not None:
                raise self._error(f"{prefix}severity", "the matrix needs severity and response_time")
            return said.priority or "medium"
        matrix = priority_of(severity, response_s)
        if said.priority not in (None, matrix) and not (said.priority_reason or self._rule.priority_reason):
            raise self._error(
                f"{prefix}priority", f"{severity} with {response} to respond is '{matrix}', not '{said.priority}': "
                "leave priority out, or say why it differs in priority_reason")  # fmt: skip
        return said.priority or matrix

    def _error(self, field: str, reason: str) -> ConfigError:
        return self._document.error(f"{self._at}.{field}" if field else self._at, reason)

    def _unknown(self, field: str, what: str, name: str, known: list[str]) -> ConfigError:
        close = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f", did you mean '{close[0]}'?" if close else f" in area {self._area}"
        return self._error(field, f"unknown {what} '{name}'{hint}")

    def _point(self, name: str, field: str = "point") -> Point:
        if (found := self._points.get(name)) is not None:
            return found
        if name in self._elsewhere:
            raise self._error(field, f"'{name}' is of area {self._elsewhere[name]}; a rule stays within its area")
        raise self._unknown(field, "point", name, list(self._points))

    def _quantity(self, field: str, value: lang.Quantity, unit: str) -> float:
        """The number of a quantity that must be in `unit`."""
        if not isinstance(value, str):
            number = float(value)
        elif not (match := _QUANTITY.match(value)):
            raise self._error(field, f"'{value}' is no quantity: write 200 or 200 {unit}".rstrip())
        elif match[2] and not same_unit(match[2], unit):
            raise self._error(field, f"'{value}': the point is in {unit or 'no unit'}, not in {match[2]}")
        else:
            number = float(match[1])
        if not math.isfinite(number):
            raise self._error(field, f"'{value}' is not finite")
        return number

    def _micros(self, field: str, value: str | float) -> int:
        try:
            return round(duration.seconds(value) * 1e6)
        except ValueError as error:
            raise self._error(field, str(error)) from None

    def _samples(self, field: str, text: str) -> int:
        if not (match := _SAMPLES.match(text)) or int(match[1]) > MAX_SAMPLES:
            raise self._error(field, f"'{text}': write a number of samples up to {MAX_SAMPLES}, as in 300 samples")
        return int(match[1])

    def _span(self, field: str, value: Any) -> str:
        """A span as the expression language writes it."""
        if isinstance(value, str) and (match := _SAMPLES.match(value)):
            if not 2 <= int(match[1]) <= MAX_SAMPLES:
                raise self._error(field, f"must be 2 to {MAX_SAMPLES} samples")
            return f"{int(match[1])} samples"
        micros = self._micros(field, value)
        if micros <= 0:
            raise self._error(field, "must be above 0")
        return f"{micros / 1e6:.15g}s"

    def _expression(self, field: str, text: str, want: Kind = "bool") -> tuple[str, ...]:
        """The names in a right expression, in order."""
        try:
            tree = parse(text)
            problems = resolve(tree, self._types, want)[1]
        except Problem as unreadable:
            problems = [unreadable]
        else:
            if not problems and not names(tree):
                problems = [Problem((1, 1), "it names no point: it would never change")]
        for problem in problems:
            found = self._error(field, problem.reason)
            raise ConfigError(found.file, found.line + problem.line - 1, found.column + problem.column - 1,
                              problem.reason)  # fmt: skip
        return names(tree)


def _versioned(rule: Rule) -> Rule:
    return structs.replace(rule, version=digest(structs.replace(rule, version="")))
