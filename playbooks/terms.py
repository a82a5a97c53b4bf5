"""What the expressions and texts of a playbook may name, and what they mean: conditions become watches and a rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

from config.yamlfile import ConfigError, Document
from devices.plant import Plant, compile_check, readable_at
from expressions import NameType, Problem, infer, names, parse, resolve, show, split
from expressions.ast import Expr
from expressions.check import Kind
from playbooks import written
from playbooks.plan import Watch
from playbooks.recipe import Condition
from playbooks.tree import Placed, check_name, every, unknown

_TEXT, _NUMBER, _ANY = NameType("text"), NameType(unit=None), NameType("any", None)
OF_THE_RUN: dict[str, NameType] = {
    "incident.title": _TEXT, "incident.number": _NUMBER, "incident.priority": _TEXT,
    "alarm.name": _TEXT, "alarm.rule": _TEXT, "alarm.point": _TEXT, "alarm.priority": _TEXT, "alarm.value": _NUMBER,
    "alarm.limit": _NUMBER, "alarm.unit": _TEXT, "alarm.message": _TEXT,
    "asked.by": _TEXT, "area": _TEXT, "playbook": _TEXT, "playbook.title": _TEXT,
}  # fmt: skip
"""What every run knows, as `plan` lists it."""
_RESULTS: dict[type, dict[str, NameType]] = {
    written.Ask: {"answer": _TEXT, "by": _TEXT, "comment": _TEXT},
    written.Task: {"answer": _TEXT, "by": _TEXT, "comment": _TEXT},
    written.Http: {"status": _NUMBER},
    written.If: {"branch": _NUMBER},
    written.Choose: {"branch": _NUMBER},
    written.Repeat: {"passes": _NUMBER},
}
_ELSEWHERE = "is of another area: a playbook sees only points of its own"
_POINT = "is a point: read it into a variable before, with a read: step"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_BRACES = re.compile(r"\{([^{}]*)\}")


class Terms:
    """Attributes: points: of the area, by full name; known: what a run knows, by name; watches: of all conditions that
    were compiled, by id."""

    def __init__(self, document: Document, area: str, plant: Plant) -> None:
        self._document, self._area, self._plant = document, area, plant
        self.points = _types(plant, (d for d in plant.devices if plant.devices[d].area == area))
        self.known = dict(OF_THE_RUN)
        self.watches: dict[str, Watch] = {}

    def learn(self, steps: tuple[Placed, ...], called: Mapping[str, Mapping[str, NameType]]) -> list[ConfigError]:
        """Take up what these steps say of themselves, and the variables that they set. Args: called: by place, what the
        playbooks know that are called there."""
        errors: list[ConfigError] = []
        own = {step.said.step for step in every(steps)}
        for at, other in called.items():
            if twice := sorted(own & {name.split(".")[1] for name in other if name.startswith("steps.")}):
                errors.append(self._document.error(at, f"a step '{twice[0]}' is in both playbooks: name one otherwise"))
            self.known |= other
        unset: list[tuple[str, str, Expr]] = []
        for step in every(steps):
            if step.said.step:
                self.known |= {f"steps.{step.name}.{key}": type_ for key, type_ in self._results(step).items()}
            try:
                if isinstance(step.said, written.Read):
                    for name, point in step.said.read.items():
                        self._variable(f"{step.at}.read", name, self.points.get(point, _ANY))
                elif isinstance(step.said, written.Set):
                    unset += self._set(step)
            except ConfigError as error:
                errors.append(error)
        return errors + self._infer(unset)

    def condition(self, at: str, text: str, for_s: float = 0.0) -> Condition:
        """Raises: ConfigError: it is no condition, or names what is not known."""
        tree = self._resolved(at, text, self.points | self.known, "bool", _ELSEWHERE)
        if for_s and not all(name in self.points for name in names(tree)):
            raise self._document.error(at, "for: belongs to a condition over points alone")
        if not names(tree):
            raise self._document.error(at, "it names nothing: it is always the same")
        try:
            rest = split(tree, self.points.__contains__, lambda part: f"watch.{self._watch(show(part), for_s)}")
        except Problem as problem:
            raise self._within(at, problem) from None
        return Condition(show(rest), text)

    def expression(self, at: str, text: str, want: Kind) -> Expr:
        """What the run knows, calculated; points must have been read before."""
        return self._resolved(at, text, self.known, want, _POINT)

    def unit(self, expr: Expr) -> str | None:
        """Of a number; None: it fits any."""
        type_ = infer(expr, self.known)
        return type_.unit if type_ is not None else None

    def precondition(self, at: str, text: str, edge: str) -> str:
        """An expression over points of the edge, as the executor gets it."""
        here = readable_at(edge, self._plant.devices.values())
        try:
            return show(compile_check(text, here, self._plant.points.keys() - here.keys()))
        except Problem as problem:
            raise self._within(at, problem) from None

    def text(self, at: str, text: str, *, free: bool = False, secrets: bool = False) -> str:
        """The text, its {names} looked over. Args: free: braces may stand for something else too, as in JSON."""
        for match in (_PLACEHOLDER if free else _BRACES).finditer(text):
            name = match[1]
            if name in self.known or (secrets and name.startswith("secret.")):
                continue
            if name in self.points:
                reason = f"'{name}' {_POINT}"
            elif name.startswith("secret."):
                reason = "a secret goes only into http: everybody can read this"
            else:
                reason = unknown("placeholder", name, self.known)
            raise self._document.error_within(at, 1, match.start() + 2, reason)
        return text

    def _watch(self, text: str, for_s: float) -> str:
        id_ = "w" + sha256(f"{self._area}|{text}|{for_s}".encode()).hexdigest()[:8]
        self.watches[id_] = Watch(text, for_s)
        return id_

    def _resolved(self, at: str, text: str, known: Mapping[str, NameType], want: Kind, foreign: str) -> Expr:
        """Args: foreign: what is said of a point that is not known here."""
        try:
            tree, problems = resolve(parse(text), known, want)
        except Problem as unreadable:
            raise self._within(at, unreadable) from None
        for problem in problems:
            name = next((n for n in names(tree) if problem.reason.startswith(f"unknown name '{n}'")), "")
            reason = problem.reason
            if name in self._plant.points:
                reason = f"'{name}' {foreign}"
            elif name.startswith("vars."):
                reason = unknown("variable", name, (n for n in known if n.startswith("vars.")))
            raise self._within(at, Problem((problem.line, problem.column), reason))
        return tree

    def _within(self, at: str, problem: Problem) -> ConfigError:
        return self._document.error_within(at, problem.line, problem.column, problem.reason)

    # --- results and variables -------------------------------------------------------------------------------------

    def _results(self, step: Placed) -> dict[str, NameType]:
        found = {"outcome": _TEXT, **_RESULTS.get(type(step.said), {})}
        if isinstance(step.said, written.Http):
            found |= dict.fromkeys(step.said.http.save, _ANY)
        elif isinstance(step.said, written.Read) and len(step.said.read) == 1:
            found["value"] = self.points.get(next(iter(step.said.read.values())), _ANY)
        return found

    def _set(self, step: Placed) -> list[tuple[str, str, Expr]]:
        """The variables that it sets by an expression, with their places."""
        found: list[tuple[str, str, Expr]] = []
        for name, value in step.said.set.items():
            at = f"{step.at}.set.{name}"
            check_name(self._document, f"{step.at}.set", name, key=name)
            if isinstance(value, str):
                try:
                    found.append((at, name, parse(value)))
                except Problem as problem:
                    raise self._within(at, problem) from None
            else:
                self._variable(f"{step.at}.set", name, NameType("bool") if isinstance(value, bool) else _NUMBER)
        return found

    def _infer(self, unset: list[tuple[str, str, Expr]]) -> list[ConfigError]:
        """The kinds of variables whose expressions may name each other, in whatever order; what never gets a kind is
        said when its step is compiled."""
        errors: list[ConfigError] = []
        while True:
            left = []
            for at, name, expr in unset:
                if (type_ := infer(expr, self.known)) is None:
                    left.append((at, name, expr))
                    continue
                try:
                    self._variable(at.rpartition(".")[0], name, type_)
                except ConfigError as error:
                    errors.append(error)
            if len(left) == len(unset):
                break
            unset = left
        for _, name, _ in unset:
            self.known.setdefault(f"vars.{name}", _ANY)
        return errors

    def _variable(self, at: str, name: str, type_: NameType) -> None:
        check_name(self._document, at, name, key=name)
        before = self.known.setdefault(f"vars.{name}", type_)
        if before.kind != type_.kind and "any" not in (before.kind, type_.kind):
            raise self._document.error(at, f"'{name}' is a {type_.kind} here and a {before.kind} elsewhere", key=name)
        if before.unit != type_.unit:
            self.known[f"vars.{name}"] = NameType(before.kind, None)


def _types(plant: Plant, devices: Iterable[str]) -> dict[str, NameType]:
    points = ((f"{name}.{p.point}", p) for name in devices for p in plant.devices[name].points)
    return {full: NameType(unit=p.unit, states=p.states) for full, p in points}
