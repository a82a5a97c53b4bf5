"""`andon story`: what it refuses and how it says so, and that the same story is always told in the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from andon.cli import app
from andon.story import tell
from andon.story_inputs import StoryError
from andon.story_lines import FILES

PLANT = "plant: hall\nareas: [{area: hall/press}]\n"
POINTS = """device: press
area: hall/press
edge: edge-1
points:
  - {point: pressure, unit: bar, range: [0, 400]}
  - {point: running, range: [0, 1], states: {stopped: 0, running: 1}}
  - {point: valve, range: [0, 1], states: {closed: 0, open: 1}, writable: {range: [0, 1]}}
"""
RULES = """area: hall/press
rules:
  - rule: pressure
    kind: limits
    point: press.pressure
    limits: {H: {limit: 200 bar, priority: high, message: Too high}}
"""
LADDER = RULES.replace("H: {", "HH: {limit: 300 bar, priority: critical}, H: {")
OPEN = """id: relieve
area: hall/press
trigger: {incident: opened}
steps:
  - {step: open, write: {press.valve: open}, timeout: 2s, retry: 0}
"""
LOW, HIGH = (
    {"time": "2026-03-02T06:00:00Z", "point": "press.pressure", "value": 150},
    {"time": "2026-03-02T06:00:05Z", "point": "press.pressure", "value": 210},
)
ACKNOWLEDGE = {"time": "2026-03-02T06:00:10Z", "type": "acknowledge", "by": "anna", "alarm": "pressure"}
SHELVE = {**ACKNOWLEDGE, "type": "shelve", "for": "10min", "reason": "known"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A story of one alarm."""
    story = tmp_path / "story"
    for name, text in (("plant.yaml", PLANT), ("points/press.yaml", POINTS), ("rules/press.yaml", RULES)):
        (story / name).parent.mkdir(parents=True, exist_ok=True)
        (story / name).write_text(text, "utf-8")
    write(story, "readings", LOW, HIGH)
    return story


def write(story: Path, name: str, *lines: dict[str, Any] | str) -> None:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (story / f"{name}.jsonl").write_text("".join(f"{text}\n" for text in texts), "utf-8")


def alarms(story: Path) -> list[tuple[str, str]]:
    told = tell(story).told
    return [(line["type"], line.get("state", "")) for line in told.lines["alarms.jsonl"]]


def refusals(story: Path) -> list[str]:
    told = tell(story).told
    return [line["reason"] for line in told.lines["incidents.jsonl"] if line["type"] == "request.refused"]


