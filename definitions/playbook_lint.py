"""Every check of a plant's playbooks, against the points, alarms and people of the same folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from config.findings import Finding, found
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
    written, wrong = _rules(folder, plant)
    known = Known(people={*positions, *persons} or None, alarms=_alarms(written))
    unread = (found(error, "alarms", "mend it: its alarms are not known here", "warning") for error in wrong)
    return sorted([*map(unusable, errors), *unread, *lint(loaded, plant, known)])


def _rules(folder: Path, plant: Plant) -> tuple[list[Written], list[ConfigError]]:
    """Those that can be read, and what is wrong with the others."""
    known, wrong = classes.load(folder)
    written, errors = rules.read(sorted((folder / "rules").glob("*.y*ml")), folder, plant, known)
    return written, [*wrong, *errors]


def _alarms(written: Iterable[Written]) -> dict[str, set[str]]:
    """By area, the names of its rules and alarms: a trigger may name either."""
    by_area: dict[str, set[str]] = {}
    for one in written:
        names = by_area.setdefault(one.area, set())
        names |= {one.rule.rule, *(r.rule for r in one.alarming), *(a.name for a in alarms_of(one))}
    return by_area
