"""New rules in place of old ones, without raising again what stands.

A rule is the same one while its name, its area and its point are the same, whatever else was changed: its standing
goes on, and clears when the new words do not hold any more, by the ordinary off-delay. A delay that runs goes on, if
what it waits for is still so by the new words. Only a rule that is withdrawn clears at once. Where the words that
decide have changed, the newest values are judged by them at once: the next sample may be long in coming.
"""

from __future__ import annotations

from detection.area import Area, Said
from detection.bank import Bank
from detection.detector import CLEARING, NORMAL, PENDING, STANDING
from detection.ruleset import Rule


def take_over(old: Area, new: Area, at: int, live_after: int) -> Said:
    """Give `new` the state of `old`: what the newest values make the changed rules say.

    Args: at: now [us]; values older than `live_after` [us] are history.
    """
    _transfer(old, new)
    before = {r.identity: r for r in old.rules}
    moved: set[str] = set()
    for rules, bank in new.banks():
        for k, rule in enumerate(rules):
            was = before.get(rule.identity)
            if was is None or _deciding(was) != _deciding(rule):
                moved.add(rule.rule)
            if was is not None and _condition(was) != _condition(rule):
                _look_again(bank, k, was.signal == rule.signal and was.gate == rule.gate)
        bank.restored()
    return new.review(moved, at, live_after) if moved else []


def _transfer(old: Area, new: Area) -> None:
    """What is the same in both keeps its state: rules, points, windows."""
    rows = {key: (part, i) for keys, part, _ in old.parts() for i, key in enumerate(keys)}
    for keys, part, independent in new.parts():
        for i, key in enumerate(keys):
            if (found := rows.get(key)) is None:
                continue
            source, j = found
            for name, array in part.state().items():
                if independent:
                    array[i] = source.state()[name][j]
                else:
                    setattr(part, name, source.state()[name].copy())


def _condition(rule: Rule) -> tuple[object, ...]:
    return rule.signal, rule.gate, rule.low, rule.high, rule.deadband


def _deciding(rule: Rule) -> tuple[object, ...]:
    return *_condition(rule), rule.on_delay_us, rule.off_delay_us


def _look_again(bank: Bank, k: int, same_signal: bool) -> None:
    """Rule `k` waits for the end of a delay only if its last value still says so."""
    value = float(bank.value[k])
    if bank.phase[k] == PENDING and not (same_signal and bank.low[k] <= value <= bank.high[k]):
        bank.phase[k] = NORMAL
    if bank.phase[k] == CLEARING and not (same_signal and not bank.clear_low[k] <= value <= bank.clear_high[k]):
        bank.phase[k] = STANDING