# --- what cannot be told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"time": ', "readings.jsonl:3: no JSON"),
        ("[1]", "readings.jsonl:3: a line must be an object"),
        ({**HIGH, "time": "2026-03-02T06:00:07"}, "readings.jsonl:3: time: "),
        ({"point": "press.pressure", "value": 1}, "readings.jsonl:3: time: missing"),
        ({**HIGH, "pont": 1}, "readings.jsonl:3: pont: unknown"),
        ({**HIGH, "point": "press.presure"}, "there is no point 'press.presure', did you mean 'press.pressure'?"),
        ({"time": HIGH["time"], "point": "press.pressure"}, "readings.jsonl:3: value: missing"),
        ({**HIGH, "value": "plenty"}, "readings.jsonl:3: value: 'plenty' is no number"),
        ({**HIGH, "point": "press.running", "value": "runs"}, "'runs' is no number and none of stopped, running"),
        ({**HIGH, "value": [1]}, "readings.jsonl:3: value: "),
        ({**HIGH, "quality": "so-so"}, "quality: 'so-so' is none of GOOD (0), UNCERTAIN (1), BAD (2), NO_ANSWER (3)"),
        ({**HIGH, "quality": 255}, "readings.jsonl:3: quality: a reading that is absent"),
        ({**HIGH, "value": None, "quality": "good"}, "readings.jsonl:3: value: null cannot be GOOD"),
        ('{"time": "2026-03-02T06:00:09Z", "point": "press.pressure", "value": NaN}', "NaN is no number"),
        ('{"time": "2026-03-02T06:00:09Z", "point": "press.pressure", "value": 1e999}', "value: too large"),
        ('{"time": "2026-03-02T06:00:09Z", "value": 1, "value": 2, "point": "press.pressure"}', "'value' stands twice"),
        ({**HIGH, "arrives": "2026-03-02T06:00:00Z"}, "readings.jsonl:3: arrives: before it happened"),
        ({**HIGH, "tick": True}, "not both"),
        ({"time": HIGH["time"], "tick": False}, "readings.jsonl:3: tick: "),
        ({"time": "2026-03-02T06:00:09Z", "configure": "v9"}, "readings.jsonl:3: configure: there is no folder v9"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_reading_is_named_with_its_place(
    folder: Path, line: dict[str, Any] | str, complaint: str
) -> None:
    write(folder, "readings", LOW, HIGH, line)
    story = tell(folder)
    assert [complaint in str(error) for error in story.refused] == [True]
    assert [one["type"] for one in story.told.lines["alarms.jsonl"]] == ["alarm.raised"], "the rest is told"
    (said,) = [one for one in story.told.lines["incidents.jsonl"] if one["type"] == "line.refused"]
    assert said["place"] == "readings.jsonl:3"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"time": HIGH["time"], "by": "anna"}, "requests.jsonl:1: type: missing"),
        ({**ACKNOWLEDGE, "role": "boss"}, "requests.jsonl:1: role: "),
        ({**ACKNOWLEDGE, "type": "aknowledge"}, "requests.jsonl:1: type: 'aknowledge' is no request; did you mean"),
        ({**ACKNOWLEDGE, "expires": "soon"}, "requests.jsonl:1: expires: 'soon' is neither"),
        ({**ACKNOWLEDGE, "expires": "2026-03-02T07:00:00"}, "requests.jsonl:1: expires: "),
        ({**ACKNOWLEDGE, "by": " "}, "requests.jsonl:1: by: who asks?"),
        ({**ACKNOWLEDGE, "coment": "x"}, "requests.jsonl:1: coment: no such field in acknowledge; did you mean"),
        ({**ACKNOWLEDGE, "alarm": 7}, "requests.jsonl:1: alarm: text is needed"),
        ({**SHELVE, "for": "an hour"}, "requests.jsonl:1: for: 'an hour' is no duration"),
        ({**SHELVE, "one_shot": "yes"}, "requests.jsonl:1: one_shot: "),
    ],
)
def test_a_line_that_is_no_request_is_named_with_its_place(
    folder: Path, line: dict[str, Any], complaint: str
) -> None:
    write(folder, "requests", line)
    story = tell(folder)
    assert [complaint in str(error) for error in story.refused] == [True]
    assert [one["type"] for one in story.told.lines["alarms.jsonl"]] == ["alarm.raised"], "the rest is told"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({**ACKNOWLEDGE, "alarm": "presure"}, "alarm: the plant has no alarm 'presure'"),
        ({**ACKNOWLEDGE, "time": LOW["time"]}, "alarm: 'pressure' is normal"),
        ({**SHELVE, "reason": ""}, "to shelve an alarm needs a reason"),
        ({**SHELVE, "for": "2h"}, "pressure may be shelved by operator for 1 h at most, asked was 2 h"),
        ({n: v for n, v in SHELVE.items() if n != "for"}, "for: is needed"),
        ({"time": HIGH["time"], "by": "anna", "incident": 7, "type": "comment", "text": "x"}, "incident: "),
    ],
)
def test_a_request_that_means_nothing_at_that_moment_is_refused_and_the_story_goes_on(
    folder: Path, line: dict[str, Any], complaint: str
) -> None:
    write(folder, "requests", line, {**ACKNOWLEDGE, "by": "ben"})
    told = tell(folder).told
    (refused,) = [one for one in told.lines["incidents.jsonl"] if one["type"] == "request.refused"]
    assert (refused["by"], refused["request"]) == ("anna", "requests.jsonl:1") and complaint in refused["reason"]
    assert [one["by"] for one in told.lines["alarms.jsonl"] if one["type"] == "alarm.acknowledged"] == ["ben"]


