"""The life of alarms and incidents in facts, for the tests of the log: every kind of fact that tells of it."""

from __future__ import annotations

from typing import Any

from events import alarms as a
from events import incidents as i
from events import notifications as n
from events.envelope import Event, Fact
from events.playbooks import LockOutIssued, RunsHandedOn
from events.types import make_id
from tests.contract.stories import PRESS, START, at, event

PRESSURE, VIBRATION, FLOW, HEAT = "press_pressure.high", "press_vibration", "cooling_flow", "oil_temperature"


def occurrence(name: str, number: int = 1) -> Any:
    return make_id("occurrence", name, number)


INCIDENT, OTHER, NOTE = make_id("incident", occurrence(PRESSURE)), make_id("incident", "other"), make_id("note")


def raised(name: str, number: int = 1, **more: Any) -> a.AlarmRaised:
    given: dict[str, Any] = {
        "alarm": occurrence(name, number), "rule": f"{name}.rule", "rule_version": "v1", "kind": "limit",
        "point": "press.pressure", "priority": "high", "message": f"{name} is high", "value": 201.5, "limit": 180.0,
        "unit": "bar", "began": START, "name": name,
    }  # fmt: skip
    return a.AlarmRaised(**(given | more))


def level(name: str, *, holds: bool, priority: Any, own: Any, **more: Any) -> a.AlarmLevelChanged:
    return a.AlarmLevelChanged(
        alarm=occurrence(name), condition=make_id("level", name, own), rule=f"{name}.{own}", rule_version="v1",
        holds=holds, priority=priority, message=f"{name} is {priority}", value=260.0, limit=250.0 if holds else None,
        own_priority=own, own_message=f"{name} is {own}", **more,
    )  # fmt: skip


def cleared(name: str, number: int = 1, **more: Any) -> a.AlarmCleared:
    return a.AlarmCleared(alarm=occurrence(name, number), value=90.0, **more)


def acknowledged(name: str, number: int = 1, by: str = "anna") -> a.AlarmAcknowledged:
    return a.AlarmAcknowledged(alarm=occurrence(name, number), by=by, comment="on my way")


def shelved(name: str, *, until: float = 3600.0, one_shot: bool = False) -> a.AlarmShelved:
    return a.AlarmShelved(name=name, by="anna", reason="guide is replaced", until=at(until), one_shot=one_shot)


def unshelved(name: str) -> a.AlarmUnshelved:
    return a.AlarmUnshelved(name=name, by="", reason="its time is over")


def reannounced(name: str, number: int = 1, times: int = 1) -> a.AlarmReannounced:
    return a.AlarmReannounced(alarm=occurrence(name, number), times=times, reason="no longer shelved")


def opened(*, candidate: bool = False) -> i.IncidentOpened:
    return i.IncidentOpened(
        incident=INCIDENT, number=17, title="Pressure", priority="high", alarm=occurrence(PRESSURE),
        rule="press_pressure.H", point="press.pressure", candidate=candidate, name=PRESSURE,
    )  # fmt: skip


def grouped(name: str, reason: str = "same device press") -> i.AlarmGrouped:
    return i.AlarmGrouped(incident=INCIDENT, alarm=occurrence(name), rule=name, reason=reason, name=name)


def closed(*, useful: bool | None = True) -> i.IncidentClosed:
    return i.IncidentClosed(incident=INCIDENT, by="anna", cause="regulator stuck", action="replaced", useful=useful)


def handed_over() -> i.ShiftHandedOver:
    return i.ShiftHandedOver(
        position="press_operator", shift="night", by="", to="omar", note="watch the valve", open=(INCIDENT,),
        standing=2, unacknowledged=1, shelved=(VIBRATION,), suppressed=(FLOW,), out_of_service=(HEAT,),
    )  # fmt: skip


def told(**more: Any) -> n.NotificationIssued:
    given: dict[str, Any] = {"notification": NOTE, "to": "shift_lead", "text": "press 17", "priority": "high"}
    given |= {"incident": INCIDENT, "kind": "escalation", "persons": ("anna", "omar")}
    return n.NotificationIssued(**(given | more))


