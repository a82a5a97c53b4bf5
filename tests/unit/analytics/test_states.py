"""The state of an alarm, out of what is stored of it."""

from __future__ import annotations

from typing import get_args

import pytest

from analytics.states import PRECEDENCE, foremost, state_of
from events.alarms import Override, State


@pytest.mark.parametrize(
    ("active", "acknowledged", "latched", "state"),
    [
        (False, True, False, "A"), (True, False, False, "B"), (True, True, False, "C"), (False, False, False, "D"),
        (False, False, True, "E"), (False, True, True, "F"),
    ],
)  # fmt: skip
def test_what_is_shown(active: bool, acknowledged: bool, latched: bool, state: State) -> None:
    assert state_of(active=active, acknowledged=acknowledged, latched=latched) == state


@pytest.mark.parametrize(("hidden", "state"), [("shelved", "G"), ("suppressed", "H"), ("out of service", "I")])
@pytest.mark.parametrize("facts", range(8))
def test_an_override_is_the_state_whatever_the_alarm_does(hidden: Override, state: State, facts: int) -> None:
    active, acknowledged, latched = (bool(facts & bit) for bit in (1, 2, 4))
    assert state_of(active=active, acknowledged=acknowledged, latched=latched, hidden=hidden) == state


def test_out_of_service_comes_before_suppressed_before_shelved() -> None:
    assert foremost({"shelved", "suppressed", "out of service"}) == "out of service"
    assert foremost(["shelved", "suppressed"]) == "suppressed"
    assert foremost(["shelved"]) == "shelved" and foremost([]) == ""
    assert set(PRECEDENCE) == set(get_args(Override))