def test_a_reply_for_a_point_that_is_not_there_is_named_with_its_place(folder: Path) -> None:
    write(folder, "replies", {"point": "press.valve"}, {"point": "press.vale", "outcome": "failed"})
    (error,) = tell(folder).refused
    assert "replies.jsonl:2: point: there is no point 'press.vale', did you mean" in str(error)


def test_a_folder_without_points_says_what_is_missing(folder: Path) -> None:
    (folder / "points" / "press.yaml").unlink()
    write(folder, "readings", {"time": LOW["time"], "tick": True})
    with pytest.raises(StoryError, match=r"points/\*.yaml: none can be used"):
        tell(folder)


def test_a_folder_without_readings_is_no_story(folder: Path) -> None:
    (folder / "readings.jsonl").unlink()
    with pytest.raises(StoryError, match=r"readings.jsonl: there is none"):
        tell(folder)


def test_the_command_names_the_line_tells_the_rest_and_ends_with_1(folder: Path) -> None:
    write(folder, "requests", {**ACKNOWLEDGE, "type": "shout"}, ACKNOWLEDGE)
    result = CliRunner().invoke(app, ["story", str(folder)])
    assert result.exit_code == 1
    assert "requests.jsonl:1: type: 'shout' is no request" in result.output
    assert "alarm.acknowledged" in (folder / "alarms.jsonl").read_text("utf-8")


