"""The whole way of an overpressure through both brains: condition, incident, valve, acknowledgement, reset; twice."""

from __future__ import annotations

from events.envelope import Decision
from events.incidents import IncidentOpened, IncidentReopened, IncidentResolved
from events.playbooks import CommandIssued, RunFinished
from tests.unit.incidents.plant import Plant, occurrence
from tests.unit.playbooks.shop import Shop

RULE = "press_pressure.HH"


def test_overpressure_opens_the_valve_and_its_end_closes_it_as_often_as_it_comes() -> None:
    plant, shop = Plant(), Shop()

    def forward() -> None:
        """What incidents says next is what playbooks reads."""
        new, plant.log = plant.log, []
        shop.give(Decision(0, -1, -1, tuple(new)))

    def devices_obey(when: float) -> None:
        while shop.brain.index.awaited:
            shop.succeeds(shop.command, when)

    for begins, start in ((IncidentOpened, 10), (IncidentReopened, 110), (IncidentReopened, 210)):
        plant.raised(RULE, start, priority="critical")
        assert len(plant.all(begins)) == 1
        forward()
        devices_obey(start + 1)
        plant.cleared(RULE, start, start + 5)
        forward()
        plant.acknowledge(occurrence(RULE, start), start + 8)
        assert len(plant.all(IncidentResolved)) == 1
        forward()
        devices_obey(start + 9)
    drill = [
        ("press.relief_valve", 1.0), ("press_light.red", 1.0), ("press_light.siren", 1.0),
        ("press_light.siren", 0.0), ("press_light.red", 0.0), ("press.relief_valve", 0.0),
    ]  # fmt: skip
    assert [(c.point, c.value) for c in shop.all(CommandIssued)] == drill * 3
    assert [f.outcome for f in shop.all(RunFinished)] == ["completed"] * 6
