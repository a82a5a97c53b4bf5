"""Facts of playbook runs, commands, devices and stages."""

from __future__ import annotations

import math
from typing import Any

from eventlog.change import Change
from events import devices as d
from events import playbooks as p
from events.envelope import Configured, Event, InputFailed


def of_playbooks(event: Event) -> tuple[Change, ...]:
    at, area = event.at, event.area
    values: dict[str, Any]
    match event.fact:
        case p.RunStarted() as f:
            values = {
                "playbook": f.playbook, "version": f.version, "incident": f.incident, "area": area, "title": f.title,
                "started_at": at, "asked_by": f.asked_by, "planned": f.planned, "not_before": f.not_before,
                "scope": json(f.scope), "chain": list(f.chain), "retry_of": f.retry_of, "done": list(f.done),
                "paused": False,
            }  # fmt: skip
        case p.RunPaused() as f:
            values = {
                "paused": True, "paused_at": at, "paused_by": f.by, "pause_reason": f.reason, "pause_due": f.due,
            }  # fmt: skip
        case p.RunResumed() as f:
            values = {"paused": False}
        case p.RunEnding() as f:
            values = {
                "ending": f.outcome, "ending_at": at, "ending_detail": f.detail, "ended_by": f.by, "undo": list(f.undo),
            }  # fmt: skip
        case p.RunEscalated() as f:
            values = {
                "escalated_at": at, "escalated_to": f.to, "escalated_step": f.step, "escalated_reason": f.reason,
            }  # fmt: skip
        case p.RunFinished() as f:
            values = {"outcome": f.outcome, "finished_at": at, "detail": f.detail}
        case _:
            return ()
    return (Change("runs", (f.run,), values),)


def of_steps(event: Event) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    match event.fact:
        case p.StepStarted() as f:
            return (Change("steps", (f.run, f.step, f.attempt), {"started_at": at, "due": f.due}),)
        case p.StepFinished() as f:
            values = {
                "outcome": f.outcome, "finished_at": at, "detail": f.detail, "result": json(f.result),
                "set": json(f.set), "by": f.by,
            }  # fmt: skip
            return (Change("steps", (f.run, f.step, f.attempt), values),)
        case p.CommandIssued() as f:
            values = {
                "run": f.run, "incident": f.incident, "area": event.area, "step": f.step, "attempt": f.attempt,
                "edge": f.edge, "device": f.device, "point": f.point, "value": f.value, "author": f.author,
                "issued_at": at, "not_after": f.not_after, "kind": f.kind, "precondition": f.precondition,
            }  # fmt: skip
            return (Change("commands", (f.command,), values),)
        case _:
            return ()


def json(values: dict[str, p.Scalar]) -> dict[str, p.Scalar]:
    """What the database takes: no NaN, no infinity."""
    return {k: v for k, v in values.items() if not isinstance(v, float) or math.isfinite(v)}


def of_devices(event: Event) -> tuple[Change, ...]:
    at = event.at
    values: dict[str, Any]
    outcome: dict[str, Any]
    match event.fact:
        case d.CommandSucceeded() as f:
            outcome = {
                "outcome": "succeeded", "reason": "", "read_back": f.read_back, "written_at": f.written_at,
                "confirmed_at": f.confirmed_at,
            }  # fmt: skip
        case d.CommandFailed() as f:
            outcome = {"outcome": "failed", "reason": f.reason}
        case d.CommandRefused() as f:
            outcome = {"outcome": "refused", "reason": f.reason}
        case d.DeviceLost() as f:
            values = {"area": event.area, "lost": True, "since": at, "reason": f.reason}
            return (Change("devices", (f.device,), values),)
        case d.DeviceReturned() as f:
            return (Change("devices", (f.device,), {"area": event.area, "lost": False, "since": at, "reason": ""}),)
        case d.GapOpened() as f:
            return (Change("gaps", (f.source, f.first), {"last": f.last, "opened_at": at}),)
        case d.GapClosed() as f:
            return (Change("gaps", (f.source, f.first), {"last": f.last, "closed_at": at}),)
        case d.RecordsLost() as f:
            return (Change("gaps", (f.source, f.first), {"last": f.last, "lost_at": at, "reason": f.reason}),)
        case _:  # conditions, refusals: the log itself is their record
            return ()
    return (Change("commands", (f.command,), outcome, unless="outcome"),)


def of_stages(event: Event) -> tuple[Change, ...]:
    at = event.at
    match event.fact:
        case InputFailed() as f:
            values = {"at": at, "origin": f"stage {f.stage}", "field": "", "reason": f.error, "original": f.input}
            return (Change("dead_letters", (event.id,), values),)
        case Configured() as f:
            return (Change("configurations", (f.stage, f.version), {"at": at, "body": f.body}),)
        case _:
            return ()
