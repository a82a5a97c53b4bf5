"""What the next shift is told."""

from __future__ import annotations

from typing import Any

from analytics.history import Handover
from analytics.rows import OverrideRow
from board.handover import offered, seats, view
from events.requests import HandOver
from events.types import make_id
from tests.unit.board.rows import PLANT, START, alarm, incident, overview


def handed(**more: Any) -> Handover:
    given: dict[str, Any] = {
        "at": START, "area": "shop/press", "position": "press_operator", "shift": "late", "by": "", "to": "Ben",
        "note": "", "open": (make_id("i"),), "standing": 3, "unacknowledged": 1, "shelved": ("guard",),
        "suppressed": (), "out_of_service": (),
    }  # fmt: skip
    return Handover(**(given | more))


def test_what_is_shelved_is_listed_again_with_who_and_why() -> None:
    row = OverrideRow(area="shop/press", name="guard", kind="shelved", since=START, by="Ann", reason="switch broken",
                      active=True)  # fmt: skip
    shown = view(overview(shelved=1, overrides=(row,)), (), PLANT)
    (quiet,) = [s for s in shown["sections"] if s["title"] == "Kept quiet"]
    assert quiet["count"] == 1 and "Ann: switch broken" in quiet["rows"][0]["detail"]
    assert quiet["rows"][0]["words"] == "shelved, ACTIVE underneath"


def test_nothing_open_is_said_and_not_left_out() -> None:
    said = {s["title"]: s["empty"] for s in view(overview(), (), PLANT)["sections"]}
    assert said == {
        "Open incidents": "No incident is open.", "Unacknowledged alarms": "None.",
        "Kept quiet": "Nothing is shelved, suppressed or out of service.",
    }  # fmt: skip


def test_an_incident_that_nobody_has_says_so() -> None:
    some = (incident(), incident(incident=make_id("j"), assigned_to="Ben"))
    shown = view(overview(open_incidents=2, incidents=some, alarms=(alarm(),)), (), PLANT)["sections"][0]
    assert [row["tag"] for row in shown["rows"]] == ["nobody has it", "Ben"]


def test_a_handover_of_before_tells_who_took_what() -> None:
    (told,) = view(overview(), (handed(note="Watch the valve"),), PLANT)["handed"]
    assert told["who"] == "press operator → Ben, late shift" and told["by"] == "by the calendar"
    assert told["said"] == "1 incidents; 3 alarms, 1 unacknowledged; shelved: guard"
    assert told["note"] == "Watch the valve"


def test_the_positions_of_each_area_can_be_handed_over_but_not_by_an_auditor() -> None:
    known = seats((handed(), handed(position="lead", area="shop"), handed()))
    assert known == {
        "press operator, shop/press": ("shop/press", "press_operator"), "lead, shop": ("shop", "lead"),
    }  # fmt: skip
    (give,) = offered("shop", "lead", "operator")
    assert give.body({"to": "Eva", "note": ""}) == HandOver(position="lead", to="Eva")
    assert give.lacks({"to": "", "note": "x"}) != ""
    assert list(offered("shop", "lead", "auditor")) == []
