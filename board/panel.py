"""What people ask for on the page: the forms. Each press sends one request (`board.receipts`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from analytics.history import Handover
from analytics.review import review as markdown
from analytics.rows import Alarm, Story
from board import components, handover, headline, receipts, signing, words
from board.acknowledge import Target, acknowledgement
from board.actions import Action, Field
from board.lists import Chosen
from board.service import Service
from board.source import SourceError
from events import requests as ask
from incidents.permissions import MAY

# --- acknowledging ---------------------------------------------------------------------------------------------------


def target(story: Story | None, alarm: Alarm | None) -> tuple[Target, str] | None:
    """What a press of the button would acknowledge, and what the button says; None when nothing waits for it."""
    if alarm is not None:
        if alarm.acknowledged or alarm.over:
            return None
        return Target("alarm", alarm.alarm, alarm.area, priority=alarm.priority), "Acknowledge this alarm"
    if story is None or not story.incident.is_open or all(a.acknowledged or a.over for a in story.alarms):
        return None
    incident = story.incident
    shown = _shown()
    seen = tuple(a.alarm for a in story.alarms if not a.acknowledged and f"alarm:{a.alarm}" in shown)
    return Target("incident", incident.incident, incident.area, seen), f"Acknowledge {words.called(incident)}"


def _shown() -> frozenset[str]:
    """The alarms of the story that the browser has drawn: it says so with every message, so with the press too. What
    this run or a late one draws may have more."""
    return frozenset(getattr(st.session_state.get("story"), "shown", None) or ())


def _acknowledge(service: Service, key: str, found: tuple[Target, str], now: datetime) -> bool:
    target, label = found
    with st.form(f"form {key}", border=False):
        comment_at, name_at, button_at = st.columns([6, 3, 4], vertical_alignment="bottom")
        comment = comment_at.text_input("Comment", key=f"comment {key}", max_chars=500,
                                        placeholder="what you saw, what you do")  # fmt: skip
        name = signing.name(key, name_at)
        pressed: bool = button_at.form_submit_button(
            label, type="primary", width="stretch", disabled=receipts.waits(key, now)
        )  # fmt: skip
    if pressed:
        receipts.send(service, key, target.area, acknowledgement(target, comment.strip()), name, now, "Acknowledged")
    return pressed


# --- everything that can be asked for --------------------------------------------------------------------------------


def asking(
    service: Service, chosen: Chosen, area: str, offered: Sequence[Action], now: datetime,
    found: tuple[Target, str] | None = None,
) -> None:  # fmt: skip
    """The acknowledgement if one is due, the other requests of which one is picked, and how the last one stands."""
    key = chosen.key or ""
    pressed = found is not None and signing.role() != "auditor" and _acknowledge(service, key, found, now)
    if offered:
        pressed |= _more(service, key, area, offered, now)
    receipts.show(service, chosen.key or "", now)
    if pressed:
        receipts.wait_for_answers(service, key)


def _more(service: Service, key: str, area: str, offered: Sequence[Action], now: datetime) -> bool:
    """The other requests: one is picked, its form comes below. After one is done the next begins with an empty form."""
    turn = receipts.turn(key)
    picked = st.pills("More", [a.label for a in offered], key=f"pick {turn}", label_visibility="collapsed")
    action = next((a for a in offered if a.label == picked), None)
    if action is None:
        return False
    with st.form(f"more {turn} {action.label}", border=False):
        given = _filled_in(action.fields, f"{turn} {action.label}")
        name_at, button_at = st.columns([3, 4], vertical_alignment="bottom")
        name = signing.name(f"{turn} more", name_at)
        pressed: bool = button_at.form_submit_button(
            action.label, type="primary", width="stretch", disabled=receipts.waits(key, now)
        )  # fmt: skip
    if pressed and (lack := action.lacks(given)):
        receipts.lacking(key, now, lack)
    elif pressed:
        receipts.send(service, key, area, action.body(given), name, now, action.does)
    return pressed


def _filled_in(fields: Sequence[Field], key: str) -> dict[str, Any]:
    """What stands in the fields, two or three of them in a row."""
    given: dict[str, Any] = {}
    width = 3 if len(fields) == 3 else 2
    for first in range(0, len(fields), width):
        row = fields[first : first + width]
        places = st.columns([_WIDTHS[f.kind] for f in row], vertical_alignment="bottom")
        given |= {f.name: _ask(f, at, f"{key} {f.name}") for f, at in zip(row, places, strict=True)}
    return given


_WIDTHS = {"text": 5, "choice": 3, "several": 8, "check": 4}


def _ask(field: Field, at: Any, key: str) -> Any:
    match field.kind:
        case "text":
            return at.text_input(field.label, key=key, max_chars=2000).strip()
        case "choice":
            first = None if field.needed else 0
            return at.selectbox(field.label, field.options, index=first, placeholder="choose", key=key)
        case "several":
            return at.multiselect(field.label, field.options, placeholder="choose", key=key)
        case "check":
            return at.checkbox(field.label, key=key)


def hand_over(service: Service, handed: Sequence[Handover], now: datetime) -> None:
    """One of the positions that the log knows goes to somebody else."""
    seats = handover.seats(handed)
    if not seats or ask.HandOver not in MAY[signing.role()]:
        return
    chosen = Chosen(view="handover")
    seat = st.selectbox("A position to hand over", list(seats), index=None, placeholder="choose one", key="seat")
    if seat is None:
        receipts.show(service, chosen.key or "", now)
        return
    area, position = seats[seat]
    asking(service, chosen, area, tuple(handover.offered(area, position, signing.role())), now)


def review(story: Story) -> None:
    """The report, to be filled in by people."""
    name = f"review-{words.called(story.incident).replace(' ', '-')}.md"
    st.download_button("Review (Markdown)", markdown(story), name, "text/markdown", on_click="ignore")


# --- instead of what is chosen ---------------------------------------------------------------------------------------


def cannot_be_shown(error: SourceError) -> None:
    components.headline(key="calm", data=headline.message("…", "Cannot be shown now", str(error)))


def not_in_the_log() -> None:
    text = "The address names something that this plant's log does not have."
    components.headline(key="calm", data=headline.message("?", "Not in the log", text))
