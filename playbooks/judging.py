"""Tells a case to the real engine, and what of it came otherwise than expected. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from config.yamlfile import ConfigError
from devices.plant import Plant
from events.envelope import Event
from events.errands import HttpIssued, MessageIssued
from events.notifications import NotificationIssued
from events.playbooks import (
    CommandIssued,
    QuestionAsked,
    RunEscalated,
    RunFinished,
    RunRefused,
    RunStarted,
    StepFinished,
)
from playbooks import plan, wording
from playbooks.cases import Expect, Message, Placed, seconds
from playbooks.rehearsal import rehearse
from playbooks.staging import of_the_run, script


class Verdict(Struct, frozen=True):
    """Attributes: wrong: what came otherwise, each with its place; () : it passed. said: all that the engine said."""

    placed: Placed
    wrong: tuple[ConfigError, ...]
    said: tuple[Event, ...]


def judge(placed: Placed, books: plan.PlaybookSet, plant: Plant) -> Verdict:
    """Raises: ConfigError: the case itself cannot be told."""
    book = next(b for b in books.playbooks if b.playbook == placed.playbook)
    said = tuple(told(placed, book, books, plant))
    return Verdict(placed, tuple(_differences(placed, book, said, plant)), said)


def told(placed: Placed, book: plan.Playbook, books: plan.PlaybookSet, plant: Plant) -> Sequence[Event]:
    """What the engine says; first to learn the run's id where people ask something of it."""
    after = {name for t in book.triggers if isinstance(t, plan.OnIncident) for name in t.after}
    wanted = (b for b in books.playbooks if b is book or b.playbook in after)
    own = replace(books, playbooks=tuple(b if placed.case.given.at else _unscheduled(b) for b in wanted))
    made = script(placed, book, plant)
    said = rehearse(own, made)
    run = next((e.fact.run for e in said if isinstance(e.fact, RunStarted) and e.fact.playbook == book.playbook), None)
    if run is None or not (asks := tuple(of_the_run(placed, run))):
        return said
    return rehearse(own, replace(made, asks=(*made.asks, *asks)))


def _unscheduled(book: plan.Playbook) -> plan.Playbook:
    """Without its clock: a case that says nothing of time is not about it."""
    return replace(book, triggers=tuple(t for t in book.triggers if not isinstance(t, plan.OnSchedule)))


class _Seen:
    """What came, as a case says it; of the playbook itself."""

    def __init__(self, book: plan.Playbook, said: Sequence[Event], plant: Plant) -> None:
        name = book.playbook
        self.began = {e.fact.run: e for e in said if isinstance(e.fact, RunStarted) and e.fact.playbook == name}
        self.own = [e for e in said if getattr(e.fact, "run", None) in self.began]
        facts = [e.fact for e in self.own]
        self.ends = {e.fact.run: e for e in self.own if isinstance(e.fact, RunFinished)}
        self.refused = [e.fact for e in said if isinstance(e.fact, RunRefused) and e.fact.playbook == name]
        self.steps = {f.step: f.outcome for f in facts if isinstance(f, StepFinished)}
        self.commands = [
            f"{f.point} = {wording.of_point(f.point, f.value, plant)}" if f.kind == "write" else f"{f.point}?"
            for f in facts if isinstance(f, CommandIssued)
        ]  # fmt: skip
        self.messages = [f for f in facts if isinstance(f, NotificationIssued)]
        self.questions = [f.text for f in facts if isinstance(f, QuestionAsked)]
        self.errands = [
            f"{f.method} {f.url}" if isinstance(f, HttpIssued) else f"publish {f.topic}"
            for f in facts if isinstance(f, HttpIssued | MessageIssued)
        ]  # fmt: skip
        self.escalated = [f.step for f in facts if isinstance(f, RunEscalated)]

    @property
    def outcome(self) -> str:
        """Of the last run; "nothing": it was not set off."""
        if self.began:
            end = self.ends.get(list(self.began)[-1])
            return end.fact.outcome if end is not None else "still running"  # type: ignore[union-attr]
        return "refused" if self.refused else "nothing"

    @property
    def detail(self) -> str:
        ends = [e.fact.detail for e in self.ends.values()]  # type: ignore[union-attr]
        return " · ".join([*ends, *(f.reason for f in self.refused)])

    def took_s(self, run: UUID) -> float:
        end = self.ends.get(run)
        return (end.at - self.began[run].at).total_seconds() if end is not None else float("inf")


