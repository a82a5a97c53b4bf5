"""Rules as they stand in their files, each with what detection makes of it: what other compilers build on."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import NamedTuple

from config.yamlfile import ConfigError, Document
from detection import language
from detection.attributes import with_defaults
from detection.classes import Classes
from detection.compiling import Compiler, Scope
from detection.language import AnyRule
from detection.ruleset import Rule
from devices.plant import Plant


class Written(NamedTuple):
    """One rule of a file.

    Attributes:
        document, at: where it stands; own: as it stands there; rule: with what it takes from its class.
        compiled: the levels of a ladder, LL to HH, or one; before them the rule that suppresses, if it has one.
    """

    document: Document
    at: str
    area: str
    own: AnyRule
    rule: AnyRule
    compiled: tuple[Rule, ...]

    @property
    def alarming(self) -> tuple[Rule, ...]:
        """Those of which alarms are made."""
        return tuple(r for r in self.compiled if r.kind != "suppression")

    def error(self, field: str, reason: str) -> ConfigError:
        return self.document.error(f"{self.at}.{field}" if field else self.at, reason)


def compile_rules(
    document: Document, file: language.RulesFile, plant: Plant, classes: Classes | None, left_out: Collection[int]
) -> tuple[list[Written], list[ConfigError]]:
    """Each rule of the file that is right, and an error for each that is not.

    Args: classes: None: not known here; left_out: rules that something else stands for.
    """
    written: list[Written] = []
    errors: list[ConfigError] = []
    scope = Scope(file.area, plant)
    for i, own in enumerate(file.rules):
        if i in left_out:
            continue
        at = f"$.rules[{i}]"
        try:
            rule = _classified(document, at, own, classes)
            compiled = Compiler(document, at, scope, rule).compile()
            written.append(Written(document, at, file.area, own, rule, tuple(compiled)))
        except ConfigError as error:
            errors.append(error)
    return written, errors


def compile_correlation(document: Document, at: str, scope: Scope, name: str, when: str, for_s: float) -> Rule:
    """The rule of kind "correlation" that holds while an expression (field `when` at `at`) has been true `for_s`.

    Raises:
        ConfigError: it is no expression over points of the area.
    """
    rule = language.Expression(rule=name, when=when)
    return Compiler(document, at, scope, rule).condition("when", when, "correlation", name, for_s)


def _classified(document: Document, at: str, rule: AnyRule, classes: Classes | None) -> AnyRule:
    if not rule.class_ or classes is None:
        return rule
    if rule.class_ in classes:
        return with_defaults(rule, classes[rule.class_])
    if not classes.complete:
        return rule  # the file of classes is named already; rules must not fall with it
    close = difflib.get_close_matches(rule.class_, classes, 1)
    hint = f", did you mean '{close[0]}'?" if close else f", classes/*.yaml has {', '.join(classes) or 'none'}"
    raise document.error(f"{at}.class", f"unknown class '{rule.class_}'{hint}")
