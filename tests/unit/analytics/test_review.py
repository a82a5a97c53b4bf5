"""The review after an incident: what the log knows is filled in, and nothing that people wrote breaks the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from analytics.review import MOST, escape, review, span
from analytics.rows import Alarm, Happened, Incident, Story
from analytics.run_rows import Command, Delivery, Notification, Refusal, Run
from events.types import make_id

START = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alarm(name: str, seconds: float, **more: Any) -> Alarm:
    return Alarm(
        alarm=make_id(name), area="shop/press", rule=f"{name}.H", rule_version="v", kind="limits",
        point="press.pressure", priority="high", message=f"{name} is high", unit="bar", began=at(seconds),
        raised_at=at(seconds), name=name, **more,
    )  # fmt: skip


def happened(seconds: float, type_: str, author: str = "incidents", **facts: Any) -> Happened:
    return Happened(
        at=at(seconds), published_at=None, recorded_at=at(seconds), position=1, type=type_, author=author,
        id=make_id(type_, seconds), cause=make_id("c"), facts=facts,
    )  # fmt: skip


INCIDENT = Incident(
    incident=make_id("i"), area="shop/press", number=17, title="Hydraulic pressure is high", priority="high",
    status="closed", point="press.pressure", rule="pressure.H", alarm=make_id("pressure"), opened_at=at(0),
    recorded_at=at(0), acknowledged_at=at(65), acknowledged_by="Ada", resolved_at=at(7500), closed_at=at(9000),
    closed_by="Ben", cause="worn regulator", action="changed it", useful=True,
)  # fmt: skip
STORY = Story(
    incident=INCIDENT,
    alarms=(
        alarm("vibration", 20, cleared_at=at(50), acknowledged_at=at(65), acknowledged_by="Ada", fleeting=True),
        alarm("pressure", 0, value=201.5, limit_value=200.0, acknowledged_at=at(65), acknowledged_by="Ada",
              first_out=True),
    ),
    runs=(Run(
        run=make_id("r"), playbook="relief", version="1", title="Relieve the press", started_at=at(1),
        outcome="failed", detail="no read-back",
        commands=(Command(command=make_id("c"), step="open", attempt=1, point="press.relief_valve", value=1.0,
                          issued_at=at(1), not_after=at(5), outcome="failed", reason="no answer"),),
    ),),
    refusals=(Refusal(at=at(2), author="playbooks", playbook="reset", reason="the trigger is history"),),
    notifications=(Notification(
        to="shift_lead", text="Pressure is high", issued_at=at(120), persons=("ada",), kind="escalation",
        deliveries=(Delivery(person="ada", channel="smtp", outcome="failed", attempt=3, at=at(200), reason="timeout"),),
    ),),
    happened=(
        happened(0, "incident.opened", number=17, title="Hydraulic pressure is high"),
        happened(30, "incident.commented", author="person Ada", by="Ada",
                 text="oil | on the *floor*\nsee <b>photo</b>"),
        happened(40, "incident.attached", author="person Ada", by="Ada", name="floor.jpg", ref="photos/floor.jpg"),
        happened(60, "request.refused", by="Eve", reason="an auditor may not close an incident"),
        happened(6000, "incident.resolved"),
    ),
)  # fmt: skip


def rows(page: str, heading: str) -> list[str]:
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0].strip().splitlines()


def test_page_begins_with_what_it_is_about() -> None:
    assert review(STORY).startswith("# shop/press 17: Hydraulic pressure is high\n\nReview of incident ")


def test_short_summary_says_who_did_what_after_how_long() -> None:
    short = rows(review(STORY), "In short")
    assert "| Acknowledged | by Ada after 1 min 5 s |" in short
    assert "| Resolved | after 2 h 5 min |" in short
    assert "| Closed | by Ben after 2 h 30 min |" in short
    assert "| Cause | worn regulator |" in short and "| Was the alarm useful? | yes |" in short


def test_timeline_is_filled_in_and_names_each_new_day() -> None:
    lines = rows(review(STORY), "What happened")
    assert lines[2] == "| **2026-03-01** |  |  |"
    assert lines[3] == "| 22:30:00 | incident 17 opened: Hydraulic pressure is high | incidents |"
    assert lines[-2:] == ["| **2026-03-02** |  |  |", "| 00:10:00 | incident resolved | incidents |"]


def test_times_are_those_of_the_zone_that_is_asked_for() -> None:
    page = review(STORY, zone=ZoneInfo("Asia/Shanghai"))
    assert "Times: Asia/Shanghai." in page and "| 06:30:00 | incident 17 opened" in page


def test_alarms_stand_in_the_order_in_which_they_were_raised() -> None:
    table = rows(review(STORY), "Alarms")[2:]
    assert table[0] == (
        "| 2026-03-01 22:30:00 | pressure: pressure is high (first out) | high | 201.5, limit 200 bar "
        "| by Ada after 1 min 5 s | not yet |"
    )
    assert table[1].endswith("| by Ada after 45 s | after 30 s |")


def test_what_playbooks_did_and_whom_they_and_the_escalation_called_is_told() -> None:
    page = review(STORY)
    assert rows(page, "What the plant did by itself") == [
        "- 2026-03-01 22:30:01 Relieve the press (`relief`), failed: no read-back",
        "  - press.relief\\_valve = 1: failed, no answer",
        "- 2026-03-01 22:30:02 `reset` was not started: the trigger is history",
    ]
    assert rows(page, "Who was called") == [
        "- 2026-03-01 22:32:00 shift\\_lead (ada): Pressure is high. ada by smtp: failed (timeout)"
    ]


def test_findings_are_facts_of_the_log() -> None:
    assert rows(review(STORY), "What the log makes one ask") == [
        "- 1 of its alarms went before anybody could act: vibration.",
        "- Playbook relief failed: no read-back.",
        "- Command press.relief\\_valve = 1 failed: no answer.",
        "- shift\\_lead could not be reached: timeout.",
        "- Requests were refused (1): an auditor may not close an incident.",
    ]


def test_what_people_wrote_formats_nothing_and_leaves_no_cell() -> None:
    page = review(STORY)
    assert rows(page, "Notes")[0] == ("- 2026-03-01 22:30:30 Ada: oil \\| on the \\*floor\\* see \\<b\\>photo\\</b\\>")
    assert escape("[x](javascript:1)\n# y") == "\\[x\\](javascript:1) \\# y"


def test_incident_without_anything_but_itself_has_a_page() -> None:
    page = review(Story(incident=replace(INCIDENT, status="open", acknowledged_at=None, resolved_at=None,
                                         closed_at=None, useful=None, cause="", action="")))  # fmt: skip
    assert "## Alarms" not in page and "## For the people who meet about it" in page and "Closed" not in page


def test_long_timeline_says_how_much_is_left_out() -> None:
    lines = tuple(happened(i, "incident.resolved") for i in range(MOST + 7))
    assert rows(review(replace(STORY, happened=lines)), "What happened")[-1] == (
        "|  | and 7 more lines, in the log |  |"
    )


def test_span_names_the_two_largest_units() -> None:
    assert [span(timedelta(seconds=s)) for s in (0, 5, 65, 3600, 7500, 97200)] == [
        "0 s", "5 s", "1 min 5 s", "1 h", "2 h 5 min", "1 d 3 h",
    ]  # fmt: skip
