"""Rules across areas, on the alarms of all of them, and floods of operator positions."""

from __future__ import annotations

from uuid import UUID

from events.alarms import (
    AlarmBecameLive,
    AlarmCleared,
    AlarmHeard,
    AlarmRaised,
    AlarmReannounced,
    AlarmsHeard,
    AlarmShelved,
    AlarmSuppressed,
    AlarmTakenOutOfService,
    AlarmUnshelved,
    AlarmUnsuppressed,
    FloodBegan,
    FloodEnded,
)
from events.envelope import Configure, Event, Fact, Reported
from events.requests import AcknowledgeAlarm
from events.topics import PLANT_WIDE
from events.types import make_id
from incidents.definition import Across, Definition, Flood, Position
from tests.unit.incidents.plant import COOLING, PRESS
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import Shift, kinds

DARK = Across(
    rule="dark", of=("*_no_data",), at_least=2, for_s=10.0, priority="critical", message="Look at the network",
    version="v7",
)  # fmt: skip
LEAD = Position(position="lead", areas=("shop/*",), flood=Flood(above=10, below=5, window_s=600))


def id_of(name: str, n: int = 1) -> UUID:
    return make_id(name, n)


def raised(name: str, n: int = 1, *, hidden: str = "", late: bool = False) -> AlarmRaised:
    return AlarmRaised(
        alarm=id_of(name, n), rule=f"{name}.H", rule_version="v", kind="no_data", point="", priority="low", message="m",
        value=None, limit=None, unit="", began=at(0), name=name, hidden=hidden, late=late,
    )  # fmt: skip


def cleared(name: str, n: int = 1) -> AlarmCleared:
    return AlarmCleared(alarm=id_of(name, n), value=None)


class Plantwide(Shift):
    """What the relay tells, in order."""

    def __init__(self, *across: Across, positions: tuple[Position, ...] = ()) -> None:
        super().__init__(across=across, positions=positions)
        self.offset = 0

    def told(self, when: float, *facts: Fact, area: str = PRESS, offset: int | None = None) -> list[Fact]:
        self.offset = self.offset + 1 if offset is None else offset
        events = tuple(Event(make_id(self.offset, i), at(when), area, make_id("x"), "incidents", f)
                       for i, f in enumerate(facts))  # fmt: skip
        return self.give(Reported("relay:0", self.offset, events))

    def alarm(self) -> AlarmRaised:
        return next(e.fact for e in reversed(self.log) if isinstance(e.fact, AlarmRaised) and e.area == PLANT_WIDE)

    def state(self) -> str:
        alarm = self.brain.areas[PLANT_WIDE].alarms.get("dark")
        return "A" if alarm is None else alarm.state


def test_rule_across_areas_raises_an_alarm_when_enough_have_been_active_for_its_time() -> None:
    plant = Plantwide(DARK)
    assert kinds(plant.told(1, raised("press_no_data"))) == ["AlarmsHeard"]
    assert kinds(plant.told(5, raised("cooling_no_data"), area=COOLING)) == ["AlarmsHeard"]
    assert plant.tick(14) == []
    assert kinds(plant.tick(15)) == ["AlarmRaised", "IncidentOpened"]
    alarm = plant.alarm()
    assert (alarm.rule, alarm.rule_version, alarm.priority, alarm.value, alarm.limit, alarm.unit) == (
        "dark", "v7", "critical", 2.0, 2.0, "alarms",
    )  # fmt: skip
    assert alarm.message == "Look at the network" and alarm.began == at(5)
    assert plant.log[-1].area == PLANT_WIDE
    assert plant.tick(16) == [] and plant.tick(1000) == []


def test_it_clears_when_too_few_are_left_and_takes_an_acknowledgement_as_any_alarm() -> None:
    plant = Plantwide(DARK)
    plant.told(1, raised("press_no_data"), raised("cooling_no_data"))
    plant.tick(11)
    assert kinds(plant.told(20, cleared("press_no_data"))) == ["AlarmsHeard", "AlarmCleared"]
    assert plant.state() == "D"
    plant.ask(AcknowledgeAlarm(alarm=plant.alarm().alarm), 21, area=PLANT_WIDE)
    assert plant.state() == "A"


