"""What became of an errand, and how it is told to the brain that waits for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from events.envelope import Event
from events.errands import ErrandDone, ErrandFailed, HttpIssued, MessageIssued
from events.playbooks import Scalar
from events.requests import ReportErrand, Request
from events.types import make_id

AUTHOR = "errands"
Errand = HttpIssued | MessageIssued
Outcome = ErrandDone | ErrandFailed
TOLD_FOR = timedelta(seconds=60)
"""So long after its time an outcome may still reach the brain; later nobody waits for it."""
STALE = timedelta(days=1)
"""Of what is older nothing is said at all: positions were lost, not an errand."""
FORBIDDEN = ("andon", "neuron", "plain")
"""Roots of topics that move devices, or bring readings."""
AGAIN = frozenset({408, 425, 429})
"""Answers of 4xx after which the same call may succeed."""


def report(issued: Event, outcome: Outcome, now: datetime) -> Request:
    """The outcome as a request to the playbooks stage; of an errand it always has the same id."""
    fact = errand_of(issued)
    match outcome:
        case ErrandDone(status=status, result=result):
            body = ReportErrand(errand=fact.errand, status=status, result=result)
        case ErrandFailed(status=status, reason=reason, final=final):
            body = ReportErrand(errand=fact.errand, status=status, reason=reason or "it failed", final=final)
    return Request(
        id=make_id("errand reported", fact.errand), area=issued.area, at=now, by=AUTHOR, role="system",
        expires=max(now, fact.not_after) + TOLD_FOR, body=body,
    )  # fmt: skip


def errand_of(issued: Event) -> Errand:
    assert isinstance(issued.fact, Errand), issued.fact
    return issued.fact


def late(fact: Errand) -> ErrandFailed:
    by = f"{fact.not_after:%Y-%m-%d %H:%M:%S} UTC"
    return ErrandFailed(errand=fact.errand, reason=f"late: it was to begin by {by}", final=True)


def answered(fact: HttpIssued, status: int, content: Any, excerpt: str) -> Outcome:
    """What an answer of HTTP means. `content`: its JSON, None for none; excerpt: its beginning, for people."""
    expected = status in fact.expect if fact.expect else 200 <= status < 300
    if not expected:
        final = status < 500 and status not in AGAIN
        said = f": {excerpt}" if excerpt else ""
        return ErrandFailed(errand=fact.errand, reason=f"answered {status}{said}", status=status, final=final)
    try:
        result = {name: pointed(content, pointer) for name, pointer in fact.save.items()}
    except LookupError as error:
        return ErrandFailed(errand=fact.errand, reason=str(error.args[0]), status=status, final=True)
    return ErrandDone(errand=fact.errand, status=status, result=result)


def pointed(content: Any, pointer: str) -> Scalar:
    """The number, text or truth at a JSON pointer (RFC 6901).

    Raises:
        LookupError: there is none.
    """
    found = content
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and re.fullmatch("0|[1-9][0-9]*", key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise LookupError(f"the answer has no {pointer}")
    if isinstance(found, bool):
        return found
    if isinstance(found, int | float):
        return float(found)
    if isinstance(found, str):
        return found
    raise LookupError(f"{pointer} of the answer is no text, number or truth")


def refused_topic(topic: str) -> str:
    """Why nothing is published there; "" where it may be. Andon's own topics, and those of gateways, move devices or
    look like readings."""
    if not topic or any(c in topic for c in "+#\0") or len(topic.encode(errors="replace")) > 65_535:
        return f"'{topic}' is no topic to publish to"
    root = topic.partition("/")[0]
    forbidden = root in FORBIDDEN or root.startswith("$")
    return f"topics of {root}/ are not for playbooks" if forbidden else ""
