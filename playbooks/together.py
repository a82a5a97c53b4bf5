"""Lint: playbooks beside each other. Who moves the same point, what is never taken back, what nobody sets off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from config.findings import Finding, found
from config.yamlfile import ConfigError
from playbooks import plan, written
from playbooks.blueprints import Used
from playbooks.compiling import Compiled
from playbooks.tree import Placed, every


def conflicts(all_: Sequence[Compiled]) -> Iterator[Finding]:
    """Two playbooks that can run at the same time and write the same point. Said once, at the later one."""
    for one, other in combinations(sorted(all_, key=lambda c: (c.document.file, c.file.id)), 2):
        a, b = _book(one), _book(other)
        if a.area != b.area or not (a.triggers and b.triggers) or a.opens != b.opens:
            continue  # what resets waits for what it undoes, and gives way to it
        if a.playbook in _after(b) or b.playbook in _after(a):
            continue
        for point in sorted(a.writes & b.writes):
            first = _writing(one, point, point)
            wrong = _writing(other, point, f"'{point}' is written by '{a.playbook}', too ({first.file}:{first.line})")
            if a.priority == b.priority:
                todo = f"give one of them a higher priority (both have {a.priority}), or trigger it after: the other"
                yield found(wrong, "conflict", todo, "warning")
            else:
                higher = max(a, b, key=lambda book: book.priority)
                todo = f"while both run, '{higher.playbook}' has it (priority {higher.priority})"
                yield found(wrong, "conflict", todo, "info")


def undone(all_: Sequence[Compiled]) -> Iterator[Finding]:
    """Writes that stay when the playbook fails later: no undo, and no playbook resets them. Of a shipped blueprint that
    is thought over already."""
    reset = {name for c in all_ for name in _after(_book(c))}
    for c in all_:
        book = _book(c)
        if not book.opens or book.playbook in reset or not book.triggers:
            continue
        if isinstance(c.document, Used) and c.document.shipped:
            continue
        steps = list(_forward(c.steps))
        moved: set[str] = set()
        for i, step in enumerate(steps):
            if not isinstance(step.said, written.Write):
                continue
            again = moved >= step.said.write.keys()  # it takes back itself what was done before
            moved |= step.said.write.keys()
            if again or step.said.undo:
                continue
            if any(_can_fail(later) for later in steps[i + 1 :]):
                wrong = c.document.error(step.at, f"'{step.name}' stays as it is when a later step fails")
                yield found(wrong, "undo", "add undo:, or a playbook that resets it (after:)", "info")


def idle(all_: Sequence[Compiled]) -> Iterator[Finding]:
    """Playbooks that nothing sets off and nobody calls."""
    called = {s.said.call for c in all_ for s in every(c.steps) if isinstance(s.said, written.Call)}
    areas = {_book(c).playbook: _book(c).area for c in all_}
    for c in all_:
        book = _book(c)
        if not book.triggers and book.playbook not in called:
            wrong = c.document.error("$.id", f"'{book.playbook}' has no trigger, and no playbook calls it")
            yield found(wrong, "idle", "add trigger:", "warning")
        for name in _after(book):
            if areas.get(name, book.area) != book.area:
                wrong = c.document.error("$.trigger", f"'{name}' is of area '{areas[name]}': it never runs here")
                yield found(wrong, "idle", "name a playbook of the same area", "warning")


def _book(c: Compiled) -> plan.Playbook:
    assert c.book is not None, "only playbooks without mistakes are looked at"
    return c.book


def _after(book: plan.Playbook) -> set[str]:
    return {name for t in book.triggers if isinstance(t, plan.OnIncident) for name in t.after}


def _writing(c: Compiled, point: str, reason: str) -> ConfigError:
    """Where it is written: at the step, or at the call of the playbook that does."""
    for step in every(c.steps):
        if isinstance(step.said, written.Write) and point in step.said.write:
            return c.document.error(f"{step.at}.write", reason, key=point)
    call = next((s for s in every(c.steps) if isinstance(s.said, written.Call)), None)
    return c.document.error(call.at if call else "$", reason)


def _forward(steps: tuple[Placed, ...]) -> Iterator[Placed]:
    """The steps of the way forward: no handlers, no undo."""
    for step in steps:
        yield step
        for name, branch in step.branches.items():
            if name not in ("on_error", "undo"):
                yield from _forward(branch)


def _can_fail(step: Placed) -> bool:
    return isinstance(step.said, written.Tried) and step.said.on_error == "stop"
