"""What expressions and texts of a run know, and how they are worked out. Pure. The names are listed in `plan`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from urllib.parse import quote

from events.playbooks import Scalar
from expressions import Expr, Value, evaluate, parse
from playbooks.plan import Playbook
from playbooks.recipe import Condition
from playbooks.run import Run

Names = dict[str, Value]
UNKNOWN = "?"
"""What stands in a text for a name that is not known."""
_IN_TEXT = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}")
_parse: Callable[[str], Expr] = lru_cache(maxsize=4096)(parse)


def names_of(book: Playbook, run: Run, watches: Collection[str]) -> Names:
    """All that the run knows now. `watches`: those that are true."""
    known = about(book, run.scope, watches)
    known |= {f"vars.{name}": value for name, value in run.vars.items()}
    for place, result in run.results.items():  # by its own name, too; the newest of that name counts
        path = place.split(".")
        for i in range(1, len(path)):
            known |= {f"steps.{'.'.join(path[i:])}.{field}": value for field, value in result.items()}
    for place, result in run.results.items():
        known |= {f"steps.{place}.{field}": value for field, value in result.items()}
    return known


def about(book: Playbook, scope: dict[str, Scalar], watches: Collection[str]) -> Names:
    """What is known before anything was done."""
    true = {f"watch.{id_}": id_ in watches for id_ in book.watches}
    return {"area": book.area, "playbook": book.playbook, "playbook.title": book.title, **scope, **true}


def holds(condition: Condition, names: Names) -> bool:
    """Whether it is known to be true."""
    return evaluate(_parse(condition.text), names) is True


def value(text: str, names: Names) -> Value:
    """None: not known."""
    return evaluate(_parse(text), names)


def mentions(condition: Condition, watch: str) -> bool:
    return f"watch.{watch}" in condition.text


def fill(text: str, names: Names, how: Callable[[str], str] = str) -> str:
    """The text with {names} replaced. Secrets are left: only the errands process knows them. A value that looks like
    one (a comment of a person) is made to look otherwise, so that nobody can call for a secret.

    how: what is done with each value before it is put in.
    """

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith("secret."):
            return found[0]
        return how(show(names.get(name)).replace("{secret.", "{ secret."))

    return _IN_TEXT.sub(put, text) if "{" in text else text


def show(value: Value) -> str:
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "true" if value else "false"
        case float() | int():
            return f"{value:.10g}"
        case str():
            return value


def in_url(text: str) -> str:
    return quote(text, safe="")


def in_json(text: str) -> str:
    """As it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def in_header(text: str) -> str:
    return " ".join(text.split())
