"""The trend of the point that caused an incident: readings, its limit, and what happened when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from analytics.rows import Sample, Story
from board import words
from devices.plant import Plant
from events.types import Priority

BEFORE, AFTER, LONGEST = timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=15)
COLOURS: dict[Priority, str] = {"critical": "#ff6464", "high": "#ffa347", "medium": "#f5d565", "low": "#86c5f5"}
LINE, MUTED, GRID = "#a9bccd", "#8b98a5", "#28313a"
ROWS, ROW_PX = 3, 15
LETTER = 0.0105
"""Width of a letter above the plot, as a part of the plot's width on the smallest screen (1280 pixels)."""
_WORDS: dict[str, Any] = {"baseline": "top", "fontSize": 11.5, "color": "#b9d7ee"}


class Mark(NamedTuple):
    at: datetime
    text: str


def window(story: Story, now: datetime) -> tuple[datetime, datetime]:
    """From a minute before the first alarm until now, or a minute after the end; at most a quarter of an hour."""
    start = min([story.incident.opened_at, *(a.raised_at for a in story.alarms)]) - BEFORE
    end = now if story.incident.resolved_at is None else min(now, story.incident.resolved_at + AFTER)
    return start, min(end, start + LONGEST)


def marks(story: Story, point: str, plant: Plant) -> list[Mark]:
    """The moments an operator compares the curve with, oldest first."""
    out: list[Mark] = []
    for a in story.alarms:
        if a.point == point:
            out.append(Mark(a.raised_at, f"{a.priority} alarm"))
            if a.cleared_at is not None:
                out.append(Mark(a.cleared_at, f"{a.priority} alarm over"))
    if story.incident.acknowledged_at is not None:
        out.append(Mark(story.incident.acknowledged_at, "acknowledged"))
    for run in story.runs:
        out += [
            Mark(c.confirmed_at, f"{words.point_title(plant, c.point)} {words.setting(plant, c.point, c.value)}")
            for c in run.commands
            if c.confirmed_at is not None
        ]
    return sorted(out)


def gathered(found: list[Mark], span: timedelta) -> list[Mark]:
    """Marks that would be drawn on one another (within 1 % of the width) as one; a third and further is counted."""
    groups: list[list[Mark]] = []
    for mark in found:
        if groups and mark.at - groups[-1][0].at < span / 100:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    out = []
    for group in groups:
        texts = list(dict.fromkeys(m.text for m in group))
        more = f" +{len(texts) - 2}" if len(texts) > 2 else ""
        out.append(Mark(group[0].at, ", ".join(texts[:2]) + more))
    return out


class Label(NamedTuple):
    """Where the words of a mark stand: in which row above the plot (None: no room, the line alone), on which side."""

    mark: Mark
    row: int | None
    left: bool


def labelled(found: list[Mark], since: datetime, until: datetime) -> list[Label]:
    """Words beside their lines so that none lies on another: right of the line, or left of it near the right end."""
    taken: list[list[tuple[float, float]]] = [[] for _ in range(ROWS)]
    out = []
    for mark in found:
        x, width = (mark.at - since) / (until - since), LETTER * (len(mark.text) + 2)
        left = x + width > 1
        start, end = (x - width, x) if left else (x, x + width)
        row = next((i for i, spans in enumerate(taken) if all(end <= a or b <= start for a, b in spans)), None)
        if row is not None:
            taken[row].append((start, end))
        out.append(Label(mark, row, left))
    return out


def chart(
    trend: list[Sample], point: str, story: Story, plant: Plant, since: datetime, until: datetime
) -> alt.LayerChart:
    """Line, limits and marks. The spec stays the same from refresh to refresh, only its data grow: no flicker."""
    known = plant.points.get(point)
    unit = known[1].unit if known else ""
    title = words.point_title(plant, point)
    times = pd.to_datetime([s.time for s in trend], utc=True)
    readings = pd.DataFrame({"time": times, "value": [s.value for s in trend]})
    limits = {
        (a.limit_value, COLOURS[a.priority]): f"limit {words.number(a.limit_value, unit)}"
        for a in story.alarms
        if a.point == point and a.limit_value is not None
    }
    lines = pd.DataFrame(
        [(*key, text, i == 0) for i, (key, text) in enumerate(sorted(limits.items(), reverse=True))],
        columns=["limit", "colour", "text", "top"],
    )
    inside = [m for m in gathered(marks(story, point, plant), until - since) if since <= m.at <= until]
    labels = labelled(inside, since, until)
    moments = pd.DataFrame(
        {
            "time": pd.to_datetime([m.at for m in inside], utc=True),
            "text": ["" if label.row is None else label.mark.text for label in labels],
            "what": [m.text for m in inside],
            "left": [label.left for label in labels],
            "height": [-ROW_PX * (ROWS - (label.row or 0)) for label in labels],  # above the plot
        }
    )
    x = alt.X("time:T", title=None, axis=alt.Axis(format="%H:%M:%S", tickCount=6, labelOverlap=True))
    y = alt.Y("value:Q", title=f"{title} [{unit}]" if unit else title, scale=alt.Scale(zero=False, padding=12))
    tooltip = [alt.Tooltip("time:T", format="%H:%M:%S.%L"), alt.Tooltip("value:Q", title=title, format=".4g")]
    line = alt.Chart(readings).mark_line(color=LINE, strokeWidth=1.8).encode(x, y, tooltip=tooltip)
    colour = alt.Color("colour:N", scale=None)
    rule = alt.Chart(lines).mark_rule(strokeDash=[6, 4], strokeWidth=1.5).encode(y="limit:Q", color=colour)
    names = [  # the highest limit's name above its line, the others' below: they stay apart
        alt.Chart(lines).transform_filter(alt.datum.top == top)
        .mark_text(align="right", dy=dy, dx=-4, fontSize=12)
        .encode(x=alt.value("width"), y="limit:Q", text="text:N", color=colour)
        for top, dy in ((True, -9), (False, 10))
    ]  # fmt: skip
    upright: dict[str, Any] = {"color": "#5aa9e6", "opacity": 0.75, "strokeWidth": 1}
    moment = alt.Chart(moments).mark_rule(**upright).encode(x="time:T", tooltip=["what:N"])
    place = {"x": "time:T", "y": alt.Y("height:Q", scale=None), "text": "text:N"}
    told = [  # near the right end the words stand left of their line
        alt.Chart(moments).transform_filter(alt.datum.left == left).mark_text(**style).encode(**place)
        for left, style in (
            (False, {**_WORDS, "align": "left", "dx": 4}),
            (True, {**_WORDS, "align": "right", "dx": -4}),
        )
    ]
    layers = [line, rule, *names, moment, *told]
    drawn: alt.LayerChart = (
        alt.layer(*layers)
        .properties(height=226, padding={"left": 4, "right": 10, "top": 8, "bottom": 2},
                    description=f"{title} over time with its limit and the moments of alarms and commands")
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(gridColor=GRID, domainColor=GRID, tickColor=GRID, labelColor=MUTED, titleColor=MUTED,
                        titleFontWeight="normal", labelFontSize=12, titleFontSize=12, grid=True)
        .configure_axisX(grid=False)
    )  # fmt: skip
    return drawn

