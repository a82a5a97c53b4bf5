"""One file for many machines: blueprints with parameters, and playbooks of a class of devices.

`${name}` in any text or key of a blueprint is replaced before the file is checked; a text that is only `${name}` takes
the value with its type. Mistakes are told where their author can mend them: at the value that was given, in a blueprint
of the plant, or, of one that is shipped, where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from config import yamlfile
from config.yamlfile import ConfigError, Document
from devices.plant import Device, Plant
from playbooks import files
from playbooks.tree import check_name, one_of, unknown

LIBRARY = Path(__file__).parent / "library"
FOLDER = "blueprints"
_PARAMETER = re.compile(r"\$\{([^{}]*)\}")
_OWN = ("blueprint", "parameters")


class Filled(Document):
    """A document with values in place of `${name}`. Args: note: behind every mistake."""

    def __init__(self, source: Document, data: Any, values: Mapping[str, Any], note: str = "") -> None:
        self.file, self._source, self._values, self._note = source.file, source, values, note
        self._from: dict[str, tuple[str, tuple[str, ...]]] = {"$": ("$", ())}
        """Place here -> place in the source, and the parameters that stand there."""
        self._keys_from: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        self.data = self._fill(data, "$", "$")

    def error(self, path: str, reason: str, *, key: str | None = None) -> ConfigError:
        if key is not None and f"{path}.{key}" in self._keys_from:
            parent, old, used = self._keys_from[f"{path}.{key}"]
            return self._blame(self._source.error(parent, reason + self._note, key=old), used)
        while path not in self._from:
            path = path[: max(path.rfind("."), path.rfind("["), 1)]
        place, used = self._from[path]
        return self._blame(self._source.error(place, reason + self._note, key=key), used)

    def error_within(self, path: str, line: int, column: int, reason: str) -> ConfigError:
        place, used = self._from.get(path, (path, ()))
        if used:
            return self.error(path, reason)
        return self._blame(self._source.error_within(place, line, column, reason + self._note), ())

    def _blame(self, error: ConfigError, used: tuple[str, ...]) -> ConfigError:
        """The error where its author can mend it. Args: used: the parameters at its place."""
        return error

    def _fill(self, data: Any, path: str, place: str) -> Any:
        match data:
            case dict():
                out: dict[str, Any] = {}
                for old, value in data.items():
                    key, used = self._replaced(old, place, old)
                    key = _text(key)
                    at, was = f"{path}.{key}", f"{place}.{old}"
                    self._keys_from[at] = (place, old, used)
                    if key in out:
                        raise self.error(path, f"the key '{key}' stands twice", key=key)
                    self._from[at] = (was, ())
                    out[key] = self._fill(value, at, was)
                return out
            case list():
                for i in range(len(data)):
                    self._from[f"{path}[{i}]"] = (f"{place}[{i}]", ())
                return [self._fill(item, f"{path}[{i}]", f"{place}[{i}]") for i, item in enumerate(data)]
            case str():
                value, used = self._replaced(data, place)
                self._from[path] = (place, used)
                return value
        return data

    def _replaced(self, text: str, place: str, key: str | None = None) -> tuple[Any, tuple[str, ...]]:
        used = tuple(_PARAMETER.findall(text))
        for name in used:
            if name not in self._values:
                raise self._source.error(place, unknown("parameter", name, self._values), key=key)
        if len(used) == 1 and text == f"${{{used[0]}}}":
            return self._values[used[0]], used
        return _PARAMETER.sub(lambda m: _text(self._values[m[1]]), text), used


class Used(Filled):
    """A blueprint, filled in by a file that uses it, with what that file says in its place.

    Attributes: shipped: the author of the file cannot change it.
    """

    def __init__(self, blueprint: Document, shipped: bool, user: Document, own: dict[str, Any],
                 values: dict[str, Any]) -> None:  # fmt: skip
        self._user, self._own, self.shipped = user, own, shipped
        body = {k: v for k, v in blueprint.data.items() if k not in (*_OWN, *own)}
        super().__init__(blueprint, body, values)
        self.data |= own
        self.file = user.file

    def error(self, path: str, reason: str, *, key: str | None = None) -> ConfigError:
        if re.split(r"[.\[]", path.removeprefix("$."), maxsplit=1)[0] in self._own:
            return self._user.error(path, reason, key=key)
        return super().error(path, reason, key=key)

    def error_within(self, path: str, line: int, column: int, reason: str) -> ConfigError:
        if re.split(r"[.\[]", path.removeprefix("$."), maxsplit=1)[0] in self._own:
            return self._user.error_within(path, line, column, reason)
        return super().error_within(path, line, column, reason)

    def _blame(self, error: ConfigError, used: tuple[str, ...]) -> ConfigError:
        place = f"{error.file}:{error.line}"
        for name in used:
            given = self._user.data.get("with") or {}
            if name in given and _text(self._values[name]) in error.reason:
                return self._user.error(f"$.with.{name}", f"{error.reason} ({place})")
        if self.shipped:
            return self._user.error("$.use", f"{error.reason} ({place})")
        return ConfigError(error.file, error.line, error.column, f"{error.reason} (used by {self._user.file})")


class Blueprint(NamedTuple):
    document: Document
    file: files.BlueprintFile
    shipped: bool


class Blueprints:
    """Those of a plant folder, and those that are shipped. Attributes: errors: in their files."""

    def __init__(self, root: Path) -> None:
        shipped, wrong = _shipped()
        own, self.errors = _read_all(root / FOLDER, root, shipped=False)
        self.errors += wrong
        self._known = shipped | own

    def names(self) -> dict[str, Document]:
        return {name: blueprint.document for name, blueprint in sorted(self._known.items())}

    def use(self, user: Document, plant: Plant, said: dict[str, Any]) -> Document:
        """The playbook that a file (of the kind `use`) means. Args: said: `${area}` and the like.

        Raises:
            ConfigError: a value is missing, unknown, or not what the blueprint wants.
        """
        file = user.into(files.UseFile)
        if file.use not in self._known:
            raise user.error("$.use", unknown("blueprint", file.use, self._known))
        document, blueprint, shipped = self._known[file.use]
        values: dict[str, Any] = dict(said)
        for name in file.with_:
            if name not in blueprint.parameters:
                raise user.error("$.with", unknown("parameter", name, blueprint.parameters), key=name)
        for name, raw in blueprint.parameters.items():
            kind = one_of(document, f"$.parameters.{name}", raw, files.PARAMETERS, "a parameter")
            values[name] = _value(user, name, kind, file, plant)
        own = {key: value for key, value in user.data.items() if key not in ("use", "with")}
        return Used(document, shipped, user, own, values)


@cache
def _shipped() -> tuple[dict[str, Blueprint], tuple[ConfigError, ...]]:
    """They do not change while a process runs."""
    found, errors = _read_all(LIBRARY, LIBRARY.parent, shipped=True)
    return found, tuple(errors)


def _read_all(folder: Path, root: Path, *, shipped: bool) -> tuple[dict[str, Blueprint], list[ConfigError]]:
    """By name, and an error for each file that is none."""
    found: dict[str, Blueprint] = {}
    errors: list[ConfigError] = []
    for path in sorted(folder.glob("*.y*ml")):
        try:
            document = yamlfile.read(path, root)
            file = document.into(files.BlueprintFile)
            check_name(document, "$.blueprint", file.blueprint)
            if file.blueprint in found:
                other = found[file.blueprint].document.file
                raise document.error("$.blueprint", f"blueprint '{file.blueprint}' is defined in {other} already")
            for name, raw in file.parameters.items():
                check_name(document, "$.parameters", name, key=name)
                one_of(document, f"$.parameters.{name}", raw, files.PARAMETERS, "a parameter")
        except ConfigError as error:
            errors.append(error)
        else:
            found[file.blueprint] = Blueprint(document, file, shipped)
    return found, errors


def expand(
    document: Document, blueprints: Blueprints, plant: Plant, errors: list[ConfigError]
) -> Iterator[tuple[str, Document]]:
    """The playbooks that a file means, by name: one, or one for each device of a class. Mistakes that concern one
    device go to `errors`.

    Raises:
        ConfigError: it means none.
    """
    data = document.data
    if not isinstance(data, dict):
        raise document.error("$", "a playbook is written id: NAME, then area:, trigger: and steps:")
    if "blueprint" in data:
        raise document.error("$", f"a blueprint belongs into the folder {FOLDER}/", key="blueprint")
    id_ = data.get("id")
    if not isinstance(id_, str):
        raise document.error("$", "id: what is it called?", key="id")
    check_name(document, "$.id", id_)
    if "class" not in data:
        if not isinstance(data.get("area"), str):
            raise document.error("$", "area: of the plant, or class: of devices", key="area")
        yield id_, blueprints.use(document, plant, {"area": data["area"]}) if "use" in data else document
        return
    if "area" in data:
        raise document.error("$.area", "area: or class:, not both")
    for device in _of_class(document, data["class"], plant):
        here = {"device": device.device, "area": device.area}
        name = f"{id_}.{device.device}"
        body = {key: value for key, value in data.items() if key != "class"} | {"id": name, "area": device.area}
        try:
            filled = Filled(document, body, here, f" (for device {device.device})")
            yield name, blueprints.use(filled, plant, here) if "use" in data else filled
        except ConfigError as error:
            errors.append(error)


def _of_class(document: Document, name: Any, plant: Plant) -> list[Device]:
    found = [d for d in plant.devices.values() if d.class_ and d.class_ == name]
    if not found:
        raise document.error("$.class", unknown("class", str(name), {d.class_ for d in plant.devices.values()} - {""}))
    return found


def _value(user: Document, name: str, kind: Any, file: files.UseFile, plant: Plant) -> Any:
    """What is put in place of `${name}`."""
    given, at = file.with_.get(name, _default(kind)), f"$.with.{name}"
    match kind, given:
        case _, None:
            reason = f"blueprint '{file.use}' needs {name}: {kind.help}".rstrip(": ")
            raise user.error("$.with" if file.with_ else "$.use", reason)
        case files.PointParameter(point=use), str():
            if given not in plant.points:
                raise user.error(at, unknown("point", given, plant.points))
            if use == "writable" and not plant.points[given][1].writable:
                raise user.error(at, f"point '{given}' cannot be written: its definition has no writable:")
        case files.NumberParameter(), int() | float() if not isinstance(given, bool):
            pass
        case files.TextParameter(), str() | list():
            pass
        case _:
            what = {"PointParameter": "a point", "NumberParameter": "a number", "TextParameter": "a text"}
            raise user.error(at, f"{name} is {what[type(kind).__name__]}, not {_text(given)}")
    return given


def _default(kind: Any) -> Any:
    match kind:
        case files.NumberParameter(number=value) | files.TextParameter(text=value):
            return value
        case _:
            return None


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)
