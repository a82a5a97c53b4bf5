"""One playbook of a file into what the machine runs: its head and its triggers, with the steps of `stepping`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec.structs import replace

from config.yamlfile import ConfigError, Document
from devices.plant import Plant
from playbooks import files, plan, recipe, written
from playbooks.stepping import Stepper
from playbooks.terms import Terms
from playbooks.tree import Placed, Reader, every, items, one_of, unknown

MOST_STEPS = 2000
MOST_BEGUN = 5000
"""Passes of repeats counted: with no wait between, all of them begin in one turn, and everybody else waits for that."""
ENDS = ("resolved", "closed")
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Compiled(NamedTuple):
    """A playbook as it was written and as it runs. Attributes: book: None where it has errors."""

    document: Document
    file: files.PlaybookFile
    steps: tuple[Placed, ...]
    terms: Terms
    book: plan.Playbook | None
    errors: list[ConfigError]


def _begins(step: recipe.Step) -> int:
    """How many steps may begin there: itself and all within, in each pass."""
    *inner, handler, undo = (sum(map(_begins, steps)) for steps in recipe.within(step))
    times = step.act.most if isinstance(step.act, recipe.Repeat) else 1
    return 1 + times * sum(inner) + handler + undo


Find = Callable[[str, str], Compiled]
"""(place of a call, name) -> that playbook. Raises ConfigError: there is none that could be called."""


class Compiler:
    """Attributes: find: bound to the document. known: the names of all playbooks."""

    def __init__(self, document: Document, plant: Plant, known: Collection[str], find: Find) -> None:
        self._document, self._plant, self._known, self._find = document, plant, known, find

    def compile(self) -> Compiled:
        """Raises: ConfigError: it is no playbook at all."""
        document = self._document
        file = document.into(files.PlaybookFile)
        if file.area not in self._plant.areas:
            raise document.error("$.area", unknown("area", file.area, self._plant.areas))
        reader = Reader(document)
        with reader.noting():
            self._check_home(file)
        if not file.steps:
            reader.errors.append(document.error("$.steps", "a playbook needs at least one step"))
        steps = reader.steps(items("$.steps", file.steps))
        terms = Terms(document, file.area, self._plant)
        reader.errors += terms.learn(steps, self._called(steps))
        stepper = Stepper(reader, terms, self._plant, file.area, self._steps_of)
        book = plan.Playbook(file.id, file.title or file.id, file.area, (), stepper.steps(steps))
        if sum(1 for _ in recipe.every_step(book.steps)) > MOST_STEPS:
            reason = f"with those of the playbooks that it calls, it has more than {MOST_STEPS} steps"
            reader.errors.append(document.error("$.steps", reason))
        elif (most := sum(map(_begins, book.steps))) > MOST_BEGUN:
            reason = f"with all passes of its repeats, up to {most} steps begin: {MOST_BEGUN} are the most"
            reader.errors.append(document.error("$.steps", reason))
        for change in (self._triggers, self._limits):
            with reader.noting():
                book = change(file, book, stepper)
        with reader.noting():
            when = terms.condition("$.when", file.when) if file.when else None
            book = replace(book, when=when)
        book = replace(book, watches=dict(sorted({**book.watches, **terms.watches}.items())))
        done = replace(book, version=plan.digest(book))
        return Compiled(document, file, steps, terms, None if reader.errors else done, reader.errors)

    def _check_home(self, file: files.PlaybookFile) -> None:
        home = self._plant.areas[file.area].home
        if file.runs_at == "cloud":
            raise self._document.error("$.runs_at", "nothing runs in the cloud yet: leave it out")
        if file.runs_at is not None and file.runs_at != home:
            reason = f"area '{file.area}' has its home at the {home}: there it runs"
            raise self._document.error("$.runs_at", reason)

    def _steps_of(self, at: str, name: str) -> plan.Playbook:
        book = self._find(at, name).book
        if book is None:
            raise self._document.error(at, f"playbook '{name}' cannot be called: it has mistakes")
        return book

    def _called(self, steps: tuple[Placed, ...]) -> dict[str, Any]:
        """What the called playbooks know, by the place of the call."""
        found: dict[str, Any] = {}
        for step in every(steps):
            if isinstance(step.said, written.Call):
                try:
                    found[f"{step.at}.call"] = self._find(f"{step.at}.call", step.said.call).terms.known
                except ConfigError:
                    continue  # the step says so itself
        return found

    def _limits(self, file: files.PlaybookFile, book: plan.Playbook, stepper: Stepper) -> plan.Playbook:
        limit = plan.Limit(file.limit.count, stepper.span("$.limit.per", file.limit.per)) if file.limit else None
        consequences = tuple(file.consequences or ())
        if consequences and not any(_causes(t) for t in book.triggers):
            reason = "consequences: of what? The trigger needs rule:, or after: for the end of an incident"
            raise self._document.error("$.consequences", reason)
        return replace(
            book, limit=limit, consequences=consequences, mode=file.mode or book.mode,
            most=book.most if file.most is None else file.most,
            priority=book.priority if file.priority is None else file.priority,
            ends_with_incident=bool(file.ends_with_incident), escalate_to=file.escalate_to or book.escalate_to,
        )  # fmt: skip

    # --- triggers --------------------------------------------------------------------------------------------------

    def _triggers(self, file: files.PlaybookFile, book: plan.Playbook, _: Stepper) -> plan.Playbook:
        if file.trigger is None:
            return book  # it is only called
        many = isinstance(file.trigger, list)
        raw = file.trigger if isinstance(file.trigger, list) else [file.trigger]
        if not raw:
            raise self._document.error("$.trigger", "what sets it off?")
        return replace(book, triggers=tuple(
            self._trigger(f"$.trigger[{i}]" if many else "$.trigger", one) for i, one in enumerate(raw)
        ))  # fmt: skip

    def _trigger(self, at: str, raw: Any) -> plan.Trigger:
        match one_of(self._document, at, raw, files.TRIGGERS, "a trigger"):
            case files.IncidentTrigger() as t:
                self._check_incident(at, t)
                points = self._points(at, t.point)
                return plan.OnIncident(t.incident, _many(t.rule), points, t.min_priority, self._after(at, t.after))
            case files.AlarmTrigger() as t:
                return plan.OnAlarm(t.alarm, _many(t.rule), self._points(at, t.point), t.min_priority)
            case files.RequestTrigger(request=request):
                return plan.OnRequest(request.role)
            case files.ScheduleTrigger(schedule=schedule):
                return self._schedule(f"{at}.schedule", schedule)
            case other:
                raise TypeError(f"no kind of trigger: {other}")

    def _check_incident(self, at: str, t: files.IncidentTrigger) -> None:
        if t.after and t.incident not in ENDS:
            raise self._document.error(at, "after: belongs to incident: resolved or closed", key="after")
        if t.incident != "opened" and (t.rule or t.point):
            reason = "rule: and point: belong to incident: opened; an end is chosen with after: PLAYBOOK"
            raise self._document.error(at, reason, key="rule" if t.rule else "point")

    def _points(self, at: str, names: written.Names) -> tuple[str, ...]:
        for i, name in enumerate(_many(names)):
            if not any(c in name for c in "*?[") and name not in self._plant.points:
                place = f"{at}.point" if isinstance(names, str) else f"{at}.point[{i}]"
                raise self._document.error(place, unknown("point", name, self._plant.points))
        return _many(names)

    def _after(self, at: str, names: written.Names) -> tuple[str, ...]:
        for i, name in enumerate(_many(names)):
            if name not in self._known:
                place = f"{at}.after" if isinstance(names, str) else f"{at}.after[{i}]"
                raise self._document.error(place, unknown("playbook", name, self._known))
        return _many(names)

    def _schedule(self, at: str, said: files.Schedule) -> plan.OnSchedule:
        try:
            zone = ZoneInfo(said.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self._document.error(f"{at}.zone", f"no time zone is called '{said.zone}'") from None
        try:
            if len(said.cron.split()) != 5:
                raise CronSimError("cronsim takes seconds, too")
            next(CronSim(said.cron, _ANY_DAY.astimezone(zone)))
        except (CronSimError, StopIteration):
            reason = f"'{said.cron}' is no schedule: write minute hour day month weekday, as in 0 6 * * 1-5"
            raise self._document.error(f"{at}.cron", reason) from None
        return plan.OnSchedule(said.cron, said.zone)


def _causes(trigger: plan.Trigger) -> bool:
    """Whether it names what it follows from."""
    match trigger:
        case plan.OnIncident(rules=rules, after=after):
            return bool(rules or after)
        case plan.OnAlarm(rules=rules):
            return bool(rules)
        case _:
            return False


def _many(names: written.Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
