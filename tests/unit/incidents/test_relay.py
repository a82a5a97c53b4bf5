"""What the relay tells."""

from __future__ import annotations

from bus.following import Follower
from events.alarms import AlarmCleared
from events.codec import encode
from events.devices import DeviceLost
from events.envelope import Decision, Event, Reported, Tick
from events.topics import INCIDENTS, MIRRORS
from events.types import EPOCH, make_id
from incidents.relay import taken, told


def decision(cause: int, prev: int, area: str = "shop/press") -> Decision:
    cleared = Event(make_id(cause), EPOCH, area, make_id("x"), "incidents", AlarmCleared(alarm=make_id(1), value=None))
    lost = Event(make_id(cause, 2), EPOCH, area, make_id("x"), "x", DeviceLost(device="press", reason="x"))
    return Decision(cause, prev, -1, (lost, cleared))


def take(follower: Follower, offset: int, record: Decision | Reported | Tick) -> Reported | None:
    return taken(follower, INCIDENTS, 2, offset, encode(record))


def test_of_a_decision_only_what_alarms_do_is_told_under_its_offset() -> None:
    report = take(Follower(0, -1), 17, decision(3, -1))
    assert report is not None and (report.source, report.sequence) == ("relay:incidents:2", 17)
    assert [type(e.fact) for e in report.events] == [AlarmCleared]


def test_parts_of_an_edges_report_in_two_partitions_are_two_sources() -> None:
    """The plant-wide area takes the numbers of one source in their order: the second part is no repetition."""
    report = Reported("edge-1:j", 7, decision(3, -1).events)
    first, second = told(MIRRORS, 0, 40, report), told(MIRRORS, 3, 12, report)
    assert first is not None and second is not None
    assert first.sequence == second.sequence == 7 and first.source != second.source


def test_decision_counts_by_the_chain_rule() -> None:
    follower = Follower(0, -1)
    assert take(follower, 1, decision(3, -1)) is not None
    assert take(follower, 2, decision(3, -1)) is None, "said again by a replay"
    assert take(follower, 3, decision(9, 3)) is not None
    assert follower.place == (4, 9)


def test_ticks_and_bytes_that_nobody_can_read_only_move_the_position() -> None:
    follower = Follower(0, 5)
    assert take(follower, 1, Tick(EPOCH)) is None
    assert taken(follower, INCIDENTS, 0, 2, b"\xff") is None and taken(follower, INCIDENTS, 0, 3, None) is None
    assert (follower.next, follower.last) == (4, 5)
