"""Alarms that a playbook itself causes (`consequences:`) follow from the alarms that set it off. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from incidents.definition import AlarmDefinition, any_of
from playbooks.loading import consequences
from playbooks.plan import PlaybookSet


def with_consequences(alarms: Mapping[str, AlarmDefinition], books: PlaybookSet) -> dict[str, AlarmDefinition]:
    """The alarms, by name, with what playbooks add to their `consequence_of`; only within an area, none of itself."""
    found = dict(alarms)
    for pattern, rules in consequences(books).items():
        caused = {name for name in alarms if any_of((pattern,), name)}
        others = (a for a in alarms.values() if a.name not in caused)
        causes = [a for a in others if any(any_of(rules, name) for name in (a.name, *a.rules))]
        for name in caused:
            alarm = found[name]
            more = (c.name for c in causes if c.area == alarm.area)
            found[name] = replace(alarm, consequence_of=tuple(dict.fromkeys((*alarm.consequence_of, *more))))
    return found
