"""Recordings: what is read from a file, and which column is which point."""

from __future__ import annotations

import pytest

from devices.simulator import recording
from devices.simulator.client import SimulatorError
from devices.simulator.play import fastest, play, switch_of
from devices.simulator.recording import RecordingError, parse

PUMP = ["accelerometer1", "accelerometer2", "current", "pressure", "temperature", "thermocouple", "voltage", "flow",
        "inlet_valve", "pump"]
PRESS = ["pressure", "temperature", "vibration", "position", "pressure_setpoint", "relief_valve", "running"]
POINTS = [f"cooling.{p}" for p in PUMP] + [f"press.{p}" for p in PRESS]
HEADER = ("datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
          "Volume Flow RateRMS;anomaly;changepoint")


def test_the_columns_of_the_pump_testbed_find_their_points() -> None:
    columns = HEADER.split(";")[1:]
    assert recording.match_columns(columns, [p for p in POINTS if p.startswith("cooling.")]) == {
        "Accelerometer1RMS": "cooling.accelerometer1", "Accelerometer2RMS": "cooling.accelerometer2",
        "Current": "cooling.current", "Pressure": "cooling.pressure", "Temperature": "cooling.temperature",
        "Thermocouple": "cooling.thermocouple", "Voltage": "cooling.voltage", "Volume Flow RateRMS": "cooling.flow",
    }


def test_the_device_is_found_by_its_columns() -> None:
    assert recording.best_device(HEADER.split(";")[1:], dict.fromkeys(POINTS)) == "cooling"
    with pytest.raises(RecordingError, match="--device"):
        recording.best_device(["Pressure"], dict.fromkeys(POINTS))


def test_the_closer_name_wins_and_a_tie_is_left_to_a_person() -> None:
    points = ["press.pressure", "press.pressure_setpoint"]
    assert recording.match_columns(["Pressure Setpoint", "pressure"], points) == {
        "Pressure Setpoint": "press.pressure_setpoint", "pressure": "press.pressure"}
    assert recording.match_columns(["inlet pressure", "outlet pressure"], points) == {}


def test_another_number_is_another_sensor() -> None:
    assert recording.match_columns(["Accelerometer3"], POINTS) == {}
    assert recording.match_columns(["Temperature2"], POINTS) == {}


def test_labels_are_no_sensors_even_if_a_point_is_called_so() -> None:
    assert recording.match_columns(["anomaly", "change_point"], ["d.anomaly", "d.changepoint"]) == {}


def test_an_explicit_map_takes_short_and_full_names_and_refuses_unknown_ones() -> None:
    given = recording.read_map("a=flow, b=press.pressure", ["a", "b"], POINTS, "cooling")
    assert given == {"a": "cooling.flow", "b": "press.pressure"}
    for wrong in ("c=flow", "a=flaw", "a", "a=press.flow"):
        with pytest.raises(RecordingError):
            recording.read_map(wrong, ["a", "b"], POINTS, "cooling")


def test_bad_lines_are_skipped_and_named_and_the_others_stay() -> None:
    read = parse(["time,a,b", "2020-03-09 10:00:00,1,2", "", "2020-03-09 10:00:01,1", "2020-03-09 10:00:01,x,2",
                  "yesterday,1,2", "2020-03-09 10:00:02,,4", "2020-03-09 09:00:00,1,1", "2020-03-09 10:00:03,nan,1"])
    assert [(r.line, r.values) for r in read.rows] == [(2, (1.0, 2.0)), (7, (None, 4.0)), (9, (None, 1.0))]
    assert read.rows[1].at_s - read.rows[0].at_s == 2
    assert [b.line for b in read.bad] == [4, 5, 6, 8]
    assert "backwards" in read.bad[3].reason


def test_a_spreadsheet_with_decimal_commas_quotes_and_tabs_is_read() -> None:
    for text in ('time;"a, of b"\n1;"1,5"\n2;NA', 'time\t"a, of b"\n1\t1.5\n2\t'):
        read = parse(text.splitlines())
        assert read.columns == ("a, of b",) and [r.values for r in read.rows] == [(1.5,), (None,)] and not read.bad


@pytest.mark.parametrize("text", ["", "time", "time,a,a\n1,2,3", "time,a", "time,a\nx,1"])
def test_a_file_without_a_good_row_is_refused(text: str) -> None:
    with pytest.raises(RecordingError):
        parse(text.splitlines())


class Registers:
    """What was set and when, by a clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.sets, self.released = 0.0, list[tuple[float, dict[str, float]]](), list[str]()

    def set(self, values: dict[str, float]) -> None:
        if values.get("d.a") == 666:
            raise SimulatorError("does not fit")
        self.sets.append((self.now, dict(values)))

    def release(self, *points: str) -> None:
        self.released += points

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_rows_are_played_at_their_spacing_divided_by_the_speed_and_then_released() -> None:
    read = parse(["t;a;b", "100;1;5", "102;2;", "103;666;6", "112;3;7"])
    to, bad = Registers(), []
    play(read, {"a": "d.a", "b": "d.b"}, 2.0, to, clock=lambda: to.now, sleep=to.sleep,  # type: ignore[arg-type]
         on_bad=bad.append)
    assert to.sets == [(0.0, {"d.a": 1, "d.b": 5}), (1.0, {"d.a": 2}), (6.0, {"d.a": 3, "d.b": 7})]
    assert [b.line for b in bad] == [4]
    assert to.released == ["d.a", "d.b"]


def test_the_points_are_released_when_playing_is_broken_off() -> None:
    to = Registers()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(parse(["t;a", "1;1", "2;2"]), {"a": "d.a"}, 1.0, to, clock=lambda: 0.0, sleep=interrupt)  # type: ignore[arg-type]
    assert to.released == ["d.a"]


def test_the_machine_stands_still_before_and_after_so_that_its_behaviour_is_learned_anew() -> None:
    class Client:
        def __init__(self) -> None:
            self.did: list[object] = []

        def set(self, values: dict[str, float]) -> None:
            self.did.append(dict(values))

        def release(self, *points: str) -> None:
            self.did.append(points)

    client, slept = Client(), []
    rows = parse(["time;flow", "2024-01-01 00:00:00;5", "2024-01-01 00:00:01;6"])
    play(rows, {"flow": "cooling.flow"}, 1, client, switch="cooling.pump", clock=lambda: 0.0, sleep=slept.append)  # type: ignore[arg-type]
    assert client.did == [
        {"cooling.pump": 0}, {"cooling.flow": 5}, {"cooling.pump": 1}, {"cooling.flow": 5}, {"cooling.flow": 6},
        {"cooling.pump": 0}, ("cooling.flow",), {"cooling.pump": 1}, ("cooling.pump",),
    ]  # fmt: skip
    assert len(slept) == 3


def test_a_recording_is_not_played_faster_than_the_devices_are_polled() -> None:
    rows = parse(["time;flow", *(f"2024-01-01 00:00:{s:02};5" for s in (0, 1, 2, 3, 20))])
    assert fastest(rows, 0.1) == 10
    assert fastest(rows, 0) == float("inf")


def test_the_point_that_says_whether_the_machine_runs_is_found_by_its_states() -> None:
    about = {"cooling.pump": {"states": {"stopped": 0, "running": 1}}, "cooling.flow": {"states": {}},
             "press.running": {"states": {"stopped": 0, "running": 1}}}  # fmt: skip
    assert switch_of(about, ["cooling.flow"]) == "cooling.pump"
    assert switch_of(about, ["cooling.flow", "cooling.pump"]) == "", "the recording itself says it"
