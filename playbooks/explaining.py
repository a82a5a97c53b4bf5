"""A playbook in plain sentences, to be read aloud before it may move anything. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from devices.plant import Plant
from playbooks import plan, recipe, wording
from playbooks.places import inside

_MODES = {
    "parallel": "Each incident has one run at a time; what comes meanwhile waits. Runs for several incidents go beside "
    "each other.",
    "queue": "One run goes at a time; up to {most} more wait.",
    "single": "While a run goes, nothing else sets it off.",
    "restart": "What sets it off again cancels the run that goes, without undoing, and begins anew.",
}


def explain(book: plan.Playbook, plant: Plant) -> Iterator[str]:
    """Line by line; steps are numbered and indented as they stand within each other."""
    yield f"{book.title} ({book.playbook}), area {book.area}, version {book.version}"
    yield ""
    yield f"It runs when {', or when '.join(wording.trigger(t) for t in book.triggers)}."
    if book.when is not None:
        yield f"It does not run unless {book.when.said}."
    yield _MODES[book.mode].format(most=book.most)
    if book.limit is not None:
        yield f"It runs at most {book.limit.count} times within {wording.span(book.limit.per_s)}."
    if writes := sorted(book.writes):
        yield f"It moves {', '.join(writes)}. Another playbook gets these only with a priority above {book.priority}."
    else:
        yield "It moves no device."
    if book.ends_with_incident:
        yield "It is cancelled when its incident is resolved."
    yield ""
    yield from _Steps(book, plant).lines(book.steps, "", "")
    yield ""
    yield (
        "When a step fails for good, the run ends there as failed, unless the step says otherwise; what is to be "
        f"undone is undone, last step first. {book.escalate_to} is told, also of every step of which nobody knows "
        "whether it took effect."
    )


class _Steps:
    def __init__(self, book: plan.Playbook, plant: Plant) -> None:
        self._watches, self._plant = book.watches, plant

    def lines(self, steps: tuple[recipe.Step, ...], number: str, indent: str) -> Iterator[str]:
        for i, step in enumerate(steps, 1):
            yield from self._step(step, f"{number}{i}", indent)

    def _step(self, step: recipe.Step, number: str, indent: str) -> Iterator[str]:
        name = "" if wording.unnamed(step) else f"{step.step}: "
        yield f"{indent}{number}. {name}{wording.act(step.act, self._plant)}{self._for(step.act)}{_terms(step)}."
        within = f"{indent}   "
        parts = [(_heading(step.act, prefix), inner) for prefix, inner in inside(step, "") if prefix != "!."]
        parts += [("if it fails, instead", step.handler), ("undone by", step.undo)]
        letters = iter("abcdefghijklmnopqrstuvwxyz")
        for heading, inner in parts:
            if inner and heading:
                yield f"{within}{heading}:"
                yield from self.lines(inner, f"{number}{next(letters, 'z')}.", f"{within}  ")
            elif inner:
                yield from self.lines(inner, f"{number}.", within)

    def _for(self, act: recipe.Act) -> str:
        """How long a condition must have held, said behind it."""
        waits_for = act.condition.text if isinstance(act, recipe.WaitFor) else ""
        watch = self._watches.get(waits_for.removeprefix("watch."))
        return f" for {wording.span(watch.for_s)}" if watch is not None and watch.for_s else ""


def _heading(act: recipe.Act, prefix: str) -> str:
    """What stands above the steps at a prefix such as ".case2."."""
    branch = prefix.strip(".")
    match act:
        case recipe.Choose(cases=cases):
            if branch == "else":
                return "else"
            if branch == "then":
                return "then"
            return f"if {cases[int(branch.removeprefix('case')) - 1].condition.said}"
        case recipe.Parallel():
            return f"side {branch.removeprefix('branch')}"
        case _:
            return ""


def _terms(step: recipe.Step) -> str:
    """How long, how often, and what then."""
    said = ""
    if step.only_if is not None:
        said += f", only if {step.only_if.said}"
    if not isinstance(step.act, recipe.Delay | recipe.Notify | recipe.Set | recipe.Stop) and step.timeout_s:
        word = "at most" if isinstance(step.act, recipe.WaitFor | recipe.Ask | recipe.Task) else "within"
        said += f", {word} {wording.span(step.timeout_s)}"
    if isinstance(step.act, recipe.Ask):
        said += f"; no answer means {step.act.otherwise or 'no'}"
    if step.retry:
        pause = f" after {wording.span(step.pause_s)}" if step.pause_s else ""
        said += f", {step.retry} more {'attempt' if step.retry == 1 else 'attempts'}{pause} if it fails"
    if step.on_error == "continue" and not step.handler:
        said += "; if it fails for good, go on"
    return said
