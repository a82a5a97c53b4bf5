"""The steps of a file as a tree, each with its model, place and name. A step is of the kind whose word it uses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import fields

from config.yamlfile import ConfigError, Document
from playbooks import written

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_COMMON = {"step", "only_if", "timeout", "retry", "pause", "on_error", "undo"}
Items = dict[str, Any]
"""Steps as they stand, by their place."""
MOST_STEPS = 500
MOST_DEEP = 12


class Placed(NamedTuple):
    """One step of a file.

    Attributes:
        at: its place in the document; name: among its siblings.
        said: one of `written.STEPS`; of a repeat and an act on the incident, `detail` is what is within.
        branches: its lists of steps by name: then, else, case1, branch1, steps, on_error, undo; all as they stand.
    """

    at: str
    name: str
    said: Any
    detail: Any
    branches: dict[str, tuple[Placed, ...]]


class Reader:
    """Reads the steps of a document and notes what is wrong. Attributes: errors: in the order of the file."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[ConfigError] = []
        self._given: set[str] = set()
        self._count = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A mistake within is noted, and the next thing is looked at."""
        try:
            yield
        except ConfigError as error:
            self.errors.append(error)

    def steps(self, raw: Items, deep: int = 1) -> tuple[Placed, ...]:
        found: list[Placed] = []
        for i, (at, item) in enumerate(raw.items()):
            if deep > MOST_DEEP:
                raise self.document.error(at, f"steps within steps, more than {MOST_DEEP} deep")
            if self._count == MOST_STEPS:
                self.errors.append(self.document.error(at, f"more than {MOST_STEPS} steps"))
            self._count += 1
            if self._count > MOST_STEPS:
                break
            with self.noting():
                found.append(self._step(at, item, f"s{i + 1}", {s.name for s in found}, deep))
        return tuple(found)

    def _step(self, at: str, raw: Any, name: str, taken: Collection[str], deep: int) -> Placed:
        said = one_of(self.document, at, raw, written.STEPS, "a step")
        if said.step:
            check_name(self.document, f"{at}.step", said.step)
            if said.step in self._given:
                raise self.document.error(f"{at}.step", f"a step '{said.step}' stands in this file already")
            self._given.add(said.step)
            name = said.step
        if name in taken:
            raise self.document.error(at, f"a step '{name}' stands here already")
        if getattr(said, "on_error", None) == []:
            raise self.document.error(f"{at}.on_error", "nothing to do in its place: write stop, continue, or steps")
        detail = None
        if isinstance(said, written.Repeat):
            detail = one_of(self.document, f"{at}.repeat", said.repeat, written.REPEATS, "a repeat")
        elif isinstance(said, written.OfIncident):
            detail = one_of(self.document, f"{at}.incident", said.incident, written.INCIDENT_ACTS, "an incident step")
        inner = {name: self.steps(items, deep + 1) for name, items in _lists(at, said, detail) if items}
        return Placed(at, name, said, detail, inner)


def items(at: str, raw: list[Any]) -> Items:
    """The steps of a list that stands at `at`."""
    return {f"{at}[{i}]": item for i, item in enumerate(raw)}


def _lists(at: str, said: Any, detail: Any) -> Iterator[tuple[str, Items]]:
    match said:
        case written.If():
            yield "then", items(f"{at}.then", said.then)
            yield "else", items(f"{at}.else", said.else_)
        case written.Choose():
            for i, case in enumerate(said.choose):
                yield f"case{i + 1}", items(f"{at}.choose[{i}].steps", case.steps)
            yield "else", items(f"{at}.else", said.else_)
        case written.Parallel():
            for i, steps in enumerate(said.parallel):
                yield f"branch{i + 1}", items(f"{at}.parallel[{i}]", steps)
        case written.Repeat():
            yield "steps", items(f"{at}.repeat.steps", detail.steps)
        case _:
            pass
    if isinstance(on_error := getattr(said, "on_error", None), list):
        yield "on_error", items(f"{at}.on_error", on_error)
    undo = getattr(said, "undo", [])
    yield "undo", items(f"{at}.undo", undo) if isinstance(undo, list) else {f"{at}.undo": undo}


def every(steps: Iterable[Placed]) -> Iterator[Placed]:
    """All steps, those within steps too, in the order of the file."""
    for step in steps:
        yield step
        for branch in step.branches.values():
            yield from every(branch)


def one_of(document: Document, at: str, raw: Any, kinds: written.Kinds, what: str) -> Any:
    """What stands at `at`, as the struct of the word that it uses.

    Raises:
        ConfigError: it uses none of the words or two, or is not as that kind wants it.
    """
    if not isinstance(raw, dict):
        raise document.error(at, f"{what} is written {{{next(iter(kinds))}: …}}")
    used = [word for word in kinds if word in raw]
    if len(used) == 1:
        missing = [f for f in _required(kinds[used[0]]) if f not in raw]  # type: ignore[arg-type]  # types are hashable
        if missing:
            raise document.error(at, f"{used[0]}: needs {missing[0]}:{_WHY.get(missing[0], '')}", key=used[0])
        return document.part(at, raw, kinds[used[0]])
    if used:
        raise document.error(at, f"{what} does one thing: {' or '.join(used)}?", key=used[1])
    others = [key for key in raw if key not in _COMMON]
    for key in others:
        if close := difflib.get_close_matches(key, kinds, 1):
            raise document.error(at, f"unknown field '{key}', did you mean '{close[0]}'?", key=key)
    raise document.error(at, f"{what} needs one of {', '.join(kinds)}", key=others[0] if others else None)


_WHY = {"timeout": " how long at most?", "to": " who is asked?", "most": " at most how many passes?"}


@cache
def _required(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(f.encode_name for f in fields(kind) if f.required)


def check_name(document: Document, at: str, name: str, key: str | None = None) -> None:
    """Raises: ConfigError: expressions could not name it."""
    if not _NAME.match(name):
        raise document.error(at, f"'{name}' is no name: letters, digits and _ only", key=key)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """What is said of a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    hint = f", did you mean '{close[0]}'?" if close else f": there is {', '.join(names[:10]) or 'none'}"
    return f"unknown {what} '{name}'{hint}"
