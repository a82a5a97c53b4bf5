from __future__ import annotations

import pytest

from andon.processes import PROCESSES, Process, UnknownProcessError, in_order
from andon.supervisor import next_backoff

TOYS = {
    "a": Process("a", "m:run", after=("c",)),
    "b": Process("b", "m:run"),
    "c": Process("c", "m:run", after=("b",)),
}


def names(processes: list[Process]) -> list[str]:
    return [process.name for process in processes]


def test_each_starts_behind_those_it_needs() -> None:
    assert names(in_order(TOYS, TOYS)) == ["b", "c", "a"]


def test_what_is_not_wanted_is_not_started_for_another() -> None:
    assert names(in_order(["a", "b"], TOYS)) == ["a", "b"]


def test_an_unknown_name_is_refused_with_the_closest() -> None:
    with pytest.raises(UnknownProcessError, match="did you mean detection"):
        in_order(["detektion"])


def test_every_process_of_the_plant_has_its_own_health_port() -> None:
    offsets = [process.health_port_offset for process in PROCESSES.values()]
    assert None not in offsets
    assert len(set(offsets)) == len(offsets)


def test_the_wait_doubles_up_to_ten_seconds() -> None:
    waits = [0.0]
    for _ in range(8):
        waits.append(next_backoff(waits[-1], lived_s=1.0))
    assert waits[1:] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


def test_a_long_life_forgives() -> None:
    assert next_backoff(10.0, lived_s=30.0) == 0.2
    assert next_backoff(10.0, lived_s=29.9) == 10.0
