from analytics.rows import Behind, Feed, LockedDevice, LostDevice, StandingFlood
from board.feeds import troubles
from tests.unit.board.rows import PLANT, at, overview


def test_an_edge_without_readings_cuts_its_areas_off_since_the_last_one() -> None:
    (found,) = troubles(overview(feeds=(Feed(source="edge-1:j", last_time=at(-30)),)), PLANT)
    assert "Hydraulic press 1" in found.text and "cut off" in found.text
    assert found.since == at(-30)


def test_a_new_journal_of_the_same_edge_counts_and_the_old_one_does_not() -> None:
    feeds = (Feed(source="edge-1:old", last_time=at(-9000)), Feed(source="edge-1:new", last_time=at(-1)))
    assert troubles(overview(feeds=feeds), PLANT) == ()


def test_a_lost_device_of_a_cut_off_edge_is_not_told_twice() -> None:
    lost = (LostDevice(device="press", area="shop/press", since=at(-20), reason="timeout"),)
    cut = overview(feeds=(Feed(source="edge-1:j", last_time=at(-30)),), lost=lost)
    assert len(troubles(cut, PLANT)) == 1
    (found,) = troubles(overview(feeds=(Feed(source="edge-1:j", last_time=at(0)),), lost=lost), PLANT)
    assert found.text == "Hydraulic press 1 does not answer" and found.detail == "timeout"


def test_a_stage_without_ticks_stands_still_and_comes_first() -> None:
    seen = overview(
        stages=(
            Behind(topic="readings", tick_at=at(-60), seconds=60), Behind(topic="incidents", tick_at=at(-1), seconds=1),
        ),
        feeds=(Feed(source="edge-1:j", last_time=at(-30)),),
    )  # fmt: skip
    assert [t.text.split(" ")[0] for t in troubles(seen, PLANT)] == ["Detection", PLANT.areas["shop/cooling"].title[:7]]


def test_a_plain_source_that_rests_is_no_edge() -> None:
    assert troubles(overview(feeds=(Feed(source="mqtt:neuron/x", last_time=at(-900)),)), PLANT) == ()


def test_a_flood_says_where_and_how_many_are_held_back() -> None:
    flood = StandingFlood(area="shop/press", scope="area", began_at=at(-5), alarms=14)
    (found,) = troubles(overview(floods=(flood,), held_back=9), PLANT)
    assert found.text == "Alarm flood: Hydraulic press 1, 9 held back" and found.since == at(-5)
    position = StandingFlood(area="*plant", scope="position shift_lead", began_at=at(-5))
    assert troubles(overview(floods=(position,)), PLANT)[0].text == "Alarm flood: all that shift lead watches"


def test_a_device_in_maintenance_is_told_with_who_and_why() -> None:
    locked = LockedDevice(device="press", area="shop/press", locked_at=at(-9), locked_by="Eva",
                          locked_reason="inspection", locked_until=at(900))  # fmt: skip
    (found,) = troubles(overview(locked=(locked,)), PLANT)
    assert (found.text, found.detail) == ("Hydraulic press 1 is locked out", "Eva: inspection")
