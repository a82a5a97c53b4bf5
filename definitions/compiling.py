"""A plant folder, compiled: what detection and the incidents stage of one home decide by.

Here rules, classes, policies and people meet: what one names the others must have.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, structs

from config.yamlfile import ConfigError
from definitions.alarms import define_alarms
from definitions.consequences import with_consequences
from definitions.system import system_alarms
from definitions.watches import watch_rules
from detection import classes, rules
from detection.compiling import Scope
from detection.ruleset import Rule, RuleSet
from detection.written import Written, compile_correlation
from devices.plant import Plant
from events.topics import PLANT_WIDE
from incidents import definition as incidents
from incidents import people, policies
from incidents.definition import Definition
from playbooks.loading import load as load_playbooks


class Compiled(Struct, frozen=True):
    """Attributes:
    rules, incidents: what the two stages get; written: the rules of all areas as they stand in the files.
    bad_rules, bad_incidents: what is not in force as it is on disk, of either.
    """

    rules: RuleSet
    incidents: Definition
    written: tuple[Written, ...]
    bad_rules: list[ConfigError]
    bad_incidents: list[ConfigError]

    @property
    def errors(self) -> list[ConfigError]:
        return [*self.bad_rules, *self.bad_incidents]


def compile_folder(folder: Path, plant: Plant, edge: str = "") -> Compiled:
    """All that the files say for the areas whose home is the plant, or that edge; errors name files relative to it."""
    known, bad_rules = classes.load(folder)
    written, wrong = rules.read(sorted((folder / "rules").glob("*.y*ml")), folder, plant, known)
    alarms, bad_incidents = define_alarms(written)
    alarms |= system_alarms(plant.areas)
    books, _ = load_playbooks(folder / "playbooks", plant)  # whoever gives them to their stage says what is wrong
    alarms = with_consequences(alarms, books)
    by_area, across, bad_policies = policies.load(folder, plant)
    positions, escalations, bad_people = people.load(folder, plant)
    correlations, bad_conditions = _correlations(folder, plant)
    home = incidents.define(plant, edge)
    own = {*home.areas, *([] if edge else [PLANT_WIDE])}
    definition = structs.replace(
        home, alarms={name: a for name, a in alarms.items() if a.area in own},
        policies={area: policy for area, policy in by_area.items() if area in own},
        escalations=escalations, positions=positions, across=() if edge else across,
    )  # fmt: skip
    named = policies.check_names(folder, plant, [(a.area, name) for name, a in alarms.items()], escalations)
    decided = [*(r for w in written for r in w.compiled), *correlations, *watch_rules(books)]
    return Compiled(
        rules=rules.rule_set(decided, plant, edge),
        incidents=definition, written=tuple(written), bad_rules=[*bad_rules, *wrong],
        bad_incidents=[*bad_incidents, *bad_policies, *bad_conditions, *bad_people, *named],
    )  # fmt: skip


def define(folder: Path, plant: Plant, edge: str = "") -> tuple[Definition, list[ConfigError]]:
    """What the incidents stage decides by, and what of the files cannot be used."""
    compiled = compile_folder(folder, plant, edge)
    return compiled.incidents, compiled.errors


def _correlations(folder: Path, plant: Plant) -> tuple[list[Rule], list[ConfigError]]:
    """The expressions by which alarms belong together, as rules of kind "correlation"."""
    found: list[Rule] = []
    errors: list[ConfigError] = []
    scopes: dict[str, Scope] = {}
    for c in policies.correlations(folder, plant):
        scope = scopes.setdefault(c.area, Scope(c.area, plant))
        try:
            found.append(compile_correlation(c.document, c.place.removesuffix(".when"), scope, c.rule, c.when, c.for_s))
        except ConfigError as error:
            errors.append(error)
    return found, errors
