"""Lint: is every alarm rationalised, and are there no more urgent ones than people can tell apart?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from config.findings import Finding, found
from definitions.alarms import Named
from detection import language
from detection.written import Written
from events.types import PRIORITIES, Priority

WANTED = {
    "cause": "say what makes it come",
    "consequence": "say what happens if nobody acts",
    "action": "say what the operator does; if there is nothing, it should be no alarm",
    "response_time": "say how long there is to act, as in 10min",
    "owner": "say which position answers for it, here or in its class",
    "severity": "say minor, moderate, major or severe: with response_time it gives the priority",
}
MIX_FROM = 40
"""So many alarms are needed until the mix of priorities says anything."""
MIX: dict[Priority, tuple[float, float]] = {"low": (0.65, 1.0), "medium": (0.0, 0.25), "high": (0.0, 0.10)}
"""Shares around 80 / 15 / 5 %; critical counts as high (EEMUA 191)."""


def check_words(rules: Sequence[Written], positions: Sequence[str]) -> Iterator[Finding]:
    """What is missing of the rationalisation, and owners that nobody is. Args: positions: of people/*.yaml."""
    for written in rules:
        missing = [name for name in WANTED if not _said(written, name)]
        for name in missing:
            wrong = written.error("rule", f"'{written.rule.rule}' has no {name}")
            yield found(wrong, "rationalisation", WANTED[name])
        owner = written.rule.owner
        if positions and owner and owner not in positions:
            place = written.error("owner" if written.own.owner else "class", f"nobody holds the position '{owner}'")
            yield found(place, "owner", f"people/*.yaml has {', '.join(positions)}", "warning")


def _said(written: Written, name: str) -> bool:
    rule = written.rule
    if name == "severity" and isinstance(rule, language.Limits):
        return bool(rule.severity) or all(level.severity for level in rule.limits.values())
    value = getattr(rule, name)
    return value is not None and str(value).strip() != ""


def check_mix(alarms: Sequence[Named]) -> Iterator[Finding]:
    """Whether the priorities are far from 80 / 15 / 5 %; said once, at the first alarm of the priority."""
    if len(alarms) < MIX_FROM:
        return
    highest = [max((r.priority for r in a.rules), key=PRIORITIES.index) for a in alarms]
    count: Counter[Priority] = Counter("high" if p == "critical" else p for p in highest)
    for priority, (least, most) in MIX.items():
        share = count[priority] / len(alarms)
        if least <= share <= most:
            continue
        first = next((a for a, p in zip(alarms, highest, strict=True) if p == priority), alarms[0])
        wrong = first.written.error("rule", f"{share:.0%} of {len(alarms)} alarms are {priority}")
        todo = f"aim at 80 % low, 15 % medium, 5 % high: {'too few' if share < least else 'too many'} of these"
        yield found(wrong, "priority mix", todo, "warning")
