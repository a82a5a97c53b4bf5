"""`python -m tests.golden.accept [NAME …]`: what the stories give now is what is expected. Then read the diff."""

from __future__ import annotations

import sys

from tests.golden.stories import HERE, STORIES, told


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - {story.name for story in STORIES})
    if unknown:
        print(f"no such story: {', '.join(unknown)}")
        return 1
    for story in STORIES:
        if names and story.name not in names:
            continue
        for name, text in told(story).items():
            file = story / name
            if not file.exists() or file.read_text("utf-8") != text:
                file.write_text(text, "utf-8")
                print(f"changed: {file.relative_to(HERE)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
