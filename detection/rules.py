"""The rules as detection runs them: every kind of rule is a signal, a band in which it alarms, and two delays.

`load` makes the `RuleSet` of a plant folder; it travels as the body of a `Configure` and lies in the snapshots.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from config import yamlfile
from config.yamlfile import ConfigError, Document
from detection import classes, language
from detection.classes import Classes
from detection.ruleset import NamedPoint, Rule, RuleSet, digest, unpack
from detection.written import Written, compile_rules
from devices.plant import Plant, schema

__all__ = ["NamedPoint", "Rule", "RuleSet", "json_schema", "load", "load_files", "read", "rule_set", "unpack"]


def load(folder: Path, plant: Plant, edge: str | None = "") -> tuple[RuleSet, list[ConfigError]]:
    """The rules of the plant folder (`rules/*.yaml`, with `classes/*.yaml`), and an error for each thing in either that
    cannot be used.

    All files are checked; the set has the rules of areas whose home is the plant, or that `edge`; None: of all areas.
    A file that is not readable as rules is left out whole; a rule with an error is left out alone. The errors name
    file, line and column, relative to `folder`.
    """
    known, bad_classes = classes.load(folder)
    written, errors = read(sorted((folder / "rules").glob("*.y*ml")), folder, plant, known)
    return rule_set([r for w in written for r in w.compiled], plant, edge), [*bad_classes, *errors]


def load_files(
    files: list[Path], root: Path, plant: Plant, known: Classes | None = None
) -> tuple[RuleSet, list[ConfigError]]:
    """The same for given files, of all areas; errors name them relative to `root`."""
    written, errors = read(files, root, plant, known)
    return rule_set([r for w in written for r in w.compiled], plant, None), errors


def read(
    files: list[Path], root: Path, plant: Plant, known: Classes | None
) -> tuple[list[Written], list[ConfigError]]:
    """The rules of all areas as they stand in the files. Args: known: the classes; None: not asked for."""
    errors: list[ConfigError] = []
    written: list[Written] = []
    taken: dict[str, str] = {}
    for path in files:
        try:
            document = yamlfile.read(path, root)
            parsed, broken, left_out = _parse(document)
        except ConfigError as error:
            errors.append(error)
            continue
        errors += broken
        if parsed.area not in plant.areas:
            reason = f"unknown area '{parsed.area}', plant.yaml has {', '.join(plant.areas)}"
            errors.append(document.error("$.area", reason))
            continue
        found, problems = compile_rules(document, parsed, plant, known, left_out)
        errors += problems
        for one in found:
            name = one.rule.rule
            if name in taken:
                errors.append(one.error("rule", f"rule '{name}' is defined in {taken[name]} already"))
                continue
            taken[name] = document.file
            written.append(one)
    return written, errors


def rule_set(rules: list[Rule], plant: Plant, edge: str | None) -> RuleSet:
    """The rules of the areas whose home is the plant (""), that edge, or of all (None)."""
    here = {a.area for a in plant.areas.values() if edge is None or (a.edge if a.home == "edge" else "") == edge}
    names = {
        full: NamedPoint(device.device, device.area, point.unit, dict(point.states))
        for full, (device, point) in plant.points.items()
        if device.area in here
    }
    late_after = round(plant.late_after_s * 1e6)
    kept = tuple(rule for rule in rules if rule.area in here)
    body = RuleSet(version="", late_after_us=late_after, areas=tuple(sorted(here)), names=names, rules=kept)
    return msgspec.structs.replace(body, version=digest(body))


def _parse(document: Document) -> tuple[language.RulesFile, list[ConfigError], frozenset[int]]:
    """The file; an error for each rule that is not of the model, and which ones these are.

    Raises:
        ConfigError: the file as a whole is not of the model.
    """
    try:
        return document.into(language.RulesFile), [], frozenset()
    except ConfigError as whole:
        data = document.data
        if not (isinstance(data, dict) and isinstance(data.get("rules"), list) and set(data) == {"area", "rules"}):
            raise
        original, errors, kept = data["rules"], [], []
        for i in range(len(original)):
            document.data = {**data, "rules": [*[_STANDIN] * i, original[i]]}
            try:
                document.into(language.RulesFile)
                kept.append(i)
            except ConfigError as error:
                errors.append(error)
        if not errors:
            raise whole from None
        document.data = {**data, "rules": [original[i] if i in kept else _STANDIN for i in range(len(original))]}
        return document.into(language.RulesFile), errors, frozenset(range(len(original))) - frozenset(kept)


_STANDIN = {"rule": "", "kind": "no_data", "for": 0}
"""Holds the place of a broken rule, so that the places of the others stay right."""


def json_schema() -> dict[str, object]:
    """JSON Schema of a file of `rules/`, from the model that also checks it; with what no single type can say."""
    made = schema(language.RulesFile)
    kinds = made["$defs"]
    assert isinstance(kinds, dict)
    windowed = [_said("of", {"not": {"type": "null"}}), _said("over", {"not": {"type": "null"}})]
    kinds["Limits"]["anyOf"] = [{"allOf": windowed}, {"not": {"anyOf": windowed}}]
    kinds["NoData"]["oneOf"] = [_said("point", {"minLength": 1}), _said("device", {"minLength": 1})]
    kinds["NoData"]["allOf"] = [{"properties": {"while": {"const": ""}}}]
    return made


def _said(field: str, how: dict[str, object]) -> dict[str, object]:
    return {"required": [field], "properties": {field: how}}
