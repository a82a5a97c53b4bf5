"""A playbook as a flow diagram in Mermaid: what comes after what, and where a failed step leads. Pure."""

from __future__ import annotations

from itertools import count

from devices.plant import Plant
from playbooks import plan, recipe, wording
from playbooks.places import branches

_SHAPES = {"step": ("[", "]"), "choice": ("{", "}"), "end": ("([", "])"), "ask": ("[/", "/]")}
Ends = list[tuple[str, str]]
"""Nodes from which the next step follows, each with what stands at the arrow."""


def mermaid(book: plan.Playbook, plant: Plant) -> str:
    """The text of a `flowchart TD`."""
    return _Chart(plant).of(book)


class _Chart:
    def __init__(self, plant: Plant) -> None:
        self._plant, self._count = plant, count(1)
        self._lines = ["flowchart TD"]
        self._failures: Ends = []

    def of(self, book: plan.Playbook) -> str:
        begin = self._node("end", " or ".join(wording.trigger(t) for t in book.triggers))
        ends = self._steps(book.steps, [(begin, f"when {book.when.said}" if book.when else "")])
        if ends:
            self._join(ends, self._node("end", "completed"))
        if self._failures:
            undone = ", what was done is undone" if any(s.undo for s in recipe.every_step(book.steps)) else ""
            self._join(self._failures, self._node("end", f"failed{undone}: {book.escalate_to} is told"), dotted=True)
        return "\n".join(self._lines) + "\n"

    def _steps(self, steps: tuple[recipe.Step, ...], ends: Ends) -> Ends:
        for step in steps:
            ends = self._step(step, ends)
        return ends

    def _step(self, step: recipe.Step, ends: Ends) -> Ends:
        match step.act:
            case recipe.Choose():
                return self._choose(step, step.act, ends)
            case recipe.Group(steps=steps):
                inner = self._steps(steps, ends)
            case recipe.Parallel(branches=many):
                fork = self._node("step", "beside each other")
                self._join(ends, fork)
                inner = [end for steps in many for end in self._steps(steps, [(fork, "")])]
            case recipe.Repeat(steps=steps):
                head = self._node("choice", wording.act(step.act, self._plant))
                self._join(ends, head)
                self._join(self._steps(steps, [(head, "pass")]), head)
                inner = [(head, "enough")]
            case recipe.Stop():
                self._join(ends, self._node("end", wording.act(step.act, self._plant)))
                return []
            case act:
                shape = "ask" if isinstance(act, recipe.Ask | recipe.Task) else "step"
                name = "" if wording.unnamed(step) else f"{step.step}: "
                node = self._node(shape, name + wording.act(act, self._plant))
                self._join(ends, node)
                inner = [(node, "")]
        skipped = [(node, "not so") for node, _ in ends] if step.only_if is not None else []
        return [*inner, *skipped, *self._failed(step, inner)]

    def _failed(self, step: recipe.Step, inner: Ends) -> Ends:
        """Where the arrow of its failure leads; what goes on after it goes on from the ends that are returned."""
        counted = isinstance(step.act, recipe.Repeat) and step.act.until is None
        if (counted or isinstance(step.act, recipe.Delay | recipe.Notify | recipe.Group)) and not step.handler:
            return []
        failed = [(node, "fails") for node, _ in inner]
        if step.handler:
            return self._steps(step.handler, failed)
        if step.on_error == "continue":
            return []  # the same arrow
        self._failures += failed
        return []

    def _choose(self, step: recipe.Step, act: recipe.Choose, ends: Ends) -> Ends:
        one = len(act.cases) == 1
        node = self._node("choice", act.cases[0].condition.said if one else f"{step.step}: which?")
        self._join(ends, node)
        said = ["yes"] if one else [case.condition.said for case in act.cases]
        out: Ends = []
        for word, (_, steps) in zip([*said, "no" if one else "else"], branches(act, step.step), strict=True):
            out += self._steps(steps, [(node, word)])
        return out

    def _node(self, shape: str, text: str) -> str:
        name, (left, right) = f"n{next(self._count)}", _SHAPES[shape]
        self._lines.append(f'    {name}{left}"{_escaped(text)}"{right}')
        return name

    def _join(self, ends: Ends, to: str, dotted: bool = False) -> None:
        for node, word in dict.fromkeys(ends):
            said = f'|"{_escaped(word)}"|' if word else ""
            self._lines.append(f"    {node} {'-.->' if dotted else '-->'}{said} {to}")


def _escaped(text: str) -> str:
    for char, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("\n", " ")):
        text = text.replace(char, code)
    return text
