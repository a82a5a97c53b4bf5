"""A YAML file into a typed struct, or an error that names file, line and column.

YAML 1.2 core scalars only (`on`, `yes` and `12:30` stay text), no anchors or tags, no key twice. What the type does not
know is refused, with the closest name that it does know.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
import yaml

T = TypeVar("T")
Path_ = str
"""A place in the document as msgspec writes it: `$.points[3].unit`."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_PLACE = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


class ConfigError(Exception):
    """A file cannot be used: show it to its author. Line and column count from 1."""

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        super().__init__(f"{file}:{line}:{column}: {reason}")
        self.file, self.line, self.column, self.reason = file, line, column, reason


class Document:
    """A parsed file: plain data, and where each part of it stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._places: dict[Path_, tuple[int, int]] = {"$": (1, 1)}
        self._keys: dict[Path_, tuple[int, int]] = {}
        self._inline: dict[Path_, int] = {}
        """Texts on one line: how far behind their place they begin (1: a quote stands there)."""
        try:
            node = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise ConfigError(file, line, column, error.problem or "not YAML") from None
        except yaml.YAMLError as error:
            raise ConfigError(file, 1, 1, str(error).partition("\n")[0]) from None
        self.data: Any = self._plain(node, "$") if node is not None else None

    def error(self, path: Path_, reason: str, *, key: str | None = None) -> ConfigError:
        """The error for the value at `path` (for the key `key` of the mapping at `path`)."""
        place = self._keys.get(f"{path}.{key}") if key else None
        while place is None:
            place = self._places.get(path) if len(path) > 1 else self._places["$"]
            path = path[: max(path.rfind("."), path.rfind("["), 1)]
        return ConfigError(self.file, *place, reason)

    def error_within(self, path: Path_, line: int, column: int, reason: str) -> ConfigError:
        """The error at a place (from 1) within the text at `path`, as exactly as YAML's ways to write a text allow."""
        start = self.error(path, reason)
        if line > 1 or path not in self._inline:
            return start
        return ConfigError(start.file, start.line, start.column + self._inline[path] + column - 1, reason)

    def into(self, type_: type[T]) -> T:
        """The document as `type_`.

        Raises:
            ConfigError: a field is missing, unknown or of the wrong type; the first one is named.
        """
        return self.part("$", self.data, type_)

    def part(self, path: Path_, data: Any, type_: type[T]) -> T:
        """What stands at `path`, as `type_`; raises as `into`."""
        try:
            return msgspec.convert(data, type_, strict=True)
        except msgspec.ValidationError as error:
            raise self._explain(str(error), type_, path) from None

    def _explain(self, message: str, type_: type[Any], at: Path_) -> ConfigError:
        reason, _, path = message.partition(" - at `")
        path, key = path.removesuffix("`") or "$", None
        if path.startswith("key` in `"):  # of a mapping whose keys are words of the model
            path, key = path.removeprefix("key` in `"), reason.rpartition(" ")[2].strip("'")
        elif wrong := re.fullmatch(r"Invalid enum value '(.*)'", reason):
            words = _words(type_, [a or b for a, b in _PLACE.findall(path)])
            close = difflib.get_close_matches(wrong[1], words, 1)
            reason += f", did you mean '{close[0]}'?" if close else f": there is {', '.join(words)}" if words else ""
        path = at + path.removeprefix("$")
        if unknown := re.search(r"unknown field `(.+)`", reason):
            name = unknown[1]
            close = difflib.get_close_matches(name, _field_names(type_), 1)
            hint = f", did you mean '{close[0]}'?" if close else ""
            return self.error(path, f"unknown field '{name}'{hint}", key=name)
        return self.error(path, f"{path.removeprefix('$').removeprefix('.') or 'file'}: {reason}", key=key)

    def _plain(self, node: yaml.Node, path: Path_) -> Any:
        self._places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        match node:
            case yaml.MappingNode():
                out: dict[str, Any] = {}
                for key_node, value_node in node.value:
                    key = str(key_node.value)
                    self._keys[f"{path}.{key}"] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
                    if key in out:
                        raise self.error(path, f"the key '{key}' stands twice", key=key)
                    out[key] = self._plain(value_node, f"{path}.{key}")
                return out
            case yaml.SequenceNode():
                return [self._plain(item, f"{path}[{i}]") for i, item in enumerate(node.value)]
            case yaml.ScalarNode(value=text, style=style) if style not in ("|", ">"):
                if node.start_mark.line == node.end_mark.line:
                    self._inline[path] = 1 if style else 0
                if style:
                    return text
                if text in _WORDS:
                    return _WORDS[text]
                if _INT.match(text):
                    return int(text)
                return float(text) if _FLOAT.match(text) else text
        return node.value


def _field_names(type_: Any, seen: frozenset[Any] = frozenset()) -> set[str]:
    """Every field name that the type or a type within it knows: candidates for 'did you mean'."""
    if type_ in seen:
        return set()
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        fields = msgspec.structs.fields(type_)
        inner = (_field_names(f.type, seen | {type_}) for f in fields)
        return {f.encode_name for f in fields}.union(*inner)
    args = getattr(type_, "__args__", ())
    return set().union(*(_field_names(a, seen) for a in args)) if args else set()


def _words(type_: Any, way: list[str]) -> list[str]:
    """The words that may stand at a place: names of fields, and anything for a step into a list or a mapping."""
    match get_origin(type_), get_args(type_):
        case (origin, args) if origin is Annotated:
            return _words(args[0], way)
        case (origin, args) if origin is Literal and not way:
            return [str(word) for word in args]
        case (origin, args) if origin in (Union, UnionType):
            return [word for arg in args for word in _words(arg, way)]
        case (origin, args) if origin in (list, tuple, dict) and way:
            return _words(args[-1], way[1:])
        case _ if way and isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            fields = (f for f in msgspec.structs.fields(type_) if f.encode_name == way[0])
            return [word for field in fields for word in _words(field.type, way[1:])]
        case _:
            return []


def name_of(path: Path, root: Path) -> str:
    """What errors call a file: its path within `root`, where it is in there."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def read(path: Path, root: Path) -> Document:
    """The document of a file; errors name it relative to `root`.

    Raises:
        ConfigError: it cannot be read, is not UTF-8 or not YAML.
    """
    name = name_of(path, root)
    try:
        return Document(name, path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(name, 1, 1, error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(name, 1, 1, f"not UTF-8: byte {error.start}") from None
