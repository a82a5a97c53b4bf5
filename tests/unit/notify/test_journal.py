"""notifications.jsonl."""

from __future__ import annotations

from pathlib import Path

import msgspec

from notify.journal import Journal
from tests.unit.notify.notes import issued


def test_a_notification_is_written_once_also_after_a_crash_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    assert Journal(path).tell([issued("a"), issued("b")]) == 2
    path.write_bytes(path.read_bytes()[:-20])
    again = Journal(path)
    assert again.tell([issued("a"), issued("b"), issued("b"), issued("c")]) == 2
    assert again.tell([issued("c"), issued("c")]) == 0
    lines = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert [msgspec.json.decode(line)["event"] for line in lines] == [str(issued(n).id) for n in "abc"]
