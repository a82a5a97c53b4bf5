"""How an area's alarms become incidents: `incidents/*.yaml` of a plant folder. One file is the policy of one area.

    area: shop/press
    together:
      - {together: hydraulics, by: device, within: 5min}
      - {together: pump, by: expression, when: press.temperature > 60[°C], alarms: ['press_*']}
    topology: {press: [diverter]}
    reopen_within: 15min
    escalation: night

The file of the area "*plant" may have rules `across` areas; they count alarms, not readings. Durations as everywhere:
`500ms`, `30s`, `5min`, `2h`. Pure but for `load`, which reads the files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from config import duration, yamlfile
from config.duration import Duration
from config.yamlfile import ConfigError, Document
from devices.plant import Plant, schema
from events.topics import PLANT_WIDE
from events.types import Priority
from incidents.definition import Across, Factor, Flood, Policy, Together, any_of

FOLDER = "incidents"


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


class TogetherEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Together`. `when`, `for`: the expression over points of the area, and how long it has to hold."""

    together: str
    by: Literal["area", "device", "topology", "alarms", "expression"]
    alarms: list[str] = []
    factors: list[Factor] = []
    within: Duration = "0s"
    when: str = ""
    for_: Duration = field(default="0s", name="for")


class FloodEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Flood`."""

    above: int = 10
    below: int = 5
    window: Duration = "10min"
    show_from: Priority = "critical"
    digest: Duration = "5min"


class AcrossEntry(Strict, frozen=True, kw_only=True):
    """As `definition.Across`."""

    rule: str
    of: list[str]
    message: str
    at_least: int = 1
    for_: Duration = field(default="0s", name="for")
    priority: Priority = "high"


class PolicyFile(Strict, frozen=True, kw_only=True):
    """One file of `incidents/`; what it does not say is as in `definition.Policy`."""

    area: str
    together: list[TogetherEntry] | None = None
    topology: dict[str, list[str]] = {}
    confirm_after: int = 1
    reopen_within: Duration = "15min"
    close_after: Duration = "24h"
    close_by_person: Priority = "high"
    flood: FloodEntry = FloodEntry()
    escalation: str = ""
    across: list[AcrossEntry] = []


class Correlation(Struct, frozen=True, kw_only=True):
    """An expression by which alarms belong together: detection watches it as a rule of kind "correlation".

    Attributes: rule: its id, `Together.condition`; error: makes the error at the expression's place, for a reason.
    """

    area: str
    rule: str
    when: str
    for_s: float
    document: Document
    place: str

    def error(self, reason: str) -> ConfigError:
        return self.document.error(self.place, reason)


def condition_name(area: str, together: str) -> str:
    """Id of the rule that watches an entry's expression: `shop_press.together.pump`."""
    return f"{_slug(area)}.together.{_slug(together)}"


def load(folder: Path, plant: Plant) -> tuple[dict[str, Policy], tuple[Across, ...], list[ConfigError]]:
    """The policies of the plant folder by area, its rules across areas, and an error for each file that cannot be used.

    Errors name file, line and column relative to `folder`; the first mistake of a file is told.
    """
    policies: dict[str, Policy] = {}
    across: list[Across] = []
    errors: list[ConfigError] = []
    for document, error in _documents(folder):
        if document is None:
            errors += [error] if error else []
            continue
        try:
            file = document.into(PolicyFile)
            if file.area in policies:
                raise document.error("$.area", f"area '{file.area}' has a file already")
            policy, rules = _policy(document, file, plant), _across(document, file, across)
        except ConfigError as mistake:
            errors.append(mistake)
            continue
        policies[file.area] = policy
        across += rules
    return policies, tuple(across), errors


def correlations(folder: Path, plant: Plant) -> list[Correlation]:
    """The expressions in all usable files, for detection."""
    policies, _, _ = load(folder, plant)
    found = []
    for document, file in _usable(folder, policies):
        for i, entry in enumerate(file.together or ()):
            if entry.by == "expression":
                found.append(Correlation(
                    area=file.area, rule=condition_name(file.area, entry.together), when=entry.when,
                    for_s=duration.seconds(entry.for_), document=document, place=f"$.together[{i}].when",
                ))  # fmt: skip
    return found


def check_names(
    folder: Path, plant: Plant, alarms: Iterable[tuple[str, str]], escalations: Collection[str]
) -> list[ConfigError]:
    """An error for each pattern that no alarm has, and for each escalation that nobody defines.

    Args:
        alarms: (area, name) of every alarm of the plant.
    """
    errors: list[ConfigError] = []
    known = list(alarms)
    everywhere = [name for _, name in known]
    policies, _, _ = load(folder, plant)
    for document, file in _usable(folder, policies):
        here = [name for area, name in known if area == file.area]
        named = [(f"$.together[{i}].alarms", entry.alarms, here) for i, entry in enumerate(file.together or ())]
        named += [(f"$.across[{i}].of", rule.of, everywhere) for i, rule in enumerate(file.across)]
        patterns = [(f"{at}[{j}]", pattern, names) for at, all_, names in named for j, pattern in enumerate(all_)]
        for place, pattern, names in patterns:
            if not any(any_of((pattern,), name) for name in names):
                errors.append(document.error(place, f"no alarm is called '{pattern}'{_closest(pattern, names)}"))
        if file.escalation and file.escalation not in escalations:
            hint = _closest(file.escalation, escalations)
            errors.append(document.error("$.escalation", f"unknown escalation policy '{file.escalation}'{hint}"))
    return errors


def json_schema() -> dict[str, object]:
    """JSON Schema of a file of `incidents/`, from the model that also checks it."""
    return schema(PolicyFile)


def _documents(folder: Path) -> Iterator[tuple[Document | None, ConfigError | None]]:
    for path in sorted((folder / FOLDER).glob("*.y*ml")):
        try:
            yield yamlfile.read(path, folder), None
        except ConfigError as error:
            yield None, error


def _usable(folder: Path, policies: dict[str, Policy]) -> Iterator[tuple[Document, PolicyFile]]:
    """The files that made these policies."""
    left = set(policies)
    for document, _ in _documents(folder):
        if document is None:
            continue
        try:
            file = document.into(PolicyFile)
        except ConfigError:
            continue  # `load` has told it
        if file.area in left:
            left.discard(file.area)
            yield document, file


def _policy(document: Document, file: PolicyFile, plant: Plant) -> Policy:
    """Raises: ConfigError: at the first place that is wrong."""
    if file.area not in plant.areas and file.area != PLANT_WIDE:
        reason = f"unknown area '{file.area}', plant.yaml has {', '.join(plant.areas)}; '{PLANT_WIDE}' is across them"
        raise document.error("$.area", reason)
    if file.confirm_after < 1:
        raise document.error("$.confirm_after", "must be 1 or more")
    names = [entry.together for entry in file.together or ()]
    together = [_together(document, file, i, names) for i in range(len(names))]
    _check_topology(document, file, plant)
    return Policy(
        together=Policy().together if file.together is None else tuple(together),
        topology={device: tuple(feeds) for device, feeds in sorted(file.topology.items())},
        confirm_after=file.confirm_after, reopen_s=_seconds(document, "$.reopen_within", file.reopen_within),
        close_after_s=_seconds(document, "$.close_after", file.close_after), close_by_person=file.close_by_person,
        flood=_flood(document, file.flood), escalation=file.escalation,
    )  # fmt: skip


def _together(document: Document, file: PolicyFile, i: int, names: list[str]) -> Together:
    entry, at = (file.together or [])[i], f"$.together[{i}]"
    if not _slug(entry.together).strip("_") or _slug(entry.together) in map(_slug, names[:i]):
        what = "stands twice" if entry.together else "must be a word: it is the reason that people read"
        raise document.error(f"{at}.together", f"'{entry.together}' {what}")
    if (entry.by == "expression") != bool(entry.when.strip()):
        raise document.error(at, "by: expression needs when: EXPRESSION, and only that")
    if entry.by in ("alarms", "expression") and not entry.alarms:
        raise document.error(at, f"by: {entry.by} needs alarms: which alarms it is about")
    if entry.by == "topology" and not file.topology:
        raise document.error(at, "by: topology needs topology: which device feeds which")
    _seconds(document, f"{at}.for", entry.for_)
    return Together(
        together=entry.together, by=entry.by, alarms=tuple(entry.alarms), factors=tuple(entry.factors),
        condition=condition_name(file.area, entry.together) if entry.by == "expression" else "",
        within_s=_seconds(document, f"{at}.within", entry.within),
    )  # fmt: skip


def _check_topology(document: Document, file: PolicyFile, plant: Plant) -> None:
    here = [d.device for d in plant.devices.values() if d.area == file.area]
    for device, feeds in file.topology.items():
        if device not in here:
            hint = _closest(device, here)
            raise document.error("$.topology", f"area '{file.area}' has no device '{device}'{hint}", key=device)
        for i, fed in enumerate(feeds):
            if fed not in here:
                reason = f"area '{file.area}' has no device '{fed}'{_closest(fed, here)}"
                raise document.error(f"$.topology.{device}[{i}]", reason)


def _flood(document: Document, entry: FloodEntry) -> Flood:
    if not 0 < entry.below <= entry.above:
        raise document.error("$.flood", f"it must end below a number of 1 to above: {entry.below}, {entry.above}")
    window_s = _seconds(document, "$.flood.window", entry.window)
    if window_s <= 0:
        raise document.error("$.flood.window", "must be longer than 0 s")
    return Flood(
        above=entry.above, below=entry.below, window_s=window_s, show_from=entry.show_from,
        digest_s=_seconds(document, "$.flood.digest", entry.digest),
    )  # fmt: skip


def _across(document: Document, file: PolicyFile, before: list[Across]) -> list[Across]:
    if file.across and file.area != PLANT_WIDE:
        raise document.error("$", f"only the file of area '{PLANT_WIDE}' has rules across areas", key="across")
    rules: list[Across] = []
    for i, entry in enumerate(file.across):
        at = f"$.across[{i}]"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", entry.rule):
            raise document.error(f"{at}.rule", f"'{entry.rule}' is no name: letters, digits and _ only")
        if entry.rule in [a.rule for a in (*before, *rules)]:
            raise document.error(f"{at}.rule", f"rule '{entry.rule}' stands twice")
        if not entry.of:
            raise document.error(f"{at}.of", "which alarms? name at least one")
        if entry.at_least < 1:
            raise document.error(f"{at}.at_least", "must be 1 or more")
        version = sha256(msgspec.msgpack.encode(entry)).hexdigest()[:12]
        rules.append(Across(
            rule=entry.rule, of=tuple(entry.of), at_least=entry.at_least, priority=entry.priority,
            for_s=_seconds(document, f"{at}.for", entry.for_), message=entry.message, version=version,
        ))  # fmt: skip
    return rules


def _seconds(document: Document, at: str, text: str | float) -> float:
    try:
        return duration.seconds(text)
    except ValueError as error:
        raise document.error(at, str(error)) from None


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text)


def _closest(word: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(names), 1)
    return f", did you mean '{close[0]}'?" if close else ""
