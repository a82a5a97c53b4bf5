from typing import Literal

from msgspec.structs import replace

from analytics.rows import Happened
from analytics.run_rows import Delivery, Notification, Refusal, Step
from board.narrative import view
from board.timeline import timeline
from events.types import make_id
from tests.unit.board.rows import PLANT, alarm, at, command, told


def texts(story_: object) -> list[str]:
    return [e["text"] for e in timeline(story_, PLANT)]  # type: ignore[arg-type]


def test_a_confirmed_write_tells_what_was_read_back_and_after_how_long() -> None:
    done = Step(step="s1", attempt=1, started_at=at(0.1), due=at(2), outcome="done", finished_at=at(0.15),
                detail="reads back 1")  # fmt: skip
    wrote = command(outcome="succeeded", read_back=1.0, confirmed_at=at(0.141))
    (step,) = view(told(commands=(wrote,), steps=(done,)), PLANT, None)["runs"][0]["steps"]
    assert step["title"] == "Hydraulic press 1: Relief valve → open"
    assert step["words"] == "done, read back open after 41 ms"


def test_a_second_attempt_is_its_own_line() -> None:
    first = Step(step="s1", attempt=1, started_at=at(0.1), due=at(2), outcome="failed", finished_at=at(2))
    second = Step(step="s1", attempt=2, started_at=at(2), due=at(4))
    told_ = told(steps=(first, second), commands=(command(outcome="failed", reason="no answer"), command(attempt=2)))
    steps = view(told_, PLANT, None)["runs"][0]["steps"]
    assert [(s["tone"], s["words"]) for s in steps] == [
        ("failed", "failed, not confirmed: no answer"), ("waiting", "attempt 2: running, no answer yet"),
    ]  # fmt: skip


def test_a_refused_command_says_why_in_the_timeline() -> None:
    entry = next(e for e in timeline(told(commands=(command(outcome="refused", reason="late"),)), PLANT)
                 if e["text"].startswith("Command"))  # fmt: skip
    assert (entry["detail"], entry["tone"]) == ("refused: late", "failed")


def test_the_timeline_is_in_the_order_of_time() -> None:
    late = alarm("b", raised_at=at(9), message="Oil temperature high", cleared_at=at(20))
    story = told(alarms=(alarm(), late), commands=(command(),), acknowledged_at=at(15), acknowledged_by="Ann")
    at_ = [e["at"] for e in timeline(story, PLANT)]
    assert at_ == sorted(at_)
    assert texts(story)[0] == "Hydraulic pressure too high" and texts(story)[-1].startswith("Returned to normal")


def test_acknowledging_an_incident_is_told_once_and_with_its_comment() -> None:
    taken = {"acknowledged": True, "acknowledged_at": at(15), "acknowledged_by": "Ann", "comment": "on my way"}
    story = told(alarms=(alarm("a", **taken), alarm("b", **taken)), acknowledged_at=at(15), acknowledged_by="Ann")
    said = [e for e in timeline(story, PLANT) if "cknowledged" in e["text"]]
    assert [(e["text"], e["detail"], e["who"]) for e in said] == [("Incident acknowledged", "“on my way”", "Ann")]


def test_an_alarm_acknowledged_by_itself_is_told_too() -> None:
    own = alarm("a", acknowledged=True, acknowledged_at=at(8), acknowledged_by="Bea")
    assert "Alarm acknowledged: Hydraulic pressure too high" in texts(told(alarms=(own,)))


def test_a_playbook_that_was_not_started_is_told_with_its_reason() -> None:
    story = told()
    refused = Refusal(at=at(1), author="playbooks", playbook="relieve", reason="the trigger is older than 60 s")
    entry = timeline(type(story)(incident=story.incident, alarms=story.alarms, refusals=(refused,)), PLANT)[-1]
    assert (entry["text"], entry["detail"]) == ("Playbook relieve was not started", "the trigger is older than 60 s")


def test_a_notification_says_to_whom_in_words() -> None:
    run = {"notifications": (Notification(to="shift_lead", text="look", issued_at=at(1), step="s2"),)}
    assert "Told the shift lead: look" in texts(told(run=run))


def test_only_the_chosen_alarm_is_marked() -> None:
    shown = view(told(alarms=(alarm("a"), alarm("b"))), PLANT, make_id("b"))["alarms"]
    assert [a["chosen"] for a in shown] == [False, True]


def said(type_: str, *, by: str = "", **facts: object) -> Happened:
    given = {**facts, **({"by": by} if by else {})}
    return Happened(at=at(3), published_at=None, recorded_at=at(3), position=1, type=type_, author="incidents",
                    id=make_id(type_), cause=make_id("cause"), facts=given)  # fmt: skip


def test_an_alarm_that_joined_says_why_it_belongs_here() -> None:
    late = alarm("b", raised_at=at(9), message="Oil temperature high")
    why = said("incident.alarm_grouped", alarm=str(late.alarm), reason="same device press (rule 'hydraulics')")
    story = replace(told(alarms=(alarm(), late)), happened=(why,))
    entry = next(e for e in timeline(story, PLANT) if e["text"] == "Oil temperature high")
    assert entry["detail"].endswith("joined this incident: same device press (rule 'hydraulics')")


def test_what_people_decided_stands_in_the_timeline_with_their_names() -> None:
    lines = (
        said("incident.assigned", by="Ann", to="Ben", comment=""), said("request.refused", by="Eva", reason="too long"),
    )  # fmt: skip
    entries = [e for e in timeline(replace(told(), happened=lines), PLANT) if e["who"] in ("Ann", "Eva")]
    assert [(e["text"], e["tone"]) for e in entries] == [
        ("Assigned to Ben by Ann", "person"), ("Request of Eva refused: too long", "failed"),
    ]  # fmt: skip


def test_a_call_says_whom_it_reached_and_is_marked_when_nobody() -> None:
    def call(outcome: Literal["delivered", "failed"]) -> dict[str, object]:
        tried = Delivery(person="Ben", channel="mail", outcome=outcome, attempt=1, at=at(2))
        note = Notification(to="shift_lead", text="look", issued_at=at(1), persons=("Ben",), deliveries=(tried,))
        return next(e for e in timeline(replace(told(), notifications=(note,)), PLANT) if "Called" in e["text"])

    assert (call("delivered")["text"], call("delivered")["tone"]) == ("Called Ben (shift lead): look", "normal")
    assert (call("failed")["detail"], call("failed")["tone"]) == ("Ben by mail: failed", "failed")
