"""Requests of people against the real thing: Kafka, TimescaleDB, the incidents and playbooks stages, the log writer,
the API, the command line. Detection is the test: it says which conditions hold."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from kafka import KafkaAdminClient

import bus.topics
from andon import instance as instances
from andon.processes import PROCESSES, command_of
from andon.publish import publish
from andon.settings import read_environment
from andon.stack.process import spawn, stop_all
from benchmarks.running import free_port_base
from bus.client import Producer
from desk.tokens import Tokens
from eventlog.migrate import upgrade
from events import topics
from events.alarms import ConditionCleared, ConditionRaised
from events.envelope import Decision, event
from events.requests import Role
from events.types import make_id
from tests.conftest import REPOSITORY, Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
AREA, PRESS_HIGH, COOLING = "shop/press", "press_pressure", "cooling_vibration"


INSPECT = """
id: inspect
title: Look at the press
area: shop/press
trigger: {request: {role: operator}}
steps:
  - {step: look, ask: "Is {area} safe?", to: shift_lead, role: operator, timeout: 5min}
  - {step: rest, delay: 5min}
"""


class Office:
    """The incidents and playbooks stages, the log writer and the API, with a token for each role."""

    def __init__(self, stack: Stack, database: str, home: Path) -> None:
        self.variables = {
            "ANDON_KAFKA": stack.instance.kafka, "ANDON_DATABASE_URL": database.replace("+psycopg", ""),
        }  # fmt: skip
        plant = shutil.copytree(instances.default_plant(), home / "files")
        (plant / "playbooks" / "inspect.yaml").write_text(INSPECT)
        environment = read_environment(self.variables)
        self.instance = instances.create(home, free_port_base(), plant, environment=environment)
        tokens, now = Tokens(home), datetime.now(UTC)
        roles: tuple[Role, ...] = ("operator", "supervisor", "engineer", "auditor")
        self._secrets = {role: tokens.create(f"{role}-1", role, now=now) for role in roles}
        self.producer = Producer(stack.instance.kafka)
        self._decisions: dict[int, int] = {}
        self.waited: list[float] = []

    # --- what detection says -----------------------------------------------------------------------------------------

    def holds(self, rule: str, n: int, *, area: str = AREA, priority: Any = "high") -> str:
        """The condition of the rule begins to hold; its occurrence."""
        at = datetime.now(UTC)
        id_ = make_id("condition", rule, n)
        raised = ConditionRaised(
            occurrence=id_, rule=rule, rule_version="1", kind="limits", point="press.pressure", priority=priority,
            message=f"{rule} is too high", value=171.0, limit=160.0, unit="bar", began=at,
        )  # fmt: skip
        self._decide(area, raised, at)
        return str(id_)

    def ends(self, rule: str, n: int, *, area: str = AREA) -> None:
        cleared = ConditionCleared(
            occurrence=make_id("condition", rule, n), rule=rule, point="press.pressure", value=140.0
        )
        self._decide(area, cleared, datetime.now(UTC))

    def _decide(self, area: str, fact: Any, at: datetime) -> None:
        partition = topics.partition_of(area)
        prev = self._decisions.get(partition, -1)
        self._decisions[partition] = prev + 1
        said = event(fact, at=at, area=area, cause=make_id("frame", at.isoformat()), author="detection", index=0)
        self.producer.send(topics.CONDITIONS, area, Decision(prev + 1, prev, -1, (said,), at)).get(timeout=10)

    # --- what people do ----------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, *, role: str = "operator") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.api_port, timeout=10)
        headers = {"Authorization": f"Bearer {self._secrets[role]}"}
        began = time.monotonic()
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        content = reply.read()
        if method == "POST" and reply.status in (200, 409):
            self.waited.append(time.monotonic() - began)
        connection.close()
        return reply.status, json.loads(content)

    def text(self, path: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self._secrets['auditor']}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.api_port, timeout=10)
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        content = reply.read().decode()
        connection.close()
        return reply.status, content

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def alarm(self, name: str) -> dict[str, Any]:
        status, found = self.call("GET", f"/alarms/{name}")
        return (found["newest"] or {}) if status == 200 else {}

    def incident_of(self, name: str) -> str:
        """AREA#NUMBER of the incident that the alarm is in, as an address has it."""
        found = self.get(f"/incidents/{self.alarm(name)['incident']}")["incident"]
        return quote(f"{found['area']}#{found['number']}")

    def andon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "andon", *arguments, "--home", str(self.instance.home)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False)


