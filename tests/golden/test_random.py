"""Stories that nobody wrote: random plants, readings, requests and reloads, by seed. What must hold for any of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from andon.story import Story
from andon.story_inputs import StoryError
from andon.story_lines import FILES
from detection.brain import DetectionBrain
from events import topics
from events.types import make_id
from tests.golden.stories import HERE

Line = dict[str, Any]
SEEDS = range(1, 13)
DEVICES = ("ax", "ay", "bx", "by")
"""Of the areas hall/a and hall/b."""
PEOPLE = HERE / "called-at-night" / "people" / "people.yaml"


def _rules(area: str, rng: random.Random) -> str:
    out = f"area: hall/{area}\nrules:\n"
    out += f"  - {{rule: {area}_silent, kind: no_data, device: {area}x, for: 60s, message: silent}}\n"
    for device, neighbour in ((f"{area}x", f"{area}y"), (f"{area}y", f"{area}x")):
        for i in range(3):
            high = ", HH: {limit: 300 bar, priority: critical}" if not i else ""
            chosen = [
                rng.choice(["sequence: A", "sequence: M", "sequence: R", f"sequence: FM, group: {area}"]),
                rng.choice(["re_alarm: 5min", "stale_after: 10min", "auto_acknowledge: true", "on_delay: 8s"]),
                rng.choice([f"suppress_when: \"{device}.run == 'stopped'\"", "safety: true",
                            f"consequence_of: [{neighbour}{rng.randrange(3)}]"]),
                "chatter: {count: 3, within: 60s, shelve: 3min}",
            ]  # fmt: skip
            out += f"  - {{rule: {device}{i}, kind: limits, point: {device}.p{i}, {', '.join(chosen)},\n"
            out += f"     limits: {{H: {{limit: 200 bar, priority: medium}}{high}}}}}\n"
    return out


def _plant(folder: Path, rng: random.Random) -> None:
    texts = {"plant.yaml": "plant: f\nareas: [{area: hall/a}, {area: hall/b}]\n", "people/p.yaml": PEOPLE.read_text()}
    for device in DEVICES:
        points = "".join(f"  - {{point: p{i}, unit: bar, range: [0, 400]}}\n" for i in range(3))
        run = "  - {point: run, range: [0, 1], states: {stopped: 0, running: 1}, writable: {range: [0, 1]}}\n"
        head = f"device: {device}\narea: hall/{device[0]}\nedge: e\npoints:\n"
        texts[f"points/{device}.yaml"] = head + points + run
    for area in "ab":
        texts[f"rules/{area}.yaml"], texts[f"v2/rules/{area}.yaml"] = _rules(area, rng), _rules(area, rng)
        together = rng.choice(["[]", "[{together: d, by: device, within: 5min}]", "[{together: all, by: area}]"])
        texts[f"incidents/{area}.yaml"] = (
            f"area: hall/{area}\ntogether: {together}\nescalation: call\nconfirm_after: {rng.choice([1, 3])}\n"
            "reopen_within: 3min\nclose_after: 10min\nflood: {above: 4, below: 2, window: 5min, digest: 2min}\n"
        )
    texts["playbooks/p.yaml"] = (
        "id: p\narea: hall/a\ntrigger: {incident: opened}\nsteps: [{write: {ax.run: running}, timeout: 2s}]\n"
    )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def _request(rng: random.Random) -> Line:
    device = rng.choice(DEVICES)
    area, alarm = f"hall/{device[0]}", rng.choice([f"{device}0", f"{device}1", f"{device}2"])
    of_alarm = [
        {"type": "acknowledge"}, {"type": "acknowledge"}, {"type": "reset"}, {"type": "unshelve"},
        {"type": "shelve", "for": "2min", "reason": "r", "one_shot": rng.random() < 0.5},
        {"type": "suppress", "for": "2min", "reason": "r"}, {"type": "out_of_service", "for": "2min", "reason": "r"},
    ]  # fmt: skip
    number = rng.randrange(1, 6)
    of_incident = [
        {"type": "acknowledge"}, {"type": "acknowledge"}, {"type": "confirm"}, {"type": "assign", "to": "anna"},
        {"type": "split", "alarms": [alarm], "reason": "r"}, {"type": "reopen", "reason": "r"},
        {"type": "merge", "into": rng.randrange(1, 6), "reason": "r"},
        {"type": "close", "cause": "c", "action": "a", "useful": True},
    ]  # fmt: skip
    if rng.random() < 0.5:
        return {"alarm": alarm, **rng.choice(of_alarm)}
    return {"area": area, "incident": number, **rng.choice(of_incident)}


def _lines(rng: random.Random) -> tuple[list[Line], list[Line]]:
    """Readings, and requests."""
    at = datetime(2026, 3, 2, 4, 40, tzinfo=UTC)
    readings: list[Line] = [{"time": at.isoformat(), "tick": True}]
    requests: list[Line] = []
    for _ in range(120):
        at += timedelta(milliseconds=rng.choice([0, 5, 1000, 2500, 7000, 30000, 90000]))
        time = {"time": at.isoformat()}
        match rng.choices(["value", "run", "ask", "configure"], [60, 6, 32, 1])[0]:
            case "value":
                point = f"{rng.choice(DEVICES)}.p{rng.randrange(3)}"
                late = {"arrives": (at + timedelta(seconds=100)).isoformat()} if rng.random() < 0.03 else {}
                readings.append({**time, "point": point, "value": rng.choice([100, 100, 250, 320, 999]), **late})
            case "run":
                readings.append({**time, "point": f"{rng.choice(DEVICES)}.run", "value": rng.choice([0, 1])})
            case "ask":
                role = rng.choice(["operator", "engineer"])
                requests.append({**time, "by": rng.choice(["anna", "ben"]), "role": role, **_request(rng)})
            case _:
                readings.append({**time, "configure": "v2"})
    readings.append({"time": (at + timedelta(minutes=20)).isoformat(), "tick": True})
    return readings, requests


class _Lenient(Story):
    """A request that names what is not there is passed over: this author does not look before he asks."""

    def _take(self, at: datetime) -> None:
        try:
            super()._take(at)
        except StoryError as error:
            if not error.place.startswith("requests.jsonl"):
                raise


def _tell(folder: Path, readings: list[Line], requests: list[Line], *, every_second: bool = False) -> Story:
    for name, lines in (("readings", readings), ("requests", requests)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    home = folder / "home"
    home.mkdir()
    story = _Lenient(folder, home, every_second)
    story.tell()
    assert not story.warnings
    home.rename(folder / f"home-{len(list(folder.glob('home*')))}")
    return story


def _texts(story: Story) -> list[str]:
    lines = (line for name in FILES for line in story.told.text(name).splitlines())
    return [line for line in lines if '"type": "restarted"' not in line]


def _standing(story: Story) -> Iterator[UUID]:
    """The occurrences that detection holds to be standing."""
    brain = story.stages.folds[topics.READINGS].brain
    assert isinstance(brain, DetectionBrain)
    for area in brain.areas.values():
        yield from (make_id(rule.area, rule.rule, rule.point, began) for rule, began in area.standing())


@pytest.mark.parametrize("seed", SEEDS)
def test_no_alarm_is_lost_or_left_over_between_the_stages_and_none_is_nowhere(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    _plant(tmp_path, rng)
    story = _tell(tmp_path, *_lines(rng))
    known: set[UUID] = set()
    for area in story.told.twin.areas.values():
        known |= set(area.alarms.noted)
        for name in area.alarms:
            alarm = area.alarms.get(name)
            assert alarm is not None and alarm.active == bool(alarm.levels)
            known |= {level.condition for level in alarm.levels}
            if alarm.active and not alarm.hidden and not alarm.late:
                assert alarm.alarm is not None
                incident = area.incidents.of(alarm.alarm)
                assert incident is not None and incident.live, f"{name} is active, shown, and in no open incident"
    assert set(_standing(story)) == known
    assert story.told.lines["alarms.jsonl"], "a story in which nothing happens proves nothing"


@pytest.mark.parametrize("seed", SEEDS)
def test_neither_restarts_nor_ticks_change_what_is_told(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    _plant(tmp_path, rng)
    readings, requests = _lines(rng)
    once = _texts(_tell(tmp_path, readings, requests))
    hows: list[bool | str] = [True, "log"]
    restarts = [{"time": line["time"], "restart": hows[i % 2]} for i, line in enumerate(readings) if i % 9 == 0]
    assert _texts(_tell(tmp_path, readings + restarts, requests)) == once
    if seed % 3 == 0:
        assert _texts(_tell(tmp_path, readings, requests, every_second=True)) == once
