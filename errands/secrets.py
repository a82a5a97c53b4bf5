"""Secrets of other systems: from `secrets.yaml` in the instance's home, or from ANDON_SECRET_NAME. They are put into a
call at the last moment, and taken out of whatever is told of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import yaml

FILE = "secrets.yaml"
VARIABLE = "ANDON_SECRET_"
_PLACE = re.compile(r"\{secret\.([A-Za-z_][A-Za-z0-9_]*)\}")
_OTHERS = 0o077


class SecretError(Exception):
    """A secret is not there, or not safe: show the reason, it holds none."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Secrets:
    """Where they are looked up; the file is read anew for each errand, so that a change counts at once."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._file, self._environment = home / FILE, environment

    def exposed(self) -> bool:
        """Whether others may read the file: then nothing is taken from it."""
        return self._file.exists() and bool(self._file.stat().st_mode & _OTHERS)

    def find(self, name: str) -> str:
        """Raises: SecretError: there is none of that name, or others may read the file."""
        if value := self._environment.get(f"{VARIABLE}{name.upper()}"):
            return value
        if not self._file.exists():
            raise SecretError(f"there is no secret '{name}': put it into {FILE} of the instance's home")
        if self.exposed():
            raise SecretError(f"{FILE} may be read by others: chmod 600")
        try:
            known = yaml.safe_load(self._file.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError):  # the error's text may quote the file
            raise SecretError(f"{FILE} cannot be read as YAML") from None
        value = known.get(name) if isinstance(known, dict) else None
        if not isinstance(value, str) or not value:
            raise SecretError(f"{FILE} has no text for the secret '{name}'")
        return value


class Filling:
    """The secrets of one errand."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._used: set[str] = set()

    def fill(self, text: str, write: Callable[[str], str] = str) -> str:
        """`text` with its secrets, each written as its place needs it.

        Raises:
            SecretError: one is not to be had.
        """

        def value(match: re.Match[str]) -> str:
            found = self._secrets.find(match[1])
            self._used.add(found)
            return write(found)

        return _PLACE.sub(value, text)

    def hide(self, text: str) -> str:
        """`text` without them: another system may repeat what it was sent."""
        for secret in sorted(self._used, key=len, reverse=True):
            for written in {secret, in_url(secret), in_json(secret)}:
                text = text.replace(written, "***")
        return text


def in_url(secret: str) -> str:
    return quote(secret, safe="")


def in_json(secret: str) -> str:
    return json.dumps(secret)[1:-1]