def test_a_story_that_cannot_be_told_leaves_what_was_there(folder: Path) -> None:
    for name in FILES:
        (folder / name).write_text("as before\n", "utf-8")
    write(folder, "readings", "[1]")
    result = CliRunner().invoke(app, ["story", str(folder)])
    assert result.exit_code == 1 and "readings.jsonl:1: a line must be an object" in result.output
    assert {(folder / name).read_text("utf-8") for name in FILES} == {"as before\n"}
    assert not list(folder.glob(".*"))


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_same_story_gives_the_same_bytes_wherever_it_lies(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "requests", ACKNOWLEDGE)
    outs = []
    for name, directory in (("one", tmp_path), ("two", folder)):
        monkeypatch.chdir(directory)
        result = CliRunner().invoke(app, ["story", str(folder), "--out", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        outs.append({file: (tmp_path / name / file).read_bytes() for file in FILES})
    assert outs[0] == outs[1]
    assert not (folder / "alarms.jsonl").exists()
    line = json.loads(outs[0]["alarms.jsonl"].splitlines()[0])
    assert list(line)[:5] == ["time", "area", "type", "alarm", "state"]


def test_the_order_of_the_lines_does_not_matter_but_for_those_of_one_moment(folder: Path) -> None:
    before = alarms(folder)
    write(folder, "readings", HIGH, LOW)
    assert alarms(folder) == before == [("alarm.raised", "B")]


def test_time_stands_still_after_the_last_line_and_goes_on_with_a_tick(folder: Path) -> None:
    (folder / "rules" / "press.yaml").write_text(RULES + "    on_delay: 10s\n", "utf-8")
    assert alarms(folder) == []
    write(folder, "readings", LOW, HIGH, {"time": "2026-03-02T06:00:15Z", "tick": True})
    assert alarms(folder) == [("alarm.raised", "B")]


def test_a_value_may_be_a_state_by_name_and_a_quality_a_word_or_a_number(folder: Path) -> None:
    rule = "  - {rule: stopped, kind: state, point: press.running, is: stopped, message: Stands}\n"
    (folder / "rules" / "press.yaml").write_text(RULES + rule, "utf-8")
    readings = [
        {"time": f"2026-03-02T06:00:0{i}Z", "point": "press.running", "value": "stopped", "quality": quality}
        for i, quality in enumerate(["bad", "No_Answer", 1, "Good"])
    ]
    write(folder, "readings", *readings)
    told = tell(folder).told
    assert [line["time"] for line in told.lines["alarms.jsonl"]] == ["2026-03-02T06:00:03Z"]


def test_a_value_that_the_point_cannot_have_is_bad_as_at_the_edge(folder: Path) -> None:
    write(folder, "readings", LOW, {**HIGH, "value": 401})
    assert alarms(folder) == []


def test_a_request_is_understood_when_it_is_made_and_decided_when_it_arrives(folder: Path) -> None:
    again = [{**LOW, "time": "2026-03-02T06:00:12Z"}, {**HIGH, "time": "2026-03-02T06:00:13Z"}]
    write(folder, "readings", LOW, HIGH, *again)
    write(folder, "requests", {**ACKNOWLEDGE, "arrives": "2026-03-02T06:00:14Z"})
    assert alarms(folder)[-1] == ("alarm.raised", "B")
    assert len(refusals(folder)) == 1


def test_what_has_risen_since_it_was_seen_is_not_acknowledged(folder: Path) -> None:
    (folder / "rules" / "press.yaml").write_text(LADDER, "utf-8")
    write(folder, "readings", LOW, HIGH, {**HIGH, "time": "2026-03-02T06:00:12Z", "value": 310})
    write(folder, "requests", {**ACKNOWLEDGE, "arrives": "2026-03-02T06:00:14Z"})
    assert refusals(folder) == ["it is critical now, and you were shown high: look again"]


def test_what_joined_an_incident_since_it_was_seen_is_not_acknowledged(folder: Path) -> None:
    rules = RULES + RULES[RULES.index("  - rule") :].replace("pressure", "running").replace("200 bar", "1")
    (folder / "rules" / "press.yaml").write_text(rules, "utf-8")
    write(folder, "readings", LOW, HIGH, {"time": "2026-03-02T06:00:12Z", "point": "press.running", "value": 1})
    write(folder, "requests", {"time": ACKNOWLEDGE["time"], "type": "acknowledge", "by": "anna", "incident": 1,
                               "arrives": "2026-03-02T06:00:14Z"})  # fmt: skip
    told = tell(folder).told
    acknowledged = [line["alarm"] for line in told.lines["alarms.jsonl"] if line["type"] == "alarm.acknowledged"]
    assert acknowledged == ["pressure"]


def test_a_request_that_arrives_after_its_expiry_is_refused(folder: Path) -> None:
    write(folder, "requests", {**ACKNOWLEDGE, "expires": "5s", "arrives": "2026-03-02T06:00:20Z"})
    assert refusals(folder) == ["expired: it was to be done by 2026-03-02T06:00:15+00:00"]


def test_devices_do_what_they_are_told_unless_the_replies_say_otherwise(folder: Path) -> None:
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "relieve.yaml").write_text(OPEN, "utf-8")
    write(folder, "readings", LOW, HIGH, {"time": "2026-03-02T06:00:20Z", "tick": True})

    def outcomes() -> list[str]:
        told = tell(folder).told
        return [line["type"] for line in told.lines["commands.jsonl"] if line["type"].startswith("command.")]

    assert outcomes() == ["command.issued", "command.succeeded"]
    write(folder, "replies", {"point": "press.valve", "outcome": "refused", "reason": "locked out"})
    assert outcomes() == ["command.issued", "command.refused"]
    write(folder, "replies", {"point": "press.valve", "outcome": "none"})
    assert outcomes() == ["command.issued"]


def test_a_file_that_cannot_be_used_is_said_and_the_rest_is_told(folder: Path) -> None:
    (folder / "rules" / "oil.yaml").write_text("area: hall/press\nrules: [\n", "utf-8")
    story = tell(folder)
    assert [warning.file for warning in story.warnings] == ["rules/oil.yaml"]
    assert story.told.lines["incidents.jsonl"][0]["type"] == "file.refused"
    assert story.told.lines["incidents.jsonl"][0]["place"].startswith("rules/oil.yaml:")
    assert [line["type"] for line in story.told.lines["alarms.jsonl"]] == ["alarm.raised"]
