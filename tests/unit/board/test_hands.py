"""Hands off on the board: unmistakable, and in few clicks."""

from __future__ import annotations

from analytics.run_rows import HandsOff
from board.hands import EVERYWHERE, banner, may, places
from board.headline import calm
from board.lists import Chosen, left
from events.requests import AllowActing, StopActing
from tests.unit.board.rows import PLANT, at, overview

AREAS = tuple(PLANT.areas)


def off(area: str, by: str = "Ann", reason: str = "somebody is inside") -> HandsOff:
    return HandsOff(area=area, stopped_at=at(5), stopped_by=by, reason=reason)


def test_what_one_person_stopped_everywhere_is_one_line() -> None:
    (line,) = banner([off(a) for a in AREAS], PLANT)
    assert (line["where"], line["by"], line["reason"]) == (EVERYWHERE, "Ann", "somebody is inside")


def test_another_reason_is_another_line_and_the_banner_has_an_end() -> None:
    assert [line["where"] for line in banner([off("shop/press"), off("shop/cooling", "Ben")], PLANT)] == [
        "Hydraulic press 1", "Cooling loop",
    ]  # fmt: skip
    assert banner([off("shop/press", f"P{n}") for n in range(5)], PLANT)[-1]["where"] == "2 more"
    assert banner([], PLANT) == []


def test_all_areas_come_first_for_who_is_in_a_hurry() -> None:
    found = places(AREAS, PLANT)
    assert next(iter(found)) == EVERYWHERE and found[EVERYWHERE] == tuple(sorted(AREAS))
    assert places(["shop/press"], PLANT) == {"Hydraulic press 1": ("shop/press",)}


def test_an_operator_may_stop_and_only_a_supervisor_may_allow_again() -> None:
    assert may(StopActing, "operator") and not may(AllowActing, "operator")
    assert may(AllowActing, "supervisor") and not may(StopActing, "auditor")


def test_all_is_well_is_never_said_while_hands_are_off() -> None:
    assert calm(overview(hands_off=(off("shop/press"),)), PLANT, ())["title"] == "Hands off"


def test_the_lists_share_the_height_among_those_that_are_there() -> None:
    shown = left(overview(), (), PLANT, Chosen())
    assert list(shown) == ["incidents", "alarms"]
    assert sum(data["share"] for data in shown.values()) == 1.0
