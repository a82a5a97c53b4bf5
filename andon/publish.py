"""The plant's files, checked, compiled and given to each stage as an input of its inbox.

A file that cannot be used never takes another down, and never its own rules or devices either: its last good text, kept
in `<home>/good`, stays in force until it is mended or deleted. `<home>/plant` is what is in force: processes load that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

import playbooks.loading
from bus.client import Producer
from config.instance import Instance
from config.yamlfile import ConfigError
from definitions import compiling
from devices.plant import Plant, load_plant
from events import topics
from events.envelope import Configure

ROUNDS = (("points", "classes"), ("rules",), ("people", "blueprints"), ("incidents", "playbooks"))
"""Folders, each after those whose names its files use: a mistake in one is not laid at the door of another."""
FOLDERS = tuple(folder for together in ROUNDS for folder in together)


class Definition(Protocol):
    """What a stage is given: its version and its bytes."""

    @property
    def version(self) -> str: ...

    def pack(self) -> bytes: ...


class Compiled(Struct, frozen=True):
    """Attributes: definitions: by inbox topic; errors: files that are not in force as they are on disk."""

    plant: Plant
    definitions: dict[str, Definition]
    errors: list[ConfigError]


def compile_folder(folder: Path) -> Compiled:
    """All definitions of the plant in `folder`, from the files that can be used.

    Raises:
        ConfigError: `plant.yaml` cannot be used.
    """
    plant, errors = load_plant(folder)
    compiled = compiling.compile_folder(folder, plant)
    books, bad_books = playbooks.loading.load(folder / "playbooks", plant)
    definitions: dict[str, Definition] = {
        topics.READINGS: compiled.rules,
        topics.CONDITIONS: compiled.incidents,
        topics.INCIDENTS: books.of(compiled.incidents.areas),
    }
    return Compiled(plant, definitions, [*errors, *compiled.errors, *bad_books])


def with_last_good(folder: Path, home: Path) -> tuple[Path, list[ConfigError]]:
    """A copy of the plant's folder in which every unusable file is replaced by its last good text, and the errors of
    the files as they are. Files that are good now become the last good ones.

    `<home>/plant` leads to the copy, without a moment in which it is absent or half there.
    """
    good = home / "good"
    merged = _beside(home / "plant")
    for path in _files(folder):
        _copy(path, merged / path.relative_to(folder))
    errors: list[ConfigError] = []
    found, rounds = _errors(merged), [("plant.yaml",), *ROUNDS]
    for i, together in enumerate(rounds):
        here = [e for e in found if e.file.split("/")[0] in together]
        for file in dict.fromkeys(e.file for e in here):
            _replace_by_last_good(file, good, merged)
        errors += here
        if here and i + 1 < len(rounds):
            found = _errors(merged)
    bad = {e.file for e in errors}
    if not {e.file for e in _errors(merged)} - bad:  # what we keep as good must be so
        kept = _beside(good)
        for path in _files(merged):
            _copy(path, kept / path.relative_to(merged))
        _lead(good, kept)
    _lead(home / "plant", merged)
    return merged, errors


def publish(
    instance: Instance, by: str = "andon up", say: Callable[[str], object] = lambda _: None, reason: str = ""
) -> list[ConfigError]:
    """Give every stage the plant's files; one that has this version already changes nothing. The errors found.

    Raises:
        ConfigError: `plant.yaml` cannot be used and never could.
        KafkaError: the broker does not take it.
    """
    folder, errors = with_last_good(instance.plant, instance.home)
    compiled = compile_folder(folder)
    now = datetime.now(UTC)
    producer = Producer(instance.kafka)
    try:
        for topic, definition in compiled.definitions.items():
            configure = Configure(definition.version, now, by, definition.pack(), reason)
            for partition in range(topics.PARTITIONS):
                producer.send_to(topic, partition, configure)
            say(f"{topic}: version {definition.version}")
        producer.flush(30)
    finally:
        producer.close()
    return errors


def _beside(link: Path) -> Path:
    """An empty folder to which `link` does not lead: one of two in turn, so that who still reads the other one can."""
    first, second = (link.with_name(f"{link.name}.{n}") for n in (1, 2))
    return _emptied(second if link.resolve() == first.resolve() else first)


def _lead(link: Path, folder: Path) -> None:
    """Let `link` lead to `folder`, its sibling, from one moment to the next."""
    if link.is_dir() and not link.is_symlink():  # of a version that had a folder there: once
        link.rename(_emptied(link.with_name(f"{link.name}.old")))
    fresh = link.with_name(f"{link.name}.link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(link)


def _emptied(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)  # what stayed of it would be in force
    folder.mkdir(parents=True)
    return folder


def _errors(folder: Path) -> list[ConfigError]:
    try:
        return compile_folder(folder).errors
    except ConfigError as error:
        return [error]


def _files(folder: Path) -> list[Path]:
    return [folder / "plant.yaml", *(p for name in FOLDERS for p in sorted((folder / name).glob("*.y*ml")))]


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _replace_by_last_good(file: str, good: Path, merged: Path) -> None:
    (merged / file).unlink(missing_ok=True)
    _copy(good / file, merged / file)
