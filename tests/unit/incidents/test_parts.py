"""The small parts that the alarms of an area stand on: what is due, drafts, and what a definition means for a name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.agenda import Agenda
from bus.layer import Layer
from incidents.definition import Definition
from incidents.index import Index
from tests.unit.incidents.plant import PRESS
from tests.unit.incidents.rig import at
from tests.unit.incidents.shift import defined

CHANGES = st.lists(st.tuples(st.sampled_from("abcde"), st.none() | st.integers(0, 9)), max_size=30)


@given(CHANGES, st.integers(0, 9), st.integers(1, 6))
def test_agenda_says_what_is_due_whatever_the_order_it_was_told_in(
    changes: list[tuple[str, int | None]], now: int, limit: int
) -> None:
    agenda, truth = Agenda[str](), dict[str, int]()
    for key, due in changes:
        agenda.set(key, None if due is None else at(due))
        truth.pop(key, None)
        if due is not None:
            truth[key] = due
    expected = sorted((due, key) for key, due in truth.items() if due <= now)
    assert agenda.until(at(now), limit) == [key for _, key in expected[:limit]]
    assert agenda.until(at(now), limit) == [key for _, key in expected[:limit]], "asking takes nothing away"
    assert agenda.first == (at(min(truth.values())) if truth else None)


def test_agenda_of_a_key_that_is_set_over_and_over_stays_small() -> None:
    agenda = Agenda[str]()
    for i in range(10_000):
        agenda.set("a", at(100_000 - i))
    assert len(agenda._heap) < 200 and agenda.until(at(200_000)) == ["a"]


@given(st.dictionaries(st.sampled_from("abcde"), st.integers()), CHANGES)
def test_layer_is_what_a_changed_copy_would_be_and_leaves_what_lies_under_it_alone(
    under: dict[str, int], changes: list[tuple[str, int | None]]
) -> None:
    before, copy, layer = dict(under), dict(under), Layer(under)
    for key, value in changes:
        if value is None:
            assert layer.pop(key, None) == copy.pop(key, None)
        else:
            layer[key] = copy[key] = value
        assert dict(layer) == copy and len(layer) == len(copy)
        assert [layer.get(k, -1) for k in "abcde"] == [copy.get(k, -1) for k in "abcde"]
    assert under == before


def index(*alarms: object) -> Index:
    return Index(Definition(areas=(PRESS,), alarms={a.name: a for a in alarms}))  # type: ignore[attr-defined]


def test_rule_without_a_definition_is_an_alarm_of_its_own_name() -> None:
    known = index(defined("a"))
    assert known.of_rule(PRESS, "b").name == "b" and known.of_rule(PRESS, "b").sequence == "A"
    assert known.knows(PRESS, "a") and not known.knows(PRESS, "b")


def test_consequences_are_followed_over_others() -> None:
    known = index(defined("oil", consequence_of=("pump*",)), defined("heat", consequence_of=("oil",)),
                  defined("pump_1"), defined("pump_2"))  # fmt: skip
    assert known.causes(PRESS, "oil") == ("pump_1", "pump_2")
    assert known.follows(PRESS, "heat", "pump_2") and not known.follows(PRESS, "pump_2", "heat")
    assert not known.follows(PRESS, "heat", "heat")


def test_consequences_in_a_circle_come_to_an_end() -> None:
    known = index(defined("a", consequence_of=("b",)), defined("b", consequence_of=("a",)))
    assert known.follows(PRESS, "a", "b") and known.follows(PRESS, "b", "a")


def test_pattern_suppresses_also_for_an_alarm_that_no_file_defines() -> None:
    known = index(defined("flow", suppressed_by=("trip*",)), defined("guard", suppressed_by=("trip*",), safety=True))
    assert known.suppressed_by(PRESS, "trip_9") == ("flow",) and known.suppressed_by("elsewhere", "trip_9") == ()
