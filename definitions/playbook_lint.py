"""Every check of a plant's playbooks, against the points, alarms and people of the same folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from config.findings import Finding
from config.yamlfile import ConfigError
from definitions.alarms import alarms_of
from detection import classes, rules
from detection.written import Written
from devices.plant import Plant, load_plant
from incidents import people
from playbooks.linting import Known, lint, unusable
from playbooks.loading import load_files


def lint_playbooks(folder: Path, also: Sequence[Path] = ()) -> list[Finding]:
    """All findings of `playbooks/` and `blueprints/`, and of files that are not there yet (`also`)."""
    try:
        plant, errors = load_plant(folder)
    except ConfigError as error:
        return [unusable(error)]
    there = sorted((folder / "playbooks").glob("*.y*ml"))
    loaded = load_files([*there, *(path for path in also if path not in there)], folder, plant)
    positions, persons = people.reachable(folder)
    known = Known(people={*positions, *persons} or None, alarms=_alarms(folder, plant))
    return sorted([*map(unusable, errors), *lint(loaded, plant, known)])


def _alarms(folder: Path, plant: Plant) -> dict[str, set[str]]:
    """By area, the names of its rules and alarms: a trigger may name either."""
    known, _ = classes.load(folder)
    written: list[Written] = rules.read(sorted((folder / "rules").glob("*.y*ml")), folder, plant, known)[0]
    found: dict[str, set[str]] = {}
    for one in written:
        names = found.setdefault(one.area, set())
        names |= {one.rule.rule, *(r.rule for r in one.alarming), *(a.name for a in alarms_of(one))}
    return found
