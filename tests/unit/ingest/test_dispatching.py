"""Which commands go out, where reading begins, what is said of a late one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from events.envelope import Decision, Event, event
from events.playbooks import CommandIssued, RunFinished
from events.types import make_id
from ingest.dispatching import Follower, Work, expiry_s, late, metadata, start, unreachable

AT = datetime(2026, 9, 21, 12, tzinfo=UTC)


def issued(name: str = "c", seconds: float = 10.0) -> Event:
    command = CommandIssued(
        command=make_id(name), run=UUID(int=1), incident=UUID(int=2), step="s1", attempt=1, edge="edge-1",
        device="press", point="press.relief_valve", value=1.0, tolerance=0.0,
        not_after=AT + timedelta(seconds=seconds), author="playbook p@1",
    )  # fmt: skip
    return event(command, at=AT, area="shop/press", cause=make_id("x", name), author="playbook p@1", index=0)


def test_only_commands_of_decisions_that_count_go_out() -> None:
    finished = event(RunFinished(run=UUID(int=1), outcome="completed"), at=AT, area="shop/press", cause=make_id(1),
                     author="playbook p@1", index=2)  # fmt: skip
    follower = Follower()
    assert follower.take(Decision(4, -1, -1, (issued("a"), finished))) == Work((issued("a"),))
    assert follower.take(Decision(4, -1, -1, (issued("a"),))) == Work()
    assert follower.take(Decision(9, 5, -1, (issued("b"),))) == Work()
    assert follower.take(Decision(9, 4, -1, (issued("b"),))).commands == (issued("b"),)
    assert follower.last == 9


@pytest.mark.parametrize(
    ("committed", "meta", "beginning", "end", "expected"),
    [
        (None, "", 0, 100, (0, -1)),
        (None, "", 40, 100, (40, None)),
        (70, "last=1234", 0, 100, (70, 1234)),
        (70, "last=-1", 0, 100, (70, -1)),
        (70, "", 0, 100, (70, None)),
        (70, "last=x", 0, 100, (70, None)),
        (10, "last=1234", 40, 100, (40, None)),
        (70, "last=1234", 0, 5, (0, -1)),
    ],
)
def test_reading_begins_behind_what_is_committed(
    committed: int | None, meta: str, beginning: int, end: int, expected: tuple[int, int | None]
) -> None:
    assert start(committed, meta, beginning, end) == expected


def test_what_is_committed_is_read_back() -> None:
    for last in (-1, 0, 1234, None):
        assert start(70, metadata(last), 0, 100).last == last


def test_where_the_beginning_is_gone_the_first_decision_is_believed() -> None:
    follower = Follower(None)
    assert follower.take(Decision(90, 77, -1, (issued("a"),))).commands == (issued("a"),)
    assert follower.take(Decision(95, 80, -1, (issued("b"),))) == Work()


def test_the_broker_keeps_a_command_as_long_as_it_is_valid_and_at_least_a_second() -> None:
    command = issued(seconds=10).fact
    assert isinstance(command, CommandIssued)
    assert [expiry_s(command, AT + timedelta(seconds=s)) for s in (0, 0.5, 9.9, 10, 11)] == [10, 10, 1, 0, 0]


def test_the_same_refusal_is_the_same_event_whenever_it_is_said() -> None:
    one, again = (late(issued(), AT + timedelta(seconds=s)) for s in (11, 300))
    assert one == again
    assert one is not None
    assert one.events[0].at == AT + timedelta(seconds=10)
    assert late(issued(), AT + timedelta(days=2)) is None
    assert unreachable(issued(), "nobody").events[0].fact.reason == "unreachable: nobody"
