import json
from datetime import timedelta

from analytics.rows import Sample
from board.trend import LETTER, LONGEST, ROWS, Mark, chart, gathered, labelled, marks, window
from tests.unit.board.rows import PLANT, alarm, at, command, told


def test_the_window_begins_a_minute_before_and_follows_the_clock() -> None:
    assert window(told(), at(40)) == (at(-60), at(40))


def test_the_window_of_a_long_incident_ends() -> None:
    since, until = window(told(), at(86_400))
    assert until - since == LONGEST


def test_the_window_of_a_resolved_incident_stands_still() -> None:
    story = told(status="resolved", resolved_at=at(100))
    assert window(story, at(5000)) == window(story, at(6000)) == (at(-60), at(160))


def test_marks_are_the_alarms_of_the_point_the_answers_and_the_acknowledgement() -> None:
    other = alarm("b", point="press.temperature", raised_at=at(5))
    own = alarm("a", cleared_at=at(30))
    wrote = command(outcome="succeeded", confirmed_at=at(0.2))
    story = told(alarms=(own, other), commands=(wrote,), acknowledged_at=at(20))
    assert [m.text for m in marks(story, "press.pressure", PLANT)] == [
        "high alarm", "Relief valve open", "acknowledged", "high alarm over",
    ]  # fmt: skip


def test_a_command_that_was_not_confirmed_is_no_mark() -> None:
    story = told(commands=(command(outcome="failed", reason="no answer"),))
    assert [m.text for m in marks(story, "press.pressure", PLANT)] == ["high alarm"]


def test_marks_at_the_same_place_are_gathered_and_the_rest_counted() -> None:
    found = [Mark(at(0), "a"), Mark(at(0.1), "b"), Mark(at(0.2), "c"), Mark(at(50), "d")]
    assert gathered(found, timedelta(seconds=100)) == [Mark(at(0), "a, b +1"), Mark(at(50), "d")]


def test_no_words_of_a_mark_lie_on_those_of_another() -> None:
    found = [Mark(at(s), "Relief valve open, siren on") for s in (0, 30, 60, 61, 62, 63, 64, 99)]
    labels = labelled(found, at(-10), at(100))
    spans: dict[int, list[tuple[float, float]]] = {}
    for label in labels:
        if label.row is not None:
            x, width = (label.mark.at - at(-10)) / timedelta(seconds=110), LETTER * len(label.mark.text)
            spans.setdefault(label.row, []).append((x - width, x) if label.left else (x, x + width))
    assert labels[-1].left, "near the right end the words stand left of the line"
    assert len(spans) == ROWS
    for row in spans.values():
        assert all(b <= c or d <= a for i, (a, b) in enumerate(row) for c, d in row[i + 1 :])
    assert labels[0].row is not None


def test_the_trend_has_titles_and_a_description_and_each_limit_once() -> None:
    readings = [Sample(at(0), 200.0), Sample(at(1), 210.0)]
    story = told(alarms=(alarm("a"), alarm("b"), alarm("c", limit_value=270.0, priority="critical")))
    spec = json.loads(chart(readings, "press.pressure", story, PLANT, at(-60), at(40)).to_json())
    assert "Hydraulic pressure over time" in spec["description"]
    assert spec["layer"][0]["encoding"]["y"]["title"] == "Hydraulic pressure [bar]"
    rows = [r for rows in spec["datasets"].values() for r in rows if "limit" in r]
    assert [(r["limit"], r["text"]) for r in rows] == [(270.0, "limit 270 bar"), (250.0, "limit 250 bar")]
