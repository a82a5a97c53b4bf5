"""The playbooks of a plant folder: every file read, its blueprint filled in, compiled; a bad one is left out alone.

    book set, errors = load(plant_folder / "playbooks", plant)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from config import duration, yamlfile
from config.yamlfile import ConfigError, Document
from devices.plant import Plant
from playbooks import plan
from playbooks.blueprints import Blueprints, expand
from playbooks.compiling import Compiled, Compiler
from playbooks.files import json_schema
from playbooks.tree import unknown

__all__ = ["Loaded", "consequences", "json_schema", "load", "load_files"]


class Loaded(Struct, frozen=True):
    """Attributes: found: by name, each playbook of which anything could be read; errors: by file and place."""

    found: dict[str, Compiled]
    errors: list[ConfigError]
    devices: dict[str, plan.Device]
    sources: dict[str, str] = {}

    @property
    def books(self) -> plan.PlaybookSet:
        """Those of files without a mistake: of a class it is all devices or none."""
        bad = {error.file for error in self.errors}
        good = [c for _, c in sorted(self.found.items()) if c.document.file not in bad and c.book is not None]
        books = tuple(c.book for c in good if c.book is not None)
        files = {c.book.playbook: c.document.file for c in good if c.book is not None}
        return plan.PlaybookSet(books, self.devices, self.sources, files)


def load(folder: Path, plant: Plant) -> tuple[plan.PlaybookSet, list[ConfigError]]:
    """The playbooks in `folder` (`playbooks` of the plant folder, which also has `blueprints`), and an error for each
    thing that is wrong. Errors name file, line and column, relative to the plant folder."""
    loaded = load_files(sorted(folder.glob("*.y*ml")), folder.parent, plant)
    return loaded.books, loaded.errors


def load_files(files: Sequence[Path], root: Path, plant: Plant) -> Loaded:
    """The same of given files; `root`: the plant folder."""
    blueprints = Blueprints(root)
    errors = list(blueprints.errors)
    documents: dict[str, Document] = {}
    for path in files:
        try:
            written = yamlfile.read(path, root)
            for name, document in expand(written, blueprints, plant, errors):
                if name in documents:
                    raise document.error("$.id", f"playbook '{name}' is defined in {documents[name].file} already")
                documents[name] = document
        except ConfigError as error:
            errors.append(error)
    books = _Books(documents, plant)
    for name in documents:
        try:
            errors += books.compiled(name).errors
        except ConfigError as error:
            errors.append(error)
    unique = {str(e): e for e in errors}  # of a class, each device would say the same
    ordered = sorted(unique.values(), key=lambda e: (e.file, e.line, e.column))
    return Loaded(books.found, ordered, dict(sorted(_devices(plant))), _sources(files, root))


def _sources(files: Iterable[Path], root: Path) -> dict[str, str]:
    """The texts as people wrote them; what is no text is an error elsewhere."""
    every = [*files, *sorted((root / "blueprints").glob("*.y*ml"))]
    return {yamlfile.name_of(p, root): p.read_text("utf-8", errors="replace") for p in every if p.is_file()}


class _Books:
    """Compiles on demand: a playbook that is called comes before the one that calls it. Attributes: found: so far."""

    def __init__(self, documents: dict[str, Document], plant: Plant) -> None:
        self._documents, self._plant = documents, plant
        self._open: list[str] = []
        self.found: dict[str, Compiled] = {}

    def compiled(self, name: str) -> Compiled:
        """Raises: ConfigError: it is no playbook at all."""
        if name not in self.found:
            self._open.append(name)
            try:
                document = self._documents[name]
                self.found[name] = Compiler(
                    document, self._plant, self._documents.keys(), lambda at, other: self._called(document, at, other)
                ).compile()
            finally:
                self._open.pop()
        return self.found[name]

    def _called(self, document: Document, at: str, name: str) -> Compiled:
        if name not in self._documents:
            raise document.error(at, unknown("playbook", name, self._documents))
        if name in self._open:
            circle = " calls ".join([*self._open[self._open.index(name):], name])
            raise document.error(at, f"a circle: {circle}")
        try:
            other = self.compiled(name)
        except ConfigError:
            raise document.error(at, f"playbook '{name}' cannot be called: it has mistakes") from None
        if other.file.area != document.data["area"]:
            raise document.error(at, f"playbook '{name}' is of area '{other.file.area}'")
        return other


def _devices(plant: Plant) -> Iterator[tuple[str, plan.Device]]:
    """Those that an edge can move, so that they can be locked."""
    for device in plant.devices.values():
        if device.edge:
            most = device.max_commands
            limit = plan.Limit(most.count, duration.seconds(most.per)) if most else None
            yield device.device, plan.Device(device.edge, device.area, limit)


def consequences(books: plan.PlaybookSet) -> dict[str, tuple[str, ...]]:
    """By name (or pattern) of an alarm: the rules (patterns) of the alarms that it follows from, since they set a
    playbook off that causes it. A rule pattern means each alarm whose name, or one of whose rules, matches it."""
    rules = {book.playbook: _rules(book) for book in books.playbooks}
    found: dict[str, dict[str, None]] = {}
    for book in books.playbooks:
        after = [name for t in book.triggers if isinstance(t, plan.OnIncident) for name in t.after]
        begins = rules[book.playbook] or tuple(r for name in after for r in rules.get(name, ()))
        for alarm in book.consequences:
            found.setdefault(alarm, {}).update(dict.fromkeys(begins))
    return {alarm: tuple(begins) for alarm, begins in sorted(found.items())}


def _rules(book: plan.Playbook) -> tuple[str, ...]:
    return tuple(r for t in book.triggers if isinstance(t, plan.OnIncident | plan.OnAlarm) for r in t.rules)
