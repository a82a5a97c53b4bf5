"""Who may ask for what of the playbooks. Pure.

    operator    start (where the file says so), cancel and pause a run, answer, hands off
    supervisor  also resume and take up a run again, and let playbooks act again
    engineer    the same
    auditor     nothing: looks
    system      reports what became of errands, and nothing else
"""

from __future__ import annotations

from math import isfinite

from events import requests as ask
from events.requests import RunRequest

LADDER = ("operator", "supervisor", "engineer")
"""Each may what the one before may."""
LEAST: dict[type, str] = {
    ask.StartRun: "operator", ask.CancelRun: "operator", ask.PauseRun: "operator", ask.AnswerQuestion: "operator",
    ask.StopActing: "operator", ask.ResumeRun: "supervisor", ask.RetryRun: "supervisor", ask.AllowActing: "supervisor",
}  # fmt: skip
NEEDS_REASON = (ask.CancelRun, ask.PauseRun, ask.StopActing)
LONGEST_PAUSE_S = 86400.0
LONGEST_TEXT = 10_000


class RefusedError(Exception):
    """What was asked for is not done; say why to the person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check(body: RunRequest, role: str) -> None:
    """Whether this role may ask for that.

    Raises:
        RefusedError: not this role, not for so long, or without the reason that is needed.
    """
    what = str(type(body).__struct_config__.tag).replace("_", " ")
    if isinstance(body, ask.ReportErrand):
        if role != "system":
            raise RefusedError("only Andon itself reports errands")
        return
    at_least(LEAST[type(body)], role, what)
    if isinstance(body, NEEDS_REASON) and not body.reason.strip():
        raise RefusedError(f"to {what} needs a reason")
    if isinstance(body, ask.PauseRun) and not (isfinite(body.duration_s) and 0 < body.duration_s <= LONGEST_PAUSE_S):
        raise RefusedError("a run is paused for a day at most, and for more than no time")
    if any(len(getattr(body, field, "")) > LONGEST_TEXT for field in ("reason", "comment")):
        raise RefusedError(f"the text is longer than {LONGEST_TEXT} characters")


def at_least(least: str, role: str, what: str) -> None:
    """Raises: RefusedError: this role may not."""
    if role not in LADDER:
        raise RefusedError(f"nobody may {what} as '{role}'")
    if least in LADDER and LADDER.index(role) < LADDER.index(least):
        raise RefusedError(f"to {what} needs at least the role {least}, not {role}")
