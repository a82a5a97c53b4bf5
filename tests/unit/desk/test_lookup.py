from collections.abc import Iterator

from desk.lookup import merged
from events.topics import PLANT_WIDE
from incidents.definition import Across, AlarmDefinition, Definition


def definition(version: int, *areas: str) -> Definition:
    """One alarm in each area, called after the version."""
    alarms = [AlarmDefinition(name=f"{area} {version}", area=area, rules=()) for area in areas]
    return Definition(areas=areas, alarms={alarm.name: alarm for alarm in alarms})


def test_the_plant_and_its_edges_each_define_their_own_areas() -> None:
    of_edge, of_plant = definition(2, "shop/press"), definition(1, "shop/cooling")
    assert set(merged([of_edge, of_plant], frozenset({"shop/press", "shop/cooling"}))) == {
        "shop/press 2", "shop/cooling 1"
    }  # fmt: skip


def test_the_newest_definition_of_an_area_holds_also_when_the_area_has_moved() -> None:
    moved, before = definition(2, "shop/press"), definition(1, "shop/press", "shop/cooling")
    assert set(merged([moved, before], frozenset({"shop/press", "shop/cooling"}))) == {
        "shop/press 2", "shop/cooling 1"
    }  # fmt: skip


def test_an_alarm_that_the_newest_definition_has_no_more_is_gone() -> None:
    empty = Definition(areas=("shop/press",))
    assert merged([empty, definition(1, "shop/press")], frozenset({"shop/press"})) == {}


def test_no_more_is_unpacked_than_it_takes() -> None:
    looked_at = []

    def newest_first() -> Iterator[Definition]:
        for version in (3, 2, 1):
            looked_at.append(version)
            yield definition(version, "shop/press")

    merged(newest_first(), frozenset({"shop/press"}))
    assert looked_at == [3]


def test_a_rule_across_areas_is_an_alarm_of_the_whole_plant() -> None:
    across = Across(rule="both_presses", of=("press*",), at_least=2, for_s=0.0, priority="high", message="both")
    found = merged([Definition(areas=("a",), across=(across,))], frozenset({"a"}))
    assert found["both_presses"].area == PLANT_WIDE
