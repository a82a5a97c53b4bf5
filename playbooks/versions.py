"""The versions of one playbook: what it was made of each time it was put in force. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from events.types import Instant
from playbooks.plan import PlaybookSet


class Version(Struct, frozen=True):
    """Attributes: version: of the playbook; file, text: it is from; blueprints: those of the plant then, by file; at,
    by, reason: when it was first in force so, who saw to that, and why."""

    version: str
    file: str
    text: str
    blueprints: dict[str, str]
    at: Instant
    by: str
    reason: str


def of(playbook: str, deployed: Iterable[tuple[Instant, str, str, PlaybookSet]]) -> list[Version]:
    """Those of a playbook, oldest first; of equal ones in a row the first. A class's playbook goes by its common id.

    Args: deployed: when, by whom, why, and what.
    """
    found: list[Version] = []
    for at, by, reason, books in deployed:
        for book in books.playbooks:
            if playbook not in (book.playbook, book.playbook.partition(".")[0]):
                continue
            file = books.files.get(book.playbook, "")
            blueprints = {name: text for name, text in books.sources.items() if name.startswith("blueprints/")}
            made = Version(book.version, file, books.sources.get(file, ""), blueprints, at, by, reason)
            if not found or (found[-1].version, found[-1].text) != (made.version, made.text):
                found.append(made)
            break
    return found


def chosen(versions: Sequence[Version], name: str, default: int) -> Version | None:
    """The newest one whose version begins so; "" takes that number, -1 is the newest."""
    if not name:
        return versions[default] if len(versions) >= abs(default) else None
    return next((v for v in reversed(versions) if v.version.startswith(name)), None)


def diff(a: Version, b: Version) -> str:
    """From a to b, as patches are written; "" where the text is the same."""
    lines = difflib.unified_diff(
        a.text.splitlines(keepends=True), b.text.splitlines(keepends=True), f"{a.file}@{a.version}",
        f"{b.file}@{b.version}", f"{a.at:%Y-%m-%d %H:%M:%S} {a.by}", f"{b.at:%Y-%m-%d %H:%M:%S} {b.by}",
    )  # fmt: skip
    return "".join(lines)
