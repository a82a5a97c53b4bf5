"""What lint finds in the plant's files: each thing with its place, and what to do about it."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from config.yamlfile import ConfigError

Weight = Literal["error", "warning", "info"]
_WORD = re.compile(r"""'[^']*'|"[^"]*"|[\w.*$][^\s,:\]}\[{()]*|\S""")


class Finding(Struct, frozen=True, order=True, kw_only=True):
    """Attributes: file, line, column: from 1; check: which of the checks; todo: what to do."""

    file: str
    line: int
    column: int
    weight: Weight
    check: str
    wrong: str
    todo: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.weight}: {self.wrong}; {self.todo} [{self.check}]"


def found(at: ConfigError, check: str, todo: str, weight: Weight = "error") -> Finding:
    """The finding at a place. Args: at: place and what is wrong, as `Written.error` makes it."""
    return Finding(
        file=at.file, line=at.line, column=at.column, weight=weight, check=check, wrong=at.reason, todo=todo
    )


def end_column(line: str, column: int) -> int:
    """Behind the last character of the word or quoted text that begins at `column`. Args: line: of the file."""
    word = _WORD.match(line, column - 1)
    return column + (len(word[0]) if word else 1)


def underlined(line: str, column: int) -> str:
    """What stands there, underlined: two lines."""
    return f"{line}\n{' ' * (column - 1)}{'^' * (end_column(line, column) - column)}"
