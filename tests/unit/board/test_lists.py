from typing import Any

import pytest

from analytics.rows import Behind, Feed, Incident, OverrideRow
from board.feeds import Trouble
from board.headline import calm, headline
from board.lists import (
    Chosen,
    alarm_row,
    alarms_list,
    chosen_of,
    header,
    hidden_list,
    incidents_list,
    override_key,
)
from events.types import Priority, make_id
from tests.unit.board.rows import PLANT, START, alarm, at, incident, overview, told


def test_a_choice_is_an_id_there_and_back() -> None:
    chosen = Chosen(alarm=make_id("a"))
    assert chosen.key is not None and chosen_of(chosen.key) == chosen
    assert Chosen().key is None


@pytest.mark.parametrize("text", ["2", "alarm:2", "row:9d0f0f0e-0000-5000-8000-000000000000", ""])
def test_a_row_number_is_no_choice(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        chosen_of(text)


def test_alarms_that_do_not_fit_the_list_are_counted() -> None:
    shown = overview(active=1250, unacknowledged=1250, alarms=(alarm(),))
    assert alarms_list(shown, PLANT, Chosen())["more"].startswith("1249 more")
    assert alarms_list(overview(active=1, unacknowledged=1, alarms=(alarm(),)), PLANT, Chosen())["more"] == ""


def test_a_returned_alarm_that_waits_is_in_the_list_and_does_not_count_as_active() -> None:
    shown = alarms_list(overview(unacknowledged=1, alarms=(alarm(active=False),)), PLANT, Chosen())
    assert shown["count"] == "0 active, 1 unacknowledged"
    assert shown["rows"][0]["words"] == "D · returned, unacknowledged"


def test_an_incident_says_its_name_its_area_and_how_many_alarms() -> None:
    shown = overview(open_incidents=1, incidents=(incident(),), alarms=(alarm("a"), alarm("b")))
    row = incidents_list(shown, PLANT, Chosen())["rows"][0]
    assert (row["number"], row["detail"]) == ("press 17", "Hydraulic press 1 · 2 alarms")


def test_an_alarm_from_history_says_so() -> None:
    row = alarms_list(overview(active=1, alarms=(alarm(late=True),)), PLANT, Chosen())["rows"][0]
    assert row["detail"].startswith("from history")


def test_the_age_of_readings_is_that_of_the_newest_of_any_source() -> None:
    feeds = (Feed(source="edge-1:j", last_time=at(-40)), Feed(source="mqtt:neuron", last_time=at(-2)))
    head = header(overview(feeds=feeds), PLANT, (), error=None, age_s=0.0, now_ms=0)
    assert head["reading_age_s"] == 2.0
    assert header(overview(), PLANT, (), error=None, age_s=0.0, now_ms=0)["reading_age_s"] is None


def test_a_reading_from_the_future_is_not_younger_than_now() -> None:
    feeds = (Feed(source="edge-1:j", last_time=at(3600)),)
    assert header(overview(feeds=feeds), PLANT, (), error=None, age_s=0.0, now_ms=0)["reading_age_s"] == 0.0


def test_the_log_is_as_young_as_the_stage_that_is_best_off() -> None:
    late = Behind(topic="readings", tick_at=at(-60), seconds=60)
    stages = (late, Behind(topic="incidents", tick_at=at(-1), seconds=1))
    assert header(overview(stages=stages), PLANT, (), error=None, age_s=0.0, now_ms=0)["log_age_s"] == 1.0
    assert header(overview(), PLANT, (), error=None, age_s=0.0, now_ms=0)["log_age_s"] is None


def test_the_headline_of_an_alarm_names_its_incident() -> None:
    shown = headline(told(), alarm(), PLANT)
    assert "part of incident press 17" in shown["kicker"]
    assert shown["words"] == "Hydraulic pressure 262.4 bar, limit 250 bar · active, unacknowledged"


def test_all_is_well_needs_readings_and_a_log() -> None:
    fed = overview(feeds=(Feed(source="edge-1:j", last_time=at(0)),))
    assert calm(fed, PLANT, ())["title"] == "All is well"
    rests = overview(feeds=(Feed(source="mqtt:neuron", last_time=at(-61)),))
    assert calm(rests, PLANT, ())["title"] == "No alarm stands, no reading has come for more than a minute"
    assert calm(overview(), PLANT, ())["title"] == "No alarm stands, no reading has come yet"
    assert calm(None, PLANT, ())["title"] == "Waiting for the event log"


def test_a_flood_that_ebbs_is_no_part_of_the_plant_that_cannot_be_seen() -> None:
    fed = overview(feeds=(Feed(source="edge-1:j", last_time=at(0)),))
    flood = Trouble("Alarm flood: Hydraulic press 1", "all is in the log", at(0), blind=False)
    lost = Trouble("Andon light does not answer", "no answer", at(0))
    assert calm(fed, PLANT, (flood,))["title"] == "No alarm stands any more"
    both = calm(fed, PLANT, (flood, lost))
    assert "cannot be seen" in both["title"] and both["text"] == "Andon light does not answer."


def test_what_is_kept_quiet_and_what_is_held_back_are_counted_and_listed_apart_from_the_alarms() -> None:
    row = OverrideRow(area="shop/press", name="guard", kind="shelved", since=START, by="Ann", until=at(60),
                      reason="switch broken", active=True)  # fmt: skip
    shown = hidden_list(overview(shelved=1, held_back=2, overrides=(row,)), (alarm(held_back=True),), PLANT, Chosen())
    assert shown is not None and shown["count"] == "1 shelved, 2 held back"
    assert [r["words"] for r in shown["rows"]] == ["shelved, ACTIVE underneath", "B · unacknowledged"]
    assert "Ann: switch broken" in shown["rows"][0]["detail"] and shown["rows"][0]["until"] is not None
    assert shown["more"] == "1 more lines are not in this list."
    assert hidden_list(overview(), (), PLANT, Chosen()) is None, "nothing is quiet: no list"


def test_what_keeps_an_alarm_quiet_is_chosen_by_area_kind_and_name() -> None:
    row = OverrideRow(area="shop/press", name="guard", kind="out of service", since=START)
    chosen = chosen_of(f"override:{override_key(row)}")
    assert chosen.override == "shop/press out_of_service guard"
    assert chosen_of("view:handover") == Chosen(view="handover")
    with pytest.raises(ValueError, match="names no row"):
        chosen_of("view:elsewhere")


@pytest.mark.parametrize(
    ("more", "said"),
    [({"first_out": True, "stale": True}, "first out · stale, over a day"), ({"times": 2}, "announced 3 times"),
     ({"chattering": True, "held_back": True}, "chattering · held back"), ({"silenced": True}, "horn off")],
)  # fmt: skip
def test_a_line_of_an_alarm_carries_its_marks(more: dict[str, Any], said: str) -> None:
    assert alarm_row(alarm(**more), PLANT)["detail"].startswith(said)


def test_all_is_well_is_never_said_while_an_alarm_is_kept_quiet() -> None:
    quiet = overview(shelved=1, feeds=(Feed(source="edge-1:j", last_time=at(0)),))
    assert calm(quiet, PLANT, ())["title"] == "No alarm is announced, 1 alarm kept quiet"
    assert alarms_list(quiet, PLANT, Chosen())["empty"] == "No alarm is announced. 1 more, see below."


def test_what_needs_somebody_most_stands_first_and_not_what_came_last() -> None:
    rows = (
        alarm("power", priority="medium", raised_at=at(60)),
        alarm("trip", priority="critical", raised_at=at(50), acknowledged=True),
        alarm("gone", priority="critical", raised_at=at(40), active=False),
        alarm("fire", priority="critical", raised_at=at(10)),
    )
    shown = alarms_list(overview(alarms=rows), PLANT, Chosen())["rows"]
    assert [r["id"] for r in shown] == [f"alarm:{make_id(name)}" for name in ("fire", "gone", "power", "trip")]


def test_incidents_that_nobody_has_taken_stand_first_and_those_that_are_over_last() -> None:
    def of(number: int, priority: Priority, seconds: int, **more: Any) -> Incident:
        return incident(incident=make_id(number), number=number, priority=priority, opened_at=at(seconds), **more)

    taken = of(1, "critical", 1, acknowledged_at=at(2), acknowledged_by="Ann")
    over = of(4, "critical", 4, status="resolved")
    some = (over, of(3, "medium", 3), of(2, "high", 2), taken)
    shown = incidents_list(overview(incidents=some), PLANT, Chosen())["rows"]
    assert [r["number"] for r in shown] == ["press 2", "press 3", "press 1", "press 4"]


def test_with_nothing_chosen_the_page_says_what_is_first_of_all_and_what_else_waits() -> None:
    rows = (alarm("power", priority="medium"), alarm("fire", priority="critical", message="Fire"))
    shown = calm(overview(alarms=rows, unacknowledged=9, hands_off=()), PLANT, ())
    assert (shown["title"], shown["priority"], shown["state"]) == ("Fire", "critical", "standing")
    assert shown["text"] == "8 more alarms unacknowledged · choose in the lists"
