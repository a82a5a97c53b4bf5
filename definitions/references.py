"""Lint: two alarms for one thing, and alarms that hide each other or what they follow from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from config.findings import Finding, found
from definitions.alarms import Named
from detection.ruleset import Column, Formula, Rule
from detection.written import Written
from incidents.definition import AlarmDefinition, any_of

Edges = dict[str, tuple[str, ...]]


def check_duplicates(rules: Sequence[Written]) -> Iterator[Finding]:
    """Two rules with the same condition: people acknowledge everything twice."""
    seen: dict[object, str] = {}
    for written in rules:
        for rule in written.alarming:
            first = seen.setdefault(_condition(rule), rule.rule)
            if first != rule.rule:
                wrong = written.error("rule", f"'{rule.rule}' has the same condition as '{first}'")
                yield found(wrong, "duplicate", "leave one of them out")


def _condition(rule: Rule) -> tuple[object, ...]:
    match rule.signal:
        case Column(key=text) | Formula(text=text):
            what: object = "".join(text.split())
        case signal:
            what = signal
    return rule.area, what, rule.low, rule.high, "".join(rule.gate.split())


def check_references(alarms: Sequence[Named], definitions: dict[str, AlarmDefinition]) -> Iterator[Finding]:
    """Circles of consequences and of suppressions, and the suppression of what must be seen."""
    by_name = {a.name: a for a in alarms}
    follows = _edges(by_name, "consequence_of")
    suppressed = _edges(by_name, "suppressed_by")
    for name, alarm in by_name.items():
        rule = alarm.written.rule
        if definitions[name].safety and (rule.suppress_when or rule.suppressed_by):
            field = "suppress_when" if rule.suppress_when else "suppressed_by"
            wrong = alarm.written.error(field, f"'{name}' is a safety alarm: it is never suppressed by design")
            yield found(wrong, "suppression", "leave this out, or let people shelve it")
        for other in suppressed[name]:
            if name in _reached(other, follows):
                wrong = alarm.written.error("suppressed_by", f"'{name}' names the cause of '{other}'")
                yield found(wrong, "suppression", "an alarm that follows from it must not hide it: turn it round")
    for field, edges in (("consequence_of", follows), ("suppressed_by", suppressed)):
        for circle in _circles(edges):
            wrong = by_name[circle[0]].written.error(field, f"a circle: {' of '.join((*circle, circle[0]))}")
            yield found(wrong, "circle", "take one of them out: which one is first?")


def _edges(alarms: dict[str, Named], field: str) -> Edges:
    """Alarm -> the alarms of its area that it names."""
    areas: dict[str, list[str]] = {}
    for name, alarm in alarms.items():
        areas.setdefault(alarm.written.area, []).append(name)
    out: Edges = {}
    for name, alarm in alarms.items():
        here = areas[alarm.written.area]
        meant = [other for said in getattr(alarm.written.rule, field) for other in _meant(said, alarms, here)]
        out[name] = tuple(
            o for o in dict.fromkeys(meant) if o != name and alarms[o].written.area == alarm.written.area
        )  # fmt: skip
    return out


def _meant(said: str, alarms: dict[str, Named], here: list[str]) -> list[str]:
    if "*" in said or "?" in said or "[" in said:
        return [other for other in here if any_of((said,), other)]
    return [other for other in (said, f"{said}.high", f"{said}.low") if other in alarms]


def _reached(start: str, edges: Edges) -> set[str]:
    found_: set[str] = set()
    left = [start]
    while left:
        for other in edges[left.pop()]:
            if other not in found_:
                found_.add(other)
                left.append(other)
    return found_


def _circles(edges: Edges) -> Iterator[tuple[str, ...]]:
    """One circle for each alarm that first closes one, beginning with the first of its names."""
    told: set[frozenset[str]] = set()
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        stack = [(start, iter(edges[start]))] if start not in done else []
        path += [start] if stack else []
        while stack:
            name, others = stack[-1]
            for other in others:
                if other in path:
                    circle = tuple(path[path.index(other):])
                    if frozenset(circle) not in told:
                        told.add(frozenset(circle))
                        yield circle
                elif other not in done:
                    stack.append((other, iter(edges[other])))
                    path.append(other)
                    break
            else:
                done.add(name)
                stack.pop()
                path.pop()
