"""A board server over a plant that lives in this process: started by the tests, steered by JSON lines on stdin.

{"do": "raise", "name": "p1", ...} -> one line {"ok": true, ...} on stdout for each line
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from analytics.history import Handover
from analytics.rows import (
    Alarm,
    Answer,
    Behind,
    Feed,
    Happened,
    Incident,
    LostDevice,
    OverrideRow,
    Overview,
    Sample,
    StandingFlood,
    Story,
)
from analytics.run_rows import Command, Notification, Question, Run, Step
from board.main import serve
from board.service import Service
from board.source import SourceError
from desk.seen import PlaybookSeen
from desk.sending import NotSentError
from desk.tokens import Tokens
from devices.plant import load_plant
from events.requests import AcknowledgeAlarm, AcknowledgeIncident, CloseIncident, Request, ShelveAlarm, UnshelveAlarm
from events.types import PRIORITIES, make_id
from tests.browser.scripted_work import ScriptedWork

PLANT = Path(__file__).parents[2] / "examples" / "press-shop"


def now() -> datetime:
    return datetime.now(UTC)


class ScriptedPlant:
    """Source and sender in one: what is acknowledged here is what the page asked for."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        for token in self.tokens.all():
            self.tokens.revoke(token.name)
        self.alarms: dict[UUID, Alarm] = {}
        self.incidents: dict[UUID, Incident] = {}
        self.work = ScriptedWork()
        self.told: dict[UUID, list[Run]] = {}
        self.answers: dict[UUID, Answer] = {}
        self.requests: list[Request] = []
        self.lost: list[LostDevice] = []
        self.overrides: list[OverrideRow] = []
        self.floods: list[StandingFlood] = []
        self.handed: list[Handover] = []
        self.happened: dict[UUID, list[Happened]] = {}
        self.readings_stopped: datetime | None = None
        self.log_stopped: datetime | None = None
        self.feeds = True
        self.broken = ""
        self.kafka_away = False
        self.refuse = ""
        self.mute = False

    # --- BoardSource

    def overview(self) -> Overview:
        with self.lock:
            self._check()
            incidents = sorted(self.incidents.values(), key=lambda i: i.opened_at, reverse=True)
            alarms = [
                a for a in self.alarms.values()
                if (a.active or a.latched or not a.acknowledged) and not (a.hidden or a.held_back)
            ]  # fmt: skip
            hidden = [o.kind for o in self.overrides]
            feed = Feed(source="edge-1:j1", last_time=(self.readings_stopped or now()) - timedelta(milliseconds=200))
            tick = self.log_stopped or now()
            log = Behind(topic="conditions", tick_at=tick, seconds=(now() - tick).total_seconds())
            return Overview(
                read_at=now(), unacknowledged=sum(not a.acknowledged for a in alarms),
                active=sum(a.active for a in alarms), open_incidents=sum(i.status == "open" for i in incidents),
                incidents=tuple(incidents), alarms=tuple(sorted(alarms, key=lambda a: a.raised_at, reverse=True)),
                held_back=sum(a.held_back for a in self.alarms.values()), shelved=hidden.count("shelved"),
                suppressed=hidden.count("suppressed"), out_of_service=hidden.count("out of service"),
                overrides=tuple(self.overrides), floods=tuple(self.floods),
                lost=tuple(self.lost), feeds=(feed,) if self.feeds else (),
                stages=(log,), runs=self.work.going(), questions=self.work.open_questions(),
                hands_off=tuple(self.work.hands_off.values()),
            )  # fmt: skip

    def held_back(self) -> tuple[Alarm, ...]:
        with self.lock:
            self._check()
            return tuple(a for a in self.alarms.values() if a.held_back)

    def question(self, question: UUID) -> Question | None:
        with self.lock:
            self._check()
            return self.work.questions.get(question)

    def run(self, run: UUID) -> Run | None:
        with self.lock:
            self._check()
            return self.work.runs.get(run)

    def runs(self) -> tuple[Run, ...]:
        with self.lock:
            self._check()
            return tuple(self.work.runs.values())

    def playbooks(self) -> tuple[PlaybookSeen, ...]:
        return self.work.books

    def handovers(self) -> tuple[Handover, ...]:
        with self.lock:
            self._check()
            return tuple(self.handed)

    def _check(self) -> None:
        if self.broken:
            raise SourceError(self.broken)

    def alarm(self, alarm: UUID) -> Alarm | None:
        with self.lock:
            self._check()
            return self.alarms.get(alarm)

    def story(self, incident: UUID) -> Story | None:
        with self.lock:
            self._check()
            if incident not in self.incidents:
                return None
            own = sorted((a for a in self.alarms.values() if a.incident == incident), key=lambda a: a.raised_at)
            runs = (*self.told.get(incident, []), *(r for r in self.work.runs.values() if r.incident == incident))
            return Story(
                incident=self.incidents[incident], alarms=tuple(own), runs=runs,
                happened=tuple(self.happened.get(incident, [])),
            )  # fmt: skip

    def trend(self, point: str, since: datetime, until: datetime) -> list[Sample]:
        self._check()
        at = [since + (until - since) * i / 300 for i in range(301)]
        raised = min((a.raised_at for a in self.alarms.values() if a.point == point), default=now())
        height = 196.0 if point == "press.pressure" else 0.3

        def value(t: datetime) -> float:
            s = (t - raised).total_seconds()
            swell = 1 / (1 + math.exp(-(s + 4) / 1.6)) - 0.9 / (1 + math.exp(-(s - 9) / 2.5))
            return height * (1 + 0.36 * swell + 0.012 * math.sin(s / 0.9) + 0.008 * math.sin(s / 0.37))

        return [Sample(t, value(t)) for t in at]

    def answer(self, request: UUID) -> Answer | None:
        return self.answers.get(request)

    # --- Sender

    def send(self, request: Request) -> None:
        with self.lock:
            if self.kafka_away:
                raise NotSentError("Kafka does not answer")
            self.requests.append(request)
            if self.mute:
                return
            if self.refuse:
                self.answers[request.id] = Answer(at=now(), accepted=False, reason=self.refuse)
                return
            self._done(request)
            self.answers[request.id] = Answer(at=now(), accepted=True)

    def _done(self, request: Request) -> None:
        """As the brain would; what needs no answer on the page is only kept in `requests`."""
        match request.body:
            case AcknowledgeAlarm(alarm=alarm, comment=comment):
                self._acknowledge(alarm, request, comment)
            case AcknowledgeIncident(incident=incident, seen=seen, comment=comment):
                for alarm in seen or ():
                    self._acknowledge(alarm, request, comment)
                self._change(incident, acknowledged_at=request.at, acknowledged_by=request.by)
            case CloseIncident(incident=incident, cause=cause, action=action, useful=useful):
                self._change(incident, status="closed", closed_at=request.at, closed_by=request.by, cause=cause,
                             action=action, useful=useful)  # fmt: skip
            case ShelveAlarm(name=name, reason=reason, duration_s=duration_s, one_shot=one_shot):
                until = request.at + timedelta(seconds=duration_s)
                self._hide(name, request.area, by=request.by, reason=reason, until=until, one_shot=one_shot)
            case UnshelveAlarm(name=name):
                self.overrides = [o for o in self.overrides if o.name != name]
                for a in self._named(name):
                    self.alarms[a.alarm] = msgspec.structs.replace(a, hidden="")
            case _:
                self.work.done(request)

    def _change(self, incident: UUID, **fields: Any) -> None:
        self.incidents[incident] = msgspec.structs.replace(self.incidents[incident], **fields)

    def _named(self, name: str) -> list[Alarm]:
        return [a for a in self.alarms.values() if name in (a.name, a.rule)]

    def _hide(
        self, name: str, area: str = "shop/press", *, kind: Any = "shelved", by: str = "Ann Lee", reason: str = "",
        until: datetime | None = None, ago: float = 0.0, **more: Any,
    ) -> None:  # fmt: skip
        own = self._named(name)
        for a in own:
            self.alarms[a.alarm] = msgspec.structs.replace(a, hidden=kind)
        last = own[-1] if own else None
        about: dict[str, Any] = {} if last is None else {
            "alarm": last.alarm, "active": last.active, "priority": last.priority, "message": last.message,
        }  # fmt: skip
        self.overrides.append(OverrideRow(
            area=area, name=name, kind=kind, by=by, reason=reason, since=now() - timedelta(seconds=ago),
            until=until, **(about | more),
        ))  # fmt: skip

    def _acknowledge(self, alarm: UUID, request: Request, comment: str) -> None:
        a = self.alarms[alarm]
        if not a.acknowledged:
            self.alarms[alarm] = msgspec.structs.replace(
                a, acknowledged=True, acknowledged_at=request.at, acknowledged_by=request.by,
                comment=comment,
            )  # fmt: skip

    # --- the test's hand

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            match order.pop("do"):
                case "raise":
                    return self._raise(**order)
                case "clear":
                    a = self.alarms[make_id(order["name"])]
                    self.alarms[a.alarm] = msgspec.structs.replace(a, active=False, cleared_at=now())
                case "reset":
                    self.reset()
                case "requests":
                    return {"requests": [msgspec.to_builtins(r.body) | {"by": r.by} for r in self.requests]}
                case "set":
                    for name, value in order.items():
                        setattr(self, name, value)
                case "stop_readings":
                    self.readings_stopped = now() - timedelta(seconds=order["ago"])
                case "stop_log":
                    self.log_stopped = now() - timedelta(seconds=order["ago"])
                case "lose":
                    device = order["device"]
                    self.lost.append(LostDevice(device=device, area="shop/press", since=now(), reason="timeout"))
                case "run":
                    self._run(**order)
                case "ask" | "go" | "off" | "on" as what:
                    found: dict[str, Any] = getattr(self.work, what)(**order)
                    return found
                case "hide":
                    until = now() + timedelta(seconds=order.pop("seconds")) if "seconds" in order else None
                    self._hide(**order, until=until)
                case "flood":
                    area = order.get("area", "shop/press")
                    self.floods.append(StandingFlood(area=area, scope="area", began_at=now(), alarms=11))
                case "change":
                    self._change(make_id("incident", order.pop("incident")), **_moments(order))
                case "say":
                    self._say(**order)
                case "hand_over":
                    self._hand_over(**order)
                case "token":
                    return {"token": self.tokens.create(order["name"], order["role"], now=now())}
                case "revoke":
                    self.tokens.revoke(order["name"])
                case other:
                    raise ValueError(other)
        return {}

    def _raise(
        self,
        name: str,
        area: str = "shop/press",
        priority: Any = "high",
        message: str = "Hydraulic pressure too high",
        point: str = "press.pressure",
        value: float = 262.37,
        limit: float = 250.0,
        unit: str = "bar",
        ago: float = 0.0,
        incident: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        at = now() - timedelta(seconds=ago)
        incident_id = make_id("incident", incident or name)
        alarm = Alarm(
            alarm=make_id(name), area=area, rule=f"{point.replace('.', '_')}.H", rule_version="v1", kind="limit",
            point=point, priority=priority, message=message, value=value, limit_value=limit, unit=unit, began=at,
            raised_at=at, incident=incident_id, **_moments(more),
        )  # fmt: skip
        self.alarms[alarm.alarm] = alarm
        if incident_id not in self.incidents:
            number = 1 + sum(i.area == area for i in self.incidents.values())
            self.incidents[incident_id] = Incident(
                incident=incident_id, area=area, number=number, title=message, priority=priority, status="open",
                point=point, rule=alarm.rule, alarm=alarm.alarm, opened_at=at, recorded_at=at,
            )  # fmt: skip
        known = self.incidents[incident_id]
        if PRIORITIES.index(priority) > PRIORITIES.index(known.priority):
            self.incidents[incident_id] = msgspec.structs.replace(known, priority=priority)
        return {"alarm": str(alarm.alarm), "incident": str(incident_id)}

    def _say(self, incident: str, type: str, ago: float = 0.0, **facts: Any) -> None:
        id_ = make_id("incident", incident)
        line = self.happened.setdefault(id_, [])
        at = now() - timedelta(seconds=ago)
        line.append(Happened(
            at=at, published_at=at, recorded_at=at, position=len(line), type=type, author="incidents",
            id=make_id(incident, len(line)), cause=id_, facts=facts,
        ))  # fmt: skip

    def _hand_over(self, position: str = "press_operator", ago: float = 0.0, **more: Any) -> None:
        given: dict[str, Any] = {
            "area": "shop/press", "shift": "late", "by": "", "to": "Ben Okoro", "note": "", "open": (), "standing": 0,
            "unacknowledged": 0, "shelved": (), "suppressed": (), "out_of_service": (),
        }  # fmt: skip
        self.handed.insert(0, Handover(at=now() - timedelta(seconds=ago), position=position, **(given | more)))

    def _run(self, incident: str, failed: bool = False) -> None:
        i = self.incidents[make_id("incident", incident)]
        start = i.opened_at + timedelta(milliseconds=60)

        def after(ms: float) -> datetime:
            return start + timedelta(milliseconds=ms)

        wanted = [("press.relief_valve", 1.0), ("press_light.red", 1.0), ("press_light.siren", 1.0)]
        commands = tuple(
            Command(
                command=make_id("c", n), step=f"s{n + 1}", attempt=1, point=point, value=value, issued_at=after(90 * n),
                not_after=after(90 * n + 2000), outcome="failed" if failed and n == 2 else "succeeded",
                reason="no answer within 500 ms" if failed and n == 2 else "", read_back=value,
                confirmed_at=None if failed and n == 2 else after(90 * n + 41),
            )
            for n, (point, value) in enumerate(wanted)
        )  # fmt: skip
        steps = [
            Step(step=f"s{n + 1}", attempt=1, started_at=after(90 * n), due=after(90 * n + 2000),
                 outcome="failed" if failed and n == 2 else "done", finished_at=after(90 * n + 45))
            for n in range(3)
        ]  # fmt: skip
        told: tuple[Notification, ...] = ()
        if not failed:
            told = (Notification(to="shift_lead", text=f"{i.title} on the press", issued_at=after(270), step="s4"),)
            steps.append(Step(step="s4", attempt=1, started_at=after(270), due=after(2270), outcome="done",
                              finished_at=after(271)))  # fmt: skip
        run = Run(
            run=make_id("run", incident), playbook="press_overpressure", version="3fa09c11d2e4",
            title="Relieve the press and call the shift lead", started_at=start,
            outcome="failed" if failed else "completed", finished_at=after(280),
            detail="step s3 failed: no answer within 500 ms" if failed else "", steps=tuple(steps), commands=commands,
            notifications=told,
        )  # fmt: skip
        self.told[i.incident] = [run]


def _moments(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, with seconds ago made times: JSON has none."""
    return {k: now() - timedelta(seconds=v) if k.endswith("_at") else v for k, v in fields.items()}


def main() -> None:
    port, health_port = int(sys.argv[1]), int(sys.argv[2])
    tokens = Tokens(Path(tempfile.mkdtemp(prefix="andon-board-")))
    scripted = ScriptedPlant(tokens)
    plant, _ = load_plant(PLANT)

    def listen() -> None:
        for line in sys.stdin:
            answer = scripted.do(json.loads(line))
            sys.stdout.write("@" + json.dumps({"ok": True} | answer) + "\n")
            sys.stdout.flush()

    threading.Thread(target=listen, daemon=True).start()
    serve(Service(source=scripted, plant=plant, sender=scripted, tokens=tokens), port, health_port)


if __name__ == "__main__":
    main()