def eventually(true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def office(stack: Stack, database: str) -> Iterator[Office]:
    admin = KafkaAdminClient(bootstrap_servers=stack.instance.kafka)
    there = sorted(set(bus.topics.TOPICS) & set(admin.list_topics()))
    if there:
        admin.delete_topics(there)
        eventually(lambda: not set(there) & set(admin.list_topics()), "the topics of other tests go")
    admin.close()
    bus.topics.create(stack.instance.kafka)
    upgrade(database)
    home = Path(tempfile.mkdtemp(prefix="andon-"))
    made = Office(stack, database, home)
    assert publish(made.instance) == []
    names = ("logwriter", "incidents", "playbooks", "api")
    children = [spawn(command_of(PROCESSES[name], made.instance)) for name in names]
    try:
        for name in names:
            eventually(lambda name=name: _well(made.instance.health_port(name)), f"{name} is well", 60)
        yield made
    finally:
        stop_all(children)
        made.producer.close()
        shutil.rmtree(home, ignore_errors=True)
        if made.waited:
            print(f"\n{len(made.waited)} requests over HTTP: median {statistics.median(made.waited) * 1000:.0f} ms, "
                  f"slowest {max(made.waited) * 1000:.0f} ms")  # fmt: skip


def _well(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return bool(json.load(reply)["ok"])
    except (OSError, urllib.error.HTTPError):
        return False


def test_a_raised_alarm_is_acknowledged_and_the_answer_is_the_logs(office: Office) -> None:
    occurrence = office.holds("press_pressure.H", 1)
    eventually(lambda: office.alarm(PRESS_HIGH).get("state") == "B", "the alarm stands")
    listed = office.get("/alarms")
    assert occurrence in [a["alarm"] for a in listed["alarms"]] and listed["total"] >= 1
    status, told = office.call("POST", f"/alarms/{occurrence}/acknowledge", {"priority": "high", "comment": "on it"})
    assert (status, told["outcome"]) == (200, "accepted")
    assert "alarm.acknowledged" in told["facts"]
    seen = office.alarm(PRESS_HIGH)
    assert (seen["state"], seen["acknowledged_by"], seen["comment"]) == ("C", "operator-1", "on it")
    lines = office.get(f"/events?cause={told['request']}")
    assert {line["type"] for line in lines} >= {"request.acknowledge_alarm", "alarm.acknowledged"}


def test_a_refusal_has_its_reason_and_is_in_the_log(office: Office) -> None:
    status, told = office.call("POST", f"/alarms/{PRESS_HIGH}/acknowledge")
    assert (status, told["outcome"]) == (409, "refused")
    assert "already acknowledged" in told["reason"]
    (line,) = [one for one in office.get(f"/events?cause={told['request']}") if one["type"] == "request.refused"]
    assert line["facts"]["reason"] == told["reason"] and line["facts"]["by"] == "operator-1"


def test_each_role_may_what_it_may(office: Office) -> None:
    asked = {"reason": "the press stands", "for": "10min"}
    status, told = office.call("POST", f"/alarms/{PRESS_HIGH}/suppress", asked)
    assert status == 409 and "operator may not" in told["reason"]
    assert office.call("POST", f"/alarms/{PRESS_HIGH}/suppress", asked, role="auditor")[0] == 403
    assert office.call("POST", f"/alarms/{PRESS_HIGH}/suppress", asked, role="supervisor")[0] == 200
    assert office.alarm(PRESS_HIGH)["state"] == "H"
    (held,) = [o for o in office.get("/overrides?kind=suppressed") if o["name"] == PRESS_HIGH]
    assert (held["by"], held["reason"]) == ("supervisor-1", "the press stands")
    assert office.call("POST", f"/alarms/{PRESS_HIGH}/unsuppress", {}, role="supervisor")[0] == 200
    assert office.alarm(PRESS_HIGH)["state"] == "B", "it stands: it is announced afresh"


def test_shelving_has_a_limit_that_the_refusal_names(office: Office) -> None:
    status, told = office.call("POST", f"/alarms/{PRESS_HIGH}/shelve", {"reason": "guide", "for": "9h"})
    assert status == 409 and "at most, asked was 9 h" in told["reason"], told
    status, told = office.call("POST", f"/alarms/{PRESS_HIGH}/shelve", {"reason": " ", "for": "10min"})
    assert status == 409 and "reason" in told["reason"]


def test_a_person_at_the_command_line_shelves_and_unshelves(office: Office) -> None:
    done = office.andon("alarm", "shelve", PRESS_HIGH, "--for", "10min", "--reason", "guide", "--by", "anna")
    assert done.returncode == 0, done.stderr
    listed = json.loads(office.andon("alarm", "list", "--json").stdout)
    assert [(o["name"], o["by"], o["kind"]) for o in listed["overrides"]] == [(PRESS_HIGH, "anna", "shelved")]
    assert f"shelved  {PRESS_HIGH} by anna" in office.andon("alarm", "list").stdout
    assert office.andon("alarm", "unshelve", PRESS_HIGH, "--by", "anna").returncode == 0
    refused = office.andon("alarm", "suppress", PRESS_HIGH, "--for", "1h", "--reason", "x", "--by", "anna")
    assert refused.returncode == 1 and "operator may not" in refused.stderr
    unknown = office.andon("alarm", "show", "press_presure")
    assert unknown.returncode == 1 and "no alarm 'press_presure'" in unknown.stderr
    seen = office.andon("alarm", "acknowledge", PRESS_HIGH, "--by", "anna", "--json")
    assert json.loads(seen.stdout)["outcome"] == "accepted", seen.stdout + seen.stderr


def test_an_incident_is_worked_on_until_it_is_closed(office: Office) -> None:
    address = f"/incidents/{office.incident_of(PRESS_HIGH)}"
    assert office.call("POST", f"{address}/assign", {"to": "anna", "comment": "you know the valve"})[0] == 200
    assert office.call("POST", f"{address}/comment", {"text": "relief valve sticks"})[0] == 200
    photo = {"name": "valve.jpg", "ref": "https://files/valve.jpg", "media_type": "image/jpeg"}
    assert office.call("POST", f"{address}/attach", photo)[0] == 200
    last = {"cause": "valve stuck", "action": "replaced", "useful": True}
    status, told = office.call("POST", f"{address}/close", last)
    assert status == 409, "one of its alarms stands"
    office.ends("press_pressure.H", 1)
    eventually(lambda: office.get(address)["incident"]["status"] == "resolved", "the incident is resolved")
    status, told = office.call("POST", f"{address}/close", last)
    assert status == 200, told
    detail = office.get(address)
    assert (detail["incident"]["status"], detail["incident"]["useful"]) == ("closed", True)
    assert [a["state"] for a in detail["alarms"]] == ["A"]
    status, page = office.text(f"{address}/review.md?zone=Europe/Berlin")
    assert status == 200 and page.startswith("# ") and "relief valve sticks" in page
    assert office.text(f"{address}/review.md?zone=Middle/Earth")[0] == 404
    types = [line["type"] for line in detail["timeline"]]
    for one in ("incident.opened", "incident.assigned", "incident.commented", "incident.attached", "incident.closed"):
        assert one in types
    shown = office.andon("incident", "show", "latest")
    assert shown.returncode == 0 and "relief valve sticks" in shown.stdout, shown.stderr
    review = office.andon("incident", "review", "latest", "--zone", "Europe/Berlin")
    assert review.returncode == 0 and "valve stuck" in review.stdout, review.stderr
    assert office.andon("incident", "comment", "latest", "after all", "--by", "ben").returncode == 0
    (listed,) = json.loads(office.andon("incident", "list", "--status", "closed", "--json").stdout)
    assert (listed["status"], listed["closed_by"]) == ("closed", "operator-1")


def test_a_device_in_maintenance_is_locked_out_and_returned(office: Office) -> None:
    asked = {"reason": "new seals", "for": "2h"}
    assert office.call("POST", "/devices/press/out-of-service", asked)[0] == 409
    status, told = office.call("POST", "/devices/press/out-of-service", asked, role="engineer")
    assert status == 200 and "device.locked_out" in told["facts"], told
    assert [d["device"] for d in office.get("/standing")["locked"]] == ["press"]
    status, told = office.call("POST", "/devices/press/return-to-service", {}, role="engineer")
    assert status == 200 and "device.released" in told["facts"], told
    assert office.get("/standing")["locked"] == []


def test_an_acknowledgement_never_touches_a_later_occurrence(office: Office) -> None:
    first = office.holds("press_pressure.H", 2)
    eventually(lambda: office.alarm(PRESS_HIGH).get("alarm") == first, "it stands")
    office.ends("press_pressure.H", 2)
    second = office.holds("press_pressure.H", 3)
    eventually(lambda: office.alarm(PRESS_HIGH).get("alarm") == second, "it came again")
    status, told = office.call("POST", f"/alarms/{first}/acknowledge")
    assert status == 409, told
    assert office.alarm(PRESS_HIGH)["state"] == "B"
    taken = office.andon("incident", "acknowledge", "latest", "--by", "anna")
    assert taken.returncode == 0, taken.stderr
    seen = office.alarm(PRESS_HIGH)
    assert (seen["state"], seen["acknowledged_by"]) == ("C", "anna")


def test_two_areas_are_answered_each_for_itself(office: Office) -> None:
    office.holds("cooling_vibration.H", 1, area="shop/cooling")
    eventually(lambda: office.alarm(COOLING).get("state") == "B", "the alarm of the other area stands")
    status, told = office.call("POST", "/areas/shop/cooling/silence")
    assert status == 200, told
    assert office.alarm(COOLING)["silenced"] and not office.alarm(PRESS_HIGH)["silenced"]
    assert [a["area"] for a in office.get("/alarms?area=shop/cooling")["alarms"]] == ["shop/cooling"]


def test_a_run_is_started_asked_about_answered_and_cancelled(office: Office) -> None:
    status, started = office.call("POST", "/playbooks/inspect/start", {"reason": "drill"})
    assert (status, started["facts"][0]) == (200, "run.started"), started
    (asked,) = office.get("/questions")
    assert (asked["playbook"], asked["text"]) == ("inspect", "Is shop/press safe?")
    assert office.call("POST", f"/questions/{asked['question']}/answer", {"answer": "yes"}, role="auditor")[0] == 403
    status, answered = office.call("POST", "/questions/inspect/answer", {"answer": "yes", "comment": "I looked"})
    assert (status, answered["facts"][0]) == (200, "question.answered"), answered
    assert office.get("/questions") == []
    run = office.get("/runs/inspect")
    assert (run["phase"], run["asked_by"], [s["step"] for s in run["steps"]]) == (
        "running", "operator-1", ["look", "rest"]
    )  # fmt: skip
    assert run["questions"][0]["answers"][0]["comment"] == "I looked"
    assert [r["run"] for r in office.get("/runs?state=going&playbook=inspect")] == [run["run"]]
    shown = office.andon("runs", "show", "inspect")
    assert shown.returncode == 0 and "asked for by operator-1" in shown.stdout
    done = office.andon("runs", "cancel", run["run"][:8], "--reason", "seen enough", "--by", "anna")
    assert done.returncode == 0, done.stderr
    assert office.get(f"/runs/{run['run']}")["outcome"] == "cancelled"
    told = json.loads(office.andon("trace", run["run"], "--json").stdout)
    types = [line["type"] for line in told["happened"]]
    assert types[0] == "request.start_run" and "question.answered" in types and types[-1] == "run.finished"


def test_hands_off_everywhere_is_told_and_nothing_begins_until_a_supervisor_allows_it(office: Office) -> None:
    status, replies = office.call("POST", "/hands-off", {"reason": "smoke"})
    areas = [reply["area"] for reply in replies]
    assert status == 200 and "shop/press" in areas and all(reply["outcome"] == "accepted" for reply in replies)
    assert {one["area"] for one in office.get("/standing")["hands_off"]} == set(areas)
    status, refused = office.call("POST", "/playbooks/inspect/start")
    assert status == 409 and "hands" in refused["reason"], refused
    assert office.call("POST", "/hands-on", {"reason": "clear"})[0] == 409, "an operator may not"
    assert "HANDS OFF" in office.andon("runs", "list").stdout
    assert office.andon("hands-on", "--all", "--reason", "clear", "--role", "supervisor").returncode == 0
    assert office.get("/standing")["hands_off"] == []


def test_nobody_else_is_let_in(office: Office) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", office.instance.api_port, timeout=10)
    connection.request("GET", "/alarms")
    assert connection.getresponse().status == 401
    connection.close()
    assert office.andon("token", "revoke", "auditor-1").returncode == 0
    assert office.call("GET", "/alarms", role="auditor")[0] == 401


def test_every_answer_came_within_the_time_a_person_waits(office: Office) -> None:
    assert office.waited, "the tests above have asked"
    assert statistics.median(office.waited) < 2.0, "or it would have been answered with 202"
