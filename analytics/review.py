"""The review after an incident as Markdown: what the log knows is filled in, what only people know is asked. Pure.

Times are in the zone that is given, and it is named once. Text that people wrote is escaped: it formats nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from analytics.rows import Alarm, Happened, Story
from analytics.run_rows import Command, Notification
from analytics.sentences import sentence
from events.types import PRIORITIES

ROUTINE = frozenset({"notification.delivered", "escalation.stepped", "alarm.silenced"})
"""Lines that stand elsewhere in the review, or tell nobody anything later."""
MOST = 500
"""So many lines of the timeline are written out; a longer one says how many are left out."""


def review(story: Story, *, zone: tzinfo = UTC) -> str:
    """The whole page. `story` as `live.story` gives it."""
    page = _Page(story, zone)
    parts = (
        page.head(), page.summary(), page.timeline(), page.alarms(), page.acted(), page.called(), page.notes(),
        page.findings(), _TO_SAY,
    )  # fmt: skip
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


_TO_SAY = (
    "## For the people who meet about it", "", "- What was the cause behind the cause?",
    "- What helped, and what was in the way? Which alarm came too late, or said too little?",
    "- Is there an alarm that should be changed, or should not be there?", "", "| what is to be done | who | until |",
    "|---|---|---|", "|  |  |  |",
)  # fmt: skip


class _Page:
    def __init__(self, story: Story, zone: tzinfo) -> None:
        self.story, self.incident, self.zone = story, story.incident, zone

    def head(self) -> Iterator[str]:
        i = self.incident
        yield f"# {escape(i.area)} {i.number}: {escape(i.title)}"
        yield ""
        yield f"Review of incident `{i.incident}`. Times: {escape(str(self.zone))}."

    def summary(self) -> Iterator[str]:
        i = self.incident
        yield "## In short"
        yield ""
        facts = [
            ("Priority", i.priority), ("Status", i.status), ("Opened", self.moment(i.opened_at)),
            ("Acknowledged", self.by_and_after(i.acknowledged_by, i.acknowledged_at)),
            ("Assigned to", i.assigned_to), ("Resolved", self.by_and_after("", i.resolved_at)),
            ("Reopened", f"{i.openings - 1} times, {i.reopen_reason}" if i.openings > 1 else ""),
            ("Closed", self.by_and_after(i.closed_by or "itself", i.closed_at)),
            ("Alarms", str(len(self.story.alarms))), ("Cause", i.cause), ("Action", i.action),
            ("Comment", i.close_comment),
            ("Was the alarm useful?", {True: "yes", False: "no", None: ""}[i.useful]),
        ]  # fmt: skip
        yield "|  |  |"
        yield "|---|---|"
        yield from (f"| {name} | {escape(text)} |" for name, text in facts if text)

    def timeline(self) -> Iterator[str]:
        lines = [h for h in self.story.happened if h.type not in ROUTINE]
        yield "## What happened"
        yield ""
        yield "| time | what | who |"
        yield "|---|---|---|"
        day = None
        for h in lines[:MOST]:
            local = h.at.astimezone(self.zone)
            if local.date() != day:
                day = local.date()
                yield f"| **{day.isoformat()}** |  |  |"
            yield f"| {local:%H:%M:%S} | {escape(sentence(h.type, h.facts))} | {escape(h.author)} |"
        if len(lines) > MOST:
            yield f"|  | and {len(lines) - MOST} more lines, in the log |  |"

    def alarms(self) -> Iterator[str]:
        if not self.story.alarms:
            return
        yield "## Alarms"
        yield ""
        yield "| raised | alarm | priority | value | acknowledged | back to normal |"
        yield "|---|---|---|---|---|---|"
        for a in sorted(self.story.alarms, key=lambda a: (a.raised_at, str(a.alarm))):
            taken = _after(a.raised_at, a.acknowledged_at, a.acknowledged_by or "by itself")
            cells = (
                self.moment(a.raised_at), f"{a.name or a.rule}: {a.message}" + (" (first out)" if a.first_out else ""),
                a.priority, _measured(a), taken, _after(a.raised_at, a.cleared_at) or "not yet",
            )  # fmt: skip
            yield "| " + " | ".join(map(escape, cells)) + " |"

    def acted(self) -> Iterator[str]:
        if not self.story.runs and not self.story.refusals:
            return
        yield "## What the plant did by itself"
        yield ""
        for run in self.story.runs:
            end = run.outcome or "still running"
            detail = f": {run.detail}" if run.detail else ""
            yield f"- {self.moment(run.started_at)} {escape(run.title)} (`{run.playbook}`), {end}{escape(detail)}"
            yield from (f"  - {escape(_command(c))}" for c in run.commands)
        for r in self.story.refusals:
            yield f"- {self.moment(r.at)} `{r.playbook}` was not started: {escape(r.reason)}"

    def called(self) -> Iterator[str]:
        told = sorted(self._notifications(), key=lambda n: n.issued_at)
        if not told:
            return
        yield "## Who was called"
        yield ""
        for n in told:
            whom = n.to + (f" ({', '.join(n.persons)})" if n.persons and n.persons != (n.to,) else "")
            yield f"- {self.moment(n.issued_at)} {escape(whom)}: {escape(n.text)}. {escape(_delivered(n))}"

    def notes(self) -> Iterator[str]:
        found = [h for h in self.story.happened if h.type in ("incident.commented", "incident.attached")]
        if not found:
            return
        yield "## Notes"
        yield ""
        for h in found:
            what = h.facts.get("text") or f"{h.facts.get('name')}, at {h.facts.get('ref')}"
            yield f"- {self.moment(h.at)} {escape(str(h.facts.get('by', '')))}: {escape(str(what))}"

    def findings(self) -> Iterator[str]:
        found = list(_findings(self.story))
        if found:
            yield "## What the log makes one ask"
            yield ""
            yield from (f"- {escape(line)}" for line in found)

    def _notifications(self) -> Iterable[Notification]:
        yield from self.story.notifications
        for run in self.story.runs:
            yield from run.notifications

    def by_and_after(self, who: str | None, at: datetime | None) -> str:
        return _after(self.incident.opened_at, at, who or "")

    def moment(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"


def _findings(story: Story) -> Iterator[str]:
    """What people should look at: each line is a fact of the log."""
    i = story.incident
    if i.acknowledged_at is None and not i.is_open:
        yield "Nobody acknowledged the incident."
    if i.openings > 1:
        yield f"It came back: opened {i.openings} times."
    if i.useful is False:
        yield "Whoever closed it says that the alarm was not useful."
    for words, some in (
        ("went before anybody could act", [a for a in story.alarms if a.fleeting]),
        ("stood for too long (stale)", [a for a in story.alarms if a.stale]),
        ("were held back in a flood", [a for a in story.alarms if a.held_back]),
        ("chatter", [a for a in story.alarms if a.chattering]),
    ):  # fmt: skip
        if some:
            yield f"{len(some)} of its alarms {words}: {_names(some)}."
    first = min(story.alarms, key=lambda a: a.began, default=None)
    if first is not None and first.alarm != i.alarm:
        yield f"The first alarm was not the one that opened it, but {first.name or first.rule}."
    highest = max((a.priority for a in story.alarms), key=PRIORITIES.index, default=i.priority)
    if PRIORITIES.index(highest) > PRIORITIES.index(i.priority):
        yield f"An alarm of it was {highest}, the incident is {i.priority}: a person judged otherwise."
    for run in story.runs:
        if run.outcome == "failed":
            yield f"Playbook {run.playbook} failed{': ' + run.detail if run.detail else ''}."
        for command in run.commands:
            if command.outcome in ("failed", "refused"):
                yield f"Command {command.point} = {command.value:g} {command.outcome}: {command.reason}."
    for told in (*story.notifications, *(n for run in story.runs for n in run.notifications)):
        failed = [d for d in told.deliveries if d.outcome == "failed"]
        if failed and not any(d.outcome == "delivered" for d in told.deliveries):
            yield f"{told.to} could not be reached: {failed[-1].reason}."
    refused = [h for h in story.happened if h.type == "request.refused"]
    if refused:
        yield f"Requests were refused ({len(refused)}): " + "; ".join(_reasons(refused)) + "."


def _reasons(refused: Sequence[Happened]) -> list[str]:
    return list(dict.fromkeys(str(h.facts.get("reason", "")) for h in refused))


def _names(alarms: Sequence[Alarm]) -> str:
    return ", ".join(dict.fromkeys(a.name or a.rule for a in alarms))


def _measured(a: Alarm) -> str:
    if a.value is None:
        return ""
    limit = "" if a.limit_value is None else f", limit {a.limit_value:g}"
    return f"{a.value:g}{limit} {a.unit}".rstrip()


def _command(c: Command) -> str:
    outcome = c.outcome or "no answer"
    back = "" if c.read_back is None else f", reads {c.read_back:g}"
    return f"{c.point} = {c.value:g}: {outcome}{back}" + (f", {c.reason}" if c.reason else "")


def _delivered(n: Notification) -> str:
    if n.withdrawn_at is not None:
        return f"Withdrawn: {n.withdrawn_reason}"
    if not n.deliveries:
        return "No outcome is known"
    words = (f"{d.person} by {d.channel}: {d.outcome}" + (f" ({d.reason})" if d.reason else "") for d in n.deliveries)
    return "; ".join(words)


def _after(since: datetime, at: datetime | None, who: str = "") -> str:
    """ "by Ada after 2 min 5 s"; "" if it did not happen."""
    if at is None:
        return ""
    return (f"{'' if who.startswith('by ') else 'by '}{who} " if who else "") + f"after {span(at - since)}"


def span(length: timedelta) -> str:
    """The two largest units: "2 min 5 s", "1 d 3 h"."""
    seconds = max(0, round(length.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((n for n, (count, _) in enumerate(units) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count) or "0 s"


def escape(text: str) -> str:
    """The text as it is, in one line: nothing in it formats, links or leaves its cell."""
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", flat)