def facts() -> list[Fact]:
    """A shift, in which each kind of fact happens at least once."""
    out = a.AlarmTakenOutOfService(name=HEAT, by="eva", reason="pump", until=at(9000), device="cooler")
    return [
        a.ConditionNoted(condition=make_id("stopped"), rule="press_stopped", kind="suppression", holds=True),
        a.AlarmSuppressed(name=FLOW, cause="while press_stopped", reason="the press stands"),
        raised(PRESSURE, first_out=True, group="hydraulics", late=True),
        a.AlarmBecameLive(alarm=occurrence(PRESSURE)), opened(candidate=True),
        raised(VIBRATION), grouped(VIBRATION),
        i.IncidentConfirmed(incident=INCIDENT, by="", reason="2 alarms"),
        i.IncidentPriorityChanged(incident=INCIDENT, priority="critical", by="anna", reason="people nearby"),
        a.AlarmsHeard(source="relay:0", sequence=7, alarms=()),
        i.EscalationStepped(incident=INCIDENT, policy="press", step=0, round=1, to=(), next_at=at(300)),
        i.EscalationStepped(incident=INCIDENT, policy="press", step=1, round=1, to=("shift_lead",), next_at=at(600)),
        told(), n.NotificationFailed(notification=NOTE, person="anna", channel="mail", attempt=1, reason="away",
                                     final=False),
        n.NotificationDelivered(notification=NOTE, person="anna", channel="mail", attempt=2),
        n.NotificationFailed(notification=NOTE, person="omar", channel="pager", attempt=5, reason="gone", final=True),
        n.NotificationWithdrawn(notification=make_id("digest"), reason="shelved"),
        i.IncidentAcknowledged(incident=INCIDENT, by="anna"), acknowledged(PRESSURE),
        i.EscalationEnded(incident=INCIDENT, policy="press", reason="acknowledged by anna"),
        i.IncidentAssigned(incident=INCIDENT, to="omar", by="anna", comment="knows the valve"),
        i.IncidentCommented(incident=INCIDENT, by="omar", text="valve is stuck"),
        i.IncidentAttached(incident=INCIDENT, by="omar", name="valve.jpg", ref="photos/valve.jpg"),
        level(PRESSURE, holds=True, priority="critical", own="critical", again=True),
        a.AlarmSilenced(alarm=occurrence(PRESSURE), by="omar"),
        level(PRESSURE, holds=False, priority="high", own="critical"),
        shelved(VIBRATION), raised(FLOW, hidden="suppressed"), out,
        a.DeviceLockedOut(device="cooler", by="eva", reason="pump", until=at(9000)),
        a.AlarmChattering(name=VIBRATION, times=3, within_s=60.0),
        a.FloodBegan(scope="area", alarms=11, first_out=occurrence(PRESSURE)),
        a.AlarmHeldBack(alarm=occurrence(VIBRATION), reason="follows from press_pressure.high", behind=PRESSURE),
        a.AlarmStale(alarm=occurrence(VIBRATION), since=at(0)), handed_over(),
        a.AlarmReleased(alarm=occurrence(VIBRATION), reason="the flood is over"),
        a.FloodEnded(scope="area", since=at(0), alarms=20, held_back=3, peak=12),
        a.AlarmSettled(name=VIBRATION), unshelved(VIBRATION), reannounced(VIBRATION),
        cleared(VIBRATION, ringback=True), raised(VIBRATION, 2, replaces=occurrence(VIBRATION)),
        cleared(VIBRATION, 2, fleeting=True), acknowledged(VIBRATION, 2, by=""),
        cleared(PRESSURE, latched=True), acknowledged(PRESSURE), a.AlarmReset(alarm=occurrence(PRESSURE), by="anna"),
        a.AlarmUnsuppressed(name=FLOW, cause="while press_stopped", reason="the press runs"),
        a.AlarmReturnedToService(name=HEAT, by="eva", reason="done"),
        a.DeviceReleased(device="cooler", by="eva", reason="done"),
        i.IncidentResolved(incident=INCIDENT),
        i.IncidentReopened(incident=INCIDENT, opening=2, by="", reason="it came again", alarm=occurrence(VIBRATION)),
        i.IncidentMerged(incident=OTHER, into=INCIDENT, by="anna", reason="the same valve"), closed(useful=False),
        RunsHandedOn(incident=INCIDENT, to=None, playbooks=("relieve",), why="resolved"),
        LockOutIssued(edge="edge-1", device="cooler", reason=""),
    ]  # fmt: skip


def told_in_order(*said: Fact, area: str = PRESS, since: float = 0.0) -> list[Event]:
    """These facts as events, a second apart."""
    return [event(fact, since + k, area=area, index=k, cause=make_id("cause", area, since, k)) for k, fact in
            enumerate(said)]  # fmt: skip


def life(area: str = PRESS) -> list[Event]:
    return told_in_order(*facts(), area=area)
