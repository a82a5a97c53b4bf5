"""Every story tells what it told when a person read and accepted it, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from andon.story_lines import FILES
from tests.golden.stories import HERE, STORIES, told


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_story_is_told_as_it_was_accepted(story: Path) -> None:
    now = told(story)
    for name in FILES:
        assert now[name].splitlines() == (story / name).read_text("utf-8").splitlines(), (
            f"{story.name}/{name}: if this is what an operator wants, accept it: make golden ARGS={story.name}"
        )
        assert now[name] == (story / name).read_text("utf-8")


def test_there_are_at_least_forty_stories() -> None:
    assert len(STORIES) >= 40


def test_every_folder_is_a_story_with_its_own_words() -> None:
    folders = {path for path in HERE.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))}
    assert folders == set(STORIES)
    for story in STORIES:
        assert (story / "STORY.md").read_text("utf-8").startswith("# ")


def test_the_page_of_stories_names_each_of_them_by_its_title() -> None:
    page = (HERE.parents[1] / "docs" / "stories.md").read_text("utf-8")
    for story in STORIES:
        title = (story / "STORY.md").read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"- [{title}](../tests/golden/{story.name}/STORY.md)" in page
