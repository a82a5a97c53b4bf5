"""Lint: what is wrong with playbooks, or likely to be, beside what keeps them from being used. Pure.

`problems` looks at each one; `playbooks.together` at all of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from msgspec import Struct

from config import duration
from config.findings import Finding, found
from config.yamlfile import ConfigError
from devices.plant import Plant
from playbooks import knowable, plan, together, written
from playbooks.compiling import Compiled
from playbooks.loading import Loaded
from playbooks.tree import Placed, every, unknown

_MEANT = re.compile(r"did you mean '([^']*)'")
_SECRET_HEADERS = re.compile(r"authori[sz]ation|api-?key|token|cookie|secret|password", re.IGNORECASE)


class Known(Struct, frozen=True):
    """What the other files of the plant say. None: not looked at.

    Attributes: people: positions and persons; alarms: by area, the names of its rules and alarms.
    """

    people: Collection[str] | None = None
    alarms: Mapping[str, Collection[str]] | None = None


def lint(loaded: Loaded, plant: Plant, known: Known) -> list[Finding]:
    """All findings, by file and line."""
    findings = [unusable(error) for error in loaded.errors]
    good = [c for c in loaded.found.values() if c.book is not None]
    for one in good:
        findings += problems(one, plant, known)
    findings += together.conflicts(good)
    findings += together.undone(good)
    findings += together.idle(good)
    return sorted(set(findings))


def unusable(error: ConfigError) -> Finding:
    """A mistake that keeps the file out."""
    meant = _MEANT.search(error.reason)
    todo = f"write '{meant[1]}'" if meant else "mend it; until then the last good text of the file stays in force"
    return found(error, "unusable", todo)


def problems(c: Compiled, plant: Plant, known: Known) -> Iterator[Finding]:
    """Of one playbook by itself."""
    yield from _unreachable(c, c.steps)
    for step in every(c.steps):
        yield from _read_back(c, step, plant)
        yield from _times(c, step)
        yield from _clear_secrets(c, step)
        for branch in step.branches.values():
            yield from _unreachable(c, branch)
    if known.people is not None:
        yield from _people(c, known.people)
    if known.alarms is not None and c.book is not None:
        yield from _alarms(c, known.alarms.get(c.book.area, ()))
    yield from knowable.check(c, plant)


# --- reached ---------------------------------------------------------------------------------------------------------


def _unreachable(c: Compiled, steps: tuple[Placed, ...]) -> Iterator[Finding]:
    for before, step in pairwise(steps):
        if _ends(before):
            wrong = c.document.error(step.at, f"this is never reached: the run ends at '{before.name}'")
            yield found(wrong, "unreachable", "leave it out, or put it before")
            return


def _ends(step: Placed) -> bool:
    """Whether the run always ends there."""
    if step.said.only_if:
        return False
    match step.said:
        case written.Stop():
            return True
        case written.If():
            ways = ["then", "else"]
        case written.Choose() as said:
            ways = [*(f"case{i + 1}" for i in range(len(said.choose))), "else"]
        case _:
            return False
    return all(any(_ends(inner) for inner in step.branches.get(way, ())) for way in ways)


# --- devices and times -----------------------------------------------------------------------------------------------


def _read_back(c: Compiled, step: Placed, plant: Plant) -> Iterator[Finding]:
    if not isinstance(step.said, written.Write):
        return
    for name in step.said.write:
        _, point = plant.points[name]
        assert point.writable is not None
        if point.register is None:
            wrong = c.document.error(f"{step.at}.write", f"'{name}' has no register: nobody can read it back", key=name)
            yield found(wrong, "read-back", "give it one in its points file")
            continue
        tolerance = point.writable.tolerance if step.said.tolerance is None else step.said.tolerance
        low, high = point.writable.range
        if tolerance > (high - low) / 2:
            reason = f"the read-back of '{name}' may differ by {tolerance:g}, its range is {low:g}..{high:g}"
            own = step.said.tolerance is not None
            wrong = c.document.error(f"{step.at}.{'tolerance' if own else 'write'}", reason, key=None if own else name)
            yield found(wrong, "read-back", "make the tolerance so small that a failed write is seen")


def _times(c: Compiled, step: Placed) -> Iterator[Finding]:
    match step.said:
        case written.WaitFor(for_=for_, timeout=timeout) if duration.seconds(for_) >= duration.seconds(timeout):
            wrong = c.document.error(f"{step.at}.for", f"it must hold for {for_}, and is given up after {timeout}")
            yield found(wrong, "wait", "make the timeout longer")
        case _:
            pass
    limit = getattr(step.said, "timeout", None)
    if not step.branches or limit is None:
        return
    for name, branch in step.branches.items():
        if name in ("on_error", "undo"):
            continue
        for inner in every(branch):
            if isinstance(inner.said, written.Tried):
                longest_s = duration.seconds(inner.said.timeout) * (inner.said.retry + 1)
                if longest_s > duration.seconds(limit):
                    wrong = c.document.error(
                        inner.at, f"'{inner.name}' may take {longest_s:g} s, and '{step.name}' around it only {limit}"
                    )
                    yield found(wrong, "wait", f"make the timeout of '{step.name}' longer", "warning")


def _clear_secrets(c: Compiled, step: Placed) -> Iterator[Finding]:
    if not isinstance(step.said, written.Http):
        return
    call, at = step.said.http, f"{step.at}.http"
    for name, value in call.headers.items():
        if _SECRET_HEADERS.search(name) and "{secret." not in value:
            wrong = c.document.error(f"{at}.headers.{name}", f"'{name}' is here for everybody to read")
            yield found(wrong, "secret", "name a secret of the instance: {secret.NAME}", "warning")
    if re.search(r"://[^/@{]*:[^/@{]+@", call.url):
        wrong = c.document.error(f"{at}.url", "a password is here for everybody to read")
        yield found(wrong, "secret", "send it in a header: Authorization: Basic {secret.NAME}", "warning")
    elif call.url.startswith("http://") and any("{secret." in value for value in call.headers.values()):
        wrong = c.document.error(f"{at}.url", "a secret travels without encryption")
        yield found(wrong, "secret", "use https://", "warning")


# --- names of the other files ----------------------------------------------------------------------------------------


def _people(c: Compiled, people: Collection[str]) -> Iterator[Finding]:
    def check(at: str, name: str) -> Iterator[Finding]:
        if name not in people and "{" not in name:
            wrong = c.document.error(at, unknown("position", name, people))
            yield found(wrong, "people", "name one of people/*.yaml: else nobody is told", "warning")

    if c.book is not None:
        said = "escalate_to" in c.document.data
        yield from check("$.escalate_to" if said else "$.id", c.book.escalate_to)
    for step in every(c.steps):
        match step.said:
            case written.Notify(notify=who):
                yield from check(f"{step.at}.notify", who)
            case written.Ask(to=who) | written.Task(to=who):
                yield from check(f"{step.at}.to", who)
            case written.OfIncident() if isinstance(step.detail, written.Assign):
                yield from check(f"{step.at}.incident.assign", step.detail.assign)
            case _:
                pass


def _alarms(c: Compiled, alarms: Collection[str]) -> Iterator[Finding]:
    """Patterns that no alarm or rule of the area matches."""
    for at, pattern in [*_patterns(c), *((f"$.consequences[{i}]", p) for i, p in enumerate(c.file.consequences or ()))]:
        if not any(fnmatchcase(name, pattern) for name in alarms):
            wrong = c.document.error(at, unknown("alarm or rule", pattern, alarms))
            yield found(wrong, "alarms", f"name one of area {c.file.area}: this never happens", "warning")


def _patterns(c: Compiled) -> Iterator[tuple[str, str]]:
    assert c.book is not None
    raw: Any = c.file.trigger
    for i, trigger in enumerate(c.book.triggers):
        if isinstance(trigger, plan.OnIncident | plan.OnAlarm):
            at = f"$.trigger[{i}].rule" if isinstance(raw, list) else "$.trigger.rule"
            one = len(trigger.rules) == 1
            yield from ((at if one else f"{at}[{j}]", pattern) for j, pattern in enumerate(trigger.rules))

