"""Classes of alarms, `classes/*.yaml`: what many rules have in common, said once.

    classes:
      - {class: equipment, owner: maintenance, severity: moderate, response_time: 30min, shelving: {operator: 30min}}
"""

from __future__ import annotations

from pathlib import Path

from msgspec import field

from config import duration, yamlfile
from config.yamlfile import ConfigError
from detection.attributes import Attributes, Name, Strict
from devices.plant import schema


class AlarmClass(Attributes, frozen=True, kw_only=True):
    """Attributes: class_: its name, as rules say it."""

    class_: Name = field(name="class")
    title: str = ""


class ClassesFile(Strict, frozen=True, kw_only=True):
    """One file of `classes/`."""

    classes: list[AlarmClass]


class Classes(dict[str, AlarmClass]):
    """By name. Attributes: complete: no file was unusable, so that a name that is not here is a mistake."""

    complete: bool = True


def load(folder: Path) -> tuple[Classes, list[ConfigError]]:
    """The classes of the plant folder; a file with an error is left out whole."""
    known, errors = Classes(), list[ConfigError]()
    for path in sorted((folder / "classes").glob("*.y*ml")):
        try:
            known |= _read(path, folder, known)
        except ConfigError as error:
            errors.append(error)
    known.complete = not errors
    return known, errors


def _read(path: Path, folder: Path, known: Classes) -> dict[str, AlarmClass]:
    """Raises: ConfigError: at the first place that is wrong."""
    document = yamlfile.read(path, folder)
    found: dict[str, AlarmClass] = {}
    for i, one in enumerate(document.into(ClassesFile).classes):
        at = f"$.classes[{i}]"
        if not one.class_.isidentifier():
            raise document.error(f"{at}.class", f"'{one.class_}' is no name: letters, digits and _ only")
        if one.class_ in known or one.class_ in found:
            raise document.error(f"{at}.class", f"class '{one.class_}' is defined already")
        for name in ("response_time", "re_alarm", "stale_after", "fleeting"):
            if (text := getattr(one, name)) is not None:
                try:
                    duration.seconds(text)
                except ValueError as error:
                    raise document.error(f"{at}.{name}", str(error)) from None
        found[one.class_] = one
    return found


def json_schema() -> dict[str, object]:
    """JSON Schema of a file of `classes/`, from the model that also checks it."""
    return schema(ClassesFile)
