"""`andon story`: a folder of readings and requests, told by the plant's own brains without any service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from andon.story import tell
from andon.story_inputs import StoryError
from andon.story_lines import FILES
from config.yamlfile import ConfigError

Folder = Annotated[Path, typer.Argument(help="The plant's files, readings.jsonl, maybe requests.jsonl, replies.jsonl.")]
Out = Annotated[Path | None, typer.Option(help="Write the three files here. \\[default: into the folder itself]")]


def main(folder: Folder, out: Out = None) -> None:
    """Run the plant of a folder over its readings and requests; write alarms, incidents and commands as JSON lines.
    Exit code 1 where a line could not be used; the others are told."""
    console = Console(stderr=True, highlight=False)
    try:
        story = tell(folder, out or folder)
    except (StoryError, ConfigError, OSError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    for warning in story.warnings:
        console.print(str(warning), style="yellow", markup=False, soft_wrap=True)
    for line in story.refused:
        console.print(str(line), style="red", markup=False, soft_wrap=True)
    for name in FILES:
        console.print(f"  {len(story.told.lines[name]):6}  {out or folder}/{name}", markup=False, soft_wrap=True)
    if story.refused:
        raise typer.Exit(1)
