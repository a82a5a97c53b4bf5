"""What playbooks wait for is watched by detection: their conditions over points as rules of kind "watch". Pure."""

from __future__ import annotations

from detection.ruleset import Rule
from detection.watching import watch_rule
from expressions import names, parse
from playbooks.plan import PlaybookSet


def watch_rules(books: PlaybookSet) -> list[Rule]:
    """One rule `watch.ID` for each watch; several playbooks may have the same one."""
    found = {
        id_: watch_rule(book.area, id_, watch.text, watch.for_s, names(parse(watch.text)))
        for book in books.playbooks for id_, watch in book.watches.items()
    }  # fmt: skip
    return [rule for _, rule in sorted(found.items())]
