"""What an edge sends: forwarded as it is, or refused with the field and the reason."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from events.codec import decode_record, encode
from events.devices import CommandSucceeded, DeviceLost, RecordsLost
from events.envelope import Event, Reported, Tick, event
from events.readings import Packed, unpack
from events.topics import INCIDENTS, MIRRORS, READINGS
from events.types import make_id
from ingest.intake import LARGEST, Numbered, Refused, dead_letter, judge
from ingest.roster import Roster
from tests.unit.ingest.shop import NOW, PLANT, ROSTER, frame

DAY = 86_400_000_000
AT = datetime(2026, 9, 21, tzinfo=UTC)


def judged(payload: bytes, kind: str = "frame", edge: str = "edge-1") -> Numbered | Refused:
    return judge(ROSTER, edge, kind, payload, NOW)


def refusal(payload: bytes, kind: str = "frame") -> Refused:
    """The one refusal of a record whose number could be read: nothing of it is written."""
    answer = judged(payload, kind)
    assert isinstance(answer, Numbered)
    assert not answer.writes
    [only] = answer.refused
    return only


def lost_device(area: str = "shop/press") -> Event:
    fact = DeviceLost(device="press", reason="no answer")
    return event(fact, at=AT, area=area, cause=make_id("x", area), author="edge edge-1", index=0)


def test_a_valid_frame_is_forwarded_byte_for_byte_to_its_area() -> None:
    payload = encode(frame(sequence=7).pack())
    answer = judged(payload)
    assert isinstance(answer, Numbered)
    assert (answer.source, answer.sequence, answer.readings) == ("edge-1:j", 7, 2)
    [write] = answer.writes
    assert (write.topic, write.area) == (READINGS, "shop/press")
    assert write.record is payload


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"device": "pres"}, "device", "no device 'pres'"),
        ({"area": "shop/cooling"}, "area", "is in area 'shop/press'"),
        ({"times": (NOW + 6 * 60_000_000,)}, "times", "6 min ahead of our clock"),
        ({"times": (NOW - 31 * DAY,)}, "times", "31 days ago"),
        ({"times": (0,)}, "times", "before 2000"),
        ({"times": (2**62,)}, "times", "ahead of our clock"),
        ({"times": (-(2**62),)}, "times", "before 2000"),
        ({"times": (NOW, NOW - 1)}, "times", "backwards"),
        ({"times": ()}, "times", "empty frame"),
        ({"points": ()}, "points", "empty frame"),
        ({"value": float("nan")}, "values", "not finite"),
        ({"value": float("inf")}, "values", "not finite"),
        ({"quality": 77}, "qualities", "77 is no quality"),
        ({"points": ("press.pressure",)}, "points.press.pressure", "no such point"),
    ],
)
def test_a_bad_frame_is_refused_by_field(changes: dict[str, object], field: str, reason: str) -> None:
    told = refusal(encode(frame(**changes).pack()))
    assert told.field == field
    assert reason in told.reason


def test_a_late_frame_within_thirty_days_is_taken() -> None:
    answer = judged(encode(frame(times=(NOW - 29 * DAY,)).pack()))
    assert isinstance(answer, Numbered)
    assert len(answer.writes) == 1


def test_an_unknown_point_is_cut_out_and_the_rest_of_the_frame_counts() -> None:
    answer = judged(encode(frame(points=("press_light.red", "press_light.blue")).pack()))
    assert isinstance(answer, Numbered)
    assert [r.field for r in answer.refused] == ["points.press_light.blue"]
    record = decode_record(answer.writes[0].record)
    assert isinstance(record, Packed)
    assert unpack(record).points == ("press_light.red",)
    assert unpack(record).values.tolist() == [[1.0]]


def test_a_device_of_another_edge_is_refused() -> None:
    answer = judge(ROSTER, "edge-2", "frame", encode(frame(source="edge-2:j").pack()), NOW)
    assert isinstance(answer, Numbered)
    assert answer.refused[0].field == "device"
    assert "belongs to edge edge-1" in answer.refused[0].reason


def test_a_journal_of_another_edge_uses_up_no_number() -> None:
    answer = judge(ROSTER, "edge-1", "frame", encode(frame(source="edge-2:j").pack()), NOW)
    assert answer == Refused("source", "'edge-2:j' is not a journal of 'edge-1'")


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\xc1", b"not msgpack at all", encode(Tick(AT))])
def test_what_has_no_number_is_refused_as_a_whole(payload: bytes) -> None:
    assert isinstance(judged(payload), Refused)


def test_a_broken_record_whose_number_can_be_read_uses_it_up() -> None:
    broken = msgspec.msgpack.encode(["frame", 1, 2, "edge-1:j", 9, "yes"])
    answer = judged(broken)
    assert isinstance(answer, Numbered)
    assert answer.sequence == 9
    assert answer.refused[0].field == "payload"


def test_more_than_a_megabyte_is_refused() -> None:
    big = encode(frame(times=tuple(range(NOW, NOW + 50_000))).pack())
    assert len(big) > LARGEST
    assert refusal(big).reason == f"{len(big)} bytes: at most {LARGEST} in one message"


def test_a_frame_on_the_topic_of_events_is_refused() -> None:
    assert refusal(encode(frame().pack()), "events").field == "payload"
    assert refusal(encode(frame().pack()), "frames").field == "topic"


def test_a_report_goes_to_the_inbox_of_playbooks_as_it_is() -> None:
    payload = encode(Reported("edge-1:j", 2, (lost_device(),)))
    answer = judged(payload, "events")
    assert isinstance(answer, Numbered)
    assert [(w.topic, w.area) for w in answer.writes] == [(INCIDENTS, "shop/press")]
    assert answer.writes[0].record is payload


def test_a_report_about_two_areas_is_parted_and_each_fact_written_once() -> None:
    both = (lost_device("shop/press"), lost_device("shop/cooling"), lost_device("shop/press"))
    answer = judged(encode(Reported("edge-1:j", 2, both)), "events")
    assert isinstance(answer, Numbered)
    written = [(w.area, decode_record(w.record).events) for w in answer.writes]
    assert written == [("shop/press", (both[0], both[2])), ("shop/cooling", (both[1],))]


def test_what_an_edge_decided_for_its_own_area_is_mirrored() -> None:
    home = msgspec.structs.replace(PLANT.areas["shop/press"], home="edge", edge="edge-1")
    plant = msgspec.structs.replace(PLANT, areas={**PLANT.areas, "shop/press": home})
    payload = encode(Reported("edge-1:j", 2, (lost_device(),)))
    answer = judge(Roster(plant), "edge-1", "events", payload, NOW)
    assert isinstance(answer, Numbered)
    assert answer.writes[0].topic == MIRRORS


def test_an_edge_cannot_speak_for_an_area_that_is_not_its_own() -> None:
    fact = CommandSucceeded(command=make_id(1), device="x", point="x.y", value=1, read_back=1, written_at=AT,
                            confirmed_at=AT)  # fmt: skip
    told = event(fact, at=AT, area="shop/unknown", cause=make_id(2), author="edge edge-1", index=0)
    answer = judged(encode(Reported("edge-1:j", 2, (told, lost_device()))), "events")
    assert isinstance(answer, Numbered)
    assert answer.refused[0].field == "events.0.area"
    assert decode_record(answer.writes[0].record).events == (lost_device(),)


def test_a_loss_that_the_edge_admits_is_handed_to_the_ledger() -> None:
    loss = RecordsLost(source="edge-1:j", first=1, last=4, reason="full")
    told = event(loss, at=AT, area="*", cause=make_id(3), author="edge edge-1", index=0)
    answer = judged(encode(Reported("edge-1:j", 5, (told,))), "events")
    assert isinstance(answer, Numbered)
    assert answer.lost == (loss,)


def test_a_dead_letter_holds_all_bytes_and_has_the_same_id_when_it_comes_again() -> None:
    refused = [Refused("a", "why"), Refused("b", "too")]
    one, again = (dead_letter("mqtt x", refused, b"\x00\xff", now) for now in (NOW, NOW + 1))
    assert (one.field, one.reason, one.original) == ("a, b", "a: why; b: too", b"\x00\xff")
    assert one.id == again.id


def test_a_dead_letter_has_no_characters_that_a_database_refuses() -> None:
    letter = dead_letter("mqtt \x00", [Refused("\ud800", "a\x00b\n")], b"", NOW)
    assert (letter.origin, letter.field, letter.reason) == ("mqtt \\x00", "\\ud800", "a\\x00b\\n")