def test_time_counts_from_when_enough_are_active_without_a_break() -> None:
    plant = Plantwide(DARK)
    plant.told(1, raised("press_no_data"), raised("cooling_no_data"))
    plant.told(8, cleared("press_no_data"))
    plant.told(9, raised("press_no_data", 2))
    assert plant.tick(18) == []
    assert kinds(plant.tick(19))[0] == "AlarmRaised"


def test_it_comes_again_as_an_occurrence_of_its_own() -> None:
    plant = Plantwide(DARK)
    for n in (1, 2):
        plant.told(100 * n, raised("press_no_data", n), raised("cooling_no_data", n))
        plant.tick(100 * n + 10)
        plant.told(100 * n + 20, cleared("press_no_data", n), cleared("cooling_no_data", n))
    alarms = [f.alarm for f in plant.all(AlarmRaised)]
    assert len(alarms) == len(set(alarms)) == 2


def test_rule_that_breaks_and_holds_within_one_moment_is_not_swallowed() -> None:
    at_once = Across(rule="dark", of=("*_no_data",), at_least=1, for_s=0.0, priority="high", message="m")
    plant = Plantwide(at_once)
    plant.told(5, raised("press_no_data", 1))
    plant.told(5, cleared("press_no_data", 1))
    plant.told(5, raised("press_no_data", 2))
    plant.tick(6)
    assert kinds(plant.all(AlarmRaised, AlarmCleared)) == ["AlarmRaised", "AlarmCleared", "AlarmRaised"]
    assert plant.state() == "B"


def test_what_the_relay_says_again_changes_nothing() -> None:
    plant = Plantwide(DARK)
    plant.told(1, raised("press_no_data"), offset=7)
    assert plant.told(2, raised("press_no_data"), offset=7) == []
    assert plant.told(2, cleared("press_no_data"), offset=3) == []
    assert len(plant.all(AlarmsHeard)) == 1


def test_hidden_and_late_alarms_are_not_counted_until_they_are_shown() -> None:
    at_once = Across(rule="dark", of=("*_no_data",), at_least=1, for_s=0.0, priority="high", message="m")
    plant = Plantwide(at_once)
    plant.told(1, raised("a_no_data", hidden="shelved"), raised("b_no_data", late=True),
               raised("c_no_data", hidden="suppressed"))  # fmt: skip
    assert plant.all(AlarmRaised) == []
    assert kinds(plant.told(2, AlarmBecameLive(alarm=id_of("b_no_data")))) == [
        "AlarmsHeard", "AlarmRaised", "IncidentOpened",
    ]  # fmt: skip
    plant.told(3, cleared("b_no_data"))
    assert plant.state() == "D"
    shown = AlarmReannounced(alarm=id_of("c_no_data"), times=1, reason="no longer suppressed")
    assert "AlarmRaised" in kinds(plant.told(4, shown))


def test_override_takes_an_alarm_out_of_the_count_and_its_end_puts_it_back() -> None:
    at_once = Across(rule="dark", of=("*_no_data",), at_least=1, for_s=0.0, priority="high", message="m")
    plant = Plantwide(at_once)
    plant.told(1, raised("a_no_data"))
    plant.told(2, AlarmShelved(name="a_no_data", by="Ada", reason="x", until=at(100)),
               AlarmSuppressed(name="a_no_data", cause="while x"))  # fmt: skip
    assert plant.state() == "D"
    plant.told(3, AlarmUnshelved(name="a_no_data", by="Ada", reason="x"))
    assert plant.state() == "D"
    plant.told(4, AlarmUnsuppressed(name="a_no_data", cause="while x"),
               AlarmReannounced(alarm=id_of("a_no_data"), times=1, reason="no longer suppressed"))  # fmt: skip
    assert plant.state() == "B"
    plant.told(5, AlarmTakenOutOfService(name="a_no_data", by="Ada", reason="x", until=at(100)))
    assert plant.state() == "D"


