"""What the log says stands, is hidden and was: told fact by fact, as an operator would ask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count

import pytest
from rich.console import Console
from sqlalchemy import Connection, Engine

from analytics import history, live, standing
from analytics.cli import show
from analytics.rows import Alarm, Incident
from analytics.trace import trace
from eventlog.entry import entry_of_request
from eventlog.log import Batch, SourceSeen
from eventlog.migrate import upgrade
from eventlog.timescale import TimescaleLog
from events import alarms as a
from events import incidents as i
from events import notifications as n
from events.envelope import Fact
from events.requests import Request, RequestBody, RequestRefused, ShelveAlarm
from events.types import make_id
from tests.contract.lives import (
    FLOW,
    HEAT,
    INCIDENT,
    NOTE,
    OTHER,
    PRESSURE,
    VIBRATION,
    acknowledged,
    cleared,
    closed,
    grouped,
    handed_over,
    level,
    occurrence,
    opened,
    raised,
    reannounced,
    shelved,
    told,
    told_in_order,
    unshelved,
)
from tests.contract.stories import at, entries, event
from tests.contract.test_log import EMPTY

pytestmark = pytest.mark.integration
AREA = "shop/press"


class Plant:
    """Facts in, answers out."""

    def __init__(self, log: TimescaleLog, engine: Engine) -> None:
        self.log, self.engine, self._seconds = log, engine, count(0, 100)

    def say(self, *facts: Fact, area: str = AREA) -> None:
        self.log.append(Batch(entries=entries(told_in_order(*facts, area=area, since=next(self._seconds)))))

    def ask(self, body: RequestBody, *, refused: str = "") -> None:
        at_ = at(next(self._seconds))
        id_ = make_id("request", at_)
        asked = Request(id=id_, area=AREA, at=at_, by="anna", role="operator", expires=at(10**6), body=body)
        no = [event(RequestRefused(request=id_, by="anna", reason=refused), area=AREA, cause=id_)] if refused else []
        self.log.append(Batch(entries=[entry_of_request(asked), *entries(no)]))

    def alarm(self, name: str, number: int = 1) -> Alarm:
        with self.engine.connect() as db:
            found = standing.alarm(db, occurrence(name, number))
        assert found is not None
        return found

    def state(self, name: str, number: int = 1) -> str:
        return self.alarm(name, number).state

    def listed(self, view: standing.View = "shown") -> list[str]:
        with self.engine.connect() as db:
            return [alarm.name for alarm in standing.alarms(db, view=view).alarms]

    def incident(self) -> Incident:
        with self.engine.connect() as db:
            found = live.incident(db, INCIDENT)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def log(database: str) -> Iterator[TimescaleLog]:
    upgrade(database)
    log = TimescaleLog(database)
    yield log
    log.close()


@pytest.fixture(scope="module")
def engine(database: str) -> Iterator[Engine]:
    engine = live.reader(database)
    yield engine
    engine.dispose()


@pytest.fixture
def plant(log: TimescaleLog, engine: Engine) -> Plant:
    with log.connection.transaction():
        log.connection.execute(EMPTY)
    return Plant(log, engine)


@pytest.fixture
def db(plant: Plant) -> Iterator[Connection]:
    """Of one moment: ask it after the last `say`."""
    with plant.engine.connect() as db:
        yield db


# --- states ----------------------------------------------------------------------------------------------------------


def test_acknowledged_then_gone(plant: Plant) -> None:
    plant.say(raised(PRESSURE))
    assert plant.state(PRESSURE) == "B" and plant.alarm(PRESSURE).sounds
    plant.say(acknowledged(PRESSURE))
    assert plant.state(PRESSURE) == "C" and not plant.alarm(PRESSURE).sounds
    plant.say(cleared(PRESSURE))
    assert plant.state(PRESSURE) == "A" and plant.listed() == []


def test_gone_before_anybody_looked_it_waits(plant: Plant) -> None:
    plant.say(raised(PRESSURE), cleared(PRESSURE, fleeting=True))
    assert plant.state(PRESSURE) == "D" and plant.listed() == [PRESSURE]
    assert plant.alarm(PRESSURE).fleeting


def test_latched_until_it_is_reset(plant: Plant) -> None:
    plant.say(raised(PRESSURE), cleared(PRESSURE, latched=True))
    assert plant.state(PRESSURE) == "E"
    plant.say(acknowledged(PRESSURE))
    assert plant.state(PRESSURE) == "F" and plant.listed() == [PRESSURE], "it needs a hand, so it is listed"
    plant.say(a.AlarmReset(alarm=occurrence(PRESSURE), by="anna"))
    assert plant.state(PRESSURE) == "A" and plant.listed() == []


def test_ringback_wants_the_return_acknowledged(plant: Plant) -> None:
    plant.say(raised(PRESSURE), acknowledged(PRESSURE), cleared(PRESSURE, ringback=True))
    assert plant.state(PRESSURE) == "D"
    assert plant.alarm(PRESSURE).acknowledged_by is None, "who acknowledged it before is history"


def test_a_ladder_is_one_alarm_that_rises_and_sinks(plant: Plant) -> None:
    plant.say(raised(PRESSURE), acknowledged(PRESSURE))
    plant.say(level(PRESSURE, holds=True, priority="critical", own="critical", again=True))
    risen = plant.alarm(PRESSURE)
    assert (risen.state, risen.priority, risen.limit_value) == ("B", "critical", 250.0)
    plant.say(acknowledged(PRESSURE), level(PRESSURE, holds=False, priority="high", own="critical"))
    sunk = plant.alarm(PRESSURE)
    assert (sunk.state, sunk.priority, sunk.limit_value) == ("C", "high", None)
    assert plant.listed() == [PRESSURE]


def test_a_lower_level_that_joins_does_not_change_what_is_shown(plant: Plant) -> None:
    plant.say(raised(PRESSURE, priority="critical", limit=250.0, message="far too high"))
    plant.say(level(PRESSURE, holds=True, priority="critical", own="high"))
    assert plant.alarm(PRESSURE).limit_value == 250.0


def test_a_new_firing_is_not_swallowed_by_one_that_nobody_saw(plant: Plant) -> None:
    plant.say(raised(PRESSURE), cleared(PRESSURE), raised(PRESSURE, 2, replaces=occurrence(PRESSURE)))
    assert (plant.state(PRESSURE), plant.state(PRESSURE, 2)) == ("A", "B")
    assert plant.listed() == [PRESSURE], "one line: the new one"
    assert plant.alarm(PRESSURE).replaced_by == occurrence(PRESSURE, 2)


def test_silence_ends_with_the_next_announcement(plant: Plant) -> None:
    plant.say(raised(PRESSURE), a.AlarmSilenced(alarm=occurrence(PRESSURE), by="anna"))
    assert plant.state(PRESSURE) == "B" and not plant.alarm(PRESSURE).sounds
    plant.say(reannounced(PRESSURE))
    assert plant.alarm(PRESSURE).sounds


# --- overrides -------------------------------------------------------------------------------------------------------


def test_shelved_it_is_not_in_the_list_but_everybody_sees_that_it_is_shelved(plant: Plant, db: Connection) -> None:
    plant.say(raised(VIBRATION), shelved(VIBRATION))
    assert (plant.state(VIBRATION), plant.listed(), plant.listed("hidden")) == ("G", [], [VIBRATION])
    (one,) = standing.overrides(db)
    assert (one.name, one.kind, one.by, one.reason) == (VIBRATION, "shelved", "anna", "guide is replaced")
    assert (one.until, one.active, one.alarm) == (at(3600), True, occurrence(VIBRATION))
    counted = standing.counts(db)
    assert (counted.shelved, counted.active, counted.unacknowledged, counted.sounding) == (1, 0, 0, 0)


def test_when_the_shelf_ends_what_stands_is_announced_afresh(plant: Plant) -> None:
    plant.say(raised(VIBRATION), acknowledged(VIBRATION), shelved(VIBRATION), unshelved(VIBRATION))
    plant.say(reannounced(VIBRATION))
    assert (plant.state(VIBRATION), plant.listed(), plant.alarm(VIBRATION).times) == ("B", [VIBRATION], 1)
    plant.say(cleared(VIBRATION))
    assert plant.state(VIBRATION) == "D", "after the shelf an alarm is an alarm again"


@pytest.mark.parametrize("when", ["before the shelf", "under the shelf", "raised under it"])
def test_when_the_shelf_ends_there_is_no_burst_of_what_is_gone(plant: Plant, when: str) -> None:
    order: dict[str, tuple[Fact, ...]] = {
        "before the shelf": (raised(VIBRATION), cleared(VIBRATION), shelved(VIBRATION)),
        "under the shelf": (raised(VIBRATION), shelved(VIBRATION), cleared(VIBRATION)),
        "raised under it": (shelved(VIBRATION), raised(VIBRATION, hidden="shelved"), cleared(VIBRATION)),
    }
    plant.say(*order[when])
    assert plant.state(VIBRATION) == "G" and plant.listed() == plant.listed("all") == []
    plant.say(unshelved(VIBRATION))
    assert plant.state(VIBRATION) == "A" and plant.listed() == [] and plant.listed("hidden") == []


def test_the_order_of_the_log_counts_not_the_times_of_samples(plant: Plant) -> None:
    plant.say(raised(VIBRATION), shelved(VIBRATION), unshelved(VIBRATION), reannounced(VIBRATION))
    late = event(cleared(VIBRATION), 2.5, area=AREA)  # the sample is from before the tick that ended the shelf
    plant.log.append(Batch(entries=entries([late])))
    assert plant.state(VIBRATION) == "D" and plant.listed() == [VIBRATION], "an alarm must not get lost in between"


def test_a_latched_alarm_keeps_its_latch_under_the_shelf(plant: Plant) -> None:
    plant.say(raised(VIBRATION), cleared(VIBRATION, latched=True), shelved(VIBRATION), unshelved(VIBRATION))
    assert plant.state(VIBRATION) == "E" and plant.listed() == [VIBRATION]


def test_out_of_service_comes_before_suppressed_and_each_cause_has_its_line(plant: Plant, db: Connection) -> None:
    out = a.AlarmTakenOutOfService(name=FLOW, by="eva", reason="pump", until=at(9000), device="cooler")
    plant.say(
        raised(FLOW), shelved(FLOW), a.AlarmSuppressed(name=FLOW, cause="while press_stopped"),
        a.AlarmSuppressed(name=FLOW, cause="alarm pump_trip"), out,
    )  # fmt: skip
    assert plant.state(FLOW) == "I"
    assert sorted((o.kind, o.cause, o.device) for o in standing.overrides(db)) == [
        ("out of service", "", "cooler"), ("shelved", "", ""), ("suppressed", "alarm pump_trip", ""),
        ("suppressed", "while press_stopped", ""),
    ]  # fmt: skip
    counted = standing.counts(db)
    assert (counted.out_of_service, counted.suppressed, counted.shelved) == (1, 0, 0), "it is counted once"
    plant.say(a.AlarmReturnedToService(name=FLOW, by="eva", reason="done"))
    plant.say(a.AlarmUnsuppressed(name=FLOW, cause="alarm pump_trip"))
    assert plant.state(FLOW) == "H", "one cause still holds"
    plant.say(a.AlarmUnsuppressed(name=FLOW, cause="while press_stopped"))
    assert plant.state(FLOW) == "G"
    plant.say(unshelved(FLOW), reannounced(FLOW))
    assert plant.state(FLOW) == "B"


def test_an_alarm_that_is_shelved_while_normal_is_listed_as_shelved(plant: Plant, db: Connection) -> None:
    plant.say(shelved(HEAT, one_shot=True))
    (one,) = standing.overrides(db, kind="shelved", area="shop")
    assert (one.name, one.alarm, one.active, one.one_shot) == (HEAT, None, False, True)
    assert standing.overrides(db, kind="suppressed") == [] and standing.overrides(db, area="other") == []


def test_the_same_name_in_another_area_is_another_alarm(plant: Plant, db: Connection) -> None:
    plant.say(raised(VIBRATION))
    plant.say(shelved(VIBRATION), area="shop/cooling")
    assert plant.state(VIBRATION) == "B"
    assert [o.area for o in standing.overrides(db)] == ["shop/cooling"]


def test_who_shelved_what_is_kept_when_it_is_over(plant: Plant, db: Connection) -> None:
    plant.say(shelved(VIBRATION), unshelved(VIBRATION), shelved(HEAT))
    assert [(h.type, h.facts["name"]) for h in history.overrides(db, name=VIBRATION)] == [
        ("alarm.unshelved", VIBRATION), ("alarm.shelved", VIBRATION),
    ]  # fmt: skip
    assert len(history.overrides(db, area="shop")) == 3


def test_an_alarm_is_found_by_its_name(plant: Plant, db: Connection) -> None:
    plant.say(raised(PRESSURE), cleared(PRESSURE), raised(PRESSURE, 2, replaces=occurrence(PRESSURE)))
    (found,) = standing.named(db, PRESSURE)
    assert found.alarm == occurrence(PRESSURE, 2)
    assert standing.named(db, "unknown") == []
    was = history.alarms(db, name=PRESSURE)
    assert (was.total, [alarm.state for alarm in was.alarms]) == (2, ["B", "A"])
    assert history.alarms(db, name=PRESSURE, limit=1).total == 2
    assert history.alarms(db, until=at(0)).total == 0


# --- floods and nuisances --------------------------------------------------------------------------------------------


def test_in_a_flood_what_is_held_back_is_listed_apart(plant: Plant, db: Connection) -> None:
    behind = a.AlarmHeldBack(alarm=occurrence(FLOW), reason="follows from pump_trip", behind="pump_trip")
    plant.say(a.FloodBegan(scope="area", alarms=11, first_out=occurrence(PRESSURE)))
    plant.say(raised(PRESSURE), raised(FLOW), behind)
    assert (plant.listed(), plant.listed("held back")) == ([PRESSURE], [FLOW])
    assert sorted(plant.listed("all")) == [FLOW, PRESSURE]
    assert plant.state(FLOW) == "B" and not plant.alarm(FLOW).sounds, "its state is what it was, its horn is off"
    seen = live.overview(db)
    assert (seen.held_back, seen.active, seen.unacknowledged, seen.sounding) == (1, 1, 1, 1)
    (flood,) = seen.floods
    assert (flood.scope, flood.alarms, flood.first_out) == ("area", 11, occurrence(PRESSURE))


def test_after_the_flood_it_is_shown_and_the_flood_is_history(plant: Plant, db: Connection) -> None:
    plant.say(a.FloodBegan(scope="area", alarms=11), raised(FLOW))
    plant.say(a.AlarmHeldBack(alarm=occurrence(FLOW), reason="follows", behind="x"))
    plant.say(a.AlarmReleased(alarm=occurrence(FLOW), reason="the flood is over"))
    plant.say(a.FloodEnded(scope="area", since=at(0), alarms=20, held_back=3, peak=12))
    assert plant.listed() == [FLOW] and standing.floods(db) == []
    (was,) = history.floods(db)
    assert (was.alarms, was.held_back, was.peak, was.since) == (20, 3, 12, at(0)) and was.ended_at > was.since


def test_what_chatters_and_who_is_locked_out(plant: Plant, db: Connection) -> None:
    plant.say(raised(VIBRATION), a.AlarmChattering(name=VIBRATION, times=4, within_s=60.0))
    plant.say(a.DeviceLockedOut(device="cooler", by="eva", reason="pump", until=at(9000)))
    seen = live.overview(db)
    assert [(c.name, c.times) for c in seen.chattering] == [(VIBRATION, 4)] and plant.alarm(VIBRATION).chattering
    assert [(d.device, d.locked_by, d.locked_until) for d in seen.locked] == [("cooler", "eva", at(9000))]


def test_what_has_settled_and_was_released_is_not_listed(plant: Plant, db: Connection) -> None:
    plant.say(a.AlarmChattering(name=VIBRATION, times=4, within_s=60.0), a.AlarmSettled(name=VIBRATION))
    plant.say(a.DeviceLockedOut(device="cooler", by="eva", reason="pump", until=at(9000)))
    plant.say(a.DeviceReleased(device="cooler", by="eva", reason="done"))
    assert standing.chattering(db) == [] and standing.locked(db) == []


# --- incidents -------------------------------------------------------------------------------------------------------


def test_a_candidate_becomes_an_incident_and_comes_back_as_one(plant: Plant) -> None:
    plant.say(raised(PRESSURE), opened(candidate=True))
    assert plant.incident().status == "candidate" and plant.incident().is_open
    plant.say(i.IncidentResolved(incident=INCIDENT))
    again = i.IncidentReopened(incident=INCIDENT, opening=2, by="", reason="again", alarm=occurrence(PRESSURE, 2))
    plant.say(again)
    assert (plant.incident().status, plant.incident().openings) == ("candidate", 2), "nobody has confirmed it yet"
    plant.say(i.IncidentConfirmed(incident=INCIDENT, by="anna", reason="seen it"))
    assert (plant.incident().status, plant.incident().confirmed_by) == ("open", "anna")


def test_who_works_on_it_and_what_came_of_it(plant: Plant, db: Connection) -> None:
    plant.say(raised(PRESSURE), opened(), raised(VIBRATION), grouped(VIBRATION))
    plant.say(i.IncidentAssigned(incident=INCIDENT, to="omar", by="anna"))
    (listed,) = live.incidents(db, assigned_to="omar")
    assert (listed.status, listed.assigned_to, listed.alarm_count, listed.standing) == ("open", "omar", 2, 2)
    plant.say(acknowledged(PRESSURE), cleared(PRESSURE), cleared(VIBRATION), acknowledged(VIBRATION))
    plant.say(i.IncidentResolved(incident=INCIDENT), closed())
    done = plant.incident()
    assert (done.status, done.closed_by, done.cause, done.useful) == ("closed", "anna", "regulator stuck", True)


def test_a_trace_says_who_had_it_whom_it_called_and_what_it_was(plant: Plant, db: Connection) -> None:
    plant.say(raised(PRESSURE), opened(), i.IncidentAssigned(incident=INCIDENT, to="omar", by="anna"))
    plant.say(i.EscalationStepped(incident=INCIDENT, policy="press", step=1, round=1, to=("lead",), next_at=None))
    plant.say(i.EscalationEnded(incident=INCIDENT, policy="press", reason="assigned to omar"))
    plant.say(i.IncidentCommented(incident=INCIDENT, by="omar", text="valve is stuck"), closed(useful=False))
    (found,) = live.find_incidents(db, "press 17")
    page = io.StringIO()
    show(trace(db, found), Console(file=page, width=150, color_system=None))
    for wanted in (
        "assigned to omar", "escalation press called lead last, ended: assigned to omar", "omar: valve is stuck",
        "closed by anna. Cause: regulator stuck. Action: replaced, the alarm was a nuisance",
    ):  # fmt: skip
        assert wanted in page.getvalue()


def test_open_ones_are_listed_and_others_when_asked_for(plant: Plant, db: Connection) -> None:
    plant.say(raised(PRESSURE), opened(candidate=True))
    plant.say(i.IncidentOpened(incident=OTHER, number=18, title="x", priority="low", alarm=occurrence(FLOW),
                               rule="r", point="p"))  # fmt: skip
    plant.say(i.IncidentMerged(incident=OTHER, into=INCIDENT, by="anna", reason="same"))
    assert [(one.number, one.status) for one in live.incidents(db)] == [(17, "candidate")]
    assert live.incidents(db, status=["open"]) == []
    (merged,) = live.incidents(db, status=["merged"])
    assert merged.merged_into == INCIDENT
    assert live.overview(db).open_incidents == 1


def test_an_escalation_shows_whom_it_called_and_when_it_ended(plant: Plant) -> None:
    plant.say(raised(PRESSURE), opened())
    stepped = i.EscalationStepped(incident=INCIDENT, policy="press", step=2, round=1, to=("boss",), next_at=at(900))
    plant.say(stepped)
    called = plant.incident()
    assert (called.step, called.escalated_to, called.next_call_at) == (2, ("boss",), at(900))
    plant.say(i.EscalationEnded(incident=INCIDENT, policy="press", reason="acknowledged by anna"))
    ended = plant.incident()
    assert (ended.next_call_at, ended.escalation_ended) == (None, "acknowledged by anna")


def test_the_story_of_an_incident_has_its_words_calls_and_overrides(plant: Plant, db: Connection) -> None:
    shelve = ShelveAlarm(name=VIBRATION, reason="noise", duration_s=99999.0)
    plant.say(raised(HEAT), shelved(VIBRATION))
    plant.say(raised(PRESSURE), opened(), raised(VIBRATION), grouped(VIBRATION), told())
    plant.say(n.NotificationFailed(notification=NOTE, person="anna", channel="mail", attempt=1, reason="away",
                                   final=False))  # fmt: skip
    plant.say(n.NotificationDelivered(notification=NOTE, person="anna", channel="mail", attempt=2))
    plant.say(n.NotificationFailed(notification=NOTE, person="omar", channel="pager", attempt=5, reason="gone",
                                   final=True))  # fmt: skip
    plant.say(i.IncidentCommented(incident=INCIDENT, by="omar", text="valve is stuck"))
    plant.ask(shelve, refused="an operator may shelve for 1 h")
    plant.say(shelved(VIBRATION))
    story = live.story(db, INCIDENT)
    assert story is not None
    assert [alarm.name for alarm in story.alarms] == [PRESSURE, VIBRATION]
    (call,) = story.notifications
    assert [(d.person, d.channel, d.outcome, d.attempt) for d in call.deliveries] == [
        ("anna", "mail", "delivered", 2), ("omar", "pager", "failed", 5),
    ]  # fmt: skip
    types = [h.type for h in story.happened]
    assert types.count("alarm.shelved") == 1, "the shelf before it opened is not part of it"
    for wanted in ("incident.commented", "notification.delivered", "request.shelve_alarm", "request.refused"):
        assert wanted in types
    assert HEAT not in {h.facts.get("name") for h in story.happened}
    assert [h.at for h in story.happened] == sorted(h.at for h in story.happened)


def test_votes_of_those_who_closed_make_a_nuisance(plant: Plant, db: Connection) -> None:
    plant.say(raised(PRESSURE), opened(), raised(VIBRATION), grouped(VIBRATION), closed(useful=False))
    assert [(v.name, v.useless, v.useful) for v in history.nuisances(db)] == [(PRESSURE, 1, 0), (VIBRATION, 1, 0)]
    assert history.nuisances(db, area="other") == []


def test_what_was_read_out_at_the_handover_can_be_proved(plant: Plant, db: Connection) -> None:
    plant.say(handed_over())
    (given,) = history.handovers(db, position="press_operator")
    assert (given.to, given.open, given.shelved, given.suppressed) == ("omar", (INCIDENT,), (VIBRATION,), (FLOW,))
    assert given.out_of_service == (HEAT,) and history.handovers(db, position="nobody") == []


def test_what_is_relayed_to_the_plant_is_no_source_of_readings(plant: Plant, db: Connection) -> None:
    seen = {s: SourceSeen(sequence=1, time=at(1)) for s in ("relay:0", "edge-1:j")}
    plant.log.append(Batch(sources=seen))
    assert [f.source for f in live.overview(db).feeds] == ["edge-1:j"]
