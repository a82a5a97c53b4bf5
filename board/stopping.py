"""The button that is always there: hands off, in two clicks with a reason; and to let playbooks act again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import streamlit as st

from analytics.rows import Overview
from board import hands, receipts, signing, words
from board.service import Service
from events.requests import AllowActing, RunRequest, StopActing


def hands_off(service: Service, overview: Overview, now: datetime) -> None:
    """Whether it is in force stands in the banner; here is how it begins and ends."""
    plant = service.plant
    off = {one.area for one in overview.hands_off}
    label = "HANDS OFF" if off else "Hands off"
    with st.popover(label, key="hands_off", width="stretch", type="primary" if off else "secondary"):
        st.markdown("**Hands off**: runs end where they are, nothing is undone, no device is moved.")
        if not hands.may(StopActing, signing.role()):
            st.caption("An auditor may not stop anything.")
        elif left := set(plant.areas) - off:
            with st.container(key="stop_acting"):  # the page's watchman leaves this form alone: stopping is never wrong
                _form(service, "Stop acting", left, now, hands.stop, "Hands off", needs_reason=True)
        if off and hands.may(AllowActing, signing.role()):
            st.divider()
            _form(service, "Allow acting again", off, now, hands.allow, "Playbooks may act again", needs_reason=False)
        elif off:
            st.caption("A supervisor or an engineer may allow it again: sign in with a token.")
        about = {_key(area): words.area_title(plant, area) for area in sorted(plant.areas)}
        receipts.show_all(service, about, now)


def _form(
    service: Service, label: str, areas: Iterable[str], now: datetime, body: Callable[[str], RunRequest], does: str, *,
    needs_reason: bool,
) -> None:  # fmt: skip
    places = hands.places(areas, service.plant)
    with st.form(label, border=False):
        where = st.selectbox("Where", list(places), key=f"{label} where {len(places)}")
        reason = st.text_input("Reason", key=f"{label} reason", max_chars=500).strip()
        name = signing.name(label, st)
        pressed = st.form_submit_button(label, type="primary" if needs_reason else "secondary", width="stretch")
    if not pressed:
        return
    meant = places[where]
    for area in meant:
        if needs_reason and not reason:
            receipts.lacking(_key(area), now, "it needs a reason")
        else:
            receipts.send(service, _key(area), area, body(reason), name, now, does)
    receipts.wait_for_answers(service, *map(_key, meant))


def _key(area: str) -> str:
    return f"hands {area}"
