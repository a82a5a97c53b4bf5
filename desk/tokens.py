"""Who may ask over HTTP: tokens with a name and a role. The secret is shown once; here only its digest is kept.

A secret has 256 random bits, so a plain SHA-256 of it tells nothing (a slow hash is for what people make up).
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from events.requests import Role
from events.types import Instant

ROLES: tuple[Role, ...] = tuple(role for role in get_args(Role) if role != "system")
"""Of people. "system" is Andon itself: nobody gets a token for it, and one in the file is nobody's."""
PREFIX = "andon_"
LONGEST_NAME = 60


class TokenError(Exception):
    """It cannot be done; show it to who asked."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"token {name!r}: {reason}")
        self.name, self.reason = name, reason


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attributes: name: of the person or program, as it signs in the log; digest: SHA-256 of the secret, in hex."""

    name: str
    role: Role
    digest: str
    created: Instant
    expires: Instant | None = None

    def holds(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


_decode = msgspec.json.Decoder(list[Token]).decode


class Tokens:
    """The tokens of one instance, in `home`/tokens.json (readable by the owner alone). Another process may change them
    at any time: each question looks whether the file has changed."""

    def __init__(self, home: Path) -> None:
        self._file = home / "tokens.json"
        self._known: tuple[object, tuple[Token, ...]] = (None, ())
        """What the file looked like and held, in one: of two threads that read it none may mix them up."""

    def all(self) -> tuple[Token, ...]:
        """Expired ones too, oldest first.

        Raises:
            TokenError: the file is damaged.
        """
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._known = (None, ())
            return ()
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        known, tokens = self._known
        if seen != known:
            try:
                tokens = tuple(_decode(self._file.read_bytes()))
            except (msgspec.DecodeError, FileNotFoundError) as error:
                raise TokenError(self._file.name, f"the file cannot be read: {error}") from error
            self._known = (seen, tokens)
        return tokens

    def who(self, secret: str, now: datetime) -> Token | None:
        """Whose secret it is; None when nobody's, or no longer. All are compared, each in constant time."""
        digest = _digest(secret)
        people = [token for token in self.all() if token.role in ROLES]
        found = [token for token in people if hmac.compare_digest(token.digest, digest)]
        return next((token for token in found if token.holds(now)), None)

    def create(self, name: str, role: Role, *, now: datetime, expires: datetime | None = None) -> str:
        """The secret of a new token.

        Raises:
            TokenError: the name has one that holds, or is no name.
        """
        if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise TokenError(name, f"a name is needed, of at most {LONGEST_NAME} printable characters")
        if role not in ROLES:
            raise TokenError(name, f"no role '{role}'; known: {', '.join(ROLES)}")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self._changing():
            kept = [token for token in self.all() if token.name != name or token.holds(now)]
            if any(token.name == name for token in kept):
                raise TokenError(name, "there is one already: revoke it first")
            self._write([*kept, Token(name=name, role=role, digest=_digest(secret), created=now, expires=expires)])
        return secret

    def revoke(self, name: str) -> Token:
        """The token that holds no longer, from the next request on.

        Raises:
            TokenError: there is none of this name.
        """
        with self._changing():
            kept = [token for token in self.all() if token.name != name]
            gone = [token for token in self.all() if token.name == name]
            if not gone:
                raise TokenError(name, "there is none")
            self._write(kept)
        return replace(gone[0], digest="")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One at a time, over all processes."""
        with self._file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, tokens: list[Token]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(msgspec.json.format(msgspec.json.encode(tokens)))
            f.flush()
            os.fsync(f.fileno())
        fresh.replace(self._file)


def _digest(secret: str) -> str:
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()