def test_what_is_normal_and_under_no_override_is_forgotten() -> None:
    plant = Plantwide(DARK)
    plant.told(1, AlarmShelved(name="a_no_data", by="Ada", reason="x", until=at(100)))
    known = plant.brain.areas[PLANT_WIDE].plantwide
    assert dict(known.alarms) == {"a_no_data": AlarmHeard("a_no_data", PRESS, None, False, ("shelved",))}
    plant.told(2, AlarmUnshelved(name="a_no_data", by="", reason="its time is over"))
    assert dict(known.alarms) == {}


def test_restart_in_the_middle_of_the_delay_does_not_begin_it_anew() -> None:
    plant = Plantwide(DARK)
    plant.told(1, raised("press_no_data"), raised("cooling_no_data"))
    plant.restart()
    plant.tick(5)
    plant.restart()
    assert kinds(plant.tick(11))[0] == "AlarmRaised"
    plant.restart()
    assert "AlarmCleared" in kinds(plant.told(12, cleared("press_no_data")))


def test_new_rule_counts_what_stood_before_it_and_a_withdrawn_one_clears() -> None:
    plant = Plantwide()
    plant.told(1, raised("press_no_data"), raised("cooling_no_data"))
    with_rule = Definition(areas=(PRESS, COOLING), across=(DARK,))
    plant.give(Configure(with_rule.version, at(2), "test", with_rule.pack()))
    assert kinds(plant.tick(12))[0] == "AlarmRaised"
    without = Definition(areas=(PRESS, COOLING))
    plant.give(Configure(without.version, at(13), "test", without.pack()))
    [gone] = plant.tick(14)
    assert isinstance(gone, AlarmCleared) and gone.reason == "rule withdrawn"
    assert plant.tick(15) == []


def test_alarm_of_the_plant_itself_is_not_counted_again() -> None:
    plant = Plantwide(Across(rule="dark", of=("*",), at_least=1, for_s=0.0, priority="high", message="m"))
    plant.told(1, raised("a"))
    assert plant.told(2, plant.alarm(), area=PLANT_WIDE) == []


def test_flood_of_a_position_is_counted_over_all_its_areas() -> None:
    plant = Plantwide(positions=(LEAD, Position(position="far", areas=("oven/*",))))
    for i in range(10):
        plant.told(i, raised(f"a{i}"), area=PRESS if i % 2 else COOLING)
    assert plant.all(FloodBegan) == []
    [heard, began] = plant.told(10, raised("a10"))
    assert isinstance(heard, AlarmsHeard)
    assert began == FloodBegan(scope="position lead", alarms=11, first_out=id_of("a0"))
    plant.told(11, raised("a11"))
    plant.restart()
    assert plant.tick(600) == []
    # a8 of second 8 is the fifth newest of twelve: in the window until 608
    assert plant.tick(606) == []
    ended = next(f for s in range(607, 612) for f in plant.tick(s))
    assert ended == FloodEnded(scope="position lead", since=at(10), alarms=12, held_back=0, peak=12)
    assert plant.tick(700) == []


def test_hidden_alarms_flood_nobody() -> None:
    plant = Plantwide(positions=(LEAD,))
    for i in range(30):
        plant.told(i, raised(f"a{i}", hidden="suppressed"))
    assert plant.all(FloodBegan) == []


def test_alarms_that_are_announced_when_an_override_ends_are_a_flood() -> None:
    plant = Plantwide(positions=(LEAD,))
    for i in range(11):
        plant.told(i, AlarmShelved(name=f"a{i}", by="Ada", reason="x", until=at(60)), raised(f"a{i}", hidden="shelved"))
    for i in range(11):
        plant.told(60 + i, AlarmUnshelved(name=f"a{i}", by="", reason="its time is over"),
                   AlarmReannounced(alarm=id_of(f"a{i}"), times=1, reason="no longer shelved"))  # fmt: skip
    (began,) = plant.all(FloodBegan)
    assert (began.alarms, began.first_out) == (11, id_of("a0"))


def test_area_of_the_plant_knows_nothing_of_conditions_of_others() -> None:
    plant = Plantwide(DARK)
    plant.fire("press_no_data", 1)
    assert PLANT_WIDE not in plant.brain.areas or not plant.brain.areas[PLANT_WIDE].plantwide.alarms
