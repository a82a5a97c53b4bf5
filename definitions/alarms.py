"""What a rule says about its alarm, as the incidents stage gets it: one definition for each side of a ladder."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec import structs

from config import duration
from config.yamlfile import ConfigError
from detection import language
from detection.ruleset import Rule
from detection.written import Written
from incidents.definition import AlarmDefinition, Annunciator, any_of

HIGH, LOW = ("H", "HH"), ("L", "LL")
"""Levels of the two sides of a ladder, lowest first. Each side is one alarm that changes its priority."""


@dataclass(frozen=True)
class Named:
    """An alarm of a rule. Attributes: rules: the levels of its ladder, lowest first, or its only rule."""

    name: str
    written: Written
    rules: tuple[Rule, ...]


def alarms_of(written: Written) -> tuple[Named, ...]:
    """The alarms of a rule: one, named like it; two, `RULE.high` and `RULE.low`, when its ladder has two sides."""
    name = written.rule.rule
    if not isinstance(written.rule, language.Limits):
        return (Named(name, written, written.alarming),)
    by_level = {r.rule.rpartition(".")[2]: r for r in written.alarming}
    sides = {side: tuple(by_level[level] for level in levels if level in by_level)
             for side, levels in (("high", HIGH), ("low", LOW))}  # fmt: skip
    both = all(sides.values())
    return tuple(Named(f"{name}.{side}" if both else name, written, rules) for side, rules in sides.items() if rules)


def define_alarms(rules: Sequence[Written]) -> tuple[dict[str, AlarmDefinition], list[ConfigError]]:
    """The definitions by name, and an error for each rule that says something about its alarm that cannot be.

    Such an alarm has the behaviour of any other then, by its own name: it is never lost.
    """
    named = [alarm for written in rules for alarm in alarms_of(written)]
    known: dict[str, dict[str, None]] = {}
    for alarm in named:
        known.setdefault(alarm.written.area, {})[alarm.name] = None
    definitions: dict[str, AlarmDefinition] = {}
    errors: dict[str, ConfigError] = {}
    for alarm in named:
        plain = _plain(alarm)
        try:
            definitions[alarm.name] = _behaving(alarm, plain, known[alarm.written.area])
        except ConfigError as error:
            definitions[alarm.name] = plain
            errors.setdefault(str(error), error)  # of both sides of a ladder it is one mistake
    return definitions, list(errors.values())


def _plain(alarm: Named) -> AlarmDefinition:
    """What cannot be wrong: what it is about, and its texts."""
    rule, first = alarm.written.rule, alarm.rules[0]
    point = first.point
    response = rule.response_time
    return AlarmDefinition(
        name=alarm.name, area=alarm.written.area, rules=tuple(r.rule for r in alarm.rules),
        device=point.rpartition(".")[0] or point, point=point, title=rule.title or first.message,
        safety=bool(rule.safety), owner=rule.owner, factor=rule.factor or "", klass=rule.class_, cause=rule.cause,
        consequence=rule.consequence, action=rule.action,
        response_s=0.0 if response is None else duration.seconds(response),  # detection has checked it
        suppressing=() if rule.safety else tuple(r.rule for r in alarm.written.compiled if r.kind == "suppression"),
    )  # fmt: skip


def _behaving(alarm: Named, plain: AlarmDefinition, known: Collection[str]) -> AlarmDefinition:
    """Raises: ConfigError: at the first place that is wrong."""
    written, rule = alarm.written, alarm.written.rule
    said = {
        "re_alarm_s": _seconds(written, "re_alarm"), "stale_s": _seconds(written, "stale_after"),
        "fleeting_s": _seconds(written, "fleeting"),
    }  # fmt: skip
    changes: dict[str, object] = {name: value for name, value in said.items() if value is not None}
    if rule.auto_acknowledge is not None:
        changes["auto_acknowledge"] = rule.auto_acknowledge
    if rule.chatter is not None:
        changes |= {
            "chatter": rule.chatter.count, "chatter_s": _time(written, "chatter.within", rule.chatter.within),
            "chatter_shelve_s": _time(written, "chatter.shelve", rule.chatter.shelve),
        }  # fmt: skip
        if not changes["chatter_s"]:
            raise written.error("chatter.within", "must be above 0")
    if rule.shelving is False:
        changes["shelve_s"] = {}
    elif isinstance(rule.shelving, dict):
        changes["shelve_s"] = {r: _time(written, f"shelving.{r}", t) for r, t in rule.shelving.items()}
    suppressed_by = _references(alarm, "suppressed_by", rule.suppressed_by, known)
    return structs.replace(
        plain, sequence=_sequence(written), group=rule.group,
        suppressed_by=() if plain.safety else suppressed_by,  # never by design; `lint` says so
        consequence_of=_references(alarm, "consequence_of", rule.consequence_of, known), **changes,
    )  # fmt: skip


def _sequence(written: Written) -> Annunciator:
    rule = written.rule
    sequence = rule.sequence or ("M" if rule.latching else "A")
    if rule.latching is not None and rule.latching != sequence.endswith("M"):
        raise written.error("latching", f"sequence {sequence} {'does not latch' if rule.latching else 'latches'}")
    if sequence.startswith("F") and not rule.group:
        raise written.error("sequence", f"{sequence}: first of which group? add group: NAME")
    match sequence:
        case "A" | "FA":
            return "A"
        case "M" | "FM":
            return "M"
        case "R" | "FR":
            return "R"


def _references(alarm: Named, field: str, names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """The names of alarms that are meant: a rule with two sides stands for both of its alarms."""
    found: list[str] = []
    for i, name in enumerate(names):
        sides = [side for side in (f"{name}.high", f"{name}.low") if side in known]
        if not sides and name not in known and not any(any_of((name,), other) for other in known):
            close = difflib.get_close_matches(name, known, 1)
            hint = f", did you mean '{close[0]}'?" if close else f" in area {alarm.written.area}"
            raise alarm.written.error(f"{field}[{i}]", f"no alarm is called '{name}'{hint}")
        if name == alarm.name or alarm.name in sides:
            raise alarm.written.error(f"{field}[{i}]", "it names the alarm itself")
        found += sides or [name]
    return tuple(found)


def _seconds(written: Written, field: str) -> float | None:
    value = getattr(written.rule, field)
    return None if value is None else _time(written, field, value)


def _time(written: Written, field: str, value: str | float) -> float:
    try:
        return duration.seconds(value)
    except ValueError as error:
        raise written.error(field, str(error)) from None
