"""Which account a service runs as: ours, or an unprivileged one when we are root.

PostgreSQL refuses root, and refuses any uid without a passwd entry; mosquitto would change to an account of its own.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from andon.stack.errors import NotTraversableError, StackError


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int


def unprivileged(preferred: str) -> Account | None:
    """The account to drop to, or None when we are not root and simply stay who we are.

    Raises:
        StackError: root, and neither `preferred` nor `nobody` exists.
    """
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise StackError(f"started as root, and there is neither an account {preferred!r} nor 'nobody' to run as")


def hand_over(folder: Path, account: Account | None) -> None:
    """Give `folder`, all in it, to `account`; nothing to do when we stay ourselves.

    Raises:
        NotTraversableError: the account could not reach the folder anyway.
    """
    if account is None:
        return
    require_traversable(folder, account)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def require_traversable(path: Path, account: Account) -> None:
    """Check that `account` may enter every parent of `path`.

    Raises:
        NotTraversableError: names the first folder that is closed to it.
    """
    for parent in reversed(path.absolute().parents):
        stat = parent.stat()
        shift = 6 if stat.st_uid == account.uid else 3 if stat.st_gid == account.gid else 0
        if not stat.st_mode >> shift & 1:
            raise NotTraversableError(path, parent, account.name)
