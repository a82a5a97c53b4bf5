"""Facts of what a run asks of people and of other systems, and of hands off."""

from __future__ import annotations

from typing import Any

from eventlog.change import Change
from eventlog.projecting.work import json
from events import errands as e
from events import playbooks as p
from events.envelope import Event


def of_questions(event: Event) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case p.QuestionAsked() as f:
            values = {
                "run": f.run, "incident": f.incident, "area": event.area, "step": f.step, "kind": f.kind,
                "text": f.text, "to": f.to, "role": f.role, "asked_at": at, "due": f.due, "choices": list(f.choices),
                "four_eyes": f.four_eyes, "checklist": list(f.checklist), "picture": f.picture,
            }  # fmt: skip
            return (Change("questions", (f.question,), values),)
        case p.QuestionAnswered() as f:
            values = {"at": at, "answer": f.answer, "comment": f.comment, "ticked": list(f.ticked)}
            return (Change("answers", (f.question, f.by), values),)
        case p.QuestionClosed() as f:
            values = {"closed_at": at, "answer": f.answer, "reason": f.reason}
            return (Change("questions", (f.question,), values),)
        case _:
            return ()


def of_errands(event: Event) -> tuple[Change, ...]:
    """A request to the incidents stage is no errand of its own here: its step says what became of it."""
    at = event.at
    outcome: dict[str, Any]
    match event.fact:
        case e.HttpIssued() as f:
            return (_issued(event, f, "http", f"{f.method} {f.url}", f.body),)
        case e.MessageIssued() as f:
            return (_issued(event, f, "message", f.topic, f.payload),)
        case e.ErrandDone() as f:
            outcome = {"outcome": "done", "reason": "", "final": True, "result": json(f.result)}
        case e.ErrandFailed() as f:
            outcome = {"outcome": "failed", "reason": f.reason, "final": f.final, "result": {}}
        case _:
            return ()
    return (Change("errands", (f.errand,), outcome | {"ended_at": at, "status": f.status}, unless="outcome"),)


def _issued(event: Event, f: e.HttpIssued | e.MessageIssued, kind: str, target: str, body: str) -> Change:
    values = {
        "run": f.run, "incident": f.incident, "area": event.area, "step": f.step, "attempt": f.attempt, "kind": kind,
        "target": target, "body": body, "author": f.author, "issued_at": event.at, "not_after": f.not_after,
    }  # fmt: skip
    return Change("errands", (f.errand,), values)


def of_acting(event: Event) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case p.ActingStopped() as f:
            values = {
                "stopped_at": at, "stopped_by": f.by, "reason": f.reason, "allowed_at": None, "allowed_by": None,
                "allow_reason": None,
            }  # fmt: skip
        case p.ActingAllowed() as f:
            values = {"allowed_at": at, "allowed_by": f.by, "allow_reason": f.reason}
        case _:
            return ()
    return (Change("acting", (event.area,), values),)
