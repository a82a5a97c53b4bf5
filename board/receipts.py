"""Requests that this page sent, by what they are about, and what the log answered.

A press sends and waits a moment for the answer; later refreshes go on looking for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from time import monotonic, sleep
from uuid import uuid4

import streamlit as st

from analytics.rows import Answer
from board import signing
from board.acknowledge import Receipt, request
from board.service import Service
from board.source import SourceError
from desk.sending import NotSentError
from events.requests import RequestBody

ANSWER_WITHIN_S = 1.0


def _all() -> dict[str, Receipt]:
    receipts: dict[str, Receipt] = st.session_state.setdefault("receipts", {})
    return receipts


def waits(key: str, now: datetime) -> bool:
    """Whether a request is on its way: its button must not be pressed again."""
    return key in _all() and _all()[key].tell(now)[0] == "sent"


def turn(key: str) -> str:
    """The key of a form: after what was asked is done, the next one begins empty."""
    return f"{key} {st.session_state.get(f'turn {key}', 0)}"


def lacking(key: str, now: datetime, why: str) -> None:
    """Nothing was sent, and this is why."""
    _all()[key] = Receipt(None, now, failed=why)


def send(service: Service, key: str, area: str, body: RequestBody, name: str, now: datetime, does: str) -> None:
    """`does`: what is said when it was done."""
    if not name:
        lacking(key, now, "it needs your name, because it is signed in the log")
        return
    signing.remember(name)
    asked = request(area, body, id_=uuid4(), at=now, by=name, role=signing.role())
    sent = Receipt(asked.id, now, by=name, does=does)
    try:
        service.sender.send(asked)
    except NotSentError as error:
        sent = sent._replace(failed=error.reason)
    _all()[key] = sent


def wait_for_answers(service: Service, *keys: str) -> None:
    """After a press. They usually come within some tenths of a second: look for them more often than the page is
    redrawn, and redraw it at once."""
    deadline = monotonic() + ANSWER_WITHIN_S
    left = asked = [key for key in keys if key in _all() and _all()[key].request is not None and not _all()[key].failed]
    while asked and monotonic() < deadline:
        try:
            left = [key for key in left if _look(service, key).answer is None]
        except SourceError:
            return  # the next refresh asks again, and says so
        if not left:
            st.cache_data.clear()
            st.rerun(scope="fragment")
        sleep(0.05)


def _look(service: Service, key: str) -> Receipt:
    sent = _all()[key]
    if sent.request is None or sent.answer is not None:
        return sent
    answer = service.source.answer(sent.request)
    return sent if answer is None else _answered(key, sent, answer)


def _answered(key: str, sent: Receipt, answer: Answer) -> Receipt:
    """Keep it; the form of what was done is put away."""
    _all()[key] = sent = sent._replace(answer=answer)
    if answer.accepted:
        st.session_state[f"turn {key}"] = st.session_state.get(f"turn {key}", 0) + 1
    return sent


def show(service: Service, key: str, now: datetime) -> None:
    """How the last request about this stands."""
    show_all(service, {key: ""}, now)


def show_all(service: Service, about: Mapping[str, str], now: datetime) -> None:
    """How the last requests stand, `about` each key in words; what is said of several stands in one line."""
    said: dict[tuple[str, str], list[str]] = {}
    for key, what in about.items():
        if key not in _all():
            continue
        try:
            sent = _look(service, key)
        except SourceError as error:
            sent = _all()[key]
            st.caption(str(error))
        said.setdefault(sent.tell(now), []).append(what)
    for (tone, text), whom in said.items():
        of = ", ".join(filter(None, whom))
        line = f"{of}: {text}" if of else text
        st.html(f'<div class="andon-receipt {tone}" role="status">{escape(line)}</div>')
