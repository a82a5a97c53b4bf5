"""`people/*.yaml`: what it becomes, and what its author is told when something is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from devices.plant import Plant, load_plant
from incidents import people
from incidents.definition import Escalation, Position, Replacement, Shift, Step
from incidents.people_file import PeopleFile

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "press-shop"

GOOD = """
positions:
  - position: lead
    time_zone: Europe/Berlin
    areas: [shop/*]
    shifts:
      - {shift: night, from: "22:00", to: "06:00", days: [fri, mon], persons: [anna, ben], since: 2026-01-05}
    holidays: [2026-12-25]
    replacements: [{from: 2026-11-22 06:00, to: 2026-11-22T14:00, person: ben, reason: ill}]
    deputy: works
  - {position: works, areas: ["*"]}
escalations:
  - policy: night
    steps: [{to: [lead]}, {after: 10min, to: [works, anna]}]
    rounds: 2
    every: 30min
    min_priority: high
persons:
  - person: anna
    channels:
      - {channel: mail, url: "mailtos://${USER}:${PASS}@mail.example.org?to=anna@example.org"}
      - {channel: phone, url: "${ANNA_PHONE}", min_priority: high}
  - person: ben
"""


@pytest.fixture
def plant() -> Plant:
    return load_plant(EXAMPLE)[0]


def write(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "people").mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / "people" / f"{name}.yaml").write_text(text)
    return tmp_path


def test_positions_policies_and_persons_come_out_as_they_were_written(tmp_path: Path, plant: Plant) -> None:
    folder = write(tmp_path, people=GOOD)
    positions, escalations, errors = people.load(folder, plant)
    assert errors == []
    night = Shift(shift="night", days=(0, 4), begins="22:00", ends="06:00", persons=("anna", "ben"), since="2026-01-05")
    ill = Replacement(begins="2026-11-22T06:00", ends="2026-11-22T14:00", person="ben", reason="ill")
    assert positions["lead"] == Position(
        position="lead", areas=("shop/*",), time_zone="Europe/Berlin", shifts=(night,), holidays=("2026-12-25",),
        replacements=(ill,), deputy="works",
    )  # fmt: skip
    steps = (Step(0.0, ("lead",)), Step(600.0, ("works", "anna")))
    assert escalations == {
        "night": Escalation(policy="night", steps=steps, rounds=2, round_s=1800.0, min_priority="high")
    }
    persons = people.reachable(folder)[1]
    assert [c.channel for c in persons["anna"].channels] == ["mail", "phone"]
    assert persons["ben"].channels == []


def test_the_example_plant_is_without_errors_and_somebody_is_always_on_call(plant: Plant) -> None:
    positions, escalations, errors = people.load(EXAMPLE, plant)
    assert errors == []
    assert {"shift_lead", "maintenance"} <= set(positions)
    assert escalations


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("time_zone: Europe/Berlin", "time_zone: Europe/Bärlin", 4, "no time zone is called 'Europe/Bärlin'"),
        ("deputy: works", "deputy: work", 10, "no position is called 'work', did you mean 'works'?"),
        ("days: [fri, mon], persons: [anna, ben]", "persons: [anna, bne]", 7, "no person is called 'bne'"),
        ("person: ben, reason", "person: bem, reason", 9, "no person is called 'bem', did you mean 'ben'?"),
        ("steps: [{to: [lead]}", "steps: [{to: [led]}", 14, "no position or person is called 'led'"),
        ("areas: [shop/*]", "areas: [shop/pres]", 5, "no area is called 'shop/pres', did you mean 'shop/press'?"),
        ("after: 10min", "after: soon", 14, "'soon' is no duration"),
        ("every: 30min", "every: 5min", 16, "the next round would begin before this one's last step"),
        ('from: "22:00"', 'from: "24:00"', 7, "matching regex"),
        ("holidays: [2026-12-25]", "holidays: [2026-02-30]", 8, "'2026-02-30'"),
        ("to: 2026-11-22T14:00", "to: 2026-11-22T05:00", 9, "it ends before it begins"),
        ("${USER}:${PASS}@", "anna:secret@", 21, "a password in a file: write ${NAME}"),
        ("mailtos://", "mailtoz://", 21, "apprise knows no 'mailtoz://'"),
        ("- person: ben", "- person: works", 23, "the name 'works' is taken already"),
        ("channel: phone", "channel: mail", 22, "anna has a channel 'mail' already"),
        ("rounds: 2", "round: 2", 15, "unknown field 'round', did you mean 'rounds'?"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, plant: Plant, old: str, new: str, line: int, reason: str
) -> None:
    assert old in GOOD
    *_, errors = people.load(write(tmp_path, people=GOOD.replace(old, new)), plant)
    assert reason in errors[0].reason
    assert (errors[0].file, errors[0].line) == ("people/people.yaml", line)


def test_one_bad_file_takes_no_other_down_and_names_meet_across_files(tmp_path: Path, plant: Plant) -> None:
    head, persons = GOOD.split("persons:\n  - person: anna")
    folder = write(tmp_path, a=head, b="persons:\n  - person: anna" + persons, c="positions: [oops")
    positions, _, errors = people.load(folder, plant)
    assert [e.file for e in errors] == ["people/c.yaml"]
    assert set(positions) == {"lead", "works"}
    assert set(people.reachable(folder)[1]) == {"anna", "ben"}


def test_who_names_somebody_unknown_is_told_so_and_still_calls_the_others(tmp_path: Path, plant: Plant) -> None:
    positions, _, errors = people.load(write(tmp_path, people=GOOD.replace("person: ben\n", "person: bob\n")), plant)
    assert {e.reason.split(",")[0] for e in errors} == {"no person is called 'ben'"}
    assert positions["lead"].shifts[0].persons == ("anna", "ben")


def test_the_schema_is_of_the_model_that_checks() -> None:
    assert people.json_schema() == msgspec.json.schema(PeopleFile)
