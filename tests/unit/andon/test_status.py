from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from andon.records import Record
from andon.stack.process import start_ticks
from andon.status import judge

WELL = {"ok": True, "reasons": [], "behind_s": 0.2}
SICK = {"ok": False, "reasons": ["Kafka does not answer"]}


def record(*, age_s: float, restarts: int = 0, last_exit: int | None = None, pid: int | None = None) -> Record:
    """Of a live process (this one), unless another pid is given."""
    pid = os.getpid() if pid is None else pid
    started = datetime.now(UTC) - timedelta(seconds=age_s)
    ticks = start_ticks(pid)
    return Record(
        name="edge", pid=pid, ticks=ticks, stop_signal=15, started_at=started, restarts=restarts, last_exit=last_exit
    )


def test_a_process_that_is_well_runs() -> None:
    judged = judge(record(age_s=1), WELL)
    assert (judged["state"], judged["health"]) == ("running", WELL)


def test_a_process_that_is_not_well_is_given_time_to_start_but_is_never_called_well() -> None:
    assert (judge(record(age_s=5), SICK)["state"], judge(record(age_s=60), SICK)["state"]) == ("starting", "unwell")
    assert judge(record(age_s=5), SICK)["health"]["ok"] is False


def test_one_that_dies_again_and_again_is_not_well_in_between() -> None:
    judged = judge(record(age_s=1, restarts=7, last_exit=1), WELL)
    assert judged["state"] == "recovering"
    assert judged["health"]["ok"] is False
    assert "ended with 1" in judged["health"]["reasons"][0]


def test_one_that_died_once_and_lives_since_is_well() -> None:
    assert judge(record(age_s=6, restarts=1, last_exit=-9), WELL)["health"]["ok"] is True


def test_an_answer_on_the_port_of_a_dead_process_does_not_make_it_well() -> None:
    dead = Record(
        name="edge", pid=None, ticks="", stop_signal=15, started_at=datetime.now(UTC), restarts=1, last_exit=3
    )
    judged = judge(dead, WELL)
    assert judged["state"] == "waiting to restart"
    assert judged["health"] == {"ok": False, "reasons": ["it ended with 3"]}
