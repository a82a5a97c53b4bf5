from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from andon.supervisor import endings


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_plant_under_nohup_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert signal.SIGHUP in endings()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert set(endings()) == {signal.SIGTERM, signal.SIGINT}
