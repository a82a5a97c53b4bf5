"""A playbook as OASIS CACAO 2.0, for others to read; a lossy export, never read back. Pure.

What CACAO has no word for stands in the step's description: read-back, attempts, preconditions, and a stop within a
branch, which ends only the branch there. A choice of several cases becomes ifs within ifs, since `switch-condition`
compares a variable. Conditions stay in our own language, where the standard wants STIX patterns. Source: CACAO Security
Playbooks 2.0 (OASIS), sections 3 to 7 and its JSON schemas, which `cacao_check` holds an export against.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from devices.plant import Plant
from events.types import make_id
from playbooks import plan, recipe, wording

Object = dict[str, Any]
_LEADS = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
_ACTIVITY = "step-sequence"
"""What the playbook says it does, each of its commands must say, too."""


def export(book: plan.Playbook, plant: Plant, created: datetime, modified: datetime) -> Object:
    """The playbook as plain data for JSON. The same content gives the same ids. Args: created, modified: of the
    playbook and of this version, with time zone."""
    return _Export(book, plant).made(created, modified)


class _Export:
    def __init__(self, book: plan.Playbook, plant: Plant) -> None:
        self._book, self._plant = book, plant
        self._workflow: dict[str, Object] = {}
        self._agents: dict[str, Object] = {}

    def made(self, created: datetime, modified: datetime) -> Object:
        book = self._book
        end = self._step("end", "end", {})
        first = self._steps(book.steps, end, "")
        start = self._step("start", "start", {"on_completion": first})
        exception = self._exception()
        return {
            "type": "playbook", "spec_version": "cacao-2.0", "id": self._id("playbook", "playbook"),
            "name": book.title, "description": self._description(), "playbook_types": ["mitigation"],
            "playbook_activities": [_ACTIVITY], "created_by": _id("identity", make_id("cacao", "andon")),
            "created": _time(created), "modified": _time(modified),
            "priority": max(1, 100 - book.priority),  # CACAO: 1 is the highest
            "labels": ["andon", f"version-{book.version}", book.area], "workflow_start": start,
            "workflow_exception": exception, "workflow": self._reached(start, exception),
            "agent_definitions": self._agents,
        }  # fmt: skip

    def _reached(self, *begin: str) -> dict[str, Object]:
        """The steps that something leads to: behind a stop nothing does."""
        found: dict[str, Object] = {}
        open_ = list(begin)
        while open_:
            if (id_ := open_.pop()) not in found:
                step = found[id_] = self._workflow[id_]
                open_ += [step[name] for name in _LEADS if name in step] + step.get("next_steps", [])
        return found

    def _description(self) -> str:
        triggers = ", or when ".join(wording.trigger(t) for t in self._book.triggers)
        only = f" It does not run unless {self._book.when.said}." if self._book.when else ""
        return f"It runs in area {self._book.area} when {triggers}.{only}"

    def _exception(self) -> str:
        """What happens when a step fails and says nothing of its own."""
        undone = [s for s in recipe.every_step(self._book.steps) if s.undo]
        undo = "; ".join(wording.act(u.act, self._plant) for s in reversed(undone) for u in s.undo)
        said = (f"Undo what was done: {undo}. " if undo else "") + f"Tell {self._book.escalate_to}."
        end = self._step("end", "exception-end", {})
        more = {"commands": [_manual(said)], "agent": self._agent(self._book.escalate_to), "on_completion": end}
        return self._step("action", "exception", {"name": "when a step fails", **more})

    def _steps(self, steps: tuple[recipe.Step, ...], after: str, prefix: str, failed: str = "") -> str:
        """The id of the first; they are made from the last one back, since each names its follower. Args: failed: where
        a step leads that fails and has no answer of its own; "" to the exception."""
        for step in reversed(steps):
            after = self._of(step, after, prefix + step.step, failed)
        return after

    def _branch(self, steps: tuple[recipe.Step, ...], place: str) -> str:
        """Each branch has an end of its own."""
        return self._steps(steps, self._step("end", f"{place}/end", {}), f"{place}/")

    def _of(self, step: recipe.Step, after: str, place: str, failed: str) -> str:
        if step.only_if is None:
            return self._done(step, after, place, failed)
        done = self._done(step, self._step("end", f"{place}/if/end", {}), place)
        body = {"condition": step.only_if.said, "on_true": done, **_follows(after, failed)}
        return self._step("if-condition", f"{place}/if", body)

    def _done(self, step: recipe.Step, after: str, place: str, failed: str = "") -> str:
        """The step itself, whatever its `only_if` says."""
        if step.handler:
            failed = self._steps(step.handler, after, f"{place}!/", failed)
        elif step.on_error == "continue":
            failed = after
        follows = _follows(after, failed)
        match step.act:
            case recipe.Group(steps=steps):
                return self._steps(steps, after, f"{place}/", failed)
            case recipe.Choose(cases=cases, otherwise=otherwise):
                return self._choice(cases, otherwise, follows, place)
            case recipe.Parallel(branches=branches) if len(branches) > 1:
                begins = [self._branch(steps, f"{place}/{i}") for i, steps in enumerate(branches, 1)]
                return self._step("parallel", place, {"next_steps": begins, **follows})
            case recipe.Parallel(branches=branches):
                return self._steps(branches[0] if branches else (), after, f"{place}/", failed)
            case recipe.Repeat(steps=steps):
                body = {"condition": _again(step.act), "on_true": self._branch(steps, place), **follows}
                return self._step("while-condition", place, body)
            case recipe.Stop(text=text):
                end = self._step("end", f"{place}/end", {})
                return self._action(step, f"Stop here: {text}", {"on_completion": end}, place)
            case recipe.Delay(seconds=seconds):
                more = {"delay": round(seconds * 1000), **follows}
                return self._action(step, wording.act(step.act, self._plant), more, place)
            case act:
                return self._action(step, wording.act(act, self._plant), follows, place)

    def _choice(
        self, cases: tuple[recipe.Case, ...], otherwise: tuple[recipe.Step, ...], follows: Object, place: str
    ) -> str:
        first, *rest = cases
        body: Object = {"condition": first.condition.said, "on_true": self._branch(first.steps, f"{place}/1")}
        if rest:
            inner = {"on_completion": self._step("end", f"{place}/2/end", {})}
            body["on_false"] = self._choice(tuple(rest), otherwise, inner, f"{place}/2")
        elif otherwise:
            body["on_false"] = self._branch(otherwise, f"{place}/else")
        return self._step("if-condition", place, {**body, **follows})

    def _action(self, step: recipe.Step, said: str, follows: Object, place: str) -> str:
        more: Object = {"name": place, "description": said, **follows}
        if step.timeout_s:
            more["timeout"] = round(step.timeout_s * 1000)
        if step.retry:
            more["description"] += f" (up to {step.retry + 1} attempts)"
        match step.act:
            case recipe.Http() as act:
                more |= {"commands": [_http(act)], "agent": self._agent("Andon")}
            case recipe.Ask(to=to) | recipe.Task(to=to):
                more |= {"commands": [_manual(said)], "agent": self._agent(to)}
            case recipe.Write(edge=edge) | recipe.Read(edge=edge):
                more |= {"commands": [_manual(said)], "agent": self._agent(f"Andon edge {edge}")}
            case _:
                more |= {"commands": [_manual(said)], "agent": self._agent("Andon")}
        return self._step("action", place, more)

    def _agent(self, name: str) -> str:
        id_ = self._id("group", f"agent {name}")
        self._agents[id_] = {"type": "group", "name": name}
        return id_

    def _step(self, type_: str, place: str, body: Object) -> str:
        id_ = self._id(type_, f"step {place}")
        self._workflow[id_] = {"type": type_, **body}
        return id_

    def _id(self, type_: str, what: str) -> str:
        return _id(type_, make_id("cacao", self._book.playbook, type_, what))


def _id(type_: str, made: UUID) -> str:
    """Steps must have UUIDs of version 4: the same bits at every export, marked so."""
    return f"{type_}--{UUID(bytes=made.bytes, version=5 if type_ == 'playbook' else 4)}"


def _follows(after: str, failed: str) -> Object:
    """What comes next. Args: failed: "" if nothing is said of a failure."""
    if failed == after:
        return {"on_completion": after}
    return {"on_success": after} | ({"on_failure": failed} if failed else {})


def _again(act: recipe.Repeat) -> str:
    bound = f"passes < {act.most}"
    if act.until is not None:
        return f"{bound} && !({act.until.said})"
    return f"{bound} && {act.while_.said}" if act.while_ is not None else bound


def _manual(said: str) -> Object:
    text = base64.b64encode(said.encode()).decode()
    return {"type": "manual", "command_b64": text, "description": said, "playbook_activity": _ACTIVITY}


def _http(act: recipe.Http) -> Object:
    line = f"{act.method} {act.url} HTTP/1.1"
    made: Object = {"type": "http-api", "command": line, "playbook_activity": _ACTIVITY}
    if act.headers:
        made["headers"] = {name: [value] for name, value in act.headers.items()}
    if act.body:
        made["content_b64"] = base64.b64encode(act.body.encode()).decode()
    return made


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
