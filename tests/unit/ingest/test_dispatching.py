"""Which commands go out, what is said of a late one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from events.envelope import Decision, Event, event
from events.playbooks import CommandIssued, RunFinished
from events.types import make_id
from ingest.dispatching import Work, expiry_s, late, unreachable, work

AT = datetime(2026, 9, 21, 12, tzinfo=UTC)


def issued(name: str = "c", seconds: float = 10.0) -> Event:
    command = CommandIssued(
        command=make_id(name), run=UUID(int=1), incident=UUID(int=2), step="s1", attempt=1, edge="edge-1",
        device="press", point="press.relief_valve", value=1.0, tolerance=0.0,
        not_after=AT + timedelta(seconds=seconds), author="playbook p@1",
    )  # fmt: skip
    return event(command, at=AT, area="shop/press", cause=make_id("x", name), author="playbook p@1", index=0)


def test_only_commands_go_out() -> None:
    finished = event(RunFinished(run=UUID(int=1), outcome="completed"), at=AT, area="shop/press", cause=make_id(1),
                     author="playbook p@1", index=2)  # fmt: skip
    assert work(Decision(4, -1, -1, (issued("a"), finished))) == Work((issued("a"),))
    assert work(Decision(4, -1, -1, (finished,))) == Work()


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
