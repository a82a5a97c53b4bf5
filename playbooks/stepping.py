"""The steps of a file into those that run: each checked against the plant, with all that its execution needs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from config import duration
from config.yamlfile import Document
from devices.plant import Device, Plant, Point
from expressions import evaluate, names, show
from expressions.check import same_unit
from playbooks import plan, recipe, written
from playbooks.acts import lasts
from playbooks.terms import Terms
from playbooks.tree import Placed, Reader, unknown

LONGEST_S = 7 * 86400.0
LONGEST = timedelta(days=366)
"""How long a step may go on at worst, with all that is within."""
AT_ONCE_S = 10.0
"""When a step that ends at once has failed, should it not."""
_JSON = {"Content-Type": "application/json"}
_URL = re.compile(r"https?://[^/]")
_DEVICES_TOPICS = ("andon", "neuron", "plain")
"""Where Andon and gateways speak; the broker denies them to playbooks, too."""


class Stepper:
    """Makes the steps of one playbook. Args: calls: the playbook that a step calls; raises ConfigError at `at`."""

    def __init__(self, reader: Reader, terms: Terms, plant: Plant, area: str,
                 calls: Callable[[str, str], plan.Playbook]) -> None:  # fmt: skip
        self._document: Document = reader.document
        self._noting, self._terms, self._points = reader.noting, terms, plant.points
        self._area, self._calls = area, calls

    def steps(self, placed: Iterable[Placed]) -> tuple[recipe.Step, ...]:
        """What could be made; mistakes are noted at the reader."""
        found: list[recipe.Step] = []
        for step in placed:
            with self._noting():
                found.append(self._step(step))
        return tuple(found)

    def span(self, at: str, value: str | float, least: float = 0.001) -> float:
        """Seconds."""
        try:
            seconds = duration.seconds(value)
        except ValueError as error:
            raise self._document.error(at, str(error)) from None
        if not least <= seconds <= LONGEST_S:
            raise self._document.error(at, f"{value} is not more than 0 and at most 7 days")
        return seconds

    def _step(self, p: Placed) -> recipe.Step:
        said = p.said
        acts = self._acts(p)
        timeout_s, valid_s = self._times(p)
        on_error = getattr(said, "on_error", "stop")
        made = recipe.Step(
            p.name, acts[0], timeout_s, valid_s, retry=getattr(said, "retry", 0),
            pause_s=self.span(f"{p.at}.pause", getattr(said, "pause", 0), 0.0),
            on_error="continue" if on_error == "continue" else "stop",
        )  # fmt: skip
        if len(acts) > 1:  # each with its own attempts, one after the other
            inner = tuple(replace(made, step=str(i), act=act) for i, act in enumerate(acts, 1))
            made = replace(made, act=recipe.Group(inner), timeout_s=0.0, valid_s=0.0, retry=0, pause_s=0.0)
        made = replace(
            made, handler=self.steps(p.branches.get("on_error", ())), undo=self.steps(p.branches.get("undo", ())),
            only_if=self._terms.condition(f"{p.at}.only_if", said.only_if) if said.only_if else None,
        )  # fmt: skip
        if lasts(made) > LONGEST:
            raise self._document.error(p.at, f"'{p.name}' may go on for more than a year: give it a timeout")
        return made

    def _times(self, p: Placed) -> tuple[float, float]:
        """Timeout of an attempt, and how long after its beginning it may act."""
        match p.said:
            case written.Delay(delay=delay):
                return self.span(f"{p.at}.delay", delay) + AT_ONCE_S, 0.0
            case written.Set() | written.Stop():
                return AT_ONCE_S, 0.0
            case said if said.timeout is None:
                return 0.0, 0.0  # the sum of what is within
            case said:
                timeout_s = self.span(f"{p.at}.timeout", said.timeout)
        if not isinstance(p.said, written.Write) or p.said.not_after is None:
            return timeout_s, timeout_s if isinstance(p.said, written.Tried) else 0.0
        valid_s = self.span(f"{p.at}.not_after", p.said.not_after)
        if valid_s > timeout_s:
            reason = "must not be longer than timeout: nobody would wait for the outcome"
            raise self._document.error(f"{p.at}.not_after", reason)
        return timeout_s, valid_s

    def _acts(self, p: Placed) -> list[recipe.Act]:
        """What it does: one act, or one for each point."""
        at, terms = p.at, self._terms
        match p.said:
            case written.Write() as said:
                return [self._write(at, said, point, value) for point, value in said.write.items()]
            case written.Read() as said:
                return [self._read(f"{at}.read", into, point) for into, point in said.read.items()]
            case written.WaitFor() as said:
                for_s = self.span(f"{at}.for", said.for_, 0.0)
                return [recipe.WaitFor(terms.condition(f"{at}.wait_for", said.wait_for, for_s))]
            case written.Delay() as said:
                return [recipe.Delay(self.span(f"{at}.delay", said.delay))]
            case written.Notify() as said:
                return [recipe.Notify(said.notify, terms.text(f"{at}.text", said.text), said.priority)]
            case written.Ask() as said:
                return [self._ask(at, said)]
            case written.Task() as said:
                checklist = (terms.text(f"{at}.checklist[{i}]", text) for i, text in enumerate(said.checklist))
                return [recipe.Task(terms.text(f"{at}.task", said.task), said.to, said.role, said.priority,
                                  tuple(checklist), said.picture)]  # fmt: skip
            case written.Http() as said:
                return [self._http(f"{at}.http", said.http)]
            case written.Publish() as said:
                return [self._publish(f"{at}.publish", said.publish)]
            case written.OfIncident():
                return [self._of_incident(f"{at}.incident", p.detail)]
            case written.Set() as said:
                return [self._set(at, said)]
            case written.Stop() as said:
                return [recipe.Stop(said.outcome, terms.text(f"{at}.stop", said.stop))]
            case _:
                return [self._holding(p)]

    def _holding(self, p: Placed) -> recipe.Act:
        """An act that holds steps."""
        at, condition, document = p.at, self._terms.condition, self._document
        within = {name: self.steps(branch) for name, branch in p.branches.items()}
        match p.said:
            case written.If() as said:
                case = recipe.Case(condition(f"{at}.if", said.if_), within.get("then", ()))
                return recipe.Choose((case,), within.get("else", ()))
            case written.Choose() as said:
                cases = tuple(
                    recipe.Case(condition(f"{at}.choose[{i}].when", case.when), within.get(f"case{i + 1}", ()))
                    for i, case in enumerate(said.choose)
                )
                return recipe.Choose(cases, within.get("else", ()))
            case written.Parallel() as said:
                return recipe.Parallel(tuple(within.get(f"branch{i + 1}", ()) for i in range(len(said.parallel))))
            case written.Repeat():
                steps = within.get("steps", ())
                if not steps and not p.detail.steps:
                    raise document.error(f"{at}.repeat", "it repeats nothing", key="steps")
                match p.detail:
                    case written.Times(times=times):
                        return recipe.Repeat(steps, times)
                    case written.Until(until=until, most=most):
                        return recipe.Repeat(steps, most, until=condition(f"{at}.repeat.until", until))
                    case written.While(while_=while_, most=most):
                        return recipe.Repeat(steps, most, while_=condition(f"{at}.repeat.while", while_))
                raise TypeError(f"no repeat: {p.detail}")
            case written.Call() as said:
                called = self._calls(f"{at}.call", said.call)
                self._terms.watches |= called.watches
                return recipe.Group(called.steps, of=said.call)
            case said:
                raise TypeError(f"no kind of step: {said}")

    # --- devices ---------------------------------------------------------------------------------------------------

    def _write(self, step: str, said: written.Write, name: str, value: float | str) -> recipe.Write:
        at = f"{step}.write"
        device, point = self._point(at, name, key=name)
        if not point.writable:
            reason = f"point '{name}' cannot be written: its definition has no writable:"
            raise self._document.error(at, reason, key=name)
        if device.area != self._area:
            reason = f"point '{name}' belongs to area '{device.area}': only a playbook of that area may move it"
            raise self._document.error(at, reason, key=name)
        low, high = point.writable.range
        target = self._value(at, name, point, value)
        if not isinstance(target, str) and not low <= target <= high:
            reason = f"{name}: {target:g} {point.unit}".rstrip() + f" is not within {low:g}..{high:g}"
            raise self._document.error(at, reason, key=name)
        condition = said.precondition
        return recipe.Write(
            device.edge, device.device, name, target,
            point.writable.tolerance if said.tolerance is None else said.tolerance, low, high,
            self._terms.precondition(f"{step}.precondition", condition, device.edge) if condition else "",
        )  # fmt: skip

    def _value(self, at: str, name: str, point: Point, value: float | str) -> float | str:
        """The number, or the expression that gives it."""
        if not isinstance(value, str):
            return float(value)
        if value in point.states:
            return float(point.states[value])
        misspelt = value.isidentifier() or difflib.get_close_matches(value, point.states, 1, 0.75)
        if misspelt and value not in self._terms.known:
            what = unknown("state", value, point.states) if point.states else f"'{value}' is no number"
            raise self._document.error(at, f"{name}: {what}", key=name)
        tree = self._terms.expression(f"{at}.{name}", value, "number")
        if not names(tree):
            constant = evaluate(tree, {})
            if not isinstance(constant, float):
                raise self._document.error(at, f"{name}: '{value}' is no number", key=name)
            return constant
        unit = self._terms.unit(tree)
        if unit is not None and not same_unit(unit, point.unit):
            reason = f"{name} is in {point.unit or 'no unit'}, this is in {unit or 'none'}"
            raise self._document.error(f"{at}.{name}", reason)
        return show(tree)

    def _read(self, at: str, into: str, name: str) -> recipe.Read:
        device, _ = self._point(f"{at}.{into}", name)
        if device.area != self._area:
            reason = f"point '{name}' is of area '{device.area}'; a playbook reads only points of its own area"
            raise self._document.error(f"{at}.{into}", reason)
        return recipe.Read(device.edge, device.device, name, into)

    def _point(self, at: str, name: str, key: str | None = None) -> tuple[Device, Point]:
        if (found := self._points.get(name)) is None:
            raise self._document.error(at, unknown("point", name, self._points), key=key)
        if not found[0].edge:
            reason = f"device '{found[0].device}' has no edge that could {'write' if key else 'ask'} it"
            raise self._document.error(at, reason, key=key)
        return found

    # --- people and other systems ----------------------------------------------------------------------------------

    def _ask(self, at: str, said: written.Ask) -> recipe.Ask:
        choices = tuple(said.choices)
        if len(set(choices)) != len(choices) or len(choices) == 1:
            raise self._document.error(f"{at}.choices", "at least two, and all different")
        if said.otherwise and said.otherwise not in choices:
            raise self._document.error(f"{at}.otherwise", unknown("choice", said.otherwise, choices))
        if said.four_eyes and choices:
            raise self._document.error(f"{at}.four_eyes", "two persons say yes; they do not choose")
        return recipe.Ask(self._terms.text(f"{at}.ask", said.ask), said.to, said.role, said.priority, choices,
                        said.otherwise, said.four_eyes)  # fmt: skip

    def _http(self, at: str, said: written.HttpCall) -> recipe.Http:
        if not _URL.match(said.url):
            raise self._document.error(f"{at}.url", "a URL begins with https:// (or http://) and a host")
        if said.json is not None and said.body:
            raise self._document.error(f"{at}.body", "json: or body:, not both")
        for name, pointer in said.save.items():
            if pointer and not pointer.startswith("/"):
                reason = f"'{pointer}' is no JSON pointer: write /{pointer}"
                raise self._document.error(f"{at}.save.{name}", reason)

        def fill(place: str, text: str) -> str:
            return self._terms.text(f"{at}.{place}", text, free=True, secrets=True)

        headers = {name: fill(f"headers.{name}", value) for name, value in said.headers.items()}
        body = fill("body", said.body)
        if said.json is not None:
            body = fill("json", json.dumps(said.json, ensure_ascii=False))
            headers = _JSON | headers
        return recipe.Http(said.method, fill("url", said.url), headers, body, tuple(said.expect), dict(said.save))

    def _publish(self, at: str, said: written.Message) -> recipe.Publish:
        topic = said.topic
        if topic.partition("/")[0] in _DEVICES_TOPICS:
            reason = "topics of devices and of Andon's own are not published to: a device is moved with write:"
            raise self._document.error(f"{at}.topic", reason)
        if wrong := [c for c in "+#\0" if c in topic] or (["$"] if topic.startswith("$") else []):
            raise self._document.error(f"{at}.topic", f"'{wrong[0]}' cannot be in a topic that is published to")
        payload = self._terms.text(f"{at}.payload", said.payload, free=True)
        return recipe.Publish(self._terms.text(f"{at}.topic", topic), payload, said.retain)

    def _of_incident(self, at: str, said: Any) -> recipe.OfIncident:
        text = self._terms.text
        match said:
            case written.Comment(comment=comment):
                return recipe.OfIncident("comment", text(f"{at}.comment", comment))
            case written.Assign(assign=to):
                return recipe.OfIncident("assign", to=text(f"{at}.assign", to))
            case written.Escalate(escalate=why, priority=priority):
                return recipe.OfIncident("escalate", text(f"{at}.escalate", why), priority=priority)
            case written.Close(close=close):
                return recipe.OfIncident("close", text(f"{at}.close.cause", close.cause),
                                       action=text(f"{at}.close.action", close.action))  # fmt: skip
            case _:
                raise TypeError(f"nothing that is done with an incident: {said}")

    def _set(self, at: str, said: written.Set) -> recipe.Set:
        values: dict[str, bool | float | str] = {}
        expressions: dict[str, str] = {}
        for name, value in said.set.items():
            if isinstance(value, str):
                expressions[name] = show(self._terms.expression(f"{at}.set.{name}", value, "any"))
            else:
                values[name] = value
        return recipe.Set(values, expressions)
