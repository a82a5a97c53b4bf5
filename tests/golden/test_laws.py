"""What holds for every story: it does not matter when the system is restarted, nor how often the clock is looked at."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from andon.story import Story
from andon.story_lines import FILES
from tests.golden.stories import STORIES


def _moments(story: Path) -> list[str]:
    """Every time at which something happens in it."""
    files = (story / name for name in ("readings.jsonl", "requests.jsonl"))
    lines = [json.loads(line) for file in files if file.exists() for line in file.read_text("utf-8").splitlines()]
    return sorted({line["time"] for line in lines})


def _without_restarts(text: str) -> list[str]:
    return [line for line in text.splitlines() if '"type": "restarted"' not in line]


@pytest.mark.parametrize("how", [True, "log"], ids=["from snapshots", "from the log"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_restart_at_every_moment_changes_nothing(story: Path, how: bool | str, tmp_path: Path) -> None:
    copy, home = tmp_path / "story", tmp_path / "home"
    shutil.copytree(story, copy)
    home.mkdir()
    with (copy / "readings.jsonl").open("a") as file:
        file.writelines(json.dumps({"time": at, "restart": how}) + "\n" for at in _moments(story)[-40:])
    told = Story(copy, home)
    told.tell()
    for name in FILES:
        expected = _without_restarts((story / name).read_text("utf-8"))
        assert _without_restarts(told.told.text(name)) == expected, name


def _is_short(story: Path) -> bool:
    first, *_, last = (datetime.fromisoformat(at) for at in _moments(story))
    return last - first < timedelta(hours=3)


@pytest.mark.parametrize("story", [*filter(_is_short, STORIES)], ids=lambda story: story.name)
def test_ticks_that_are_left_out_change_nothing(story: Path, tmp_path: Path) -> None:
    told = Story(story, tmp_path, every_second=True)
    told.tell()
    for name in FILES:
        assert told.told.text(name) == (story / name).read_text("utf-8"), name
