"""Lint: can each condition be known, and be true? And does the run know what its texts name?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from config.findings import Finding, found
from config.yamlfile import ConfigError
from devices.plant import Plant
from expressions import Problem, ast, names, parse, resolve
from expressions.ast import walk
from playbooks import plan, written
from playbooks.compiling import Compiled
from playbooks.tree import Placed, every

_IN_TEXT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def check(c: Compiled, plant: Plant) -> Iterator[Finding]:
    """Conditions of one playbook that are never or always true, and names that are never known."""
    ranges = {name: plant.points[name][1].range for name in c.terms.points}
    order = {step.at: i for i, step in enumerate(every(c.steps))}
    placed = {step.name: step for step in every(c.steps) if step.said.step}
    for step, at, text in (*_conditions(c), *_calculated(c)):
        tree, _ = resolve(parse(text), c.terms.points | c.terms.known)
        for node, _ in walk(tree):
            if isinstance(node, ast.Compare) and (settled := _settled(node, ranges)) is not None:
                wrong = c.document.error_within(at, settled.line, settled.column, settled.reason)
                yield found(wrong, "never", "compare with what the point can be, or mend its range", "warning")
        for name in names(tree):
            yield from _unknown(c, c.document.error(at, ""), name, step, placed, order)
    for step, at, text in _texts(c):
        for match in _IN_TEXT.finditer(text):
            wrong = c.document.error_within(at, 1, match.start() + 2, "")
            yield from _unknown(c, wrong, match[1], step, placed, order)


def _conditions(c: Compiled) -> Iterator[tuple[Placed | None, str, str]]:
    """Step, place and text of every condition over what detection watches or the run knows."""
    if c.file.when:
        yield None, "$.when", c.file.when
    for step in every(c.steps):
        at = step.at
        if step.said.only_if:
            yield step, f"{at}.only_if", step.said.only_if
        match step.said:
            case written.WaitFor(wait_for=text):
                yield step, f"{at}.wait_for", text
            case written.If(if_=text):
                yield step, f"{at}.if", text
            case written.Choose(choose=cases):
                yield from ((step, f"{at}.choose[{i}].when", case.when) for i, case in enumerate(cases))
            case _:
                pass
        match step.detail:
            case written.Until(until=text):
                yield step, f"{at}.repeat.until", text
            case written.While(while_=text):
                yield step, f"{at}.repeat.while", text
            case _:
                pass


def _calculated(c: Compiled) -> Iterator[tuple[Placed, str, str]]:
    """The same of every expression that gives a value."""
    for step in every(c.steps):
        match step.said:
            case written.Write(write=values):
                at, states = f"{step.at}.write", {name: c.terms.points[name].states for name in values}
            case written.Set(set=values):
                at, states = f"{step.at}.set", {}
            case _:
                continue
        for name, value in values.items():
            if isinstance(value, str) and value not in states.get(name, {}):
                yield step, f"{at}.{name}", value


def _texts(c: Compiled) -> Iterator[tuple[Placed, str, str]]:
    """The same of every text with {names}; where it stands within a JSON body is not told apart."""
    for step in every(c.steps):
        at = step.at
        for field in ("text", "ask", "task", "stop"):
            text: Any = getattr(step.said, field, "")
            if isinstance(text, str) and text:
                yield step, f"{at}.{field}", text
        match step.said:
            case written.Task(checklist=checklist):
                yield from ((step, f"{at}.checklist[{i}]", text) for i, text in enumerate(checklist))
            case written.Http(http=call):
                yield step, f"{at}.http.url", call.url
                yield from ((step, f"{at}.http.headers.{name}", text) for name, text in call.headers.items())
                yield step, f"{at}.http.body", call.body
                yield step, f"{at}.http.json", json.dumps(call.json)
            case written.Publish(publish=message):
                yield step, f"{at}.publish.topic", message.topic
                yield step, f"{at}.publish.payload", message.payload
            case _:
                pass
        match step.detail:
            case written.Comment(comment=text):
                yield step, f"{at}.incident.comment", text
            case written.Escalate(escalate=text):
                yield step, f"{at}.incident.escalate", text
            case written.Close(close=close):
                yield step, f"{at}.incident.close.cause", close.cause
                yield step, f"{at}.incident.close.action", close.action
            case _:
                pass


def _settled(node: ast.Compare, ranges: dict[str, tuple[float, float] | None]) -> Problem | None:
    """Why a comparison of a point with a number is always the same; None where it is not. A value out of range is BAD,
    and no condition sees it."""
    left, op, right = node.left, node.op, node.right
    if isinstance(right, ast.Name):
        left, op, right = right, _TURNED[op], left  # type: ignore[assignment]  # a comparison, turned round
    if not (isinstance(left, ast.Name) and isinstance(right, ast.Number)):
        return None
    if (range_ := ranges.get(left.name)) is None:
        return None
    (low, high), limit = range_, right.value
    never = {
        "<": limit <= low, "<=": limit < low, ">": limit >= high, ">=": limit > high, "==": not low <= limit <= high,
        "!=": False,
    }  # fmt: skip
    always = {
        "<": limit > high, "<=": limit >= high, ">": limit < low, ">=": limit <= low, "==": False,
        "!=": not low <= limit <= high,
    }  # fmt: skip
    if never[op] or always[op]:
        how = "never" if never[op] else "always"
        return Problem(left.place, f"'{left.name}' is within {low:g}..{high:g}: this is {how} so")
    return None


def _unknown(c: Compiled, at: ConfigError, name: str, step: Placed | None, placed: dict[str, Placed],
             order: dict[str, int]) -> Iterator[Finding]:  # fmt: skip
    """The finding when the run can never know the name there. Args: at: the place; step: whose it is."""
    reason, todo = "", ""
    head, _, rest = name.partition(".")
    if step is not None and ".undo" in step.at:
        return  # it comes after all that was done
    if head == "vars" and step is not None and (setting := _setting(c, rest)):
        if all(order[other.at] > order[step.at] and not _in_one_repeat(c, step, other) for other in setting):
            reason = f"'{name}' is not known yet: '{setting[0].name}' sets it later"
            todo = f"put '{setting[0].name}' before it"
    elif head == "steps" and (other := placed.get(rest.partition(".")[0])) is not None:
        if step is None or (order[other.at] > order[step.at] and not _in_one_repeat(c, step, other)):
            reason = f"'{name}' is not known yet: '{other.name}' comes later"
            todo = f"put '{other.name}' before it"
    elif head in ("incident", "alarm", "asked"):
        triggers = c.book.triggers if c.book is not None else ()
        if triggers and not any(_gives(trigger, head) for trigger in triggers):
            reason, todo = f"'{name}' is never known: no trigger of this playbook gives it", "leave it out"
    if reason:
        yield found(ConfigError(at.file, at.line, at.column, reason), "unknown", todo, "warning")


def _setting(c: Compiled, variable: str) -> list[Placed]:
    """The steps that set it; none where a called playbook may."""
    found: list[Placed] = []
    for step in every(c.steps):
        match step.said:
            case written.Call():
                return []
            case written.Set(set=names_) | written.Read(read=names_) if variable in names_:
                found.append(step)
            case _:
                pass
    return found


def _gives(trigger: plan.Trigger, what: str) -> bool:
    match trigger:
        case plan.OnIncident(event=event):
            return what == "incident" or (what == "alarm" and event == "opened")
        case plan.OnAlarm():
            return what in ("incident", "alarm")
        case plan.OnRequest():
            return what in ("incident", "asked")  # people may ask for it because of an incident
        case plan.OnSchedule():
            return False


def _in_one_repeat(c: Compiled, one: Placed, other: Placed) -> bool:
    """Whether a later pass of a repeat knows what the other step did in the one before."""
    repeats = [s.at for s in every(c.steps) if isinstance(s.said, written.Repeat)]
    return any(other.at.startswith(f"{at}.repeat") and f"{one.at}.".startswith(f"{at}.") for at in repeats)