def _differences(placed: Placed, book: plan.Playbook, said: Sequence[Event], plant: Plant) -> Iterator[ConfigError]:
    expect, seen = placed.case.expect, _Seen(book, said, plant)
    if expect.outcome is not None and seen.outcome != expect.outcome:
        why = f" ({seen.detail})" if seen.detail else ""
        yield placed.error("expect.outcome", f"expected {expect.outcome}, it is {seen.outcome}{why}")
    if expect.detail and expect.detail not in seen.detail:
        yield placed.error("expect.detail", f"expected '{expect.detail}', it is '{seen.detail}'")
    for step, outcome in expect.steps.items():
        if (came := seen.steps.get(step, "never begun")) != outcome:
            known = "" if step in seen.steps else f"; there were {', '.join(seen.steps) or 'none'}"
            yield placed.error(f"expect.steps.{step}", f"expected {outcome}, it is {came}{known}")
    lists = {"questions": seen.questions, "errands": seen.errands, "escalated": seen.escalated}
    for name, came_ in lists.items():
        yield from _same(placed, name, getattr(expect, name), came_)
    if expect.commands is not None:
        yield from _same(placed, "commands", [_as_said(c, plant) for c in expect.commands], seen.commands)
    yield from _messages(placed, expect, seen)
    if expect.runs is not None and len(seen.began) != expect.runs:
        yield placed.error("expect.runs", f"expected {expect.runs}, it ran {len(seen.began)} times")
    if expect.within is not None and (took := max(map(seen.took_s, seen.began), default=0.0)) > seconds(expect.within):
        yield placed.error("expect.within", f"expected {expect.within}, it took {wording.span(took)}")


def _as_said(command: str, plant: Plant) -> str:
    """A command as `_Seen` says it: the state's name, or the number with its unit."""
    name, _, value = command.partition(" = ")
    point = plant.points[name][1] if name in plant.points else None
    if not value or point is None or value in point.states:
        return command
    return f"{name} = {wording.of_point(name, float(value), plant)}"


def _same(placed: Placed, what: str, wanted: Sequence[str] | None, came: Sequence[str]) -> Iterator[ConfigError]:
    """Complete and in order; the first difference."""
    for i in range(max(len(wanted), len(came)) if wanted is not None else 0):
        assert wanted is not None
        want = wanted[i] if i < len(wanted) else "nothing more"
        have = came[i] if i < len(came) else "nothing more"
        if want != have:
            at = f"expect.{what}[{i}]" if i < len(wanted) else f"expect.{what}"
            yield placed.error(at, f"{what} number {i + 1}: expected '{want}', it is '{have}'")
            return


def _messages(placed: Placed, expect: Expect, seen: _Seen) -> Iterator[ConfigError]:
    for i, wanted in enumerate(expect.messages or ()):
        if not any(_fits(wanted, message) for message in seen.messages):
            said = "; ".join(f"{m.to}: {m.text}" for m in seen.messages) or "none"
            yield placed.error(f"expect.messages[{i}]", f"no such message; there were: {said}")
    if expect.messages == [] and seen.messages:
        yield placed.error("expect.messages", f"expected none, there is '{seen.messages[0].text}'")


def _fits(wanted: Message, message: NotificationIssued) -> bool:
    return (
        wanted.to in ("", message.to) and wanted.contains in message.text and wanted.priority in ("", message.priority)
    )
