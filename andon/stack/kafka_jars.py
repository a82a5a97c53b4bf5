"""Fetch exactly the jars that kafka.lock names, from Maven's repository, and check every hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from andon.stack.errors import FetchError

LOCK = Path(__file__).with_name("kafka.lock")
"""Lines of "group:artifact:version sha256": the runtime class path of Kafka."""


def locked_jars() -> dict[str, str]:
    """{"group:artifact:version": sha256}, in the lock's order."""
    lines = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return {line[0]: line[1] for line in lines}


def jar_name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def fetch(libs: Path) -> None:
    """Fetch all jars into `libs`: with `mvn` where there is one that works (a site's mirror is used), else with jgo.

    Raises:
        FetchError: a jar could not be fetched, or is not the one that the lock names.
    """
    libs.mkdir(parents=True, exist_ok=True)
    jars = locked_jars()
    if (why_not := _with_mvn(list(jars), libs)) is not None:
        _with_jgo(list(jars), libs, why_not)
    for coordinate, digest in jars.items():
        jar = libs / jar_name(coordinate)
        if not jar.exists():
            raise _failed(f"{coordinate} did not arrive")
        if hashlib.sha256(jar.read_bytes()).hexdigest() != digest:
            raise _failed(f"{coordinate} is not the file that {LOCK.name} names (SHA-256 differs)")


def _with_mvn(coordinates: list[str], libs: Path) -> str | None:
    """Let Maven copy exactly these artifacts; without transitive resolution, so the lock decides.

    Returns:
        None, or why Maven could not: it is not here, or has no home folder to write to, or does not reach its mirror.
    """
    if not shutil.which("mvn"):
        return "mvn is not here"
    dependencies = "".join(_dependency(c) for c in coordinates)
    with tempfile.TemporaryDirectory() as work:
        pom = Path(work, "pom.xml")
        pom.write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>andon</groupId><artifactId>kafka-runtime</artifactId>"
            f"<version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
        )
        goal = ["dependency:copy-dependencies", "-DexcludeTransitive=true", f"-DoutputDirectory={libs}"]
        argv = ["mvn", "-q", "-B", "-f", str(pom), *goal]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
    return f"mvn: {errors[0] if errors else f'it failed ({done.returncode})'}"


def _dependency(coordinate: str) -> str:
    tags = ("groupId", "artifactId", "version")
    inner = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, coordinate.split(":"), strict=True))
    return f"<dependency>{inner}</dependency>"


def _with_jgo(coordinates: list[str], libs: Path, why_not_mvn: str) -> None:
    """The same with a resolver in pure Python: needs neither Maven nor Java."""
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as e:
        raise _failed(f"{why_not_mvn}; and the Python package jgo is not here") from e
    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(cache))
        for coordinate in coordinates:
            group, artifact, version = coordinate.split(":")
            try:
                found = context.project(group, artifact).at_version(version).artifact().resolve()
            except Exception as e:  # jgo has no base error: requests', OSError, RuntimeError and its own
                raise _failed(f"{why_not_mvn}; jgo: {coordinate}: {e}") from e
            shutil.copy(found, libs / jar_name(coordinate))


def _failed(cause: str) -> FetchError:
    return FetchError("Kafka", cause, variable="ANDON_KAFKA", package="Debian's maven or the Python package jgo")
