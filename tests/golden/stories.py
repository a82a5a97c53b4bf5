"""The folders of the stories, and how one is told: in a copy, so that a test never writes where it reads."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from andon.story import tell
from andon.story_lines import FILES

HERE = Path(__file__).parent
STORIES = sorted(path.parent for path in HERE.glob("*/STORY.md"))


def told(story: Path) -> dict[str, str]:
    """The three files as the story gives them now, by name."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / story.name
        shutil.copytree(story, copy, ignore=shutil.ignore_patterns(*FILES))
        tell(copy, copy)
        return {name: (copy / name).read_text("utf-8") for name in FILES}
