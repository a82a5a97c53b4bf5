"""`andon alarm …` and `andon incident …`: what is typed is the request that the command's name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from andon import alarm_cli, hands_cli, incident_cli, question_cli, runs_cli
from andon.counter import Person
from desk.words import body
from events import requests as r
from tests.unit.desk.plant import PRESS_17, PRESS_18, QUESTION, RUN, STANDING, Known

ALARM, INCIDENT, RUNS, ASKED = alarm_cli.app, incident_cli.app, runs_cli.app, question_cli.app
HANDS = typer.Typer()
HANDS.command("off")(hands_cli.off)
HANDS.command("on")(hands_cli.on)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Person, dict[str, Any]]]:
    """Who asked what."""
    found: list[tuple[Person, dict[str, Any]]] = []

    def ask(person: Person, fields: Mapping[str, Any]) -> None:
        found.append((person, {k: v for k, v in fields.items() if v is not None}))

    monkeypatch.setattr(Person, "ask", ask)
    monkeypatch.setattr(Person, "ask_areas", ask)
    return found


@pytest.mark.parametrize(
    ("app", "typed", "request_"),
    [
        (ALARM, "reset press_pressure.high", r.ResetAlarm(alarm=STANDING)),
        (ALARM, "shelve press_vibration --for 30min --reason guide --one-shot",
         r.ShelveAlarm(name="press_vibration", reason="guide", duration_s=1800, one_shot=True)),
        (ALARM, "unshelve press_vibration", r.UnshelveAlarm(name="press_vibration")),
        (ALARM, "suppress press_vibration --for 1h --reason stands",
         r.SuppressAlarm(name="press_vibration", reason="stands", duration_s=3600)),
        (ALARM, "unsuppress press_vibration --reason runs", r.UnsuppressAlarm(name="press_vibration", reason="runs")),
        (ALARM, "out-of-service press_vibration --for 4h --reason seals",
         r.TakeOutOfService(name="press_vibration", reason="seals", duration_s=14400)),
        (ALARM, "out-of-service --device press --for 4h --reason seals",
         r.TakeOutOfService(device="press", reason="seals", duration_s=14400)),
        (ALARM, "return-to-service --device press", r.ReturnToService(device="press")),
        (ALARM, "silence shop/press", r.Silence()),
        (INCIDENT, "assign shop/press#17 --to ben --comment you",
         r.AssignIncident(incident=PRESS_17, to="ben", comment="you")),
        (INCIDENT, "comment press#17 seen", r.CommentIncident(incident=PRESS_17, text="seen")),
        (INCIDENT, "attach 18 //share/photos/crack.jpg",
         r.AttachToIncident(incident=PRESS_18, name="crack.jpg", ref="//share/photos/crack.jpg")),
        (INCIDENT, "confirm 18", r.ConfirmIncident(incident=PRESS_18)),
        (INCIDENT, "priority 18 critical --reason people", r.SetPriority(
            incident=PRESS_18, priority="critical", reason="people")),
        (INCIDENT, "merge 18 shop/press#17 --reason same", r.MergeIncidents(
            incident=PRESS_18, into=PRESS_17, reason="same")),
        (INCIDENT, "split 18 press_pressure.high --reason other", r.SplitIncident(
            incident=PRESS_18, alarms=(STANDING,), reason="other")),
        (INCIDENT, "close 18 --cause valve --action replaced --not-useful", r.CloseIncident(
            incident=PRESS_18, cause="valve", action="replaced", useful=False)),
        (INCIDENT, "reopen 18 --reason again", r.ReopenIncident(incident=PRESS_18, reason="again")),
        (INCIDENT, "hand-over shift_lead --area shop/press --to ben --note quiet",
         r.HandOver(position="shift_lead", to="ben", note="quiet")),
        (RUNS, "start press_overpressure --incident press#17 --reason drill",
         r.StartRun(playbook="press_overpressure", incident=PRESS_17, reason="drill")),
        (RUNS, "cancel press_overpressure --reason wrong", r.CancelRun(run=RUN, reason="wrong")),
        (RUNS, "pause latest --reason look --for 10min", r.PauseRun(run=RUN, reason="look", duration_s=600)),
        (RUNS, "resume latest", r.ResumeRun(run=RUN)),
        (RUNS, "retry latest --step open --reason mended", r.RetryRun(run=RUN, step="open", reason="mended")),
        (ASKED, "answer latest yes --comment looked --tick isolated --tick tested", r.AnswerQuestion(
            question=QUESTION, answer="yes", comment="looked", ticked=("isolated", "tested"))),
        (HANDS, "off shop/press --reason smoke", r.StopActing(reason="smoke")),
        (HANDS, "on shop/press", r.AllowActing()),
    ],
)  # fmt: skip
def test_what_is_typed_is_what_is_asked(
    app: Any, typed: str, request_: r.RequestBody, asked: list[tuple[Person, dict[str, Any]]]
) -> None:
    done = CliRunner().invoke(app, [*typed.split(), "--by", "anna", "--role", "supervisor"])
    assert done.exit_code == 0, done.output
    ((person, fields),) = asked
    assert (person.by, person.role) == ("anna", "supervisor")
    assert body(fields, Known()) == ("shop/press", request_)


@pytest.mark.parametrize(
    ("app", "typed", "named"),
    [(INCIDENT, "close 18 --cause valve --action replaced", "--useful"), (INCIDENT, "close 18 --useful", "--cause"),
     (ALARM, "shelve press_vibration --reason x", "--for"), (INCIDENT, "list --status over", "candidate")],
)  # fmt: skip
def test_what_must_be_said_is_asked_for(app: Any, typed: str, named: str) -> None:
    done = CliRunner().invoke(app, typed.split(), env={"COLUMNS": "200"})
    assert done.exit_code == 2 and named in done.output


def test_hands_off_everywhere_names_no_area(asked: list[tuple[Person, dict[str, Any]]]) -> None:
    assert CliRunner().invoke(HANDS, ["off", "--all", "--reason", "smoke"]).exit_code == 0
    assert asked[0][1] == {"type": "hands_off", "reason": "smoke"}
    for typed in (["off", "--reason", "smoke"], ["off", "shop/press", "--all", "--reason", "smoke"]):
        assert CliRunner().invoke(HANDS, typed).exit_code == 2, "an area or --all, one of the two"


@pytest.mark.parametrize("role", ["boss", "system"])
def test_nobody_asks_as_the_system(role: str) -> None:
    done = CliRunner().invoke(HANDS, ["on", "shop/press", "--role", role])
    assert done.exit_code == 1 and f"no role '{role}'" in done.output


def test_an_unknown_role_is_refused_before_anything_is_asked() -> None:
    done = CliRunner().invoke(ALARM, ["silence", "shop/press", "--role", "boss"])
    assert done.exit_code == 1 and "no role 'boss'" in done.output
