"""A cause that occurs anew is acted on anew, a flapping one does not hammer; and what another incident needs stays."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from events.alarms import AlarmShelved
from events.incidents import IncidentResolved
from events.playbooks import CommandIssued, RunFinished, RunRefused, RunsHandedOn, RunStarted, StepStarted
from events.types import make_id
from playbooks.area import fresh
from playbooks.brain import PlaybooksBrain
from playbooks.past import KNOWN, Known
from playbooks.plan import OnIncident
from tests.unit.incidents.rig import at
from tests.unit.playbooks.shop import Shop, alarm, example, incident, said

HH, H = "press_pressure.HH", "press_pressure.H"
VALVE = "press.relief_valve"


def kinds(facts: list[Any]) -> list[type]:
    return [type(f) for f in facts]


def relieved(shop: Shop) -> int:
    """How often the valve was told to open."""
    return sum(c.point == VALVE and c.value == 1.0 for c in shop.all(CommandIssued))


def after_a_first_run() -> Shop:
    shop = Shop()
    shop.joined(1, 10, HH)
    shop.obey(11)
    assert relieved(shop) == 1 and shop.running == []
    return shop


def test_reopened_incident_sets_its_playbook_off_once_per_opening() -> None:
    shop = Shop()
    shop.opened(1, 10)
    shop.obey(11)
    shop.resolved(1, 20)
    shop.obey(21)
    started = shop.reopened(1, 60, HH, 2, occurrence=1)[0]
    assert isinstance(started, RunStarted)
    assert started.run == make_id("run", incident(1), "press_overpressure", 2) and started.opening == 2
    shop.obey(61)
    assert shop.joined(1, 62, HH, occurrence=1, opening=2) == [], "the same occurrence"
    assert relieved(shop) == 2
    shop.resolved(1, 70, opening=2)
    shop.obey(71)
    assert [c.value for c in shop.all(CommandIssued) if c.point == VALVE] == [1.0, 0.0, 1.0, 0.0]
    assert len({r.run for r in shop.all(RunStarted)}) == 4


def test_incident_that_a_person_reopened_moves_nothing_until_an_alarm_joins_it() -> None:
    shop = after_a_first_run()
    shop.resolved(1, 20)
    shop.obey(21)
    started = shop.joined(1, 60, HH, occurrence=1, opening=2)[0]
    assert isinstance(started, RunStarted) and started.opening == 2


def test_alarm_that_comes_back_in_the_open_incident_opens_the_valve_again() -> None:
    shop = after_a_first_run()
    started, _, command = shop.joined(1, 40, HH, occurrence=1)
    assert started.run == make_id("run", incident(1), "press_overpressure", 1, alarm(1, HH, 1))
    assert (command.point, command.value) == (VALVE, 1.0)
    shop.obey(41)
    assert shop.joined(1, 50, HH, occurrence=1) == [], "an occurrence sets off once"
    assert kinds(shop.joined(1, 60, H, occurrence=2)) == [RunStarted, StepStarted, CommandIssued], (
        "it is the same alarm, whichever level came first"
    )


def test_alarm_that_comes_back_at_once_waits_a_moment_and_several_are_one() -> None:
    shop = after_a_first_run()
    (started,) = shop.joined(1, 12, HH, occurrence=1)
    assert started.not_before == at(15)
    assert shop.joined(1, 13, HH, occurrence=2) == [] and shop.tick(14) == []
    assert kinds(shop.tick(15)) == [StepStarted, CommandIssued]


def test_flapping_alarm_is_answered_ever_more_slowly_and_never_forgotten() -> None:
    shop = Shop()
    begins = []
    for second in range(10, 310):
        if second % 2 == 0:
            shop.joined(1, second, HH, occurrence=second)
        shop.tick(second)
        if shop.running and shop.command.point == VALVE and relieved(shop) > len(begins):
            begins.append(second)
        shop.obey(second)
    assert begins == [10, 15, 25, 45, 85, 145, 205, 265]


def test_alarm_that_comes_back_while_its_run_goes_is_answered_when_that_has_ended() -> None:
    shop = Shop()
    shop.joined(1, 10, HH)
    (started,) = shop.joined(1, 11, HH, occurrence=1)
    assert started.not_before == at(15)
    shop.fails(shop.command, 14.5)
    shop.tick(16)  # the second attempt still goes
    assert relieved(shop) == 2 and len(shop.running) == 2
    for _ in range(3):
        last = shop.succeeds(shop.command, 16.2)
    assert kinds(last)[-2:] == [StepStarted, CommandIssued]
    assert relieved(shop) == 3


def test_run_that_waits_goes_on_from_the_snapshot_but_not_into_another_day() -> None:
    shop = after_a_first_run()
    shop.joined(1, 12, HH, occurrence=1)
    shop.restart()
    assert shop.tick(14.9) == []
    assert kinds(shop.tick(15)) == [StepStarted, CommandIssued]
    shop.obey(16)
    shop.joined(1, 17, HH, occurrence=2)
    shop.tick(90_000)
    assert shop.all(RunFinished)[-1].detail.startswith("failed at its begin: it was due at 06:00:25")
    assert relieved(shop) == 2 and shop.running == []


def test_run_that_waits_is_cancelled_when_the_incident_is_over() -> None:
    shop = after_a_first_run()
    shop.joined(1, 12, HH, occurrence=1)
    facts = shop.resolved(1, 13)
    assert facts[0].outcome == "cancelled" and facts[0].detail == "the incident was resolved before it began"
    shop.obey(14)
    assert shop.tick(15) == [] and shop.command.value == 0.0


def test_other_alarm_of_the_incident_does_not_run_what_ran() -> None:
    shop = after_a_first_run()
    assert shop.joined(1, 40, "press_pressure.L") == []


def test_higher_level_sets_off_its_own_playbook_and_not_that_of_the_ladder() -> None:
    triggers = (OnIncident("opened", ("press_pressure.HH",)),)
    high = replace(example("press_overpressure"), playbook="vent", triggers=triggers)
    shop = Shop(example("press_overpressure"), high)
    shop.opened(1, 10, rule=H)
    shop.obey(11)
    assert [r.playbook for r in shop.all(RunStarted)] == ["press_overpressure"]
    shop.rises(1, 20, HH)
    shop.obey(21)
    assert [r.playbook for r in shop.all(RunStarted)] == ["press_overpressure", "vent"]
    assert shop.rises(1, 22, HH, holds=False) == [] and shop.rises(1, 22.5, HH) == [], "the same level"
    shop.rises(1, 40, HH, occurrence=1)
    assert [r.playbook for r in shop.all(RunStarted)] == ["press_overpressure", "vent", "vent"]


def test_playbook_may_name_the_alarm_and_a_level_counts_by_its_own_priority() -> None:
    book = replace(example("press_overpressure"), triggers=(OnIncident("opened", ("press_pressure.high",)),))
    shop = Shop(book)
    assert kinds(shop.joined(1, 10, H)) == [RunStarted, StepStarted, CommandIssued]
    critical = replace(book, triggers=(OnIncident("opened", min_priority="critical"),))
    shop = Shop(critical)
    assert shop.opened(1, 10, rule=H, priority="medium") == []
    assert kinds(shop.rises(1, 11, HH)) == [RunStarted, StepStarted, CommandIssued]


def test_what_is_told_again_from_a_former_opening_moves_nothing() -> None:
    shop = after_a_first_run()
    shop.resolved(1, 20)
    shop.obey(21)
    shop.reopened(1, 60, HH, 2, occurrence=1)
    shop.obey(61)
    assert shop.joined(1, 10, HH) == [] and shop.resolved(1, 20) == []


def test_history_is_refused_once_and_the_next_occurrence_acts() -> None:
    shop = Shop()
    shop.tick(100)
    assert kinds(shop.joined(1, 30, HH)) == [RunRefused]
    assert shop.joined(1, 30, HH) == []
    assert kinds(shop.joined(1, 110, HH, occurrence=1)) == [RunStarted, StepStarted, CommandIssued]


def test_valve_stays_open_while_another_incident_stands_that_opened_it_too() -> None:
    shop = Shop()
    for number in (1, 2):
        shop.opened(number, 10 * number)
        shop.obey(10 * number + 1)
    (handed_on,) = shop.resolved(1, 30)
    assert (handed_on.to, handed_on.why) == (incident(2), "stands")
    assert shop.command.value == 1.0 and shop.running == []
    assert shop.resolved(1, 30) == []
    shop.restart()
    shop.resolved(2, 40)
    shop.obey(41)
    assert (shop.command.point, shop.command.value) == (VALVE, 0.0)
    assert [r.incident for r in shop.all(RunStarted)][2:] == [incident(2)], "one end undoes both"


def test_end_of_another_incident_undoes_what_it_took_over_though_it_would_not_by_itself() -> None:
    other = replace(example("press_overpressure"), playbook="vent", triggers=(OnIncident("opened", ("oil.*",)),))
    shop = Shop(*(b for b in (example("press_overpressure"), other, example("press_reset"))))
    shop.opened(1, 10)
    shop.obey(11)
    shop.opened(2, 12, rule="oil.H")
    shop.obey(13)
    shop.resolved(1, 20)
    assert shop.command.value == 1.0
    shop.resolved(2, 30)
    shop.obey(31)
    assert (shop.command.point, shop.command.value) == (VALVE, 0.0)


def test_merged_incident_runs_nothing_again_and_its_heir_undoes_it() -> None:
    shop = Shop()
    shop.opened(1, 10)
    shop.obey(11)
    shop.opened(2, 12, rule="oil_temperature.H")
    (handed_on,) = shop.merged(1, 2, 15, HH)
    assert (handed_on.to, handed_on.why) == (incident(2), "merged")
    assert shop.joined(2, 16, "press_pressure.L") == []
    shop.resolved(2, 20)
    shop.obey(21)
    assert (shop.command.point, shop.command.value) == (VALVE, 0.0)


def test_run_that_waits_is_cancelled_at_the_end_of_the_incident_it_was_merged_into() -> None:
    shop = after_a_first_run()
    shop.joined(1, 12, HH, occurrence=1)
    shop.merged(1, 2, 12.5, HH)
    assert shop.resolved(2, 13)[0].outcome == "cancelled"


def test_incident_that_was_split_off_runs_nothing_again_and_keeps_the_valve_open() -> None:
    shop = Shop()
    shop.opened(1, 10)
    shop.obey(11)
    (handed_on,) = shop.split(1, 2, 15, HH)
    assert (handed_on.to, handed_on.why) == (incident(2), "split")
    (kept,) = shop.resolved(1, 20)
    assert kept.to == incident(2) and shop.command.value == 1.0
    shop.resolved(2, 30)
    shop.obey(31)
    assert (shop.command.point, shop.command.value) == (VALVE, 0.0)


def test_split_that_is_told_again_hands_on_nothing_that_ran_since() -> None:
    shop = Shop()
    shop.opened(1, 10, rule="oil_temperature.H")
    (handed_on,) = shop.split(1, 2, 15, "oil_temperature.H")
    assert handed_on.playbooks == ()
    shop.joined(1, 20, HH)
    assert shop.split(1, 2, 15, "oil_temperature.H") == []


def test_reset_that_a_reopening_cancels_is_made_up_for_at_the_next_end() -> None:
    other = replace(example("press_overpressure"), playbook="vent", triggers=(OnIncident("opened", ("oil.*",)),))
    shop = Shop(example("press_overpressure"), other, example("press_reset"))
    shop.opened(1, 10)
    shop.obey(11)
    shop.resolved(1, 20)
    facts = shop.reopened(1, 20.5, "oil.H", 2)
    facts = [f for f in facts if isinstance(f, RunFinished | RunsHandedOn | RunStarted)]
    assert kinds(facts) == [RunFinished, RunsHandedOn, RunStarted] and facts[2].playbook == "vent"
    shop.obey(21)
    shop.resolved(1, 30, opening=2)
    shop.obey(31)
    assert (shop.command.point, shop.command.value) == (VALVE, 0.0)


def test_many_incidents_push_out_first_those_that_have_ended() -> None:
    area = fresh()
    area.known = {make_id(n): Known(ended=n == 5) for n in range(KNOWN)}
    started = RunStarted(run=make_id("r"), playbook="p", version="v", incident=make_id("new"), title="t")
    area.evolve(started, at(0), PlaybooksBrain())
    assert len(area.known) == KNOWN and make_id(5) not in area.known and make_id("new") in area.known


def test_what_a_shelf_resolves_sets_nothing_back() -> None:
    """Somebody does not want to hear of it: that moves no device, though all alarms are quiet now."""
    shop = Shop()
    shop.opened(1, 10)
    for when in (11, 12, 13):
        shop.succeeds(shop.command, when)
    assert shop.running == []
    shelved = AlarmShelved(name="press_pressure", by="anna", reason="guide", until=at(600))
    facts = shop.give(said(shelved, IncidentResolved(incident=incident(1)), when=20))
    assert [f.reason for f in facts if isinstance(f, RunRefused)] == [
        "press_pressure was shelved, nothing is set back for that"
    ]
    assert not [f for f in facts if isinstance(f, RunStarted | CommandIssued)]
