"""Recordings as people have them: whatever can be read counts, in the order of time; what cannot is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from detection.recording import Recording, RecordingError, Times
from devices.plant import Area, Device, Plant, Point
from events.types import from_micros

TANK = Device(device="tank", area="yard", points=[Point(point="level", unit="m"), Point(point="flow")])
PLANT = Plant("test", 60.0, {"yard": Area(area="yard")}, [], {"tank": TANK})
Scan = tuple[str, dict[str, float]]


def read(tmp_path: Path, content: str | bytes, times: Times | None = None) -> tuple[list[Scan], list[str]]:
    """The good values by time of day, and what was said of the rest."""
    file = tmp_path / "tape.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    tape = Recording(file, PLANT, times=times)
    scans = [
        (f"{from_micros(int(frame.times[0])):%H:%M:%S}",
         {p.partition(".")[2]: float(v)
          for p, v, q in zip(frame.points, frame.values[0], frame.qualities[0], strict=True) if q == 0})
        for frame in tape.frames()
    ]  # fmt: skip
    return scans, [f"{bad.line}: {bad.reason}" for bad in tape.bad]


PLAIN = "time,level,flow\n2024-03-01 12:00:00,1.5,2\n2024-03-01 12:00:01,3,4\n"
SCANS = [("12:00:00", {"level": 1.5, "flow": 2.0}), ("12:00:01", {"level": 3.0, "flow": 4.0})]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ";").replace("1.5", "1,5"),
        "\n" + PLAIN.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace("1.5", '" 1.5 "').replace("level", '"The level, of the tank"'),
        PLAIN.replace("12:00", "14:00").replace(",1.5", "+02:00,1.5").replace(",3", "+02:00,3"),
        PLAIN.replace("2024-03-01 12:00:00", "1709294400").replace("2024-03-01 12:00:01", "1709294401000"),
        "time,level,flow\n2024-03-01 12:00:01,3,4\n2024-03-01 12:00:00,1.5,2\n",
        "time,point,value\n2024-03-01 12:00:00,level,1.5\n2024-03-01 12:00:01,level,3\n"
        "2024-03-01 12:00:00,flow,2\n2024-03-01 12:00:01,flow,4\n",
    ],
    ids=["comma", "tab", "bar", "semicolon and decimal comma", "blank line and CRLF", "UTF-8 with its mark", "UTF-16",
         "quoted", "with a zone", "Unix time in s and ms", "not in order of time", "long, point by point"],
)  # fmt: skip
def test_the_same_recording_in_any_dress_reads_the_same(tmp_path: Path, content: str | bytes) -> None:
    assert read(tmp_path, content) == (SCANS, [])


def test_other_times_are_read_by_their_format(tmp_path: Path) -> None:
    german = PLAIN.replace("2024-03-01", "01.03.2024")
    assert read(tmp_path, german)[0] == []
    assert "--time-format" in read(tmp_path, german)[1][0]
    assert read(tmp_path, german, Times(format="%d.%m.%Y %H:%M:%S")) == (SCANS, [])


@pytest.mark.parametrize("text", ["inf", "nan", "1e300", "12", "-1709294400"])
def test_a_number_that_is_no_time_is_named(tmp_path: Path, text: str) -> None:
    scans, bad = read(tmp_path, PLAIN.replace("2024-03-01 12:00:00", text))
    assert scans == SCANS[1:] and bad[0].startswith(f"2: time: '{text}'")
    if text not in ("12", "-1709294400"):
        assert len(read(tmp_path, f"sample,level\n{text},1\n", Times(step_s=1.0))[1]) == 1


@pytest.mark.parametrize(
    ("cell", "said"),
    [("six", ["2: level: 'six' is no number"]), ("inf", ["2: level: 'inf' is not finite"]), ("NA", []), ("", [])],
)
def test_a_cell_without_a_number_costs_only_itself(tmp_path: Path, cell: str, said: list[str]) -> None:
    assert read(tmp_path, PLAIN.replace("1.5", cell)) == ([("12:00:00", {"flow": 2.0}), SCANS[1]], said)


def test_of_two_values_for_one_moment_the_first_counts_and_the_second_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, PLAIN + "2024-03-01 12:00:00,9,9\n") == (SCANS, ["4: 2024-03-01 12:00:00 was there before"])


def test_one_wrong_clock_in_the_file_silences_nobody(tmp_path: Path) -> None:
    scans, _ = read(tmp_path, PLAIN.replace("flow\n", "flow\n2099-01-01,7,7\n"))
    assert scans == [*SCANS, ("00:00:00", {"level": 7.0, "flow": 7.0})]


@pytest.mark.parametrize("content", ["", "\n\n", "time\n1\n", "time,level,level\n2024-03-01,1,2\n"])
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(RecordingError, match=r"tape\.csv"):
        read(tmp_path, content)


def test_a_time_without_a_zone_is_utc() -> None:
    assert from_micros(Times().read("2024-03-01 12:00")) == datetime(2024, 3, 1, 12, tzinfo=UTC)
