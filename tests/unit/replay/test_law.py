"""The law: what was decided is decided again, with the same ids, at the same times, from any moment on."""

from __future__ import annotations

from functools import cache

import pytest

from events.incidents import IncidentOpened
from events.playbooks import CommandIssued
from replay.run import replay
from replay.told import Told
from tests.unit.replay.lived import Lived, at


@cache
def lived(seed: int) -> Lived:
    plant = Lived(seed)
    plant.live(100)
    plant.logged()
    return plant


def said(told: Told) -> list[object]:
    return [(a.key, a.cause, a.events) for a in told.answers]


@pytest.mark.parametrize("seed", range(3))
def test_history_is_decided_again_as_it_was(seed: int) -> None:
    result = replay(lived(seed).inboxes, at(0), at(90))
    facts = [e.fact for e in result.history.events()]
    assert sum(isinstance(f, IncidentOpened) for f in facts) > 1
    assert sum(isinstance(f, CommandIssued) for f in facts) > 1
    assert said(result.replay) == said(result.history)


@pytest.mark.parametrize("seed", range(3))
def test_it_may_begin_at_a_checkpoint(seed: int) -> None:
    result = replay(lived(seed).inboxes, at(60), at(90))
    assert result.began > at(5), "from a checkpoint"
    assert said(result.replay) == said(result.history)
    assert result.history.answers
