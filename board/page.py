"""The page: head, two lists, and what is chosen. One fragment redraws all of it once a second.

What is chosen stands in the address (`?incident=ID` or `?alarm=ID`): a link shows it again, and a list that changes
cannot move it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import streamlit as st

from analytics.rows import Overview, Sample, Story
from board import (
    actions,
    components,
    feeds,
    handover,
    headline,
    lists,
    narrative,
    panel,
    receipts,
    signing,
    stopping,
    trend,
    words,
    work,
)
from board.lists import Chosen
from board.service import Service, View
from board.source import SourceError

REFRESH_S = 1.0
STYLE = (components.FRONTEND / "page.css").read_text("utf-8")


def show(service: Service) -> None:
    st.set_page_config(page_title=f"Andon · {service.plant.name}", page_icon="🚨", layout="wide")
    st.html(f"<style>{STYLE}</style>")
    _board(service)


@st.cache_data(ttl=0.9, show_spinner=False)
def _look(_service: Service) -> View:
    """One read serves every viewer of this second."""
    return _service.look()


@st.cache_data(ttl=0.9, show_spinner=False, max_entries=100)
def _story(_service: Service, incident: UUID) -> Story | None:
    return _service.source.story(incident)


@st.cache_data(ttl=5, show_spinner=False, max_entries=100)
def _readings(_service: Service, point: str, since: datetime, until: datetime) -> list[Sample]:
    return _service.source.trend(point, since, until)


@st.fragment(run_every=REFRESH_S)
def _board(service: Service) -> None:
    view = _look(service)
    overview = view.overview or Overview(read_at=view.read_at)
    plant, chosen, now = service.plant, _chosen(), service.clock()
    troubles = feeds.troubles(overview, plant)
    age_s = max(0.0, (now - view.read_at).total_seconds())
    head = lists.header(overview, plant, troubles, error=view.error, age_s=age_s, now_ms=words.millis(now))
    components.header(key="header", data=head)
    left, right = st.columns([9, 14], gap="small")
    with left:
        for name, data in lists.left(overview, view.held_back, plant, chosen).items():
            components.grid(key=name, data=data, on_chosen_change=lambda name=name: _choose(name))
        playbooks_at, hands_at, desk_at, name_at = st.columns([9, 9, 10, 9])
        going = len(overview.runs)
        with playbooks_at:
            label = f"Playbooks ({going})" if going else "Playbooks"
            st.button(label, key="playbooks", width="stretch", on_click=_go, args=("view:playbooks",))
        with hands_at:
            stopping.hands_off(service, overview, now)
        with desk_at:
            st.button("Shift handover", width="stretch", on_click=_go, args=("view:handover",))
        with name_at:
            signing.sign_in(service, now)
    with right, st.container(key="detail", gap="small"):
        if chosen.key is None:
            components.headline(key="calm", data=headline.calm(view.overview, plant, troubles))
        else:
            _detail(service, chosen, overview, now)


def _chosen() -> Chosen:
    """What the address names; nothing when it names nothing that can be an id."""
    for kind in ("alarm", "incident", "override", "view", "question", "run"):
        if text := st.query_params.get(kind):
            try:
                return lists.chosen_of(f"{kind}:{text}")
            except ValueError:
                del st.query_params[kind]
    return Chosen()


def _choose(component: str) -> None:
    """A row was clicked: the component sends its id."""
    _go(str(cast("Any", st.session_state[component]).chosen))


def _go(key: str) -> None:
    kind, _, text = key.partition(":")
    st.query_params.from_dict({kind: text})


# --- what is chosen --------------------------------------------------------------------------------------------------


def _detail(service: Service, chosen: Chosen, overview: Overview, now: datetime) -> None:
    plant = service.plant
    if chosen.view == "handover":
        _handover(service, overview, now)
        return
    if chosen.view == "playbooks":
        work.playbooks(service, chosen, overview, now, _choose)
        return
    if chosen.question:
        work.question(service, chosen, chosen.question, now, _choose)
        return
    if chosen.run:
        work.run(service, chosen, chosen.run, now, _choose)
        return
    if chosen.override:
        _override(service, chosen, overview, now)
        return
    try:
        alarm = service.source.alarm(chosen.alarm) if chosen.alarm else None
        incident = alarm.incident if alarm else chosen.incident
        story = _story(service, incident) if incident else None
    except SourceError as error:
        panel.cannot_be_shown(error)
        return
    if story is None and alarm is None:
        panel.not_in_the_log()
        return
    components.headline(key="headline", data=headline.headline(story, alarm, plant))
    if alarm is not None:
        offered = actions.of_alarm(alarm, signing.role())
        panel.asking(service, chosen, alarm.area, offered, now, panel.target(story, alarm))
    elif story is not None:
        others = {
            words.called(i): i.incident
            for i in overview.incidents
            if i.is_open and i.area == story.incident.area and i.incident != story.incident.incident
        }
        offered = actions.of_incident(story, others, signing.role())
        panel.asking(service, chosen, story.incident.area, offered, now, panel.target(story, None))
        if not story.incident.is_open:
            panel.review(story)
    if story is None:
        return
    _trend(service, story, alarm.point if alarm else story.incident.point, now)
    components.story(
        key="story", data=narrative.view(story, plant, chosen.alarm), on_chosen_change=lambda: _choose("story"),
        on_shown_change=lambda: None,
    )  # fmt: skip


def _override(service: Service, chosen: Chosen, overview: Overview, now: datetime) -> None:
    """What keeps an alarm quiet, and how to end it."""
    row = next((r for r in overview.overrides if lists.override_key(r) == chosen.override), None)
    if row is None:
        text = "It has ended: the alarm is announced again."
        components.headline(key="calm", data=headline.message("✓", "Nothing keeps this alarm quiet", text))
        receipts.show(service, chosen.key or "", now)
        return
    components.headline(key="headline", data=headline.override(row, service.plant))
    panel.asking(service, chosen, row.area, actions.of_override(row, signing.role()), now)
    if row.alarm is not None:
        st.button("Show the alarm", on_click=_go, args=(f"alarm:{row.alarm}",))


def _handover(service: Service, overview: Overview, now: datetime) -> None:
    """What the next shift must know, and the place to say it."""
    try:
        handed = service.source.handovers()
    except SourceError as error:
        panel.cannot_be_shown(error)
        return
    panel.hand_over(service, handed, now)
    data = handover.view(overview, handed[: handover.TOLD], service.plant)
    components.handover(key="handover", data=data, on_chosen_change=lambda: _choose("handover"))


def _trend(service: Service, story: Story, point: str, now: datetime) -> None:
    if point not in service.plant.points:
        return  # the alarm is about a device as a whole: there is no curve to show
    since, until = trend.window(story, now.replace(microsecond=0))
    try:
        readings = _readings(service, point, since, until)
    except SourceError as error:
        st.caption(str(error))
        return
    if not readings:
        st.caption(f"No readings of {words.point_title(service.plant, point)} around this time.")
        return
    with st.container(key="trend"):
        drawn = trend.chart(readings, point, story, service.plant, since, until)
        st.altair_chart(drawn, width="stretch", key="chart")
