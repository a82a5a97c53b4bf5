from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def andon(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANDON_")}
    return subprocess.run(
        [sys.executable, "-m", "andon", *arguments],
        cwd=REPOSITORY,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_our_commands_and_those_that_others_bring() -> None:
    done = andon("--help")
    assert done.returncode == 0
    for command in ("up", "run", "status", "doctor", "stop", "publish", "trace", "drill", "simulate", "detect"):
        assert f" {command} " in done.stdout


def test_a_misspelt_variable_stops_every_command_with_one_line() -> None:
    done = andon("status", ANDON_KAFAK="k:9092")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "andon: the environment variable ANDON_KAFAK is not known. Did you mean ANDON_KAFKA?"
    )


@pytest.mark.parametrize("command", ["status", "doctor", "publish"])
def test_without_an_instance_a_command_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    done = andon(command, "--home", str(tmp_path))
    assert done.returncode == 1
    assert f"andon up --home {tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "doctor", "publish", "trace", "drill"])
def test_the_home_in_the_environment_counts_for_every_command(command: str, tmp_path: Path) -> None:
    done = andon(command, ANDON_HOME=str(tmp_path / "there"))
    assert done.returncode == 1
    assert f"andon up --home {tmp_path / 'there'}" in done.stderr


def test_stopping_what_is_not_up_is_no_error(tmp_path: Path) -> None:
    done = andon("stop", "--home", str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, f"{tmp_path} is not up")
