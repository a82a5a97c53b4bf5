"""The definition, looked up by what an input names: its rule, its alarm, its device, its group. Pure.

It follows from the definition alone. What needs a search over all definitions is searched once and kept: in a flood a
search for each alarm would cost more than the alarm.
"""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase

from incidents.definition import AlarmDefinition, Definition, Policy

POLICY = Policy()

Key = tuple[str, str]
"""(area, rule) or (area, name)."""


class Index:
    """Attributes: definition: what it was made from."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._by_rule = {(d.area, rule): d for d in definition.alarms.values() for rule in d.rules}
        self._by_name = {(d.area, d.name): d for d in definition.alarms.values()}
        self._names: dict[str, list[str]] = defaultdict(list)
        self._devices: dict[Key, list[str]] = defaultdict(list)
        self._steered: dict[Key, list[str]] = defaultdict(list)
        self._suppressed: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        """Area -> pattern of the suppressor -> names of the alarms it suppresses."""
        for d in definition.alarms.values():
            self._names[d.area].append(d.name)
            if d.device:
                self._devices[d.area, d.device].append(d.name)
            if not d.safety:
                for rule in d.suppressing:
                    self._steered[d.area, rule].append(d.name)
                for pattern in d.suppressed_by:
                    self._suppressed[d.area][pattern].append(d.name)
        self._defaults: dict[Key, AlarmDefinition] = {}
        self._matching: dict[Key, tuple[str, ...]] = {}
        self._targets: dict[Key, tuple[str, ...]] = {}
        self._causes: dict[Key, tuple[str, ...]] = {}
        self._follows: dict[tuple[str, str, str], bool] = {}

    def policy(self, area: str) -> Policy:
        return self.definition.policies.get(area, POLICY)

    def of_rule(self, area: str, rule: str) -> AlarmDefinition:
        """Of the alarm that the rule is a level of; by its own name where no file says more."""
        return self._by_rule.get((area, rule)) or self.of(area, rule)

    def of(self, area: str, name: str) -> AlarmDefinition:
        """Of the alarm with this name."""
        key = (area, name)
        found = self._by_name.get(key) or self._defaults.get(key)
        if found is None:
            found = self._defaults[key] = AlarmDefinition(name=name, area=area, rules=(name,))
        return found

    def knows(self, area: str, name: str) -> bool:
        """Whether a file defines this alarm."""
        return (area, name) in self._by_name

    def of_device(self, area: str, device: str) -> tuple[str, ...]:
        """Names of the device's alarms in the area."""
        return tuple(self._devices.get((area, device), ()))

    def steered_by(self, area: str, rule: str) -> tuple[str, ...]:
        """Names of the alarms that this rule of kind "suppression" suppresses while it holds."""
        return tuple(self._steered.get((area, rule), ()))

    def suppressed_by(self, area: str, name: str) -> tuple[str, ...]:
        """Names of the alarms that this one suppresses: none that it follows from, it names what they are caused by."""
        if area not in self._suppressed:
            return ()
        key = (area, name)
        if key not in self._targets:
            found = [t for pattern, targets in self._suppressed[area].items() if fnmatchcase(name, pattern)
                     for t in targets]  # fmt: skip
            self._targets[key] = tuple(
                t for t in dict.fromkeys(found) if t != name and not self.follows(area, name, t)
            )
        return self._targets[key]

    def causes(self, area: str, name: str) -> tuple[str, ...]:
        """Names of the alarms that this one follows from by design, as its definition lists them."""
        key = (area, name)
        if key not in self._causes:
            named = [n for p in self.of(area, name).consequence_of for n in self._match(area, p)]
            self._causes[key] = tuple(n for n in dict.fromkeys(named) if n != name)
        return self._causes[key]

    def follows(self, area: str, name: str, cause: str) -> bool:
        """Whether the alarm `name` is, by design, a consequence of `cause`: directly or over others of the area."""
        key = (area, name, cause)
        if key not in self._follows:
            seen, open_ = {name}, [name]
            while open_ and cause not in seen:
                nexts = [n for n in self.causes(area, open_.pop()) if n not in seen]
                seen.update(nexts)
                open_ += nexts
            self._follows[key] = cause in seen and cause != name
        return self._follows[key]

    def _match(self, area: str, pattern: str) -> tuple[str, ...]:
        """Names that the pattern means; a plain one means itself, defined or not."""
        if not set(pattern) & set("*?["):
            return (pattern,)
        key = (area, pattern)
        if key not in self._matching:
            self._matching[key] = tuple(n for n in self._names[area] if fnmatchcase(n, pattern))
        return self._matching[key]
