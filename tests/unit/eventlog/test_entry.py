"""Lines of the log: streams, payloads, the chain."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from eventlog.entry import (
    _STREAMS,
    GENESIS,
    OF_AREA,
    Recorded,
    canonical,
    entry_of,
    entry_of_request,
    fact_of,
    link,
    stream_of,
)
from events.alarms import AlarmTakenOutOfService, AlarmUnshelved
from events.envelope import Fact
from events.notifications import NotificationIssued
from events.playbooks import ActingStopped
from events.requests import ReportErrand, Request
from events.types import make_id, to_micros
from tests.contract.stories import PRESS, at, event, raised, story


def recorded(seconds: float = 0) -> Recorded:
    plain = msgspec.structs.asdict(entry_of(event(raised("x"), seconds), published_at=at(seconds)))
    return Recorded(**plain, position=3, recorded_at=at(seconds + 1), hash=b"")


STREAMS = {field for field, _ in _STREAMS}


@pytest.mark.parametrize("type_", get_args(Fact), ids=lambda t: t.__struct_config__.tag)
def test_every_kind_of_fact_belongs_to_a_stream(type_: Any) -> None:
    required = {f.name for f in msgspec.structs.fields(type_) if f.required}
    assert STREAMS & required or type_ in get_args(OF_AREA), "a field that may be left out names no stream by itself"


def test_a_notification_belongs_to_its_run_or_its_incident_or_to_itself() -> None:
    note = NotificationIssued(notification=make_id("n"), to="shift_lead", text="flood", priority="high")
    assert stream_of(note) == f"notification:{make_id('n')}"
    assert stream_of(replace(note, incident=make_id("i"))) == f"incident:{make_id('i')}"
    assert stream_of(replace(note, incident=make_id("i"), run=make_id("r"))) == f"run:{make_id('r')}"


def test_what_is_said_of_an_alarm_by_name_is_apart_from_its_occurrences() -> None:
    fact = AlarmUnshelved(name="press_pressure.high", by="", reason="its time is over")
    assert stream_of(fact) == "name:press_pressure.high"
    out = AlarmTakenOutOfService(name="press_pressure.high", by="eva", reason="pump", until=at(60), device="press")
    assert stream_of(out) == "name:press_pressure.high"


def test_the_canonical_bytes_are_what_a_stranger_would_write() -> None:
    line = recorded()
    row = json.loads(canonical(line))
    assert row[0] == 3
    assert row[2] == to_micros(at(0))
    assert row[10]["rule"] == "x"
    assert link(GENESIS, line) == sha256(bytes(32) + canonical(line)).digest()


@pytest.mark.parametrize("field", ["position", "time", "area", "author", "type", "payload", "recorded_at"])
def test_whatever_is_changed_changes_the_hash(field: str) -> None:
    line = recorded()
    other = {"time": at(9), "recorded_at": at(9), "position": 4, "payload": b'{"a":1}'}.get(field, "other")
    assert link(GENESIS, line) != link(GENESIS, replace(line, **{field: other}))


def test_how_json_is_written_does_not_change_the_hash() -> None:
    line = recorded()
    spaced = json.dumps(dict(reversed(json.loads(line.payload).items())), indent=1).encode()
    assert link(GENESIS, line) == link(GENESIS, replace(line, payload=spaced))


def test_a_payload_is_read_back_as_the_fact() -> None:
    for one in story():
        assert fact_of(entry_of(one).payload) == one.fact


def test_times_of_other_zones_are_written_in_utc() -> None:
    one = event(raised("x"))
    local = replace(one, at=one.at + timedelta(0))
    assert entry_of(local).time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("role", "by", "author"), [("operator", "anna", "person anna"), ("system", "errands", "errands")]
)
def test_a_request_is_signed_by_a_person_or_by_a_process(role: str, by: str, author: str) -> None:
    body = ReportErrand(errand=make_id("errand"), status=201)
    asked = Request(id=make_id("r"), area="shop/press", at=at(0), by=by, role=role, expires=at(60), body=body)
    assert entry_of_request(asked).author == author


def test_hands_off_belongs_to_its_area() -> None:
    assert entry_of(event(ActingStopped(by="anna", reason="smoke"))).stream == f"acting:{PRESS}"
