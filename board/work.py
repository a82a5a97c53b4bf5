"""What playbooks do and ask, on the page: a question with its answers, one run, all runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import streamlit as st

from analytics.rows import Overview
from analytics.run_rows import Question, Run
from board import components, panel, questions, receipts, running, signing, words
from board.lists import Chosen
from board.service import Service
from board.source import SourceError
from desk.seen import PlaybookSeen

Choose = Callable[[str], None]


@st.cache_data(ttl=0.9, show_spinner=False, max_entries=100)
def _question(_service: Service, id_: UUID) -> Question | None:
    return _service.source.question(id_)


@st.cache_data(ttl=0.9, show_spinner=False, max_entries=100)
def _run(_service: Service, id_: UUID) -> Run | None:
    return _service.source.run(id_)


@st.cache_data(ttl=2, show_spinner=False)
def _runs(_service: Service) -> tuple[Run, ...]:
    return _service.source.runs()


@st.cache_data(ttl=30, show_spinner=False)
def _playbooks(_service: Service) -> tuple[PlaybookSeen, ...]:
    return _service.source.playbooks()


# --- a question ------------------------------------------------------------------------------------------------------


def question(service: Service, chosen: Chosen, id_: UUID, now: datetime, choose: Choose) -> None:
    try:
        found = _question(service, id_)
    except SourceError as error:
        panel.cannot_be_shown(error)
        return
    if found is None:
        panel.not_in_the_log()
        return
    components.headline(key="headline", data=questions.headline(found, service.plant))
    if found.closed_at is None:
        _answer(service, chosen.key or "", found, now)
    receipts.show(service, chosen.key or "", now)
    data = questions.facts(found)
    components.trace(key="facts", data=data, on_chosen_change=lambda: choose("facts"))


def _answer(service: Service, key: str, asked: Question, now: datetime) -> None:
    """One button for each answer; what must be ticked off stands above them."""
    if not questions.may_answer(asked, signing.role()):
        st.info(f"To answer this needs the role {asked.role} or higher: sign in with a token.")
        return
    turn, offered = receipts.turn(key), questions.replies(asked)
    with st.form(f"answer {turn}", border=False):
        ticked = {line: st.checkbox(line, key=f"tick {turn} {line}") for line in asked.checklist}
        comment_at, name_at = st.columns([6, 4])
        comment = comment_at.text_input("Comment", key=f"comment {turn}", max_chars=500)
        name = signing.name(turn, name_at)
        waits = receipts.waits(key, now)
        places = st.columns(max(2, len(offered)))
        pressed = [
            at.form_submit_button(reply.label, key=f"say {turn} {reply.answer}", width="stretch", disabled=waits,
                                  type="primary" if asked.kind == "choice" or reply == offered[0] else "secondary")
            for reply, at in zip(offered, places, strict=False)
        ]  # fmt: skip
    reply = next((r for r, p in zip(offered, pressed, strict=True) if p), None)
    if reply is None:
        return
    if lack := questions.lacks(asked, reply, ticked):
        receipts.lacking(key, now, lack)
        return
    said = questions.body(asked, reply, comment.strip(), ticked)
    receipts.send(service, key, asked.area, said, name, now, f"Answered “{reply.label}”")
    receipts.wait_for_answers(service, key)


# --- runs ------------------------------------------------------------------------------------------------------------


def run(service: Service, chosen: Chosen, id_: UUID, now: datetime, choose: Choose) -> None:
    """One run, and what may be asked of it."""
    try:
        found = _run(service, id_)
    except SourceError as error:
        panel.cannot_be_shown(error)
        return
    if found is None:
        panel.not_in_the_log()
        return
    components.headline(key="headline", data=running.headline(found, service.plant))
    panel.asking(service, chosen, found.area, running.of_run(found, signing.role()), now)
    components.trace(key="trace", data=running.trace(found, service.plant), on_chosen_change=lambda: choose("trace"))


def playbooks(service: Service, chosen: Chosen, overview: Overview, now: datetime, choose: Choose) -> None:
    """What goes on, what went, and what may be started."""
    try:
        ended, known = _runs(service), _playbooks(service)
    except SourceError as error:
        panel.cannot_be_shown(error)
        return
    books = running.startable(known, signing.role())
    if books:
        picked = st.selectbox("A playbook to start", list(books), index=None, placeholder="choose one", key="playbook")
        if picked is not None:
            book = books[picked]
            own = [i for i in overview.incidents if i.is_open and i.area == book.area]
            incidents = {f"{words.called(i)}: {i.title}": i.incident for i in own}
            panel.asking(service, chosen, book.area, (running.start(book, incidents),), now)
        else:
            receipts.show(service, chosen.key or "", now)
    data = running.overview(overview, ended, service.plant)
    components.playbooks(key="playbook_runs", data=data, on_chosen_change=lambda: choose("playbook_runs"))
