"""Lint: can every limit be reached and left again, within the range that its point can have?

Values outside a point's range are BAD and no rule acts on them: what lies there is never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from config import duration
from config.findings import Finding, found
from detection import language
from detection.ruleset import Formula, Rule, Silence
from detection.written import Written
from devices.plant import Plant

Range = tuple[float, float]
_ORDER = ("LL", "L", "H", "HH")
_LIKE_THE_POINT = (None, "mean", "ewma", "min", "max")
_UNREACHABLE = "move the limit, or mend the point's range"


def check_ranges(rules: Sequence[Written], plant: Plant) -> Iterator[Finding]:
    """Limits and deadbands against the range of their point, and against each other."""
    points = {full: point.range for full, (_, point) in plant.points.items()}
    for written in rules:
        match written.rule:
            case language.Limits(point=point, of=of):
                yield from _gaps(written)
                yield from _limits(written, _of(of, points[point]))
            case language.Deviation(point=point):
                (rule,) = written.alarming
                apart = _apart(rule, points)
                if apart is not None and rule.limit is not None and rule.limit > apart:
                    yield _never(written, "more_than", f"they never differ by more than {apart:g}")
            case language.Flatline(point=point):
                (rule,) = written.alarming
                if (range_ := points[point]) and rule.limit is not None and rule.limit > range_[1] - range_[0]:
                    wrong = written.error("moves_less_than", f"the whole range is {range_[1] - range_[0]:g}: always so")
                    yield found(wrong, "unreachable", "make it smaller than the range")
            case language.State(point=point):
                (rule,) = written.alarming
                if (range_ := points[point]) and rule.low is not None and not range_[0] <= rule.low <= range_[1]:
                    yield _never(written, "is", f"the point's range is {list(range_)}")
            case language.Rate() | language.NoData() | language.Expression() | language.Baseline():
                pass  # no range says what they can be


def check_delays(rules: Sequence[Written]) -> Iterator[Finding]:
    """An alarm that comes when the time to act is over."""
    for written in rules:
        if written.rule.response_time is None:
            continue
        response_s = duration.seconds(written.rule.response_time)
        for rule in written.alarming:
            delay_s = rule.on_delay_us / 1e6 + ((rule.limit or 0.0) if isinstance(rule.signal, Silence) else 0.0)
            if delay_s >= response_s:
                wrong = written.error("rule", f"'{rule.rule}' comes after {delay_s:g} s, the time to respond is over")
                yield found(wrong, "late", f"make its delay much shorter than response_time ({response_s:g} s)")


def check_silence(rules: Sequence[Written], plant: Plant) -> Iterator[Finding]:
    """A device that can fall silent without anybody being told."""
    points = plant.points
    watched = {r.signal.device for w in rules for r in w.compiled if isinstance(r.signal, Silence)}
    for written in rules:
        for rule in written.alarming:
            device = points[rule.point][0].device if rule.point in points else ""
            if device and device not in watched:
                watched.add(device)
                wrong = written.error("rule", f"device '{device}' is watched, but not whether it still sends")
                todo = f"add a rule of kind no_data with device: {device}"
                yield found(wrong, "blind", todo, "warning")


def _of(of: str | None, range_: Range | None) -> Range | None:
    """What the signal can be."""
    if range_ is None:
        return (0.0, float("inf")) if of in ("count", "range", "deviation") else None
    span = range_[1] - range_[0]
    if of in _LIKE_THE_POINT:
        return range_
    return {"range": (0.0, span), "deviation": (0.0, span / 2), "count": (0.0, float("inf"))}.get(of or "")


def _apart(rule: Rule, points: dict[str, Range | None]) -> float | None:
    """How far the two of a deviation can be apart; None: no range says it."""
    assert isinstance(rule.signal, Formula)
    reference = rule.signal.text.removeprefix(f"abs({rule.point} - ").removesuffix(")")
    mine, other = points[rule.point], points[reference] if reference in points else (float(reference),) * 2
    return max(mine[1] - other[0], other[1] - mine[0]) if mine and other else None


def _limits(written: Written, range_: Range | None) -> Iterator[Finding]:
    if range_ is None:
        return
    low, high = range_
    for rule in written.alarming:
        level, limit = rule.rule.rpartition(".")[2], rule.limit or 0.0
        place, upper = f"limits.{level}.limit", level in ("H", "HH")
        clears = limit - rule.deadband if upper else limit + rule.deadband
        if limit > high if upper else limit < low:
            side, end = ("above", high) if upper else ("below", low)
            yield _never(written, place, f"the signal is never {side} {end:g}")
        elif limit <= low if upper else limit >= high:
            end_of = "lower" if upper else "upper"
            wrong = written.error(place, f"{limit:g} is the {end_of} end of the range: always so")
            yield found(wrong, "unreachable", _UNREACHABLE)
        elif clears <= low if upper else clears >= high:
            wrong = written.error(_deadband(written, level), f"with {rule.deadband:g} '{rule.rule}' never clears")
            yield found(wrong, "deadband", f"it would have to pass {clears:g}; its range is {list(range_)}")


def _gaps(written: Written) -> Iterator[Finding]:
    """A deadband that reaches over the next level: that one is passed before this one has cleared."""
    by_level = {r.rule.rpartition(".")[2]: r for r in written.alarming}
    for lower, upper in pairwise(level for level in _ORDER if level in by_level):
        gap = (by_level[upper].limit or 0.0) - (by_level[lower].limit or 0.0)
        for level in (upper if upper in ("H", "HH") else "", lower if lower in ("L", "LL") else ""):
            if level and by_level[level].deadband > gap:
                reason = f"{by_level[level].deadband:g} is more than the {gap:g} between {lower} and {upper}"
                todo = f"make it smaller, or give {level} a deadband of its own"
                yield found(written.error(_deadband(written, level), reason), "deadband", todo, "warning")


def _never(written: Written, field: str, why: str) -> Finding:
    return found(written.error(field, f"it can never be reached: {why}"), "unreachable", _UNREACHABLE)


def _deadband(written: Written, level: str) -> str:
    rule = written.rule
    own = isinstance(rule, language.Limits) and rule.limits[level].deadband is not None  # type: ignore[index]
    return f"limits.{level}.deadband" if own else "deadband"
