"""What `--help` says of a default is shown: Rich takes words in brackets for a style, and swallows them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.main import get_command

from andon.cli import app
from andon.subcommands import SUBCOMMANDS


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that takes options, by name."""
    yield from below("andon", get_command(app))
    for name, brought in SUBCOMMANDS.items():
        module, _, attribute = brought.target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            found = alone
        yield from below(name, get_command(found))


def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from below(f"{name} {inner_name}", inner)


@pytest.mark.parametrize(("name", "command"), [pytest.param(*c, id=c[0]) for c in commands()])
def test_no_word_of_the_help_is_swallowed(name: str, command: Any) -> None:
    for parameter in command.params:
        said = getattr(parameter, "help", None) or ""
        assert Text.from_markup(said).plain == said.replace("\\[", "["), f"{name}: {parameter.name}"
