"""The supervisor and what dies under it. Toy programs stand in for the plant's processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from andon.stack.process import start_ticks

pytestmark = pytest.mark.chaos

REPOSITORY = Path(__file__).resolve().parents[2]

# A supervisor over toy programs: `good` ends at SIGTERM, `stubborn` does not, `parent` has a child of its own.
HARNESS = """
import sys
from pathlib import Path
from andon import records
from andon.stack.process import Command
from andon.supervisor import Supervisor

home, toys = Path(sys.argv[1]), sys.argv[2:]
CODE = {
    "good": "import time; print('started', flush=True); time.sleep(600)",
    "other": "import time; time.sleep(600)",
    "stubborn": "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
                "time.sleep(600)",
    "parent": "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; "
              "time.sleep(600)']); print(p.pid, flush=True); time.sleep(600)",
    "failing": "raise SystemExit(3)",
}
try:
    with records.the_only_one(home):
        records.end_leftovers(home)
        supervisor = Supervisor(home)
        supervisor.stop_on_signals()
        for name in toys:
            log = home / "logs" / f"{name}.log"
            supervisor.add(Command(name=name, argv=(sys.executable, "-c", CODE[name]), cwd=home, log=log))
        supervisor.run()
        supervisor.stop()
except records.AlreadyUpError as e:
    sys.exit(str(e))
"""


def eventually(what: Callable[[], object], limit_s: float = 15.0) -> object:
    """The first true answer of `what`."""
    deadline = time.monotonic() + limit_s
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def record(home: Path, name: str) -> dict:
    file = home / "run" / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def gone(pid: int) -> bool:
    return start_ticks(pid) == ""


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start(*toys: str) -> subprocess.Popen:
        argv = [sys.executable, "-c", HARNESS, str(tmp_path), *toys]
        started.append(subprocess.Popen(argv, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for popen in started:
        popen.kill()  # the toys follow: that is what the tests below show
        popen.wait()


def test_a_killed_process_runs_again_and_its_record_says_so(supervise, tmp_path: Path) -> None:
    supervise("good", "other")
    first = eventually(lambda: record(tmp_path, "good").get("pid"))
    other = eventually(lambda: record(tmp_path, "other").get("pid"))
    os.kill(first, signal.SIGKILL)
    second = eventually(lambda: record(tmp_path, "good").get("pid") not in (None, first) and record(tmp_path, "good"))
    assert second["restarts"] == 1
    assert second["last_exit"] == -signal.SIGKILL
    assert not gone(second["pid"])
    assert record(tmp_path, "other")["pid"] == other


def test_a_process_that_always_fails_is_tried_for_ever_and_ever_more_slowly(supervise, tmp_path: Path) -> None:
    began = time.monotonic()
    supervise("failing")
    eventually(lambda: record(tmp_path, "failing").get("restarts", 0) >= 3)
    assert time.monotonic() - began >= 0.2 + 0.4 + 0.8
    assert record(tmp_path, "failing")["last_exit"] == 3


def test_sigterm_stops_everything_also_what_ignores_it_and_grandchildren(supervise, tmp_path: Path) -> None:
    supervisor = supervise("good", "stubborn", "parent")
    pids = [eventually(lambda n=name: record(tmp_path, n).get("pid")) for name in ("good", "stubborn", "parent")]
    grandchild = int(eventually(lambda: _first_line(tmp_path / "logs" / "parent.log")))
    eventually(lambda: _first_line(tmp_path / "logs" / "stubborn.log"))
    began = time.monotonic()
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert time.monotonic() - began < 15
    assert [gone(pid) for pid in (*pids, grandchild)] == [True] * 4
    assert list((tmp_path / "run").glob("*.json")) == []


def test_children_die_when_the_supervisor_is_killed_with_9(supervise, tmp_path: Path) -> None:
    supervisor = supervise("good", "other")
    pids = [eventually(lambda n=name: record(tmp_path, n).get("pid")) for name in ("good", "other")]
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: all(gone(pid) for pid in pids))


def test_the_next_up_ends_what_ignored_the_death_of_the_last(supervise, tmp_path: Path) -> None:
    supervisor = supervise("stubborn")
    stubborn = eventually(lambda: record(tmp_path, "stubborn").get("pid"))
    eventually(lambda: _first_line(tmp_path / "logs" / "stubborn.log"))
    supervisor.kill()
    supervisor.wait()
    assert not gone(stubborn)
    supervise("good")
    eventually(lambda: gone(stubborn), limit_s=20)
    eventually(lambda: record(tmp_path, "good").get("pid"))


def test_a_second_up_of_the_same_home_is_refused_and_disturbs_nothing(supervise, tmp_path: Path) -> None:
    first = supervise("good")
    pid = eventually(lambda: record(tmp_path, "good").get("pid"))
    second = supervise("good")
    _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert f"already up (pid {first.pid})" in said
    assert record(tmp_path, "good")["pid"] == pid
    assert not gone(pid)


def _first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0] if file.exists() else ""
