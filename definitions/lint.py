"""Every check of a plant folder's alarms: what stands in the way of a shift that can trust them."""

from __future__ import annotations

from pathlib import Path

from config.findings import Finding, found
from config.yamlfile import ConfigError
from definitions.alarms import alarms_of, define_alarms
from definitions.compiling import compile_folder
from definitions.rationalised import check_mix, check_words
from definitions.reachable import check_delays, check_ranges, check_silence
from definitions.references import check_duplicates, check_references
from devices.plant import load_plant


def lint(folder: Path) -> list[Finding]:
    """All findings, by file and line. A file that cannot be used is one; what is right in it is checked as well."""
    try:
        plant, errors = load_plant(folder)
    except ConfigError as error:
        return [_unusable(error)]
    compiled = compile_folder(folder, plant)
    rules = compiled.written
    alarms = [alarm for written in rules for alarm in alarms_of(written)]
    definitions, _ = define_alarms(rules)
    findings = [_unusable(e) for e in [*errors, *compiled.errors]]
    findings += check_words(rules, tuple(compiled.incidents.positions))
    findings += check_duplicates(rules)
    findings += check_ranges(rules, plant)
    findings += check_delays(rules)
    findings += check_silence(rules, plant)
    findings += check_references(alarms, definitions)
    findings += check_mix(alarms)
    return sorted(set(findings))


def _unusable(error: ConfigError) -> Finding:
    return found(error, "unusable", "mend it; until then the last good text of the file stays in force")
