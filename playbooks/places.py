"""How events name a step: by its place in the tree. Pure.

    relieve             a step of the playbook               relieve!.s1       of the handler of a failed step
    lamps.2             inside a group (a call, several points)
    if3.then.close      of an `if`; if3.else.close otherwise
    pick.case2.s1       of a `choose`; pick.else.s1 otherwise
    both.branch1.s1     of a parallel                        pump[3].stop      in the third pass of a repeat
    undo:relieve.s1     what undoes relieve
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from playbooks.recipe import Choose, Group, Parallel, Repeat, Step

HOLDING = Group | Choose | Parallel | Repeat
"""Steps that hold others."""
_PASS = re.compile(r"\[\d+\]")


def inside(step: Step, place: str) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """What the places within a step at `place` begin with, and the steps there; its handler too. Passes of a repeat are
    not told apart."""
    match step.act:
        case Group(steps=steps) | Repeat(steps=steps):
            yield f"{place}.", steps
        case Choose():
            yield from branches(step.act, place)
        case Parallel(branches=many):
            yield from ((f"{place}.branch{n}.", steps) for n, steps in enumerate(many, 1))
        case _:
            pass
    if step.handler:
        yield handler(place), step.handler


def branches(act: Choose, place: str) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The cases in order, and last what is done otherwise."""
    for n, case in enumerate(act.cases, 1):
        yield f"{place}.{'then' if len(act.cases) == 1 else f'case{n}'}.", case.steps
    yield f"{place}.else.", act.otherwise


def handler(place: str) -> str:
    return f"{place}!."


def holds(place: str, other: str) -> bool:
    """Whether the step at `other` stands within the one at `place`."""
    return other.startswith((f"{place}.", f"{place}[", f"{place}!"))


def undo(place: str) -> str:
    return f"undo:{place}."


def in_pass(place: str, number: int) -> str:
    return f"{place}[{number}]."


def general(place: str) -> str:
    """The place without the numbers of passes: by that the plan and expressions know a step."""
    return _PASS.sub("", place) if "[" in place else place


def index(steps: tuple[Step, ...], begin: str = "") -> dict[str, Step]:
    """All steps by their general place, those that undo too."""
    found: dict[str, Step] = {}
    for step in steps:
        place = begin + step.step
        found[place] = step
        for prefix, inner in inside(step, place):
            found |= index(inner, prefix)
        if step.undo and not begin.startswith("undo:"):
            found |= index(step.undo, undo(place))
    return found
