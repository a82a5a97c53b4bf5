"""Unpack Debian packages, with all they need, into a private folder: no root, nothing installed, nothing configured.

apt itself resolves, fetches, checks the archive's signature and every package's hash, against the mirror that this
host's own apt uses. The programs then run through the folder's own loader and libraries, so the host's release does
not matter, and a finished folder may be moved.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "trixie"
"""The older stable suite has no TimescaleDB, so the suite is named, whatever the host runs."""

DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Maintainer scripts' needs, admin tools, the JIT: never loaded by the servers. Declared as installed in the private
# dpkg status, so that apt's resolver pulls neither them nor what they need.
PRUNED = """adduser debconf init-system-helpers libllvm19 libllvm20 libllvm21 libllvm22 libz3-4 locales locales-all
netbase openssl perl perl-base postgresql-common postgresql-common-dev postgresql-client-common procps ssl-cert tzdata
ucf libc-bin sensible-utils debianutils passwd login.defs libjson-perl libio-pty-perl libipc-run-perl base-passwd
readline-common openssl-provider-legacy sysvinit-utils libpam-modules libpam-modules-bin libaudit-common
libsemanage-common""".split()  # noqa: SIM905  a page of quoted words would be harder to read

# dpkg's architecture → (library folder, loader). arm64 is written down but was never tried.
_LOADERS = {
    "amd64": ("x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "arm64": ("aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
}
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/lib/systemd", "etc", "var")

Say = Callable[[str], None]
"""Receives one line of progress for a person."""


class UnpackError(Exception):
    """The packages could not be had this way; the caller says what else can be done."""


@contextmanager
def built_once(runtime: Path, stamp: str) -> Iterator[Path | None]:
    """Guard the building of `runtime`: yields a fresh work folder, or None when `stamp` says it is already there.

    On leaving, the folder takes its place in one step, so a half-built one is never taken for a whole one. A second
    builder waits for the first and finds its work.
    """
    if _stamp(runtime) == stamp:
        yield None
        return
    runtime.parent.mkdir(parents=True, exist_ok=True)
    with runtime.with_name(f"{runtime.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if _stamp(runtime) == stamp:
            yield None
            return
        work = runtime.with_name(f"{runtime.name}.build")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield work
        (work / "STAMP").write_text(stamp)
        shutil.rmtree(runtime, ignore_errors=True)
        work.rename(runtime)


def _stamp(runtime: Path) -> str | None:
    file = runtime / "STAMP"
    return file.read_text() if file.exists() else None


def unpack(root: Path, packages: list[str], programs: list[str], say: Say) -> None:
    """Fetch `packages` and all they need and unpack them into the existing, empty folder `root`.

    Args:
        programs: glob patterns below `root` of the ELF programs to make runnable.

    Raises:
        UnpackError: this host has no apt, or the archive did not give the packages.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise UnpackError("this host has no apt-get and dpkg-deb")
    work = root.with_name(f"{root.name}.apt")
    shutil.rmtree(work, ignore_errors=True)
    try:
        debs = _fetch(work, packages)
        say(f"{packages[0]}: unpacking {len(debs)} packages")
        for deb in debs:
            _run(["dpkg-deb", "-x", str(deb), str(root)])
        (root / "MANIFEST").write_text("".join(f"{deb.name}\n" for deb in debs))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _merge_usr(root)
    for folder in _UNUSED:
        shutil.rmtree(root / folder, ignore_errors=True)
    for pattern in programs:
        for program in list(root.glob(pattern)):
            if program.is_file() and program.read_bytes()[:4] == b"\x7fELF":
                _through_own_loader(program)


def _fetch(work: Path, packages: list[str]) -> list[Path]:
    for folder in ("state/lists/partial", "cache/archives/partial", "parts", "prefs"):
        (work / folder).mkdir(parents=True)
    architecture = _run(["dpkg", "--print-architecture"]).strip()
    if architecture not in _LOADERS:
        raise UnpackError(f"no unpacked programs for the architecture {architecture}")
    keyring = os.environ.get("ANDON_DEBIAN_KEYRING", DEFAULT_KEYRING)
    (work / "parts/archive.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {keyring}\n"
    )
    (work / "state/status").write_text(
        "".join(
            f"Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nMulti-Arch: foreign\n"
            f"Version: 9999:1\nMaintainer: x <x@x>\nDescription: pruned\n\n"
            for name in PRUNED
        )
    )
    (work / "apt.conf").write_text(
        f'Dir::State "{work}/state";\nDir::State::status "{work}/state/status";\nDir::Cache "{work}/cache";\n'
        f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{work}/parts";\n'
        f'Dir::Etc::Preferences "/dev/null";\nDir::Etc::PreferencesParts "{work}/prefs";\nDir::Log "{work}";\n'
        f'APT::Install-Recommends "false";\nAPT::Architecture "{architecture}";\nAcquire::Languages "none";\n'
        'APT::Sandbox::User "";\nDebug::NoLocking "true";\n'
    )
    env = {**os.environ, "APT_CONFIG": f"{work}/apt.conf", "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update"], env)
    _run(["apt-get", "-qq", "-y", "--download-only", "install", *packages], env)
    return sorted((work / "cache/archives").glob("*.deb"))


def _mirror() -> str:
    """The Debian mirror that this host's own apt is set to."""
    codename = re.search(r'^VERSION_CODENAME="?(\w+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    if codename is None:
        raise UnpackError("this host does not say which Debian release it is")
    target = ["--format", "$(REPO_URI)", "Created-By: Packages", "Component: main", f"Release: {codename[1]}"]
    uris = _run(["apt-get", "indextargets", "--no-release-info", *target]).split()
    if not uris:
        raise UnpackError("this host's apt has no Debian source")
    return uris[0].rstrip("/")


def _run(argv: list[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise UnpackError(f"{argv[0]} failed ({done.returncode}): {said[-1] if said else 'it said nothing'}")
    return done.stdout


def _merge_usr(root: Path) -> None:
    """Fold /lib, /bin and so on into /usr, as an installed system has it; dpkg-deb -x keeps them apart."""
    for top in ("lib", "lib64", "bin", "sbin"):
        folder = root / top
        if folder.is_dir() and not folder.is_symlink():
            shutil.copytree(folder, root / "usr" / top, dirs_exist_ok=True, symlinks=True)
            shutil.rmtree(folder)
        if (root / "usr" / top).exists() and not folder.exists():
            folder.symlink_to(f"usr/{top}")


def _through_own_loader(program: Path) -> None:
    """Replace a program somewhere below usr/ by a script that runs it with the folder's own loader and libraries."""
    triplet, loader = _LOADERS[_run(["dpkg", "--print-architecture"]).strip()]
    real = program.parent / ".elf"
    real.mkdir(exist_ok=True)
    program.rename(real / program.name)
    program.write_text(
        '#!/bin/sh\nB=$(CDPATH= cd -- "${0%/*}" && pwd -P); R=${B%/usr/*}\n'
        f'exec "$R/{loader}" --inhibit-cache --library-path "$R/usr/lib/{triplet}" '
        f'--argv0 "$B/{program.name}" "$B/.elf/{program.name}" "$@"\n'
    )
    program.chmod(0o755)
