"""The newest lock-out of each device is said again on every connection, over restarts, and no older one after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.codec import encode
from events.envelope import Event, event
from events.playbooks import LockOutIssued
from events.requests import AcknowledgeAlarm, Request
from events.types import make_id
from ingest.forwarding import request_in
from ingest.locks import Locks

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def lock(device: str, reason: str, seconds: float, edge: str = "edge-1") -> Event:
    fact = LockOutIssued(edge=edge, device=device, reason=reason, since=NOW + timedelta(seconds=seconds))
    return event(fact, at=NOW, area="shop/press", cause=make_id(device, seconds), author="playbooks", index=0)


def unsent(locks: Locks) -> dict[str, str]:
    return {key: issued.fact.reason for key, issued in locks.unsent()}


def test_newest_of_each_device_is_sent_once_on_a_connection_and_again_on_the_next(tmp_path: Path) -> None:
    locks = Locks(tmp_path / "dispatcher" / "locks")
    locks.take([lock("press", "by anna: seals", 1), lock("oven", "by bo: door", 1), lock("press", "", 2)])
    assert unsent(locks) == {"edge-1/oven": "by bo: door", "edge-1/press": ""}
    for mid, (key, _) in enumerate(locks.unsent(), 1):
        locks.sent(key, mid)
    assert unsent(locks) == {} and locks.open == 2
    locks.answered(1, "")
    locks.answered(2, "not authorized")
    assert locks.open == 0 and locks.refused == {"edge-1/press": "not authorized"}, "health says so"
    locks.connected()
    assert locks.refused == {}
    assert unsent(locks) == {"edge-1/oven": "by bo: door", "edge-1/press": ""}


def test_newest_survives_a_restart_and_an_older_one_changes_nothing(tmp_path: Path) -> None:
    Locks(tmp_path / "locks").take([lock("press", "by anna: seals", 5)])
    locks = Locks(tmp_path / "locks")
    locks.take([lock("press", "", 4)])
    assert unsent(locks) == {"edge-1/press": "by anna: seals"}


def test_device_that_no_edge_holds_is_told_nobody(tmp_path: Path) -> None:
    locks = Locks(tmp_path / "locks")
    locks.take([lock("scale", "by anna: seals", 1, edge="")])
    assert unsent(locks) == {}


def test_file_that_cannot_be_read_does_not_stop_the_dispatcher(tmp_path: Path) -> None:
    (tmp_path / "locks").write_bytes(b"\xc1 cut off")
    locks = Locks(tmp_path / "locks")
    locks.take([lock("press", "by anna: seals", 1)])
    assert unsent(Locks(tmp_path / "locks")) == {"edge-1/press": "by anna: seals"}


def test_only_requests_are_read_from_the_conditions() -> None:
    request = Request(
        id=make_id("r"), area="shop/press", at=NOW, by="anna", role="operator", expires=NOW,
        body=AcknowledgeAlarm(alarm=make_id("a")),
    )  # fmt: skip
    assert request_in(encode(request)) == request
    assert request_in(encode(lock("press", "x", 1))) is None and request_in(b"") is None
    with pytest.raises(Exception, match="Expected"):
        request_in(encode(request)[:9] + b"\x01" * 9)
