"""Every playbook of the library in the example plant, on real services: its fault, its way, its end; and what becomes
of it when a device is silent or does not obey, a command comes too late, nobody says yes, or a person cancels it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest

from desk.sending import KafkaSender
from events.requests import AcknowledgeIncident, AnswerQuestion, CancelRun, Request, RequestBody, Role
from tests.conftest import REPOSITORY
from tests.running_plant import RunningPlant, running_plant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TOKEN = "of-the-shop"
HASTY = {
    "rules/press.yaml": ("over: 30s\n", "over: 8s\n"),
    "playbooks/line-hold.yaml": ("https://127.0.0.1:8089/holds", "{mes}"),
    "playbooks/line-stop.yaml": ("topic:", "answer_within: 8s, topic:"),
    "playbooks/line-divert.yaml": ("good_for: 10s", "good_for: 4s"),
    "playbooks/cooling-leak.yaml": ("little: 35", "little: 60"),
    "playbooks/cooling-cavitation.yaml": ("calm: 0.4", "calm: 0.4, settles: 5s"),
}
"""What takes long in the example, made short for us. By file: what stands there, and what stands there then."""

ACTED = {
    "supply.pump_speed": (100, 60), "supply.make_up": (0, 1), "drive.speed_setpoint": (1480, 600),
    "press.pressure_setpoint": (180, 100), "diverter.gate": (0, 1), "line.batch_hold": (0, 1), "energy.heater": (1, 0),
    "energy.compressor": (1, 1), "hall.fire_door_position": (0, 1), "hall.fan": (0, 1), "hall.siren": (0, 1),
    "hall.sign": (0, 1),
}  # fmt: skip
"""By point: its value in a healthy plant, and when all playbooks have acted."""


class Shop:
    """The running example plant, and its people. Attributes: away: questions ("playbook.step") that nobody answers."""

    def __init__(self, plant: RunningPlant, holds: list[dict[str, Any]]) -> None:
        self.plant, self.holds = plant, holds
        self.away: set[str] = set()
        self.began = datetime.now(UTC)
        self._sender = KafkaSender(plant.instance.kafka, timeout_s=10)
        self._said: set[object] = set()

    def fault(self, *faults: str, **where: str) -> None:
        with self.plant.simulator() as simulator:
            for fault in faults:
                simulator.fault(fault, **where)

    def now(self, *points: str) -> dict[str, float]:
        with self.plant.simulator() as simulator:
            return {point: simulator.get(point) for point in points}

    def ask(self, area: str, body: RequestBody, by: str = "anna", role: Role = "supervisor") -> None:
        at = datetime.now(UTC)
        expires = at + timedelta(minutes=1)
        self._sender.send(Request(id=uuid4(), area=area, at=at, by=by, role=role, expires=expires, body=body))

    def run(self, playbook: str) -> tuple[UUID, str | None, str]:
        """Its newest run since `began`: id, outcome, why."""
        rows = self.plant.query(
            "select run, outcome, detail from runs where playbook = :playbook and started_at >= :began"
            " order by started_at desc limit 1", playbook=playbook, began=self.began)  # fmt: skip
        return tuple(rows[0]) if rows else (UUID(int=0), None, "it has not begun")

    def at(self, playbook: str, step: str) -> bool:
        """Whether the newest run has that step under way."""
        run = self.run(playbook)[0]
        sql = "select 1 from steps where run = :run and step = :step and outcome is null"
        return bool(self.plant.query(sql, run=run, step=step))

    def steps(self, playbook: str) -> dict[str, str]:
        """Outcome of the last attempt of each step of the newest run."""
        run = self.run(playbook)[0]
        return dict(self.plant.query("select step, outcome from steps where run = :run order by attempt", run=run))

    def writes(self, playbook: str) -> list[tuple[str, float]]:
        """What its newest run has done to devices, in that order."""
        run = self.run(playbook)[0]
        rows = self.plant.query("select point, value from commands where run = :run and kind = 'write' and"
                                " outcome = 'succeeded' order by issued_at, step", run=run)  # fmt: skip
        return [(point, value) for point, value in rows]

    def refusals(self, playbook: str) -> list[str]:
        run = self.run(playbook)[0]
        rows = self.plant.query("select reason from commands where run = :run and outcome = 'refused'", run=run)
        return [reason for (reason,) in rows]

    def escalated(self, playbook: str) -> set[str]:
        """The steps of its newest run whose effect nobody knows."""
        rows = self.plant.query("select payload->>'step' from events where type = 'run.escalated' and"
                                " payload->>'run' = :run", run=str(self.run(playbook)[0]))  # fmt: skip
        return {step for (step,) in rows}

    def told(self, playbook: str) -> str:
        run = self.run(playbook)[0]
        rows = self.plant.query("select text from notifications where run = :run", run=run)
        return " | ".join(text for (text,) in rows)

    def wait(self, what: str, true: Callable[[], bool], seconds: float = 60, *, people: bool = True) -> None:
        end = time.monotonic() + seconds
        while not true():
            if people:
                self.work()
            assert time.monotonic() < end, f"{what}: {self._standing()}"
            time.sleep(0.25)

    def work(self) -> None:
        """People do their part: they see what there is, and say yes to what they are asked, one after the other."""
        open_ = self.plant.query("select incident, area from incidents where status = 'open'")
        for incident, area in open_:
            if (incident, int(time.monotonic() / 3)) not in self._said:  # one more alarm may have come
                self._said.add((incident, int(time.monotonic() / 3)))
                self.ask(area, AcknowledgeIncident(incident=incident), role="operator")
        questions = self.plant.query(
            "select q.question, q.area, q.kind, q.choices, q.four_eyes, q.checklist, r.playbook, q.step"
            " from questions q join runs r using (run) where q.closed_at is null")  # fmt: skip
        for question, area, kind, choices, four_eyes, checklist, playbook, step in questions:
            if question in self._said or f"{playbook}.{step}" in self.away:
                continue
            self._said.add(question)
            answer = {"approval": "yes", "task": "done"}.get(kind) or choices[0]
            body = AnswerQuestion(question=question, answer=answer, ticked=tuple(checklist))
            for person in ("anna", "ben") if four_eyes else ("anna",):
                self.ask(area, body, by=person)

    def _standing(self) -> object:
        rows = self.plant.query(
            "select r.playbook, r.outcome, r.detail, s.step, s.outcome, s.detail from runs r left join steps s"
            " using (run) where r.started_at >= :began order by r.started_at, s.started_at",
            began=self.began)  # fmt: skip
        return "\n".join(str(tuple(row)) for row in rows)


@contextmanager
def mes() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A manufacturing execution system that takes holds; its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Mes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"token": self.headers["Authorization"], **body})
            answer = json.dumps({"id": "H-17"}).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/holds", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("hasty") / "press-shop"
    shutil.copytree(REPOSITORY / "examples" / "press-shop", folder)
    with mes() as (address, holds), pytest.MonkeyPatch.context() as patch:
        for name, (old, new) in HASTY.items():
            text = (folder / name).read_text("utf-8")
            assert old in text, f"{name} says no longer {old}"
            (folder / name).write_text(text.replace(old, new.replace("{mes}", address)), "utf-8")
        patch.setenv("ANDON_SECRET_MES", TOKEN)
        with running_plant("--plant", str(folder)) as plant:
            yield Shop(plant, holds)


@pytest.fixture(autouse=True)
def quiet(shop: Shop) -> Iterator[None]:
    shop.began = datetime.now(UTC)
    shop.away.clear()
    yield
    shop.fault("none")


def test_each_playbook_of_a_fault_that_lasts_runs_to_its_end(shop: Shop) -> None:
    shop.fault("stuck_sensor", point="press.pressure")
    shop.fault("silent", device="press_light")
    shop.fault("cavitation", "bearing_wear", "coolant_leak", "energy_peak", "fire", "gas_leak", "defects", "off_spec")
    reached = {
        "cooling_cavitation": "clean", "cooling_leak": "watch", "press_bearing": "grease", "press_sensor": "replace",
        "press_light_lost": "back", "line_divert": "good", "line_hold": "decide", "hall_energy": "over",
        "hall_fire_door": "clear", "hall_gas": "measure",
    }  # fmt: skip
    for playbook, step in reached.items():
        shop.wait(f"{playbook} is at {step}", lambda: shop.at(playbook, step), people=False)  # noqa: B023
    there = shop.now(*ACTED)
    assert there == {point: acted for point, (_, acted) in ACTED.items()}
    shop.fault("none")
    for playbook in reached:
        shop.wait(f"{playbook} ends", lambda: shop.run(playbook)[1] is not None)  # noqa: B023
    assert {p: shop.run(p)[1:] for p in reached} == dict.fromkeys(reached, ("completed", ""))
    assert shop.now(*ACTED) == {point: normal for point, (normal, _) in ACTED.items()}
    assert shop.writes("cooling_cavitation") == [("supply.pump_speed", v) for v in (80, 60, 100)]
    assert shop.writes("hall_energy") == [("energy.heater", 0), ("energy.heater", 1)]
    assert shop.holds == [{"token": f"Bearer {TOKEN}", "batch": "1042", "reason": "Parts are out of tolerance"}]
    assert "answers again" in shop.told("press_light_lost")


def test_overpressure_and_a_pulled_cord_end_with_the_press_and_the_line_running(shop: Shop) -> None:
    shop.fault("overpressure")
    shop.fault("cord_pulled")
    shop.wait("the pressure falls", lambda: shop.run("press_overpressure")[1] is not None, people=False)
    shop.wait("the line asks", lambda: shop.at("line_stop", "approve"), people=False)
    assert shop.now("press.relief_valve", "line.conveyor", "line.lamp") == {
        "press.relief_valve": 1, "line.conveyor": 0, "line.lamp": 1,
    }  # fmt: skip
    shop.fault("none")
    shop.wait("the line runs", lambda: shop.run("line_stop")[1] is not None)
    shop.wait("the press is set back", lambda: shop.run("press_reset")[1] is not None)
    for playbook in ("press_overpressure", "line_stop", "press_reset"):
        assert shop.run(playbook)[1:] == ("completed", "")
    assert shop.now("press.relief_valve", "press_light.siren", "line.conveyor", "line.lamp") == {
        "press.relief_valve": 0, "press_light.siren": 0, "line.conveyor": 1, "line.lamp": 0,
    }  # fmt: skip


def test_device_faults_and_silent_people_end_as_the_files_say(shop: Shop) -> None:
    shop.away.add("line_stop.approve")
    shop.fault("silent", device="diverter")
    with shop.plant.simulator() as simulator:
        simulator.behave("supply", "no_effect")
    shop.fault("coolant_leak", "defects")
    shop.wait("bad parts come", lambda: shop.now("line.camera")["line.camera"] == 1)
    shop.fault("cord_pulled")
    # no answer: bad parts cannot be diverted, and somebody is called
    shop.wait("the diverter is given up", lambda: shop.run("line_divert")[1] is not None)
    assert shop.run("line_divert")[1] == "failed"
    assert "Bad parts cannot be diverted" in shop.run("line_divert")[2]
    assert shop.escalated("line_divert") == {"divert", "undo:divert.s1"}
    assert shop.writes("line_divert") == []
    # no yes: the line stands
    shop.wait("nobody lets the line run", lambda: shop.run("line_stop")[1] is not None)
    assert shop.run("line_stop")[1] == "failed"
    assert "Nobody let the line run again" in shop.run("line_stop")[2]
    assert shop.escalated("line_stop") == set(), "all that it did is known"
    assert shop.writes("line_stop") == [("line.conveyor", 0), ("line.lamp", 1)]
    # written without effect: the level falls, and the pump is stopped before it draws air
    shop.wait("the pump is stopped", lambda: shop.run("cooling_leak")[1] is not None)
    assert shop.run("cooling_leak")[1] == "failed"
    assert "Topping up did not hold the level" in shop.run("cooling_leak")[2]
    assert shop.escalated("cooling_leak") == {"top_up"}
    assert "the make-up valve does not open" in shop.told("cooling_leak")
    assert shop.now("cooling.pump", "supply.make_up", "line.conveyor") == {
        "cooling.pump": 0, "supply.make_up": 0, "line.conveyor": 0,
    }  # fmt: skip
    shop.fault("none")
    with shop.plant.simulator() as simulator:  # by hand, as people would
        simulator.set({"cooling.pump": 1, "line.conveyor": 1, "line.lamp": 0})
        simulator.release()


def test_commands_that_come_too_late_move_nothing(shop: Shop) -> None:
    dispatcher = shop.plant.pid("dispatcher")
    os.kill(dispatcher, signal.SIGSTOP)
    try:
        shop.fault("cord_pulled")
        shop.wait("it gives up", lambda: shop.steps("line_stop").get("halt") == "failed", people=False)
    finally:
        os.kill(dispatcher, signal.SIGCONT)
    shop.fault("none")
    shop.wait("it goes on", lambda: shop.run("line_stop")[1] is not None)
    late = shop.refusals("line_stop")
    assert len(late) == 3
    assert all(reason.startswith("late") for reason in late)
    assert "the conveyor does not stop" in shop.told("line_stop")
    with shop.plant.simulator() as simulator:
        assert [v for at, v in simulator.history("line.conveyor") if at > shop.began] == []


def test_person_who_cancels_a_run_has_it_undone(shop: Shop) -> None:
    leak = "select 1 from alarms where rule = 'supply_leak' and active"
    shop.wait("the leak of before is over", lambda: not shop.plant.query(leak))
    shop.wait("the reservoir is full again", lambda: shop.now("supply.level")["supply.level"] > 75, seconds=100)
    shop.fault("coolant_leak")
    shop.wait("it tops up", lambda: shop.at("cooling_leak", "watch"))
    assert shop.now("supply.make_up") == {"supply.make_up": 1}
    shop.ask("shop/cooling", CancelRun(run=shop.run("cooling_leak")[0], reason="drill"))
    shop.wait("it is undone", lambda: shop.run("cooling_leak")[1] is not None)
    assert shop.run("cooling_leak")[1] == "cancelled"
    assert shop.now("supply.make_up") == {"supply.make_up": 0}
